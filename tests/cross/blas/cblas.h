/*
 * cblas.h - as much of BLAS as the kernels call, where none is installed. Plain
 * loops: it stands in for OpenBLAS in tests of other processors.
 */
#ifndef CROSS_CBLAS_H
#define CROSS_CBLAS_H

#define OPENBLAS_SEQUENTIAL 0

typedef int blasint;

enum CBLAS_ORDER {
    CblasRowMajor = 101,
    CblasColMajor = 102
};
enum CBLAS_TRANSPOSE {
    CblasNoTrans = 111,
    CblasTrans = 112
};

void openblas_set_num_threads(int threads);
int openblas_get_parallel(void);
char *openblas_get_config(void);

/* Row-major only. */
void cblas_sgemv(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE trans, blasint rows, blasint cols,
                 float alpha, const float *a, blasint lda, const float *x, blasint step_x,
                 float beta, float *y, blasint step_y);
void cblas_sgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE trans_a, enum CBLAS_TRANSPOSE trans_b,
                 blasint m, blasint n, blasint k, float alpha, const float *a, blasint lda,
                 const float *b, blasint ldb, float beta, float *c, blasint ldc);

#endif
