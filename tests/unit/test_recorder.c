/*
 * test_recorder.c - outcomes and latencies of requests, and adding them up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recorder.h"

static struct recorder *new_recorder(void)
{
    struct recorder *r = malloc(sizeof *r);
    assert_non_null(r);
    recorder_reset(r);
    return r;
}

static const struct workload_request REQUEST = {.data = "x", .bytes = 1};

/* Due at 1 ms, sent at 5 ms when a connection was free from 4 ms on. */
static const struct recorder_times LATE = {
    .intended_ns = NS_PER_MS, .sendable_ns = 4 * NS_PER_MS, .sent_ns = 5 * NS_PER_MS};

static void answer(struct recorder *r, unsigned status, const char *body, unsigned batch_size,
                   uint64_t now_ns)
{
    const struct answer answer = {
        .status = status, .body = body, .body_bytes = strlen(body), .batch_size = batch_size};
    recorder_sent(r, &REQUEST, &LATE);
    recorder_answered(r, &REQUEST, &LATE, &answer, now_ns, 8 * NS_PER_MS);
}

static void latency_counts_from_the_intended_time(void **state)
{
    (void)state;
    struct recorder *r = new_recorder();
    answer(r, 200, "", 1, 7 * NS_PER_MS);
    assert_int_equal(r->latency.max, 6 * NS_PER_MS);
    assert_int_equal(r->service.max, 2 * NS_PER_MS);
    assert_int_equal(r->lag.max, 1 * NS_PER_MS);
    assert_int_equal(r->wait.max, 3 * NS_PER_MS);
    free(r);
}

static void a_quick_refusal_does_not_make_latency_look_good(void **state)
{
    (void)state;
    struct recorder *r = new_recorder();
    answer(r, 503, "{\"code\":\"overloaded\"}", 0, 6 * NS_PER_MS);
    answer(r, 503, "{\"code\":\"overloaded\"}", 0, 6 * NS_PER_MS);
    answer(r, 503, "{\"code\":\"draining\"}", 0, 6 * NS_PER_MS);
    assert_int_equal(r->latency.count, 0);
    assert_int_equal(r->errors.count, 3);
    assert_int_equal(r->statuses[503], 3);
    assert_int_equal(r->code_count, 2);
    assert_string_equal(r->codes[0].code, "overloaded");
    assert_int_equal(r->codes[0].count, 2);
    free(r);
}

static void only_what_is_quick_enough_is_good(void **state)
{
    (void)state;
    struct recorder *r = new_recorder();
    answer(r, 200, "", 1, 9 * NS_PER_MS);
    answer(r, 200, "", 1, 9 * NS_PER_MS + 1);
    assert_int_equal(r->ok, 2);
    assert_int_equal(r->ok_within_slo, 1);
    free(r);
}

/* Four answers tell of a batch of four: together they are one batch. */
static void the_mean_batch_is_that_of_batches(void **state)
{
    (void)state;
    struct recorder *r = new_recorder();
    for (int i = 0; i < 4; i++)
        answer(r, 200, "", 4, 9 * NS_PER_MS);
    for (int i = 0; i < 2; i++)
        answer(r, 200, "", 1, 9 * NS_PER_MS);
    assert_int_equal(recorder_batch_mean(r) * 1000, 2000);
    assert_int_equal(recorder_batch_max(r), 4);
    free(r);
}

static void codes_beyond_the_bound_are_counted_together(void **state)
{
    (void)state;
    struct recorder *r = new_recorder();
    char body[64];
    uint64_t count = 0;
    for (int i = 0; i < 3 * RECORDER_CODES_MAX; i++) {
        snprintf(body, sizeof body, "{\"code\":\"code_%d\"}", i);
        answer(r, 400, body, 0, 9 * NS_PER_MS);
    }
    for (size_t i = 0; i < r->code_count; i++)
        count += r->codes[i].count;
    assert_int_equal(r->code_count, RECORDER_CODES_MAX);
    assert_string_equal(r->codes[RECORDER_CODES_MAX - 1].code, "other");
    assert_int_equal(count, 3 * RECORDER_CODES_MAX);
    free(r);
}

static void two_recorders_add_up(void **state)
{
    (void)state;
    struct recorder *one = new_recorder(), *two = new_recorder(), *both = new_recorder();
    answer(one, 200, "", 3, 7 * NS_PER_MS);
    answer(both, 200, "", 3, 7 * NS_PER_MS);
    answer(two, 504, "{\"code\":\"deadline_exceeded\"}", 0, 9 * NS_PER_MS);
    answer(both, 504, "{\"code\":\"deadline_exceeded\"}", 0, 9 * NS_PER_MS);
    recorder_unsent(two);
    recorder_unsent(both);
    recorder_add(one, two);
    assert_memory_equal(one, both, sizeof *both);
    free(one);
    free(two);
    free(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latency_counts_from_the_intended_time),
        cmocka_unit_test(a_quick_refusal_does_not_make_latency_look_good),
        cmocka_unit_test(only_what_is_quick_enough_is_good),
        cmocka_unit_test(the_mean_batch_is_that_of_batches),
        cmocka_unit_test(codes_beyond_the_bound_are_counted_together),
        cmocka_unit_test(two_recorders_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
