/*
 * test_histogram.c - the error bound, at every size of number; quantiles; adding up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"
#include "load_random.h"

static struct histogram *new_histogram(void)
{
    struct histogram *h = malloc(sizeof *h);
    assert_non_null(h);
    histogram_reset(h);
    return h;
}

static void assert_within_one_percent(uint64_t actual, uint64_t expected)
{
    const double error = (double)actual - (double)expected;
    if (error > 0.01 * (double)expected || error < -0.01 * (double)expected)
        fail_msg("%llu is not within 1 %% of %llu", (unsigned long long)actual,
                 (unsigned long long)expected);
}

/* Between a smaller and a larger value, so that neither the exact minimum nor the exact
 * maximum answers. */
static void a_value_is_known_to_one_percent(void **state)
{
    (void)state;
    struct histogram *h = new_histogram();
    struct load_random random = {.state = 7};
    for (unsigned bits = 1; bits <= HISTOGRAM_VALUE_BITS; bits++)
        for (int i = 0; i < 200; i++) {
            const uint64_t value = load_random_next(&random) >> (64 - bits);
            histogram_reset(h);
            histogram_record(h, 0);
            histogram_record(h, value);
            histogram_record(h, UINT64_C(1) << HISTOGRAM_VALUE_BITS);
            assert_within_one_percent(histogram_quantile(h, 0.5), value);
        }
    free(h);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct histogram *h = new_histogram();
    for (uint64_t value = 0; value < 256; value++)
        histogram_record(h, value);
    for (uint64_t value = 0; value < 256; value++)
        assert_int_equal(histogram_quantile(h, (double)(value + 1) / 256), value);
    free(h);
}

static int compare(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    enum {
        COUNT = 100000
    };
    static const double shares[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999};
    struct histogram *h = new_histogram();
    struct load_random random = {.state = 42};
    uint64_t *values = calloc(COUNT, sizeof *values);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = load_random_next(&random) >> (24 + load_random_next(&random) % 20);
        histogram_record(h, values[i]);
    }
    qsort(values, COUNT, sizeof *values, compare);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
        assert_within_one_percent(histogram_quantile(h, shares[i]),
                                  values[(size_t)(shares[i] * COUNT + 0.5) - 1]);
    free(values);
    free(h);
}

static void the_extremes_and_the_mean_are_exact(void **state)
{
    (void)state;
    struct histogram *h = new_histogram();
    histogram_record(h, 1000003);
    histogram_record(h, 2000003);
    histogram_record(h, 9000003);
    assert_int_equal(histogram_quantile(h, 0), 1000003);
    assert_int_equal(histogram_quantile(h, 1), 9000003);
    assert_int_equal(histogram_mean(h), 4000003);
    free(h);
}

static void nothing_recorded_is_nothing(void **state)
{
    (void)state;
    struct histogram *h = new_histogram();
    assert_int_equal(histogram_quantile(h, 0.99), 0);
    assert_int_equal(histogram_mean(h), 0);
    free(h);
}

static void what_is_beyond_the_range_is_counted_and_its_maximum_kept(void **state)
{
    (void)state;
    struct histogram *h = new_histogram();
    histogram_record(h, UINT64_MAX);
    assert_int_equal(h->count, 1);
    assert_true(histogram_quantile(h, 0.5) == UINT64_MAX);
    free(h);
}

static void two_halves_add_up_to_the_whole(void **state)
{
    (void)state;
    struct histogram *whole = new_histogram(), *left = new_histogram(), *right = new_histogram();
    struct load_random random = {.state = 3};
    for (int i = 0; i < 10000; i++) {
        const uint64_t value = load_random_next(&random) >> 40;
        histogram_record(whole, value);
        histogram_record(i % 3 == 0 ? left : right, value);
    }
    histogram_add(left, right);
    assert_memory_equal(left, whole, sizeof *whole);
    free(whole);
    free(left);
    free(right);
}

static void counting_up_to_a_value_is_right_to_its_bucket(void **state)
{
    (void)state;
    struct histogram *h = new_histogram();
    for (uint64_t value = 1; value <= 1000; value++)
        histogram_record(h, value * 1000000);
    const uint64_t count = histogram_count_to(h, 500 * 1000000);
    assert_in_range(count, 500, 505);
    free(h);
}

static void the_text_ends_with_all_values(void **state)
{
    (void)state;
    struct histogram *h = new_histogram();
    char text[8192] = "";
    for (uint64_t value = 1; value <= 100; value++)
        histogram_record(h, value * 1000000);
    FILE *file = fmemopen(text, sizeof text, "w");
    histogram_print(h, file);
    fclose(file);
    assert_non_null(strstr(text, "       Value     Percentile TotalCount 1/(1-Percentile)"));
    assert_non_null(strstr(text, "  100.000000 1.000000000000        100\n"));
    assert_non_null(strstr(text, "#[Total count = 100]"));
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_known_to_one_percent),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
        cmocka_unit_test(the_extremes_and_the_mean_are_exact),
        cmocka_unit_test(nothing_recorded_is_nothing),
        cmocka_unit_test(what_is_beyond_the_range_is_counted_and_its_maximum_kept),
        cmocka_unit_test(two_halves_add_up_to_the_whole),
        cmocka_unit_test(counting_up_to_a_value_is_right_to_its_bucket),
        cmocka_unit_test(the_text_ends_with_all_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
