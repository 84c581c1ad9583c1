/*
 * http_call.h - a request on its way and its answer: what an idle connection does without.
 *
 * Calls come from a pool of the loop, with the memory that they had before. It holds as
 * many as were needed at once; http_call_pool_shrink(), now and then, frees half of those
 * that nobody needed since it was called last.
 *
 *   Threads    the loop's thread only.
 *   Ownership  the pool's, until it is taken; then a connection's.
 */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include <uv.h>

#include "http_exchange.h"
#include "http_head.h"
#include "http_limits.h"
#include "http_parser.h"

enum {
    HTTP_READ_BYTES = 64 * 1024,          /* the most that one read brings */
    HTTP_CALL_KEEP_BYTES_MAX = 64 * 1024, /* of a body, of an answer, from one use to the next */
    HTTP_ANSWER_BYTES_MAX = 256 * 1024 * 1024,
    HTTP_CALLS_KEPT = 16, /* stay for the next peak, however long nobody needs them */
};

struct http_conn;

struct http_call {
    struct http_conn *conn;
    struct http_call *next; /* in the pool */
    uv_write_t write;
    uv_shutdown_t shutdown;
    int status;              /* of the answer */
    const char *answer_type; /* Content-Type of an early answer; static */
    uint64_t body_started_ns;
    size_t write_queue_bytes; /* at the last sweep, to see whether a slow client takes anything */
    size_t lingered_bytes;
    size_t head_bytes;
    size_t response_bytes;
    struct buffer body;    /* of the request */
    struct buffer pending; /* read, but behind the current request */
    struct http_parser parser;
    struct http_exchange exchange;
    char head[HTTP_HEAD_BYTES_MAX];
};

struct http_call_pool {
    const struct http_limits *limits;
    struct http_call *free;
    size_t count;
    size_t least; /* since the last shrinking: so many were not needed */
};

/* The most that a body may grow to, with what handlers want behind it. */
size_t http_call_body_bytes_max(const struct http_limits *limits);

void http_call_pool_init(struct http_call_pool *pool, const struct http_limits *limits);
void http_call_pool_deinit(struct http_call_pool *pool);

/* One as new, or NULL without memory. */
struct http_call *http_call_take(struct http_call_pool *pool);
/* What it was used for is forgotten; memory that is not unusually large stays. Its parser must be
 * between two messages, or have been restarted. */
void http_call_give_back(struct http_call_pool *pool, struct http_call *call);

void http_call_pool_shrink(struct http_call_pool *pool);
/* All but a few go at once. */
void http_call_pool_trim(struct http_call_pool *pool);

#endif
