/*
 * test_paired.c - ratios of pairs: medians, and intervals that hold as often as they say.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "load_base.h"
#include "load_random.h"
#include "paired.h"

static void assert_near(double actual, double expected, double error)
{
    if (!(fabs(actual - expected) <= error))
        fail_msg("%.9g is not %.9g", actual, expected);
}

static void confidence_is_that_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        size_t n, k;
        double confidence;
    } cases[] = {
        {1, 1, 0},          {2, 1, 0.5},       {5, 1, 0.9375}, {6, 1, 0.96875},
        {9, 1, 0.99609375}, {9, 2, 0.9609375}, {9, 3, 0.8203}, {10, 2, 0.97851563},
        {17, 5, 0.9510},    {20, 6, 0.9586},   {2, 2, 0},      {200, 86, 0.9600},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_near(paired_confidence(cases[i].n, cases[i].k), cases[i].confidence, 5e-4);
}

static void nine_pairs_give_the_second_and_the_eighth(void **state)
{
    (void)state;
    const double a[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const double b[9] = {1.05, 1.02, 99, 1.01, 1.04, 0.01, 1.03, 1.06, 1.07};
    struct paired_ratio ratio;
    paired_ratio(a, b, 9, 0.95, &ratio);
    assert_int_equal(ratio.pairs, 9);
    assert_near(ratio.median, 1.04, 1e-12);
    assert_near(ratio.low, 1.01, 1e-12); /* neither outlier counts */
    assert_near(ratio.high, 1.07, 1e-12);
    assert_near(ratio.confidence, 0.9609375, 1e-12);
    paired_ratio(a, b, 9, 0.99, &ratio);
    assert_near(ratio.low, 0.01, 1e-12);
    assert_near(ratio.high, 99, 1e-9);
    assert_near(ratio.confidence, 0.99609375, 1e-12);
}

static void few_pairs_say_how_little_they_are_sure_of(void **state)
{
    (void)state;
    const double a[3] = {10, 10, 10}, b[3] = {12, 10, 11};
    struct paired_ratio ratio;
    paired_ratio(a, b, 3, 0.95, &ratio);
    assert_near(ratio.low, 1.0, 1e-12);
    assert_near(ratio.median, 1.1, 1e-12);
    assert_near(ratio.high, 1.2, 1e-12);
    assert_near(ratio.confidence, 0.75, 1e-12);
    paired_ratio(a, b, 1, 0.95, &ratio);
    assert_near(ratio.low, 1.2, 1e-12);
    assert_near(ratio.high, 1.2, 1e-12);
    assert_near(ratio.confidence, 0, 0);
}

static void who_is_called_a_does_not_matter(void **state)
{
    (void)state;
    const double a[6] = {3, 5, 8, 13, 21, 34}, b[6] = {4, 4, 9, 11, 25, 30};
    struct paired_ratio there, back;
    paired_ratio(a, b, 6, 0.95, &there);
    paired_ratio(b, a, 6, 0.95, &back);
    assert_near(there.median * back.median, 1, 1e-12);
    assert_near(there.low * back.high, 1, 1e-12);
    assert_near(there.high * back.low, 1, 1e-12);
}

static void pairs_with_a_hole_are_left_out(void **state)
{
    (void)state;
    const double a[5] = {1, NAN, 0, 1, 1}, b[5] = {2, 1, 1, NAN, INFINITY};
    struct paired_ratio ratio;
    paired_ratio(a, b, 5, 0.95, &ratio);
    assert_int_equal(ratio.pairs, 1);
    assert_near(ratio.median, 2, 1e-12);
    paired_ratio(a, b, 0, 0.95, &ratio);
    assert_int_equal(ratio.pairs, 0);
    assert_true(isnan(ratio.median) && isnan(ratio.low) && isnan(ratio.high));
}

static void medians_ignore_holes(void **state)
{
    (void)state;
    const double values[5] = {7, NAN, 1, 3, NAN};
    assert_near(paired_median(values, 5), 3, 0);
    assert_near(paired_median(values, 3), 4, 0);
    assert_true(isnan(paired_median(values, 0)));
    assert_true(isnan(paired_median(&values[1], 1)));
}

/* As skewed as latencies are, with rounds that a neighbour has spoilt. */
static double noisy_ratio(struct load_random *random)
{
    const double noise = exp(-log(1 - load_random_unit(random))); /* its median is 2 */
    return 1.25 * noise / 2;
}

static void intervals_hold_as_often_as_they_say(void **state)
{
    (void)state;
    struct load_random random = {42};
    const double ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    size_t held = 0;
    enum {
        TRIALS = 4000
    };
    for (size_t trial = 0; trial < TRIALS; trial++) {
        double b[9];
        struct paired_ratio ratio;
        for (size_t i = 0; i < 9; i++)
            b[i] = noisy_ratio(&random);
        paired_ratio(ones, b, 9, 0.95, &ratio);
        held += ratio.low <= 1.25 && 1.25 <= ratio.high;
    }
    /* Four standard deviations of such a share are 1.2 %. */
    assert_near((double)held / TRIALS, 0.9609375, 0.0123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confidence_is_that_of_the_tables),
        cmocka_unit_test(nine_pairs_give_the_second_and_the_eighth),
        cmocka_unit_test(few_pairs_say_how_little_they_are_sure_of),
        cmocka_unit_test(who_is_called_a_does_not_matter),
        cmocka_unit_test(pairs_with_a_hole_are_left_out),
        cmocka_unit_test(medians_ignore_holes),
        cmocka_unit_test(intervals_hold_as_often_as_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
