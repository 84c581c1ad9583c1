/*
 * connection.h - one connection to the target: a question, an answer, and again.
 *
 *   Threads    the loop's.
 *   Ownership  the connection is embedded in its user's struct, and is the
 *              loop's from connection_open() until on_closed.
 *   Order      connection_open() -> on_open | on_closed
 *              connection_send() -> on_answer | on_closed
 *              connection_close() -> on_closed
 *              on_closed comes last and always, from the loop and not from within
 *              these calls; it says why. The connection may be opened again there.
 *   Nothing is sent behind an unanswered question: no pipelining, as ordinary
 *   clients do none.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <uv.h>

#include "load_base.h"
#include "response.h"
#include "target.h"

enum {
    CONNECTION_ERROR_BODY_BYTES = 512, /* enough of an error body to see its code */
};

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_IDLE, /* open, nothing asked */
    CONNECTION_BUSY, /* asked, not answered */
    CONNECTION_CLOSING,
};

struct connection;

/* Why a connection ended, beside libuv's errors. */
enum connection_end {
    CONNECTION_END_OURS = 0,    /* connection_close(), or the answer said Connection: close */
    CONNECTION_END_UNASKED = 1, /* an answer without a question, e.g. "too many connections" */
    CONNECTION_END_BROKEN = 2,  /* the answer is not HTTP, or was cut off */
};

struct connection_events {
    void (*on_open)(struct connection *conn);
    /* The state is IDLE, and connection_send() is welcome, or CLOSING when the
     * server wants it so. `answer` is good until the call returns. */
    void (*on_answer)(struct connection *conn, const struct answer *answer, uint64_t now_ns);
    /* `end` is an enum connection_end or an error of libuv. A question that was
     * not answered when this is called will not be: `asked`. */
    void (*on_closed)(struct connection *conn, int end, bool asked);
};

/* What the connections of a loop share. */
struct connection_env {
    uv_loop_t *loop;
    const struct target *target;
    const struct connection_events *events;
    char *read_buffer; /* a read is taken apart before the next one begins */
    size_t read_bytes;
    void *ctx;
};

struct connection {
    enum connection_state state;
    const struct connection_env *env;
    uint64_t bytes_in;
    uint64_t bytes_out;

    struct response_parser _parser;
    bool _asked;
    int _end;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } _socket;
    uv_connect_t _connect;
    uv_write_t _write;
    char _error_body[CONNECTION_ERROR_BODY_BYTES];
};

/* `body` receives the bodies of answers, up to its capacity; NULL: a small buffer
 * of the connection's own. */
void connection_init(struct connection *conn, const struct connection_env *env, char *body,
                     size_t body_capacity);

/* From CLOSED. 0, or an error of libuv, and then nothing follows. */
int connection_open(struct connection *conn) __attribute__((warn_unused_result));

/* From IDLE. `data` must stay as it is until the answer or the end. */
void connection_send(struct connection *conn, const char *data, size_t bytes);

/* From any state; CLOSED and CLOSING stay as they are. */
void connection_close(struct connection *conn);

/* A sentence about `end` of on_closed. */
const char *connection_end_text(int end);

#endif
