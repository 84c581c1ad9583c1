/*
 * A real server on the test's own loop, and clients on plain sockets in the same thread. Every
 * wait is for an event: wait_until() turns the loop and sleeps in poll() until the loop or the
 * client has something. Only a test that is about to fail runs into WAIT_S_MAX.
 */
#include "http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base.h"

enum {
    WAIT_S_MAX = 20,
    HELD_MAX = 64,
    BIG_ANSWER_BYTES = 16 * 1024 * 1024,
    SHORT_MS = 40, /* a timeout that a test waits for */
    SOON_MS = 30,
};

struct fixture {
    uv_loop_t loop;
    struct http_limits limits;
    struct http_server *server;
    atomic_size_t connections;
    struct sockaddr_in tcp;
    struct sockaddr_un unix_name;
    socklen_t unix_bytes;
    struct http_exchange *held[HELD_MAX]; /* answered when the test says so */
    size_t held_count;
    struct buffer log;           /* aborts, outcomes and protocol errors, in order */
    struct http_outcome outcome; /* the last one */
    size_t accepted;
    size_t rejected;
    size_t admin_requests;
    unsigned stopped;
};

struct client {
    struct fixture *f;
    int fd;
    bool ended;
    struct buffer in;
};

/* --- the handler */

static void log_event(struct fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void log_event(struct fixture *f, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_append_format(&f->log, "%s%s", f->log.bytes > 0 ? ", " : "", text);
}

/* "path?query body". */
static void echo(struct http_exchange *ex)
{
    const struct http_request *req = ex->request;
    buffer_append(&ex->answer, req->path.at, req->path.bytes);
    if (req->query.at != NULL)
        buffer_append_format(&ex->answer, "?%.*s", (int)req->query.bytes, req->query.at);
    if (ex->body->bytes > 0)
        buffer_append_format(&ex->answer, " %.*s", (int)ex->body->bytes, ex->body->data);
    http_answer(ex, 200, "text/plain");
}

static void on_headers(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    f->admin_requests += ex->admin;
    if (!http_slice_equals(ex->request->path, "/refused"))
        return;
    http_answer_header(ex, "Allow: %s", "GET");
    http_answer_error(ex, 405, "method_not_allowed", "no \"way\"", 8);
}

static void hold(struct fixture *f, struct http_exchange *ex)
{
    assert_in_range(f->held_count, 0, HELD_MAX - 1);
    f->held[f->held_count++] = ex;
}

static void on_request(void *ctx, struct http_exchange *ex)
{
    struct fixture *f = ctx;
    struct http_slice path = ex->request->path;
    if (http_slice_equals(path, "/later")) {
        hold(f, ex);
    } else if (http_slice_equals(path, "/soon")) {
        http_set_deadline(ex, ex->received_ns + SOON_MS * NS_PER_MS);
        hold(f, ex);
    } else if (http_slice_equals(path, "/big")) {
        char *room = buffer_reserve(&ex->answer, BIG_ANSWER_BYTES);
        assert_non_null(room);
        memset(room, 'b', BIG_ANSWER_BYTES);
        buffer_commit(&ex->answer, BIG_ANSWER_BYTES);
        http_answer(ex, 200, "text/plain");
    } else if (http_slice_equals(path, "/failed")) {
        assert_null(buffer_reserve(&ex->answer, SIZE_MAX / 2));
        http_answer(ex, 200, "text/plain");
    } else {
        echo(ex);
    }
}

static void on_abort(void *ctx, struct http_exchange *ex, enum http_abort why)
{
    static const char *const reasons[] = {[HTTP_ABORT_CLIENT_GONE] = "gone",
                                          [HTTP_ABORT_DEADLINE] = "deadline",
                                          [HTTP_ABORT_DRAINING] = "draining"};
    struct fixture *f = ctx;
    size_t i = 0;
    while (i < f->held_count && f->held[i] != ex)
        i++;
    assert_in_range(i, 0, f->held_count - 1); /* only what is being handled is aborted */
    f->held[i] = f->held[--f->held_count];
    log_event(f, "abort %s", reasons[why]);
}

static void on_outcome(void *ctx, struct http_exchange *ex, const struct http_outcome *outcome)
{
    struct fixture *f = ctx;
    (void)ex;
    f->outcome = *outcome;
    assert_true(outcome->answered_ns >= outcome->received_ns);
    log_event(f, "%d", outcome->status);
}

static void on_protocol_error(void *ctx, enum http_protocol_error reason)
{
    static const char *const reasons[] = {
        [HTTP_PROTOCOL_BAD_REQUEST_LINE] = "line",  [HTTP_PROTOCOL_BAD_HEADER] = "header",
        [HTTP_PROTOCOL_BAD_CHUNK] = "chunk",        [HTTP_PROTOCOL_SMUGGLING] = "smuggling",
        [HTTP_PROTOCOL_TOO_LARGE] = "large",        [HTTP_PROTOCOL_TIMEOUT_HEADER] = "slow head",
        [HTTP_PROTOCOL_TIMEOUT_BODY] = "slow body", [HTTP_PROTOCOL_RESET] = "reset",
    };
    log_event(ctx, "%s", reasons[reason]);
}

static void on_connection(void *ctx, bool accepted)
{
    struct fixture *f = ctx;
    f->accepted += accepted;
    f->rejected += !accepted;
}

static void on_tick(void *ctx)
{
    (void)ctx;
}

static void on_stopped(void *ctx)
{
    struct fixture *f = ctx;
    f->stopped++;
}

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

static void answer_held(struct fixture *f, size_t index)
{
    assert_in_range(index, 0, f->held_count - 1);
    struct http_exchange *ex = f->held[index];
    memmove(&f->held[index], &f->held[index + 1], (f->held_count - index - 1) * sizeof f->held[0]);
    f->held_count--;
    echo(ex);
}

/* --- waiting */

/* One turn of the loop, then sleep until the loop or the client has something to do. */
static void turn(struct fixture *f, int fd)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
    int timeout_ms = uv_backend_timeout(&f->loop);
    if (timeout_ms < 0 || timeout_ms > 100)
        timeout_ms = 100;
    struct pollfd fds[] = {{.fd = uv_backend_fd(&f->loop), .events = POLLIN},
                           {.fd = fd, .events = POLLIN}};
    poll(fds, ARRAY_SIZE(fds), timeout_ms);
}

#define WAIT_UNTIL(f, fd, fact)                                              \
    do {                                                                     \
        uint64_t limit_ns_ = clock_now_ns() + WAIT_S_MAX * NS_PER_S;         \
        while (!(fact)) {                                                    \
            if (clock_now_ns() > limit_ns_)                                  \
                fail_msg("%d s have passed without: %s", WAIT_S_MAX, #fact); \
            turn((f), (fd));                                                 \
        }                                                                    \
    } while (0)

static void expect_log(struct fixture *f, const char *expected)
{
    buffer_append(&f->log, "", 1);
    assert_false(f->log.failed);
    assert_string_equal(f->log.data, expected);
    f->log.bytes--;
}

/* Waits for so many outcomes, aborts and protocol errors, and compares them. */
static void wait_for_log(struct fixture *f, const char *expected)
{
    WAIT_UNTIL(f, -1, f->log.bytes >= strlen(expected));
    expect_log(f, expected);
}

/* --- life cycle */

static void setup(struct fixture *f)
{
    *f = (struct fixture){.limits = {.connections_max = 16,
                                     .request_line_bytes_max = 1024,
                                     .headers_bytes_max = 4096,
                                     .headers_max = 32,
                                     .chunk_extension_bytes_max = 64,
                                     .chunks_max = 64,
                                     .body_bytes_max = 128 * KIB,
                                     .pipelined_bytes_max = 64 * KIB,
                                     .header_ns_max = 10 * NS_PER_S,
                                     .body_ns_max = 10 * NS_PER_S,
                                     .body_rate_min = 0,
                                     .keep_alive_ns_max = 10 * NS_PER_S,
                                     .write_stall_ns_max = 10 * NS_PER_S,
                                     .request_ns_max = 10 * NS_PER_S,
                                     .linger_bytes_max = 64 * MIB,
                                     .linger_ns_max = 10 * NS_PER_S}};
    buffer_init(&f->log, 64 * KIB);
    assert_int_equal(uv_loop_init(&f->loop), 0);
}

static int listen_tcp(struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->tcp = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof f->tcp;
    assert_int_equal(bind(fd, (struct sockaddr *)&f->tcp, bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&f->tcp, &bytes), 0);
    return fd;
}

/* A name that the kernel chooses, in the abstract name space: no file is left behind. */
static int listen_unix(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    f->unix_name = (struct sockaddr_un){.sun_family = AF_UNIX};
    assert_int_equal(bind(fd, (struct sockaddr *)&f->unix_name, sizeof(sa_family_t)), 0);
    f->unix_bytes = sizeof f->unix_name;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&f->unix_name, &f->unix_bytes), 0);
    return fd;
}

/* With the limits that the test has set. */
static void start(struct fixture *f)
{
    struct http_server_config config = {.loop = &f->loop,
                                        .limits = &f->limits,
                                        .handler = &handler,
                                        .handler_ctx = f,
                                        .connections = &f->connections};
    assert_int_equal(http_server_create(&config, &f->server), 0);
    assert_int_equal(http_server_listen(f->server, listen_tcp(f), false, false), 0);
    assert_int_equal(http_server_listen(f->server, listen_unix(f), true, true), 0);
}

/* Everything must be gone: this is the test for leaks of handles. */
static void finish(struct fixture *f)
{
    http_server_stop(f->server);
    WAIT_UNTIL(f, -1, f->stopped > 0);
    while (uv_run(&f->loop, UV_RUN_NOWAIT) != 0)
        turn(f, -1);
    assert_int_equal(f->stopped, 1);
    assert_int_equal(f->held_count, 0);
    assert_int_equal(atomic_load(&f->connections), 0);
    assert_int_equal(http_server_connections(f->server), 0);
    assert_int_equal(http_server_requests(f->server), 0);
    http_server_destroy(f->server);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    buffer_deinit(&f->log);
}

/* --- clients */

static struct client attach(struct fixture *f, int fd)
{
    struct client c = {.f = f, .fd = fd};
    buffer_init(&c.in, 64 * MIB);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return c;
}

/* The kernel takes the connection before the server does. */
static struct client connect_tcp(struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f->tcp, sizeof f->tcp), 0);
    return attach(f, fd);
}

static struct client connect_unix(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f->unix_name, f->unix_bytes), 0);
    return attach(f, fd);
}

static void leave(struct client *c)
{
    close(c->fd);
    buffer_deinit(&c->in);
}

/* Sends what the socket takes now. */
static size_t try_send(struct client *c, const char *data, size_t bytes)
{
    ssize_t sent = send(c->fd, data, bytes, MSG_NOSIGNAL);
    if (sent < 0)
        assert_int_equal(errno, EAGAIN);
    return sent > 0 ? (size_t)sent : 0;
}

static void send_bytes(struct client *c, const char *data, size_t bytes)
{
    uint64_t limit_ns = clock_now_ns() + WAIT_S_MAX * NS_PER_S;
    for (size_t sent = 0; sent < bytes;) {
        sent += try_send(c, data + sent, bytes - sent);
        uv_run(&c->f->loop, UV_RUN_NOWAIT);
        assert_true(clock_now_ns() < limit_ns);
    }
}

static void send_text(struct client *c, const char *text)
{
    send_bytes(c, text, strlen(text));
}

/* Reads what is there; true when it was something, or the end. */
static bool receive(struct client *c)
{
    char *room = buffer_reserve(&c->in, 64 * KIB);
    assert_non_null(room);
    ssize_t bytes = recv(c->fd, room, 64 * KIB, 0);
    if (bytes < 0 && errno != EAGAIN)
        fail_msg("recv: %s", strerror(errno));
    if (bytes > 0)
        buffer_commit(&c->in, (size_t)bytes);
    c->ended = c->ended || bytes == 0;
    return bytes >= 0;
}

static bool has_received(struct client *c, size_t bytes)
{
    while (!c->ended && c->in.bytes < bytes)
        if (!receive(c))
            return false;
    return true;
}

/* Waits until the input begins with `text`, and takes it. */
static void expect_text(struct client *c, const char *text)
{
    size_t bytes = strlen(text);
    WAIT_UNTIL(c->f, c->fd, has_received(c, bytes));
    assert_true(bytes <= c->in.bytes);
    assert_memory_equal(c->in.data, text, bytes);
    buffer_consume(&c->in, bytes);
}

static bool has_head(struct client *c)
{
    while (c->in.bytes == 0 || memmem(c->in.data, c->in.bytes, "\r\n\r\n", 4) == NULL) {
        if (c->ended)
            fail_msg("the connection ended after %zu bytes: %.*s", c->in.bytes, (int)c->in.bytes,
                     c->in.bytes > 0 ? c->in.data : "");
        if (!receive(c))
            return false;
    }
    return true;
}

/* One answer. `want` are lines that its head must have, "!line" one that it must not. */
static void expect_answer_with(struct client *c, bool is_head, int status, const char *body,
                               const char *const *want)
{
    WAIT_UNTIL(c->f, c->fd, has_head(c));
    char *end = memmem(c->in.data, c->in.bytes, "\r\n\r\n", 4);
    size_t head_bytes = (size_t)(end - c->in.data) + 4;
    char *head = strndup(c->in.data, head_bytes);
    int got;
    assert_int_equal(sscanf(head, "HTTP/1.1 %d ", &got), 1);
    if (got != status)
        print_error("%.*s\n", (int)c->in.bytes, c->in.data);
    assert_int_equal(got, status);
    assert_non_null(strstr(head, "\r\nDate: "));
    for (; *want != NULL; want++) {
        bool absent = **want == '!';
        if ((strstr(head, *want + absent) == NULL) != absent)
            fail_msg("%s is wrong in\n%s", *want, head);
    }
    size_t length;
    const char *field = strstr(head, "\r\nContent-Length: ");
    assert_non_null(field);
    assert_int_equal(sscanf(field, "\r\nContent-Length: %zu", &length), 1);
    free(head);
    buffer_consume(&c->in, head_bytes);
    if (is_head) {
        assert_int_equal(length, strlen(body));
        return;
    }
    WAIT_UNTIL(c->f, c->fd, has_received(c, length));
    assert_in_range(length, 0, c->in.bytes);
    if (body != NULL) {
        assert_int_equal(length, strlen(body));
        assert_memory_equal(c->in.data, body, length);
    }
    buffer_consume(&c->in, length);
}

#define EXPECT_ANSWER(c, status, body, ...) \
    expect_answer_with((c), false, (status), (body), (const char *const[]){__VA_ARGS__, NULL})

/* On a connection that goes on, and on one that closes. */
#define EXPECT_GOING(c, status, body) EXPECT_ANSWER(c, status, body, "!Connection: close")
#define EXPECT_LAST(c, status, body) EXPECT_ANSWER(c, status, body, "Connection: close\r\n")

/* The end of the connection, in order and with nothing before it. */
static void expect_end(struct client *c)
{
    WAIT_UNTIL(c->f, c->fd, has_received(c, 1));
    if (c->in.bytes > 0)
        fail_msg("more came: %.*s", (int)c->in.bytes, c->in.data);
}

static void expect_nothing(struct client *c)
{
    receive(c);
    assert_int_equal(c->in.bytes, 0);
    assert_false(c->ended);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(target, headers) "POST " target " HTTP/1.1\r\nHost: a\r\n" headers "\r\n"

/* --- requests and answers */

static void a_connection_serves_request_after_request(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/a"));
    EXPECT_ANSWER(&c, 200, "/a", "Content-Type: text/plain\r\n", "!Connection:");
    send_text(&c, POST("/b", "Content-Length: 5\r\n") "hello");
    EXPECT_GOING(&c, 200, "/b hello");
    assert_int_equal(f.outcome.request_bytes, 5);
    assert_int_equal(f.outcome.response_bytes, 8);
    send_text(&c, GET("/c?d"));
    EXPECT_GOING(&c, 200, "/c?d");
    assert_int_equal(f.accepted, 1);
    expect_log(&f, "200, 200, 200");
    leave(&c);
    finish(&f);
}

static void a_unix_socket_serves_too_and_marks_its_listener(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_unix(&f);
    send_text(&c, GET("/a"));
    EXPECT_GOING(&c, 200, "/a");
    assert_int_equal(f.admin_requests, 1);
    leave(&c);
    c = connect_tcp(&f);
    send_text(&c, GET("/b"));
    EXPECT_GOING(&c, 200, "/b");
    assert_int_equal(f.admin_requests, 1);
    leave(&c);
    finish(&f);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    static const char request[] =
        POST("/a", "Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n0\r\n\r\n";
    for (size_t i = 0; i < sizeof request - 1; i++)
        send_bytes(&c, request + i, 1);
    EXPECT_GOING(&c, 200, "/a hello");
    expect_log(&f, "200");
    leave(&c);
    finish(&f);
}

static void pipelined_requests_are_answered_in_order_also_later(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/later?1") GET("/now?2") GET("/later?3") GET("/now?4"));
    WAIT_UNTIL(&f, c.fd, f.held_count == 1);
    expect_nothing(&c);
    answer_held(&f, 0);
    EXPECT_GOING(&c, 200, "/later?1");
    EXPECT_GOING(&c, 200, "/now?2");
    WAIT_UNTIL(&f, c.fd, f.held_count == 1);
    expect_nothing(&c);
    answer_held(&f, 0);
    EXPECT_GOING(&c, 200, "/later?3");
    EXPECT_GOING(&c, 200, "/now?4");
    expect_log(&f, "200, 200, 200, 200");
    leave(&c);
    finish(&f);
}

/* A request that has begun behind the one that is handled is finished after it. */
static void half_a_pipelined_request_waits_for_its_rest(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/later?1") "POST /b HTTP/1.1\r\nHo");
    WAIT_UNTIL(&f, c.fd, f.held_count == 1);
    answer_held(&f, 0);
    EXPECT_GOING(&c, 200, "/later?1");
    send_text(&c, "st: a\r\nContent-Length: 2\r\n\r\nh");
    send_text(&c, "i");
    EXPECT_GOING(&c, 200, "/b hi");
    leave(&c);
    finish(&f);
}

/* Everything runs in this thread, so that a socket that is full after a turn of the loop
 * is one that the server does not read. */
static size_t send_until_full(struct client *c, const char *text)
{
    size_t bytes = strlen(text), sent = 0;
    for (int full = 0; full < 3;) {
        size_t part = try_send(c, text + sent % bytes, bytes - sent % bytes);
        sent += part;
        full = part > 0 ? 0 : full + 1;
        uv_run(&c->f->loop, UV_RUN_NOWAIT);
    }
    return sent;
}

static void too_many_pipelined_bytes_stop_reading_until_there_is_room(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.pipelined_bytes_max = KIB;
    start(&f);
    struct client c = connect_unix(&f);
    static const char request[] = GET("/n");
    size_t bytes = sizeof request - 1;
    send_text(&c, GET("/later"));
    WAIT_UNTIL(&f, c.fd, f.held_count == 1);
    size_t sent = send_until_full(&c, request);
    assert_in_range(sent, KIB, 4 * MIB);
    answer_held(&f, 0);
    EXPECT_GOING(&c, 200, "/later");
    if (sent % bytes != 0)
        send_bytes(&c, request + sent % bytes, bytes - sent % bytes);
    for (size_t i = 0; i < (sent + bytes - 1) / bytes; i++)
        EXPECT_GOING(&c, 200, "/n");
    send_text(&c, GET("/end"));
    EXPECT_GOING(&c, 200, "/end");
    leave(&c);
    finish(&f);
}

static void head_has_the_length_and_no_body(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, "HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" GET("/d"));
    expect_answer_with(&c, true, 200, "/abc", (const char *const[]){NULL});
    EXPECT_GOING(&c, 200, "/d");
    leave(&c);
    finish(&f);
}

static void http_1_0_says_whether_the_connection_goes_on(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_ANSWER(&c, 200, "/a", "Connection: keep-alive\r\n");
    send_text(&c, "GET /b HTTP/1.0\r\n\r\n");
    EXPECT_LAST(&c, 200, "/b");
    expect_end(&c);
    leave(&c);
    finish(&f);
}

static void bytes_behind_the_last_request_do_not_spoil_its_answer(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/b") "rubbish");
    EXPECT_LAST(&c, 200, "/a");
    expect_end(&c);
    expect_log(&f, "200");
    leave(&c);
    finish(&f);
}

static void an_answer_that_does_not_fit_becomes_500(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/failed"));
    EXPECT_GOING(&c, 500,
                 "{\"error\":\"there is no memory for the answer, or it is too "
                 "large\",\"code\":\"execution_failed\"}\n");
    expect_log(&f, "500");
    leave(&c);
    finish(&f);
}

static void many_clients_reuse_what_others_left(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    for (int round = 0; round < 10; round++) {
        struct client clients[8];
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
            clients[i] = i % 2 == 0 ? connect_tcp(&f) : connect_unix(&f);
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
            send_text(&clients[i], GET("/later") GET("/a"));
        WAIT_UNTIL(&f, -1, f.held_count == ARRAY_SIZE(clients));
        assert_int_equal(http_server_requests(f.server), ARRAY_SIZE(clients));
        while (f.held_count > 0)
            answer_held(&f, f.held_count - 1);
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
            EXPECT_GOING(&clients[i], 200, "/later");
            EXPECT_GOING(&clients[i], 200, "/a");
            leave(&clients[i]);
        }
        WAIT_UNTIL(&f, -1, http_server_connections(f.server) == 0);
    }
    assert_int_equal(f.accepted, 80);
    finish(&f);
}

/* --- refusals */

#define REFUSED "{\"error\":\"no \\\"way\\\"\",\"code\":\"method_not_allowed\"}\n"

static void a_refusal_by_the_head_keeps_the_connection_when_the_body_is_short(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, POST("/refused", "Content-Length: 5\r\n") "he");
    send_text(&c, "llo" GET("/a"));
    EXPECT_ANSWER(&c, 405, REFUSED, "!Connection: close", "Allow: GET\r\n");
    EXPECT_ANSWER(&c, 200, "/a", "!Allow");
    send_text(&c, GET("/refused"));
    EXPECT_GOING(&c, 405, REFUSED);
    expect_log(&f, "405, 200, 405");
    leave(&c);
    finish(&f);
}

static void the_longest_short_body_is_read(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    char *body = calloc(1, 65536);
    assert_non_null(body);
    send_text(&c, POST("/refused", "Content-Length: 65536\r\n"));
    send_bytes(&c, body, 65536);
    EXPECT_GOING(&c, 405, REFUSED);
    send_text(&c, GET("/a"));
    EXPECT_GOING(&c, 200, "/a");
    free(body);
    leave(&c);
    finish(&f);
}

static void a_refusal_by_the_head_does_not_wait_for_a_long_body(void **state)
{
    static const char *const requests[] = {
        POST("/refused", "Content-Length: 65537\r\n"),
        POST("/refused", "Transfer-Encoding: chunked\r\n"),
        POST("/refused", "Content-Length: 5\r\nExpect: 100-continue\r\n"),
    };
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct client c = connect_tcp(&f);
        send_text(&c, requests[i]);
        EXPECT_LAST(&c, 405, REFUSED);
        expect_end(&c);
        leave(&c);
    }
    expect_log(&f, "405, 405, 405");
    finish(&f);
}

static void a_body_is_asked_for_when_the_client_waits(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, POST("/a", "Content-Length: 2\r\nExpect: 100-continue\r\n"));
    expect_text(&c, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(&c, "hi");
    EXPECT_GOING(&c, 200, "/a hi");
    expect_log(&f, "200");
    leave(&c);
    finish(&f);
}

static void a_malformed_request_is_answered_and_told(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/a") "GET / HTTP/1.1\r\n\r\n" GET("/b"));
    EXPECT_GOING(&c, 200, "/a");
    EXPECT_LAST(&c, 400, "{\"error\":\"Host is missing\",\"code\":\"bad_request\"}\n");
    expect_end(&c);
    expect_log(&f, "200, header, 400");
    leave(&c);
    finish(&f);
}

/* The body that is refused after its head was handed over: told once, as one exchange. */
static void a_body_that_grows_too_large_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.body_bytes_max = 4;
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, POST("/a", "Transfer-Encoding: chunked\r\n") "2\r\nab\r\n");
    send_text(&c, "3\r\n");
    EXPECT_LAST(&c, 413, NULL);
    expect_end(&c);
    expect_log(&f, "large, 413");
    leave(&c);
    finish(&f);
}

/* A close with unread input would make the kernel send a reset, which may eat the answer. */
static void a_client_that_is_still_sending_reads_its_413(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    char *junk = calloc(1, MIB);
    assert_non_null(junk);
    send_text(&c, POST("/a", "Content-Length: 99999999\r\n"));
    for (int i = 0; i < 8; i++)
        send_bytes(&c, junk, MIB);
    EXPECT_LAST(&c, 413, NULL);
    expect_end(&c);
    expect_log(&f, "large, 413");
    assert_int_equal(http_server_connections(f.server), 1);
    leave(&c);
    WAIT_UNTIL(&f, -1, http_server_connections(f.server) == 0);
    free(junk);
    finish(&f);
}

static void lingering_is_bounded_in_bytes_and_time(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.linger_bytes_max = 1000;
    f.limits.linger_ns_max = SHORT_MS * NS_PER_MS;
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, POST("/a", "Content-Length: 99999999\r\n"));
    EXPECT_LAST(&c, 413, NULL);
    expect_end(&c);
    WAIT_UNTIL(&f, -1, http_server_connections(f.server) == 0);
    leave(&c);
    finish(&f);
    setup(&f);
    f.limits.linger_bytes_max = 1000;
    start(&f);
    c = connect_tcp(&f);
    send_text(&c, POST("/a", "Content-Length: 99999999\r\n"));
    EXPECT_LAST(&c, 413, NULL);
    char junk[1001] = {0};
    send_bytes(&c, junk, sizeof junk);
    WAIT_UNTIL(&f, -1, http_server_connections(f.server) == 0);
    leave(&c);
    finish(&f);
}

static void a_connection_beyond_the_limit_is_told_so(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.connections_max = 1;
    start(&f);
    struct client first = connect_tcp(&f);
    send_text(&first, GET("/a"));
    EXPECT_GOING(&first, 200, "/a");
    struct client second = connect_tcp(&f);
    EXPECT_ANSWER(&second, 503,
                  "{\"error\":\"too many connections\",\"code\":\"too_many_connections\"}\n",
                  "Retry-After: 1\r\n", "Connection: close\r\n");
    expect_end(&second);
    assert_int_equal(f.accepted, 1);
    assert_int_equal(f.rejected, 1);
    leave(&second);
    leave(&first);
    WAIT_UNTIL(&f, -1, http_server_connections(f.server) == 0);
    first = connect_tcp(&f);
    send_text(&first, GET("/b"));
    EXPECT_GOING(&first, 200, "/b");
    expect_log(&f, "200, 503, 200");
    leave(&first);
    finish(&f);
}

/* --- clients that leave */

static void a_client_that_shuts_its_side_still_gets_its_answer(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    for (int is_unix = 0; is_unix < 2; is_unix++) {
        struct client c = is_unix ? connect_unix(&f) : connect_tcp(&f);
        send_text(&c, GET("/later?1") GET("/later?2"));
        WAIT_UNTIL(&f, c.fd, f.held_count == 1);
        shutdown(c.fd, SHUT_WR);
        /* The probe that tells whether anyone is there; HTTP allows any number of them. */
        expect_text(&c, "HTTP/1.1 100 Continue\r\n\r\n");
        answer_held(&f, 0);
        EXPECT_GOING(&c, 200, "/later?1");
        WAIT_UNTIL(&f, c.fd, f.held_count == 1);
        answer_held(&f, 0);
        EXPECT_GOING(&c, 200, "/later?2");
        expect_end(&c);
        leave(&c);
    }
    expect_log(&f, "200, 200, 200, 200");
    finish(&f);
}

static void a_reset_while_handling_aborts(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/later"));
    WAIT_UNTIL(&f, c.fd, f.held_count == 1);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    leave(&c);
    wait_for_log(&f, "abort gone, 499");
    finish(&f);
}

/* It looks like a client that has only shut its side, until it answers with a reset. */
static void a_client_that_closed_while_its_request_is_handled_is_noticed(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/later"));
    WAIT_UNTIL(&f, c.fd, f.held_count == 1);
    leave(&c);
    wait_for_log(&f, "abort gone, 499");
    c = connect_unix(&f);
    send_text(&c, GET("/later"));
    WAIT_UNTIL(&f, c.fd, f.held_count == 1);
    leave(&c);
    wait_for_log(&f, "abort gone, 499, abort gone, 499");
    finish(&f);
}

static void an_end_inside_a_request_is_400(void **state)
{
    static const char *const requests[] = {"GET / HT", POST("/a", "Content-Length: 5\r\n") "hel"};
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct client c = connect_tcp(&f);
        send_text(&c, requests[i]);
        shutdown(c.fd, SHUT_WR);
        EXPECT_LAST(&c, 400, NULL);
        expect_end(&c);
        leave(&c);
    }
    expect_log(&f, "reset, 400, reset, 400");
    finish(&f);
}

static void a_connection_that_ends_between_requests_ends_silently(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/a") "\r\n");
    EXPECT_GOING(&c, 200, "/a");
    shutdown(c.fd, SHUT_WR);
    expect_end(&c);
    expect_log(&f, "200");
    leave(&c);
    finish(&f);
}

static void a_client_that_takes_nothing_is_dropped(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.write_stall_ns_max = SHORT_MS * NS_PER_MS;
    start(&f);
    struct client c = connect_unix(&f);
    send_text(&c, GET("/big"));
    wait_for_log(&f, "499");
    WAIT_UNTIL(&f, -1, http_server_connections(f.server) == 0);
    leave(&c);
    finish(&f);
}

static void a_slow_reader_gets_a_large_answer_whole(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/big") GET("/a"));
    WAIT_UNTIL(&f, c.fd, has_head(&c));
    assert_in_range(c.in.bytes, 0, BIG_ANSWER_BYTES - 1);
    expect_log(&f, "");
    EXPECT_GOING(&c, 200, NULL);
    EXPECT_GOING(&c, 200, "/a");
    expect_log(&f, "200, 200");
    leave(&c);
    finish(&f);
}

/* --- time */

static void a_request_past_its_deadline_is_504_and_aborted(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.request_ns_max = SHORT_MS * NS_PER_MS;
    start(&f);
    struct client c = connect_tcp(&f);
    uint64_t sent_ns = clock_now_ns();
    send_text(&c, GET("/later") GET("/a"));
    EXPECT_GOING(&c, 504,
                 "{\"error\":\"the request took longer than its deadline\","
                 "\"code\":\"deadline_exceeded\"}\n");
    assert_true(clock_now_ns() - sent_ns >= SHORT_MS * NS_PER_MS);
    EXPECT_GOING(&c, 200, "/a");
    expect_log(&f, "abort deadline, 504, 200");
    leave(&c);
    finish(&f);
}

static void a_handler_may_set_an_earlier_deadline(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    uint64_t sent_ns = clock_now_ns();
    send_text(&c, GET("/soon"));
    EXPECT_GOING(&c, 504, NULL);
    uint64_t took_ns = clock_now_ns() - sent_ns;
    assert_in_range(took_ns, SOON_MS * NS_PER_MS, f.limits.request_ns_max - 1);
    expect_log(&f, "abort deadline, 504");
    leave(&c);
    finish(&f);
}

static void a_head_that_comes_too_slowly_is_408(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.header_ns_max = SHORT_MS * NS_PER_MS;
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, "GET / HTTP/1.1\r\n");
    EXPECT_LAST(&c, 408, "{\"error\":\"the head came too slowly\",\"code\":\"request_timeout\"}\n");
    expect_end(&c);
    leave(&c);
    /* The second request of a connection has its own time. */
    c = connect_tcp(&f);
    send_text(&c, GET("/a") "GET");
    EXPECT_GOING(&c, 200, "/a");
    EXPECT_LAST(&c, 408, NULL);
    expect_end(&c);
    expect_log(&f, "slow head, 408, 200, slow head, 408");
    leave(&c);
    finish(&f);
}

static void a_body_that_comes_too_slowly_is_408(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.body_ns_max = SHORT_MS * NS_PER_MS;
    start(&f);
    static const char *const targets[] = {POST("/a", "Content-Length: 5\r\n") "hel",
                                          POST("/refused", "Content-Length: 5\r\n") "hel"};
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct client c = connect_tcp(&f);
        send_text(&c, targets[i]);
        EXPECT_LAST(&c, 408,
                    "{\"error\":\"the body came too slowly\",\"code\":\"request_timeout\"}\n");
        expect_end(&c);
        leave(&c);
    }
    expect_log(&f, "slow body, 408, slow body, 408");
    finish(&f);
}

static void an_idle_connection_is_closed_silently(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.keep_alive_ns_max = SHORT_MS * NS_PER_MS;
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/a"));
    EXPECT_GOING(&c, 200, "/a");
    expect_end(&c);
    expect_log(&f, "200");
    leave(&c);
    finish(&f);
}

static void a_connection_without_a_request_is_closed_silently(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.limits.header_ns_max = SHORT_MS * NS_PER_MS;
    start(&f);
    struct client c = connect_tcp(&f);
    expect_end(&c);
    expect_log(&f, "");
    leave(&c);
    finish(&f);
}

/* --- stopping */

static void stopping_closes_what_is_idle_and_finishes_what_is_open(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client idle = connect_tcp(&f), open = connect_tcp(&f), begun = connect_tcp(&f);
    send_text(&idle, GET("/a"));
    EXPECT_GOING(&idle, 200, "/a");
    send_text(&open, GET("/later"));
    send_text(&begun, POST("/b", "Content-Length: 2\r\n") "h");
    WAIT_UNTIL(&f, -1, f.held_count == 1 && http_server_connections(f.server) == 3);
    http_server_stop(f.server);
    expect_end(&idle);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f.tcp, sizeof f.tcp), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    assert_int_equal(f.stopped, 0);
    answer_held(&f, 0);
    EXPECT_LAST(&open, 200, "/later");
    expect_end(&open);
    send_text(&begun, "i");
    EXPECT_LAST(&begun, 200, "/b hi");
    expect_end(&begun);
    expect_log(&f, "200, 200, 200");
    leave(&idle);
    leave(&open);
    leave(&begun);
    finish(&f);
}

/* A connection that was just made has its request on the way. */
static void a_new_connection_is_served_while_stopping(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f), silent = connect_tcp(&f);
    WAIT_UNTIL(&f, -1, http_server_connections(f.server) == 2);
    http_server_stop(f.server);
    http_server_stop(f.server);
    /* Stopping is carried out at the end of a turn; the request comes later. */
    for (int i = 0; i < 3; i++)
        uv_run(&f.loop, UV_RUN_NOWAIT);
    send_text(&c, GET("/a"));
    EXPECT_LAST(&c, 200, "/a");
    expect_end(&c);
    expect_end(&silent);
    expect_log(&f, "200");
    leave(&c);
    leave(&silent);
    finish(&f);
}

static void a_server_without_connections_stops(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    finish(&f);
}

static void stopping_now_answers_503_to_everything_open(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client handled = connect_tcp(&f), begun = connect_tcp(&f), early = connect_tcp(&f);
    send_text(&handled, GET("/later") GET("/never-read"));
    send_text(&begun, "GET /");
    send_text(&early, POST("/refused", "Content-Length: 5\r\n"));
    WAIT_UNTIL(&f, -1, f.held_count == 1 && http_server_connections(f.server) == 3);
    http_server_stop(f.server);
    turn(&f, -1);
    http_server_stop_now(f.server);
    static const char body[] =
        "{\"error\":\"the server is shutting down\",\"code\":\"draining\"}\n";
    EXPECT_LAST(&handled, 503, body);
    expect_end(&handled);
    EXPECT_LAST(&begun, 503, body);
    expect_end(&begun);
    EXPECT_LAST(&early, 503, body);
    expect_end(&early);
    assert_int_equal(f.held_count, 0);
    leave(&handled);
    leave(&begun);
    leave(&early);
    /* In the order in which their first bytes were read. */
    expect_log(&f, "abort draining, 503, 503, 503");
    finish(&f);
}

static void closing_politely_says_so_and_goes_on_serving(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client before = connect_tcp(&f);
    send_text(&before, GET("/a"));
    EXPECT_GOING(&before, 200, "/a");
    http_server_close_politely(f.server);
    send_text(&before, GET("/b"));
    EXPECT_LAST(&before, 200, "/b");
    expect_end(&before);
    struct client after = connect_tcp(&f);
    send_text(&after, GET("/c"));
    EXPECT_LAST(&after, 200, "/c");
    expect_end(&after);
    leave(&before);
    leave(&after);
    finish(&f);
}

/* --- what is kept between two requests */

static const struct http_conn *idle_of(const struct fixture *f)
{
    return f->server->conns[CONNS_IDLE].first;
}

static void an_idle_connection_keeps_nothing_of_its_requests(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    WAIT_UNTIL(&f, -1, f.server->conns[CONNS_FRESH].first != NULL);
    assert_null(f.server->conns[CONNS_FRESH].first->call);
    send_text(&c, "GET /a HT");
    WAIT_UNTIL(&f, -1, f.server->conns[CONNS_BUSY].first != NULL);
    assert_non_null(f.server->conns[CONNS_BUSY].first->call);
    send_text(&c, "TP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_GOING(&c, 200, "/a");
    WAIT_UNTIL(&f, -1, idle_of(&f) != NULL);
    assert_null(idle_of(&f)->call);
    assert_int_equal(f.server->calls.count, 1);
    send_text(&c, GET("/b")); /* and it goes on with the one that is there */
    EXPECT_GOING(&c, 200, "/b");
    WAIT_UNTIL(&f, -1, idle_of(&f) != NULL);
    assert_int_equal(f.server->calls.count, 1);
    leave(&c);
    finish(&f);
}

static void empty_lines_between_requests_keep_nothing_either(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client c = connect_tcp(&f);
    send_text(&c, GET("/a") "\r\n\r\n");
    EXPECT_GOING(&c, 200, "/a");
    WAIT_UNTIL(&f, -1, idle_of(&f) != NULL);
    assert_null(idle_of(&f)->call);
    send_text(&c, "\r\n" GET("/b"));
    EXPECT_GOING(&c, 200, "/b");
    leave(&c);
    finish(&f);
}

/* A body is read before the next one comes, and an answer written: many at once need memory for
 * one. */
static void memory_for_bodies_and_answers_goes_from_call_to_call(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    struct client first = connect_tcp(&f), second = connect_tcp(&f);
    send_text(&first, POST("/later", "Content-Length: 3\r\n") "abc");
    WAIT_UNTIL(&f, -1, f.held_count == 1);
    const char *memory = f.server->spare_body.data;
    assert_non_null(memory);
    assert_null(f.held[0]->body->data);
    send_text(&second, POST("/later", "Content-Length: 4\r\n") "de");
    WAIT_UNTIL(&f, -1, f.server->spare_body.data == NULL); /* while it is read */
    send_text(&second, "fg");
    WAIT_UNTIL(&f, -1, f.held_count == 2);
    assert_ptr_equal(f.server->spare_body.data, memory);
    answer_held(&f, 1);
    EXPECT_GOING(&second, 200, "/later");
    const char *answer = f.server->spare_answer.data;
    assert_non_null(answer);
    http_answer_begin(f.held[0]);
    assert_ptr_equal(f.held[0]->answer.data, answer);
    answer_held(&f, 0);
    EXPECT_GOING(&first, 200, "/later");
    assert_ptr_equal(f.server->spare_answer.data, answer);
    leave(&first);
    leave(&second);
    finish(&f);
}

enum {
    PEAK = 60
};

/* So many requests at once, as many calls; they wait for the next peak, but not for ever. */
static void what_a_peak_has_brought_goes_in_the_end(void **state)
{
    (void)state;
    struct fixture f;
    struct client clients[PEAK];
    setup(&f);
    f.limits.connections_max = PEAK;
    start(&f);
    for (size_t i = 0; i < PEAK; i++) {
        clients[i] = connect_tcp(&f);
        send_text(&clients[i], GET("/later"));
    }
    WAIT_UNTIL(&f, -1, f.held_count == PEAK);
    assert_int_equal(f.server->calls.count, 0);
    while (f.held_count > 0)
        answer_held(&f, 0);
    for (size_t i = 0; i < PEAK; i++)
        EXPECT_GOING(&clients[i], 200, "/later");
    assert_int_equal(f.server->calls.count, PEAK);
    size_t before = PEAK;
    f.server->calls.least = PEAK; /* none was needed since the last time */
    f.server->shrink_ns = 0;
    WAIT_UNTIL(&f, -1, f.server->calls.count < before);
    assert_in_range(f.server->calls.count, before / 2, before - 1);
    while (f.server->calls.count < before) {
        before = f.server->calls.count;
        f.server->shrink_ns = 0;
        WAIT_UNTIL(&f, -1, f.server->shrink_ns != 0);
    }
    assert_in_range(before, 1, PEAK / 2 - 1); /* a few stay */
    for (size_t i = 0; i < PEAK; i++)
        leave(&clients[i]);
    finish(&f);
}

/* Whether libuv had it already or not. */
static void a_socket_that_cannot_listen_is_closed(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    start(&f);
    int pipes[2];
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* listen() refuses it */
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_not_equal(http_server_listen(f.server, udp, false, false), 0);
    assert_int_not_equal(http_server_listen(f.server, pipes[0], false, false), 0);
    finish(&f);
    assert_int_equal(fcntl(udp, F_GETFD), -1);
    assert_int_equal(fcntl(pipes[0], F_GETFD), -1);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_request_after_request),
        cmocka_unit_test(a_unix_socket_serves_too_and_marks_its_listener),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(pipelined_requests_are_answered_in_order_also_later),
        cmocka_unit_test(half_a_pipelined_request_waits_for_its_rest),
        cmocka_unit_test(too_many_pipelined_bytes_stop_reading_until_there_is_room),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(http_1_0_says_whether_the_connection_goes_on),
        cmocka_unit_test(bytes_behind_the_last_request_do_not_spoil_its_answer),
        cmocka_unit_test(an_answer_that_does_not_fit_becomes_500),
        cmocka_unit_test(many_clients_reuse_what_others_left),
        cmocka_unit_test(a_refusal_by_the_head_keeps_the_connection_when_the_body_is_short),
        cmocka_unit_test(the_longest_short_body_is_read),
        cmocka_unit_test(a_refusal_by_the_head_does_not_wait_for_a_long_body),
        cmocka_unit_test(a_body_is_asked_for_when_the_client_waits),
        cmocka_unit_test(a_malformed_request_is_answered_and_told),
        cmocka_unit_test(a_body_that_grows_too_large_is_refused),
        cmocka_unit_test(a_client_that_is_still_sending_reads_its_413),
        cmocka_unit_test(lingering_is_bounded_in_bytes_and_time),
        cmocka_unit_test(a_connection_beyond_the_limit_is_told_so),
        cmocka_unit_test(a_client_that_shuts_its_side_still_gets_its_answer),
        cmocka_unit_test(a_reset_while_handling_aborts),
        cmocka_unit_test(a_client_that_closed_while_its_request_is_handled_is_noticed),
        cmocka_unit_test(an_end_inside_a_request_is_400),
        cmocka_unit_test(a_connection_that_ends_between_requests_ends_silently),
        cmocka_unit_test(a_client_that_takes_nothing_is_dropped),
        cmocka_unit_test(a_slow_reader_gets_a_large_answer_whole),
        cmocka_unit_test(a_request_past_its_deadline_is_504_and_aborted),
        cmocka_unit_test(a_handler_may_set_an_earlier_deadline),
        cmocka_unit_test(a_head_that_comes_too_slowly_is_408),
        cmocka_unit_test(a_body_that_comes_too_slowly_is_408),
        cmocka_unit_test(an_idle_connection_is_closed_silently),
        cmocka_unit_test(a_connection_without_a_request_is_closed_silently),
        cmocka_unit_test(stopping_closes_what_is_idle_and_finishes_what_is_open),
        cmocka_unit_test(a_new_connection_is_served_while_stopping),
        cmocka_unit_test(a_server_without_connections_stops),
        cmocka_unit_test(stopping_now_answers_503_to_everything_open),
        cmocka_unit_test(closing_politely_says_so_and_goes_on_serving),
        cmocka_unit_test(an_idle_connection_keeps_nothing_of_its_requests),
        cmocka_unit_test(empty_lines_between_requests_keep_nothing_either),
        cmocka_unit_test(memory_for_bodies_and_answers_goes_from_call_to_call),
        cmocka_unit_test(what_a_peak_has_brought_goes_in_the_end),
        cmocka_unit_test(a_socket_that_cannot_listen_is_closed),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
