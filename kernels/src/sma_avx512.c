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

/* Sums of the 2, 4, 8, 16 values that end in each lane of a vector. */
struct sums {
    lanes two, four, eight, sixteen;
};

/* Of the last three vectors. */
struct recent {
    struct sums now, before, before_that;
};

#define RECENT_MAX (2 * (size_t)LANES) /* values back, of the oldest */

/* Those that are needed again later than that, the last vector at `end` - modulo RING. */
struct rings {
    double fours[RING];
    double eights[RING];
    double sixteens[RING];
};

/* The multiple of 4 that is in a period: sums of 16 in front, then perhaps one of 8, one of 4. */
struct layout {
    bool eight;
    bool four;
    size_t
        before_sixteens; /* values that the sums of 16 cover; up to which there is the 8, the 4 */
    size_t before_eight;
    size_t before_four;
};

LANES_INLINE struct layout layout_of(const size_t quads)
{
    return (struct layout){
        .eight = quads & 2,
        .four = quads & 1,
        .before_sixteens = quads / 4 * 16,
        .before_eight = quads / 2 * 8,
        .before_four = quads * 4,
    };
}

LANES_INLINE void sums_add(struct recent *s, struct rings *r, size_t end, struct layout parts,
                           lanes x, lanes one_back)
{
    s->before_that = s->before;
    s->before = s->now;
    const lanes two = x + one_back;
    const lanes four = two + lanes_two_back(s->before.two, two);
    const lanes eight = four + lanes_four_back(s->before.four, four);
    s->now = (struct sums){two, four, eight, eight + s->before.eight};
    if (parts.four && parts.before_eight > RECENT_MAX)
        lanes_store(r->fours + end % RING, four);
    if (parts.eight && parts.before_sixteens > RECENT_MAX)
        lanes_store(r->eights + end % RING, eight);
    if (parts.before_sixteens > 16 + RECENT_MAX)
        lanes_store(r->sixteens + end % RING, s->now.sixteen);
}

/* A sum that was made `back` values ago, a multiple of LANES. */
#define RECALL(s, r, end, kind, back)              \
    ((back) == 0           ? (s)->now.kind         \
     : (back) == LANES     ? (s)->before.kind      \
     : (back) == 2 * LANES ? (s)->before_that.kind \
                           : lanes_load((r)->kind##s + ((end) - (back)) % RING))

LANES_INLINE lanes sum_of_sixteens(const struct recent *s, const struct rings *r, size_t end,
                                   struct layout parts)
{
    lanes sum = s->now.sixteen;
    for (size_t back = 16; back < parts.before_sixteens; back += 16)
        sum += RECALL(s, r, end, sixteen, back);
    return sum;
}

/* The sums of the first `count` windows that end in the vector at x, which was added last. */
LANES_INLINE lanes window_sums(const struct recent *s, const struct rings *r, size_t end,
                               struct layout parts, size_t singles, const double *x, size_t count)
{
    lanes sum = lanes_of(0);
    for (size_t i = 0; i < singles; i++)
        sum += lanes_load_first(x - parts.before_four - i, count);
    if (parts.four)
        sum += RECALL(s, r, end, four, parts.before_eight);
    if (parts.eight)
        sum += RECALL(s, r, end, eight, parts.before_sixteens);
    if (parts.before_sixteens > 0)
        sum += sum_of_sixteens(s, r, end, parts);
    return sum;
}

/* The sums that windows from in + before on need of what is before. */
LANES_INLINE struct recent sums_before(const double *in, size_t before, struct layout parts,
                                       struct rings *r)
{
    const lanes zero = lanes_of(0);
    const struct sums none = {zero, zero, zero, zero};
    struct recent s = {none, none, none};
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
    struct recent s = sums_before(in, i, parts, &r);
    for (; i + LANES <= n; i += LANES) {
        sums_add(&s, &r, i - first + LANES, parts, lanes_load(in + i), lanes_load(in + i - 1));
        const lanes sums = window_sums(&s, &r, i - first + LANES, parts, singles, in + i, LANES);
        lanes_store(out + i, divide(sums, divisor));
    }
    if (i == n)
        return;
    const lanes one_back = lanes_load_first(in + i - 1, n - i);
    sums_add(&s, &r, i - first + LANES, parts, lanes_load_first(in + i, n - i), one_back);
    const lanes sums = window_sums(&s, &r, i - first + LANES, parts, singles, in + i, n - i);
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
