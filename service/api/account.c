#include "account.h"

#include <stdio.h>
#include <time.h>

#include "base.h"
#include "exchange.h"

static enum metrics_route metrics_route_of(enum route_id id)
{
    static const enum metrics_route routes[] = {
        [ROUTE_PAGE] = METRICS_ROUTE_PAGE,         [ROUTE_HEALTH] = METRICS_ROUTE_HEALTH,
        [ROUTE_LIVE] = METRICS_ROUTE_LIVE,         [ROUTE_READY] = METRICS_ROUTE_READY,
        [ROUTE_METRICS] = METRICS_ROUTE_METRICS,   [ROUTE_MODELS] = METRICS_ROUTE_MODELS,
        [ROUTE_MODEL] = METRICS_ROUTE_MODEL,       [ROUTE_PREDICT] = METRICS_ROUTE_PREDICT,
        [ROUTE_SMA] = METRICS_ROUTE_INDICATOR,     [ROUTE_EMA] = METRICS_ROUTE_INDICATOR,
        [ROUTE_RSI] = METRICS_ROUTE_INDICATOR,     [ROUTE_CONFIG] = METRICS_ROUTE_CONFIG,
        [ROUTE_BATCHING] = METRICS_ROUTE_BATCHING, [ROUTE_QUEUE] = METRICS_ROUTE_QUEUE,
        [ROUTE_RECENT] = METRICS_ROUTE_RECENT,     [ROUTE_SELFTEST] = METRICS_ROUTE_SELFTEST,
        [ROUTE_NONE] = METRICS_ROUTE_OTHER,
    };
    return routes[id];
}

static enum metrics_method metrics_method_of(const struct http_exchange *ex)
{
    if (ex->request == NULL)
        return METRICS_METHOD_OTHER;
    switch (ex->request->method) {
    case HTTP_METHOD_GET:
        return METRICS_METHOD_GET;
    case HTTP_METHOD_POST:
        return METRICS_METHOD_POST;
    default:
        return METRICS_METHOD_OTHER;
    }
}

static void count_compute_request(struct api_loop *loop, enum route_id id, int status,
                                  uint64_t duration_ns)
{
    enum metrics_action action = id == ROUTE_SMA   ? METRICS_ACTION_COMPUTE_SMA
                                 : id == ROUTE_EMA ? METRICS_ACTION_COMPUTE_EMA
                                 : id == ROUTE_RSI ? METRICS_ACTION_COMPUTE_RSI
                                                   : METRICS_ACTION_PREDICT;
    enum metrics_outcome outcome = status == 200 ? METRICS_OUTCOME_SUCCESS : METRICS_OUTCOME_ERROR;
    metrics_add(loop->shard, METRICS_COMPUTE_REQUESTS_TOTAL,
                metrics_labels(METRICS_COMPUTE_REQUESTS_TOTAL, action, outcome, 0), 1);
    metrics_observe(loop->shard, METRICS_COMPUTE_REQUEST_DURATION_SECONDS, action, duration_ns);
}

/* A request that failed is worth a line, others only when the operator wants them: a line costs
 * its formatting on the loop. */
static void log_request(struct api_loop *loop, enum log_level level, const char *text,
                        const struct http_exchange *ex, const struct http_outcome *outcome,
                        uint64_t duration_ns)
{
    static const char *const methods[] = {
        [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
        [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",
        [HTTP_METHOD_PATCH] = "PATCH",     [HTTP_METHOD_DELETE] = "DELETE",
        [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_OTHER] = "other",
    };
    char path[256] = "";
    const char *method = "";
    if (ex->request != NULL) {
        snprintf(path, sizeof path, "%.*s", (int)ex->request->path.bytes, ex->request->path.at);
        method = methods[ex->request->method];
    }
    log_write(loop->api->log, level, text, LOG_STR("request_id", ex->request_id),
              LOG_STR("trace_id", ex->trace_id), LOG_STR("method", method), LOG_STR("path", path),
              LOG_INT("status", outcome->status), LOG_INT("duration_us", duration_ns / NS_PER_US),
              LOG_INT("request_bytes", outcome->request_bytes),
              LOG_INT("response_bytes", outcome->response_bytes));
}

void account_outcome(struct api_loop *loop, const struct http_exchange *ex,
                     const struct http_outcome *outcome)
{
    struct metrics_shard *shard = loop->shard;
    enum route_id id = exchange_route(ex);
    enum metrics_route route = metrics_route_of(id);
    if ((ex->tag & EXCHANGE_TAG_IN_FLIGHT) != 0)
        atomic_fetch_sub_explicit(&loop->api->in_flight, 1, memory_order_relaxed);
    uint64_t duration_ns = exchange_since(outcome->answered_ns, outcome->received_ns);
    metrics_add(shard, METRICS_HTTP_REQUESTS_TOTAL,
                metrics_labels(METRICS_HTTP_REQUESTS_TOTAL, route, metrics_method_of(ex),
                               metrics_code_index(outcome->status)),
                1);
    const struct metrics_exemplar exemplar = exchange_exemplar(ex, outcome->answered_ns);
    metrics_observe_exemplar(shard, METRICS_HTTP_REQUEST_DURATION_SECONDS, route, duration_ns,
                             &exemplar);
    metrics_observe(shard, METRICS_HTTP_REQUEST_SIZE_BYTES, 0, outcome->request_bytes);
    metrics_observe(shard, METRICS_HTTP_RESPONSE_SIZE_BYTES, 0, outcome->response_bytes);
    if (exchange_is_compute(ex))
        count_compute_request(loop, id, outcome->status, duration_ns);
    if (outcome->status == 500)
        log_request(loop, LOG_ERROR, "request failed", ex, outcome, duration_ns);
    else if (loop->api->config->access_log)
        log_request(loop, LOG_INFO, "request", ex, outcome, duration_ns);
}

void account_protocol_error(struct api_loop *loop, enum http_protocol_error reason)
{
    /* Both enums are in the order of the catalogue. */
    metrics_add(loop->shard, METRICS_HTTP_PROTOCOL_ERRORS_TOTAL, (unsigned)reason, 1);
}

void account_connection(struct api_loop *loop, bool accepted)
{
    metrics_add(loop->shard, METRICS_HTTP_CONNECTIONS_TOTAL,
                accepted ? METRICS_CONNECTION_ACCEPTED : METRICS_CONNECTION_REJECTED_LIMIT, 1);
}

/* --- gauges */

static double wall_clock_s(uint64_t monotonic_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double now_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    return now_s - (double)(clock_now_ns() - monotonic_ns) / 1e9;
}

static void collect_queue(struct api *api, struct compute_queue *queue)
{
    struct metrics *m = api->metrics;
    struct batcher_queue_stats stats;
    batcher_queue_stats(compute_batcher(api->compute), queue->batcher_queue, &stats);
    uint64_t now_ns = clock_now_ns();
    uint64_t last_ns = atomic_load_explicit(&queue->last_batch_ns, memory_order_relaxed);
    unsigned model = queue->label;
    metrics_set(m, METRICS_BATCHER_QUEUE_SIZE, model, (double)stats.jobs);
    metrics_set(m, METRICS_BATCHER_QUEUE_CAPACITY, model, (double)stats.limits.queue_rows_max);
    metrics_set(m, METRICS_BATCHER_QUEUE_OLDEST_AGE_SECONDS, model,
                stats.oldest_ns != 0 ? (double)exchange_since(now_ns, stats.oldest_ns) / 1e9 : 0);
    metrics_set(m, METRICS_BATCHER_INFLIGHT_BATCHES, model, (double)stats.inflight_batches);
    metrics_set(m, METRICS_BATCHER_INFLIGHT_BATCHES_LIMIT, model,
                (double)stats.limits.inflight_batches_max);
    metrics_set(m, METRICS_BATCHER_MAX_BATCH_SIZE, model, (double)stats.limits.batch_rows_max);
    metrics_set(m, METRICS_BATCHER_MAX_WAIT_SECONDS, model, (double)stats.delay_ns / 1e9);
    metrics_set(m, METRICS_BATCHER_CHOSEN_BATCH_ROWS, model, (double)stats.batch_rows);
    metrics_set(m, METRICS_BATCHER_TARGET_P99_SECONDS, model,
                (double)stats.limits.target_p99_ns / 1e9);
    metrics_set(m, METRICS_BATCHER_COST_FIXED_SECONDS, model, stats.cost_fixed_ns / 1e9);
    metrics_set(m, METRICS_BATCHER_COST_UNIT_SECONDS, model, stats.cost_unit_ns / 1e9);
    metrics_set(m, METRICS_BATCHER_COST_ERROR_RATIO, model, stats.cost_error);
    metrics_set(m, METRICS_BATCHER_COST_IS_SURE, model, stats.cost_is_sure ? 1 : 0);
    metrics_set(m, METRICS_BATCHER_ARRIVALS_PER_SECOND, model, stats.arrivals_per_s);
    metrics_set(m, METRICS_BATCHER_DRAINED_PER_SECOND, model,
                batcher_queue_drain_rate(compute_batcher(api->compute), queue->batcher_queue));
    metrics_set(m, METRICS_BATCHER_LAST_BATCH_TIMESTAMP_SECONDS, model,
                last_ns != 0 ? wall_clock_s(last_ns) : 0);
}

void account_gauges(struct api *api)
{
    struct metrics *m = api->metrics;
    for (size_t i = 0; i < compute_queue_count(api->compute); i++)
        collect_queue(api, compute_queue_at(api->compute, i));
    metrics_set(m, METRICS_HTTP_REQUESTS_IN_FLIGHT, 0, (double)atomic_load(&api->in_flight));
    metrics_set(m, METRICS_HTTP_CONNECTIONS_LIMIT, 0, (double)api->limits->connections_max);
    metrics_set(m, METRICS_COMPUTE_ACTIVE_CONNECTIONS, 0, (double)atomic_load(&api->connections));
    metrics_set(m, METRICS_COMPUTE_WORKER_THREADS, 0, (double)api->config->workers);
    metrics_set(m, METRICS_COMPUTE_WORKERS_BUSY, 0, (double)compute_workers_busy(api->compute));
    metrics_set(m, METRICS_SERVICE_READY, 0, atomic_load(&api->ready) ? 1 : 0);
    for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++)
        metrics_set(m, METRICS_LOG_MESSAGES_TOTAL, level,
                    (double)log_lines(api->log, (enum log_level)level));
}
