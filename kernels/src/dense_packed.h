/*
 * dense_packed.h - the dense layer over packed weights, for any vector of floats.
 *
 * Included once by each dense_packed_<isa>.c, which defines before it:
 *   ISA             the end of the names made here
 *   VECTOR          the type of a vector, of LANES floats
 *   PANEL_VECTORS   vectors in a panel; TILE_ROWS times as many sums, one column of weights and
 *                   an input must fit in the registers
 *   ROW_PANELS      panels that a single row takes at once, so that enough sums are under way
 *                   to hide the latency of an addition
 *   NARROW_COLS     columns of a layer that is one panel of dense_narrow.h; from PANEL_COLS to
 *                   NARROW_VECTORS vectors
 *   NARROW_SUMS     vectors of sums in a tile of that; beside them an input of each of its rows and
 *                   a vector of weights must fit in the registers
 *   NARROW_SHAPES(X)   X(group, vectors) for what dense_narrow.h makes of 1 to NARROW_COLS
 *                   columns: groups 1, 2, 4 ... LANES with 4 to NARROW_VECTORS vectors, the last
 *                   from 1 on; of the first what NARROW_COLS needs
 *   vector_load(from), vector_load_first(from, n), vector_store_first(to, n, v) (n from 1 on;
 *   LANES at most are touched), vector_zero(), vector_each(x), vector_add(a, b),
 *   vector_max(a, b), vector_fma(a, b, c) = a * b + c
 *   vector_repeat(v, group), vector_repeat_load(from, group): the first `group` floats, repeated
 *   until the vector is full
 *   vector_add_pairs(a, b): a[0] + a[1], a[2] + a[3] and so on, then those of b
 *   vector_keep(v): v is in a register from here on
 *
 * Packed weights are panels of columns. A whole panel is PANEL_VECTORS vectors wide and
 * [in_size][width], so that a tile of TILE_ROWS rows reads it from begin to end while its sums
 * stay in registers. The columns behind the last whole one, or all of a layer that has few, are
 * one panel of dense_narrow.h. What is added to what depends on the panel alone: never on the
 * number of rows.
 */
#ifndef DENSE_PACKED_H
#define DENSE_PACKED_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "variants.h"

#define TILE_ROWS 6
#define PANEL_COLS ((size_t)PANEL_VECTORS * LANES)

#define JOIN(a, b) a##_##b
#define NAMED(name, isa) JOIN(name, isa)

#define INLINE static inline __attribute__((always_inline))

/* Hardened builds zero what lies on the stack, sums that never get there included. */
#define UNINITIALIZED __attribute__((uninitialized))

/* Sums are registers only when every loop over them is unrolled. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef void tile_fn(const float *restrict in, const float *restrict panel,
                     const float *restrict bias, bool relu, size_t in_size, size_t cols,
                     size_t out_size, float *restrict out);

static size_t whole_vectors(size_t lanes)
{
    return (lanes + LANES - 1) / LANES;
}

#include "dense_narrow.h"

/* Those in whole panels. */
static size_t wide_cols(size_t out_size)
{
    return out_size > NARROW_COLS ? out_size / PANEL_COLS * PANEL_COLS : 0;
}

size_t NAMED(dense_packed_size, ISA)(size_t in_size, size_t out_size)
{
    const size_t wide = wide_cols(out_size);
    return in_size * wide + narrow_size(in_size, out_size - wide);
}

void NAMED(dense_pack, ISA)(const float *restrict weights, size_t in_size, size_t out_size,
                            float *restrict packed)
{
    const size_t wide = wide_cols(out_size);
    for (size_t col = 0; col < wide; col += PANEL_COLS)
        for (size_t i = 0; i < in_size; i++)
            for (size_t c = 0; c < PANEL_COLS; c++)
                packed[in_size * col + i * PANEL_COLS + c] = weights[i * out_size + col + c];
    pack_narrow(weights + wide, in_size, out_size - wide, out_size, packed + in_size * wide);
}

/* --- a tile: some rows of one panel ------------------------------------------ */

typedef VECTOR sums[TILE_ROWS][PANEL_VECTORS];

INLINE void start_sums(size_t rows, const float *restrict bias, sums sum)
{
    UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
    {
        const VECTOR first = bias != NULL ? vector_load(bias + v * LANES) : vector_zero();
        UNROLL for (size_t row = 0; row < rows; row++) sum[row][v] = first;
    }
}

/* One input of each row. Row by row: weights stay in registers, and an input is done with before
 * the next is loaded. */
INLINE void add_inputs(size_t rows, const float *restrict in, size_t in_size,
                       const float *restrict panel, sums sum)
{
    UNINITIALIZED VECTOR weights[PANEL_VECTORS];
    UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++) weights[v] = vector_load(panel + v * LANES);
    UNROLL for (size_t row = 0; row < rows; row++) UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
        sum[row][v] = vector_fma(vector_each(in[row * in_size]), weights[v], sum[row][v]);
}

INLINE void run_tile(size_t rows, const float *restrict in, const float *restrict panel,
                     const float *restrict bias, bool relu, size_t in_size, size_t out_size,
                     float *restrict out)
{
    UNINITIALIZED sums sum;
    start_sums(rows, bias, sum);
    for (size_t i = 0; i < in_size; i++)
        add_inputs(rows, in + i, in_size, panel + i * PANEL_COLS, sum);
    UNROLL for (size_t row = 0; row < rows; row++) UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
    {
        if (relu)
            sum[row][v] = vector_max(sum[row][v], vector_zero());
        vector_store_first(out + row * out_size + v * LANES, LANES, sum[row][v]);
    }
}

#define TILE(rows)                                                                              \
    static void tile_##rows(const float *restrict in, const float *restrict panel,              \
                            const float *restrict bias, bool relu, size_t in_size, size_t cols, \
                            size_t out_size, float *restrict out)                               \
    {                                                                                           \
        (void)cols; /* all of the panel */                                                      \
        run_tile(rows, in, panel, bias, relu, in_size, out_size, out);                          \
    }

TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)

static tile_fn *const wide_tiles[TILE_ROWS] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};

/* --- a single row: several panels at once ------------------------------------ */

INLINE void add_input(float in, const float *restrict panels, size_t panel_size,
                      VECTOR sum[ROW_PANELS][PANEL_VECTORS])
{
    UNROLL for (size_t p = 0; p < ROW_PANELS; p++) UNROLL for (size_t v = 0; v < PANEL_VECTORS;
                                                               v++) sum[p][v] =
        vector_fma(vector_each(in), vector_load(panels + p * panel_size + v * LANES), sum[p][v]);
}

/* ROW_PANELS whole panels. In each of them what a tile does, so that results are the same. */
static void run_row(const float *restrict in, const float *restrict panels,
                    const float *restrict bias, bool relu, size_t in_size, float *restrict out)
{
    UNINITIALIZED VECTOR sum[ROW_PANELS][PANEL_VECTORS];
    UNROLL for (size_t p = 0; p < ROW_PANELS; p++) UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
        sum[p][v] = bias != NULL ? vector_load(bias + p * PANEL_COLS + v * LANES) : vector_zero();
    for (size_t i = 0; i < in_size; i++)
        add_input(in[i], panels + i * PANEL_COLS, in_size * PANEL_COLS, sum);
    UNROLL for (size_t p = 0; p < ROW_PANELS; p++) UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
    {
        if (relu)
            sum[p][v] = vector_max(sum[p][v], vector_zero());
        vector_store_first(out + p * PANEL_COLS + v * LANES, LANES, sum[p][v]);
    }
}

/* --- the layer --------------------------------------------------------------- */

static void activate(enum kernels_activation activation, float *out, size_t rows, size_t cols,
                     size_t out_size)
{
    if (activation == KERNELS_SIGMOID)
        for (size_t row = 0; row < rows; row++)
            NAMED(sigmoid_f32, ISA)(out + row * out_size, cols);
    if (activation == KERNELS_TANH)
        for (size_t row = 0; row < rows; row++)
            NAMED(tanh_f32, ISA)(out + row * out_size, cols);
}

/* Tiles of nearly the same height: 8 rows are 4 and 4, not 6 and 2, which would wait for memory. */
static void run_panel(tile_fn *const *tiles_by_rows, size_t tile_rows, const float *restrict in,
                      const float *restrict panel, const float *restrict bias,
                      enum kernels_activation activation, size_t rows, size_t in_size, size_t cols,
                      size_t out_size, float *restrict out)
{
    size_t tiles_left = (rows + tile_rows - 1) / tile_rows;
    for (size_t row = 0; row < rows; tiles_left--) {
        const size_t height = (rows - row + tiles_left - 1) / tiles_left;
        float *to = out + row * out_size;
        tiles_by_rows[height - 1](in + row * in_size, panel, bias, activation == KERNELS_RELU,
                                  in_size, cols, out_size, to);
        activate(activation, to, height, cols, out_size);
        row += height;
    }
}

void NAMED(dense_packed_f32, ISA)(const float *restrict in, const float *restrict packed,
                                  const float *restrict bias, enum kernels_activation activation,
                                  size_t rows, size_t in_size, size_t out_size, float *restrict out)
{
    const size_t wide = wide_cols(out_size);
    size_t col = 0;
    for (; rows == 1 && wide - col >= ROW_PANELS * PANEL_COLS; col += ROW_PANELS * PANEL_COLS) {
        run_row(in, packed + in_size * col, bias != NULL ? bias + col : NULL,
                activation == KERNELS_RELU, in_size, out + col);
        activate(activation, out + col, 1, ROW_PANELS * PANEL_COLS, out_size);
    }
    for (; col < wide; col += PANEL_COLS)
        run_panel(wide_tiles, TILE_ROWS, in, packed + in_size * col,
                  bias != NULL ? bias + col : NULL, activation, rows, in_size, PANEL_COLS, out_size,
                  out + col);
    if (col == out_size)
        return;
    const size_t left = out_size - col;
    run_panel(narrow_tiles(left), narrow_rows(narrow_vectors(left)), in, packed + in_size * col,
              bias != NULL ? bias + col : NULL, activation, rows, in_size, left, out_size,
              out + col);
}

#endif
