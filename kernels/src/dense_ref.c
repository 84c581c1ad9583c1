/*
 * dense_ref.c - the dense layer in plain C: the definition of correct.
 */
#include "variants.h"

static void start_row(const float *restrict bias, size_t out_size, float *restrict out)
{
    for (size_t col = 0; col < out_size; col++)
        out[col] = bias != NULL ? bias[col] : 0.0F;
}

/* Row by row of the weights, so that memory is read in the order it lies. */
static void add_products(const float *restrict in, const float *restrict weights, size_t in_size,
                         size_t out_size, float *restrict out)
{
    for (size_t i = 0; i < in_size; i++)
        for (size_t col = 0; col < out_size; col++)
            out[col] += in[i] * weights[i * out_size + col];
}

void dense_f32_ref(const float *restrict in, const float *restrict weights,
                   const float *restrict bias, size_t rows, size_t in_size, size_t out_size,
                   float *restrict out)
{
    for (size_t row = 0; row < rows; row++) {
        start_row(bias, out_size, out + row * out_size);
        add_products(in + row * in_size, weights, in_size, out_size, out + row * out_size);
    }
}

/* Packed for this table is as it was. */
size_t dense_packed_size_ref(size_t in_size, size_t out_size)
{
    return in_size * out_size;
}

void dense_pack_ref(const float *restrict weights, size_t in_size, size_t out_size,
                    float *restrict packed)
{
    for (size_t i = 0; i < in_size * out_size; i++)
        packed[i] = weights[i];
}

static void activate(enum kernels_activation activation, float *x, size_t n)
{
    switch (activation) {
    case KERNELS_NO_ACTIVATION:
        return;
    case KERNELS_RELU:
        relu_f32_ref(x, n);
        return;
    case KERNELS_SIGMOID:
        sigmoid_f32_ref(x, n);
        return;
    case KERNELS_TANH:
        tanh_f32_ref(x, n);
        return;
    }
}

void dense_packed_f32_ref(const float *restrict in, const float *restrict packed,
                          const float *restrict bias, enum kernels_activation activation,
                          size_t rows, size_t in_size, size_t out_size, float *restrict out)
{
    dense_f32_ref(in, packed, bias, rows, in_size, out_size, out);
    activate(activation, out, rows * out_size);
}
