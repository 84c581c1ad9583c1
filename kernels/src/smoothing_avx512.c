/*
 * smoothing_avx512.c - EMA and RSI with AVX-512: see smoothing.h.
 */
#include <assert.h>

#include "lanes_avx512.h"
#include "smoothing.h"

void ema_f64_avx512(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    ema_f64_lanes(in, n, period, out);
}

void rsi_f64_avx512(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    rsi_f64_lanes(in, n, period, out);
}
