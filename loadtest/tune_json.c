/*
 * tune_json.c - the JSON report of a tuning: see tune_report.h and docs/tuning.md.
 */
#include "tune_report.h"

#include "json_writer.h"

static const char *end_name(enum tune_end end)
{
    switch (end) {
    case TUNE_END_DONE:
        return "done";
    case TUNE_END_OUT_OF_TIME:
        return "out of time";
    case TUNE_END_INTERRUPTED:
        return "interrupted";
    case TUNE_END_DIED:
        return "died";
    case TUNE_END_FAILED:
        return "failed";
    }
    return "failed";
}

static void write_patch(const struct tune_setting *setting, const struct json *into)
{
    const struct json patch = json_child(into, "patch");
    json_count(&patch, "max_batch_rows", setting->batch_rows);
    json_number(&patch, "max_delay", (double)setting->delay_ns / 1e9);
    json_count(&patch, "max_inflight_batches", setting->inflight);
    json_number(&patch, "target_p99", (double)setting->target_ns / 1e9);
}

static void write_setting(const struct tune_outcome *outcome, size_t index, const struct json *into)
{
    const struct tune_figures figures = tune_search_figures(outcome->search, index);
    const struct tune_sample *typical = &figures.typical;
    write_patch(&outcome->settings[index], into);
    json_count(into, "samples", figures.samples);
    if (figures.samples == 0)
        return;
    json_flag(into, "within", figures.within);
    json_number(into, "throughput", typical->throughput);
    json_number(into, "throughput_error", figures.error);
    json_number(into, "limited_ms", typical->limited_ns / 1e6);
    json_number(into, "p50_ms", typical->p50_ns / 1e6);
    json_number(into, "p99_ms", typical->p99_ns / 1e6);
    json_number(into, "cpu_us", typical->cpu_ns / 1e3);
    json_number(into, "batch_mean", typical->batch_mean);
}

static void write_named(const struct tune_outcome *outcome, size_t index, const char *name,
                        const struct json *into)
{
    const struct json object = json_child(into, name);
    write_setting(outcome, index, &object);
}

static void write_settings(const struct tune_outcome *outcome, const struct json *root)
{
    struct tune_table table;
    tune_table_make(outcome, &table);
    write_named(outcome, 0, "before", root);
    if (table.has_best)
        write_named(outcome, table.best, "chosen", root);
    const struct json rows = json_list(root, "table");
    for (size_t i = 0; i < table.count; i++) {
        const struct json row = json_item(&rows);
        write_setting(outcome, table.rows[i], &row);
    }
    const struct json all = json_list(root, "settings");
    for (size_t i = 0; i < outcome->count; i++) {
        const struct json one = json_item(&all);
        write_setting(outcome, i, &one);
    }
}

bool tune_report_write_json(const struct tune_outcome *outcome, FILE *out)
{
    struct json root = json_begin();
    json_text(&root, "queue", outcome->queue);
    const struct json slo = json_child(&root, "slo");
    json_text(&slo, "percentile", outcome->tune->slo.name);
    json_number(&slo, "limit_ms", (double)outcome->tune->slo.limit_ns / 1e6);
    json_count(&root, "connections", outcome->options->load.connections);
    json_text(&root, "end", end_name(outcome->end));
    json_number(&root, "seconds", outcome->seconds);
    json_count(&root, "measurements", outcome->measurements);
    json_flag(&root, "kept", outcome->kept);
    json_flag(&root, "put_back", outcome->put_back);
    write_settings(outcome, &root);
    return json_end(&root, out);
}
