/*
 * sma_avx512.c - the moving mean with AVX-512: the tree of sma_avx2.c, eight
 * windows per vector. Longer periods are left to sma_avx2.c.
 */
#include <assert.h>

#include "lanes_avx512.h"
#include "sum_avx2.h"
#include "variants.h"

#define TREE_PERIOD_MAX 64
#define GROUP 16         /* windows per step */
#define TREE_WINDOWS 512 /* per block: its two scratch arrays and its input stay in L1 */

/* A divisor and its reciprocal. */
struct divisor {
    lanes value;
    lanes inverse;
};

static struct divisor divisor_of(size_t period)
{
    const double value = (double)period;
    return (struct divisor){lanes_of(value), lanes_of(1 / value)};
}

/* Correctly rounded like a division (so that 2002 / 20 is 100.1), at the cost of a multiplication:
 * the remainder of the first guess corrects it. */
LANES_INLINE lanes divide(lanes x, struct divisor by)
{
    const lanes guess = x * by.inverse;
    const lanes remainder = lanes_fma(-guess, by.value, x);
    return lanes_fma(remainder, by.inverse, guess);
}

/* How the windows of a period are laid together, newest values first:
 * `sixteens` sums of 16, then `fours` of 4, then single values. */
struct layout {
    size_t sixteens;
    size_t fours;
    size_t singles;
    size_t history; /* sums needed before the one that ends with the window */
};

static struct layout layout_of(size_t period)
{
    const size_t quads = period / 4;
    return (struct layout){
        .sixteens = period / 16,
        .fours = quads % 4,
        .singles = period % 4,
        .history = quads > 0 ? 4 * (quads - 1) : 0,
    };
}

struct tree_scratch {
    double four[TREE_WINDOWS + TREE_PERIOD_MAX];
    double sixteen[TREE_WINDOWS + TREE_PERIOD_MAX];
};

/* The vector before, at each doubling. */
struct doubling {
    lanes pair, four, eight;
};

/* Sums of the 4 and 16 values that end in each lane of the vector at x. */
LANES_INLINE void sum_vector(struct doubling *before, lanes x, lanes one_back, double *four,
                             double *sixteen)
{
    const lanes pair = x + one_back;
    const lanes sum4 = pair + lanes_two_back(before->pair, pair);
    const lanes sum8 = sum4 + lanes_four_back(before->four, sum4);
    lanes_store(four, sum4);
    lanes_store(sixteen, sum8 + before->eight);
    *before = (struct doubling){pair, sum4, sum8};
}

/*
 * four[i] = x[i-3] + ... + x[i]; sixteen[i] = x[i-15] + ... + x[i], which means
 * something from i = 12 on. Reads x[-3] to x[count - 1]; count is a multiple of 4, and the arrays
 * have room for a multiple of 8.
 */
static void sum_neighbours(const double *restrict x, size_t count, double *restrict four,
                           double *restrict sixteen)
{
    const double last_pairs[LANES] = {[6] = x[-3] + x[-2], [7] = x[-2] + x[-1]};
    struct doubling before = {lanes_load(last_pairs), lanes_of(0), lanes_of(0)};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        sum_vector(&before, lanes_load(x + i), lanes_load(x + i - 1), four + i, sixteen + i);
    if (i < count)
        sum_vector(&before, lanes_load_first(x + i, count - i),
                   lanes_load_first(x + i - 1, count - i), four + i, sixteen + i);
}

/* The sums of GROUP windows; explicit members, because arrays end up in memory. */
struct group {
    lanes a, b;
};

LANES_INLINE struct group group_load(const double *x)
{
    return (struct group){lanes_load(x), lanes_load(x + LANES)};
}

LANES_INLINE struct group group_add(struct group x, struct group y)
{
    return (struct group){x.a + y.a, x.b + y.b};
}

/* x[-newest], x[-newest - apart] and so on, `terms` of them, at least one. They are summed among
 * themselves first: that keeps the number of roundings in any one value's path low. */
LANES_INLINE struct group group_sum(const double *x, size_t newest, size_t terms, size_t apart)
{
    struct group sum = group_load(x - newest);
    for (size_t term = 1; term < terms; term++)
        sum = group_add(sum, group_load(x - newest - term * apart));
    return sum;
}

/* Means of the windows that end at x[0] ... x[windows - 1], a multiple of GROUP. */
LANES_INLINE void lay_together(const double *restrict x, size_t windows, struct layout parts,
                               const double *four, const double *sixteen, struct divisor divisor,
                               double *restrict out)
{
    const size_t before_sixteens = 16 * parts.sixteens;
    const size_t before_fours = before_sixteens + 4 * parts.fours;
    for (size_t i = 0; i < windows; i += GROUP) {
        struct group sum = {lanes_of(0), lanes_of(0)};
        if (parts.singles > 0)
            sum = group_sum(x + i, before_fours, parts.singles, 1);
        if (parts.fours > 0)
            sum = group_add(sum, group_sum(four + i, before_sixteens, parts.fours, 4));
        if (parts.sixteens > 0)
            sum = group_add(sum, group_sum(sixteen + i, 0, parts.sixteens, 16));
        lanes_store(out + i, divide(sum.a, divisor));
        lanes_store(out + i + LANES, divide(sum.b, divisor));
    }
}

/* At most TREE_WINDOWS of them. */
static void tree_block(const double *restrict x, size_t windows, size_t period,
                       struct tree_scratch *restrict scratch, double *restrict out)
{
    const struct layout parts = layout_of(period);
    if (period >= 4)
        sum_neighbours(x - parts.history, windows + parts.history, scratch->four, scratch->sixteen);
    const double *four = scratch->four + parts.history;
    const double *sixteen = scratch->sixteen + parts.history;
    lay_together(x, windows, parts, four, sixteen, divisor_of(period), out);
}

static void mean_each(const double *restrict in, size_t windows, size_t period,
                      double *restrict out)
{
    for (size_t i = 0; i < windows; i++)
        out[i] = mean_avx2(in + i, period);
}

/* `in` is the start of the first window, `out` its mean. */
static void tree_means(const double *restrict in, size_t windows, size_t period,
                       double *restrict out)
{
    if (windows < GROUP) {
        mean_each(in, windows, period, out);
        return;
    }
    /* Written before it is read. Hardened builds would clear it, which costs as much as 500 means.
     */
    struct tree_scratch scratch __attribute__((uninitialized));
    const double *end = in + period - 1;
    size_t done = 0;
    while (windows - done >= GROUP) {
        const size_t left = (windows - done) / GROUP * GROUP;
        const size_t block = left < TREE_WINDOWS ? left : TREE_WINDOWS;
        tree_block(end + done, block, period, &scratch, out + done);
        done += block;
    }
    /* The rest with some of the last group again: same windows, same sums, same bits. */
    if (done < windows)
        tree_block(end + windows - GROUP, GROUP, period, &scratch, out + windows - GROUP);
}

void sma_f64_avx512(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    if (period > TREE_PERIOD_MAX || n < period) {
        sma_f64_avx2(in, n, period, out);
        return;
    }
    fill_warm_up_avx2(out, n, period - 1);
    tree_means(in, n - period + 1, period, out + period - 1);
}
