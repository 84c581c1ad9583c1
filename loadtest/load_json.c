/*
 * load_json.c - the JSON report: see load_report.h and docs/load-testing.md.
 */
#include "load_report.h"

#include <yyjson.h>

static const struct {
    const char *name;
    double quantile;
} QUANTILES[] = {
    {"p50_ms", 0.5},  {"p90_ms", 0.9},     {"p95_ms", 0.95},
    {"p99_ms", 0.99}, {"p99.9_ms", 0.999}, {"p99.99_ms", 0.9999},
};

/* --- What was asked for. */

static const char *loop_name(const struct load_options *options)
{
    if (options->arrivals == ARRIVALS_TRACE)
        return "trace";
    if (options->rate <= 0)
        return "closed";
    return options->arrivals == ARRIVALS_POISSON ? "poisson" : "uniform";
}

void load_report_add_run(const struct json *plan, const struct load_options *options)
{
    json_number(plan, "duration_s", (double)options->load.duration_ns / 1e9);
    json_number(plan, "warmup_s", (double)options->load.warmup_ns / 1e9);
    if (options->load.slo_ns > 0)
        json_number(plan, "slo_ms", (double)options->load.slo_ns / 1e6);
    json_count(plan, "seed", options->workload.seed);
}

static void add_plan(const struct json *root, const struct load_options *options)
{
    const struct json plan = json_child(root, "run");
    json_text(&plan, "target", options->target);
    json_text(&plan, "arrivals", loop_name(options));
    if (options->rate > 0)
        json_number(&plan, "rate", options->rate);
    json_count(&plan, "connections", options->load.connections);
    load_report_add_run(&plan, options);
}

/* --- What happened. */

static void add_histogram(const struct json *json, const char *name, const struct histogram *h)
{
    const struct json inner = json_child(json, name);
    json_count(&inner, "count", h->count);
    if (h->count == 0)
        return;
    json_number(&inner, "min_ms", (double)h->min / 1e6);
    json_number(&inner, "mean_ms", histogram_mean(h) / 1e6);
    for (size_t i = 0; i < ARRAY_SIZE(QUANTILES); i++)
        json_number(&inner, QUANTILES[i].name,
                    (double)histogram_quantile(h, QUANTILES[i].quantile) / 1e6);
    json_number(&inner, "max_ms", (double)h->max / 1e6);
}

static void add_statuses(const struct json *json, const struct recorder *r)
{
    const struct json statuses = json_child(json, "statuses");
    char name[16];
    for (unsigned status = 0; status < RECORDER_STATUSES; status++) {
        if (r->statuses[status] == 0)
            continue;
        snprintf(name, sizeof name, "%u", status);
        yyjson_mut_obj_add(statuses.object, yyjson_mut_strcpy(json->doc, name),
                           yyjson_mut_uint(json->doc, r->statuses[status]));
    }
}

static void add_codes(const struct json *json, const struct recorder *r)
{
    const struct json codes = json_child(json, "codes");
    for (size_t i = 0; i < r->code_count; i++) {
        char status[16];
        snprintf(status, sizeof status, "%u", r->codes[i].status);
        const char *name = r->codes[i].code[0] != '\0' ? r->codes[i].code : status;
        yyjson_mut_obj_add(codes.object, yyjson_mut_strcpy(json->doc, name),
                           yyjson_mut_uint(json->doc, r->codes[i].count));
    }
}

static void add_outcomes(const struct json *json, const struct recorder *r)
{
    json_count(json, "due", r->due);
    json_count(json, "answered", r->answered);
    json_count(json, "ok", r->ok);
    json_count(json, "lost", r->lost);
    json_count(json, "abandoned", r->abandoned);
    json_count(json, "unanswered", r->unanswered);
    json_count(json, "unsent", r->unsent);
    json_count(json, "invalid", r->invalid);
    json_count(json, "bytes_sent", r->bytes_out);
    json_count(json, "body_bytes_received", r->bytes_in);
    add_statuses(json, r);
    add_codes(json, r);
}

static void add_batches(const struct json *json, const struct summary *summary)
{
    const struct json batches = json_child(json, "batch_size");
    char name[16];
    json_number(&batches, "mean", summary->batch_mean);
    const struct json answers = json_child(&batches, "answers");
    for (unsigned i = 1; i <= RECORDER_BATCH_MAX; i++) {
        if (summary->measured->batches[i] == 0)
            continue;
        snprintf(name, sizeof name, "%u", i);
        yyjson_mut_obj_add(answers.object, yyjson_mut_strcpy(json->doc, name),
                           yyjson_mut_uint(json->doc, summary->measured->batches[i]));
    }
}

static void add_latencies(const struct json *json, const struct recorder *r)
{
    add_histogram(json, "latency", &r->latency);
    add_histogram(json, "latency_from_send", &r->service);
    add_histogram(json, "latency_other", &r->errors);
    add_histogram(json, "connection_wait", &r->wait);
    const struct json server = json_child(json, "server_timing");
    for (unsigned i = 0; i < TIMING_PARTS; i++)
        add_histogram(&server, timing_part_name((enum timing_part)i), &r->parts[i]);
}

static void add_kinds(const struct json *json, const struct workload *workload,
                      const struct recorder *r)
{
    const struct json kinds = json_child(json, "kinds");
    for (size_t i = 0; i < workload_kind_count(workload); i++) {
        const struct json kind = json_child(&kinds, workload_kind_name(workload, i));
        json_count(&kind, "due", r->kinds[i].due);
        json_count(&kind, "ok", r->kinds[i].ok);
        add_histogram(&kind, "latency", &r->kinds[i].latency);
    }
}

static void add_measured(const struct json *root, const struct workload *workload,
                         const struct summary *summary)
{
    const struct json measured = json_child(root, "measured");
    json_number(&measured, "seconds", summary->result->seconds);
    json_number(&measured, "due_per_second", summary->due_rate);
    json_number(&measured, "throughput", summary->throughput);
    json_number(&measured, "goodput", summary->goodput);
    json_count(&measured, "failed", summary->failed);
    json_number(&measured, "failed_share", summary->failed_share);
    add_outcomes(&measured, summary->measured);
    add_latencies(&measured, summary->measured);
    add_batches(&measured, summary);
    add_kinds(&measured, workload, summary->measured);
}

static void add_warmup(const struct json *root, const struct load_result *result)
{
    const struct json warmup = json_child(root, "warmup");
    json_number(&warmup, "seconds", result->warmup_seconds);
    add_outcomes(&warmup, &result->warmup);
}

static void add_client(const struct json *root, const struct summary *summary)
{
    const struct load_result *result = summary->result;
    const struct json client = json_child(root, "client");
    json_flag(&client, "bottleneck", summary->client_is_full || summary->client_is_slow);
    json_flag(&client, "core_full", summary->client_is_full);
    json_flag(&client, "late", summary->client_is_slow);
    json_flag(&client, "connections_exhausted", summary->pool_was_empty);
    json_number(&client, "cpu_share", result->cpu_share);
    json_count(&client, "preempted", result->preempted);
    json_count(&client, "connections_opened", result->connects);
    json_count(&client, "connections_failed", result->connects_failed);
    json_count(&client, "unasked_answers", result->unasked);
    add_histogram(&client, "lag", &summary->measured->lag);
}

static void add_thresholds(const struct json *root, const struct load_options *options,
                           const struct summary *summary)
{
    const struct json list = json_list(root, "thresholds");
    for (size_t i = 0; i < options->threshold_count; i++) {
        double actual;
        const struct json item = json_item(&list);
        json_text(&item, "fail_if", options->thresholds[i].text);
        json_flag(&item, "failed", threshold_is_crossed(&options->thresholds[i], summary, &actual));
    }
}

bool load_report_write_json(const struct load_options *options, const struct workload *workload,
                            const struct summary *summary, FILE *out)
{
    struct json root = json_begin();
    json_text(&root, "end", load_end_name(summary->result->end));
    add_plan(&root, options);
    add_measured(&root, workload, summary);
    add_warmup(&root, summary->result);
    add_client(&root, summary);
    add_thresholds(&root, options, summary);
    return json_end(&root, out);
}
