/*
 * metrics_registry.h - what the parts of metrics/ share; not for anyone else.
 *
 * A shard is one array of cells. A label set of a counter has one cell; of a
 * histogram one per bucket (the last has no bound) and then the sum:
 *
 *   first[family]
 *   |
 *   v            label set 0          label set 1
 *   [ <=b0 | <=b1 | ... | rest | sum ][ <=b0 | ...
 *
 * Buckets are not cumulative here and there is no cell for the count: the
 * renderer adds up, so _count and the +Inf bucket cannot disagree. Values that
 * metrics_set() keeps are one array of the registry, in the same manner.
 */
#ifndef METRICS_REGISTRY_H
#define METRICS_REGISTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics.h"

#define X(label) +1
enum {
    METRICS_FAMILY_LABELS = 3,
    METRICS_INFO_LABELS = 0 METRICS_INFO_MAP(X),
    METRICS_INFO_BYTES = 128, /* of one value, with its terminator */
};
#undef X

enum metrics_type {
    METRICS_COUNTER,
    METRICS_TOTAL,
    METRICS_GAUGE,
    METRICS_HISTOGRAM,
    METRICS_SUMMARY,
    METRICS_INFO,
};

enum metrics_unit {
    METRICS_UNIT_NUMBER,
    METRICS_UNIT_SECONDS,
    METRICS_UNIT_BYTES,
    METRICS_UNIT_CORES,
    METRICS_UNIT_RATIO
};

enum metrics_buckets {
    METRICS_BUCKETS_NONE,
#define X(set) METRICS_BUCKETS_##set,
    METRICS_BUCKETS_MAP(X)
#undef X
    METRICS_BUCKETS_COUNT
};

/* A row of the table. */
struct metrics_family_row {
    const char *name;
    const char *help;
    enum metrics_type type;
    enum metrics_unit unit;
    enum metrics_buckets buckets;
    enum metrics_label labels[METRICS_FAMILY_LABELS]; /* METRICS_LABEL_NONE behind the last */
};

/* `values` is NULL for the label `model`, whose values the registry has. */
struct metrics_label_row {
    const char *name;
    const char *const *values;
    unsigned count;
};

/* The last bound is UINT64_MAX, so that a search always ends; its text is "+Inf". */
struct metrics_buckets_row {
    const char *name;
    const uint64_t *bounds;
    const char *const *texts;
    unsigned count;
};

extern const struct metrics_family_row metrics_families[METRICS_FAMILY_COUNT];
extern const struct metrics_label_row metrics_label_rows[METRICS_LABEL_COUNT];
extern const struct metrics_buckets_row metrics_bucket_rows[METRICS_BUCKETS_COUNT];
extern const char *const metrics_info_labels[METRICS_INFO_LABELS];

/* "seconds"; empty for plain numbers. */
const char *metrics_unit_str(enum metrics_unit unit);

static inline bool metrics_is_sharded(enum metrics_type type)
{
    return type == METRICS_COUNTER || type == METRICS_HISTOGRAM || type == METRICS_SUMMARY;
}

/* The last observation in one bucket of one shard; see metrics_exemplar.c. */
struct metrics_exemplar_slot {
    _Atomic uint64_t version; /* odd while it is written; 0: nothing yet */
    _Atomic uint64_t at_ns;
    _Atomic uint64_t value;
    _Atomic uint64_t bytes;
    _Atomic uint64_t trace_id[METRICS_EXEMPLAR_BYTES_MAX / 8];
};

struct metrics_shard {
    _Atomic uint64_t *cells; /* cache lines of its own; one writer */
    struct metrics_exemplar_slot *exemplars;
    const struct metrics *registry;
};

struct metrics {
    char **models;
    unsigned models_count;
    char **tenants;
    unsigned tenants_count;

    /* Fixed by metrics_create(). */
    size_t first[METRICS_FAMILY_COUNT]; /* in a shard's cells or in `values` */
    unsigned sets[METRICS_FAMILY_COUNT];
    size_t
        first_exemplar[METRICS_FAMILY_COUNT]; /* in a shard's exemplars; of those that have any */

    struct metrics_shard *shards;
    unsigned shards_count;
    _Atomic uint64_t *values; /* the bits of doubles */
    char info[METRICS_INFO_LABELS][METRICS_INFO_BYTES];
};

/* One cell of a sharded family, of all shards. */
uint64_t metrics_sum_cells(const struct metrics *m, size_t cell);

bool metrics_has_exemplars(enum metrics_family family);

static inline struct metrics_exemplar_slot *metrics_exemplar_slot(const struct metrics_shard *shard,
                                                                  enum metrics_family family,
                                                                  unsigned labels, unsigned bucket)
{
    const unsigned buckets = metrics_bucket_rows[metrics_families[family].buckets].count;
    return &shard->exemplars[shard->registry->first_exemplar[family] + labels * buckets + bucket];
}

/* Only the shard's own thread. */
void metrics_exemplar_write(struct metrics_exemplar_slot *slot, uint64_t value,
                            const struct metrics_exemplar *exemplar);

/* The last one of a bucket in all shards; false: none. On any thread. */
struct metrics_exemplar_copy {
    char trace_id[METRICS_EXEMPLAR_BYTES_MAX + 1];
    uint64_t value;
    uint64_t at_ns;
};
bool metrics_exemplar_last(const struct metrics *m, enum metrics_family family, unsigned labels,
                           unsigned bucket, struct metrics_exemplar_copy *out);

/* How many cells one label set of the family has. */
static inline size_t metrics_cells(enum metrics_family family)
{
    unsigned buckets = metrics_bucket_rows[metrics_families[family].buckets].count;
    return buckets > 0 ? buckets + 1 : 1;
}

/* Appends with \, newline and, if asked, " escaped. */
void metrics_append_escaped(struct buffer *out, const char *text, bool quotes);

#endif
