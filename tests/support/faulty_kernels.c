/*
 * faulty_kernels.c - the fastest kernels of this processor, but for two faults, for a server that
 * is linked with -Wl,--wrap=kernels_best: the last value of an SMA is too large by 1e-9 of it, and
 * the first probability of a model is a quarter and half of what it should be.
 */
#include "kernels.h"

const struct kernels *__real_kernels_best(void);
const struct kernels *__wrap_kernels_best(void);

static void faulty_sma_batch(const struct kernels_series *series, size_t count, size_t period)
{
    __real_kernels_best()->sma_batch_f64(series, count, period);
    for (size_t i = 0; i < count; i++)
        series[i].out[series[i].n - 1] *= 1 + 1e-9;
}

static void faulty_softmax(float *x, size_t rows, size_t cols)
{
    __real_kernels_best()->softmax_f32(x, rows, cols);
    if (rows * cols > 0)
        x[0] = 0.25F + x[0] / 2;
}

/* Written once, before main(): the server asks again and again. */
static struct kernels faulty;

__attribute__((constructor)) static void make_faulty(void)
{
    faulty = *__real_kernels_best();
    faulty.sma_batch_f64 = faulty_sma_batch;
    faulty.softmax_f32 = faulty_softmax;
}

const struct kernels *__wrap_kernels_best(void)
{
    return &faulty;
}
