/*
 * paired.c - see paired.h.
 */
#include "paired.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double paired_confidence(size_t n, size_t k)
{
    assert(k >= 1);
    assert(k <= n);
    double term = ldexp(1, -(int)n); /* C(n, i) / 2^n */
    double outside = 0;
    for (size_t i = 0; i < k; i++) {
        outside += term;
        term *= (double)(n - i) / (double)(i + 1);
    }
    return outside < 0.5 ? 1 - 2 * outside : 0;
}

/* The narrowest interval that is sure enough, else the widest. */
static size_t rank_for(size_t n, double confidence)
{
    size_t k = 1;
    while (2 * (k + 1) <= n && paired_confidence(n, k + 1) >= confidence)
        k++;
    return k;
}

/* --- Medians. */

double paired_median(const double *values, size_t count)
{
    double sorted[PAIRED_MAX];
    size_t n = 0;
    assert(count <= PAIRED_MAX);
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            sorted[n++] = values[i];
    if (n == 0)
        return NAN;
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* Logarithms: then B/A is as far from 1 as A/B is. */
static size_t take_logs(const double *a, const double *b, size_t count, double *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (a[i] > 0 && b[i] > 0 && isfinite(a[i]) && isfinite(b[i]))
            out[n++] = log(b[i] / a[i]);
    return n;
}

void paired_ratio(const double *a, const double *b, size_t count, double confidence,
                  struct paired_ratio *out)
{
    double logs[PAIRED_MAX];
    assert(count <= PAIRED_MAX);
    const size_t n = take_logs(a, b, count, logs);
    *out = (struct paired_ratio){.median = NAN, .low = NAN, .high = NAN, .confidence = NAN};
    if (n == 0)
        return;
    qsort(logs, n, sizeof *logs, compare_doubles);
    const size_t k = rank_for(n, confidence);
    *out = (struct paired_ratio){
        .pairs = n,
        .median = exp((logs[(n - 1) / 2] + logs[n / 2]) / 2),
        .low = exp(logs[k - 1]),
        .high = exp(logs[n - k]),
        .confidence = paired_confidence(n, k),
    };
}
