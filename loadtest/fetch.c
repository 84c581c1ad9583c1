/*
 * fetch.c - see fetch.h.
 */
#include "fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"

enum {
    HEAD_BYTES_MAX = 2048,
};

struct fetching {
    struct connection conn;
    struct connection_env env;
    uv_loop_t loop;
    uv_timer_t timer;
    char *request;
    size_t request_bytes;
    struct fetch_answer *answer;
    bool answered;
    bool too_large;
    bool timed_out;
    int end;
    char read_buffer[16 * 1024];
};

static void on_timer_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void on_open(struct connection *conn)
{
    struct fetching *f = conn->env->ctx;
    connection_send(conn, f->request, f->request_bytes);
}

static void on_answer(struct connection *conn, const struct answer *answer, uint64_t now_ns)
{
    (void)now_ns;
    struct fetching *f = conn->env->ctx;
    f->answered = true;
    f->too_large = answer->body_bytes_total > answer->body_bytes;
    f->answer->status = answer->status;
    f->answer->body_bytes = answer->body_bytes;
    f->answer->body[answer->body_bytes] = '\0';
    connection_close(conn);
}

static void on_closed(struct connection *conn, int end, bool asked)
{
    (void)asked;
    struct fetching *f = conn->env->ctx;
    f->end = end;
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    struct fetching *f = timer->data;
    f->timed_out = true;
    connection_close(&f->conn);
}

static const struct connection_events EVENTS = {on_open, on_answer, on_closed};

static bool build_request(struct fetching *f, const struct fetch_request *request,
                          struct load_error *error)
{
    const char *text = request->body != NULL ? request->body : "";
    const size_t bytes_max = HEAD_BYTES_MAX + strlen(text);
    f->request = malloc(bytes_max);
    if (f->request == NULL)
        return load_fail(error, "out of memory");
    const int bytes = snprintf(f->request, bytes_max,
                               "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                               "Content-Length: %zu\r\nConnection: close\r\n%s\r\n%s",
                               request->method, request->path, f->env.target->host, strlen(text),
                               request->headers != NULL ? request->headers : "", text);
    if (bytes < 0 || (size_t)bytes >= bytes_max)
        return load_fail(error, "%s: the path or the headers are too long", request->path);
    f->request_bytes = (size_t)bytes;
    return true;
}

static bool run_loop(struct fetching *f, struct load_error *error)
{
    int rc = uv_loop_init(&f->loop);
    if (rc != 0)
        return load_fail(error, "no event loop: %s", uv_strerror(rc));
    uv_timer_init(&f->loop, &f->timer);
    f->timer.data = f;
    uv_timer_start(&f->timer, on_timeout, FETCH_TIMEOUT_MS, 0);
    rc = connection_open(&f->conn);
    if (rc != 0) {
        f->end = rc;
        uv_close((uv_handle_t *)&f->timer, on_timer_closed);
    }
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&f->loop) == 0 || load_fail(error, "the event loop did not end");
}

static bool judge(const struct fetching *f, const char *path, struct load_error *error)
{
    const char *target = f->env.target->text;
    if (f->timed_out)
        return load_fail(error, "%s did not answer %s within %d s", target, path,
                         FETCH_TIMEOUT_MS / 1000);
    if (!f->answered)
        return load_fail(error, "%s cannot be asked: %s", target, connection_end_text(f->end));
    if (f->too_large)
        return load_fail(error, "%s answered %s with more than %d bytes", target, path,
                         FETCH_BODY_BYTES_MAX);
    return true;
}

bool fetch(const struct target *target, const struct fetch_request *request,
           struct fetch_answer *out, struct load_error *error)
{
    struct fetching *f = calloc(1, sizeof *f);
    if (f == NULL)
        return load_fail(error, "out of memory");
    f->answer = out;
    f->env = (struct connection_env){.loop = &f->loop,
                                     .target = target,
                                     .events = &EVENTS,
                                     .read_buffer = f->read_buffer,
                                     .read_bytes = sizeof f->read_buffer,
                                     .ctx = f};
    connection_init(&f->conn, &f->env, out->body, FETCH_BODY_BYTES_MAX);
    const bool ok =
        build_request(f, request, error) && run_loop(f, error) && judge(f, request->path, error);
    free(f->request);
    free(f);
    return ok;
}
