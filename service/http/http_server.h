/*
 * http_server.h - HTTP/1.1 on one event loop: listeners, connections, timeouts.
 *
 * Knows nothing of what is served: a handler gets each request and answers it,
 * at once or later. Several servers (one per loop and thread) can share a
 * handler and a port.
 *
 *   Threads    everything here belongs to the thread that runs the loop, except
 *              http_server_create() before that thread starts.
 *   Ownership  the server owns its connections and listeners; a connection owns
 *              its exchange. Memory is freed in libuv's close callbacks.
 *   Life       create, add listeners, uv_run(), ..., http_server_stop(); when the
 *              last connection is gone, on_stopped; http_server_destroy() after
 *              uv_run() has returned.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "http_exchange.h"
#include "http_limits.h"

struct http_balance;
struct http_server;

/* What became of one exchange; told once per answer, also for refusals. */
struct http_outcome {
    int status;            /* 499: the client was gone before its answer */
    uint64_t received_ns;  /* the request was complete (or refused) */
    uint64_t answered_ns;  /* the answer was handed to the socket */
    size_t request_bytes;  /* body */
    size_t response_bytes; /* body */
};

enum http_abort {
    HTTP_ABORT_CLIENT_GONE, /* nobody waits for the answer */
    HTTP_ABORT_DEADLINE,    /* 504 is being answered instead */
    HTTP_ABORT_DRAINING,    /* the drain timeout is over; 503 is being answered instead */
};

struct http_handler {
    /* The head is complete. May answer at once, which refuses the body. */
    void (*on_headers)(void *ctx, struct http_exchange *ex);
    /* The request is complete: answer it now or later, exactly once. */
    void (*on_request)(void *ctx, struct http_exchange *ex);
    /* The exchange ends without the handler's answer; do not touch it any more. */
    void (*on_abort)(void *ctx, struct http_exchange *ex, enum http_abort why);
    /* After an answer or an abort; for counting. */
    void (*on_outcome)(void *ctx, struct http_exchange *ex, const struct http_outcome *outcome);
    /* A request ended before it reached on_request; for counting. */
    void (*on_protocol_error)(void *ctx, enum http_protocol_error reason);
    void (*on_connection)(void *ctx, bool accepted);
    /* All that a phase of the loop brought has been handed over. */
    void (*on_tick)(void *ctx);
    void (*on_stopped)(void *ctx);
};

struct http_server_config {
    uv_loop_t *loop;
    const struct http_limits *limits;   /* must outlive the server */
    const struct http_handler *handler; /* likewise */
    void *handler_ctx;                  /* what each callback gets first */
    atomic_size_t *connections;         /* open connections of all servers that share the limit */
    struct http_balance *balance; /* of all servers that share a Unix socket; NULL: none does */
    unsigned seat;                /* this one's in the balance */
};

/* 0 or a libuv error; *out is untouched on failure. */
int http_server_create(const struct http_server_config *config, struct http_server **out)
    __attribute__((warn_unused_result));

/* Takes over a bound socket and listens; on failure the socket is closed. `admin` marks
 * its requests. */
int http_server_listen(struct http_server *server, int fd, bool is_unix, bool admin)
    __attribute__((warn_unused_result));

/* From now on every answer says Connection: close. */
void http_server_close_politely(struct http_server *server);

/*
 * Stops listening, closes connections that are between two requests, lets the others
 * finish. on_stopped follows, at once or later.
 */
void http_server_stop(struct http_server *server);

/* Ends what http_server_stop() is still waiting for: 503 to every open request. */
void http_server_stop_now(struct http_server *server);

/* Requests that are being handled, and open connections, on this loop. */
size_t http_server_requests(const struct http_server *server);
size_t http_server_connections(const struct http_server *server);

/* After uv_run(). NULL is a no-op. */
void http_server_destroy(struct http_server *server);

#endif
