/*
 * test_response.c - answers, whatever pieces they come in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load_base.h"
#include "response.h"

static const char OK[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
    "Server-Timing: parse;dur=0.016, queue;dur=1.5, compute;dur=12, "
    "write;dur=0.047\r\nX-Batch-Size: 17\r\n\r\nhello";

static void assert_ok(const struct answer *answer)
{
    assert_int_equal(answer->status, 200);
    assert_true(answer->keep_alive);
    assert_true(answer->timing.known);
    assert_int_equal(answer->timing.part_ns[TIMING_PARSE], 16000);
    assert_int_equal(answer->timing.part_ns[TIMING_QUEUE], 1500000);
    assert_int_equal(answer->timing.part_ns[TIMING_COMPUTE], 12000000);
    assert_int_equal(answer->timing.part_ns[TIMING_WRITE], 47000);
    assert_int_equal(answer->batch_size, 17);
    assert_int_equal(answer->body_bytes, 5);
    assert_memory_equal(answer->body, "hello", 5);
}

static void an_answer_is_the_same_wherever_it_is_cut(void **state)
{
    (void)state;
    const size_t bytes = sizeof OK - 1;
    for (size_t cut = 1; cut < bytes; cut++) {
        struct response_parser p;
        char body[64];
        size_t used;
        response_parser_init(&p, body, sizeof body);
        assert_int_equal(response_parser_feed(&p, OK, cut, &used), RESPONSE_MORE);
        assert_int_equal(used, cut);
        assert_int_equal(response_parser_feed(&p, OK + cut, bytes - cut, &used), RESPONSE_DONE);
        assert_int_equal(used, bytes - cut);
        assert_ok(&p.answer);
    }
}

static void one_answer_after_another_is_read_on_a_connection(void **state)
{
    (void)state;
    struct response_parser p;
    char body[64];
    size_t used;
    response_parser_init(&p, body, sizeof body);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(response_parser_feed(&p, OK, sizeof OK - 1, &used), RESPONSE_DONE);
        assert_ok(&p.answer);
        response_parser_reset(&p);
    }
}

/* A parser with little room for the body. */
struct reading {
    struct response_parser p;
    char body[8];
    size_t used; /* of what was fed last */
};

static void begin(struct reading *r, size_t body_bytes)
{
    memset(r, 0, sizeof *r);
    response_parser_init(&r->p, r->body, body_bytes);
}

static enum response_result feed(struct reading *r, const char *text)
{
    return response_parser_feed(&r->p, text, strlen(text), &r->used);
}

static void bytes_behind_an_answer_are_left(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, sizeof r.body);
    const char two[] = "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert_int_equal(feed(&r, two), RESPONSE_DONE);
    assert_int_equal(r.used, strlen("HTTP/1.1 204 No Content\r\n\r\n"));
    assert_int_equal(r.p.answer.status, 204);
}

static void an_interim_answer_is_not_the_answer(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, sizeof r.body);
    assert_int_equal(
        feed(&r, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"),
        RESPONSE_DONE);
    assert_int_equal(r.p.answer.status, 400);
}

static void a_long_body_is_counted_and_its_beginning_kept(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, 4);
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"),
                     RESPONSE_DONE);
    assert_int_equal(r.p.answer.body_bytes, 4);
    assert_int_equal(r.p.answer.body_bytes_total, 7);
    assert_memory_equal(r.p.answer.body, "abcd", 4);
}

static void the_end_of_the_connection_may_end_the_body(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, sizeof r.body);
    assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\n\r\nabc"), RESPONSE_MORE);
    assert_int_equal(response_parser_end(&r.p), RESPONSE_DONE);
    assert_int_equal(r.p.answer.body_bytes, 3);
}

static void what_is_cut_off_is_broken(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "HTTP/1.1 200 OK\r\nContent-Le",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct reading r;
        begin(&r, sizeof r.body);
        assert_int_equal(feed(&r, cases[i]), RESPONSE_MORE);
        assert_int_equal(response_parser_end(&r.p), RESPONSE_BROKEN);
    }
}

static void what_is_not_http_is_broken(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, sizeof r.body);
    assert_int_equal(feed(&r, "SSH-2.0-OpenSSH_9.2\r\n"), RESPONSE_BROKEN);
}

static void an_answer_may_end_the_connection(void **state)
{
    (void)state;
    struct reading r;
    begin(&r, sizeof r.body);
    assert_int_equal(feed(&r, "HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
                     RESPONSE_DONE);
    assert_false(r.p.answer.keep_alive);
    assert_false(r.p.answer.timing.known);
    assert_int_equal(r.p.answer.batch_size, 0);
}

static void strange_timings_are_skipped(void **state)
{
    (void)state;
    static const char text[] = "cache;desc=hit, queue;dur=2, parse ;dur=1, compute;dur=, write";
    struct server_timing timing = {0};
    server_timing_parse(text, sizeof text - 1, &timing);
    assert_int_equal(timing.part_ns[TIMING_QUEUE], 2000000);
    assert_int_equal(timing.part_ns[TIMING_PARSE], 0);
    assert_int_equal(timing.part_ns[TIMING_COMPUTE], 0);
    struct server_timing none = {0};
    server_timing_parse("miss, db;dur=5", 14, &none);
    assert_false(none.known);
}

static void assert_code(const char *body, const char *expected)
{
    char code[16] = "none";
    assert_int_equal(response_error_code(body, strlen(body), code, sizeof code), expected != NULL);
    assert_string_equal(code, expected != NULL ? expected : "none");
}

static void the_code_of_an_error_is_found(void **state)
{
    (void)state;
    assert_code("{\"error\":\"no\",\"code\":\"wrong_type\"}", "wrong_type");
    assert_code("{\"code\": \"overloaded\"}", "overloaded");
    assert_code("<html>", NULL);
    assert_code("{\"code\":503}", NULL);
    assert_code("{\"code\":\"cut_o", NULL);
    assert_code("{\"code\":\"longer_than_there_is_room_for\"}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_the_same_wherever_it_is_cut),
        cmocka_unit_test(one_answer_after_another_is_read_on_a_connection),
        cmocka_unit_test(bytes_behind_an_answer_are_left),
        cmocka_unit_test(an_interim_answer_is_not_the_answer),
        cmocka_unit_test(a_long_body_is_counted_and_its_beginning_kept),
        cmocka_unit_test(the_end_of_the_connection_may_end_the_body),
        cmocka_unit_test(what_is_cut_off_is_broken),
        cmocka_unit_test(what_is_not_http_is_broken),
        cmocka_unit_test(an_answer_may_end_the_connection),
        cmocka_unit_test(strange_timings_are_skipped),
        cmocka_unit_test(the_code_of_an_error_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
