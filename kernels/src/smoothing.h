/*
 * smoothing.h - EMA and RSI, of the width that lanes_<isa>.h has set.
 *
 * Both are exponentially weighted: one value waits for the one before. Several
 * values at a time break the chain, with sums made by doubling: of two
 * neighbours, of two such sums, and so on up to a stride, which is then all
 * that the chain steps over.
 *
 * EMA   A stride is two vectors. Every step is a blend of two means that starts
 *       from the nearer end: a constant series stays exactly constant.
 * RSI   50 + 50 D/A, with D the smoothed changes and A their smoothed sizes:
 *       two sums as in gain and loss, but nothing to select, and what is common
 *       to both (the division by their weights) is left out. A stride is a
 *       vector. Where all changes are rises, D and A are equal to the last bit.
 */
#ifndef KERNELS_SMOOTHING_H
#define KERNELS_SMOOTHING_H

#include <stdbool.h>
#include <stddef.h>

#include "sum_avx2.h"
#include "variants.h"

#define STRIDE (2 * (size_t)LANES)

/* Below this weight of one stride, what rounding loses would add up to more than 16 units in the
 * last place, and is carried along. */
#define EXACT_WEIGHT_MAX (1.0 / 16)

/* A result comes this many values after its input: see ema_step(). */
#define DELAYED (3 * (size_t)LANES)

/* x[i] and those after it, zeros from x[n] on; touches no memory there. */
LANES_INLINE lanes lanes_load_within(const double *x, size_t i, size_t n)
{
    return i < n ? lanes_load_first(x + i, n - i) : lanes_of(0);
}

/* What new values count, and what is kept of all before them: 1 together, but the smaller of them
 * would not have all its digits if it were made of the other. */
struct share {
    double weight;
    double keep;
};

/*
 * Of `values` at once, a power of two, when kept / of is kept at each. Every squaring doubles the
 * relative error, and a large value that fades collects it again with every stride: so what
 * rounding takes from `keep` is squared along.
 */
static struct share share_of(size_t values, double kept, double of)
{
    double keep = kept / of;
    double lost = __builtin_fma(-keep, of, kept) * (1 / of);
    for (size_t done = 1; done < values; done *= 2) {
        const double square = keep * keep;
        lost = __builtin_fma(keep, keep, -square) + 2 * keep * lost;
        keep = square;
    }
    return (struct share){.weight = (1 - keep) - lost, .keep = keep + lost};
}

/* --- EMA ------------------------------------------------------------------------------------- */

/* How much the older half counts at each doubling, and what is before the stride; in every lane. */
struct blend_weights {
    lanes two, four, eight, sixteen, keep, weight;
    bool near_new; /* which end of the last blend is the nearer */
    bool exact;
};

LANES_INLINE struct blend_weights blend_weights_of(double period)
{
    const double keep = (period - 1) / (period + 1);
    const double keep2 = keep * keep;
    const double keep4 = keep2 * keep2;
    const double keep8 = keep4 * keep4;
    const struct share stride = share_of(STRIDE, period - 1, period + 1);
    return (struct blend_weights){
        .two = lanes_of(keep / (1 + keep)),
        .four = lanes_of(keep2 / (1 + keep2)),
        .eight = lanes_of(keep4 / (1 + keep4)),
        .sixteen = lanes_of(keep8 / (1 + keep8)),
        .keep = lanes_of(stride.keep),
        .weight = lanes_of(stride.weight),
        .near_new = stride.keep < 0.5,
        .exact = stride.weight < EXACT_WEIGHT_MAX,
    };
}

/* What each stage left behind for the next one: the last vector and, where one that overlaps two is
 * needed, the one before. */
struct ema {
    lanes mean2, mean2_before;
    lanes mean4, mean4_before;
    lanes mean_vector;
    lanes mean_stride;
    lanes value, value_before;
    lanes lost, lost_before; /* if exact, by rounding */
};

/* As if all values so far had been `mean`: then that is what they smooth to. */
LANES_INLINE struct ema ema_of(double mean)
{
    const lanes all = lanes_of(mean);
    const lanes zero = lanes_of(0);
    return (struct ema){all, all, all, all, all, all, all, all, zero, zero};
}

LANES_INLINE lanes blend(lanes near, lanes far, lanes far_weight)
{
    return lanes_fma(far_weight, far - near, near);
}

/* One stride on from the value before the last. */
LANES_INLINE lanes ema_advance(struct ema *e, const struct blend_weights *w, bool near_new,
                               bool exact)
{
    lanes next = near_new ? blend(e->mean_stride, e->value_before, w->keep)
                          : blend(e->value_before, e->mean_stride, w->weight);
    if (exact) {
        const lanes far = e->mean_stride - e->value_before;
        const lanes by = lanes_fma(w->weight, far, e->lost_before);
        next = e->value_before + by;
        e->lost_before = e->lost;
        e->lost = by - (next - e->value_before);
    }
    e->value_before = e->value;
    e->value = next;
    return next;
}

/*
 * Takes x in and gives the EMA of what came in three vectors ago: each stage works on what the one
 * before left in the last step. Were all stages of a vector in one step, every operation would wait
 * for the previous one, more of them than the processor can look ahead.
 */
LANES_INLINE lanes ema_step(struct ema *e, const struct blend_weights *w, lanes x, lanes one_back,
                            bool near_new, bool exact)
{
    const lanes ready = ema_advance(e, w, near_new, exact);
    lanes mean = e->mean4;
    if (LANES > 4)
        mean = blend(mean, lanes_four_back(e->mean4_before, mean), w->eight);
    e->mean_stride = blend(mean, e->mean_vector, LANES > 4 ? w->sixteen : w->eight);
    e->mean_vector = mean;
    e->mean4_before = e->mean4;
    e->mean4 = blend(e->mean2, lanes_two_back(e->mean2_before, e->mean2), w->four);
    e->mean2_before = e->mean2;
    e->mean2 = blend(x, one_back, w->two);
    return ready;
}

/* Reads in[-1]. */
LANES_INLINE void ema_after_seed(const double *restrict in, size_t n, const struct blend_weights *w,
                                 double seed, double *restrict out, bool near_new, bool exact)
{
    struct ema e = ema_of(seed);
    const lanes first = lanes_load_within(in, 0, n);
    ema_step(&e, w, first, lanes_one_back(lanes_of(seed), first), near_new, exact);
    for (size_t i = LANES; i < DELAYED; i += LANES)
        ema_step(&e, w, lanes_load_within(in, i, n), lanes_load_within(in - 1, i, n), near_new,
                 exact);
    size_t i = 0;
    for (; i + DELAYED + LANES <= n; i += LANES) {
        const double *x = in + i + DELAYED;
        lanes_store(out + i, ema_step(&e, w, lanes_load(x), lanes_load(x - 1), near_new, exact));
    }
    for (; i < n; i += LANES) {
        const lanes x = lanes_load_within(in, i + DELAYED, n);
        const lanes one_back = lanes_load_within(in - 1, i + DELAYED, n);
        lanes_store_first(out + i, ema_step(&e, w, x, one_back, near_new, exact), n - i);
    }
}

LANES_INLINE void ema_f64_lanes(const double *restrict in, size_t n, size_t period,
                                double *restrict out)
{
    fill_warm_up_avx2(out, n, period - 1);
    if (n < period)
        return;
    const double seed = mean_avx2(in, period);
    out[period - 1] = seed;
    const struct blend_weights w = blend_weights_of((double)period);
    if (w.exact)
        ema_after_seed(in + period, n - period, &w, seed, out + period, false, true);
    else if (w.near_new)
        ema_after_seed(in + period, n - period, &w, seed, out + period, true, false);
    else
        ema_after_seed(in + period, n - period, &w, seed, out + period, false, false);
}

/* --- RSI ------------------------------------------------------------------------------------- */

/* What is left of a value after one, two, four values, and after a whole vector; in every lane. */
struct fade {
    lanes one, two, four, vector, weight;
    bool exact;
};

LANES_INLINE struct fade fade_of(double period)
{
    const double keep = (period - 1) / period;
    const double keep2 = keep * keep;
    const struct share vector = share_of(LANES, period - 1, period);
    return (struct fade){
        .one = lanes_of(keep),
        .two = lanes_of(keep2),
        .four = lanes_of(keep2 * keep2),
        .vector = lanes_of(vector.keep),
        .weight = lanes_of(vector.weight),
        .exact = vector.weight < EXACT_WEIGHT_MAX,
    };
}

/* A fading sum of everything so far, and what each stage left behind for the next one. */
struct fading {
    lanes sum2, sum2_before;
    lanes sum4, sum4_before;
    lanes sum;
    lanes lost; /* if exact, by rounding */
};

/* As if all values so far had been `mean`; `sum` is what they fade to. */
LANES_INLINE struct fading fading_of(double mean, double sum, const struct fade *f)
{
    const lanes sum2 = lanes_of(mean) * (lanes_of(1) + f->one);
    const lanes sum4 = sum2 * (lanes_of(1) + f->two);
    return (struct fading){sum2, sum2, sum4, sum4, lanes_of(sum), lanes_of(0)};
}

/* `one_back` is x, one place ago. The sum is of what came in two vectors ago. */
LANES_INLINE void fading_add(struct fading *s, const struct fade *f, lanes x, lanes one_back,
                             bool exact)
{
    lanes last = s->sum4;
    if (LANES > 4)
        last = lanes_fma(f->four, lanes_four_back(s->sum4_before, last), last);
    if (exact) {
        const lanes by = lanes_fma(-f->weight, s->sum, last) + s->lost;
        const lanes next = s->sum + by;
        s->lost = by - (next - s->sum);
        s->sum = next;
    } else {
        s->sum = lanes_fma(f->vector, s->sum, last);
    }
    s->sum4_before = s->sum4;
    s->sum4 = lanes_fma(f->two, lanes_two_back(s->sum2_before, s->sum2), s->sum2);
    s->sum2_before = s->sum2;
    s->sum2 = lanes_fma(f->one, one_back, x);
}

/* Rounding may push D/A past 1; the answer stays within 0 and 100. */
LANES_INLINE lanes strength_index(lanes change, lanes size, lanes faded)
{
    const lanes half = lanes_of(50);
    const lanes index = lanes_fma(half, lanes_within_one(change / size), half);
    return lanes_where_at_least(size, faded, index);
}

struct rsi {
    lanes faded; /* sizes below this count as none */
    struct fading changes;
    struct fading sizes;
};

/* Takes changes in and gives the RSI of those that came in three vectors ago: see ema_step(). */
LANES_INLINE lanes rsi_step(struct rsi *r, const struct fade *f, lanes change, lanes one_back,
                            bool exact)
{
    const lanes ready = strength_index(r->changes.sum, r->sizes.sum, r->faded);
    fading_add(&r->changes, f, change, one_back, exact);
    fading_add(&r->sizes, f, lanes_abs(change), lanes_abs(one_back), exact);
    return ready;
}

/* Reads x[i - 1]. */
LANES_INLINE lanes changes_within(const double *x, size_t i, size_t n)
{
    return lanes_load_within(x, i, n) - lanes_load_within(x - 1, i, n);
}

/* The first vector: what was before it is not a value of the series, but the first average. */
LANES_INLINE void rsi_start(struct rsi *r, const struct fade *f, lanes change, double change_before,
                            double size_before, bool exact)
{
    const lanes size = lanes_abs(change);
    const lanes one_back = lanes_one_back(lanes_of(change_before), change);
    const lanes size_one_back = lanes_one_back(lanes_of(size_before), size);
    fading_add(&r->changes, f, change, one_back, exact);
    fading_add(&r->sizes, f, size, size_one_back, exact);
}

/* `change` and `size` are the sums of the first `period` of them. Reads in[-2]. */
LANES_INLINE void rsi_after_seed(const double *restrict in, size_t n, size_t period, double change,
                                 double size, const struct fade *f, double *restrict out,
                                 bool exact)
{
    const double count = (double)period;
    struct rsi r = {.faded = lanes_of(RSI_FADED * count),
                    .changes = fading_of(change / count, change, f),
                    .sizes = fading_of(size / count, size, f)};
    rsi_start(&r, f, changes_within(in, 0, n), change / count, size / count, exact);
    for (size_t i = LANES; i < DELAYED; i += LANES)
        rsi_step(&r, f, changes_within(in, i, n), changes_within(in - 1, i, n), exact);
    size_t i = 0;
    for (; i + DELAYED + LANES <= n; i += LANES) {
        const double *x = in + i + DELAYED;
        const lanes one_back = lanes_load(x - 1);
        const lanes change_now = lanes_load(x) - one_back;
        lanes_store(out + i, rsi_step(&r, f, change_now, one_back - lanes_load(x - 2), exact));
    }
    for (; i < n; i += LANES) {
        const lanes change_now = changes_within(in, i + DELAYED, n);
        const lanes one_back = changes_within(in - 1, i + DELAYED, n);
        lanes_store_first(out + i, rsi_step(&r, f, change_now, one_back, exact), n - i);
    }
}

/* The sums over the first `period` changes. Both are summed alike, so that they are equal to the
 * last bit, and RSI is 100, where every change is a rise. */
static void first_sums(const double *in, size_t period, double *change, double *size)
{
    struct exact_lanes changes = exact_lanes_zero();
    struct exact_lanes sizes = exact_lanes_zero();
    for (size_t i = 0; i < period; i += DOUBLES_PER_VECTOR) {
        const __m256i valid = first_lanes(period - i);
        const __m256d before = _mm256_maskload_pd(in + i, valid);
        const __m256d d = _mm256_sub_pd(_mm256_maskload_pd(in + i + 1, valid), before);
        exact_lanes_add(&changes, d);
        exact_lanes_add(&sizes, _mm256_andnot_pd(_mm256_set1_pd(-0.0), d));
    }
    *change = exact_lanes_total(changes);
    *size = exact_lanes_total(sizes);
}

LANES_INLINE void rsi_f64_lanes(const double *restrict in, size_t n, size_t period,
                                double *restrict out)
{
    fill_warm_up_avx2(out, n, period);
    if (n <= period)
        return;
    double change;
    double size;
    first_sums(in, period, &change, &size);
    const struct fade f = fade_of((double)period);
    const lanes faded = lanes_of(RSI_FADED * (double)period);
    lanes_store_first(out + period, strength_index(lanes_of(change), lanes_of(size), faded), 1);
    const double *rest = in + period + 1;
    const size_t left = n - period - 1;
    if (f.exact)
        rsi_after_seed(rest, left, period, change, size, &f, out + period + 1, true);
    else
        rsi_after_seed(rest, left, period, change, size, &f, out + period + 1, false);
}

#endif
