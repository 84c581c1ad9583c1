/*
 * dense_blas.c - the dense layer through OpenBLAS, which picks its own kernel
 * for the processor at run time.
 */
#include <cblas.h>
#include <limits.h>

#include "kernels.h"
#include "variants.h"

/* blasint is int or long, as OpenBLAS was built. */
#define BLASINT_MAX (sizeof(blasint) == sizeof(int) ? (size_t)INT_MAX : (size_t)LONG_MAX)

void kernels_blas_single_thread(void)
{
    openblas_set_num_threads(1);
}

bool kernels_blas_is_thread_safe(void)
{
    return openblas_get_parallel() != OPENBLAS_SEQUENTIAL;
}

const char *kernels_blas_description(void)
{
    return openblas_get_config();
}

static bool blas_takes(size_t rows, size_t in_size, size_t out_size)
{
    const size_t max = BLASINT_MAX;
    return rows <= max && in_size <= max && out_size <= max;
}

static void add_bias(const float *restrict bias, size_t rows, size_t out_size, float *restrict out)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < out_size; col++)
            out[row * out_size + col] += bias[col];
}

void dense_f32_blas(const float *restrict in, const float *restrict weights,
                    const float *restrict bias, size_t rows, size_t in_size, size_t out_size,
                    float *restrict out)
{
    if (rows == 0 || out_size == 0)
        return;
    /* BLAS wants leading dimensions of at least 1, and counts in its own integer. */
    if (in_size == 0 || !blas_takes(rows, in_size, out_size)) {
        dense_f32_ref(in, weights, bias, rows, in_size, out_size, out);
        return;
    }
    const blasint m = (blasint)rows;
    const blasint k = (blasint)in_size;
    const blasint n = (blasint)out_size;
    if (rows == 1)
        cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1.0F, weights, n, in, 1, 0.0F, out, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0F, in, k, weights, n,
                    0.0F, out, n);
    if (bias != NULL)
        add_bias(bias, rows, out_size, out);
}
