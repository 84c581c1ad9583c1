/*
 * metrics_document.c - docs/metrics.md, from the table.
 */
#include <stdbool.h>
#include <string.h>

#include "metrics_registry.h"

/* A longer list of label values stands in a section of its own. */
enum {
    INLINE_VALUES_MAX = 8
};

struct section {
    const char *prefix;
    const char *title;
};

static const char introduction[] =
    "# Metrics\n"
    "\n"
    "Generated from `service/metrics/metrics_table.h`; change it there, and run the unit test\n"
    "`test_metrics_text` with `JITNEY_UPDATE=1`.\n"
    "\n"
    "`GET /metrics` answers in the Prometheus text format 0.0.4, or in OpenMetrics 1.0.0 when the\n"
    "`Accept` header prefers `application/openmetrics-text`. Samples have the same names in both.\n"
    "\n"
    "- Units are seconds, bytes and plain counts. Counters end in `_total`.\n"
    "- Every label set is there from the start with the value 0, so `rate()` misses no first\n"
    "  increment. Only `http_requests_total` shows most of its label sets once they have "
    "happened.\n"
    "- Label values are closed sets. What does not fit is `other`. `model` is the name of a "
    "queue:\n"
    "  a loaded model, or one of the built-in indicators `sma`, `ema` and `rsi`. Models past the\n"
    "  first 512 share `other`; `metrics_dropped_labelsets_total` then is not 0.\n"
    "- `indicator=\"matmul\"` is a model's dense layers, `matmul_int8` those of a model in int8.\n"
    "- A request is counted once, when it ends.\n"
    "- OpenMetrics has exemplars at the buckets of the histograms marked with *: the last request "
    "that\n"
    "  fell into each, with its time and its `trace_id`: that of its `traceparent`, else its\n"
    "  `X-Request-Id`. Prometheus keeps them with `--enable-feature=exemplar-storage`.\n"
    "- At rest, for each queue: `batcher_submitted_total` is the sum of `batcher_requests_total`.\n"
    "- The `+Inf` bucket of a histogram equals its `_count` in every scrape. `_sum` may be ahead "
    "or\n"
    "  behind by the observations that were being made.\n"
    "- `process_network_*` counts what the kernel counts for the network namespace, as the\n"
    "  Prometheus client libraries do: in a container that is the container, otherwise the "
    "machine.\n"
    "- `cgroup_*` is read from cgroup v2. Without it the limits are those of the machine and the\n"
    "  rest is 0.\n";

static void append_values(struct buffer *out, const struct metrics_label_row *label)
{
    for (unsigned i = 0; i < label->count; i++) {
        buffer_append_str(out, i == 0 ? "" : ", ");
        buffer_append_str(out, label->values[i]);
    }
}

static void append_label(struct buffer *out, enum metrics_label label)
{
    const struct metrics_label_row *row = &metrics_label_rows[label];
    buffer_append_format(out, "`%s`", row->name);
    if (row->values == NULL)
        return;
    if (row->count > INLINE_VALUES_MAX) {
        buffer_append_format(out, " ([%u values](#label-values))", row->count);
        return;
    }
    buffer_append_str(out, " = ");
    append_values(out, row);
}

static void append_info_labels(struct buffer *out)
{
    for (size_t i = 0; i < METRICS_INFO_LABELS; i++)
        buffer_append_format(out, "%s`%s`", i == 0 ? "" : ", ", metrics_info_labels[i]);
}

static void append_family_labels(struct buffer *out, const struct metrics_family_row *row)
{
    for (size_t i = 0; i < METRICS_FAMILY_LABELS && row->labels[i] != METRICS_LABEL_NONE; i++) {
        buffer_append_str(out, i == 0 ? "" : "; ");
        append_label(out, row->labels[i]);
    }
    if (row->type == METRICS_INFO)
        append_info_labels(out);
}

static const char *type_text(enum metrics_type type)
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
        return "info";
    }
    return "";
}

static void append_family(struct buffer *out, const struct metrics_family_row *row)
{
    const enum metrics_family family = (enum metrics_family)(row - metrics_families);
    const char *mark = metrics_has_exemplars(family) ? " *" : "";
    buffer_append_format(out, "| `%s` | %s%s | ", row->name, type_text(row->type), mark);
    append_family_labels(out, row);
    const char *unit = metrics_unit_str(row->unit);
    const char *buckets =
        row->type == METRICS_HISTOGRAM ? metrics_bucket_rows[row->buckets].name : "";
    buffer_append_format(out, " | %s | %s | %s |\n", unit, buckets, row->help);
}

static bool has_prefix(enum metrics_family family, const char *prefix)
{
    return strncmp(metrics_families[family].name, prefix, strlen(prefix)) == 0;
}

static void append_section(struct buffer *out, const struct section *section)
{
    buffer_append_format(out,
                         "\n## %s\n\n"
                         "| name | type | labels | unit | buckets | meaning |\n"
                         "|---|---|---|---|---|---|\n",
                         section->title);
    for (enum metrics_family family = 0; family < METRICS_FAMILY_COUNT; family++)
        if (has_prefix(family, section->prefix))
            append_family(out, &metrics_families[family]);
}

static void append_long_labels(struct buffer *out)
{
    buffer_append_str(out, "\n## Label values\n\n| label | values |\n|---|---|\n");
    for (enum metrics_label label = METRICS_LABEL_TENANT + 1; label < METRICS_LABEL_COUNT;
         label++) {
        const struct metrics_label_row *row = &metrics_label_rows[label];
        if (row->count <= INLINE_VALUES_MAX)
            continue;
        buffer_append_format(out, "| `%s` | ", row->name);
        append_values(out, row);
        buffer_append_str(out, " |\n");
    }
}

static void append_buckets(struct buffer *out)
{
    buffer_append_str(out, "\n## Buckets\n\n"
                           "The values of `le`, as Prometheus stores them: an upper bound that is "
                           "part of its bucket.\n\n"
                           "| set | bounds |\n|---|---|\n");
    for (enum metrics_buckets set = METRICS_BUCKETS_NONE + 1; set < METRICS_BUCKETS_SUM; set++) {
        buffer_append_format(out, "| %s |", metrics_bucket_rows[set].name);
        for (unsigned i = 0; i < metrics_bucket_rows[set].count; i++)
            buffer_append_format(out, " %s", metrics_bucket_rows[set].texts[i]);
        buffer_append_str(out, " |\n");
    }
}

void metrics_document(struct buffer *out)
{
    static const struct section sections[] = {
        {"http_", "HTTP front end"},
        {"batcher_", "Dynamic batcher"},
        {"compute_", "Compute kernels and worker pool"},
        {"verification_", "Verification"},
        {"process_", "Process"},
        {"cgroup_", "Cgroup"},
        {"service_", "Service state"},
        {"log_", "Log"},
        {"metrics_", "The exposition itself"},
    };
    buffer_append_str(out, introduction);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        append_section(out, &sections[i]);
    append_long_labels(out);
    append_buckets(out);
}
