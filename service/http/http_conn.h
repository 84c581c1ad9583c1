/*
 * http_conn.h - one connection: a socket, and a call while there is one.
 *
 * Shared by http_conn.c and http_server.c; nobody else includes it.
 *
 *   READING    parsing a request; leaves by a complete request (HANDLING), a
 *              refusal (WRITING), the end of the input or a deadline (CLOSING).
 *   HANDLING   the handler has the exchange. Input goes into `pending`, up to a
 *              bound, so that a client that leaves is noticed.
 *   WRITING    the answer is on its way. Then READING again, or LINGERING.
 *   LINGERING  our side is shut; input is discarded, so that no reset eats the
 *              answer; bounded in bytes and time.
 *   CLOSING    uv_close() was called; its callback frees the connection, and
 *              nothing else does.
 *
 * An idle connection is a few hundred bytes. What a request needs, from its first byte
 * to its answer, is a struct http_call: parser, exchange, buffers. It is taken from the
 * server's pool when the first byte is there, and goes back when the answer is out and
 * nothing is read behind it.
 *
 * Rules:
 *   1. Transitions happen in http_conn.c only.
 *   2. Parser callbacks record; advance() in http_conn.c decides.
 *   3. One libuv handle per connection; all deadlines are seen to by the
 *      server's one sweep timer. Connections without a call stand in lists in the
 *      order of their deadlines, so that a sweep looks at the first of them only.
 *   4. An exchange gets one answer or one abort.
 *   5. Bytes behind a request wait in `pending` until its answer is written.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <uv.h>

#include "http_balance.h"
#include "http_call.h"
#include "http_server.h"

enum http_conn_state {
    CONN_READING,
    CONN_HANDLING,
    CONN_WRITING,
    CONN_LINGERING,
    CONN_CLOSING
};

enum {
    HTTP_WRITE_BYTES = 16 * 1024,
};

/* Where a connection stands: deadlines ascend in both idle lists. */
enum http_conn_list {
    CONNS_BUSY,  /* with a call, or closing */
    CONNS_FRESH, /* nothing was read of it yet; CONN_READING */
    CONNS_IDLE,  /* between two requests; CONN_READING */
    CONNS_LISTS
};

struct http_conn {
    struct http_server *server;
    struct http_call *call; /* NULL: idle */
    struct http_conn *next; /* in one of the server's lists, or of free ones */
    struct http_conn *prev;
    uint64_t deadline_ns; /* of the current state, see http_conn_sweep() */
    enum http_conn_state state;
    enum http_conn_list list;
    bool admin;           /* it came through an admin listener */
    bool counted;         /* against the limit of connections; others only get a 503 */
    bool fresh;           /* no request of it was answered yet */
    bool head_timed;      /* the deadline of the current head is set */
    bool input_ended;     /* the client has shut its side */
    bool reading_stopped; /* `pending` is full */
    bool advancing;       /* advance() is on the stack */
    bool answer_early;    /* answered by its headers; sent when the short body is read */
    bool close_after;     /* the current answer is the last */
    bool outcome_due;     /* an exchange was started whose outcome was not told */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
};

/* First and last, because those that are idle go to the end. */
struct http_conns {
    struct http_conn *first;
    struct http_conn *last;
};

struct http_server {
    struct http_server_config config;
    const struct http_limits *limits;
    uv_timer_t sweep;
    uv_check_t tick;
    uv_prepare_t before_poll;
    struct http_listener *listeners;
    struct http_conns conns[CONNS_LISTS];
    size_t conns_count;
    struct http_conn *free_conns;
    size_t free_conns_count;
    struct http_call_pool calls;
    uint64_t shrink_ns;         /* the next time that it is looked at */
    size_t lingering_uncounted; /* refused connections that are still open */
    size_t listeners_waiting;   /* for memory, to take a connection */
    size_t half_closed;         /* connections whose client shut its side and waits for an answer */
    size_t requests;            /* being handled */
    uint64_t sweep_ms;
    bool stop_wanted;     /* http_server_stop() was called */
    uint64_t stopping_ns; /* when it was carried out; 0: not yet */
    bool polite;
    bool stopped_told;
    bool closing_handles;
    unsigned handles; /* open handles of the server itself */
    struct http_request_ids ids;
    char date[32]; /* of the second `date_s` */
    int64_t date_s;
    /* Memory that goes from call to call, so that it is still in the cache: a body is needed until
     * it has been read, an answer until it has been written, and mostly one after the other. */
    struct buffer spare_body;
    struct buffer spare_answer;
    /* Shared by all connections of the loop. */
    char read_buffer[HTTP_READ_BYTES];
    char write_buffer[HTTP_WRITE_BYTES];
};

/* A new connection over an accepted stream: arms reading. */
void http_conn_start(struct http_conn *conn);

/* A connection beyond the limit: 503 and close. */
void http_conn_refuse(struct http_conn *conn);

/* A connection that could not be accepted, or is too many even for a 503. */
void http_conn_drop(struct http_conn *conn);

/* Looks at the deadlines of one connection. */
void http_conn_sweep(struct http_conn *conn, uint64_t now_ns);

/* Closes it unless a request is being read, handled or answered. */
void http_conn_close_if_idle(struct http_conn *conn);

/* Answers 503 to whatever is open, and closes. */
void http_conn_give_up(struct http_conn *conn);

/* server's side: back to the pool, after the close callback. */
void http_server_release(struct http_conn *conn);

/* Into another of the server's lists, at its end. */
void http_server_move(struct http_conn *conn, enum http_conn_list list);

/* Gives the connection a call; false: there is no memory. */
bool http_server_begin_call(struct http_conn *conn) __attribute__((warn_unused_result));

/* Takes it away again; the connection is idle, until its deadline. */
void http_server_end_call(struct http_conn *conn);

/* The loop's clock: monotonic ns as of this turn of the loop. */
uint64_t http_server_now_ns(const struct http_server *server);

/* "Sun, 06 Nov 1994 08:49:37 GMT", made once a second. */
const char *http_server_date(struct http_server *server);

#endif
