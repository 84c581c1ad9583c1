/*
 * test_measure.c - what a short run is read into, and what ends a subcommand.
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "measure.h"

static void processor_time_is_found_among_metrics(void **state)
{
    (void)state;
    static const char metrics[] = "# HELP process_cpu_seconds_total Total user and system CPU\n"
                                  "# TYPE process_cpu_seconds_total counter\n"
                                  "process_cpu_seconds_total 12.25\n"
                                  "process_open_fds 17\n";
    assert_true(measure_parse_cpu(metrics) == 12.25);
}

static void metrics_without_it_say_nothing(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "{}",
        "# TYPE process_cpu_seconds_total counter\n",
        "\nprocess_cpu_seconds_total_other 5\n",
        "\nmy_process_cpu_seconds_total 5\n",
        "\nprocess_cpu_seconds_total \n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (!isnan(measure_parse_cpu(cases[i])))
            fail_msg("%g in %s", measure_parse_cpu(cases[i]), cases[i]);
}

static void the_last_run_decides_the_exit_status(void **state)
{
    (void)state;
    static const struct {
        struct measurement last;
        int status;
    } cases[] = {
        {{.end = LOAD_END_DONE}, 0},
        {{.end = LOAD_END_UNREACHABLE}, 3},
        {{.end = LOAD_END_DIED}, 4},
        {{.end = LOAD_END_INTERRUPTED, .signal = 2}, 130},
        {{.end = LOAD_END_INTERRUPTED, .signal = 15}, 143},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(measure_exit(&cases[i].last), cases[i].status);
}

static void a_signal_between_two_runs_is_remembered(void **state)
{
    (void)state;
    struct interrupt interrupt;
    struct load_error error;
    assert_true(interrupt_init(&interrupt, &error));
    assert_int_equal(interrupt_signal(&interrupt), 0);
    raise(SIGTERM);
    raise(SIGINT);
    assert_int_equal(interrupt_signal(&interrupt), SIGTERM);
    assert_int_equal(interrupt_signal(&interrupt), SIGTERM);
    interrupt_deinit(&interrupt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processor_time_is_found_among_metrics),
        cmocka_unit_test(metrics_without_it_say_nothing),
        cmocka_unit_test(the_last_run_decides_the_exit_status),
        cmocka_unit_test(a_signal_between_two_runs_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
