/*
 * test_speedup.c - the measurement behind compute_indicator_speedup, and its export.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "selftest.h"
#include "speedup.h"

/* Three orders of magnitude around 1: a busy machine may halve or double a ratio, but a
 * ratio of the wrong things is off by the length of the series. */
static void plain_twins_are_as_fast_as_themselves(void **state)
{
    (void)state;
    struct speedups speedups;
    assert_int_equal(speedup_measure(kernels_for(KERNELS_SCALAR), 20 * NS_PER_MS, &speedups), 0);
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
        if (speedups.ratio[i] < 0.2 || speedups.ratio[i] > 5)
            fail_msg("indicator %u: ratio %g of a kernel to itself", i, speedups.ratio[i]);
        assert_true(speedups.fast_ns[i] > 0);
    }
}

static void every_fast_table_has_a_reference_above_one(void **state)
{
    (void)state;
    for (unsigned isa = KERNELS_SCALAR + 1; isa < KERNELS_ISA_COUNT; isa++) {
        if (kernels_for((enum kernels_isa)isa) == NULL)
            continue;
        for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
            double ratio = speedup_reference((enum kernels_isa)isa, (enum metrics_indicator)i);
            if (!(ratio > 1))
                fail_msg("%s, indicator %u: %g; record it with script/bench speedup",
                         kernels_isa_str((enum kernels_isa)isa), i, ratio);
        }
    }
}

static void what_was_not_recorded_is_not_a_number(void **state)
{
    (void)state;
    assert_true(isnan(speedup_reference(KERNELS_SCALAR, METRICS_INDICATOR_SMA)));
}

static double speedup_of(struct metrics *m, enum metrics_indicator indicator,
                         enum metrics_baseline baseline)
{
    return metrics_value(m, METRICS_COMPUTE_INDICATOR_SPEEDUP,
                         metrics_labels(METRICS_COMPUTE_INDICATOR_SPEEDUP, indicator, baseline, 0));
}

static void selftest_exports_what_it_measures_and_nothing_before(void **state)
{
    (void)state;
    const char *models[] = {"m"};
    struct metrics_config config = {.shards = 1, .models = models, .models_count = 1};
    struct metrics *m;
    assert_int_equal(metrics_create(&config, &m), 0);
    kernels_blas_single_thread();
    struct selftest *test = selftest_create(kernels_best(), NULL, m, NULL);
    assert_non_null(test);
    assert_true(isnan(speedup_of(m, METRICS_INDICATOR_SMA, METRICS_BASELINE_SCALAR)));

    assert_true(selftest_start(test));
    assert_false(selftest_start(test)); /* one at a time */
    struct buffer report;
    buffer_init(&report, 4096);
    selftest_report(test, &report);
    buffer_append(&report, "", 1);
    assert_non_null(strstr(report.data, "\"running\":true"));
    assert_non_null(strstr(report.data, "\"scalar\":null"));
    buffer_deinit(&report);

    selftest_destroy(test); /* waits for it */
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
        assert_true(speedup_of(m, (enum metrics_indicator)i, METRICS_BASELINE_SCALAR) > 0);
        assert_true(isnan(speedup_of(m, (enum metrics_indicator)i, METRICS_BASELINE_PYTHON)));
    }
    assert_true(metrics_value(m, METRICS_COMPUTE_SELFTEST_TIMESTAMP_SECONDS, 0) > 0);
    metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_twins_are_as_fast_as_themselves),
        cmocka_unit_test(every_fast_table_has_a_reference_above_one),
        cmocka_unit_test(what_was_not_recorded_is_not_a_number),
        cmocka_unit_test(selftest_exports_what_it_measures_and_nothing_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
