/*
 * indicators_batch.c - batches of series one after the other, for every table
 * and indicator that has nothing better.
 */
#include "variants.h"

#define ROW_BY_ROW(name, isa)                                                                     \
    void name##_batch_f64_##isa(const struct kernels_series *series, size_t count, size_t period) \
    {                                                                                             \
        for (size_t row = 0; row < count; row++)                                                  \
            name##_f64_##isa(series[row].in, series[row].n, period, series[row].out);             \
    }

ROW_BY_ROW(sma, ref)
ROW_BY_ROW(ema, ref)
ROW_BY_ROW(rsi, ref)
#ifdef KERNELS_HAVE_AVX2
ROW_BY_ROW(sma, avx2)
ROW_BY_ROW(ema, avx2)
ROW_BY_ROW(rsi, avx2)
#endif
#ifdef KERNELS_HAVE_AVX512
ROW_BY_ROW(sma, avx512)
#endif
