/*
 * test_indicators.c - what the indicators mean, checked for every table that
 * this processor runs against a naive long double computation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"
#include "kernels_testing.h"

/*
 * Tolerances, in parts of the magnitudes that went into a result. SMA is a sum
 * in at most 9 roundings of 1.1e-16. EMA and RSI keep the roundings of earlier
 * values; with the period their number grows, so those that matter are carried.
 */
#define SMA_RELATIVE_MAX 1e-15L
#define EMA_RELATIVE_MAX 1e-14L
#define RSI_ABSOLUTE_MAX 1e-12L

#define VALUES_MAX 3000

typedef void indicator(const double *restrict in, size_t n, size_t period, double *restrict out);

/* The expected value, and the mean magnitude of what it is made of. */
struct expected {
    long double value;
    long double scale;
};

/* expected[i] for one series; NaN values in the warm-up. */
typedef void oracle(const double *in, size_t n, size_t period, struct expected *expected);

static void all_nan(struct expected *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expected[i] = (struct expected){(long double)NAN, 1};
}

static struct expected mean_before(const double *in, size_t end, size_t period)
{
    struct expected mean = {0, 0};
    for (size_t i = end - period; i < end; i++) {
        mean.value += (long double)in[i] / (long double)period;
        mean.scale += fabsl((long double)in[i]) / (long double)period;
    }
    return mean;
}

static void sma_oracle(const double *in, size_t n, size_t period, struct expected *expected)
{
    all_nan(expected, n);
    for (size_t i = period - 1; i < n; i++)
        expected[i] = mean_before(in, i + 1, period);
}

static void ema_oracle(const double *in, size_t n, size_t period, struct expected *expected)
{
    all_nan(expected, n);
    if (n < period)
        return;
    const long double alpha = 2.0L / ((long double)period + 1);
    const long double keep = ((long double)period - 1) / ((long double)period + 1);
    expected[period - 1] = mean_before(in, period, period);
    for (size_t i = period; i < n; i++) {
        const long double x = (long double)in[i];
        expected[i].value = keep * expected[i - 1].value + alpha * x;
        expected[i].scale = keep * expected[i - 1].scale + alpha * fabsl(x);
    }
}

static long double rsi_of(long double gain, long double loss)
{
    return gain + loss < 1e-290L ? 0 : 100 * gain / (gain + loss);
}

static void rsi_oracle(const double *in, size_t n, size_t period, struct expected *expected)
{
    all_nan(expected, n);
    long double gain = 0;
    long double loss = 0;
    const long double keep = ((long double)period - 1) / (long double)period;
    for (size_t i = 1; i < n; i++) {
        const long double change = (long double)in[i] - (long double)in[i - 1];
        const long double weight = i > period ? keep : 1;
        gain = weight * gain + (change > 0 ? change : 0) / (long double)period;
        loss = weight * loss + (change < 0 ? -change : 0) / (long double)period;
        if (i >= period)
            expected[i] = (struct expected){rsi_of(gain, loss), 1};
    }
}

/* --- series ---------------------------------------------------------------------------------- */

typedef void filler(double *x, size_t n);

static void fill_near_100(double *x, size_t n)
{
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++)
        x[i] = 100 + 10 * next_random(&state);
}

static void fill_spikes(double *x, size_t n)
{
    fill_near_100(x, n);
    for (size_t i = 17; i < n; i += 131)
        x[i] = 1e12;
}

static void fill_signs(double *x, size_t n)
{
    uint64_t state = 2;
    for (size_t i = 0; i < n; i++)
        x[i] = next_random(&state) - 0.5;
}

static void fill_huge_spikes(double *x, size_t n)
{
    fill_near_100(x, n);
    for (size_t i = 5; i < n; i += 397)
        x[i] = 1e250;
}

static void fill_rising(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.1 * (double)i;
}

static void fill_step(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = i < n / 3 ? 50 : 100.1;
}

static void fill_denormal(double *x, size_t n)
{
    uint64_t state = 3;
    for (size_t i = 0; i < n; i++)
        x[i] = 1e-308 * next_random(&state);
}

static filler *const fillers[] = {
    fill_near_100, fill_spikes, fill_signs, fill_rising, fill_step, fill_denormal,
};

static const size_t periods[] = {1,   2,   3,   4,   5,   7,   14,  15,   16,  17,  20,
                                 22,  23,  31,  47,  63,  64,  65,  66,   67,  68,  100,
                                 127, 128, 129, 192, 200, 255, 256, 257,  320, 389, 447,
                                 448, 449, 500, 511, 512, 513, 576, 1000, 2999};

/* --- comparing ------------------------------------------------------------------------------- */

/* Denormal results cannot be closer than the distance of two of them, a few times over. */
static void assert_close(const char *what, size_t period, size_t i, double got,
                         struct expected want, long double relative_max)
{
    if (isnan(got) && isnan(want.value))
        return;
    const long double allowed = relative_max * want.scale + 4 * 0x1p-1074L;
    if (fabsl((long double)got - want.value) <= allowed)
        return;
    fail_msg("%s, period %zu, [%zu]: got %.17g, want %.20Lg, error %.3Lg, allowed %.3Lg", what,
             period, i, got, want.value, fabsl((long double)got - want.value), allowed);
}

static void check_one(const char *what, indicator *kernel, oracle *wanted, const double *in,
                      size_t n, size_t period, long double relative_max)
{
    static double out[VALUES_MAX];
    static struct expected expected[VALUES_MAX];
    kernel(in, n, period, out);
    wanted(in, n, period, expected);
    for (size_t i = 0; i < n; i++)
        assert_close(what, period, i, out[i], expected[i], relative_max);
}

static void check_series(const struct kernels *table, filler *fill, size_t n, size_t period)
{
    static double in[VALUES_MAX];
    fill(in, n);
    const char *isa = kernels_isa_str(table->isa);
    char what[64];
    snprintf(what, sizeof what, "%s sma", isa);
    check_one(what, table->sma_f64, sma_oracle, in, n, period, SMA_RELATIVE_MAX);
    snprintf(what, sizeof what, "%s ema", isa);
    check_one(what, table->ema_f64, ema_oracle, in, n, period, EMA_RELATIVE_MAX);
    snprintf(what, sizeof what, "%s rsi", isa);
    check_one(what, table->rsi_f64, rsi_oracle, in, n, period, RSI_ABSOLUTE_MAX);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void every_series_and_period_agrees_with_long_double(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    for (size_t f = 0; f < COUNT_OF(fillers); f++)
        for (size_t p = 0; p < COUNT_OF(periods); p++)
            check_series(table, fillers[f], VALUES_MAX, periods[p]);
}

/* For the sums at least: in EMA a value fades, and its weight after k steps is right to k
 * roundings. */
static void sma_forgets_a_spike_of_any_size(void **state)
{
    (void)state;
    static double in[VALUES_MAX];
    fill_huge_spikes(in, VALUES_MAX);
    FOR_EACH_TABLE(table)
    for (size_t p = 0; p < COUNT_OF(periods); p++)
        check_one(kernels_isa_str(table->isa), table->sma_f64, sma_oracle, in, VALUES_MAX,
                  periods[p], SMA_RELATIVE_MAX);
}

static void lengths_around_the_period_are_right(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    for (size_t period = 1; period <= 140; period++) {
        check_series(table, fill_near_100, 0, period);
        check_series(table, fill_near_100, 1, period);
        check_series(table, fill_near_100, period - 1, period);
        check_series(table, fill_near_100, period, period);
        check_series(table, fill_near_100, period + 1, period);
        check_series(table, fill_near_100, period + 2, period);
    }
}

static void a_period_beyond_all_bounds_gives_nan_only(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    {
        check_series(table, fill_near_100, 100, SIZE_MAX);
        check_series(table, fill_near_100, 100, SIZE_MAX / 2);
    }
}

typedef void batch(const struct kernels_series *series, size_t count, size_t period);

#define SERIES 8
#define SERIES_VALUES 1900 /* short enough to be computed together */

/* The same series eight times, each a value shorter than the one before. */
static void check_batch(const char *what, batch *kernel, oracle *wanted, const double *in,
                        size_t period, long double relative_max)
{
    static double out[SERIES][SERIES_VALUES];
    static struct expected expected[SERIES_VALUES];
    struct kernels_series series[SERIES];
    for (size_t i = 0; i < SERIES; i++)
        series[i] = (struct kernels_series){in, SERIES_VALUES - i, out[i]};
    kernel(series, SERIES, period);
    wanted(in, SERIES_VALUES, period, expected);
    for (size_t i = 0; i < SERIES; i++)
        for (size_t at = 0; at < SERIES_VALUES - i; at++)
            assert_close(what, period, at, out[i][at], expected[at], relative_max);
}

static void batches_of_every_series_and_period_agree_with_long_double(void **state)
{
    (void)state;
    static double in[SERIES_VALUES];
    FOR_EACH_TABLE(table)
    for (size_t f = 0; f < COUNT_OF(fillers); f++)
        for (size_t period = 1; period <= 70; period++) {
            fillers[f](in, SERIES_VALUES);
            check_batch("sma batch", table->sma_batch_f64, sma_oracle, in, period,
                        SMA_RELATIVE_MAX);
            check_batch("ema batch", table->ema_batch_f64, ema_oracle, in, period,
                        EMA_RELATIVE_MAX);
            check_batch("rsi batch", table->rsi_batch_f64, rsi_oracle, in, period,
                        RSI_ABSOLUTE_MAX);
        }
}

static void assert_row(const double *got, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(isnan(got[i]) && isnan(want[i])) && fabs(got[i] - want[i]) > 1e-12)
            fail_msg("[%zu]: got %.17g, want %.17g", i, got[i], want[i]);
}

/* Worked by hand. */
static void the_golden_rows_come_out(void **state)
{
    (void)state;
    const double in[] = {1, 2, 4, 8, 4, 2};
    const double sma3[] = {NAN, NAN, 7.0 / 3, 14.0 / 3, 16.0 / 3, 14.0 / 3};
    /* alpha 1/2, seed 7/3. */
    const double ema3[] = {NAN, NAN, 7.0 / 3, 31.0 / 6, 55.0 / 12, 79.0 / 24};
    /* Changes 1 2 4 -4 -2. Averages gain/loss of two: 3/2, 0; 11/4, 0; 11/8, 2; 11/16, 2. */
    const double rsi2[] = {NAN, NAN, 100, 100, 1100.0 / 27, 1100.0 / 43};
    double out[6];
    FOR_EACH_TABLE(table)
    {
        table->sma_f64(in, 6, 3, out);
        assert_row(out, sma3, 6);
        table->ema_f64(in, 6, 3, out);
        assert_row(out, ema3, 6);
        table->rsi_f64(in, 6, 2, out);
        assert_row(out, rsi2, 6);
    }
}

static void assert_all_equal(const char *what, const double *out, size_t from, size_t n,
                             double want)
{
    for (size_t i = from; i < n; i++)
        if (out[i] != want)
            fail_msg("%s [%zu]: got %.17g, want %.17g", what, i, out[i], want);
}

static void a_constant_series_stays_what_it_is(void **state)
{
    (void)state;
    double in[300];
    double out[300];
    for (size_t i = 0; i < 300; i++)
        in[i] = 37.25;
    FOR_EACH_TABLE(table)
    for (size_t period = 1; period <= 100; period++) {
        table->sma_f64(in, 300, period, out);
        assert_all_equal("sma", out, period - 1, 300, 37.25);
        table->ema_f64(in, 300, period, out);
        assert_all_equal("ema", out, period - 1, 300, 37.25);
        table->rsi_f64(in, 300, period, out);
        assert_all_equal("rsi", out, period, 300, 0);
    }
}

static void rsi_of_a_rising_series_is_100_and_of_a_falling_one_0(void **state)
{
    (void)state;
    double rising[300];
    double falling[300];
    double out[300];
    fill_rising(rising, 300);
    for (size_t i = 0; i < 300; i++)
        falling[i] = -rising[i];
    FOR_EACH_TABLE(table)
    for (size_t period = 1; period <= 100; period++) {
        table->rsi_f64(rising, 300, period, out);
        assert_all_equal("rising", out, period, 300, 100);
        table->rsi_f64(falling, 300, period, out);
        assert_all_equal("falling", out, period, 300, 0);
    }
}

static void assert_batch_equal(const char *what, batch *kernel, const double *in, size_t period,
                               size_t warm_up, double want)
{
    double out[SERIES][300];
    struct kernels_series series[SERIES];
    for (size_t i = 0; i < SERIES; i++)
        series[i] = (struct kernels_series){in, 300, out[i]};
    kernel(series, SERIES, period);
    for (size_t i = 0; i < SERIES; i++)
        assert_all_equal(what, out[i], warm_up, 300, want);
}

static void flat_rising_and_falling_batches_are_exact(void **state)
{
    (void)state;
    double flat[300];
    double rising[300];
    double falling[300];
    fill_rising(rising, 300);
    for (size_t i = 0; i < 300; i++) {
        flat[i] = 37.25;
        falling[i] = -rising[i];
    }
    FOR_EACH_TABLE(table)
    for (size_t period = 1; period <= 70; period++) {
        assert_batch_equal("ema", table->ema_batch_f64, flat, period, period - 1, 37.25);
        assert_batch_equal("flat", table->rsi_batch_f64, flat, period, period, 0);
        assert_batch_equal("rising", table->rsi_batch_f64, rising, period, period, 100);
        assert_batch_equal("falling", table->rsi_batch_f64, falling, period, period, 0);
    }
}

static void rsi_stays_between_0_and_100(void **state)
{
    (void)state;
    static double in[VALUES_MAX];
    static double out[VALUES_MAX];
    FOR_EACH_TABLE(table)
    for (size_t f = 0; f < COUNT_OF(fillers); f++) {
        fillers[f](in, VALUES_MAX);
        table->rsi_f64(in, VALUES_MAX, 14, out);
        for (size_t i = 14; i < VALUES_MAX; i++)
            if (!(out[i] >= 0 && out[i] <= 100))
                fail_msg("[%zu]: %.17g is not within 0 and 100", i, out[i]);
    }
}

/* One rise, then nothing: the averages fade by 13/14 per value, past the smallest double. */
static void rsi_of_a_series_that_went_flat_holds_and_then_is_0(void **state)
{
    (void)state;
    const size_t n = 20000;
    double *in = calloc(n, sizeof *in);
    double *out = calloc(n, sizeof *out);
    assert_non_null(in);
    assert_non_null(out);
    for (size_t i = 1; i < n; i++)
        in[i] = i < 14 ? 3 : 2;
    FOR_EACH_TABLE(table)
    {
        table->rsi_f64(in, n, 14, out);
        for (size_t i = 14; i < n; i++)
            if (fabs(out[i] - 75) > 1e-9 && out[i] != 0)
                fail_msg("[%zu]: got %.17g, want 75 or 0", i, out[i]);
        if (out[8000] == 0 || out[n - 1] != 0)
            fail_msg("got %g and %g, want 75 and 0", out[8000], out[n - 1]);
    }
    free(in);
    free(out);
}

static void assert_scaled(const char *what, indicator *kernel, const double *in,
                          const double *scaled, size_t period, double scale)
{
    static double plain[VALUES_MAX];
    static double out[VALUES_MAX];
    kernel(in, VALUES_MAX, period, plain);
    kernel(scaled, VALUES_MAX, period, out);
    for (size_t i = 0; i < VALUES_MAX; i++)
        if (!(isnan(out[i]) && isnan(plain[i])) && out[i] != plain[i] * scale)
            fail_msg("%s, period %zu, [%zu]: got %.17g, want %.17g", what, period, i, out[i],
                     plain[i] * scale);
}

/* Neither near the largest values that are allowed, nor near the smallest that are not flat. */
static void a_power_of_two_scales_the_means_and_leaves_rsi_alone(void **state)
{
    (void)state;
    static const double scales[] = {0x1p940, 0x1p-900};
    static double in[VALUES_MAX];
    static double scaled[VALUES_MAX];
    fill_near_100(in, VALUES_MAX);
    for (size_t s = 0; s < COUNT_OF(scales); s++) {
        for (size_t i = 0; i < VALUES_MAX; i++)
            scaled[i] = in[i] * scales[s];
        FOR_EACH_TABLE(table)
        for (size_t p = 0; p < COUNT_OF(periods); p++) {
            assert_scaled("sma", table->sma_f64, in, scaled, periods[p], scales[s]);
            assert_scaled("ema", table->ema_f64, in, scaled, periods[p], scales[s]);
            assert_scaled("rsi", table->rsi_f64, in, scaled, periods[p], 1);
        }
    }
}

/* Sums of integers are exact, and the division is rounded once: so it is in every table. */
static void sma_of_integers_is_the_rounded_quotient(void **state)
{
    (void)state;
    static double in[VALUES_MAX];
    static double out[VALUES_MAX];
    uint64_t random = 9;
    for (size_t i = 0; i < VALUES_MAX; i++)
        in[i] = floor(1e6 * next_random(&random));
    FOR_EACH_TABLE(table)
    for (size_t period = 1; period <= 600; period++) {
        table->sma_f64(in, VALUES_MAX, period, out);
        double sum = 0;
        for (size_t i = 0; i < VALUES_MAX; i++) {
            sum += in[i] - (i >= period ? in[i - period] : 0);
            if (i + 1 >= period && out[i] != sum / (double)period)
                fail_msg("%s, period %zu, [%zu]: got %.17g, want %.17g",
                         kernels_isa_str(table->isa), period, i, out[i], sum / (double)period);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_rows_come_out),
        cmocka_unit_test(every_series_and_period_agrees_with_long_double),
        cmocka_unit_test(batches_of_every_series_and_period_agree_with_long_double),
        cmocka_unit_test(sma_forgets_a_spike_of_any_size),
        cmocka_unit_test(lengths_around_the_period_are_right),
        cmocka_unit_test(a_period_beyond_all_bounds_gives_nan_only),
        cmocka_unit_test(a_constant_series_stays_what_it_is),
        cmocka_unit_test(rsi_of_a_rising_series_is_100_and_of_a_falling_one_0),
        cmocka_unit_test(flat_rising_and_falling_batches_are_exact),
        cmocka_unit_test(rsi_stays_between_0_and_100),
        cmocka_unit_test(rsi_of_a_series_that_went_flat_holds_and_then_is_0),
        cmocka_unit_test(a_power_of_two_scales_the_means_and_leaves_rsi_alone),
        cmocka_unit_test(sma_of_integers_is_the_rounded_quotient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
