/*
 * http_conn.c - see http_conn.h. Everything runs on the loop's thread.
 */
#include "http_conn.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base.h"

static void advance(struct http_conn *conn, const char *data, size_t bytes);
static void continue_pending(struct http_conn *conn);

enum {
    /* A refused request's body up to this size is read, so that the connection can go on. */
    DISCARD_BODY_BYTES_MAX = 64 * 1024,
    /* A slow body is given so long before its rate is looked at. */
    BODY_GRACE_S = 5,
    /* A connection that has not sent its first request yet is given so long when we stop. */
    FRESH_GRACE_MS = 250,
    PENDING_KEEP_BYTES_MAX = 4 * 1024,
    STATUS_CLIENT_GONE = 499,
};

static const char continue_answer[] = "HTTP/1.1 100 Continue\r\n\r\n";

static struct http_conn *conn_of(struct http_exchange *ex)
{
    return container_of(ex, struct http_call, exchange)->conn;
}

static uint64_t deadline_in(const struct http_conn *conn, uint64_t ns)
{
    return http_server_now_ns(conn->server) + ns;
}

static const struct http_handler *handler_of(const struct http_conn *conn)
{
    return conn->server->config.handler;
}

static void *handler_ctx(const struct http_conn *conn)
{
    return conn->server->config.handler_ctx;
}

/* Nothing of a request was read that is not answered. */
static bool at_boundary(const struct http_conn *conn)
{
    return conn->call == NULL || http_parser_at_boundary(&conn->call->parser);
}

static bool in_body(const struct http_conn *conn)
{
    return conn->call != NULL && conn->call->parser.in_body;
}

/* --- the end of a connection */

static void on_closed(uv_handle_t *handle)
{
    http_server_release(container_of(handle, struct http_conn, uv));
}

static void set_input_ended(struct http_conn *conn)
{
    if (!conn->input_ended && conn->state == CONN_HANDLING)
        conn->server->half_closed++;
    conn->input_ended = true;
}

/* The half-closed connections that wait for an answer are looked at more often. */
static void leave_handling(struct http_conn *conn)
{
    assert(conn->state == CONN_HANDLING);
    conn->server->requests--;
    if (conn->input_ended)
        conn->server->half_closed--;
}

static void tell_outcome(struct http_conn *conn, int status)
{
    if (!conn->outcome_due)
        return;
    conn->outcome_due = false;
    struct http_outcome outcome = {.status = status,
                                   .received_ns = conn->call->exchange.received_ns,
                                   .answered_ns = clock_now_ns(),
                                   .request_bytes = (size_t)conn->call->parser.body_bytes,
                                   .response_bytes = conn->call->response_bytes};
    handler_of(conn)->on_outcome(handler_ctx(conn), &conn->call->exchange, &outcome);
}

static void conn_close(struct http_conn *conn)
{
    if (conn->state == CONN_CLOSING)
        return;
    if (conn->state == CONN_HANDLING)
        leave_handling(conn);
    tell_outcome(conn, STATUS_CLIENT_GONE);
    conn->state = CONN_CLOSING;
    http_server_move(conn, CONNS_BUSY);
    uv_close(&conn->uv.handle, on_closed);
}

static void count_protocol_error(struct http_conn *conn, enum http_protocol_error reason)
{
    handler_of(conn)->on_protocol_error(handler_ctx(conn), reason);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status; /* the linger's deadline or the client's end closes, whatever this says */
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct http_conn *conn = container_of(handle, struct http_conn, uv);
    *buf = uv_buf_init(conn->server->read_buffer, HTTP_READ_BYTES);
}

static void restart_reading(struct http_conn *conn)
{
    conn->reading_stopped = false;
    if (!conn->input_ended && uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
        conn_close(conn);
}

/* Closing with unread input makes the kernel send a reset, which may overtake the answer.
 * So our side is shut, and what still comes is read and dropped for a while. */
static void linger(struct http_conn *conn)
{
    buffer_reset(&conn->call->pending, 0);
    if (conn->input_ended ||
        uv_shutdown(&conn->call->shutdown, &conn->uv.stream, on_shutdown) != 0) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_LINGERING;
    conn->deadline_ns = deadline_in(conn, conn->server->limits->linger_ns_max);
    if (conn->reading_stopped)
        restart_reading(conn);
}

/* --- answering */

static enum http_connection_header connection_header(const struct http_conn *conn)
{
    if (conn->close_after)
        return HTTP_CONNECTION_CLOSE;
    return conn->call->parser.request.version_1_0 ? HTTP_CONNECTION_KEEP_ALIVE
                                                  : HTTP_CONNECTION_UNSAID;
}

static void set_text(char *to, struct http_slice from)
{
    memcpy(to, from.at, from.bytes);
    to[from.bytes] = '\0';
}

static void make_request_id(struct http_conn *conn)
{
    struct http_exchange *ex = &conn->call->exchange;
    http_request_ids_next(&conn->server->ids, ex->request_id);
    ex->request_id[HTTP_TRACE_ID_BYTES] = '\0';
    ex->request_id_bytes = HTTP_TRACE_ID_BYTES;
}

/* What the client calls its request. An id that is not to be repeated is as good as none. */
static void take_ids(struct http_conn *conn)
{
    struct http_exchange *ex = &conn->call->exchange;
    const struct http_slice id = conn->call->parser.request.headers[HTTP_HEADER_REQUEST_ID];
    const struct http_slice parent = conn->call->parser.request.headers[HTTP_HEADER_TRACEPARENT];
    const char *trace_id = http_trace_id(parent.at, parent.bytes);
    if (trace_id != NULL)
        set_text(ex->trace_id, (struct http_slice){trace_id, HTTP_TRACE_ID_BYTES});
    if (!http_request_id_ok(id.at, id.bytes)) {
        make_request_id(conn);
        return;
    }
    set_text(ex->request_id, id);
    ex->request_id_bytes = id.bytes;
}

static void forget_ids(struct http_exchange *ex)
{
    ex->request_id_bytes = 0;
    ex->request_id[0] = ex->trace_id[0] = '\0';
}

static void write_head(struct http_conn *conn, const char *content_type)
{
    const struct http_exchange *ex = &conn->call->exchange;
    if (ex->request_id_bytes == 0) /* it was refused before its headers were there */
        make_request_id(conn);
    struct http_head head = {.status = conn->call->status,
                             .date = http_server_date(conn->server),
                             .content_type = content_type,
                             .content_length = ex->answer.bytes,
                             .connection = connection_header(conn),
                             .request_id = ex->request_id,
                             .request_id_bytes = ex->request_id_bytes,
                             .extra = ex->_extra,
                             .extra_bytes = ex->_extra_bytes};
    conn->call->head_bytes = http_head_write(&head, conn->call->head);
}

/* Ready for the next request on this connection. */
static void reset_exchange(struct http_conn *conn)
{
    struct http_exchange *ex = &conn->call->exchange;
    buffer_reset(&ex->answer, HTTP_CALL_KEEP_BYTES_MAX);
    ex->user = NULL;
    ex->tag = 0;
    ex->_extra_bytes = 0;
    conn->call->response_bytes = 0;
    conn->answer_early = false;
}

static void finish_answer(struct http_conn *conn)
{
    tell_outcome(conn, conn->call->status);
    conn->fresh = false;
    if (conn->close_after) {
        linger(conn);
        return;
    }
    http_parser_next(&conn->call->parser);
    reset_exchange(conn);
    forget_ids(&conn->call->exchange);
    buffer_move(&conn->server->spare_body, &conn->call->body);
    buffer_move(&conn->server->spare_answer, &conn->call->exchange.answer);
    conn->state = CONN_READING;
    conn->head_timed = false;
    conn->deadline_ns = deadline_in(conn, conn->server->limits->keep_alive_ns_max);
    if (!conn->advancing)
        continue_pending(conn);
}

static void on_written(uv_write_t *write, int status)
{
    struct http_conn *conn = container_of(write, struct http_call, write)->conn;
    if (conn->state == CONN_CLOSING)
        return;
    assert(conn->state == CONN_WRITING);
    if (status < 0)
        conn_close(conn);
    else
        finish_answer(conn);
}

/* As one piece where that is short: a system call with one piece is cheaper by more than the copy.
 */
static int write_answer(struct http_conn *conn, uv_buf_t *bufs, unsigned count)
{
    char *together = conn->server->write_buffer;
    if (count == 1 || bufs[0].len + bufs[1].len > HTTP_WRITE_BYTES)
        return uv_try_write(&conn->uv.stream, bufs, count);
    memcpy(together, bufs[0].base, bufs[0].len);
    memcpy(together + bufs[0].len, bufs[1].base, bufs[1].len);
    uv_buf_t both = uv_buf_init(together, (unsigned)(bufs[0].len + bufs[1].len));
    return uv_try_write(&conn->uv.stream, &both, 1);
}

/* Straight to the socket; only what does not fit there goes through libuv's queue. */
static void send_answer(struct http_conn *conn, const char *content_type)
{
    const struct http_request *req = &conn->call->parser.request;
    conn->state = CONN_WRITING;
    conn->close_after = conn->close_after || !req->keep_alive || conn->server->polite;
    write_head(conn, content_type);
    conn->call->response_bytes =
        req->method == HTTP_METHOD_HEAD ? 0 : conn->call->exchange.answer.bytes;
    uv_buf_t bufs[2] = {
        uv_buf_init(conn->call->head, (unsigned)conn->call->head_bytes),
        uv_buf_init(conn->call->exchange.answer.data, (unsigned)conn->call->response_bytes)};
    unsigned count = conn->call->response_bytes > 0 ? 2 : 1;
    int written = write_answer(conn, bufs, count);
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0) {
        conn_close(conn);
        return;
    }
    size_t done = (size_t)written;
    if (done == conn->call->head_bytes + conn->call->response_bytes) {
        finish_answer(conn);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        size_t part = done < bufs[i].len ? done : bufs[i].len;
        bufs[i].base += part;
        bufs[i].len -= part;
        done -= part;
    }
    conn->deadline_ns = deadline_in(conn, conn->server->limits->write_stall_ns_max);
    conn->call->write_queue_bytes = SIZE_MAX;
    if (uv_write(&conn->call->write, &conn->uv.stream, bufs, count, on_written) != 0)
        conn_close(conn);
}

void http_set_deadline(struct http_exchange *ex, uint64_t deadline_ns)
{
    struct http_conn *conn = conn_of(ex);
    assert(conn->state == CONN_HANDLING);
    if (deadline_ns < conn->deadline_ns)
        conn->deadline_ns = deadline_ns;
}

void http_answer_begin(struct http_exchange *ex)
{
    buffer_move(&ex->answer, &conn_of(ex)->server->spare_answer);
}

void http_answer_header(struct http_exchange *ex, const char *format, ...)
{
    size_t room = sizeof ex->_extra - ex->_extra_bytes;
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(ex->_extra + ex->_extra_bytes, room, format, args);
    va_end(args);
    assert(bytes > 0 && (size_t)bytes + 2 <= room);
    if (bytes <= 0 || (size_t)bytes + 2 > room)
        return;
    ex->_extra_bytes += (size_t)bytes;
    memcpy(ex->_extra + ex->_extra_bytes, "\r\n", 2);
    ex->_extra_bytes += 2;
}

void http_answer_lines(struct http_exchange *ex, const char *lines, size_t bytes)
{
    assert(ex->_extra_bytes + bytes + 2 <= sizeof ex->_extra);
    if (ex->_extra_bytes + bytes + 2 > sizeof ex->_extra)
        return;
    char *at = ex->_extra + ex->_extra_bytes;
    memcpy(at, lines, bytes);
    memcpy(at + bytes, "\r\n", 2);
    ex->_extra_bytes += bytes + 2;
}

/* Whether the rest of a refused request is worth reading: a short body of known length,
 * of a client that is not waiting for 100 Continue. Depends on the head alone, never on
 * what has already arrived. */
static bool body_is_worth_reading(const struct http_request *req)
{
    return !req->expects_continue && !req->chunked && req->content_length <= DISCARD_BODY_BYTES_MAX;
}

void http_answer(struct http_exchange *ex, int status, const char *content_type)
{
    struct http_conn *conn = conn_of(ex);
    assert(conn->state == CONN_READING || conn->state == CONN_HANDLING);
    if (ex->answer.failed) {
        static const char answer_failed[] = "there is no memory for the answer, or it is too large";
        /* The answer does not fit its bound or memory: say that instead. */
        buffer_reset(&ex->answer, 0);
        ex->_extra_bytes = 0;
        http_answer_error(ex, 500, "execution_failed", answer_failed, sizeof answer_failed - 1);
        return;
    }
    conn->call->status = status;
    conn->outcome_due = true;
    if (conn->state == CONN_HANDLING) {
        leave_handling(conn);
        send_answer(conn, content_type);
        return;
    }
    /* Refused by its headers. */
    conn->call->exchange.received_ns = clock_now_ns();
    if (body_is_worth_reading(&conn->call->parser.request)) {
        conn->answer_early = true;
        conn->call->parser.discard_body = true;
        conn->call->answer_type = content_type;
        return;
    }
    conn->close_after = true;
    send_answer(conn, content_type);
}

void http_answer_error(struct http_exchange *ex, int status, const char *code, const char *text,
                       size_t text_bytes)
{
    buffer_reset(&ex->answer, HTTP_CALL_KEEP_BYTES_MAX);
    buffer_append_str(&ex->answer, "{\"error\":");
    buffer_append_json_string(&ex->answer, text, text_bytes);
    buffer_append_str(&ex->answer, ",\"code\":\"");
    buffer_append_str(&ex->answer, code);
    buffer_append_str(&ex->answer, "\"}\n");
    if (ex->answer.failed) /* no memory even for this: the status alone */
        buffer_reset(&ex->answer, 0);
    http_answer(ex, status, ex->answer.bytes > 0 ? "application/json" : NULL);
}

/* Ends the exchange without the handler: its answer is ours. */
static void answer_instead(struct http_conn *conn, enum http_error error, const char *text)
{
    conn->close_after = true;
    http_answer_error(&conn->call->exchange, http_error_status(error), http_error_code(error), text,
                      strlen(text));
}

/* A request that is broken, too large or too slow: answer, and close. */
static void refuse(struct http_conn *conn, const struct http_refusal *refusal)
{
    assert(conn->state == CONN_READING);
    count_protocol_error(conn, refusal->reason);
    reset_exchange(conn);
    conn->call->exchange.request = NULL;
    conn->call->parser.request.expects_continue = true; /* nothing more of it is read */
    answer_instead(conn, refusal->error, refusal->text);
}

/* --- reading */

static void send_continue(struct http_conn *conn)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)continue_answer, sizeof continue_answer - 1);
    /* A socket with nothing else to send takes these bytes; if not, it is broken. */
    if (uv_try_write(&conn->uv.stream, &buf, 1) != (int)buf.len)
        conn_close(conn);
}

static void on_headers(struct http_conn *conn, size_t bytes_behind)
{
    const struct http_limits *limits = conn->server->limits;
    conn->call->body_started_ns = http_server_now_ns(conn->server);
    conn->deadline_ns = conn->call->body_started_ns + limits->body_ns_max;
    conn->call->exchange.request = &conn->call->parser.request;
    take_ids(conn);
    conn->call->exchange.body_is_here = !conn->call->parser.request.chunked &&
                                        conn->call->parser.request.content_length <= bytes_behind;
    handler_of(conn)->on_headers(handler_ctx(conn), &conn->call->exchange);
    buffer_move(&conn->call->body, &conn->server->spare_body);
    bool answered = conn->state != CONN_READING || conn->answer_early;
    if (!answered && conn->call->parser.request.expects_continue)
        send_continue(conn);
}

static void on_message(struct http_conn *conn)
{
    conn->call->exchange.received_ns = clock_now_ns();
    if (conn->answer_early) {
        send_answer(conn, conn->call->answer_type);
        return;
    }
    conn->outcome_due = true;
    conn->state = CONN_HANDLING;
    conn->server->requests++;
    if (conn->input_ended)
        conn->server->half_closed++;
    conn->deadline_ns = conn->call->exchange.received_ns + conn->server->limits->request_ns_max;
    handler_of(conn)->on_request(handler_ctx(conn), &conn->call->exchange);
    if (conn->state != CONN_HANDLING)
        return;
    buffer_reset(&conn->call->body, HTTP_CALL_KEEP_BYTES_MAX);
    buffer_move(&conn->server->spare_body, &conn->call->body);
}

/* Parses until the bytes are used up or a request has to be answered first. Returns how
 * many bytes were not used. */
static size_t parse(struct http_conn *conn, const char *data, size_t bytes)
{
    bool after_headers = false;
    while (conn->state == CONN_READING && (bytes > 0 || after_headers)) {
        size_t used;
        enum http_parse_result result = http_parser_feed(&conn->call->parser, data, bytes, &used);
        data += used;
        bytes -= used;
        after_headers = result == HTTP_PARSE_HEADERS;
        switch (result) {
        case HTTP_PARSE_MORE:
            break;
        case HTTP_PARSE_HEADERS:
            on_headers(conn, bytes);
            break;
        case HTTP_PARSE_MESSAGE:
            on_message(conn);
            break;
        case HTTP_PARSE_REFUSED:
            refuse(conn, &conn->call->parser.refusal);
            break;
        }
    }
    return bytes;
}

/* The time for a head runs from its first byte; for the first request, from accept. */
static void start_head_deadline(struct http_conn *conn)
{
    bool begun = conn->state == CONN_READING && !in_body(conn) && !at_boundary(conn);
    if (!begun || conn->head_timed)
        return;
    conn->head_timed = true;
    conn->deadline_ns = deadline_in(conn, conn->server->limits->header_ns_max);
}

static void keep_pending(struct http_conn *conn, const char *data, size_t bytes)
{
    if (bytes == 0 || (conn->state != CONN_HANDLING && conn->state != CONN_WRITING))
        return;
    buffer_append(&conn->call->pending, data, bytes);
    if (conn->call->pending.failed) {
        if (conn->state == CONN_HANDLING)
            handler_of(conn)->on_abort(handler_ctx(conn), &conn->call->exchange,
                                       HTTP_ABORT_CLIENT_GONE);
        conn_close(conn);
        return;
    }
    if (conn->call->pending.bytes >= conn->server->limits->pipelined_bytes_max) {
        conn->reading_stopped = true;
        uv_read_stop(&conn->uv.stream);
    }
}

/* Between two requests there is nothing to keep a call for. */
static void rest_if_idle(struct http_conn *conn)
{
    if (conn->state == CONN_READING && !conn->fresh && !conn->reading_stopped &&
        conn->call->pending.bytes == 0 && at_boundary(conn))
        http_server_end_call(conn);
}

static void advance(struct http_conn *conn, const char *data, size_t bytes)
{
    conn->advancing = true;
    size_t left = parse(conn, data, bytes);
    conn->advancing = false;
    start_head_deadline(conn);
    keep_pending(conn, data + bytes - left, left);
    rest_if_idle(conn);
}

static void end_input(struct http_conn *conn)
{
    if (at_boundary(conn)) {
        conn_close(conn);
        return;
    }
    refuse(conn, &(struct http_refusal){.error = HTTP_ERROR_BAD_REQUEST,
                                        .reason = HTTP_PROTOCOL_RESET,
                                        .text = "the connection ended inside the request"});
}

/* After an answer: what was read meanwhile comes first. */
static void continue_pending(struct http_conn *conn)
{
    while (conn->state == CONN_READING && conn->call->pending.bytes > 0) {
        size_t bytes = conn->call->pending.bytes;
        conn->advancing = true;
        size_t left = parse(conn, conn->call->pending.data, bytes);
        conn->advancing = false;
        /* Lingering has dropped it already. */
        if (conn->call->pending.bytes > 0)
            buffer_consume(&conn->call->pending, bytes - left);
        start_head_deadline(conn);
    }
    if (conn->state != CONN_READING)
        return;
    buffer_reset(&conn->call->pending, PENDING_KEEP_BYTES_MAX);
    if (conn->input_ended)
        end_input(conn);
    else if (conn->reading_stopped)
        restart_reading(conn);
    rest_if_idle(conn);
}

/* --- a client that leaves */

static void client_gone(struct http_conn *conn)
{
    if (conn->state == CONN_HANDLING)
        handler_of(conn)->on_abort(handler_ctx(conn), &conn->call->exchange,
                                   HTTP_ABORT_CLIENT_GONE);
    else if (conn->state == CONN_READING && !at_boundary(conn))
        count_protocol_error(conn, HTTP_PROTOCOL_RESET);
    conn_close(conn);
}

/*
 * A client that has shut its side may still wait for the answer, or be gone: both send
 * the same FIN. An interim answer tells: a peer that is gone answers it with a reset,
 * one that is there ignores it (RFC 9110, 15.2). The reset is seen at the next sweep.
 */
static void probe_half_closed(struct http_conn *conn)
{
    if (conn->call->parser.request.version_1_0)
        return;
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)continue_answer, sizeof continue_answer - 1);
    int written = uv_try_write(&conn->uv.stream, &buf, 1);
    if (written != (int)buf.len && written != UV_EAGAIN)
        client_gone(conn);
}

static bool peer_has_reset(struct http_conn *conn)
{
    int fd;
    if (conn->uv.handle.type != UV_TCP || uv_fileno(&conn->uv.handle, &fd) != 0)
        return false;
    struct tcp_info info = {0};
    socklen_t bytes = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 &&
           info.tcpi_state == TCP_CLOSE;
}

static void on_input_end(struct http_conn *conn)
{
    set_input_ended(conn);
    switch (conn->state) {
    case CONN_READING:
        end_input(conn);
        break;
    case CONN_HANDLING:
        probe_half_closed(conn);
        break;
    case CONN_WRITING:
    case CONN_CLOSING:
        break;
    case CONN_LINGERING:
        conn_close(conn);
        break;
    }
}

static void discard(struct http_conn *conn, size_t bytes)
{
    conn->call->lingered_bytes += bytes;
    if (conn->call->lingered_bytes > conn->server->limits->linger_bytes_max)
        conn_close(conn);
}

/* Without memory for a request there is none for an answer of our own making either. */
static bool has_call(struct http_conn *conn)
{
    static const char no_memory[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                    "Content-Length: 0\r\nConnection: close\r\n\r\n";
    if (conn->call != NULL || http_server_begin_call(conn))
        return true;
    count_protocol_error(conn, HTTP_PROTOCOL_TOO_LARGE); /* as the parser does without memory */
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)no_memory, sizeof no_memory - 1);
    (void)uv_try_write(&conn->uv.stream, &buf, 1);
    conn_close(conn);
    return false;
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
    struct http_conn *conn = container_of(stream, struct http_conn, uv);
    if (bytes == 0)
        return;
    if (bytes == UV_EOF) {
        on_input_end(conn);
        return;
    }
    if (bytes < 0) {
        client_gone(conn);
        return;
    }
    switch (conn->state) {
    case CONN_READING:
        if (has_call(conn))
            advance(conn, buf->base, (size_t)bytes);
        break;
    case CONN_HANDLING:
    case CONN_WRITING:
        keep_pending(conn, buf->base, (size_t)bytes);
        break;
    case CONN_LINGERING:
        discard(conn, (size_t)bytes);
        break;
    case CONN_CLOSING:
        break;
    }
}

/* --- what the server calls */

void http_conn_start(struct http_conn *conn)
{
    conn->state = CONN_READING;
    conn->head_timed = true;
    conn->deadline_ns = deadline_in(conn, conn->server->limits->header_ns_max);
    restart_reading(conn);
}

void http_conn_refuse(struct http_conn *conn)
{
    conn->state = CONN_READING;
    if (!http_server_begin_call(conn)) {
        conn_close(conn);
        return;
    }
    restart_reading(conn);
    if (conn->state != CONN_READING)
        return;
    conn->call->exchange.request = NULL;
    conn->call->parser.request.expects_continue = true;
    http_answer_header(&conn->call->exchange, "Retry-After: 1");
    answer_instead(conn, HTTP_ERROR_TOO_MANY_CONNECTIONS, "too many connections");
}

void http_conn_drop(struct http_conn *conn)
{
    conn->state = CONN_READING;
    conn_close(conn);
}

static bool body_is_too_slow(const struct http_conn *conn, uint64_t now_ns)
{
    uint64_t elapsed_s = (now_ns - conn->call->body_started_ns) / NS_PER_S;
    return elapsed_s >= BODY_GRACE_S &&
           conn->call->parser.body_bytes < elapsed_s * conn->server->limits->body_rate_min;
}

static void sweep_reading(struct http_conn *conn, uint64_t now_ns)
{
    bool slow = in_body(conn) && body_is_too_slow(conn, now_ns);
    if (now_ns < conn->deadline_ns && !slow)
        return;
    if (at_boundary(conn)) {
        conn_close(conn);
        return;
    }
    bool late_body = in_body(conn);
    refuse(conn,
           &(struct http_refusal){
               .error = HTTP_ERROR_REQUEST_TIMEOUT,
               .reason = late_body ? HTTP_PROTOCOL_TIMEOUT_BODY : HTTP_PROTOCOL_TIMEOUT_HEADER,
               .text = late_body ? "the body came too slowly" : "the head came too slowly"});
}

static void sweep_handling(struct http_conn *conn, uint64_t now_ns)
{
    if (conn->input_ended && peer_has_reset(conn)) {
        client_gone(conn);
    } else if (now_ns >= conn->deadline_ns) {
        handler_of(conn)->on_abort(handler_ctx(conn), &conn->call->exchange, HTTP_ABORT_DEADLINE);
        static const char text[] = "the request took longer than its deadline";
        http_answer_error(&conn->call->exchange, http_error_status(HTTP_ERROR_DEADLINE_EXCEEDED),
                          http_error_code(HTTP_ERROR_DEADLINE_EXCEEDED), text, sizeof text - 1);
    }
}

/* A slow reader is fine, one that takes nothing at all is not. */
static void sweep_writing(struct http_conn *conn, uint64_t now_ns)
{
    size_t queued = uv_stream_get_write_queue_size(&conn->uv.stream);
    if (queued < conn->call->write_queue_bytes)
        conn->deadline_ns = now_ns + conn->server->limits->write_stall_ns_max;
    conn->call->write_queue_bytes = queued;
    if (now_ns >= conn->deadline_ns)
        conn_close(conn);
}

void http_conn_sweep(struct http_conn *conn, uint64_t now_ns)
{
    switch (conn->state) {
    case CONN_READING:
        sweep_reading(conn, now_ns);
        break;
    case CONN_HANDLING:
        sweep_handling(conn, now_ns);
        break;
    case CONN_WRITING:
        sweep_writing(conn, now_ns);
        break;
    case CONN_LINGERING:
        if (now_ns >= conn->deadline_ns)
            conn_close(conn);
        break;
    case CONN_CLOSING:
        break;
    }
}

void http_conn_close_if_idle(struct http_conn *conn)
{
    if (conn->state != CONN_READING || !at_boundary(conn))
        return;
    /* A new connection most likely has its request on the way. */
    uint64_t since_ns = http_server_now_ns(conn->server) - conn->server->stopping_ns;
    if (!conn->fresh || since_ns > FRESH_GRACE_MS * NS_PER_MS)
        conn_close(conn);
}

void http_conn_give_up(struct http_conn *conn)
{
    static const char text[] = "the server is shutting down";
    if (conn->state == CONN_HANDLING)
        handler_of(conn)->on_abort(handler_ctx(conn), &conn->call->exchange, HTTP_ABORT_DRAINING);
    bool open = conn->state == CONN_HANDLING || (conn->state == CONN_READING && !at_boundary(conn));
    if (!open) {
        conn_close(conn);
        return;
    }
    conn->close_after = true;
    if (conn->state == CONN_READING) {
        reset_exchange(conn);
        conn->call->parser.request.expects_continue = true;
    }
    http_answer_error(&conn->call->exchange, 503, "draining", text, sizeof text - 1);
}
