/*
 * metrics.h - the registry: every family the service exports, and who counts where.
 *
 *   Threads    each thread that counts has a shard of its own and is its only
 *              writer; metrics_render() reads all shards with relaxed loads and
 *              adds up. Setting, reading and rendering may be done on any
 *              thread. No lock anywhere.
 *   Ownership  metrics_create() to metrics_destroy(); shards belong to the
 *              registry. Nothing is allocated after metrics_create(), except by
 *              metrics_render() in its output buffer.
 *   Units      base units in the exposition (seconds, bytes); durations that
 *              are counted or observed are given in ns.
 *   Labels     closed sets. A label set is an index: the values of the family's
 *              labels in the order of the table, mixed radix, made by
 *              metrics_labels(). `model` is the index in metrics_config.models.
 *
 * The families, with type, help, labels and buckets, are one table:
 * metrics_table.h. docs/metrics.md is generated from it (test_metrics_text).
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "metrics_table.h"

struct metrics;
struct metrics_shard;

/* So many models have a label value of their own. Those beyond share the value
 * "other", and metrics_dropped_labelsets_total says how many label sets that cost. */
enum {
    METRICS_MODELS_MAX = 512,
    METRICS_TENANTS_MAX = 64,
    METRICS_SHARDS_MAX = 4096,
    METRICS_EXEMPLAR_BYTES_MAX = 64
};

struct metrics_config {
    unsigned shards;            /* 1..METRICS_SHARDS_MAX: one per thread that counts */
    const char *const *models;  /* the values of the label `model`; copied */
    size_t models_count;        /* 1.. */
    const char *const *tenants; /* of the label `tenant`; copied */
    size_t tenants_count;       /* up to METRICS_TENANTS_MAX; 0: one, called "shared" */
};

/* 0, or -1 when out of memory or a bound is broken; *out is then untouched. */
int metrics_create(const struct metrics_config *config, struct metrics **out)
    __attribute__((warn_unused_result));
void metrics_destroy(struct metrics *m);

struct metrics_shard *metrics_shard(struct metrics *m, unsigned index);

/* The label set of one combination of values; unused labels are 0. Values out
 * of range are a programmer's mistake (asserted). */
unsigned metrics_labels(enum metrics_family family, unsigned first, unsigned second,
                        unsigned third);

/* The value of `code` for an HTTP status, and of `error_type` for the code of an
 * error body; "other" for those that are not in the table. */
unsigned metrics_code_index(int status);
unsigned metrics_error_index(const char *code);

/* Hot path; only the shard's own thread. Counters count in units of the family
 * (seconds counters in ns, see metrics_table.h). */
void metrics_add(struct metrics_shard *shard, enum metrics_family family, unsigned labels,
                 uint64_t n);
/* A histogram or summary. Duration families take ns, the others their own unit. */
void metrics_observe(struct metrics_shard *shard, enum metrics_family family, unsigned labels,
                     uint64_t value);

/* Which request a value was observed of. */
struct metrics_exemplar {
    const char *trace_id; /* UTF-8; not terminated; cut after METRICS_EXEMPLAR_BYTES_MAX */
    size_t bytes;
    uint64_t at_ns; /* CLOCK_MONOTONIC */
};

/* metrics_observe() in a family of METRICS_EXEMPLARS_MAP, and remembered as the last observation
 * of its bucket until the next. */
void metrics_observe_exemplar(struct metrics_shard *shard, enum metrics_family family,
                              unsigned labels, uint64_t value,
                              const struct metrics_exemplar *exemplar);

/* Gauges, and totals that are kept elsewhere, in the unit of the exposition:
 * the last value set wins. */
void metrics_set(struct metrics *m, enum metrics_family family, unsigned labels, double value);

/* The text of a label of compute_info; copied, cut after 127 bytes. Before the
 * first render. */
void metrics_set_info(struct metrics *m, enum metrics_family family, const char *label,
                      const char *value);

/* What one counter has counted in all shards so far, or how many observations a
 * histogram or summary has had. For tests and /health. */
uint64_t metrics_total(const struct metrics *m, enum metrics_family family, unsigned labels);

/* What metrics_set() set last; 0 before. */
double metrics_value(const struct metrics *m, enum metrics_family family, unsigned labels);

enum metrics_format {
    METRICS_TEXT,
    METRICS_OPENMETRICS
};

/* Which format an Accept header asks for; NULL asks for METRICS_TEXT. */
enum metrics_format metrics_negotiate(const char *accept, size_t bytes);
const char *metrics_content_type(enum metrics_format format);

/* Appends the whole exposition. Check out->failed afterwards. */
void metrics_render(struct metrics *m, enum metrics_format format, struct buffer *out);

/* Appends docs/metrics.md. */
void metrics_document(struct buffer *out);

#endif
