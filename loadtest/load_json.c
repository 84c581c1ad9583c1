/*
 * load_json.c - the JSON report: see load_report.h and docs/load-testing.md.
 */
#include "load_report.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

static const struct {
    const char *name;
    double quantile;
} QUANTILES[] = {
    {"p50_ms", 0.5},  {"p90_ms", 0.9},     {"p95_ms", 0.95},
    {"p99_ms", 0.99}, {"p99.9_ms", 0.999}, {"p99.99_ms", 0.9999},
};

struct json {
    yyjson_mut_doc *doc;
    yyjson_mut_val *object; /* that is being filled */
};

static struct json child(const struct json *json, const char *name)
{
    struct json inner = {json->doc, yyjson_mut_obj(json->doc)};
    yyjson_mut_obj_add_val(json->doc, json->object, name, inner.object);
    return inner;
}

static void add_number(const struct json *json, const char *name, double value)
{
    yyjson_mut_obj_add_real(json->doc, json->object, name, value);
}

static void add_count(const struct json *json, const char *name, uint64_t value)
{
    yyjson_mut_obj_add_uint(json->doc, json->object, name, value);
}

/* `text` must outlive the document. */
static void add_text(const struct json *json, const char *name, const char *text)
{
    yyjson_mut_obj_add_str(json->doc, json->object, name, text);
}

static void add_flag(const struct json *json, const char *name, bool value)
{
    yyjson_mut_obj_add_bool(json->doc, json->object, name, value);
}

/* --- What was asked for. */

static const char *loop_name(const struct load_options *options)
{
    if (options->arrivals == ARRIVALS_TRACE)
        return "trace";
    if (options->rate <= 0)
        return "closed";
    return options->arrivals == ARRIVALS_POISSON ? "poisson" : "uniform";
}

static void add_plan(const struct json *root, const struct load_options *options)
{
    const struct json plan = child(root, "run");
    add_text(&plan, "target", options->target);
    add_text(&plan, "arrivals", loop_name(options));
    if (options->rate > 0)
        add_number(&plan, "rate", options->rate);
    add_count(&plan, "connections", options->load.connections);
    add_number(&plan, "duration_s", (double)options->load.duration_ns / 1e9);
    add_number(&plan, "warmup_s", (double)options->load.warmup_ns / 1e9);
    if (options->load.slo_ns > 0)
        add_number(&plan, "slo_ms", (double)options->load.slo_ns / 1e6);
    add_count(&plan, "seed", options->workload.seed);
}

/* --- What happened. */

static void add_histogram(const struct json *json, const char *name, const struct histogram *h)
{
    const struct json inner = child(json, name);
    add_count(&inner, "count", h->count);
    if (h->count == 0)
        return;
    add_number(&inner, "min_ms", (double)h->min / 1e6);
    add_number(&inner, "mean_ms", histogram_mean(h) / 1e6);
    for (size_t i = 0; i < ARRAY_SIZE(QUANTILES); i++)
        add_number(&inner, QUANTILES[i].name,
                   (double)histogram_quantile(h, QUANTILES[i].quantile) / 1e6);
    add_number(&inner, "max_ms", (double)h->max / 1e6);
}

static void add_statuses(const struct json *json, const struct recorder *r)
{
    const struct json statuses = child(json, "statuses");
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
    const struct json codes = child(json, "codes");
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
    add_count(json, "due", r->due);
    add_count(json, "answered", r->answered);
    add_count(json, "ok", r->ok);
    add_count(json, "lost", r->lost);
    add_count(json, "abandoned", r->abandoned);
    add_count(json, "unanswered", r->unanswered);
    add_count(json, "unsent", r->unsent);
    add_count(json, "invalid", r->invalid);
    add_count(json, "bytes_sent", r->bytes_out);
    add_count(json, "body_bytes_received", r->bytes_in);
    add_statuses(json, r);
    add_codes(json, r);
}

static void add_batches(const struct json *json, const struct summary *summary)
{
    const struct json batches = child(json, "batch_size");
    char name[16];
    add_number(&batches, "mean", summary->batch_mean);
    const struct json answers = child(&batches, "answers");
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
    const struct json server = child(json, "server_timing");
    for (unsigned i = 0; i < TIMING_PARTS; i++)
        add_histogram(&server, timing_part_name((enum timing_part)i), &r->parts[i]);
}

static void add_kinds(const struct json *json, const struct workload *workload,
                      const struct recorder *r)
{
    const struct json kinds = child(json, "kinds");
    for (size_t i = 0; i < workload_kind_count(workload); i++) {
        const struct json kind = child(&kinds, workload_kind_name(workload, i));
        add_count(&kind, "due", r->kinds[i].due);
        add_count(&kind, "ok", r->kinds[i].ok);
        add_histogram(&kind, "latency", &r->kinds[i].latency);
    }
}

static void add_measured(const struct json *root, const struct workload *workload,
                         const struct summary *summary)
{
    const struct json measured = child(root, "measured");
    add_number(&measured, "seconds", summary->result->seconds);
    add_number(&measured, "due_per_second", summary->due_rate);
    add_number(&measured, "throughput", summary->throughput);
    add_number(&measured, "goodput", summary->goodput);
    add_count(&measured, "failed", summary->failed);
    add_number(&measured, "failed_share", summary->failed_share);
    add_outcomes(&measured, summary->measured);
    add_latencies(&measured, summary->measured);
    add_batches(&measured, summary);
    add_kinds(&measured, workload, summary->measured);
}

static void add_warmup(const struct json *root, const struct load_result *result)
{
    const struct json warmup = child(root, "warmup");
    add_number(&warmup, "seconds", result->warmup_seconds);
    add_outcomes(&warmup, &result->warmup);
}

static void add_client(const struct json *root, const struct summary *summary)
{
    const struct load_result *result = summary->result;
    const struct json client = child(root, "client");
    add_flag(&client, "bottleneck", summary->client_is_full || summary->client_is_slow);
    add_flag(&client, "core_full", summary->client_is_full);
    add_flag(&client, "late", summary->client_is_slow);
    add_flag(&client, "connections_exhausted", summary->pool_was_empty);
    add_number(&client, "cpu_share", result->cpu_share);
    add_count(&client, "preempted", result->preempted);
    add_count(&client, "connections_opened", result->connects);
    add_count(&client, "connections_failed", result->connects_failed);
    add_count(&client, "unasked_answers", result->unasked);
    add_histogram(&client, "lag", &summary->measured->lag);
}

static const char *end_name(enum load_end end)
{
    switch (end) {
    case LOAD_END_DONE:
        return "done";
    case LOAD_END_INTERRUPTED:
        return "interrupted";
    case LOAD_END_UNREACHABLE:
        return "unreachable";
    case LOAD_END_DIED:
        return "died";
    }
    return "";
}

static void add_thresholds(const struct json *root, const struct load_options *options,
                           const struct summary *summary)
{
    yyjson_mut_val *list = yyjson_mut_arr(root->doc);
    yyjson_mut_obj_add_val(root->doc, root->object, "thresholds", list);
    for (size_t i = 0; i < options->threshold_count; i++) {
        double actual;
        const struct json item = {root->doc, yyjson_mut_arr_add_obj(root->doc, list)};
        add_text(&item, "fail_if", options->thresholds[i].text);
        add_flag(&item, "failed", threshold_is_crossed(&options->thresholds[i], summary, &actual));
    }
}

bool load_report_write_json(const struct load_options *options, const struct workload *workload,
                            const struct summary *summary, FILE *out)
{
    struct json root = {.doc = yyjson_mut_doc_new(NULL)};
    root.object = yyjson_mut_obj(root.doc);
    yyjson_mut_doc_set_root(root.doc, root.object);
    add_text(&root, "end", end_name(summary->result->end));
    add_plan(&root, options);
    add_measured(&root, workload, summary);
    add_warmup(&root, summary->result);
    add_client(&root, summary);
    add_thresholds(&root, options, summary);
    char *text = yyjson_mut_write(root.doc, YYJSON_WRITE_PRETTY, NULL);
    yyjson_mut_doc_free(root.doc);
    const bool ok = text != NULL && fprintf(out, "%s\n", text) > 0;
    free(text);
    return ok;
}
