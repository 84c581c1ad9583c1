/*
 * dense_narrow.h - a panel of few columns: a layer of at most NARROW_COLS, or what is left of a
 * wider one behind its whole panels. Part of dense_packed.h, which says what is defined before.
 *
 * Ten columns would fill ten of sixteen lanes, and every input would be loaded for a single
 * multiply-add. So a vector holds fewer columns and several inputs of each, one beside the other:
 * the "group", the largest power of two for which the columns fit NARROW_VECTORS vectors. With
 * sixteen lanes and fourteen columns it is 4:
 *
 *     inputs    x0 x1 x2 x3  x0 x1 x2 x3  x0 x1 x2 x3  x0 x1 x2 x3     one load
 *     weights   column 0     column 1     column 2     column 3        the first of four vectors
 *
 * A lane of the sums is over every fourth input; in the end neighbours are added. The panel is
 * [in_size / group, rounded up][vectors][columns of a vector][group], what is missing being 0.
 */
#ifndef DENSE_NARROW_H
#define DENSE_NARROW_H

/* From seven columns on there are then at least four vectors: enough sums of a single row are
 * under way to hide most of the latency of an addition. */
#define NARROW_VECTORS 6
#define NARROW_ROWS 6 /* in a tile, at most */

/* Inputs side by side in a vector. */
static size_t narrow_group(size_t cols)
{
    size_t group = 1;
    while (group < LANES && cols * group * 2 <= (size_t)NARROW_VECTORS * LANES)
        group *= 2;
    return group;
}

static size_t narrow_vectors(size_t cols)
{
    return whole_vectors(cols * narrow_group(cols));
}

static size_t narrow_size(size_t in_size, size_t cols)
{
    const size_t group = narrow_group(cols);
    return (in_size + group - 1) / group * narrow_vectors(cols) * LANES;
}

static void pack_narrow(const float *restrict weights, size_t in_size, size_t cols, size_t out_size,
                        float *restrict panel)
{
    const size_t group = narrow_group(cols);
    const size_t width = narrow_vectors(cols) * LANES;
    for (size_t at = 0; at < narrow_size(in_size, cols); at++) {
        const size_t i = at / width * group + at % group;
        const size_t col = at % width / group;
        panel[at] = i < in_size && col < cols ? weights[i * out_size + col] : 0.0F;
    }
}

/* --- a tile: some rows of the panel ------------------------------------------ */

typedef VECTOR narrow_sums[NARROW_ROWS][NARROW_VECTORS];

/*
 * The inputs stay in registers, and a vector of weights is done with before the next is loaded.
 * Without vector_keep() gcc would load it again for each row.
 */
INLINE void add_products(size_t rows, size_t vectors, const VECTOR in[NARROW_ROWS],
                         const float *restrict panel, narrow_sums sum)
{
    UNROLL for (size_t v = 0; v < vectors; v++)
    {
        VECTOR weights = vector_load(panel + v * LANES);
        vector_keep(weights);
        UNROLL for (size_t row = 0; row < rows; row++) sum[row][v] =
            vector_fma(in[row], weights, sum[row][v]);
    }
}

INLINE void add_groups(size_t rows, size_t group, size_t vectors, const float *restrict in,
                       size_t in_size, const float *restrict panel, narrow_sums sum)
{
    UNINITIALIZED VECTOR repeated[NARROW_ROWS];
    size_t i = 0;
    for (; in_size - i >= group; i += group, panel += vectors * LANES) {
        UNROLL for (size_t row = 0; row < rows; row++) repeated[row] =
            vector_repeat_load(in + row * in_size + i, group);
        add_products(rows, vectors, repeated, panel, sum);
    }
    if (i == in_size)
        return;
    UNROLL for (size_t row = 0; row < rows; row++) repeated[row] =
        vector_repeat(vector_load_first(in + row * in_size + i, in_size - i), group);
    add_products(rows, vectors, repeated, panel, sum);
}

/* Half as many lanes for each column, in half as many vectors. */
INLINE size_t add_neighbours(size_t rows, size_t vectors, narrow_sums sum)
{
    UNROLL for (size_t row = 0; row < rows; row++) UNROLL for (size_t v = 0; v < vectors; v += 2)
        sum[row][v / 2] = vector_add_pairs(sum[row][v], sum[row][v + 1 < vectors ? v + 1 : v]);
    return (vectors + 1) / 2;
}

/* Until there is one lane for a column. Returns the number of vectors that they fill. */
INLINE size_t add_lanes(size_t rows, size_t group, size_t vectors, narrow_sums sum)
{
    assert(group <= 16);
    if (group >= 16)
        vectors = add_neighbours(rows, vectors, sum);
    if (group >= 8)
        vectors = add_neighbours(rows, vectors, sum);
    if (group >= 4)
        vectors = add_neighbours(rows, vectors, sum);
    if (group >= 2)
        vectors = add_neighbours(rows, vectors, sum);
    return vectors;
}

/* `left` columns of each row. */
INLINE void finish_columns(size_t rows, size_t v, const float *restrict bias, bool relu,
                           size_t left, size_t out_size, narrow_sums sum, float *restrict out)
{
    if (bias != NULL) {
        const VECTOR added = vector_load_first(bias, left);
        UNROLL for (size_t row = 0; row < rows; row++) sum[row][v] = vector_add(sum[row][v], added);
    }
    if (relu)
        UNROLL for (size_t row = 0; row < rows; row++) sum[row][v] =
            vector_max(sum[row][v], vector_zero());
    UNROLL for (size_t row = 0; row < rows; row++)
        vector_store_first(out + row * out_size, left, sum[row][v]);
}

/* As many rows as there are registers for their sums. */
INLINE size_t narrow_rows(size_t vectors)
{
    return NARROW_SUMS / vectors < NARROW_ROWS ? NARROW_SUMS / vectors : NARROW_ROWS;
}

INLINE void run_narrow_tile(size_t rows, size_t group, size_t vectors, const float *restrict in,
                            const float *restrict panel, const float *restrict bias, bool relu,
                            size_t in_size, size_t cols, size_t out_size, float *restrict out)
{
    if (rows > narrow_rows(vectors))
        return; /* is in the table for its shape, but never called */
    UNINITIALIZED narrow_sums sum;
    UNROLL for (size_t row = 0; row < rows; row++) UNROLL for (size_t v = 0; v < vectors; v++)
        sum[row][v] = vector_zero();
    add_groups(rows, group, vectors, in, in_size, panel, sum);
    const size_t filled = add_lanes(rows, group, vectors, sum);
    UNROLL for (size_t v = 0; v < filled; v++)
        finish_columns(rows, v, bias != NULL ? bias + v * LANES : NULL, relu, cols - v * LANES,
                       out_size, sum, out + v * LANES);
}

#define NARROW_TILE(rows, group, vectors)                                                     \
    static void narrow_##rows##x##group##x##vectors(                                          \
        const float *restrict in, const float *restrict panel, const float *restrict bias,    \
        bool relu, size_t in_size, size_t cols, size_t out_size, float *restrict out)         \
    {                                                                                         \
        run_narrow_tile(rows, group, vectors, in, panel, bias, relu, in_size, cols, out_size, \
                        out);                                                                 \
    }
#define NARROW_TILES(group, vectors)                                                              \
    NARROW_TILE(1, group, vectors)                                                                \
    NARROW_TILE(2, group, vectors)                                                                \
    NARROW_TILE(3, group, vectors)                                                                \
    NARROW_TILE(4, group, vectors)                                                                \
    NARROW_TILE(5, group, vectors)                                                                \
    NARROW_TILE(6, group, vectors)                                                                \
    static tile_fn *const narrow_##group##x##vectors[NARROW_ROWS] = {                             \
        narrow_1x##group##x##vectors, narrow_2x##group##x##vectors, narrow_3x##group##x##vectors, \
        narrow_4x##group##x##vectors, narrow_5x##group##x##vectors, narrow_6x##group##x##vectors};

NARROW_SHAPES(NARROW_TILES)

/* The tiles for so many columns, by rows less 1. */
static tile_fn *const *narrow_tiles(size_t cols)
{
#define SHAPE(group, vectors) ((group) * (NARROW_VECTORS + 1) + (vectors))
#define CASE(group, vectors)    \
    case SHAPE(group, vectors): \
        return narrow_##group##x##vectors;
    switch (SHAPE(narrow_group(cols), narrow_vectors(cols))) {
        NARROW_SHAPES(CASE)
    default: /* NARROW_SHAPES lacks one: a mistake that the tests see */
        assert(false);
        return NULL;
    }
#undef CASE
#undef SHAPE
}

#endif
