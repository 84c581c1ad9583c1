/* test_verify_check.c - what counts as right in a recomputed result, and what does not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "kernels.h"
#include "small_model.h"
#include "verify_check.h"

enum {
    POINTS = 3000
};

static const enum metrics_indicator indicators[] = {METRICS_INDICATOR_SMA, METRICS_INDICATOR_EMA,
                                                    METRICS_INDICATOR_RSI};

/* A random walk around 100. */
static void walk(double *x, size_t n, unsigned seed)
{
    double price = 100;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        price *= 1 + 0.01 * ((double)(seed >> 8) / (double)(1 << 23) - 1);
        x[i] = price;
    }
}

static void compute(const struct kernels *k, enum metrics_indicator indicator, const double *in,
                    size_t n, size_t period, double *out)
{
    if (indicator == METRICS_INDICATOR_SMA)
        k->sma_f64(in, n, period, out);
    else if (indicator == METRICS_INDICATOR_EMA)
        k->ema_f64(in, n, period, out);
    else
        k->rsi_f64(in, n, period, out);
}

static struct verify_result check(enum metrics_indicator indicator, const double *in,
                                  const double *out, size_t n, size_t period)
{
    const struct verify_sample sample = {
        .indicator = indicator, .n = n, .period = period, .in_f64 = in, .out_f64 = out};
    void *memory = aligned_alloc(64, verify_series_bytes(n));
    assert_non_null(memory);
    const struct verify_result r = verify_check(&sample, memory);
    free(memory);
    return r;
}

static void what_fast_kernels_compute_passes(void **state)
{
    (void)state;
    static const size_t periods[] = {1, 2, 14, 61, 200, 999};
    double in[POINTS], out[POINTS];
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++)
        for (size_t i = 0; i < ARRAY_SIZE(indicators); i++)
            for (size_t p = 0; p < ARRAY_SIZE(periods); p++) {
                const struct kernels *k = kernels_for((enum kernels_isa)isa);
                if (k == NULL)
                    continue;
                walk(in, POINTS, (unsigned)(p + 1));
                compute(k, indicators[i], in, POINTS, periods[p], out);
                const struct verify_result r = check(indicators[i], in, out, POINTS, periods[p]);
                if (r.verdict != VERIFY_PASS)
                    fail_msg("%s, indicator %u, period %zu, [%zu]: got %.17g, want %.17g",
                             kernels_isa_str(k->isa), indicators[i], periods[p], r.at, r.got,
                             r.want);
                assert_true(r.error < 1e-13);
            }
}

static void one_wrong_value_fails_and_is_named(void **state)
{
    (void)state;
    double in[POINTS], out[POINTS];
    walk(in, POINTS, 7);
    for (size_t i = 0; i < ARRAY_SIZE(indicators); i++) {
        compute(kernels_best(), indicators[i], in, POINTS, 14, out);
        const double right = out[1234];
        out[1234] *= 1 + 1e-10;
        const struct verify_result r = check(indicators[i], in, out, POINTS, 14);
        assert_int_equal(r.verdict, VERIFY_FAIL);
        assert_int_equal(r.at, 1234);
        assert_true(r.got == out[1234]);
        assert_true(fabs(r.want - right) <= 1e-11);
        assert_true(r.error > 1e-12 && r.error < 1e-9);
    }
}

static void a_warm_up_that_is_too_short_or_too_long_fails(void **state)
{
    (void)state;
    double in[100], out[100];
    walk(in, 100, 3);
    for (size_t i = 0; i < ARRAY_SIZE(indicators); i++) {
        compute(kernels_best(), indicators[i], in, 100, 14, out);
        out[5] = 100;
        assert_int_equal(check(indicators[i], in, out, 100, 14).verdict, VERIFY_FAIL);
        out[5] = NAN;
        assert_int_equal(check(indicators[i], in, out, 100, 14).verdict, VERIFY_PASS);
        out[14] = NAN;
        const struct verify_result r = check(indicators[i], in, out, 100, 14);
        assert_int_equal(r.verdict, VERIFY_FAIL);
        assert_int_equal(r.at, 14);
        assert_true(isinf(r.error));
    }
}

/* No later value has a part in it: so the start of a long series can be checked alone. */
static void the_start_of_a_series_passes_by_itself(void **state)
{
    (void)state;
    double in[POINTS], out[POINTS];
    walk(in, POINTS, 5);
    for (size_t i = 0; i < ARRAY_SIZE(indicators); i++) {
        compute(kernels_best(), indicators[i], in, POINTS, 20, out);
        assert_int_equal(check(indicators[i], in, out, POINTS / 3, 20).verdict, VERIFY_PASS);
    }
}

/* Flat for so long that both averages are nothing: from when on is a matter of rounding. */
static void rsi_may_fade_a_little_sooner_or_later(void **state)
{
    (void)state;
    enum {
        FLAT = 2000
    };
    double in[FLAT], out[FLAT];
    for (size_t i = 0; i < FLAT; i++)
        in[i] = i == 0 ? 100 : 101;
    kernels_for(KERNELS_SCALAR)->rsi_f64(in, FLAT, 2, out);
    size_t faded = 3;
    while (faded < FLAT && out[faded] != 0)
        faded++;
    assert_in_range(faded, 900, 1000);
    out[faded - 1] = 0;
    assert_int_equal(check(METRICS_INDICATOR_RSI, in, out, FLAT, 2).verdict, VERIFY_PASS);
    out[faded / 2] = 0;
    const struct verify_result r = check(METRICS_INDICATOR_RSI, in, out, FLAT, 2);
    assert_int_equal(r.verdict, VERIFY_FAIL);
    assert_int_equal(r.at, faded / 2);
}

static void zeros_are_right_only_as_zeros(void **state)
{
    (void)state;
    double in[50] = {0}, out[50];
    kernels_best()->sma_f64(in, 50, 5, out);
    struct verify_result r = check(METRICS_INDICATOR_SMA, in, out, 50, 5);
    assert_int_equal(r.verdict, VERIFY_PASS);
    assert_true(r.error == 0);
    out[20] = 1e-200;
    r = check(METRICS_INDICATOR_SMA, in, out, 50, 5);
    assert_int_equal(r.verdict, VERIFY_FAIL);
    assert_true(isinf(r.error));
}

static struct verify_result check_sums(const struct model *m, const float *x, const float *y,
                                       size_t rows)
{
    const struct verify_sample sample = {
        .indicator = METRICS_INDICATOR_MATMUL, .model = m, .n = rows, .in_f32 = x, .out_f32 = y};
    void *memory = aligned_alloc(64, (verify_model_bytes(m) + 64) / 64 * 64);
    assert_non_null(memory);
    const struct verify_result r = verify_check(&sample, memory);
    free(memory);
    return r;
}

/* The model gives the sum of the row, twice. */
static void rows_of_a_model_are_compared_one_by_one(void **state)
{
    (void)state;
    struct model *m = small_model("N 4", 2, NULL);
    const float x[] = {1, 2, 3, 4, 0.5F, 0.25F, 0, 1};
    float y[] = {10, 10, 1.75F, 1.75F};
    struct verify_result r = check_sums(m, x, y, 2);
    assert_int_equal(r.verdict, VERIFY_PASS);
    assert_true(r.error == 0);
    y[3] = 1.7501F;
    r = check_sums(m, x, y, 2);
    assert_int_equal(r.verdict, VERIFY_FAIL);
    assert_int_equal(r.at, 3);
    assert_true(r.want == 1.75 && r.bound < 1e-5);
    y[3] = NAN;
    assert_int_equal(check_sums(m, x, y, 2).verdict, VERIFY_FAIL);
    model_destroy(m);
}

static void nothing_is_said_of_a_row_that_overflows(void **state)
{
    (void)state;
    struct model *m = small_model("N 2", 1, NULL);
    const float x[] = {3e38F, 3e38F};
    const float y[] = {INFINITY};
    assert_int_equal(check_sums(m, x, y, 1).verdict, VERIFY_UNBOUNDED);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fast_kernels_compute_passes),
        cmocka_unit_test(one_wrong_value_fails_and_is_named),
        cmocka_unit_test(a_warm_up_that_is_too_short_or_too_long_fails),
        cmocka_unit_test(the_start_of_a_series_passes_by_itself),
        cmocka_unit_test(rsi_may_fade_a_little_sooner_or_later),
        cmocka_unit_test(zeros_are_right_only_as_zeros),
        cmocka_unit_test(rows_of_a_model_are_compared_one_by_one),
        cmocka_unit_test(nothing_is_said_of_a_row_that_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
