/*
 * verify_check.h - whether a result that was served is what the plain twin says it should be.
 *
 *   Threads    pure; `memory` belongs to one call at a time.
 *
 * Bounds are those of kernels.h for both runs: SMA within 2e-15 and EMA within 2e-14 of the same
 * mean of the magnitudes, RSI within 2e-12; models within what plan_twin.h derives.
 */
#ifndef VERIFY_CHECK_H
#define VERIFY_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "metrics.h"
#include "model.h"

/* One result: a series of an indicator, or rows of a model. */
struct verify_sample {
    enum metrics_indicator indicator;
    const struct model *model; /* MATMUL and MATMUL_INT8 */
    size_t n;                  /* values of the series, or rows */
    size_t period;
    const double *in_f64;
    const double *out_f64;
    const float *in_f32;
    const float *out_f32;
};

enum verify_verdict {
    VERIFY_PASS,
    VERIFY_FAIL,
    VERIFY_UNBOUNDED /* the twin overflowed, or divided by what may be 0: nothing can be said */
};

struct verify_result {
    enum verify_verdict verdict;
    double error; /* the largest one, relative: see verify_check() */
    /* Where the bound was exceeded first, or the error is largest. */
    size_t at; /* in the series, or in all rows */
    double got;
    double want;
    double bound; /* how far `got` may be from `want` */
};

/* Bytes that verify_check() needs for a series of so many values, or for any rows of a model. */
size_t verify_series_bytes(size_t n);
size_t verify_model_bytes(const struct model *model);

/*
 * Recomputes the sample. The error is relative to the mean of the magnitudes (SMA, EMA), to 100
 * (RSI), or to the largest |output| of the row; infinite where one of both is no number. Result
 * and twin may be anything where a model overflows. `memory` is aligned for any vector.
 */
struct verify_result verify_check(const struct verify_sample *sample, void *memory);

#endif
