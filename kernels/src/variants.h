/*
 * variants.h - every function the tables are made of: <operation>_<type>_<variant>.
 *
 * What each one computes is said in kernels.h, beside its member of the table.
 */
#ifndef KERNELS_VARIANTS_H
#define KERNELS_VARIANTS_H

#include <stddef.h>

#include "kernels.h"

/*
 * RSI is 0 when the averages together are below this. They halve every few
 * values of a flat series; without a floor the last bits of denormal numbers
 * would decide the result.
 */
#define RSI_FADED 1e-290

#define DECLARE_INDICATORS(isa)                                                                   \
    void sma_f64_##isa(const double *restrict in, size_t n, size_t period, double *restrict out); \
    void ema_f64_##isa(const double *restrict in, size_t n, size_t period, double *restrict out); \
    void rsi_f64_##isa(const double *restrict in, size_t n, size_t period, double *restrict out); \
    void sma_batch_f64_##isa(const struct kernels_series *series, size_t count, size_t period);   \
    void ema_batch_f64_##isa(const struct kernels_series *series, size_t count, size_t period);   \
    void rsi_batch_f64_##isa(const struct kernels_series *series, size_t count, size_t period)

#define DECLARE_ACTIVATIONS(isa)                \
    void relu_f32_##isa(float *x, size_t n);    \
    void sigmoid_f32_##isa(float *x, size_t n); \
    void tanh_f32_##isa(float *x, size_t n);    \
    void softmax_f32_##isa(float *x, size_t rows, size_t cols)

#define DECLARE_DENSE(variant)                                                        \
    void dense_f32_##variant(const float *restrict in, const float *restrict weights, \
                             const float *restrict bias, size_t rows, size_t in_size, \
                             size_t out_size, float *restrict out)

#define DECLARE_DENSE_PACKED(isa)                                                               \
    size_t dense_packed_size_##isa(size_t in_size, size_t out_size);                            \
    void dense_pack_##isa(const float *restrict weights, size_t in_size, size_t out_size,       \
                          float *restrict packed);                                              \
    void dense_packed_f32_##isa(const float *restrict in, const float *restrict packed,         \
                                const float *restrict bias, enum kernels_activation activation, \
                                size_t rows, size_t in_size, size_t out_size, float *restrict out)

#define DECLARE_DENSE_I8(isa)                                                                     \
    size_t dense_i8_scratch_##isa(size_t rows, size_t in_size);                                   \
    void dense_i8_f32_##isa(const float *restrict in, const void *restrict packed,                \
                            const float *restrict bias, enum kernels_activation activation,       \
                            size_t rows, size_t in_size, size_t out_size, void *restrict scratch, \
                            float *restrict out)

/* Packed int8 weights are the same for every variant: see dense_i8.h. */
size_t dense_i8_size_ref(size_t in_size, size_t out_size);
void dense_i8_pack_ref(const float *restrict weights, size_t in_size, size_t out_size,
                       void *restrict packed);

DECLARE_INDICATORS(ref);
DECLARE_INDICATORS(avx2);
DECLARE_INDICATORS(avx512);
DECLARE_ACTIVATIONS(ref);
DECLARE_ACTIVATIONS(avx2);
DECLARE_ACTIVATIONS(avx512);
DECLARE_DENSE(ref);
DECLARE_DENSE(blas);
DECLARE_DENSE_PACKED(ref);
DECLARE_DENSE_PACKED(avx2);
DECLARE_DENSE_PACKED(avx512);
DECLARE_DENSE_I8(ref);
DECLARE_DENSE_I8(avx2);
DECLARE_DENSE_I8(avx512);

#endif
