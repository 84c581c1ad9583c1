#include "info.h"

#include <string.h>
#include <time.h>

#include "account.h"
#include "base.h"
#include "page.h"
#include "process_stats.h"

static const char json_type[] = "application/json";

void info_page(struct api_loop *loop, struct http_exchange *ex)
{
    (void)loop;
    buffer_append(&ex->answer, page_html, page_html_bytes);
    /* Everything the page needs is in it, and nothing else may run there. */
    http_answer_header(ex,
                       "Content-Security-Policy: default-src 'none'; style-src '%s'; "
                       "script-src '%s'; connect-src 'self'; img-src data:; "
                       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                       page_style_hash, page_script_hash);
    http_answer_header(ex, "X-Content-Type-Options: nosniff");
    http_answer_header(ex, "Cache-Control: no-cache");
    http_answer(ex, 200, "text/html; charset=utf-8");
}

static size_t loaded_models(const struct api *api)
{
    size_t loaded = 0;
    for (size_t i = 0; i < model_repository_count(api->repository); i++)
        loaded += model_repository_entry(api->repository, i)->model != NULL;
    return loaded;
}

static void append_pair(struct buffer *out, const char *name, uint64_t n)
{
    buffer_append_str(out, ",\"");
    buffer_append_str(out, name);
    buffer_append_str(out, "\":");
    buffer_append_count(out, n);
}

/* Without printf: balancers ask often. */
void info_health(struct api_loop *loop, struct http_exchange *ex)
{
    struct api *api = loop->api;
    struct buffer *out = &ex->answer;
    buffer_append_str(out, "{\"status\":\"");
    buffer_append_str(out, atomic_load(&api->draining) ? "draining" : "ok");
    buffer_append_str(out, "\",\"version\":\"");
    buffer_append_str(out, api->version);
    buffer_append_str(out, "\"");
    append_pair(out, "uptime_seconds", (clock_now_ns() - api->started_ns) / NS_PER_S);
    append_pair(out, "active_connections", atomic_load(&api->connections));
    append_pair(out, "requests_in_flight", atomic_load(&api->in_flight));
    append_pair(out, "jobs_queued", batcher_queued_jobs(compute_batcher(api->compute)));
    append_pair(out, "workers_busy", compute_workers_busy(api->compute));
    append_pair(out, "workers", api->config->workers);
    append_pair(out, "models_loaded", loaded_models(api));
    buffer_append_str(out, ",\"simd\":\"");
    buffer_append_str(out, kernels_isa_str(compute_kernels(api->compute)->isa));
    buffer_append_str(out, "\"}\n");
    http_answer(ex, 200, json_type);
}

void info_live(struct api_loop *loop, struct http_exchange *ex)
{
    (void)loop;
    buffer_append_str(&ex->answer, "{\"live\":true}\n");
    http_answer(ex, 200, json_type);
}

void info_ready(struct api_loop *loop, struct http_exchange *ex)
{
    if (atomic_load(&loop->api->ready)) {
        buffer_append_str(&ex->answer, "{\"ready\":true}\n");
        http_answer(ex, 200, json_type);
        return;
    }
    buffer_append_str(&ex->answer, "{\"ready\":false,\"error\":\"the server is shutting down\","
                                   "\"code\":\"draining\"}\n");
    http_answer(ex, 503, json_type);
}

void info_metrics(struct api_loop *loop, struct http_exchange *ex)
{
    struct api *api = loop->api;
    struct http_slice accept = ex->request->headers[HTTP_HEADER_ACCEPT];
    enum metrics_format format = metrics_negotiate(accept.at, accept.bytes);
    process_stats_collect(api->metrics);
    account_gauges(api);
    metrics_render(api->metrics, format, &ex->answer);
    http_answer(ex, 200, metrics_content_type(format));
}

void info_models(struct api_loop *loop, struct http_exchange *ex)
{
    const struct model_repository *repository = loop->api->repository;
    const char *separator = "";
    buffer_append_str(&ex->answer, "{\"models\":[");
    for (size_t i = 0; i < model_repository_count(repository); i++) {
        const struct model_entry *entry = model_repository_entry(repository, i);
        if (!entry->is_default)
            continue;
        buffer_append_str(&ex->answer, separator);
        buffer_append_json_string(&ex->answer, entry->name, strlen(entry->name));
        separator = ",";
    }
    buffer_append_str(&ex->answer, "]}\n");
    http_answer(ex, 200, json_type);
}

static void append_tensor(struct buffer *out, const char *name, const size_t *shape, size_t rank)
{
    buffer_append_str(out, "[{\"name\":");
    buffer_append_json_string(out, name, strlen(name));
    buffer_append_str(out, ",\"datatype\":\"FP32\",\"shape\":[-1");
    for (size_t i = 0; i < rank; i++)
        buffer_append_format(out, ",%zu", shape[i]);
    buffer_append_str(out, "]}]");
}

static void append_layers(struct buffer *out, const struct model *model)
{
    buffer_append_str(out, ",\"layers\":[");
    for (size_t i = 0; i < model_layers_count(model); i++) {
        struct model_layer layer = model_layer(model, i);
        buffer_append_format(out, "%s{\"in\":%zu,\"out\":%zu,\"kernel\":\"%s\"}", i == 0 ? "" : ",",
                             layer.in_size, layer.out_size, layer.kernel);
    }
    buffer_append_str(out, "]");
}

static void append_precision(struct buffer *out, const struct model *model)
{
    const struct model_accuracy *accuracy = model_accuracy(model);
    buffer_append_format(out, ",\"precision\":\"%s\"", model_precision_str(accuracy->precision));
    if (accuracy->precision != MODEL_INT8)
        return;
    buffer_append_format(out,
                         ",\"int8_error\":%.3g,\"int8_max_error\":%.3g,\"int8_samples\":{"
                         "\"rows\":%zu,\"from\":\"%s\"}",
                         accuracy->error, accuracy->error_max, accuracy->samples,
                         accuracy->samples_given ? "samples.json" : "made up");
}

static void append_loaded(struct api *api, const struct model *model, struct buffer *out)
{
    const struct compute_queue *queue = compute_queue_of_model(api->compute, model);
    struct batcher_queue_stats stats;
    batcher_queue_stats(compute_batcher(api->compute), queue->batcher_queue, &stats);
    size_t output_size = model_output_size(model);
    buffer_append_str(out, ",\"inputs\":");
    append_tensor(out, model_input_name(model), model_input_shape(model), model_input_rank(model));
    buffer_append_str(out, ",\"outputs\":");
    append_tensor(out, model_output_name(model), &output_size, 1);
    buffer_append_format(out,
                         ",\"parameters\":%zu,\"flops_per_row\":%llu,\"labels\":%zu,"
                         "\"batching\":{\"max_batch_rows\":%zu,\"max_queue_rows\":%zu,"
                         "\"max_delay_us\":%llu,\"target_p99_us\":%llu}",
                         model_parameters(model), (unsigned long long)model_flops_per_row(model),
                         model_labels_count(model), stats.limits.batch_rows_max,
                         stats.limits.queue_rows_max,
                         (unsigned long long)(stats.limits.delay_ns_max / NS_PER_US),
                         (unsigned long long)(stats.limits.target_p99_ns / NS_PER_US));
    append_precision(out, model);
    append_layers(out, model);
}

/* What KServe and TensorFlow Serving clients look for, in one object. */
void info_model(struct api_loop *loop, struct http_exchange *ex, const struct model_entry *entry)
{
    struct buffer *out = &ex->answer;
    bool loaded = entry->model != NULL;
    buffer_append_str(out, "{\"name\":");
    buffer_append_json_string(out, entry->name, strlen(entry->name));
    buffer_append_format(out,
                         ",\"ready\":%s,\"model_version_status\":[{\"version\":\"%s\",\"state\":"
                         "\"%s\",\"status\":{\"error_code\":\"%s\",\"error_message\":",
                         loaded ? "true" : "false", entry->version, loaded ? "AVAILABLE" : "END",
                         loaded ? "OK" : "FAILED_PRECONDITION");
    const char *reason = loaded ? "" : entry->error.text;
    buffer_append_json_string(out, reason, strlen(reason));
    buffer_append_str(out, "}}]");
    if (loaded)
        append_loaded(loop->api, entry->model, out);
    buffer_append_str(out, "}\n");
    http_answer(ex, 200, json_type);
}

void info_config(struct api_loop *loop, struct http_exchange *ex)
{
    config_to_json(loop->api->config, &ex->answer);
    http_answer(ex, 200, json_type);
}

void info_selftest(struct api_loop *loop, struct http_exchange *ex)
{
    struct selftest *test = loop->api->selftest;
    bool measure = ex->request->method == HTTP_METHOD_POST;
    int status = !measure ? 200 : selftest_start(test) ? 202 : 409;
    selftest_report(test, &ex->answer);
    http_answer(ex, status, json_type);
}
