/*
 * dense_i8_avx2.c - the int8 dense layer with AVX2: tiles of up to three rows by sixteen columns.
 *
 * Inputs and weights meet as 16 bits (vpmaddwd): of the 8 bit products of AVX2, pairs saturate.
 */
#include <immintrin.h>

#include <assert.h>
#include <string.h>

#include "dense_i8.h"
#include "masks_avx2.h"

#define TILE_ROWS 3
/* Each holds two sums, over every other pair of inputs, for each of four columns. */
#define TILE_VECTORS 4
#define LANES ((size_t)8)

#define INLINE static inline __attribute__((always_inline))

/* Sums are registers only when every loop over them is unrolled. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* --- rows to whole numbers ------------------------------------------------------ */

static float least_lane(__m256 x)
{
    __m128 m = _mm_min_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    m = _mm_min_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_min_ss(m, _mm_movehdup_ps(m)));
}

static struct row_steps find_steps(const float *in, size_t in_size)
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    __m256 lowest = _mm256_setzero_ps(), highest = lowest;
    size_t i = 0;
    for (; in_size - i >= LANES; i += LANES) {
        const __m256 x = _mm256_loadu_ps(in + i);
        lowest = _mm256_min_ps(x, lowest);
        highest = _mm256_max_ps(x, highest);
    }
    const __m256 rest = _mm256_maskload_ps(in + i, first_lanes(in_size - i));
    lowest = _mm256_min_ps(rest, lowest);
    highest = _mm256_max_ps(rest, highest);
    return row_steps(least_lane(lowest), -least_lane(_mm256_xor_ps(highest, sign)));
}

static inline __m128i quantise(__m256 x, __m256 factor)
{
    const __m256i whole = _mm256_cvtps_epi32(_mm256_mul_ps(x, factor));
    return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
}

/* Returns the row's scale. Writes whole groups of four. */
static float quantise_row(const float *restrict in, size_t in_size, int16_t *restrict to)
{
    const struct row_steps steps = find_steps(in, in_size);
    const __m256 factor = _mm256_set1_ps(steps.factor);
    size_t i = 0;
    for (; in_size - i >= LANES; i += LANES)
        _mm_storeu_si128((__m128i *)(void *)(to + i), quantise(_mm256_loadu_ps(in + i), factor));
    const __m128i rest = quantise(_mm256_maskload_ps(in + i, first_lanes(in_size - i)), factor);
    if (in_size - i > GROUP_INPUTS)
        _mm_storeu_si128((__m128i *)(void *)(to + i), rest);
    else if (in_size > i)
        _mm_storel_epi64((__m128i *)(void *)(to + i), rest);
    return steps.scale;
}

/* --- tiles ---------------------------------------------------------------------- */

/* `in` and `row_scales` begin at the tile's first row, the others at its first column. */
struct tile {
    const int16_t *in;
    const float *row_scales;
    const int8_t *weights;
    const float *column_scales;
    const float *bias; /* or NULL */
    float *out;
    size_t in_values;   /* of a row */
    size_t panel_width; /* of the panel that the columns are part of */
    size_t cols;        /* from the first column to the end of the layer */
    size_t out_size;
    bool relu;
};

INLINE __m256i four_inputs(const int16_t *from)
{
    int64_t four;
    memcpy(&four, from, sizeof four);
    return _mm256_set1_epi64x(four);
}

/* Four inputs of each of four columns. */
INLINE __m256i weights_at(const int8_t *from)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* The sums of eight columns to numbers. `col` counts from the tile's first column. */
INLINE void finish(const struct tile *t, size_t row, size_t col, __m256i low, __m256i high)
{
    if (col >= t->cols)
        return;
    const __m256i lanes = first_lanes(t->cols - col);
    const __m256i sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xD8);
    const __m256 scale =
        _mm256_mul_ps(_mm256_set1_ps(t->row_scales[row]), _mm256_loadu_ps(t->column_scales + col));
    const __m256 bias =
        t->bias != NULL ? _mm256_maskload_ps(t->bias + col, lanes) : _mm256_setzero_ps();
    __m256 result = _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale), bias);
    if (t->relu)
        result = _mm256_max_ps(result, _mm256_setzero_ps());
    _mm256_maskstore_ps(t->out + row * t->out_size + col, lanes, result);
}

INLINE void run_tile(size_t rows, const struct tile *t)
{
    const size_t stride = t->panel_width * GROUP_INPUTS;
    const int8_t *from = t->weights;
    __m256i sum[TILE_ROWS][TILE_VECTORS];
    UNROLL for (size_t row = 0; row < rows; row++) UNROLL for (size_t v = 0; v < TILE_VECTORS; v++)
        sum[row][v] = _mm256_setzero_si256();
    for (size_t i = 0; i < t->in_values; i += GROUP_INPUTS) {
        __m256i in[TILE_ROWS];
        UNROLL for (size_t row = 0; row < rows; row++) in[row] =
            four_inputs(t->in + row * t->in_values + i);
        UNROLL for (size_t v = 0; v < TILE_VECTORS; v++)
        {
            const __m256i weights = weights_at(from + v * 16);
            UNROLL for (size_t row = 0; row < rows; row++) sum[row][v] =
                _mm256_add_epi32(sum[row][v], _mm256_madd_epi16(in[row], weights));
        }
        from += stride;
    }
    UNROLL for (size_t row = 0; row < rows; row++)
    {
        finish(t, row, 0, sum[row][0], sum[row][1]);
        finish(t, row, LANES, sum[row][2], sum[row][3]);
    }
}

static void run_rows(struct tile t, size_t rows)
{
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS) {
        run_tile(TILE_ROWS, &t);
        t.in += TILE_ROWS * t.in_values;
        t.row_scales += TILE_ROWS;
        t.out += TILE_ROWS * t.out_size;
    }
    if (rows == 2)
        run_tile(2, &t);
    if (rows == 1)
        run_tile(1, &t);
}

/* --- the layer ------------------------------------------------------------------ */

size_t dense_i8_scratch_avx2(size_t rows, size_t in_size)
{
    return rows * (sizeof(float) + whole_groups(in_size) * sizeof(int16_t));
}

void dense_i8_f32_avx2(const float *restrict in, const void *restrict packed,
                       const float *restrict bias, enum kernels_activation activation, size_t rows,
                       size_t in_size, size_t out_size, void *restrict scratch, float *restrict out)
{
    assert(in_size <= KERNELS_I8_INPUTS_MAX);
    float *row_scales = scratch;
    int16_t *quantised = (int16_t *)(void *)(row_scales + rows);
    const size_t in_values = whole_groups(in_size);
    for (size_t row = 0; row < rows; row++)
        row_scales[row] = quantise_row(in + row * in_size, in_size, quantised + row * in_values);
    for (size_t col = 0; col < out_size; col += VECTOR_COLS) {
        const size_t within = col % PANEL_COLS;
        const size_t width = panel_width(col - within, out_size);
        const size_t lane = within % width;
        const struct tile first = {
            .in = quantised,
            .row_scales = row_scales,
            .weights = panel_at(packed, col - lane, in_size, out_size) + lane * GROUP_INPUTS,
            .column_scales = column_scales(packed) + col,
            .bias = bias != NULL ? bias + col : NULL,
            .out = out + col,
            .in_values = in_values,
            .panel_width = width,
            .cols = out_size - col,
            .out_size = out_size,
            .relu = activation == KERNELS_RELU,
        };
        run_rows(first, rows);
    }
    if (activation == KERNELS_SIGMOID)
        sigmoid_f32_avx2(out, rows * out_size);
    if (activation == KERNELS_TANH)
        tanh_f32_avx2(out, rows * out_size);
}
