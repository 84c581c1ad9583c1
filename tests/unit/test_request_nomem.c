/*
 * A request with memory that runs out at every allocation in turn, on its way through the HTTP
 * parser, the codecs and the server: the result is right, or it says that there was no memory;
 * nothing is lost, and the next request is served.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base.h"
#include "http_server.h"
#include "indicators.h"
#include "predict.h"
#include "small_model.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void __wrap_free(void *memory);

enum {
    ALLOCATIONS_MAX = 1000, /* of one request; far more than it makes */
    WAIT_S_MAX = 20,
};

/* The linker gives a wrapped function no argument to carry these in. */
static size_t fail_in;      /* the so many-th allocation from now fails; 0: none */
static bool fail_all_after; /* and so do all after it */
static bool failed;
static long live; /* blocks that are not freed */

static bool may_allocate(void)
{
    if (failed && fail_all_after)
        return false;
    if (fail_in == 0 || --fail_in > 0)
        return true;
    failed = true;
    return false;
}

static void *counted(void *memory)
{
    live += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t bytes)
{
    return may_allocate() ? counted(__real_malloc(bytes)) : NULL;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return may_allocate() ? counted(__real_calloc(count, bytes)) : NULL;
}

void *__wrap_realloc(void *old, size_t bytes)
{
    if (!may_allocate())
        return NULL;
    void *memory = __real_realloc(old, bytes);
    live += memory != NULL && old == NULL;
    return memory;
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return may_allocate() ? counted(__real_aligned_alloc(alignment, bytes)) : NULL;
}

void __wrap_free(void *memory)
{
    live -= memory != NULL;
    __real_free(memory);
}

static void fail_nth(size_t n, bool all_after)
{
    fail_in = n;
    fail_all_after = all_after;
    failed = false;
}

static bool has_failed(void)
{
    bool was = failed;
    fail_nth(0, false);
    return was;
}

/* Calls `run` with the first allocation failing, the second, ... until none is left to fail. */
static void fail_each(void (*run)(void *ctx, size_t n), void *ctx)
{
    for (int all_after = 0; all_after < 2; all_after++) {
        size_t n = 1;
        do {
            assert_in_range(n, 1, ALLOCATIONS_MAX);
            fail_nth(n, all_after);
            run(ctx, n);
            n++;
        } while (has_failed());
        print_message("%zu allocations failed%s\n", n - 2, all_after ? ", and all after each" : "");
    }
}

/* --- the parser */

static const struct http_limits limits = {
    .connections_max = 4,
    .request_line_bytes_max = 4096,
    .headers_bytes_max = 4096,
    .headers_max = 32,
    .chunk_extension_bytes_max = 64,
    .chunks_max = 64,
    .body_bytes_max = 16 * KIB,
    .pipelined_bytes_max = 4096,
    .header_ns_max = 30 * NS_PER_S,
    .body_ns_max = 30 * NS_PER_S,
    .keep_alive_ns_max = 30 * NS_PER_S,
    .write_stall_ns_max = 30 * NS_PER_S,
    .request_ns_max = 30 * NS_PER_S,
    .linger_bytes_max = MIB,
    .linger_ns_max = 30 * NS_PER_S,
};

enum {
    BODY_BYTES = 5000,
    PATH_BYTES = 1500
};

/* Long enough that its buffers grow more than once. */
static void write_request(struct buffer *request)
{
    char text[BODY_BYTES];
    memset(text, 'a', sizeof text);
    buffer_append_str(request, "POST /");
    buffer_append(request, text, PATH_BYTES - 1);
    buffer_append_str(request, " HTTP/1.1\r\nHost: a\r\nAccept: ");
    buffer_append(request, text, 1000);
    buffer_append_format(request, "\r\nContent-Length: %d\r\n\r\n", BODY_BYTES);
    buffer_append(request, text, BODY_BYTES);
}

struct parsing {
    struct http_parser parser;
    struct buffer body;
    struct buffer request;
};

/* In pieces, so that the buffers grow step by step. */
static enum http_parse_result parse(struct parsing *p)
{
    enum {
        PIECE = 100
    };
    enum http_parse_result result = HTTP_PARSE_MORE;
    http_parser_restart(&p->parser);
    for (size_t at = 0; at < p->request.bytes && result <= HTTP_PARSE_HEADERS;) {
        size_t left = p->request.bytes - at, used;
        result =
            http_parser_feed(&p->parser, p->request.data + at, left < PIECE ? left : PIECE, &used);
        at += used;
    }
    return result;
}

static void parse_without_memory(void *ctx, size_t n)
{
    struct parsing *p = ctx;
    (void)n;
    enum http_parse_result result = parse(p);
    if (result == HTTP_PARSE_REFUSED) {
        assert_true(failed);
        assert_int_equal(p->parser.refusal.error, HTTP_ERROR_OUT_OF_MEMORY);
    }
    bool was_failed = has_failed();
    if (result == HTTP_PARSE_REFUSED)
        result = parse(p);
    assert_int_equal(result, HTTP_PARSE_MESSAGE);
    assert_int_equal(p->body.bytes, BODY_BYTES);
    assert_int_equal(p->parser.request.path.bytes, PATH_BYTES);
    /* As new: nothing is kept for the next round. */
    http_parser_deinit(&p->parser);
    buffer_reset(&p->body, 0);
    http_parser_init(&p->parser, &limits, &p->body);
    failed = was_failed;
}

static void the_parser_refuses_or_goes_on(void **state)
{
    (void)state;
    long live_before = live;
    struct parsing p;
    buffer_init(&p.body, limits.body_bytes_max);
    buffer_init(&p.request, MIB);
    write_request(&p.request);
    http_parser_init(&p.parser, &limits, &p.body);
    fail_each(parse_without_memory, &p);
    http_parser_deinit(&p.parser);
    buffer_deinit(&p.body);
    buffer_deinit(&p.request);
    assert_int_equal(live, live_before);
}

/* --- the codecs */

struct codec {
    struct model *model; /* NULL: indicators */
    const char *body;
    const char *expected;
};

static void compute(const struct codec *c, struct job *job)
{
    if (c->model == NULL)
        for (size_t i = 0; i < job->offsets[job->base.rows]; i++)
            job->out_f64[i] = i == 0 ? NAN : job->in_f64[i];
    else
        for (size_t i = 0; i < job->base.rows * model_output_size(c->model); i++)
            job->out_f32[i] = job->in_f32[i];
}

/* False when it failed for want of memory. */
static bool answer(const struct codec *c, struct json_reader *reader, struct job *job,
                   struct buffer *body, struct buffer *out)
{
    const struct indicator_limits indicators = {.series_max = 8, .points_max = 1000};
    struct api_error error = {.id = API_OK};
    buffer_reset(body, 0);
    buffer_reset(out, 0);
    buffer_append_str(body, c->body);
    if (body->failed) /* the parser has refused it then */
        return false;
    bool ok = c->model != NULL ? predict_decode(reader, c->model, 8, body, job, &error)
                               : indicator_decode(reader, &indicators, body, job, &error);
    json_reader_release(reader);
    if (!ok) {
        assert_int_equal(error.id, API_OUT_OF_MEMORY);
        return false;
    }
    compute(c, job);
    if (c->model != NULL)
        predict_encode(c->model, job, out);
    else
        indicator_encode(COMPUTE_EMA, job, out);
    if (out->failed)
        return false;
    assert_int_equal(out->bytes, strlen(c->expected));
    assert_memory_equal(out->data, c->expected, out->bytes);
    return true;
}

static void code_without_memory(void *ctx, size_t n)
{
    const struct codec *c = ctx;
    const struct json_limits json_limits = {.depth_max = 16, .number_bytes_max = 512};
    struct json_reader reader;
    struct job_pool pool;
    struct buffer body, out;
    (void)n;
    json_reader_init(&reader, &json_limits);
    job_pool_init(&pool);
    buffer_init(&body, MIB);
    buffer_init(&out, MIB);
    struct job *job = job_take(&pool);
    bool ok = job != NULL && answer(c, &reader, job, &body, &out);
    assert_true(ok || failed);
    bool was_failed = has_failed();
    if (job == NULL)
        job = job_take(&pool);
    assert_true(answer(c, &reader, job, &body, &out));
    failed = was_failed;
    job_recycle(&pool, job);
    job_pool_deinit(&pool);
    json_reader_deinit(&reader);
    buffer_deinit(&body);
    buffer_deinit(&out);
}

static void predictions_are_right_or_refused(void **state)
{
    (void)state;
    struct codec c = {
        .model = small_model("N 2", 2, "{\"labels\":[\"first\",\"second \\u00e9\"]}"),
        .body = "{\"instances\":[[1,2.5],{\"x\":[4,-3]},[1e30,0.1]]}",
        .expected = "{\"predictions\":[[1,2.5],[4,-3],[1e30,0.1]],"
                    "\"labels\":[\"second \xc3\xa9\",\"first\",\"first\"]}\n",
    };
    long live_before = live;
    fail_each(code_without_memory, &c);
    assert_int_equal(live, live_before);
    model_destroy(c.model);
}

static void indicators_are_right_or_refused(void **state)
{
    (void)state;
    long live_before = live;
    struct codec one = {.body = "{\"prices\":[1,2.5,3],\"period\":2}",
                        .expected =
                            "{\"indicator\":\"ema\",\"period\":2,\"values\":[null,2.5,3]}\n"};
    struct codec many = {.body = "{\"series\":[[1,2],[3,4]],\"period\":2}",
                         .expected =
                             "{\"indicator\":\"ema\",\"period\":2,\"values\":[[null,2],[3,4]]}\n"};
    fail_each(code_without_memory, &one);
    fail_each(code_without_memory, &many);
    assert_int_equal(live, live_before);
}

/* --- the server */

struct serving {
    uv_loop_t loop;
    struct http_server *server;
    atomic_size_t connections;
    struct sockaddr_in address;
    struct buffer request;
    size_t outcomes;
    bool stopped;
};

static void on_headers(void *ctx, struct http_exchange *ex)
{
    (void)ctx;
    (void)ex;
}

static void on_request(void *ctx, struct http_exchange *ex)
{
    (void)ctx;
    buffer_append_format(&ex->answer, "%zu %zu", ex->request->path.bytes, ex->body->bytes);
    http_answer(ex, 200, "text/plain");
}

static void on_abort(void *ctx, struct http_exchange *ex, enum http_abort why)
{
    (void)ctx;
    (void)ex;
    (void)why;
}

static void on_outcome(void *ctx, struct http_exchange *ex, const struct http_outcome *outcome)
{
    struct serving *s = ctx;
    (void)ex;
    (void)outcome;
    s->outcomes++;
}

static void on_protocol_error(void *ctx, enum http_protocol_error reason)
{
    (void)ctx;
    (void)reason;
}

static void on_connection(void *ctx, bool accepted)
{
    (void)ctx;
    (void)accepted;
}

static void on_tick(void *ctx)
{
    (void)ctx;
}

static void on_stopped(void *ctx)
{
    struct serving *s = ctx;
    s->stopped = true;
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

static void start(struct serving *s)
{
    struct http_server_config config = {.loop = &s->loop,
                                        .limits = &limits,
                                        .handler = &handler,
                                        .handler_ctx = s,
                                        .connections = &s->connections};
    s->outcomes = 0;
    s->stopped = false;
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_int_equal(http_server_create(&config, &s->server), 0);
    s->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t bytes = sizeof s->address;
    assert_int_equal(bind(fd, (struct sockaddr *)&s->address, bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&s->address, &bytes), 0);
    assert_int_equal(http_server_listen(s->server, fd, false, false), 0);
}

/* Turns the loop until the client's socket has something; no allocation of ours. */
static void wait_for_input(struct serving *s, int fd)
{
    uint64_t limit_ns = clock_now_ns() + WAIT_S_MAX * NS_PER_S;
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = uv_backend_fd(&s->loop), .events = POLLIN}};
    do {
        if (clock_now_ns() > limit_ns)
            fail_msg("%d s without an answer", WAIT_S_MAX);
        uv_run(&s->loop, UV_RUN_NOWAIT);
        int timeout_ms = uv_backend_timeout(&s->loop);
        poll(fds, ARRAY_SIZE(fds), timeout_ms < 0 || timeout_ms > 100 ? 100 : timeout_ms);
    } while ((fds[0].revents & (POLLIN | POLLHUP)) == 0);
}

/* The status of one request; 0: the connection was closed without one. */
static int ask(struct serving *s)
{
    char text[4096];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;
    assert_int_equal(connect(fd, (struct sockaddr *)&s->address, sizeof s->address), 0);
    assert_int_equal(send(fd, s->request.data, s->request.bytes, MSG_NOSIGNAL), s->request.bytes);
    wait_for_input(s, fd);
    ssize_t bytes = recv(fd, text, sizeof text - 1, 0);
    close(fd);
    if (bytes <= 0)
        return 0;
    text[bytes] = '\0';
    assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
    char expected[64];
    snprintf(expected, sizeof expected, "\r\n\r\n%d %d", PATH_BYTES, BODY_BYTES);
    if (status == 200)
        assert_non_null(strstr(text, expected));
    return status;
}

static void finish(struct serving *s)
{
    http_server_stop(s->server);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_true(s->stopped);
    assert_int_equal(atomic_load(&s->connections), 0);
    http_server_destroy(s->server);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

static void serve_without_memory(struct serving *s, bool all_after)
{
    for (size_t n = 1, more = 1; more != 0; n++) {
        assert_in_range(n, 1, ALLOCATIONS_MAX);
        start(s);
        fail_nth(n, all_after);
        /* With no memory at all there is not even a connection; see below. */
        int status = all_after && n == 1 ? 0 : ask(s);
        more = has_failed() || n == 1;
        assert_true(status == 200 || status == 500 || status == 503 || (n == 1 && status == 0));
        assert_true(status != 200 || s->outcomes == 1);
        assert_int_equal(ask(s), 200);
        finish(s);
    }
}

static void the_server_answers_or_says_that_it_cannot(void **state)
{
    (void)state;
    long live_before = live;
    struct serving s = {.stopped = false};
    buffer_init(&s.request, MIB);
    write_request(&s.request);
    serve_without_memory(&s, false);
    serve_without_memory(&s, true);
    buffer_deinit(&s.request);
    assert_int_equal(live, live_before);
}

/* libuv keeps the socket that was not taken, and accepts no other before it. */
static void a_connection_without_memory_is_accepted_when_there_is_some(void **state)
{
    (void)state;
    long live_before = live;
    struct serving s = {.stopped = false};
    buffer_init(&s.request, MIB);
    write_request(&s.request);
    start(&s);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&s.address, sizeof s.address), 0);
    fail_nth(1, true);
    while (!failed)
        uv_run(&s.loop, UV_RUN_ONCE);
    assert_int_equal(http_server_connections(s.server), 0);
    assert_true(has_failed());
    assert_int_equal(ask(&s), 200);
    close(fd);
    finish(&s);
    /* And the server stops while one waits. */
    start(&s);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&s.address, sizeof s.address), 0);
    fail_nth(1, true);
    while (!failed)
        uv_run(&s.loop, UV_RUN_ONCE);
    finish(&s);
    assert_true(has_failed());
    close(fd);
    buffer_deinit(&s.request);
    assert_int_equal(live, live_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parser_refuses_or_goes_on),
        cmocka_unit_test(predictions_are_right_or_refused),
        cmocka_unit_test(indicators_are_right_or_refused),
        cmocka_unit_test(the_server_answers_or_says_that_it_cannot),
        cmocka_unit_test(a_connection_without_memory_is_accepted_when_there_is_some),
    };
    return cmocka_run_group_tests_name("request_nomem", tests, NULL, NULL);
}
