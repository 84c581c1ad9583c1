/*
 * contender_blas.c - the calls of OpenBLAS that compute a dense layer. Which is
 * the fastest depends on the shape; the kernels are compared with that one.
 */
#include <cblas.h>
#include <stdint.h>
#include <string.h>

#include "bench.h"

#define CHUNK 8

struct blas_call {
    const char *name;
    size_t rows_min, rows_max;
    void (*run)(const struct bench_case *c, const struct operands *o);
};

static void gemv(const struct bench_case *c, const struct operands *o)
{
    const blasint k = (blasint)c->in_size;
    const blasint n = (blasint)c->out_size;
    cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1.0F, o->weights, n, o->dense_in, 1, 0.0F,
                o->dense_out, 1);
}

static void gemv_turned(const struct bench_case *c, const struct operands *o)
{
    const blasint k = (blasint)c->in_size;
    const blasint n = (blasint)c->out_size;
    cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0F, o->weights_turned, k, o->dense_in, 1, 0.0F,
                o->dense_out, 1);
}

static void gemm_rows(const struct bench_case *c, const struct operands *o, size_t first,
                      size_t rows)
{
    const blasint k = (blasint)c->in_size;
    const blasint n = (blasint)c->out_size;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, n, k, 1.0F,
                o->dense_in + first * c->in_size, k, o->weights, n, 0.0F,
                o->dense_out + first * c->out_size, n);
}

static void gemm(const struct bench_case *c, const struct operands *o)
{
    gemm_rows(c, o, 0, c->rows);
}

static void gemm_by_chunk(const struct bench_case *c, const struct operands *o)
{
    for (size_t first = 0; first < c->rows; first += CHUNK)
        gemm_rows(c, o, first, c->rows - first < CHUNK ? c->rows - first : CHUNK);
}

static void gemm_turned(const struct bench_case *c, const struct operands *o)
{
    const blasint k = (blasint)c->in_size;
    const blasint n = (blasint)c->out_size;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)c->rows, n, k, 1.0F, o->dense_in,
                k, o->weights_turned, k, 0.0F, o->dense_out, n);
}

static bool takes(const struct contender *self, const struct bench_case *c)
{
    return c->kernel == BENCH_DENSE && c->rows >= self->blas->rows_min &&
           c->rows <= self->blas->rows_max;
}

static double time_blas(const struct contender *self, const struct bench_case *c,
                        const struct operands *o, size_t calls)
{
    const double start = bench_now_ns();
    for (size_t i = 0; i < calls; i++)
        self->blas->run(c, o);
    return bench_now_ns() - start;
}

/*
 * An OpenBLAS that is older than the processor takes it for one without AVX-512, which makes it
 * two to three times slower than it could be: a comparison that would flatter us.
 */
static void warn_if_held_back(void)
{
#if defined(__x86_64__)
    const char *core = kernels_blas_description();
    if (__builtin_cpu_supports("avx512f") && strstr(core, "SkylakeX") == NULL &&
        strstr(core, "Cooperlake") == NULL && strstr(core, "Sapphire") == NULL)
        printf("OpenBLAS does not use this processor's AVX-512: OPENBLAS_CORETYPE=SkylakeX in "
               "the environment makes it\n");
#endif
}

void add_blas(struct contenders *all)
{
    static const struct blas_call calls[] = {
        {"openblas gemv", 1, 1, gemv},
        {"openblas gemv turned", 1, 1, gemv_turned},
        {"openblas gemm", 1, SIZE_MAX, gemm},
        {"openblas gemm turned", 1, SIZE_MAX, gemm_turned},
        {"openblas gemm by 8", CHUNK + 1, SIZE_MAX, gemm_by_chunk},
    };
    kernels_blas_single_thread();
    warn_if_held_back();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct contender *added = contender_add(all, ROLE_BLAS, calls[i].name);
        added->blas = &calls[i];
        added->takes = takes;
        added->time = time_blas;
    }
}
