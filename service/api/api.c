#include "api.h"

#include <assert.h>
#include <string.h>

#include "account.h"
#include "batching_routes.h"
#include "compute_request.h"
#include "exchange.h"
#include "info.h"
#include "routes.h"

/* --- the head: everything that can be said before the body is read */

static bool encoding_ok(struct http_slice encoding)
{
    return encoding.at == NULL || http_slice_equals_nocase(encoding, "identity");
}

static const struct model_entry *find_model(struct api *api, const struct route *route)
{
    char name[128];
    size_t bytes;
    if (!route_decode_name(route->model, name, sizeof name, &bytes))
        return NULL;
    return model_repository_find(api->repository, name, bytes, route->version.at,
                                 route->version.bytes);
}

static bool token_ok(const struct api *api, struct http_slice authorization)
{
    size_t bytes = strlen(api->admin_token);
    return bytes == 0 || bearer_is(authorization, api->admin_token, bytes);
}

static bool check_model(struct api_loop *loop, struct http_exchange *ex, const struct route *route)
{
    const struct model_entry *entry = find_model(loop->api, route);
    if (entry == NULL) {
        exchange_fail(loop, ex, API_MODEL_NOT_FOUND, "no model \"%.*s\" with that version is here",
                      (int)(route->model.bytes < 128 ? route->model.bytes : 128), route->model.at);
        return false;
    }
    if (route->id == ROUTE_PREDICT && entry->model == NULL) {
        exchange_fail(loop, ex, API_MODEL_NOT_READY, "model \"%s\" could not be loaded: %.150s",
                      entry->name, entry->error.text);
        return false;
    }
    ex->user = (void *)(uintptr_t)entry;
    return true;
}

static bool check_media_type(struct api_loop *loop, struct http_exchange *ex)
{
    struct http_slice type = ex->request->headers[HTTP_HEADER_CONTENT_TYPE];
    if (type.at == NULL || exchange_media_type_is(type, "application/json"))
        return true;
    exchange_fail(loop, ex, API_UNSUPPORTED_MEDIA_TYPE,
                  "the body must be application/json, or say nothing");
    return false;
}

static bool check_body_headers(struct api_loop *loop, struct http_exchange *ex)
{
    const struct http_slice *headers = ex->request->headers;
    bool patch = exchange_route(ex) == ROUTE_QUEUE;
    if (patch ? !batching_check_media_type(loop, ex) : !check_media_type(loop, ex))
        return false;
    if (!encoding_ok(headers[HTTP_HEADER_CONTENT_ENCODING])) {
        exchange_fail(loop, ex, API_UNSUPPORTED_ENCODING, "no Content-Encoding is supported");
        return false;
    }
    return true;
}

/* The queue that serves a compute request whose model has been found. */
static struct compute_queue *queue_of(struct api *api, const struct http_exchange *ex)
{
    const struct model_entry *entry = ex->user;
    switch (exchange_route(ex)) {
    case ROUTE_SMA:
        return compute_queue_of_indicator(api->compute, COMPUTE_SMA);
    case ROUTE_EMA:
        return compute_queue_of_indicator(api->compute, COMPUTE_EMA);
    case ROUTE_RSI:
        return compute_queue_of_indicator(api->compute, COMPUTE_RSI);
    default:
        return compute_queue_of_model(api->compute, entry->model);
    }
}

static void on_headers(void *ctx, struct http_exchange *ex)
{
    struct api_loop *loop = ctx;
    struct route route = route_find(ex->request->path);
    if (route.id == ROUTE_NONE || (route.admin_only && !ex->admin)) {
        exchange_fail(loop, ex, API_NOT_FOUND, "nothing is here; see GET / for what is");
        return;
    }
    exchange_set_route(ex, route.id);
    if (!route_allows(&route, ex->request->method)) {
        http_answer_header(ex, "Allow: %s", route.allow);
        exchange_fail(loop, ex, API_METHOD_NOT_ALLOWED, "this path takes %s", route.allow);
        return;
    }
    if (ex->admin && !token_ok(loop->api, ex->request->headers[HTTP_HEADER_AUTHORIZATION])) {
        http_answer_header(ex, "WWW-Authenticate: Bearer");
        exchange_fail(loop, ex, API_UNAUTHORIZED, "the admin listener wants its bearer token");
        return;
    }
    if ((route.id == ROUTE_MODEL || route.id == ROUTE_PREDICT) && !check_model(loop, ex, &route))
        return;
    if ((route.id == ROUTE_QUEUE || route.id == ROUTE_RECENT) &&
        !batching_find_queue(loop, ex, route.queue))
        return;
    if (ex->request->method == HTTP_METHOD_PATCH)
        check_body_headers(loop, ex);
    if (!exchange_is_compute(ex) || !check_body_headers(loop, ex))
        return;
    struct compute_queue *queue = queue_of(loop->api, ex);
    if (compute_request_check(loop, ex, queue))
        ex->user = queue;
}

/* --- the whole request */

static void on_request(void *ctx, struct http_exchange *ex)
{
    struct api_loop *loop = ctx;
    struct api *api = loop->api;
    atomic_fetch_add_explicit(&api->in_flight, 1, memory_order_relaxed);
    ex->tag |= EXCHANGE_TAG_IN_FLIGHT;
    switch (exchange_route(ex)) {
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
        info_model(loop, ex, ex->user);
        break;
    case ROUTE_PREDICT:
    case ROUTE_SMA:
    case ROUTE_EMA:
    case ROUTE_RSI:
        compute_request_start(loop, ex, ex->user);
        break;
    case ROUTE_CONFIG:
        info_config(loop, ex);
        break;
    case ROUTE_BATCHING:
        batching_show_all(loop, ex);
        break;
    case ROUTE_QUEUE:
        batching_show_or_patch(loop, ex);
        break;
    case ROUTE_RECENT:
        batching_show_recent(loop, ex);
        break;
    case ROUTE_SELFTEST:
        info_selftest(loop, ex);
        break;
    case ROUTE_NONE:
        assert(false); /* answered in on_headers */
        break;
    }
}

/* --- jobs and exchanges that end */

/* Jobs of clients that are gone may still be running; they come back to this loop. */
static void tell_stopped(struct api_loop *loop)
{
    if (loop->stopped && loop->outstanding == 0)
        loop->on_stopped(loop);
}

static void on_jobs_done(void *ctx, struct batcher_job *list)
{
    struct api_loop *loop = ctx;
    compute_request_done(loop, list);
    tell_stopped(loop);
}

/* Each to its loop, as chains of neighbours that belong to one. `here` is the loop that we are on;
 * NULL: none. */
static void give_back(struct api_loop *here, struct batcher_job *list)
{
    while (list != NULL) {
        struct batcher_job *first = list, *last = list;
        struct api_loop *loop = container_of(first, struct job, base)->loop;
        while (last->next != NULL && container_of(last->next, struct job, base)->loop == loop)
            last = last->next;
        list = last->next;
        last->next = NULL;
        if (loop == here)
            on_jobs_done(loop, first);
        else
            completion_push(&loop->completion, first, last);
    }
}

void api_jobs_done(void *ctx, struct batcher_job *list)
{
    (void)ctx;
    give_back(NULL, list);
}

/* An answer may let the next pipelined request in, which the next look finds. */
static void on_tick(void *ctx)
{
    struct api_loop *loop = ctx;
    struct batcher *batcher = compute_batcher(loop->api->compute);
    if (loop_load_update(&loop->load, loop->uv)) /* a busy loop has a processor to itself */
        batcher_leave_processors(batcher, loop->load.busy ? 1 : -1);
    if (!loop->submitted)
        return;
    struct batcher_job *list;
    while ((list = batcher_run_brief(batcher, loop->index)) != NULL)
        give_back(loop, list);
    loop->submitted = false;
}

static void on_abort(void *ctx, struct http_exchange *ex, enum http_abort why)
{
    if (exchange_is_compute(ex))
        compute_request_abort(ctx, ex, why);
}

static void on_outcome(void *ctx, struct http_exchange *ex, const struct http_outcome *outcome)
{
    account_outcome(ctx, ex, outcome);
}

static void on_protocol_error(void *ctx, enum http_protocol_error reason)
{
    account_protocol_error(ctx, reason);
}

static void on_connection(void *ctx, bool accepted)
{
    account_connection(ctx, accepted);
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

int api_loop_init(struct api_loop *loop, struct api *api, uv_loop_t *uv, unsigned index)
{
    loop->api = api;
    loop->index = index;
    loop->uv = uv;
    loop->shard = metrics_shard(api->metrics, index);
    job_pool_init(&loop->jobs);
    struct json_limits limits = {.depth_max = api->config->json_depth_max,
                                 .number_bytes_max = api->config->json_number_bytes_max};
    json_reader_init(&loop->reader, &limits);
    /* "auto", and what is there for kernels alone, stay with the best. */
    const struct number_scan *wanted = number_scan_for(api->config->isa);
    if (wanted != NULL)
        loop->reader.numbers = wanted;
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
