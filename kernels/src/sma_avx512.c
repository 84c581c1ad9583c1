/*
 * sma_avx512.c - the moving mean with AVX-512.
 *
 * As in sma_avx2.c, sums made by doubling are laid side by side, so that a
 * mean depends on the values of its own window alone; eight windows per
 * vector. Newest values first: sums of 16, then one of 8 and one of 4 where
 * the period asks for them, then up to 3 single values. The sums then lie whole
 * vectors apart, and come from a ring of those last made.
 *
 *   period <= 67    that.
 *   period <= 512   sums of 64 in front of such a window of at most 64.
 *   period > 512    left to sma_avx2.c.
 *
 * 9 roundings at most, the division included: 9.99e-16 of the mean of the
 * magnitudes.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "lanes_avx512.h"
#include "sum_avx2.h"
#include "variants.h"

#define TREE_PERIOD_MAX 67
#define RING 128 /* values; more than the longest period */
#define LONG_PERIOD_MAX 512
#define LONG_RING 512 /* values; more than are between the sums of 64 of one window */

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

/* The same of x + lost, a sum and what rounding took from it. */
LANES_INLINE lanes divide_exactly(lanes x, lanes lost, struct divisor by)
{
    const lanes guess = x * by.inverse;
    const lanes remainder = lanes_fma(-guess, by.value, x) + lost;
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

/* The sums of the first `count` windows that end in the vector at x, which was added last. Smallest
 * sums first, and the last two of 16 by themselves: no value goes through more than 6 additions. */
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
    for (size_t back = 32; back < parts.before_sixteens; back += 16)
        sum += RECALL(s, r, end, sixteen, back);
    if (parts.before_sixteens > 16)
        sum += s->now.sixteen + s->before_that.sixteen;
    else if (parts.before_sixteens > 0)
        sum += s->now.sixteen;
    return sum;
}

LANES_INLINE struct recent recent_of_nothing(void)
{
    const lanes zero = lanes_of(0);
    const struct sums none = {zero, zero, zero, zero};
    return (struct recent){none, none, none};
}

/* The sums that windows from in + before on need of what is before. */
LANES_INLINE struct recent sums_before(const double *in, size_t before, struct layout parts,
                                       struct rings *r)
{
    const lanes zero = lanes_of(0);
    struct recent s = recent_of_nothing();
    const size_t first = before % LANES;
    lanes last = lanes_load_last(in, first);
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

/* --- longer periods -------------------------------------------------------------------------- */

/* Makes sums of 64. Those of 32 stay in registers until they are needed, four vectors later. */
struct front {
    struct recent sums;
    lanes thirty_two[4];
};

LANES_INLINE lanes front_add(struct front *f, lanes x, lanes one_back)
{
    sums_add(&f->sums, NULL, 0, layout_of(0), x, one_back);
    const lanes thirty_two = f->sums.now.sixteen + f->sums.before_that.sixteen;
    const lanes sixty_four = thirty_two + f->thirty_two[3];
    f->thirty_two[3] = f->thirty_two[2];
    f->thirty_two[2] = f->thirty_two[1];
    f->thirty_two[1] = f->thirty_two[0];
    f->thirty_two[0] = thirty_two;
    return sixty_four;
}

/* The `fronts` sums of 64 before the first window, but for the newest, as a ring of LONG_RING. */
LANES_INLINE struct front front_before(const double *in, size_t fronts, size_t end, double *ring)
{
    const lanes zero = lanes_of(0);
    struct front f = {recent_of_nothing(), {zero, zero, zero, zero}};
    lanes last = zero;
    for (size_t i = 0; i < 64 * fronts; i += LANES) {
        const lanes x = lanes_load(in + i);
        lanes_store(ring + (end + i) % LONG_RING, front_add(&f, x, lanes_one_back(last, x)));
        last = x;
    }
    return f;
}

/* Two sums of 64 that were made `back` and `back` + 64 values ago. */
LANES_INLINE lanes two_fronts(const double *ring, size_t end, size_t back)
{
    return lanes_load(ring + (end - back) % LONG_RING) +
           lanes_load(ring + (end - back - 64) % LONG_RING);
}

/* Of `fronts` sums of 64, the newest of them `now`, and the rest of the period. From four on there
 * are 9 additions: what the last one loses is kept. */
LANES_INLINE lanes long_mean(lanes rest, lanes now, const double *ring, size_t end, size_t fronts,
                             struct divisor divisor)
{
    if (fronts == 1)
        return divide(rest + now, divisor);
    if (fronts & 1)
        rest += lanes_load(ring + (end - 64 * (fronts - 1)) % LONG_RING);
    const lanes two = now + lanes_load(ring + (end - 64) % LONG_RING);
    if (fronts < 4)
        return divide(rest + two, divisor);
    if (fronts & 2)
        rest += two_fronts(ring, end, 256);
    const lanes four = two + two_fronts(ring, end, 128);
    const lanes sum = rest + four;
    const lanes added = sum - four;
    const lanes lost = (four - (sum - added)) + (rest - added);
    return divide_exactly(sum, lost, divisor);
}

/* A period of 64 * fronts + 4 * quads + singles; the two latter are 1 to 64 together. */
struct long_plan {
    size_t fronts;
    size_t singles;
    struct layout parts; /* of 4 * quads */
    struct divisor divisor;
};

/* The means of the first `count` windows whose rests end in the vector at x. */
LANES_INLINE lanes long_step(struct recent *s, struct rings *r, struct front *f, double *ring,
                             size_t end, const struct long_plan *plan, const double *x,
                             size_t count)
{
    const double *front = x + 64 * plan->fronts;
    if (plan->parts.before_four > 0) /* else nothing is before the first x */
        sums_add(s, r, end, plan->parts, lanes_load(x), lanes_load(x - 1));
    const lanes rest = window_sums(s, r, end, plan->parts, plan->singles, x, LANES);
    const lanes now =
        front_add(f, lanes_load_first(front, count), lanes_load_first(front - 1, count));
    if (plan->fronts > 1)
        lanes_store(ring + end % LONG_RING, now);
    return long_mean(rest, now, ring, end, plan->fronts, plan->divisor);
}

LANES_INLINE void long_means(const double *restrict in, size_t n, size_t period, const size_t quads,
                             double *restrict out)
{
    const size_t fronts = (period - 1) / 64;
    const struct long_plan plan = {fronts, period % 4, layout_of(quads), divisor_of(period)};
    struct rings r __attribute__((uninitialized, aligned(64))); /* as in tree_means() */
    double ring[LONG_RING] __attribute__((uninitialized, aligned(64)));
    size_t i = period - 1 - 64 * fronts;
    size_t end = i - i % LANES + LANES;
    struct recent s = sums_before(in, i, plan.parts, &r);
    struct front f = front_before(in + i, fronts, end - 64 * fronts, ring);
#pragma GCC unroll 1 /* more would not fit: a fifth slower */
    for (i = period - 1; i + LANES <= n; i += LANES, end += LANES)
        lanes_store(out + i, long_step(&s, &r, &f, ring, end, &plan, in + i - 64 * fronts, LANES));
    if (i == n)
        return;
    const lanes last = long_step(&s, &r, &f, ring, end, &plan, in + i - 64 * fronts, n - i);
    lanes_store_first(out + i, last, n - i);
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

static void long_tree(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    switch (((period - 1) % 64 + 1) / 4) {
#define X(quads)                               \
    case quads:                                \
        long_means(in, n, period, quads, out); \
        return;
        QUADS_MAP(X)
#undef X
    }
}

void sma_f64_avx512(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    if (period > LONG_PERIOD_MAX || n < period) {
        sma_f64_avx2(in, n, period, out);
        return;
    }
    if (period == 1) {
        memcpy(out, in, n * sizeof *in);
        return;
    }
    fill_warm_up_avx2(out, n, period - 1);
    if (period > TREE_PERIOD_MAX)
        long_tree(in, n, period, out);
    else
        tree(in, n, period, out);
}
