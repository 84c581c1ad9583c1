/*
 * connection.c - see connection.h.
 */
#include "connection.h"

#include <assert.h>
#include <string.h>

void connection_init(struct connection *conn, const struct connection_env *env, char *body,
                     size_t body_capacity)
{
    memset(conn, 0, sizeof *conn);
    conn->env = env;
    response_parser_init(&conn->_parser, body != NULL ? body : conn->_error_body,
                         body != NULL ? body_capacity : sizeof conn->_error_body);
}

/* --- The end. */

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *conn = handle->data;
    conn->state = CONNECTION_CLOSED;
    conn->env->events->on_closed(conn, conn->_end, conn->_asked);
}

static void end(struct connection *conn, int why)
{
    if (conn->state == CONNECTION_CLOSED || conn->state == CONNECTION_CLOSING)
        return;
    conn->_end = why;
    conn->state = CONNECTION_CLOSING;
    uv_close(&conn->_socket.handle, on_handle_closed);
}

void connection_close(struct connection *conn)
{
    end(conn, CONNECTION_END_OURS);
}

const char *connection_end_text(int end)
{
    switch (end) {
    case CONNECTION_END_OURS:
        return "closed";
    case CONNECTION_END_UNASKED:
        return "the server answered what was not asked";
    case CONNECTION_END_BROKEN:
        return "the answer is not HTTP, or was cut off";
    case UV_EOF:
        return "the server closed the connection";
    default:
        return uv_strerror(end);
    }
}

/* --- Answers. */

static void take_answer(struct connection *conn)
{
    const struct answer answer = conn->_parser.answer;
    conn->_asked = false;
    conn->state = CONNECTION_IDLE;
    response_parser_reset(&conn->_parser);
    if (!answer.keep_alive)
        end(conn, CONNECTION_END_OURS);
    conn->env->events->on_answer(conn, &answer, uv_hrtime());
}

static void take_bytes(struct connection *conn, const char *data, size_t bytes)
{
    size_t used;
    conn->bytes_in += bytes;
    if (conn->state != CONNECTION_BUSY)
        return end(conn, CONNECTION_END_UNASKED);
    switch (response_parser_feed(&conn->_parser, data, bytes, &used)) {
    case RESPONSE_MORE:
        return;
    case RESPONSE_BROKEN:
        return end(conn, CONNECTION_END_BROKEN);
    case RESPONSE_DONE:
        take_answer(conn);
        if (used < bytes)
            end(conn, CONNECTION_END_UNASKED);
    }
}

static void take_end(struct connection *conn, int error)
{
    if (error == UV_EOF && conn->state == CONNECTION_BUSY && conn->_parser.begun) {
        if (response_parser_end(&conn->_parser) != RESPONSE_DONE)
            return end(conn, CONNECTION_END_BROKEN);
        conn->_parser.answer.keep_alive = false;
        return take_answer(conn);
    }
    end(conn, error);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    const struct connection *conn = handle->data;
    *buf = uv_buf_init(conn->env->read_buffer, (unsigned)conn->env->read_bytes);
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
    struct connection *conn = stream->data;
    if (bytes > 0)
        take_bytes(conn, buf->base, (size_t)bytes);
    else if (bytes < 0)
        take_end(conn, (int)bytes);
}

/* --- The beginning. */

static void on_connected(uv_connect_t *connect, int status)
{
    struct connection *conn = connect->handle->data;
    if (conn->state != CONNECTION_CONNECTING)
        return; /* closed meanwhile */
    if (status != 0)
        return end(conn, status);
    const int rc = uv_read_start(&conn->_socket.stream, on_alloc, on_read);
    if (rc != 0)
        return end(conn, rc);
    conn->state = CONNECTION_IDLE;
    conn->env->events->on_open(conn);
}

static int open_unix(struct connection *conn)
{
    const int rc = uv_pipe_init(conn->env->loop, &conn->_socket.pipe, 0);
    if (rc != 0)
        return rc;
    conn->_socket.handle.data = conn;
    uv_pipe_connect(&conn->_connect, &conn->_socket.pipe, conn->env->target->unix_path,
                    on_connected);
    return 0;
}

static int open_tcp(struct connection *conn)
{
    int rc = uv_tcp_init(conn->env->loop, &conn->_socket.tcp);
    if (rc != 0)
        return rc;
    conn->_socket.handle.data = conn;
    rc = uv_tcp_connect(&conn->_connect, &conn->_socket.tcp,
                        (const struct sockaddr *)&conn->env->target->address, on_connected);
    if (rc != 0)
        end(conn, rc); /* told by on_closed: the handle has to be closed first */
    else
        uv_tcp_nodelay(&conn->_socket.tcp, 1);
    return 0;
}

int connection_open(struct connection *conn)
{
    assert(conn->state == CONNECTION_CLOSED);
    conn->_asked = false;
    conn->_end = CONNECTION_END_OURS;
    response_parser_reset(&conn->_parser);
    conn->state = CONNECTION_CONNECTING;
    const int rc = conn->env->target->is_unix ? open_unix(conn) : open_tcp(conn);
    if (rc != 0)
        conn->state = CONNECTION_CLOSED;
    return rc;
}

/* --- Questions. */

static void on_written(uv_write_t *write, int status)
{
    struct connection *conn = write->handle->data;
    if (status != 0)
        end(conn, status);
}

static void write_rest(struct connection *conn, const char *data, size_t bytes)
{
    const uv_buf_t buf = {.base = (char *)(uintptr_t)data, .len = bytes};
    const int rc = uv_write(&conn->_write, &conn->_socket.stream, &buf, 1, on_written);
    if (rc != 0)
        end(conn, rc);
}

void connection_send(struct connection *conn, const char *data, size_t bytes)
{
    assert(conn->state == CONNECTION_IDLE);
    const uv_buf_t buf = {.base = (char *)(uintptr_t)data, .len = bytes};
    conn->state = CONNECTION_BUSY;
    conn->_asked = true;
    conn->bytes_out += bytes;
    const int written = uv_try_write(&conn->_socket.stream, &buf, 1);
    if (written < 0 && written != UV_EAGAIN)
        return end(conn, written);
    const size_t done = written > 0 ? (size_t)written : 0;
    if (done < bytes)
        write_rest(conn, data + done, bytes - done);
}
