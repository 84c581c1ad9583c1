/*
 * metrics_render.c - the exposition: Prometheus text 0.0.4 and OpenMetrics 1.0.0.
 *
 * What differs in OpenMetrics: HELP and TYPE of a counter leave out _total, and
 * of an info _info; a UNIT line where the name ends in the unit; a last line
 * "# EOF". Samples are the same, so series keep their names whoever scrapes.
 *
 * Sums of durations are integers of ns and written as exact decimals.
 */
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_registry.h"

struct exposition {
    const struct metrics *m;
    enum metrics_format format;
    struct buffer *out;
    uint64_t series;
    uint64_t unix_offset_ms; /* from CLOCK_MONOTONIC, whose times exemplars have, to Unix time */
};

const char *metrics_content_type(enum metrics_format format)
{
    switch (format) {
    case METRICS_TEXT:
        return "text/plain; version=0.0.4; charset=utf-8";
    case METRICS_OPENMETRICS:
        return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    }
    return "";
}

void metrics_append_escaped(struct buffer *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            buffer_append(out, "\\n", 2);
        else if (*text == '\\')
            buffer_append(out, "\\\\", 2);
        else if (*text == '"' && quotes)
            buffer_append(out, "\\\"", 2);
        else
            buffer_append(out, text, 1);
    }
}

/* --- Numbers --- */

enum {
    U64_DIGITS_MAX = 20,
    MS_DIGITS = 3,
    NS_DIGITS = 9,
    RATIO_DIGITS = 17
};

static void append_u64(struct buffer *out, uint64_t value)
{
    char digits[U64_DIGITS_MAX];
    size_t first = sizeof(digits);
    do
        digits[--first] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    buffer_append(out, digits + first, sizeof(digits) - first);
}

/* 1500000000 with nine decimals is 1.5: without the zeros behind. */
static void append_decimal(struct buffer *out, uint64_t value, size_t places)
{
    uint64_t one = 1;
    for (size_t i = 0; i < places; i++)
        one *= 10;
    append_u64(out, value / one);
    uint64_t rest = value % one;
    if (rest == 0)
        return;
    char decimals[U64_DIGITS_MAX + 1] = ".";
    size_t count = 0;
    for (size_t i = places; i > 0; i--, rest /= 10) {
        decimals[i] = (char)('0' + rest % 10);
        if (count == 0 && decimals[i] != '0')
            count = i;
    }
    buffer_append(out, decimals, count + 1);
}

/* Fifteen digits when they read back the same, else the seventeen that always do. */
static void append_double(struct buffer *out, double value)
{
    if (isnan(value)) {
        buffer_append_str(out, "NaN");
    } else if (isinf(value)) {
        buffer_append_str(out, value > 0 ? "+Inf" : "-Inf");
    } else {
        char text[32];
        snprintf(text, sizeof(text), "%.15g", value);
        if (strtod(text, NULL) != value)
            snprintf(text, sizeof(text), "%.17g", value);
        buffer_append_str(out, text);
    }
}

static void append_counted(struct buffer *out, enum metrics_unit unit, uint64_t value)
{
    switch (unit) {
    case METRICS_UNIT_SECONDS:
        append_decimal(out, value, NS_DIGITS);
        return;
    case METRICS_UNIT_RATIO:
        append_decimal(out, value, RATIO_DIGITS);
        return;
    case METRICS_UNIT_NUMBER:
    case METRICS_UNIT_BYTES:
    case METRICS_UNIT_CORES:
        break;
    }
    append_u64(out, value);
}

/* --- Labels --- */

static void append_label(struct buffer *out, const char *name, const char *value)
{
    buffer_append_str(out, name);
    buffer_append(out, "=\"", 2);
    metrics_append_escaped(out, value, true);
    buffer_append(out, "\"", 1);
}

/* The values of a label set, the inverse of metrics_labels(). */
static void split_labels(enum metrics_family family, unsigned set,
                         unsigned values[METRICS_FAMILY_LABELS])
{
    const enum metrics_label *labels = metrics_families[family].labels;
    for (size_t i = METRICS_FAMILY_LABELS; i-- > 1;) {
        unsigned count = metrics_label_rows[labels[i]].count;
        values[i] = set % count;
        set /= count;
    }
    values[0] = set;
}

static const char *label_text(const struct metrics *m, enum metrics_label label, unsigned value)
{
    if (label == METRICS_LABEL_MODEL)
        return m->models[value];
    if (label == METRICS_LABEL_TENANT)
        return m->tenants[value];
    return metrics_label_rows[label].values[value];
}

/* `le` is the bucket's bound, NULL for a sample that is none. */
static void append_labels(struct exposition *e, enum metrics_family family, unsigned set,
                          const char *le)
{
    const enum metrics_label *labels = metrics_families[family].labels;
    unsigned values[METRICS_FAMILY_LABELS];
    split_labels(family, set, values);
    const char *open = "{";
    for (size_t i = 0; i < METRICS_FAMILY_LABELS && labels[i] != METRICS_LABEL_NONE; i++) {
        buffer_append(e->out, open, 1);
        append_label(e->out, metrics_label_rows[labels[i]].name,
                     label_text(e->m, labels[i], values[i]));
        open = ",";
    }
    if (le != NULL) {
        buffer_append(e->out, open, 1);
        append_label(e->out, "le", le);
        open = ",";
    }
    if (*open == ',')
        buffer_append(e->out, "}", 1);
}

/* Everything of a sample before its value. */
static void begin_sample(struct exposition *e, enum metrics_family family, const char *suffix,
                         unsigned set, const char *le)
{
    buffer_append_str(e->out, metrics_families[family].name);
    buffer_append_str(e->out, suffix);
    append_labels(e, family, set, le);
    buffer_append(e->out, " ", 1);
}

static void end_sample(struct exposition *e)
{
    buffer_append(e->out, "\n", 1);
    e->series++;
}

/* --- Samples --- */

static size_t first_cell(const struct exposition *e, enum metrics_family family, unsigned set)
{
    return e->m->first[family] + set * metrics_cells(family);
}

/*
 * Every label set is there from the start, at 0, because rate() cannot see the
 * first increment of a series that is born with it. http_requests_total is too
 * wide for that: it starts with what alerts divide by, and shows the rest once
 * it happened.
 */
static bool is_shown_at_zero(enum metrics_family family, unsigned set)
{
    if (family != METRICS_HTTP_REQUESTS_TOTAL)
        return true;
    unsigned values[METRICS_FAMILY_LABELS];
    split_labels(family, set, values);
    if (values[0] != METRICS_ROUTE_PREDICT && values[0] != METRICS_ROUTE_INDICATOR)
        return false;
    if (values[1] != METRICS_METHOD_POST)
        return false;
    unsigned code = values[2];
    return code == METRICS_CODE_200 || code == METRICS_CODE_400 || code == METRICS_CODE_429 ||
           code == METRICS_CODE_500 || code == METRICS_CODE_503;
}

static void render_counter(struct exposition *e, enum metrics_family family, unsigned set)
{
    uint64_t value = metrics_sum_cells(e->m, first_cell(e, family, set));
    if (value == 0 && !is_shown_at_zero(family, set))
        return;
    begin_sample(e, family, "", set, NULL);
    append_counted(e->out, metrics_families[family].unit, value);
    end_sample(e);
}

static void render_value(struct exposition *e, enum metrics_family family, unsigned set)
{
    begin_sample(e, family, "", set, NULL);
    append_double(e->out, metrics_value(e->m, family, set));
    end_sample(e);
}

static void render_sum_and_count(struct exposition *e, enum metrics_family family, unsigned set,
                                 uint64_t sum, uint64_t count)
{
    begin_sample(e, family, "_sum", set, NULL);
    append_counted(e->out, metrics_families[family].unit, sum);
    end_sample(e);
    begin_sample(e, family, "_count", set, NULL);
    append_u64(e->out, count);
    end_sample(e);
}

/* " # {trace_id="4bf9..."} 0.00067 1795246522.123" behind a bucket. */
static void render_exemplar(struct exposition *e, enum metrics_family family, unsigned set,
                            unsigned bucket)
{
    struct metrics_exemplar_copy last;
    if (e->format != METRICS_OPENMETRICS || !metrics_has_exemplars(family) ||
        !metrics_exemplar_last(e->m, family, set, bucket, &last))
        return;
    buffer_append_str(e->out, " # {");
    append_label(e->out, "trace_id", last.trace_id);
    buffer_append_str(e->out, "} ");
    append_counted(e->out, metrics_families[family].unit, last.value);
    buffer_append(e->out, " ", 1);
    append_decimal(e->out, e->unix_offset_ms + last.at_ns / NS_PER_MS, MS_DIGITS);
}

/* The count is the last of the very numbers that were printed as buckets. */
static void render_histogram(struct exposition *e, enum metrics_family family, unsigned set)
{
    const struct metrics_buckets_row *buckets =
        &metrics_bucket_rows[metrics_families[family].buckets];
    size_t cell = first_cell(e, family, set);
    uint64_t count = 0;
    for (unsigned i = 0; i < buckets->count; i++) {
        count += metrics_sum_cells(e->m, cell + i);
        begin_sample(e, family, "_bucket", set, buckets->texts[i]);
        append_u64(e->out, count);
        render_exemplar(e, family, set, i);
        end_sample(e);
    }
    render_sum_and_count(e, family, set, metrics_sum_cells(e->m, cell + buckets->count), count);
}

static void render_summary(struct exposition *e, enum metrics_family family, unsigned set)
{
    size_t cell = first_cell(e, family, set);
    uint64_t count = metrics_sum_cells(e->m, cell);
    render_sum_and_count(e, family, set, metrics_sum_cells(e->m, cell + 1), count);
}

static void render_info(struct exposition *e, enum metrics_family family)
{
    buffer_append_str(e->out, metrics_families[family].name);
    for (size_t i = 0; i < METRICS_INFO_LABELS; i++) {
        buffer_append(e->out, i == 0 ? "{" : ",", 1);
        append_label(e->out, metrics_info_labels[i], e->m->info[i]);
    }
    buffer_append_str(e->out, "} 1");
    end_sample(e);
}

static void render_set(struct exposition *e, enum metrics_family family, unsigned set)
{
    switch (metrics_families[family].type) {
    case METRICS_COUNTER:
        render_counter(e, family, set);
        break;
    case METRICS_TOTAL:
    case METRICS_GAUGE:
        render_value(e, family, set);
        break;
    case METRICS_HISTOGRAM:
        render_histogram(e, family, set);
        break;
    case METRICS_SUMMARY:
        render_summary(e, family, set);
        break;
    case METRICS_INFO:
        render_info(e, family);
        break;
    }
}

/* --- Families --- */

static const char *type_text(enum metrics_type type, enum metrics_format format)
{
    switch (type) {
    case METRICS_COUNTER:
    case METRICS_TOTAL:
        return "counter";
    case METRICS_GAUGE:
        return "gauge";
    case METRICS_HISTOGRAM:
        return "histogram";
    case METRICS_SUMMARY:
        return "summary";
    case METRICS_INFO:
        return format == METRICS_OPENMETRICS ? "info" : "gauge";
    }
    return "";
}

static size_t bytes_without(const char *name, const char *suffix)
{
    size_t bytes = strlen(name), tail = strlen(suffix);
    bool ends = bytes > tail && strcmp(name + bytes - tail, suffix) == 0;
    return ends ? bytes - tail : bytes;
}

/* How many bytes of the name are the family's in this format. */
static size_t family_name_bytes(const struct metrics_family_row *row, enum metrics_format format)
{
    if (format == METRICS_TEXT)
        return strlen(row->name);
    if (row->type == METRICS_COUNTER || row->type == METRICS_TOTAL)
        return bytes_without(row->name, "_total");
    if (row->type == METRICS_INFO)
        return bytes_without(row->name, "_info");
    return strlen(row->name);
}

static bool name_ends_in_unit(const char *name, size_t name_bytes, const char *unit)
{
    size_t bytes = strlen(unit);
    return bytes > 0 && name_bytes > bytes && name[name_bytes - bytes - 1] == '_' &&
           memcmp(name + name_bytes - bytes, unit, bytes) == 0;
}

static void begin_comment(struct exposition *e, const char *word,
                          const struct metrics_family_row *row)
{
    buffer_append_str(e->out, word);
    buffer_append(e->out, row->name, family_name_bytes(row, e->format));
    buffer_append(e->out, " ", 1);
}

static void render_head(struct exposition *e, const struct metrics_family_row *row)
{
    begin_comment(e, "# HELP ", row);
    metrics_append_escaped(e->out, row->help, e->format == METRICS_OPENMETRICS);
    begin_comment(e, "\n# TYPE ", row);
    buffer_append_str(e->out, type_text(row->type, e->format));
    const char *unit = metrics_unit_str(row->unit);
    if (e->format == METRICS_OPENMETRICS &&
        name_ends_in_unit(row->name, family_name_bytes(row, e->format), unit)) {
        begin_comment(e, "\n# UNIT ", row);
        buffer_append_str(e->out, unit);
    }
    buffer_append(e->out, "\n", 1);
}

static void render_family(struct exposition *e, enum metrics_family family)
{
    render_head(e, &metrics_families[family]);
    for (unsigned set = 0; set < e->m->sets[family]; set++)
        render_set(e, family, set);
}

static uint64_t unix_offset_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t unix_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
    return (unix_ns - clock_now_ns()) / NS_PER_MS;
}

_Static_assert(METRICS_METRICS_SERIES == METRICS_FAMILY_COUNT - 1, "it counts those before it");

void metrics_render(struct metrics *m, enum metrics_format format, struct buffer *out)
{
    uint64_t start_ns = clock_now_ns();
    size_t bytes_before = out->bytes;
    struct exposition e = {
        .m = m, .format = format, .out = out, .unix_offset_ms = unix_offset_ms()};
    for (enum metrics_family family = 0; family < METRICS_METRICS_SERIES; family++)
        render_family(&e, family);
    metrics_set(m, METRICS_METRICS_SERIES, 0, (double)(e.series + 1));
    render_family(&e, METRICS_METRICS_SERIES);
    if (format == METRICS_OPENMETRICS)
        buffer_append_str(out, "# EOF\n");
    metrics_set(m, METRICS_METRICS_EXPOSITION_BYTES, 0, (double)(out->bytes - bytes_before));
    metrics_set(m, METRICS_METRICS_SCRAPE_DURATION_SECONDS, 0,
                (double)(clock_now_ns() - start_ns) / (double)NS_PER_S);
}
