/*
 * smoothing_avx2.c - EMA and RSI with AVX2 and FMA: see smoothing.h.
 */
#include <assert.h>

#include "lanes_avx2.h"
#include "smoothing.h"

void ema_f64_avx2(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    ema_f64_lanes(in, n, period, out);
}

void rsi_f64_avx2(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    rsi_f64_lanes(in, n, period, out);
}
