/*
 * test_arrivals.c - intended send times: rate, independence, seed, and traces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "arrivals.h"

static void uniform_arrivals_are_evenly_spaced_and_do_not_drift(void **state)
{
    (void)state;
    struct arrivals a;
    arrivals_init_uniform(&a, 3);
    for (uint64_t i = 0; i < 3000001; i++) {
        const uint64_t at = arrivals_next_ns(&a);
        if (i % 3 == 0)
            assert_int_equal(at, i / 3 * NS_PER_S);
    }
}

/* Of n gaps the mean is off by more than 5 / sqrt(n) in one of two million tries. */
static void poisson_arrivals_have_the_rate(void **state)
{
    (void)state;
    enum {
        COUNT = 1000000
    };
    struct arrivals a;
    arrivals_init_poisson(&a, 5000, 11);
    uint64_t last = 0;
    for (int i = 0; i < COUNT; i++) {
        const uint64_t at = arrivals_next_ns(&a);
        assert_true(at >= last);
        last = at;
    }
    const double rate = COUNT / ((double)last / 1e9);
    if (rate < 5000 * 0.995 || rate > 5000 * 1.005)
        fail_msg("the rate is %g, not 5000", rate);
}

/* The number of arrivals in windows of one length: its variance is its mean. Even
 * spacing has hardly any variance, bursts have more. */
static void poisson_arrivals_are_independent(void **state)
{
    (void)state;
    enum {
        WINDOWS = 20000
    };
    const double mean = 10;
    struct arrivals a;
    arrivals_init_poisson(&a, 1000, 5);
    double squares = 0;
    uint64_t at = arrivals_next_ns(&a);
    for (uint64_t window = 1; window <= WINDOWS; window++) {
        double count = 0;
        for (; at < window * 10 * NS_PER_MS; at = arrivals_next_ns(&a))
            count++;
        squares += (count - mean) * (count - mean);
    }
    const double variance = squares / WINDOWS;
    if (variance < 0.95 * mean || variance > 1.05 * mean)
        fail_msg("the variance is %g, not %g", variance, mean);
}

static void the_seed_decides_everything(void **state)
{
    (void)state;
    struct arrivals one, same, other;
    bool differs = false;
    arrivals_init_poisson(&one, 100, 1);
    arrivals_init_poisson(&same, 100, 1);
    arrivals_init_poisson(&other, 100, 2);
    for (int i = 0; i < 1000; i++) {
        const uint64_t at = arrivals_next_ns(&one);
        assert_int_equal(at, arrivals_next_ns(&same));
        differs |= at != arrivals_next_ns(&other);
    }
    assert_true(differs);
}

static void write_trace(char *path, const char *text)
{
    strcpy(path, "/tmp/test_arrivals_XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void a_trace_is_played_once_as_it_stands(void **state)
{
    (void)state;
    char path[64];
    uint64_t *times;
    size_t count;
    struct load_error error;
    struct arrivals a;
    write_trace(path, "# seconds\n0\n0.0005\n\n  0.0005 # twice\n1.25\n");
    assert_true(arrivals_read_trace(path, &times, &count, &error));
    unlink(path);
    assert_int_equal(count, 4);
    arrivals_init_trace(&a, times, count);
    assert_int_equal(arrivals_next_ns(&a), 0);
    assert_int_equal(arrivals_next_ns(&a), 500 * NS_PER_US);
    assert_int_equal(arrivals_next_ns(&a), 500 * NS_PER_US);
    assert_int_equal(arrivals_next_ns(&a), 1250 * NS_PER_MS);
    assert_true(arrivals_next_ns(&a) == ARRIVALS_NONE);
    assert_true(arrivals_next_ns(&a) == ARRIVALS_NONE);
    assert_int_equal((int)(a.rate * 10), 32);
    free(times);
}

static void assert_refused(const char *text, const char *expected)
{
    char path[64];
    uint64_t *times = NULL;
    size_t count = 0;
    struct load_error error = {0};
    write_trace(path, text);
    const bool ok = arrivals_read_trace(path, &times, &count, &error);
    unlink(path);
    assert_false(ok);
    assert_null(times);
    if (strstr(error.text, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, expected);
}

static void a_wrong_trace_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_refused("0.1\nsoon\n", ":2 is not a time in seconds");
    assert_refused("0.1 0.2\n", ":1 is not a time in seconds");
    assert_refused("-1\n", ":1 is not a time from 0");
    assert_refused("nan\n", ":1 is not a time from 0");
    assert_refused("# x\n2\n1\n", ":3 is before the line above it");
    assert_refused("# nothing\n", "holds no time");
}

static void a_trace_that_is_not_there_is_said_to_be(void **state)
{
    (void)state;
    uint64_t *times;
    size_t count;
    struct load_error error = {0};
    assert_false(arrivals_read_trace("/nowhere/trace", &times, &count, &error));
    assert_non_null(strstr(error.text, "/nowhere/trace cannot be opened"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_arrivals_are_evenly_spaced_and_do_not_drift),
        cmocka_unit_test(poisson_arrivals_have_the_rate),
        cmocka_unit_test(poisson_arrivals_are_independent),
        cmocka_unit_test(the_seed_decides_everything),
        cmocka_unit_test(a_trace_is_played_once_as_it_stands),
        cmocka_unit_test(a_wrong_trace_is_refused_with_its_line),
        cmocka_unit_test(a_trace_that_is_not_there_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
