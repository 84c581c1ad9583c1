/*
 * activations_ref.c - the activations in plain C: the definition of correct.
 */
#include <math.h>

#include "variants.h"

void relu_f32_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0.0F ? x[i] : 0.0F;
}

/* expf() sees no positive number: 1 + e cannot overflow, and small results keep their digits. */
void sigmoid_f32_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float e = expf(-fabsf(x[i]));
        x[i] = (x[i] >= 0.0F ? 1.0F : e) / (1.0F + e);
    }
}

void tanh_f32_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = tanhf(x[i]);
}

static float max_of(const float *x, size_t n)
{
    float max = x[0];
    for (size_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* The sum is a double: thousands of small terms would be lost beside a float near 1. */
static void softmax_row(float *x, size_t cols)
{
    const float max = max_of(x, cols);
    double sum = 0;
    for (size_t col = 0; col < cols; col++) {
        x[col] = expf(x[col] - max);
        sum += (double)x[col];
    }
    const float scale = (float)(1.0 / sum);
    for (size_t col = 0; col < cols; col++)
        x[col] *= scale;
}

void softmax_f32_ref(float *x, size_t rows, size_t cols)
{
    if (cols == 0)
        return;
    for (size_t row = 0; row < rows; row++)
        softmax_row(x + row * cols, cols);
}
