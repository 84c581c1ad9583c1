/*
 * cblas.c - plain loops for the calls in cblas.h.
 */
#include "cblas.h"

#include <assert.h>

void openblas_set_num_threads(int threads)
{
    assert(threads == 1);
    (void)threads;
}

int openblas_get_parallel(void)
{
    return OPENBLAS_SEQUENTIAL;
}

char *openblas_get_config(void)
{
    static char config[] = "stand-in";
    return config;
}

/* Element (row, col) of a matrix after it was turned or not. */
static float at(const float *a, blasint lda, enum CBLAS_TRANSPOSE trans, blasint row, blasint col)
{
    return trans == CblasNoTrans ? a[row * lda + col] : a[col * lda + row];
}

/* BLAS does not read what it multiplies with 0: memory may be uninitialised. */
static float scaled(float beta, const float *y)
{
    return beta == 0.0F ? 0.0F : beta * *y;
}

void cblas_sgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE trans_a, enum CBLAS_TRANSPOSE trans_b,
                 blasint m, blasint n, blasint k, float alpha, const float *a, blasint lda,
                 const float *b, blasint ldb, float beta, float *c, blasint ldc)
{
    assert(order == CblasRowMajor);
    (void)order;
    for (blasint row = 0; row < m; row++)
        for (blasint col = 0; col < n; col++) {
            float sum = 0;
            for (blasint i = 0; i < k; i++)
                sum += at(a, lda, trans_a, row, i) * at(b, ldb, trans_b, i, col);
            float *out = &c[row * ldc + col];
            *out = alpha * sum + scaled(beta, out);
        }
}

/* The rows of `a` times one column. */
void cblas_sgemv(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE trans, blasint rows, blasint cols,
                 float alpha, const float *a, blasint lda, const float *x, blasint step_x,
                 float beta, float *y, blasint step_y)
{
    const blasint m = trans == CblasNoTrans ? rows : cols;
    const blasint k = trans == CblasNoTrans ? cols : rows;
    cblas_sgemm(order, trans, CblasNoTrans, m, 1, k, alpha, a, lda, x, step_x, beta, y, step_y);
}
