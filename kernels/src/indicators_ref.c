/*
 * indicators_ref.c - the indicators in plain C: the definition of correct.
 *
 * A moving sum that adds what enters and subtracts what leaves keeps the
 * rounding of every large value it ever saw. Here each mean is made of the
 * values of its own window alone, and what rounding loses is carried along.
 */
#include <assert.h>
#include <math.h>

#include "variants.h"

/* A sum and what rounding took from it: together good to twice the digits. */
struct exact_sum {
    double sum;
    double lost;
};

/* Knuth's two-sum: the rounding error of an addition is itself a double. */
static void exact_sum_add(struct exact_sum *s, double x)
{
    const double sum = s->sum + x;
    const double added = sum - s->sum;
    s->lost += (s->sum - (sum - added)) + (x - added);
    s->sum = sum;
}

static double exact_sum_of(const struct exact_sum *s)
{
    return s->sum + s->lost;
}

static double mean_of(const double *x, size_t n)
{
    struct exact_sum sum = {0};
    for (size_t i = 0; i < n; i++)
        exact_sum_add(&sum, x[i]);
    return exact_sum_of(&sum) / (double)n;
}

static void fill_warm_up(double *out, size_t n, size_t warm_up)
{
    for (size_t i = 0; i < n && i < warm_up; i++)
        out[i] = NAN;
}

/*
 * Means of the windows that start at in[0], in[1] ... in[windows - 1], with
 * windows <= period. Each window is a suffix of the first `period` values and a
 * prefix of the following ones (van Herk's algorithm); `out` first holds the
 * suffixes.
 */
static void mean_windows(const double *restrict in, size_t windows, size_t period,
                         double *restrict out)
{
    struct exact_sum suffix = {0};
    for (size_t i = period; i-- > 0;) {
        exact_sum_add(&suffix, in[i]);
        if (i < windows)
            out[i] = exact_sum_of(&suffix);
    }
    struct exact_sum prefix = {0};
    for (size_t i = 0; i < windows; i++) {
        if (i > 0)
            exact_sum_add(&prefix, in[period + i - 1]);
        out[i] = ((out[i] + prefix.sum) + prefix.lost) / (double)period;
    }
}

void sma_f64_ref(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    fill_warm_up(out, n, period - 1);
    if (n < period)
        return;
    const size_t windows = n - period + 1;
    for (size_t first = 0; first < windows; first += period) {
        const size_t left = windows - first;
        mean_windows(in + first, left < period ? left : period, period, out + first + period - 1);
    }
}

/* An exponentially weighted mean, and what rounding took from it. */
struct smoothed {
    double value;
    double lost;
};

/*
 * value += weight * (x - value), from the end that is nearer to the result, so
 * that a large old value leaves nothing behind. With a small weight the steps
 * fall below the last digit of the value; `lost` collects them.
 */
static void smoothed_add(struct smoothed *s, double weight, double x)
{
    if (weight > 0.5) {
        s->value = x + (1 - weight) * (s->value - x);
        return;
    }
    const double step = weight * (x - s->value) + s->lost;
    const double value = s->value + step;
    s->lost = step - (value - s->value);
    s->value = value;
}

void ema_f64_ref(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    fill_warm_up(out, n, period - 1);
    if (n < period)
        return;
    const double alpha = 2 / ((double)period + 1);
    struct smoothed mean = {.value = mean_of(in, period)};
    out[period - 1] = mean.value;
    for (size_t i = period; i < n; i++) {
        smoothed_add(&mean, alpha, in[i]);
        out[i] = mean.value;
    }
}

static double rise(double change)
{
    return change > 0 ? change : 0;
}

static double fall(double change)
{
    return change < 0 ? -change : 0;
}

static double strength_index(double gain, double loss)
{
    const double total = gain + loss;
    return total < RSI_FADED ? 0 : 100 * (gain / total);
}

/* The averages of the first `period` changes. */
static void first_averages(const double *in, size_t period, struct smoothed *gain,
                           struct smoothed *loss)
{
    struct exact_sum gains = {0};
    struct exact_sum losses = {0};
    for (size_t i = 1; i <= period; i++) {
        exact_sum_add(&gains, rise(in[i] - in[i - 1]));
        exact_sum_add(&losses, fall(in[i] - in[i - 1]));
    }
    *gain = (struct smoothed){.value = exact_sum_of(&gains) / (double)period};
    *loss = (struct smoothed){.value = exact_sum_of(&losses) / (double)period};
}

void rsi_f64_ref(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    fill_warm_up(out, n, period);
    if (n <= period)
        return;
    const double weight = 1 / (double)period;
    struct smoothed gain;
    struct smoothed loss;
    first_averages(in, period, &gain, &loss);
    out[period] = strength_index(gain.value, loss.value);
    for (size_t i = period + 1; i < n; i++) {
        const double change = in[i] - in[i - 1];
        smoothed_add(&gain, weight, rise(change));
        smoothed_add(&loss, weight, fall(change));
        out[i] = strength_index(gain.value, loss.value);
    }
}
