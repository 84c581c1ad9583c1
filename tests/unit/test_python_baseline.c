/*
 * test_python_baseline.c - running plain-Python loops from the server, good and bad ones.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base.h"
#include "python_baseline.h"

struct program {
    char path[64];
};

static struct program write_program(const char *text)
{
    struct program program = {.path = "/tmp/jitney-baseline-XXXXXX"};
    int fd = mkstemp(program.path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return program;
}

static int measure(const char *text, struct python_baseline *out, const char **why)
{
    struct program program = write_program(text);
    atomic_bool cancelled = false;
    int rc = python_baseline_measure(program.path, 1000, &cancelled, out, why);
    unlink(program.path);
    return rc;
}

static void the_fastest_style_of_an_indicator_counts(void **state)
{
    (void)state;
    struct python_baseline baseline;
    const char *why = "";
    int rc = measure("import sys, json\n"
                     "assert sys.argv[1] == '1000'\n"
                     "print(json.dumps({'seconds': {'sma.naive': 0.5, 'sma.running': 0.25,\n"
                     "                              'rsi.loop': 2, 'other.loop': 1}}))\n",
                     &baseline, &why);
    if (rc != 0)
        fail_msg("%s", why);
    assert_float_equal(baseline.seconds[METRICS_INDICATOR_SMA], 0.25, 0);
    assert_float_equal(baseline.seconds[METRICS_INDICATOR_RSI], 2, 0);
    assert_true(isnan(baseline.seconds[METRICS_INDICATOR_EMA]));
    assert_true(isnan(baseline.seconds[METRICS_INDICATOR_MATMUL]));
}

static void a_bad_program_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"import sys; sys.exit(3)", "it failed"},
        {"pass", "it did not print the seconds that its loops took"},
        {"print('{}')", "it did not print the seconds that its loops took"},
        {"print('{\"seconds\": {\"sma.naive\": \"fast\"}}')",
         "it did not print the seconds that its loops took"},
        {"print('{\"seconds\": {\"sma.naive\": 0}}')",
         "it did not print the seconds that its loops took"},
        {"print('[')", "it did not print the seconds that its loops took"},
        {"print('x' * 1000000)", "it took too long or printed too much"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct python_baseline baseline;
        const char *why = "nothing";
        assert_int_equal(measure(bad[i].text, &baseline, &why), -1);
        assert_string_equal(why, bad[i].why);
    }
}

struct running {
    char path[64];
    atomic_bool cancelled;
    int rc;
};

static void *run(void *arg)
{
    struct running *running = arg;
    struct python_baseline baseline;
    const char *why;
    running->rc =
        python_baseline_measure(running->path, 1000, &running->cancelled, &baseline, &why);
    return NULL;
}

static void one_that_hangs_is_ended_when_it_is_cancelled(void **state)
{
    (void)state;
    struct program program = write_program("import time\ntime.sleep(3600)\n");
    struct running running = {.rc = 0};
    memcpy(running.path, program.path, sizeof running.path);
    pthread_t thread;
    uint64_t start_ns = clock_now_ns();
    assert_int_equal(pthread_create(&thread, NULL, run, &running), 0);
    atomic_store(&running.cancelled, true);
    pthread_join(thread, NULL);
    assert_int_equal(running.rc, -1);
    assert_true(clock_now_ns() - start_ns < PYTHON_BASELINE_TIMEOUT_S * NS_PER_S);
    unlink(program.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fastest_style_of_an_indicator_counts),
        cmocka_unit_test(a_bad_program_is_refused_with_its_reason),
        cmocka_unit_test(one_that_hangs_is_ended_when_it_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
