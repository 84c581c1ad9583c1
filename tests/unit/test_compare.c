/*
 * test_compare.c - what a comparison says, and when a threshold on a ratio holds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare.h"

static struct paired_ratio ratio_of(double low, double median, double high)
{
    return (struct paired_ratio){
        .pairs = 9, .median = median, .low = low, .high = high, .confidence = 0.96};
}

static void a_verdict_needs_the_whole_interval_on_one_side(void **state)
{
    (void)state;
    static const struct {
        enum compare_figure figure;
        double low, median, high;
        const char *verdict, *interval;
    } cases[] = {
        {COMPARE_THROUGHPUT, 1.03, 1.041, 1.052, "B is faster by 4.1 %", "3.0 % to 5.2 %"},
        {COMPARE_THROUGHPUT, 0.90, 0.95, 0.99, "B is slower by 5.0 %", "1.0 % to 10.0 %"},
        {COMPARE_THROUGHPUT, 0.99, 1.04, 1.05, "no difference shown", "-1.0 % to +5.0 %"},
        {COMPARE_THROUGHPUT, 1.00, 1.04, 1.05, "no difference shown", "+0.0 % to +5.0 %"},
        {COMPARE_P99, 0.90, 0.95, 0.99, "B is faster by 5.0 %", "1.0 % to 10.0 %"},
        {COMPARE_P50, 1.03, 1.041, 1.052, "B is slower by 4.1 %", "3.0 % to 5.2 %"},
        {COMPARE_CPU, 0.7, 0.8, 0.9, "B is cheaper by 20.0 %", "10.0 % to 30.0 %"},
        {COMPARE_CPU, 1.1, 1.2, 1.3, "B is dearer by 20.0 %", "10.0 % to 30.0 %"},
        {COMPARE_BATCH, 7, 8, 9, "B is larger: 8.00 times A's", "7.00 to 9.00 times"},
        {COMPARE_P50, 0.11, 0.125, 0.2, "B is faster: 0.125 times A's", "0.110 to 0.200 times"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct paired_ratio ratio = ratio_of(cases[i].low, cases[i].median, cases[i].high);
        char text[64];
        compare_print_verdict(cases[i].figure, &ratio, text, sizeof text);
        assert_string_equal(text, cases[i].verdict);
        compare_print_interval(&ratio, text, sizeof text);
        assert_string_equal(text, cases[i].interval);
    }
}

static void one_round_shows_nothing(void **state)
{
    (void)state;
    struct paired_ratio ratio = ratio_of(1.5, 1.5, 1.5);
    assert_int_equal(compare_judge(COMPARE_THROUGHPUT, &ratio), COMPARE_B_BETTER);
    ratio.pairs = 1;
    assert_int_equal(compare_judge(COMPARE_THROUGHPUT, &ratio), COMPARE_NO_MORE);
    ratio.pairs = 0;
    assert_int_equal(compare_judge(COMPARE_THROUGHPUT, &ratio), COMPARE_UNKNOWN);
}

/* Nine rounds in which B's p99 is 1.02 to 1.18 times A's. */
static struct compare *nine_rounds(void)
{
    struct compare *compare = calloc(1, sizeof *compare);
    assert_non_null(compare);
    compare->confidence = 0.95;
    for (size_t i = 0; i < 9; i++)
        compare->rounds[compare->round_count++] = (struct compare_round){
            .a = {.throughput = 100, .p50_ns = NAN, .p99_ns = 1e6, .cpu_ns = NAN},
            .b = {.throughput = 100 + (double)(i % 3) - 1,
                  .p50_ns = NAN,
                  .p99_ns = 1e6 * (1.02 + 0.02 * (double)i),
                  .cpu_ns = 5}};
    return compare;
}

static void ratios_are_those_of_rounds(void **state)
{
    (void)state;
    struct compare *compare = nine_rounds();
    struct paired_ratio ratio;
    compare_ratio(compare, COMPARE_P99, &ratio);
    assert_true(fabs(ratio.median - 1.10) < 1e-9);
    assert_true(fabs(ratio.low - 1.04) < 1e-9);
    assert_true(fabs(ratio.high - 1.16) < 1e-9);
    assert_true(fabs(compare_median(compare, COMPARE_P99, true) - 1.1e6) < 1e-3);
    assert_true(compare_median(compare, COMPARE_P99, false) == 1e6);
    compare_ratio(compare, COMPARE_CPU, &ratio);
    assert_int_equal(ratio.pairs, 0);
    compare_ratio(compare, COMPARE_BATCH, &ratio);
    assert_int_equal(ratio.pairs, 0);
    free(compare);
}

static void assert_crossed(const struct compare *compare, const char *text, bool expected)
{
    struct compare_threshold threshold;
    struct load_error error = {0};
    if (!compare_threshold_parse(text, &threshold, &error))
        fail_msg("%s", error.text);
    assert_string_equal(threshold.text, text);
    if (compare_threshold_is_crossed(&threshold, compare) != expected)
        fail_msg("%s %s", text, expected ? "was let through" : "failed");
}

static void a_threshold_holds_when_it_is_shown(void **state)
{
    (void)state;
    struct compare *compare = nine_rounds();
    assert_crossed(compare, "p99>1.03", true);
    assert_crossed(compare, "p99 > 1.05", false); /* 1.04 to 1.16: not shown */
    assert_crossed(compare, "p99<1.17", true);
    assert_crossed(compare, "p99<1.15", false);
    assert_crossed(compare, "throughput<0.95", false);
    assert_crossed(compare, "cpu>1.5", true); /* silence is no success */
    assert_crossed(compare, "p50<0.1", true);
    free(compare);
}

static void thresholds_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",        "p99",     "p99=1.05", "p99>",   "p99>5ms",
                                        "p98>1.1", "p99>0",   "p99>-1",   ">1.05",  "p99>>1.05",
                                        "p99>nan", "speed>1", "p99>=1.1", "p99>1%", "p99>1.1x"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct compare_threshold threshold = {.text = "untouched"};
        struct load_error error = {0};
        if (compare_threshold_parse(cases[i], &threshold, &error))
            fail_msg("\"%s\" was taken", cases[i]);
        assert_string_equal(threshold.text, "untouched");
        assert_true(error.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_needs_the_whole_interval_on_one_side),
        cmocka_unit_test(one_round_shows_nothing),
        cmocka_unit_test(ratios_are_those_of_rounds),
        cmocka_unit_test(a_threshold_holds_when_it_is_shown),
        cmocka_unit_test(thresholds_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
