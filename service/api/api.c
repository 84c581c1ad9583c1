#include "api.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base.h"
#include "indicators.h"
#include "info.h"
#include "predict.h"
#include "routes.h"

enum {
    REQUEST_TIMEOUT_MS_MAX = 24 * 3600 * 1000,
    RETRY_AFTER_S_MAX = 60
};

/* An exchange's tag is its route + 1; 0 is a request that was refused before it had one. */
enum {
    TAG_ROUTE = 0xff,
    TAG_IN_FLIGHT = 0x100
};

static unsigned tag_of(enum route_id id)
{
    return (unsigned)id + 1;
}

static enum route_id route_of(const struct http_exchange *ex)
{
    unsigned route = ex->tag & TAG_ROUTE;
    return route == 0 ? ROUTE_NONE : (enum route_id)(route - 1);
}

/* --- errors */

static bool is_compute(enum route_id id)
{
    return id == ROUTE_PREDICT || id == ROUTE_SMA || id == ROUTE_EMA || id == ROUTE_RSI;
}

static void answer_error(struct api_loop *loop, struct http_exchange *ex,
                         const struct api_error *error)
{
    const char *code = api_error_code(error->id);
    if (is_compute(route_of(ex)))
        metrics_add(loop->shard, METRICS_COMPUTE_ERRORS_TOTAL, metrics_error_index(code), 1);
    http_answer_error(ex, api_error_status(error->id), code, error->text, strlen(error->text));
}

#define ANSWER_ERROR(loop, ex, id, ...)       \
    do {                                      \
        struct api_error error_;              \
        api_fail(&error_, (id), __VA_ARGS__); \
        answer_error((loop), (ex), &error_);  \
    } while (0)

/* --- the head: everything that can be said before the body is read */

static bool media_type_ok(struct http_slice type)
{
    if (type.at == NULL)
        return true;
    const char *semicolon = memchr(type.at, ';', type.bytes);
    if (semicolon != NULL)
        type.bytes = (size_t)(semicolon - type.at);
    while (type.bytes > 0 && type.at[type.bytes - 1] == ' ')
        type.bytes--;
    return http_slice_equals_nocase(type, "application/json");
}

static bool encoding_ok(struct http_slice encoding)
{
    return encoding.at == NULL || http_slice_equals_nocase(encoding, "identity");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Clients quote model names; only names that need no quoting exist. */
static bool decode_name(struct http_slice raw, char *name, size_t size, size_t *bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.bytes; i++, n++) {
        if (n == size)
            return false;
        name[n] = raw.at[i];
        if (raw.at[i] != '%')
            continue;
        int high = i + 2 < raw.bytes ? hex_value(raw.at[i + 1]) : -1;
        int low = i + 2 < raw.bytes ? hex_value(raw.at[i + 2]) : -1;
        if (high < 0 || low < 0)
            return false;
        name[n] = (char)(high << 4 | low);
        i += 2;
    }
    *bytes = n;
    return true;
}

static const struct model_entry *find_model(struct api *api, const struct route *route)
{
    char name[128];
    size_t bytes;
    if (!decode_name(route->model, name, sizeof name, &bytes))
        return NULL;
    return model_repository_find(api->repository, name, bytes, route->version.at,
                                 route->version.bytes);
}

/* The whole token is compared whatever differs, so that time tells nothing. */
static bool token_ok(const struct api *api, struct http_slice authorization)
{
    static const char scheme[] = "Bearer ";
    size_t expected = strlen(api->admin_token), offset = sizeof scheme - 1;
    if (expected == 0)
        return true;
    if (authorization.bytes != offset + expected || memcmp(authorization.at, scheme, offset) != 0)
        return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < expected; i++)
        difference |= (unsigned char)(authorization.at[offset + i] ^ api->admin_token[i]);
    return difference == 0;
}

static bool check_model(struct api_loop *loop, struct http_exchange *ex, const struct route *route)
{
    const struct model_entry *entry = find_model(loop->api, route);
    if (entry == NULL) {
        ANSWER_ERROR(loop, ex, API_MODEL_NOT_FOUND, "no model \"%.*s\" with that version is here",
                     (int)(route->model.bytes < 128 ? route->model.bytes : 128), route->model.at);
        return false;
    }
    if (route->id == ROUTE_PREDICT && entry->model == NULL) {
        ANSWER_ERROR(loop, ex, API_MODEL_NOT_READY, "model \"%s\" could not be loaded: %.150s",
                     entry->name, entry->error.text);
        return false;
    }
    ex->user = (void *)(uintptr_t)entry;
    return true;
}

static bool check_body_headers(struct api_loop *loop, struct http_exchange *ex)
{
    const struct http_slice *headers = ex->request->headers;
    if (!media_type_ok(headers[HTTP_HEADER_CONTENT_TYPE])) {
        ANSWER_ERROR(loop, ex, API_UNSUPPORTED_MEDIA_TYPE,
                     "the body must be application/json, or say nothing");
        return false;
    }
    if (!encoding_ok(headers[HTTP_HEADER_CONTENT_ENCODING])) {
        ANSWER_ERROR(loop, ex, API_UNSUPPORTED_ENCODING, "no Content-Encoding is supported");
        return false;
    }
    return true;
}

static void on_headers(void *ctx, struct http_exchange *ex)
{
    struct api_loop *loop = ctx;
    struct route route = route_find(ex->request->path);
    if (route.id == ROUTE_NONE || (route.admin_only && !ex->admin)) {
        ANSWER_ERROR(loop, ex, API_NOT_FOUND, "nothing is here; see GET / for what is");
        return;
    }
    ex->tag = tag_of(route.id);
    if (!route_allows(&route, ex->request->method)) {
        http_answer_header(ex, "Allow: %s", route.allow);
        ANSWER_ERROR(loop, ex, API_METHOD_NOT_ALLOWED, "this path takes %s", route.allow);
        return;
    }
    if (ex->admin && !token_ok(loop->api, ex->request->headers[HTTP_HEADER_AUTHORIZATION])) {
        http_answer_header(ex, "WWW-Authenticate: Bearer");
        ANSWER_ERROR(loop, ex, API_UNAUTHORIZED, "the admin listener wants its bearer token");
        return;
    }
    if ((route.id == ROUTE_MODEL || route.id == ROUTE_PREDICT) && !check_model(loop, ex, &route))
        return;
    if (is_compute(route.id))
        check_body_headers(loop, ex);
}

/* --- compute requests */

static unsigned retry_after_s(struct api *api, const struct compute_queue *queue)
{
    struct batcher_queue_stats stats;
    batcher_queue_stats(compute_batcher(api->compute), queue->batcher_queue, &stats);
    double rate = batcher_queue_drain_rate(compute_batcher(api->compute), queue->batcher_queue);
    double seconds = rate > 0 ? (double)stats.jobs / rate : 1;
    if (seconds < 1)
        return 1;
    return seconds < RETRY_AFTER_S_MAX ? (unsigned)(seconds + 0.999) : RETRY_AFTER_S_MAX;
}

static void count_job(struct api_loop *loop, const struct compute_queue *queue,
                      enum metrics_request_status status)
{
    metrics_add(loop->shard, METRICS_BATCHER_REQUESTS_TOTAL,
                metrics_labels(METRICS_BATCHER_REQUESTS_TOTAL, queue->label, status, 0), 1);
}

static void count_rejection(struct api_loop *loop, const struct compute_queue *queue,
                            enum metrics_rejection reason)
{
    count_job(loop, queue, METRICS_REQUEST_STATUS_REJECTED);
    metrics_add(loop->shard, METRICS_BATCHER_REJECTIONS_TOTAL,
                metrics_labels(METRICS_BATCHER_REJECTIONS_TOTAL, queue->label, reason, 0), 1);
}

static void count_deadline_miss(struct api_loop *loop, const struct compute_queue *queue,
                                enum metrics_deadline_stage stage)
{
    metrics_add(loop->shard, METRICS_BATCHER_DEADLINE_MISSES_TOTAL,
                metrics_labels(METRICS_BATCHER_DEADLINE_MISSES_TOTAL, queue->label, stage, 0), 1);
}

/* The one place where the batcher's words become HTTP's. */
static void answer_refused(struct api_loop *loop, struct http_exchange *ex, const struct job *job,
                           enum batcher_status status)
{
    const struct compute_queue *queue = job->queue;
    switch (status) {
    case BATCHER_FULL:
        count_rejection(loop, queue, METRICS_REJECTION_QUEUE_FULL);
        http_answer_header(ex, "Retry-After: %u", retry_after_s(loop->api, queue));
        ANSWER_ERROR(loop, ex, API_OVERLOADED, "the queue of %s is full", queue->name);
        return;
    case BATCHER_TOO_LARGE:
        count_rejection(loop, queue, METRICS_REJECTION_TOO_LARGE);
        ANSWER_ERROR(loop, ex, API_TOO_MANY_ROWS, "%zu rows are more than the queue of %s takes",
                     job->base.rows, queue->name);
        return;
    case BATCHER_EXPIRED:
    case BATCHER_UNMEETABLE:
        count_rejection(loop, queue, METRICS_REJECTION_DEADLINE_UNMEETABLE);
        ANSWER_ERROR(loop, ex, API_DEADLINE_EXCEEDED, "the deadline cannot be met");
        return;
    case BATCHER_STOPPING:
        count_rejection(loop, queue, METRICS_REJECTION_SHUTTING_DOWN);
        ANSWER_ERROR(loop, ex, API_DRAINING, "the server is shutting down");
        return;
    case BATCHER_OK:
    case BATCHER_FAILED:
    case BATCHER_INVALID:
    case BATCHER_NOMEM:
    case BATCHER_STATUS_COUNT:
        break;
    }
    count_rejection(loop, queue, METRICS_REJECTION_INVALID);
    ANSWER_ERROR(loop, ex, API_EXECUTION_FAILED, "the batcher refused: %s",
                 batcher_status_str(status));
}

static bool read_timeout(struct api_loop *loop, struct http_exchange *ex, uint64_t *timeout_ns)
{
    struct http_slice text = ex->request->headers[HTTP_HEADER_REQUEST_TIMEOUT];
    *timeout_ns = loop->api->config->http.request_ns_max;
    if (text.at == NULL)
        return true;
    uint64_t ms = 0;
    bool ok = text.bytes > 0 && text.bytes <= 8;
    for (size_t i = 0; ok && i < text.bytes; i++) {
        ok = text.at[i] >= '0' && text.at[i] <= '9';
        ms = ms * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (!ok || ms == 0 || ms > REQUEST_TIMEOUT_MS_MAX) {
        ANSWER_ERROR(loop, ex, API_INVALID_PARAMETER,
                     "X-Request-Timeout-Ms must be a whole number of milliseconds from 1 to %d",
                     REQUEST_TIMEOUT_MS_MAX);
        return false;
    }
    if (ms * NS_PER_MS < *timeout_ns)
        *timeout_ns = ms * NS_PER_MS;
    return true;
}

static bool decode(struct api_loop *loop, struct http_exchange *ex, struct job *job,
                   struct api_error *error)
{
    const struct config *config = loop->api->config;
    if (job->queue->kind == COMPUTE_PREDICT)
        return predict_decode(&loop->reader, job->queue->model, config->instances_max, ex->body,
                              job, error);
    struct indicator_limits limits = {.series_max = config->series_max,
                                      .points_max = config->points_max};
    return indicator_decode(&loop->reader, &limits, ex->body, job, error);
}

static void submit(struct api_loop *loop, struct http_exchange *ex, struct job *job)
{
    metrics_add(loop->shard, METRICS_BATCHER_SUBMITTED_TOTAL, job->queue->label, 1);
    enum batcher_status status = batcher_submit(
        compute_batcher(loop->api->compute), job->queue->batcher_queue, &job->base, clock_now_ns());
    if (status == BATCHER_OK) {
        ex->user = job;
        loop->submitted = true;
        loop->outstanding++;
        return;
    }
    ex->user = NULL;
    answer_refused(loop, ex, job, status);
    job_recycle(&loop->jobs, job);
}

static void compute(struct api_loop *loop, struct http_exchange *ex,
                    const struct compute_queue *queue)
{
    ex->user = NULL; /* the model's entry until now, the job from here on */
    uint64_t timeout_ns;
    if (!read_timeout(loop, ex, &timeout_ns))
        return;
    struct job *job = job_take(&loop->jobs);
    if (job == NULL) {
        ANSWER_ERROR(loop, ex, API_OUT_OF_MEMORY, "out of memory for one more request");
        return;
    }
    job->ex = ex;
    job->loop = loop;
    job->queue = queue;
    job->received_ns = ex->received_ns;
    job->base.deadline_ns = ex->received_ns + timeout_ns;
    struct api_error error;
    bool decoded = decode(loop, ex, job, &error);
    json_reader_release(&loop->reader);
    if (!decoded) {
        answer_error(loop, ex, &error);
        job_recycle(&loop->jobs, job);
        return;
    }
    http_set_deadline(ex, job->base.deadline_ns);
    submit(loop, ex, job);
}

static void on_request(void *ctx, struct http_exchange *ex)
{
    struct api_loop *loop = ctx;
    struct api *api = loop->api;
    const struct model_entry *entry = ex->user;
    atomic_fetch_add_explicit(&api->in_flight, 1, memory_order_relaxed);
    ex->tag |= TAG_IN_FLIGHT;
    switch (route_of(ex)) {
    case ROUTE_PAGE:
        info_page(loop, ex);
        break;
    case ROUTE_HEALTH:
        info_health(loop, ex);
        break;
    case ROUTE_LIVE:
        info_live(loop, ex);
        break;
    case ROUTE_READY:
        info_ready(loop, ex);
        break;
    case ROUTE_METRICS:
        info_metrics(loop, ex);
        break;
    case ROUTE_MODELS:
        info_models(loop, ex);
        break;
    case ROUTE_MODEL:
        info_model(loop, ex, entry);
        break;
    case ROUTE_PREDICT:
        compute(loop, ex, compute_queue_of_model(api->compute, entry->model));
        break;
    case ROUTE_SMA:
        compute(loop, ex, compute_queue_of_indicator(api->compute, COMPUTE_SMA));
        break;
    case ROUTE_EMA:
        compute(loop, ex, compute_queue_of_indicator(api->compute, COMPUTE_EMA));
        break;
    case ROUTE_RSI:
        compute(loop, ex, compute_queue_of_indicator(api->compute, COMPUTE_RSI));
        break;
    case ROUTE_CONFIG:
        info_config(loop, ex);
        break;
    case ROUTE_SELFTEST:
        info_selftest(loop, ex);
        break;
    case ROUTE_NONE:
        assert(false); /* answered in on_headers */
        break;
    }
}

static void on_tick(void *ctx)
{
    struct api_loop *loop = ctx;
    if (!loop->submitted)
        return;
    loop->submitted = false;
    batcher_wake(compute_batcher(loop->api->compute));
}

/* --- answers to compute requests */

static char *put_text(char *at, const char *text)
{
    size_t bytes = strlen(text);
    memcpy(at, text, bytes);
    return at + bytes;
}

/* Milliseconds with three decimals: 1234567 ns is "1.234". */
static char *put_ms(char *at, uint64_t ns)
{
    uint64_t us = ns / NS_PER_US;
    char digits[24];
    size_t i = sizeof digits;
    for (unsigned decimals = 0; decimals < 4 || us > 0; decimals++) {
        if (decimals == 3)
            digits[--i] = '.';
        digits[--i] = (char)('0' + us % 10);
        us /= 10;
    }
    memcpy(at, digits + i, sizeof digits - i);
    return at + (sizeof digits - i);
}

static uint64_t since(uint64_t later_ns, uint64_t earlier_ns)
{
    return later_ns > earlier_ns ? later_ns - earlier_ns : 0;
}

/* Where the time went; the parts add up to the whole time in the server so far. */
static void add_timing(struct http_exchange *ex, const struct job *job, uint64_t now_ns)
{
    const struct batcher_job *base = &job->base;
    char text[128];
    char *at = put_text(text, "parse;dur=");
    at = put_ms(at, since(base->submitted_ns, job->received_ns));
    at = put_text(at, ", queue;dur=");
    at = put_ms(at, since(base->sealed_ns, base->submitted_ns));
    at = put_text(at, ", compute;dur=");
    at = put_ms(at, since(base->finished_ns, base->sealed_ns));
    at = put_text(at, ", write;dur=");
    at = put_ms(at, since(now_ns, base->finished_ns));
    *at = '\0';
    http_answer_header(ex, "Server-Timing: %s", text);
    http_answer_header(ex, "X-Batch-Size: %zu", base->batch_jobs);
}

static void answer_result(struct api_loop *loop, struct http_exchange *ex, const struct job *job)
{
    const struct compute_queue *queue = job->queue;
    if (queue->kind == COMPUTE_PREDICT)
        predict_encode(queue->model, job, &ex->answer);
    else
        indicator_encode(queue->kind, job, &ex->answer);
    uint64_t now_ns = clock_now_ns();
    metrics_observe(loop->shard, METRICS_BATCHER_REQUEST_LATENCY_SECONDS, queue->label,
                    since(now_ns, job->base.submitted_ns));
    if (job->base.deadline_ns != 0 && now_ns >= job->base.deadline_ns) {
        buffer_reset(&ex->answer, SIZE_MAX);
        count_job(loop, queue, METRICS_REQUEST_STATUS_TIMEOUT);
        count_deadline_miss(loop, queue,
                            job->base.finished_ns >= job->base.deadline_ns
                                ? METRICS_DEADLINE_STAGE_EXECUTE
                                : METRICS_DEADLINE_STAGE_RESPOND);
        ANSWER_ERROR(loop, ex, API_DEADLINE_EXCEEDED, "the result came after the deadline");
        return;
    }
    count_job(loop, queue, METRICS_REQUEST_STATUS_SUCCESS);
    add_timing(ex, job, now_ns);
    http_answer(ex, 200, "application/json");
}

static void answer_unrun(struct api_loop *loop, struct http_exchange *ex, const struct job *job)
{
    const struct compute_queue *queue = job->queue;
    switch (job->base.status) {
    case BATCHER_EXPIRED:
        count_job(loop, queue, METRICS_REQUEST_STATUS_TIMEOUT);
        count_deadline_miss(loop, queue, METRICS_DEADLINE_STAGE_QUEUE);
        ANSWER_ERROR(loop, ex, API_DEADLINE_EXCEEDED, "the request waited past its deadline");
        return;
    case BATCHER_STOPPING:
        count_rejection(loop, queue, METRICS_REJECTION_SHUTTING_DOWN);
        ANSWER_ERROR(loop, ex, API_DRAINING, "the server is shutting down");
        return;
    default:
        count_job(loop, queue, METRICS_REQUEST_STATUS_ERROR);
        ANSWER_ERROR(loop, ex, API_EXECUTION_FAILED, "the computation failed");
    }
}

static void tell_stopped(struct api_loop *loop);

static void on_jobs_done(void *ctx, struct batcher_job *list)
{
    struct api_loop *loop = ctx;
    for (struct batcher_job *next; list != NULL; list = next) {
        next = list->next;
        struct job *job = container_of(list, struct job, base);
        struct http_exchange *ex = job->ex;
        if (ex != NULL)
            ex->user = NULL;
        if (ex != NULL && job->base.status == BATCHER_OK)
            answer_result(loop, ex, job);
        else if (ex != NULL)
            answer_unrun(loop, ex, job);
        job_recycle(&loop->jobs, job);
        loop->outstanding--;
    }
    tell_stopped(loop);
}

void api_jobs_done(void *ctx, struct batcher_job *list)
{
    (void)ctx;
    while (list != NULL) { /* as chains of neighbours that belong to one loop */
        struct batcher_job *first = list, *last = list;
        struct api_loop *loop = container_of(first, struct job, base)->loop;
        while (last->next != NULL && container_of(last->next, struct job, base)->loop == loop)
            last = last->next;
        list = last->next;
        completion_push(&loop->completion, first, last);
    }
}

/* --- the end of an exchange */

static enum metrics_request_status abort_status(enum http_abort why)
{
    switch (why) {
    case HTTP_ABORT_CLIENT_GONE:
        return METRICS_REQUEST_STATUS_CANCELLED;
    case HTTP_ABORT_DEADLINE:
        return METRICS_REQUEST_STATUS_TIMEOUT;
    case HTTP_ABORT_DRAINING:
        break;
    }
    return METRICS_REQUEST_STATUS_REJECTED;
}

/* Nobody waits for the job any more. Queued, it is dropped before it is computed;
 * running, its result is dropped when it comes. */
static void on_abort(void *ctx, struct http_exchange *ex, enum http_abort why)
{
    struct api_loop *loop = ctx;
    struct job *job = ex->user;
    ex->user = NULL;
    if (job == NULL || !is_compute(route_of(ex)))
        return;
    const struct compute_queue *queue = job->queue;
    job->ex = NULL;
    bool was_queued = batcher_cancel(compute_batcher(loop->api->compute), &job->base);
    count_job(loop, queue, abort_status(why));
    if (why == HTTP_ABORT_DEADLINE) {
        count_deadline_miss(loop, queue,
                            was_queued ? METRICS_DEADLINE_STAGE_QUEUE
                                       : METRICS_DEADLINE_STAGE_EXECUTE);
        metrics_add(loop->shard, METRICS_COMPUTE_ERRORS_TOTAL,
                    metrics_error_index(api_error_code(API_DEADLINE_EXCEEDED)), 1);
    }
    if (why == HTTP_ABORT_DRAINING)
        metrics_add(loop->shard, METRICS_BATCHER_REJECTIONS_TOTAL,
                    metrics_labels(METRICS_BATCHER_REJECTIONS_TOTAL, queue->label,
                                   METRICS_REJECTION_SHUTTING_DOWN, 0),
                    1);
    if (!was_queued)
        return;
    loop->outstanding--;
    job_recycle(&loop->jobs, job);
}

static enum metrics_route metrics_route_of(enum route_id id)
{
    static const enum metrics_route routes[] = {
        [ROUTE_PAGE] = METRICS_ROUTE_PAGE,         [ROUTE_HEALTH] = METRICS_ROUTE_HEALTH,
        [ROUTE_LIVE] = METRICS_ROUTE_LIVE,         [ROUTE_READY] = METRICS_ROUTE_READY,
        [ROUTE_METRICS] = METRICS_ROUTE_METRICS,   [ROUTE_MODELS] = METRICS_ROUTE_MODELS,
        [ROUTE_MODEL] = METRICS_ROUTE_MODEL,       [ROUTE_PREDICT] = METRICS_ROUTE_PREDICT,
        [ROUTE_SMA] = METRICS_ROUTE_INDICATOR,     [ROUTE_EMA] = METRICS_ROUTE_INDICATOR,
        [ROUTE_RSI] = METRICS_ROUTE_INDICATOR,     [ROUTE_CONFIG] = METRICS_ROUTE_CONFIG,
        [ROUTE_SELFTEST] = METRICS_ROUTE_SELFTEST, [ROUTE_NONE] = METRICS_ROUTE_OTHER,
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

/* Only when the operator wants it: it costs a line's formatting on the loop. */
static void log_access(struct api_loop *loop, const struct http_exchange *ex,
                       const struct http_outcome *outcome, uint64_t duration_ns)
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
    log_write(loop->api->log, LOG_INFO, "request", LOG_STR("method", method), LOG_STR("path", path),
              LOG_INT("status", outcome->status), LOG_INT("duration_us", duration_ns / NS_PER_US),
              LOG_INT("request_bytes", outcome->request_bytes),
              LOG_INT("response_bytes", outcome->response_bytes));
}

static void on_outcome(void *ctx, struct http_exchange *ex, const struct http_outcome *outcome)
{
    struct api_loop *loop = ctx;
    struct metrics_shard *shard = loop->shard;
    enum route_id id = route_of(ex);
    enum metrics_route route = metrics_route_of(id);
    if ((ex->tag & TAG_IN_FLIGHT) != 0)
        atomic_fetch_sub_explicit(&loop->api->in_flight, 1, memory_order_relaxed);
    uint64_t duration_ns = since(outcome->answered_ns, outcome->received_ns);
    metrics_add(shard, METRICS_HTTP_REQUESTS_TOTAL,
                metrics_labels(METRICS_HTTP_REQUESTS_TOTAL, route, metrics_method_of(ex),
                               metrics_code_index(outcome->status)),
                1);
    metrics_observe(shard, METRICS_HTTP_REQUEST_DURATION_SECONDS, route, duration_ns);
    metrics_observe(shard, METRICS_HTTP_REQUEST_SIZE_BYTES, 0, outcome->request_bytes);
    metrics_observe(shard, METRICS_HTTP_RESPONSE_SIZE_BYTES, 0, outcome->response_bytes);
    if (is_compute(id))
        count_compute_request(loop, id, outcome->status, duration_ns);
    if (loop->api->config->access_log)
        log_access(loop, ex, outcome, duration_ns);
}

static void on_protocol_error(void *ctx, enum http_protocol_error reason)
{
    struct api_loop *loop = ctx;
    /* Both enums are in the order of the catalogue. */
    metrics_add(loop->shard, METRICS_HTTP_PROTOCOL_ERRORS_TOTAL, (unsigned)reason, 1);
}

static void on_connection(void *ctx, bool accepted)
{
    struct api_loop *loop = ctx;
    metrics_add(loop->shard, METRICS_HTTP_CONNECTIONS_TOTAL,
                accepted ? METRICS_CONNECTION_ACCEPTED : METRICS_CONNECTION_REJECTED_LIMIT, 1);
}

/* Jobs of clients that are gone may still be running; they come back to this loop. */
static void tell_stopped(struct api_loop *loop)
{
    if (loop->stopped && loop->outstanding == 0)
        loop->on_stopped(loop);
}

static void on_stopped(void *ctx)
{
    struct api_loop *loop = ctx;
    loop->stopped = true;
    tell_stopped(loop);
}

const struct http_handler *api_handler(void)
{
    static const struct http_handler handler = {
        .on_headers = on_headers,
        .on_request = on_request,
        .on_abort = on_abort,
        .on_outcome = on_outcome,
        .on_protocol_error = on_protocol_error,
        .on_connection = on_connection,
        .on_tick = on_tick,
        .on_stopped = on_stopped,
    };
    return &handler;
}

/* --- life cycle */

int api_loop_init(struct api_loop *loop, struct api *api, uv_loop_t *uv,
                  struct metrics_shard *shard)
{
    loop->api = api;
    loop->shard = shard;
    job_pool_init(&loop->jobs);
    struct json_limits limits = {.depth_max = api->config->json_depth_max,
                                 .number_bytes_max = api->config->json_number_bytes_max};
    json_reader_init(&loop->reader, &limits);
    return completion_init(&loop->completion, uv, on_jobs_done, loop);
}

void api_loop_close(struct api_loop *loop)
{
    completion_close(&loop->completion);
}

void api_loop_deinit(struct api_loop *loop)
{
    completion_deinit(&loop->completion);
    json_reader_deinit(&loop->reader);
    job_pool_deinit(&loop->jobs);
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
                stats.oldest_ns != 0 ? (double)since(now_ns, stats.oldest_ns) / 1e9 : 0);
    metrics_set(m, METRICS_BATCHER_INFLIGHT_BATCHES, model, (double)stats.inflight_batches);
    metrics_set(m, METRICS_BATCHER_INFLIGHT_BATCHES_LIMIT, model,
                (double)stats.limits.inflight_batches_max);
    metrics_set(m, METRICS_BATCHER_MAX_BATCH_SIZE, model, (double)stats.limits.batch_rows_max);
    metrics_set(m, METRICS_BATCHER_MAX_WAIT_SECONDS, model,
                (double)stats.limits.delay_ns_max / 1e9);
    metrics_set(m, METRICS_BATCHER_LAST_BATCH_TIMESTAMP_SECONDS, model,
                last_ns != 0 ? wall_clock_s(last_ns) : 0);
}

void api_collect_gauges(struct api *api)
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
    metrics_set(m, METRICS_SERVICE_CONFIG_LAST_RELOAD_SUCCESSFUL, 0, 1);
    for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++)
        metrics_set(m, METRICS_LOG_MESSAGES_TOTAL, level,
                    (double)log_lines(api->log, (enum log_level)level));
}
