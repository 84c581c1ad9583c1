/*
 * dense_i8.h - how packed int8 weights and quantised rows lie in memory, for every variant.
 *
 * Packed weights:
 *     float   scales[columns]   columns: out_size in whole vectors of 16
 *     int32_t sums[columns]     of the column's int8 weights
 *     int8_t  panels            64 columns wide while there are four vectors, then 16
 * A panel is [in_size / 4][width][4]: what one vpdpbusd multiplies, four inputs of each of sixteen
 * columns, is one vector. Missing inputs and columns are 0.
 *
 * Scratch, but for AVX2, which has rows of int16_t around 0:
 *     float   scales[rows]
 *     int32_t zeros[rows]
 *     uint8_t quantised[rows][inputs]   inputs: in_size in whole fours
 * vpdpbusd multiplies unsigned by signed numbers: an input is kept as so much more than it is as
 * its row has in `zeros`, and each sum is then too large by that many times the column's sum.
 */
#ifndef DENSE_I8_H
#define DENSE_I8_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "variants.h"

#define GROUP_INPUTS ((size_t)4)
#define VECTOR_COLS ((size_t)16)
#define PANEL_COLS ((size_t)64)
#define WEIGHT_LARGEST 127.0F
/* One less than a byte has: the two ends of a row may both be rounded away from zero. */
#define INPUT_STEPS 254.0F

/* Rows and columns of smaller numbers count as zeros: what their steps fit into 1 is infinite. */
#define MAGNITUDE_MIN 1e-30F

/* How a row is quantised: round(x * factor), so that all of it lies within INPUT_STEPS. */
struct row_steps {
    float scale; /* of one step; 0 for a row of zeros, as is the factor */
    float factor;
    int32_t zero; /* what makes all of it positive */
};

/* `lowest` <= 0 <= `highest`, the ends of the row. */
static inline struct row_steps row_steps(float lowest, float highest)
{
    if (highest < MAGNITUDE_MIN && lowest > -MAGNITUDE_MIN)
        return (struct row_steps){0};
    struct row_steps steps = {.scale = highest / INPUT_STEPS - lowest / INPUT_STEPS};
    steps.factor = 1 / steps.scale;
    steps.zero = -(int32_t)lrintf(lowest * steps.factor);
    return steps;
}

static inline size_t whole_groups(size_t in_size)
{
    return (in_size + GROUP_INPUTS - 1) / GROUP_INPUTS * GROUP_INPUTS;
}

static inline size_t whole_vectors(size_t out_size)
{
    return (out_size + VECTOR_COLS - 1) / VECTOR_COLS * VECTOR_COLS;
}

/* The width of the panel that begins at column `col`. */
static inline size_t panel_width(size_t col, size_t out_size)
{
    return whole_vectors(out_size) - col >= PANEL_COLS ? PANEL_COLS : VECTOR_COLS;
}

static inline const float *column_scales(const void *packed)
{
    return packed;
}

static inline const int32_t *column_sums(const void *packed, size_t out_size)
{
    return (const int32_t *)packed + whole_vectors(out_size);
}

/* The panel that begins at column `col`: those before it have as many bytes for each column. */
static inline const int8_t *panel_at(const void *packed, size_t col, size_t in_size,
                                     size_t out_size)
{
    const int32_t *panels = column_sums(packed, out_size) + whole_vectors(out_size);
    return (const int8_t *)panels + col * whole_groups(in_size);
}

static inline int32_t *row_zeros(void *scratch, size_t rows)
{
    return (int32_t *)scratch + rows;
}

static inline uint8_t *quantised_rows(void *scratch, size_t rows)
{
    return (uint8_t *)(row_zeros(scratch, rows) + rows);
}

#endif
