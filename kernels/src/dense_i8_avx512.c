/*
 * dense_i8_avx512.c - the int8 dense layer with AVX-512 VNNI: tiles of up to six rows by one or
 * four vectors of sums.
 *
 * Sums are variables with names, made by macros: gcc 12 spills those that it finds in an array.
 */
#include <immintrin.h>

#include <assert.h>
#include <string.h>

#include "dense_i8.h"
#include "masks_avx512.h"

#define TILE_ROWS 6
#define LANES ((size_t)16)

/* --- rows to bytes ------------------------------------------------------------ */

static struct row_steps find_steps(const float *in, size_t in_size)
{
    __m512 lowest = _mm512_setzero_ps(), highest = lowest;
    size_t i = 0;
    for (; in_size - i >= LANES; i += LANES) {
        const __m512 x = _mm512_loadu_ps(in + i);
        lowest = _mm512_min_ps(x, lowest);
        highest = _mm512_max_ps(x, highest);
    }
    const __m512 rest = _mm512_maskz_loadu_ps(first_lanes(in_size - i), in + i);
    lowest = _mm512_min_ps(rest, lowest);
    highest = _mm512_max_ps(rest, highest);
    return row_steps(_mm512_reduce_min_ps(lowest), _mm512_reduce_max_ps(highest));
}

static inline __m128i quantise(__m512 x, __m512 factor, __m512i zero)
{
    const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(x, factor));
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(rounded, zero));
}

/* Writes whole groups of four. */
static struct row_steps quantise_row(const float *restrict in, size_t in_size, uint8_t *restrict to)
{
    const struct row_steps steps = find_steps(in, in_size);
    const __m512 factor = _mm512_set1_ps(steps.factor);
    const __m512i zero = _mm512_set1_epi32(steps.zero);
    size_t i = 0;
    for (; in_size - i >= LANES; i += LANES)
        _mm_storeu_si128((__m128i *)(void *)(to + i),
                         quantise(_mm512_loadu_ps(in + i), factor, zero));
    const __m512 rest = _mm512_maskz_loadu_ps(first_lanes(in_size - i), in + i);
    _mm_mask_storeu_epi32(to + i, (__mmask8)first_lanes(whole_groups(in_size - i) / GROUP_INPUTS),
                          quantise(rest, factor, zero));
    return steps;
}

/* --- tiles: some rows of one panel -------------------------------------------- */

/* `in` and the row_... begin at the tile's first row, the others at its first column. */
struct tile {
    const uint8_t *in;
    const float *row_scales;
    const int32_t *row_zeros;
    const int8_t *panel;
    const float *column_scales;
    const int32_t *column_sums;
    const float *bias; /* or NULL */
    float *out;
    size_t in_bytes; /* of a row */
    size_t cols;     /* from the first column to the end of the layer */
    size_t out_size;
    bool relu;
};

static inline __m512i four_inputs(const uint8_t *from)
{
    int32_t four;
    memcpy(&four, from, sizeof four);
    return _mm512_set1_epi32(four);
}

/* As an instruction: around the intrinsic gcc 12 copies and spills the sums. */
static inline __m512i add_products(__m512i sum, __m512i inputs, __m512i weights)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(inputs), "v"(weights));
    return sum;
}

/* One vector of sums to numbers. `col` counts from the tile's first column. */
static inline void finish(const struct tile *t, size_t row, size_t col, __m512i sum)
{
    const __mmask16 lanes = first_lanes(t->cols - col);
    const __m512 scale =
        _mm512_mul_ps(_mm512_set1_ps(t->row_scales[row]), _mm512_loadu_ps(t->column_scales + col));
    const __m512i excess = _mm512_mullo_epi32(_mm512_set1_epi32(t->row_zeros[row]),
                                              _mm512_loadu_si512(t->column_sums + col));
    const __m512i exact = _mm512_sub_epi32(sum, excess);
    const __m512 bias =
        t->bias != NULL ? _mm512_maskz_loadu_ps(lanes, t->bias + col) : _mm512_setzero_ps();
    __m512 result = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(exact), scale), bias);
    if (t->relu)
        result = _mm512_max_ps(result, _mm512_setzero_ps());
    _mm512_mask_storeu_ps(t->out + row * t->out_size + col, lanes, result);
}

#define ROWS_1(DO) DO(0)
#define ROWS_2(DO) ROWS_1(DO) DO(1)
#define ROWS_3(DO) ROWS_2(DO) DO(2)
#define ROWS_4(DO) ROWS_3(DO) DO(3)
#define ROWS_5(DO) ROWS_4(DO) DO(4)
#define ROWS_6(DO) ROWS_5(DO) DO(5)

#define WEIGHTS(v) _mm512_loadu_si512(panel + (v)*VECTOR_COLS * GROUP_INPUTS)

/* Two sums a row, over every other group: one would wait for its last addition. */
#define START_NARROW(row) __m512i even##row = _mm512_setzero_si512(), odd##row = even##row;
#define ADD_EVEN(row) \
    even##row = add_products(even##row, four_inputs(in + row * in_bytes), WEIGHTS(0));
#define ADD_ODD(row) \
    odd##row = add_products(odd##row, four_inputs(in + row * in_bytes + GROUP_INPUTS), WEIGHTS(1));
#define FINISH_NARROW(row) finish(t, row, 0, _mm512_add_epi32(even##row, odd##row));

#define NARROW_TILE(rows)                                            \
    static void narrow_tile_##rows(const struct tile *t)             \
    {                                                                \
        const size_t in_bytes = t->in_bytes;                         \
        const uint8_t *in = t->in;                                   \
        const int8_t *panel = t->panel;                              \
        size_t left = in_bytes;                                      \
        ROWS_##rows(START_NARROW);                                   \
        for (; left >= 2 * GROUP_INPUTS; left -= 2 * GROUP_INPUTS) { \
            ROWS_##rows(ADD_EVEN);                                   \
            ROWS_##rows(ADD_ODD);                                    \
            in += 2 * GROUP_INPUTS;                                  \
            panel += 2 * VECTOR_COLS * GROUP_INPUTS;                 \
        }                                                            \
        if (left > 0) {                                              \
            ROWS_##rows(ADD_EVEN);                                   \
        }                                                            \
        ROWS_##rows(FINISH_NARROW);                                  \
    }

#define START_WIDE(row)                                       \
    __m512i a##row = _mm512_setzero_si512(), b##row = a##row; \
    __m512i c##row = a##row, d##row = a##row;
#define ADD_WIDE(row)                                            \
    {                                                            \
        const __m512i inputs = four_inputs(in + row * in_bytes); \
        a##row = add_products(a##row, inputs, weights_a);        \
        b##row = add_products(b##row, inputs, weights_b);        \
        c##row = add_products(c##row, inputs, weights_c);        \
        d##row = add_products(d##row, inputs, weights_d);        \
    }
#define FINISH_WIDE(row)                     \
    finish(t, row, 0, a##row);               \
    finish(t, row, VECTOR_COLS, b##row);     \
    finish(t, row, 2 * VECTOR_COLS, c##row); \
    finish(t, row, 3 * VECTOR_COLS, d##row);

#define WIDE_TILE(rows)                                                   \
    static void wide_tile_##rows(const struct tile *t)                    \
    {                                                                     \
        const size_t in_bytes = t->in_bytes;                              \
        const uint8_t *in = t->in;                                        \
        const int8_t *panel = t->panel;                                   \
        ROWS_##rows(START_WIDE);                                          \
        for (const uint8_t *end = in + in_bytes; in != end;) {            \
            const __m512i weights_a = WEIGHTS(0), weights_b = WEIGHTS(1); \
            const __m512i weights_c = WEIGHTS(2), weights_d = WEIGHTS(3); \
            ROWS_##rows(ADD_WIDE);                                        \
            in += GROUP_INPUTS;                                           \
            panel += PANEL_COLS * GROUP_INPUTS;                           \
        }                                                                 \
        ROWS_##rows(FINISH_WIDE);                                         \
    }

#define TILES(rows)   \
    NARROW_TILE(rows) \
    WIDE_TILE(rows)

TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)

typedef void tile_fn(const struct tile *t);

/* By rows less 1. */
static tile_fn *const narrow_tiles[TILE_ROWS] = {
    narrow_tile_1, narrow_tile_2, narrow_tile_3, narrow_tile_4, narrow_tile_5, narrow_tile_6,
};
static tile_fn *const wide_tiles[TILE_ROWS] = {
    wide_tile_1, wide_tile_2, wide_tile_3, wide_tile_4, wide_tile_5, wide_tile_6,
};

/* --- the layer ---------------------------------------------------------------- */

/* Tiles of nearly the same height, as in dense_packed.h. */
static void run_panel(struct tile t, size_t rows, tile_fn *const *tiles_by_rows)
{
    for (size_t tiles_left = (rows + TILE_ROWS - 1) / TILE_ROWS; tiles_left > 0; tiles_left--) {
        const size_t height = (rows + tiles_left - 1) / tiles_left;
        tiles_by_rows[height - 1](&t);
        t.in += height * t.in_bytes;
        t.row_scales += height;
        t.row_zeros += height;
        t.out += height * t.out_size;
        rows -= height;
    }
}

static void activate(enum kernels_activation activation, float *x, size_t n)
{
    if (activation == KERNELS_SIGMOID)
        sigmoid_f32_avx512(x, n);
    if (activation == KERNELS_TANH)
        tanh_f32_avx512(x, n);
}

size_t dense_i8_scratch_avx512(size_t rows, size_t in_size)
{
    return dense_i8_scratch_ref(rows, in_size);
}

void dense_i8_f32_avx512(const float *restrict in, const void *restrict packed,
                         const float *restrict bias, enum kernels_activation activation,
                         size_t rows, size_t in_size, size_t out_size, void *restrict scratch,
                         float *restrict out)
{
    assert(in_size <= KERNELS_I8_INPUTS_MAX);
    float *row_scales = scratch;
    int32_t *zeros = row_zeros(scratch, rows);
    uint8_t *quantised = quantised_rows(scratch, rows);
    const size_t in_bytes = whole_groups(in_size);
    for (size_t row = 0; row < rows; row++) {
        const struct row_steps steps =
            quantise_row(in + row * in_size, in_size, quantised + row * in_bytes);
        row_scales[row] = steps.scale;
        zeros[row] = steps.zero;
    }
    size_t width;
    for (size_t col = 0; col < out_size; col += width) {
        width = panel_width(col, out_size);
        const struct tile first = {
            .in = quantised,
            .row_scales = row_scales,
            .row_zeros = zeros,
            .panel = panel_at(packed, col, in_size, out_size),
            .column_scales = column_scales(packed) + col,
            .column_sums = column_sums(packed, out_size) + col,
            .bias = bias != NULL ? bias + col : NULL,
            .out = out + col,
            .in_bytes = in_bytes,
            .cols = out_size - col,
            .out_size = out_size,
            .relu = activation == KERNELS_RELU,
        };
        run_panel(first, rows, width == PANEL_COLS ? wide_tiles : narrow_tiles);
    }
    activate(activation, out, rows * out_size);
}
