/*
 * metrics_table.c - the lists of metrics_table.h as arrays.
 */
#include "metrics_registry.h"

#include <string.h>

#define VALUE_TEXT(enumerator, text, ...) text,
#define X(set, name) static const char *const values_##set[] = {METRICS_##set##_MAP(VALUE_TEXT)};
METRICS_LABEL_MAP(X)
#undef X

const struct metrics_label_row metrics_label_rows[METRICS_LABEL_COUNT] = {
    [METRICS_LABEL_NONE] = {.name = NULL, .count = 1},
    [METRICS_LABEL_MODEL] = {.name = "model"},
    [METRICS_LABEL_TENANT] = {.name = "tenant"},
#define X(set, label) \
    [METRICS_LABEL_##set] = {.name = label, .values = values_##set, .count = METRICS_##set##_COUNT},
    METRICS_LABEL_MAP(X)
#undef X
};

#define BOUND_VALUE(bound, text) bound,
#define BOUND_TEXT(bound, text) text,
#define X(set)                                                                            \
    static const uint64_t bounds_##set[] = {METRICS_##set##_MAP(BOUND_VALUE) UINT64_MAX}; \
    static const char *const texts_##set[] = {METRICS_##set##_MAP(BOUND_TEXT) "+Inf"};
METRICS_BUCKETS_MAP(X)
#undef X

const struct metrics_buckets_row metrics_bucket_rows[METRICS_BUCKETS_COUNT] = {
#define X(set)                                         \
    [METRICS_BUCKETS_##set] = {.name = #set,           \
                               .bounds = bounds_##set, \
                               .texts = texts_##set,   \
                               .count = ARRAY_SIZE(bounds_##set)},
    METRICS_BUCKETS_MAP(X)
#undef X
};

const struct metrics_family_row metrics_families[METRICS_FAMILY_COUNT] = {
#define X(enumerator, family_name, kind, base, bucket_set, first, second, third, text) \
    [METRICS_##enumerator] = {                                                         \
        .name = family_name,                                                           \
        .help = text,                                                                  \
        .type = METRICS_##kind,                                                        \
        .unit = METRICS_UNIT_##base,                                                   \
        .buckets = METRICS_BUCKETS_##bucket_set,                                       \
        .labels = {METRICS_LABEL_##first, METRICS_LABEL_##second, METRICS_LABEL_##third}},
    METRICS_FAMILY_MAP(X)
#undef X
};

#define X(label) label,
const char *const metrics_info_labels[METRICS_INFO_LABELS] = {METRICS_INFO_MAP(X)};
#undef X

const char *metrics_unit_str(enum metrics_unit unit)
{
    switch (unit) {
    case METRICS_UNIT_NUMBER:
        return "";
    case METRICS_UNIT_SECONDS:
        return "seconds";
    case METRICS_UNIT_BYTES:
        return "bytes";
    case METRICS_UNIT_CORES:
        return "cores";
    case METRICS_UNIT_RATIO:
        return "ratio";
    }
    return "";
}

unsigned metrics_code_index(int status)
{
#define X(enumerator, text, number) number,
    static const int statuses[] = {METRICS_CODE_MAP(X)};
#undef X
    for (unsigned i = 0; i < METRICS_CODE_OTHER; i++)
        if (statuses[i] == status)
            return i;
    return METRICS_CODE_OTHER;
}

unsigned metrics_error_index(const char *code)
{
    for (unsigned i = 0; i < METRICS_ERROR_OTHER; i++)
        if (strcmp(values_ERROR[i], code) == 0)
            return i;
    return METRICS_ERROR_OTHER;
}
