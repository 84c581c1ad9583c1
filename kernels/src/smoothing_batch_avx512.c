/*
 * smoothing_batch_avx512.c - EMA and RSI of eight series at once, one in each
 * lane, with AVX-512.
 *
 * Within a lane values come one after the other, so nothing has to be undone
 * that smoothing.h does to take several at a time; in exchange every eight by
 * eight values are turned on their way in and out. What that gains is the fixed
 * cost of a call, so it is for short series; and rounding adds up over more
 * steps, so it is for short periods. Everything else is done row by row.
 */
#include <assert.h>

#include "lanes_avx512.h"
#include "smoothing.h"

#define ROWS ((size_t)LANES)
/* Longer series are faster one by one: eight and their results do not fit into the L2 cache. */
#define ROW_VALUES_MAX 2048

/* Two values count for no more than what was before, from which EMA goes on, and for at least
 * EXACT_WEIGHT_MAX, as one does in RSI. */
#define PAIRS_PERIOD_MIN 6
#define PAIRS_PERIOD_MAX 61
#define RSI_PERIOD_MAX 16

static size_t shortest_of(const struct kernels_series *rows)
{
    size_t shortest = rows[0].n;
    for (size_t row = 1; row < ROWS; row++)
        shortest = rows[row].n < shortest ? rows[row].n : shortest;
    return shortest;
}

static size_t longest_of(const struct kernels_series *rows)
{
    size_t longest = rows[0].n;
    for (size_t row = 1; row < ROWS; row++)
        longest = rows[row].n > longest ? rows[row].n : longest;
    return longest;
}

/* Rows to be taken together are about as long as each other: the longest decides the time. */
static bool is_group(const struct kernels_series *rows, size_t period)
{
    const size_t shortest = shortest_of(rows);
    const size_t longest = longest_of(rows);
    return shortest > period && longest <= ROW_VALUES_MAX && shortest >= longest / 2;
}

/* Rows become columns: first within blocks of two by two, then blocks of two, then of four. */
LANES_INLINE void turn(lanes x[ROWS])
{
    lanes two[ROWS];
    lanes four[ROWS];
#pragma GCC unroll 4
    for (size_t i = 0; i < ROWS; i += 2) {
        two[i] = _mm512_unpacklo_pd(x[i], x[i + 1]);
        two[i + 1] = _mm512_unpackhi_pd(x[i], x[i + 1]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < ROWS / 2; i++) {
        const size_t at = i + (i & 2);
        four[at] = _mm512_shuffle_f64x2(two[at], two[at + 2], 0x88);
        four[at + 2] = _mm512_shuffle_f64x2(two[at], two[at + 2], 0xdd);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < ROWS / 2; i++) {
        x[i] = _mm512_shuffle_f64x2(four[i], four[i + 4], 0x88);
        x[i + 4] = _mm512_shuffle_f64x2(four[i], four[i + 4], 0xdd);
    }
}

/* The values i to i + 7 of every row, one column after the other; zeros behind a row's end. */
LANES_INLINE void load_columns(const struct kernels_series *rows, size_t i, bool whole,
                               lanes column[LANES])
{
#pragma GCC unroll 8
    for (size_t row = 0; row < ROWS; row++)
        column[row] =
            whole ? lanes_load(rows[row].in + i) : lanes_load_within(rows[row].in, i, rows[row].n);
    turn(column);
}

LANES_INLINE void store_columns(const struct kernels_series *rows, size_t i, bool whole,
                                lanes column[LANES])
{
    turn(column);
#pragma GCC unroll 8
    for (size_t row = 0; row < ROWS; row++)
        if (whole)
            lanes_store(rows[row].out + i, column[row]);
        else if (i < rows[row].n)
            lanes_store_first(rows[row].out + i, column[row], rows[row].n - i);
}

/* --- EMA ------------------------------------------------------------------------------------- */

/* Two values count together: each second result does not wait for the first. */
struct pairs {
    lanes one;      /* weight of a value */
    lanes both;     /* of two */
    lanes of_older; /* of the older among them */
    lanes mean;
};

LANES_INLINE void pairs_step(struct pairs *p, lanes *older, lanes *newer)
{
    const lanes both = blend(*newer, *older, p->of_older);
    *older = blend(p->mean, *older, p->one);
    *newer = p->mean = blend(p->mean, both, p->both);
}

LANES_INLINE void ema_columns(const struct kernels_series *rows, size_t i, bool whole,
                              struct pairs *p)
{
    lanes column[LANES];
    load_columns(rows, i, whole, column);
#pragma GCC unroll 4
    for (size_t at = 0; at < LANES; at += 2)
        pairs_step(p, &column[at], &column[at + 1]);
    store_columns(rows, i, whole, column);
}

/* What is wrong with a weight grows with every step that a large value fades: each is rounded once,
 * from whole numbers. */
LANES_INLINE struct pairs pairs_of(double period)
{
    const double spread = period + 1;
    return (struct pairs){
        .one = lanes_of(2 / spread),
        .both = lanes_of(4 * period / (spread * spread)),
        .of_older = lanes_of((period - 1) / (2 * period)),
    };
}

static void ema_group(const struct kernels_series *rows, size_t period)
{
    double mean[ROWS];
    for (size_t row = 0; row < ROWS; row++) {
        fill_warm_up_avx2(rows[row].out, rows[row].n, period - 1);
        mean[row] = rows[row].out[period - 1] = mean_avx2(rows[row].in, period);
    }
    struct pairs p = pairs_of((double)period);
    p.mean = lanes_load(mean);
    const size_t shortest = shortest_of(rows);
    const size_t longest = longest_of(rows);
    size_t i = period;
    for (; i + LANES <= shortest; i += LANES)
        ema_columns(rows, i, true, &p);
    for (; i < longest; i += LANES)
        ema_columns(rows, i, false, &p);
}

void ema_batch_f64_avx512(const struct kernels_series *series, size_t count, size_t period)
{
    assert(period > 0);
    const bool fits = period >= PAIRS_PERIOD_MIN && period <= PAIRS_PERIOD_MAX;
    for (size_t row = 0; row < count;) {
        if (fits && count - row >= ROWS && is_group(series + row, period)) {
            ema_group(series + row, period);
            row += ROWS;
        } else {
            ema_f64_avx512(series[row].in, series[row].n, period, series[row].out);
            row++;
        }
    }
}

/* --- RSI ------------------------------------------------------------------------------------- */

/* As in smoothing.h, but in steps of one value. */
struct strengths {
    lanes keep;
    lanes faded; /* sizes below this count as none */
    lanes before;
    lanes change;
    lanes size;
};

LANES_INLINE lanes strengths_step(struct strengths *s, lanes x)
{
    const lanes change = x - s->before;
    s->before = x;
    s->change = lanes_fma(s->keep, s->change, change);
    s->size = lanes_fma(s->keep, s->size, lanes_abs(change));
    return strength_index(s->change, s->size, s->faded);
}

LANES_INLINE void rsi_columns(const struct kernels_series *rows, size_t i, bool whole,
                              struct strengths *s)
{
    lanes column[LANES];
    load_columns(rows, i, whole, column);
#pragma GCC unroll 8
    for (size_t at = 0; at < LANES; at++)
        column[at] = strengths_step(s, column[at]);
    store_columns(rows, i, whole, column);
}

/* The sums over the first `period` changes, and the result that is due there. */
static struct strengths strengths_of_first(const struct kernels_series *rows, size_t period)
{
    const double length = (double)period;
    double before[ROWS];
    double change[ROWS];
    double size[ROWS];
    double first[ROWS];
    for (size_t row = 0; row < ROWS; row++) {
        fill_warm_up_avx2(rows[row].out, rows[row].n, period);
        first_sums(rows[row].in, period, &change[row], &size[row]);
        before[row] = rows[row].in[period];
    }
    const struct strengths s = {lanes_of((length - 1) / length), lanes_of(RSI_FADED * length),
                                lanes_load(before), lanes_load(change), lanes_load(size)};
    lanes_store(first, strength_index(s.change, s.size, s.faded));
    for (size_t row = 0; row < ROWS; row++)
        rows[row].out[period] = first[row];
    return s;
}

static void rsi_group(const struct kernels_series *rows, size_t period)
{
    struct strengths s = strengths_of_first(rows, period);
    const size_t shortest = shortest_of(rows);
    const size_t longest = longest_of(rows);
    size_t i = period + 1;
    for (; i + LANES <= shortest; i += LANES)
        rsi_columns(rows, i, true, &s);
    for (; i < longest; i += LANES)
        rsi_columns(rows, i, false, &s);
}

void rsi_batch_f64_avx512(const struct kernels_series *series, size_t count, size_t period)
{
    assert(period > 0);
    const bool fits = period <= RSI_PERIOD_MAX;
    for (size_t row = 0; row < count;) {
        if (fits && count - row >= ROWS && is_group(series + row, period)) {
            rsi_group(series + row, period);
            row += ROWS;
        } else {
            rsi_f64_avx512(series[row].in, series[row].n, period, series[row].out);
            row++;
        }
    }
}
