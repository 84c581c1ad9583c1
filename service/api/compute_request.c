#include "compute_request.h"

#include <string.h>

#include "base.h"
#include "exchange.h"
#include "indicators.h"
#include "predict.h"
#include "put.h"

enum {
    REQUEST_TIMEOUT_MS_MAX = 24 * 3600 * 1000,
    RETRY_AFTER_S_MAX = 60
};

/* --- in */

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

static void count_job(struct api_loop *loop, const struct job *job,
                      enum metrics_request_status status)
{
    metrics_add(loop->shard, METRICS_BATCHER_REQUESTS_TOTAL,
                metrics_labels(METRICS_BATCHER_REQUESTS_TOTAL, job->queue->label, status, 0), 1);
    metrics_add(loop->shard, METRICS_BATCHER_CLASS_REQUESTS_TOTAL,
                metrics_labels(METRICS_BATCHER_CLASS_REQUESTS_TOTAL, job->base.class, status, 0),
                1);
    metrics_add(loop->shard, METRICS_BATCHER_TENANT_REQUESTS_TOTAL,
                metrics_labels(METRICS_BATCHER_TENANT_REQUESTS_TOTAL, job->base.tenant, status, 0),
                1);
}

static void count_rejection(struct api_loop *loop, const struct job *job,
                            enum metrics_rejection reason)
{
    const struct compute_queue *queue = job->queue;
    count_job(loop, job, METRICS_REQUEST_STATUS_REJECTED);
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
        count_rejection(loop, job, METRICS_REJECTION_QUEUE_FULL);
        http_answer_header(ex, "Retry-After: %u", retry_after_s(loop->api, queue));
        exchange_fail(loop, ex, API_OVERLOADED, "the queue of %s is full", queue->name);
        return;
    case BATCHER_OVERLOADED:
        count_rejection(loop, job, METRICS_REJECTION_LATENCY_TARGET);
        http_answer_header(ex, "Retry-After: %u", retry_after_s(loop->api, queue));
        exchange_fail(loop, ex, API_OVERLOADED, "%s could not answer within its latency target",
                      queue->name);
        return;
    case BATCHER_TENANT_FULL:
        count_rejection(loop, job, METRICS_REJECTION_TENANT_FULL);
        http_answer_header(ex, "Retry-After: %u", retry_after_s(loop->api, queue));
        exchange_fail(loop, ex, API_TENANT_OVERLOADED,
                      "the tenant \"%s\" has its share of the queue of %s waiting already",
                      loop->api->tenants.of[job->base.tenant].name, queue->name);
        return;
    case BATCHER_TOO_LARGE:
        count_rejection(loop, job, METRICS_REJECTION_TOO_LARGE);
        exchange_fail(loop, ex, API_TOO_MANY_ROWS, "%zu rows are more than the queue of %s takes",
                      job->base.rows, queue->name);
        return;
    case BATCHER_EXPIRED:
    case BATCHER_UNMEETABLE:
        count_rejection(loop, job, METRICS_REJECTION_DEADLINE_UNMEETABLE);
        exchange_fail(loop, ex, API_DEADLINE_EXCEEDED, "the deadline cannot be met");
        return;
    case BATCHER_STOPPING:
        count_rejection(loop, job, METRICS_REJECTION_SHUTTING_DOWN);
        exchange_fail(loop, ex, API_DRAINING, "the server is shutting down");
        return;
    case BATCHER_OK:
    case BATCHER_FAILED:
    case BATCHER_INVALID:
    case BATCHER_NOMEM:
    case BATCHER_STATUS_COUNT:
        break;
    }
    count_rejection(loop, job, METRICS_REJECTION_INVALID);
    exchange_fail(loop, ex, API_EXECUTION_FAILED, "the batcher refused: %s",
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
        exchange_fail(loop, ex, API_INVALID_PARAMETER,
                      "X-Request-Timeout-Ms must be a whole number of milliseconds from 1 to %d",
                      REQUEST_TIMEOUT_MS_MAX);
        return false;
    }
    if (ms * NS_PER_MS < *timeout_ns)
        *timeout_ns = ms * NS_PER_MS;
    return true;
}

static bool read_class(struct api_loop *loop, struct http_exchange *ex, enum batcher_class *class)
{
    struct http_slice text = ex->request->headers[HTTP_HEADER_PRIORITY];
    *class = BATCHER_CLASS_INTERACTIVE;
    if (text.at == NULL)
        return true;
    for (enum batcher_class c = 0; c < BATCHER_CLASS_COUNT; c++) {
        const char *name = batcher_class_str(c);
        if (text.bytes == strlen(name) && memcmp(text.at, name, text.bytes) == 0) {
            *class = c;
            return true;
        }
    }
    exchange_fail(loop, ex, API_INVALID_PARAMETER, "X-Priority must be interactive or batch");
    return false;
}

static bool read_tenant(struct api_loop *loop, struct http_exchange *ex, unsigned *tenant)
{
    const struct http_slice *headers = ex->request->headers;
    int found = tenants_find(&loop->api->tenants, headers[HTTP_HEADER_TENANT],
                             headers[HTTP_HEADER_AUTHORIZATION]);
    if (found == TENANT_UNAUTHORIZED) {
        http_answer_header(ex, "WWW-Authenticate: Bearer");
        exchange_fail(loop, ex, API_UNAUTHORIZED, "this is not the key of a tenant");
        return false;
    }
    *tenant = (unsigned)found;
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
    loop->refused = status != BATCHER_OK;
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

/* What the head says of the job. */
static bool read_head(struct api_loop *loop, struct http_exchange *ex, struct batcher_job *base)
{
    uint64_t timeout_ns;
    if (!read_timeout(loop, ex, &timeout_ns) || !read_class(loop, ex, &base->class) ||
        !read_tenant(loop, ex, &base->tenant))
        return false;
    base->deadline_ns = timeout_ns; /* from when the request is there */
    return true;
}

bool compute_request_check(struct api_loop *loop, struct http_exchange *ex,
                           const struct compute_queue *queue)
{
    struct job least = {.base = {.rows = 1}, .queue = queue};
    if (!read_head(loop, ex, &least.base))
        return false;
    if (ex->body_is_here && !loop->refused)
        return true;
    uint64_t now_ns = clock_now_ns();
    least.base.deadline_ns += now_ns;
    enum batcher_status status = batcher_check(compute_batcher(loop->api->compute),
                                               queue->batcher_queue, &least.base, now_ns);
    loop->refused = status != BATCHER_OK;
    if (status == BATCHER_OK)
        return true;
    metrics_add(loop->shard, METRICS_BATCHER_SUBMITTED_TOTAL, queue->label, 1);
    answer_refused(loop, ex, &least, status);
    return false;
}

void compute_request_start(struct api_loop *loop, struct http_exchange *ex,
                           const struct compute_queue *queue)
{
    ex->user = NULL; /* the queue until now, the job from here on */
    struct batcher_job head = {0};
    if (!read_head(loop, ex, &head))
        return;
    struct job *job = job_take(&loop->jobs);
    if (job == NULL) {
        exchange_fail(loop, ex, API_OUT_OF_MEMORY, "out of memory for one more request");
        return;
    }
    job->ex = ex;
    job->loop = loop;
    job->queue = queue;
    job->received_ns = ex->received_ns;
    job->base.deadline_ns = ex->received_ns + head.deadline_ns;
    job->base.class = head.class;
    job->base.tenant = head.tenant;
    struct api_error error;
    bool decoded = decode(loop, ex, job, &error);
    json_reader_release(&loop->reader);
    if (!decoded) {
        exchange_answer_error(loop, ex, &error);
        job_recycle(&loop->jobs, job);
        return;
    }
    if (queue->kind != COMPUTE_PREDICT)
        job->base.work = job->offsets[job->base.rows];
    http_set_deadline(ex, job->base.deadline_ns);
    submit(loop, ex, job);
}

/* --- out */

/* Milliseconds with three decimals: 1234567 ns is "1.234". */
static char *put_ms(char *at, uint64_t ns)
{
    uint64_t us = ns / NS_PER_US;
    at = put_count(at, us / 1000);
    *at++ = '.';
    for (uint64_t unit = 100; unit > 0; unit /= 10)
        *at++ = (char)('0' + us / unit % 10);
    return at;
}

/* Where the time went; the stages add up to the whole time in the server so far. */
static void add_timing(struct api_loop *loop, struct http_exchange *ex, const struct job *job,
                       uint64_t now_ns)
{
    static const char *const names[METRICS_STAGE_COUNT] = {
        "parse;dur=", ", queue;dur=", ", compute;dur=", ", write;dur="};
    const struct batcher_job *base = &job->base;
    const uint64_t borders_ns[METRICS_STAGE_COUNT + 1] = {
        job->received_ns, base->submitted_ns, base->sealed_ns, base->finished_ns, now_ns};
    char text[192]; /* with the longest numbers 171 */
    char *at = put_text(text, "Server-Timing: ");
    for (unsigned stage = 0; stage < METRICS_STAGE_COUNT; stage++) {
        uint64_t spent_ns = exchange_since(borders_ns[stage + 1], borders_ns[stage]);
        at = put_ms(put_text(at, names[stage]), spent_ns);
        metrics_observe(
            loop->shard, METRICS_COMPUTE_REQUEST_STAGE_SECONDS,
            metrics_labels(METRICS_COMPUTE_REQUEST_STAGE_SECONDS, job->queue->label, stage, 0),
            spent_ns);
    }
    at = put_count(put_text(at, "\r\nX-Batch-Size: "), base->batch_jobs);
    http_answer_lines(ex, text, (size_t)(at - text));
}

static void answer_result(struct api_loop *loop, struct http_exchange *ex, const struct job *job)
{
    const struct compute_queue *queue = job->queue;
    http_answer_begin(ex);
    if (queue->kind == COMPUTE_PREDICT)
        predict_encode(queue->model, job, &ex->answer);
    else
        indicator_encode(queue->kind, job, &ex->answer);
    uint64_t now_ns = clock_now_ns();
    const struct metrics_exemplar exemplar = exchange_exemplar(ex, now_ns);
    metrics_observe_exemplar(loop->shard, METRICS_BATCHER_REQUEST_LATENCY_SECONDS, queue->label,
                             exchange_since(now_ns, job->base.submitted_ns), &exemplar);
    if (job->base.deadline_ns != 0 && now_ns >= job->base.deadline_ns) {
        buffer_reset(&ex->answer, SIZE_MAX);
        count_job(loop, job, METRICS_REQUEST_STATUS_TIMEOUT);
        count_deadline_miss(loop, queue,
                            job->base.finished_ns >= job->base.deadline_ns
                                ? METRICS_DEADLINE_STAGE_EXECUTE
                                : METRICS_DEADLINE_STAGE_RESPOND);
        exchange_fail(loop, ex, API_DEADLINE_EXCEEDED, "the result came after the deadline");
        return;
    }
    count_job(loop, job, METRICS_REQUEST_STATUS_SUCCESS);
    add_timing(loop, ex, job, now_ns);
    http_answer(ex, 200, "application/json");
}

static void answer_unrun(struct api_loop *loop, struct http_exchange *ex, const struct job *job)
{
    const struct compute_queue *queue = job->queue;
    switch (job->base.status) {
    case BATCHER_EXPIRED:
        count_job(loop, job, METRICS_REQUEST_STATUS_TIMEOUT);
        count_deadline_miss(loop, queue, METRICS_DEADLINE_STAGE_QUEUE);
        exchange_fail(loop, ex, API_DEADLINE_EXCEEDED, "the request waited past its deadline");
        return;
    case BATCHER_STOPPING:
        count_rejection(loop, job, METRICS_REJECTION_SHUTTING_DOWN);
        exchange_fail(loop, ex, API_DRAINING, "the server is shutting down");
        return;
    default:
        count_job(loop, job, METRICS_REQUEST_STATUS_ERROR);
        exchange_fail(loop, ex, API_EXECUTION_FAILED, "the computation failed");
    }
}

void compute_request_done(struct api_loop *loop, struct batcher_job *list)
{
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
}

/* --- given up */

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

void compute_request_abort(struct api_loop *loop, struct http_exchange *ex, enum http_abort why)
{
    struct job *job = ex->user;
    ex->user = NULL;
    if (job == NULL)
        return;
    const struct compute_queue *queue = job->queue;
    job->ex = NULL;
    bool was_queued = batcher_cancel(compute_batcher(loop->api->compute), &job->base);
    count_job(loop, job, abort_status(why));
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
