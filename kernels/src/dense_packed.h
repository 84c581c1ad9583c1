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
 *   vector_load(from), vector_load_first(from, n), vector_store_first(to, n, v) (n from 1 on;
 *   LANES at most are touched), vector_zero(), vector_each(x), vector_add(a, b),
 *   vector_max(a, b), vector_fma(a, b, c) = a * b + c
 *
 * Packed weights are panels of columns: PANEL_VECTORS vectors wide, the last as many vectors as it
 * needs, its missing columns 0. A panel is [in_size][width], so that a tile of TILE_ROWS rows
 * reads it from begin to end while its sums stay in registers.
 *
 * A narrow panel has fewer sums than the adders have stages. It keeps several of each, over every
 * second or fourth input ("chains"), and adds them up at the end. What is added to what depends
 * on the panel alone: never on the number of rows.
 */
#ifndef DENSE_PACKED_H
#define DENSE_PACKED_H

#include <stdbool.h>
#include <stddef.h>

#include "variants.h"

#define TILE_ROWS 6
#define PANEL_COLS ((size_t)PANEL_VECTORS * LANES)

#define JOIN(a, b) a##_##b
#define NAMED(name, isa) JOIN(name, isa)

#define INLINE static inline __attribute__((always_inline))

/* Sums are registers only when every loop over them is unrolled. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

static size_t whole_vectors(size_t cols)
{
    return (cols + LANES - 1) / LANES;
}

size_t NAMED(dense_packed_size, ISA)(size_t in_size, size_t out_size)
{
    return in_size * whole_vectors(out_size) * LANES;
}

static void pack_row(const float *restrict from, size_t cols, size_t width, float *restrict to)
{
    for (size_t col = 0; col < width; col++)
        to[col] = col < cols ? from[col] : 0.0F;
}

void NAMED(dense_pack, ISA)(const float *restrict weights, size_t in_size, size_t out_size,
                            float *restrict packed)
{
    for (size_t col = 0; col < out_size; col += PANEL_COLS) {
        const size_t left = out_size - col;
        const size_t cols = left < PANEL_COLS ? left : PANEL_COLS;
        const size_t width = whole_vectors(cols) * LANES;
        float *panel = packed + in_size * col;
        for (size_t i = 0; i < in_size; i++)
            pack_row(weights + i * out_size + col, cols, width, panel + i * width);
    }
}

/* --- a tile: some rows of one panel ------------------------------------------ */

typedef VECTOR sums[TILE_ROWS][PANEL_VECTORS];

/* The first chain starts with the bias, the others with 0. */
INLINE void start_sums(size_t rows, size_t vectors, const float *restrict bias, size_t cols,
                       sums sum)
{
    UNROLL for (size_t v = 0; v < PANEL_VECTORS; v++)
    {
        VECTOR first = vector_zero();
        if (bias != NULL && v < vectors)
            first = vector_load_first(bias + v * LANES, cols - v * LANES);
        UNROLL for (size_t row = 0; row < rows; row++) sum[row][v] = first;
    }
}

/* One input of each row for each chain. Row by row: weights stay in registers, and an input is
 * done with before the next is loaded. */
INLINE void add_inputs(size_t rows, size_t vectors, size_t chains, const float *restrict in,
                       size_t in_size, const float *restrict panel, sums sum)
{
    VECTOR weights[PANEL_VECTORS];
    UNROLL for (size_t v = 0; v < chains * vectors; v++) weights[v] =
        vector_load(panel + v * LANES);
    UNROLL for (size_t row = 0; row < rows; row++)
        UNROLL for (size_t v = 0; v < chains * vectors; v++) sum[row][v] =
            vector_fma(vector_each(in[row * in_size + v / vectors]), weights[v], sum[row][v]);
}

INLINE void finish_sums(size_t rows, size_t vectors, size_t chains, bool relu, sums sum,
                        size_t cols, size_t out_size, float *restrict out)
{
    UNROLL for (size_t row = 0; row < rows; row++) UNROLL for (size_t v = 0; v < vectors; v++)
    {
        VECTOR total = sum[row][v];
        UNROLL for (size_t chain = 1; chain < chains; chain++) total =
            vector_add(total, sum[row][chain * vectors + v]);
        if (relu)
            total = vector_max(total, vector_zero());
        vector_store_first(out + row * out_size + v * LANES, cols - v * LANES, total);
    }
}

INLINE void run_tile(size_t rows, size_t vectors, const float *restrict in,
                     const float *restrict panel, const float *restrict bias, bool relu,
                     size_t in_size, size_t cols, size_t out_size, float *restrict out)
{
    const size_t chains = PANEL_VECTORS / vectors;
    const size_t width = vectors * LANES;
    sums sum;
    start_sums(rows, vectors, bias, cols, sum);
    size_t i = 0;
    for (; in_size - i >= chains; i += chains)
        add_inputs(rows, vectors, chains, in + i, in_size, panel + i * width, sum);
    for (; i < in_size; i++)
        add_inputs(rows, vectors, 1, in + i, in_size, panel + i * width, sum);
    finish_sums(rows, vectors, chains, relu, sum, cols, out_size, out);
}

typedef void tile_fn(const float *restrict in, const float *restrict panel,
                     const float *restrict bias, bool relu, size_t in_size, size_t cols,
                     size_t out_size, float *restrict out);

#define TILE(rows, vectors)                                                                    \
    static void tile_##rows##x##vectors(const float *restrict in, const float *restrict panel, \
                                        const float *restrict bias, bool relu, size_t in_size, \
                                        size_t cols, size_t out_size, float *restrict out)     \
    {                                                                                          \
        run_tile(rows, vectors, in, panel, bias, relu, in_size, cols, out_size, out);          \
    }
#define TILES(vectors) \
    TILE(1, vectors)   \
    TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors) TILE(6, vectors)
#define TILE_NAMES(vectors)                                                                       \
    {                                                                                             \
        tile_1x##vectors, tile_2x##vectors, tile_3x##vectors, tile_4x##vectors, tile_5x##vectors, \
            tile_6x##vectors                                                                      \
    }

TILES(1)
TILES(2)
#if PANEL_VECTORS == 4
TILES(3)
TILES(4)
#endif

/* By vectors, then by rows, both less 1. */
static tile_fn *const tiles[PANEL_VECTORS][TILE_ROWS] = {
    TILE_NAMES(1),
    TILE_NAMES(2),
#if PANEL_VECTORS == 4
    TILE_NAMES(3),
    TILE_NAMES(4),
#endif
};

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
    VECTOR sum[ROW_PANELS][PANEL_VECTORS];
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
static void run_panel(const float *restrict in, const float *restrict panel,
                      const float *restrict bias, enum kernels_activation activation, size_t rows,
                      size_t in_size, size_t cols, size_t out_size, float *restrict out)
{
    tile_fn *const *tiles_by_rows = tiles[whole_vectors(cols) - 1];
    size_t tiles_left = (rows + TILE_ROWS - 1) / TILE_ROWS;
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
    size_t col = 0;
    for (; rows == 1 && out_size - col >= ROW_PANELS * PANEL_COLS; col += ROW_PANELS * PANEL_COLS) {
        run_row(in, packed + in_size * col, bias != NULL ? bias + col : NULL,
                activation == KERNELS_RELU, in_size, out + col);
        activate(activation, out + col, 1, ROW_PANELS * PANEL_COLS, out_size);
    }
    for (; col < out_size; col += PANEL_COLS) {
        const size_t left = out_size - col;
        run_panel(in, packed + in_size * col, bias != NULL ? bias + col : NULL, activation, rows,
                  in_size, left < PANEL_COLS ? left : PANEL_COLS, out_size, out + col);
    }
}

#endif
