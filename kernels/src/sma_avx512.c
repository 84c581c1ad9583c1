/*
 * sma_avx512.c - the moving mean with AVX-512.
 *
 * As in sma_avx2.c, sums made by doubling are laid side by side, so that a
 * mean depends on the values of its own window alone; eight windows per
 * vector. Newest values first: sums of 16, then one of 8 and one of 4 where
 * the period asks for them, then up to 3 single values. The sums then lie whole
 * vectors apart, and come from a ring of those last made. 9 roundings at most.
 *
 * Longer periods are left to sma_avx2.c.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "lanes_avx512.h"
#include "sum_avx2.h"
#include "variants.h"

#define TREE_PERIOD_MAX 67
#define RING 128 /* values; more than the longest period */

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

/* Sums of the 2, 4, 8, 16 values that end in each lane of the last vector. */
struct sums {
    lanes two, four, eight, sixteen;
};

/* Those that are needed again, the last vector at `end` - modulo RING. */
struct rings {
    double fours[RING];
    double eights[RING];
    double sixteens[RING];
};

/* The multiple of 4 that is in a period, and what it is made of. */
struct layout {
    size_t sixteens;
    bool eight;
    bool four;
    size_t before_sixteens, before_eight, before_four;
};

LANES_INLINE struct layout layout_of(const size_t quads)
{
    const struct layout l = {.sixteens = quads / 4, .eight = quads & 2, .four = quads & 1};
    const size_t before_sixteens = 16 * l.sixteens;
    const size_t before_eight = before_sixteens + (l.eight ? 8 : 0);
    return (struct layout){l.sixteens,      l.eight,      l.four,
                           before_sixteens, before_eight, before_eight + (l.four ? 4 : 0)};
}

LANES_INLINE void sums_add(struct sums *s, struct rings *r, size_t end, struct layout parts,
                           lanes x, lanes one_back)
{
    const lanes two = x + one_back;
    const lanes four = two + lanes_two_back(s->two, two);
    const lanes eight = four + lanes_four_back(s->four, four);
    s->sixteen = eight + s->eight;
    s->eight = eight;
    s->four = four;
    s->two = two;
    if (parts.four)
        lanes_store(r->fours + end % RING, four);
    if (parts.eight)
        lanes_store(r->eights + end % RING, eight);
    if (parts.sixteens > 1)
        lanes_store(r->sixteens + end % RING, s->sixteen);
}

/* From a ring, what was added `back` values ago, a multiple of LANES. */
LANES_INLINE lanes recall(const double *ring, size_t end, size_t back)
{
    return lanes_load(ring + (end - back) % RING);
}

LANES_INLINE lanes sum_of_sixteens(struct sums s, const struct rings *r, size_t end,
                                   struct layout parts)
{
    lanes sum = s.sixteen;
    for (size_t i = 1; i < parts.sixteens; i++)
        sum += recall(r->sixteens, end, 16 * i);
    return sum;
}

/* The sums of the first `count` windows that end in the vector at x, which was added last. */
LANES_INLINE lanes window_sums(struct sums s, const struct rings *r, size_t end,
                               struct layout parts, size_t singles, const double *x, size_t count)
{
    lanes sum = lanes_of(0);
    for (size_t i = 0; i < singles; i++)
        sum += lanes_load_first(x - parts.before_four - i, count);
    if (parts.four)
        sum += parts.before_eight == 0 ? s.four : recall(r->fours, end, parts.before_eight);
    if (parts.eight)
        sum += parts.before_sixteens == 0 ? s.eight : recall(r->eights, end, parts.before_sixteens);
    if (parts.sixteens > 0)
        sum += sum_of_sixteens(s, r, end, parts);
    return sum;
}

/* The sums that windows from in + before on need of what is before. */
LANES_INLINE struct sums sums_before(const double *in, size_t before, struct layout parts,
                                     struct rings *r)
{
    const lanes zero = lanes_of(0);
    struct sums s = {zero, zero, zero, zero};
    const size_t first = before % LANES;
    double values[LANES] = {0};
    memcpy(values + LANES - first, in, first * sizeof *in);
    lanes last = lanes_load(values);
    sums_add(&s, r, 0, parts, last, lanes_one_back(zero, last));
    for (size_t i = first; i < before; i += LANES) {
        const lanes x = lanes_load(in + i);
        sums_add(&s, r, i - first + LANES, parts, x, lanes_one_back(last, x));
        last = x;
    }
    return s;
}

/* For a period of 4 * quads + singles, at least 2. */
LANES_INLINE void tree_means(const double *restrict in, size_t n, const size_t quads,
                             const size_t singles, double *restrict out)
{
    const size_t period = 4 * quads + singles;
    const struct divisor divisor = divisor_of(period);
    const struct layout parts = layout_of(quads);
    /* Written before it is read. Hardened builds would clear it, which costs as much as 100 means.
     */
    struct rings r __attribute__((uninitialized, aligned(64)));
    const size_t first = (period - 1) % LANES;
    size_t i = period - 1;
    struct sums s = sums_before(in, i, parts, &r);
    for (; i + LANES <= n; i += LANES) {
        sums_add(&s, &r, i - first + LANES, parts, lanes_load(in + i), lanes_load(in + i - 1));
        const lanes sums = window_sums(s, &r, i - first + LANES, parts, singles, in + i, LANES);
        lanes_store(out + i, divide(sums, divisor));
    }
    if (i == n)
        return;
    const lanes one_back = lanes_load_first(in + i - 1, n - i);
    sums_add(&s, &r, i - first + LANES, parts, lanes_load_first(in + i, n - i), one_back);
    const lanes sums = window_sums(s, &r, i - first + LANES, parts, singles, in + i, n - i);
    lanes_store_first(out + i, divide(sums, divisor), n - i);
}

/* So that what is the same for all windows is decided when compiling. */
#define QUADS_MAP(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)

static void tree(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    switch (period / 4) {
#define X(quads)                                   \
    case quads:                                    \
        tree_means(in, n, quads, period % 4, out); \
        return;
        QUADS_MAP(X)
#undef X
    }
}

void sma_f64_avx512(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    if (period > TREE_PERIOD_MAX || n < period) {
        sma_f64_avx2(in, n, period, out);
        return;
    }
    if (period == 1) {
        memcpy(out, in, n * sizeof *in);
        return;
    }
    fill_warm_up_avx2(out, n, period - 1);
    tree(in, n, period, out);
}
