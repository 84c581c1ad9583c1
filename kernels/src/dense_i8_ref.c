/*
 * dense_i8_ref.c - the int8 dense layer in plain C: the definition of correct, and the packing for
 * every variant.
 */
#include "dense_i8.h"

#include <assert.h>
#include <math.h>
#include <string.h>

size_t dense_i8_size_ref(size_t in_size, size_t out_size)
{
    if (in_size > KERNELS_I8_INPUTS_MAX || out_size > KERNELS_I8_OUTPUTS_MAX)
        return 0;
    const size_t column_bytes = sizeof(float) + sizeof(int32_t) + whole_groups(in_size);
    return whole_vectors(out_size) * column_bytes;
}

size_t dense_i8_scratch_ref(size_t rows, size_t in_size)
{
    return rows * (sizeof(float) + sizeof(int32_t) + whole_groups(in_size));
}

/* --- packing: once, at load --------------------------------------------------- */

static float largest_magnitude(const float *column, size_t in_size, size_t out_size)
{
    float max = 0;
    for (size_t i = 0; i < in_size; i++) {
        const float magnitude = fabsf(column[i * out_size]);
        max = magnitude > max ? magnitude : max;
    }
    return max >= MAGNITUDE_MIN ? max : 0;
}

/* A column at `to`, in groups `stride` bytes apart. Returns the sum of what it holds now. */
static int32_t pack_column(const float *restrict from, size_t in_size, size_t out_size,
                           float factor, size_t stride, int8_t *restrict to)
{
    int32_t sum = 0;
    for (size_t i = 0; i < in_size; i++) {
        const int8_t weight = (int8_t)lrintf(from[i * out_size] * factor);
        to[i / GROUP_INPUTS * stride + i % GROUP_INPUTS] = weight;
        sum += weight;
    }
    return sum;
}

void dense_i8_pack_ref(const float *restrict weights, size_t in_size, size_t out_size,
                       void *restrict packed)
{
    assert(in_size <= KERNELS_I8_INPUTS_MAX);
    assert(out_size <= KERNELS_I8_OUTPUTS_MAX);
    const size_t bytes = dense_i8_size_ref(in_size, out_size);
    if (bytes == 0)
        return;
    memset(packed, 0, bytes);
    float *scales = packed;
    int32_t *sums = (int32_t *)packed + whole_vectors(out_size);
    int8_t *panels = (int8_t *)(sums + whole_vectors(out_size));
    for (size_t col = 0; col < out_size; col++) {
        const size_t within = col % PANEL_COLS;
        const size_t width = panel_width(col - within, out_size);
        const size_t lane = within % width;
        const float max = largest_magnitude(weights + col, in_size, out_size);
        int8_t *panel = panels + (col - lane) * whole_groups(in_size);
        scales[col] = max / WEIGHT_LARGEST;
        sums[col] =
            pack_column(weights + col, in_size, out_size, max > 0 ? WEIGHT_LARGEST / max : 0,
                        width * GROUP_INPUTS, panel + lane * GROUP_INPUTS);
    }
}

/* --- the layer ---------------------------------------------------------------- */

static struct row_steps find_steps(const float *in, size_t in_size)
{
    float lowest = 0, highest = 0;
    for (size_t i = 0; i < in_size; i++) {
        lowest = in[i] < lowest ? in[i] : lowest;
        highest = in[i] > highest ? in[i] : highest;
    }
    return row_steps(lowest, highest);
}

static struct row_steps quantise_row(const float *restrict in, size_t in_size, uint8_t *restrict to)
{
    const struct row_steps steps = find_steps(in, in_size);
    for (size_t i = 0; i < in_size; i++)
        to[i] = (uint8_t)(lrintf(in[i] * steps.factor) + steps.zero);
    return steps;
}

/* Of signed numbers, as the definition says: what the faster variants correct to. */
static int32_t sum_products(const uint8_t *restrict in, int32_t zero, const int8_t *restrict column,
                            size_t stride, size_t in_size)
{
    int32_t sum = 0;
    for (size_t i = 0; i < in_size; i++)
        sum += (in[i] - zero) * column[i / GROUP_INPUTS * stride + i % GROUP_INPUTS];
    return sum;
}

static void run_row(const uint8_t *restrict in, struct row_steps steps, const void *restrict packed,
                    const float *restrict bias, size_t in_size, size_t out_size,
                    float *restrict out)
{
    for (size_t col = 0; col < out_size; col++) {
        const size_t within = col % PANEL_COLS;
        const size_t width = panel_width(col - within, out_size);
        const size_t lane = within % width;
        const int8_t *panel = panel_at(packed, col - lane, in_size, out_size);
        const int32_t sum = sum_products(in, steps.zero, panel + lane * GROUP_INPUTS,
                                         width * GROUP_INPUTS, in_size);
        const float scale = steps.scale * column_scales(packed)[col];
        out[col] = (float)sum * scale + (bias != NULL ? bias[col] : 0.0F);
    }
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

void dense_i8_f32_ref(const float *restrict in, const void *restrict packed,
                      const float *restrict bias, enum kernels_activation activation, size_t rows,
                      size_t in_size, size_t out_size, void *restrict scratch, float *restrict out)
{
    assert(in_size <= KERNELS_I8_INPUTS_MAX);
    uint8_t *quantised = quantised_rows(scratch, rows);
    for (size_t row = 0; row < rows; row++) {
        const struct row_steps steps = quantise_row(in + row * in_size, in_size, quantised);
        run_row(quantised, steps, packed, bias, in_size, out_size, out + row * out_size);
    }
    activate(activation, out, rows * out_size);
}
