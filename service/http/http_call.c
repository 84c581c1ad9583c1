#include "http_call.h"

#include <stdlib.h>

size_t http_call_body_bytes_max(const struct http_limits *limits)
{
    return limits->body_bytes_max + 64; /* see yyjson's padding */
}

void http_call_pool_init(struct http_call_pool *pool, const struct http_limits *limits)
{
    *pool = (struct http_call_pool){.limits = limits};
}

static struct http_call *create(const struct http_limits *limits)
{
    struct http_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    /* What one read may bring on top of the limit, twice: the last before reading stops, and one
     * that was under way. */
    buffer_init(&call->body, http_call_body_bytes_max(limits));
    buffer_init(&call->pending, limits->pipelined_bytes_max + 2 * (size_t)HTTP_READ_BYTES);
    buffer_init(&call->exchange.answer, HTTP_ANSWER_BYTES_MAX);
    http_parser_init(&call->parser, limits, &call->body);
    call->exchange.body = &call->body;
    return call;
}

static void destroy(struct http_call *call)
{
    http_parser_deinit(&call->parser);
    buffer_deinit(&call->body);
    buffer_deinit(&call->pending);
    buffer_deinit(&call->exchange.answer);
    free(call);
}

static struct http_call *pop(struct http_call_pool *pool)
{
    struct http_call *call = pool->free;
    pool->free = call->next;
    pool->count--;
    if (pool->count < pool->least)
        pool->least = pool->count;
    return call;
}

struct http_call *http_call_take(struct http_call_pool *pool)
{
    return pool->free != NULL ? pop(pool) : create(pool->limits);
}

void http_call_give_back(struct http_call_pool *pool, struct http_call *call)
{
    struct http_exchange *ex = &call->exchange;
    buffer_reset(&call->pending, 0);
    buffer_reset(&call->body, HTTP_CALL_KEEP_BYTES_MAX);
    buffer_reset(&ex->answer, HTTP_CALL_KEEP_BYTES_MAX);
    ex->request = NULL;
    ex->user = NULL;
    ex->tag = 0;
    ex->request_id_bytes = 0;
    ex->request_id[0] = ex->trace_id[0] = '\0';
    ex->_extra_bytes = 0;
    call->response_bytes = 0;
    call->lingered_bytes = 0;
    call->next = pool->free;
    pool->free = call;
    pool->count++;
}

void http_call_pool_shrink(struct http_call_pool *pool)
{
    size_t going = pool->least > HTTP_CALLS_KEPT ? (pool->least - HTTP_CALLS_KEPT + 1) / 2 : 0;
    while (going-- > 0)
        destroy(pop(pool));
    pool->least = pool->count;
}

void http_call_pool_trim(struct http_call_pool *pool)
{
    while (pool->count > HTTP_CALLS_KEPT)
        destroy(pop(pool));
}

void http_call_pool_deinit(struct http_call_pool *pool)
{
    while (pool->free != NULL)
        destroy(pop(pool));
}
