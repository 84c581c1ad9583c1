/*
 * smoothing_avx2.c - EMA and RSI with AVX2 and FMA.
 *
 * Both are exponentially weighted means m[i] = m[i-1] + w (x[i] - m[i-1]): one
 * value waits for the one before. Eight values at a time break the chain:
 * m[i] is a mean of m[i-8] and of the last eight x, and that mean is made by
 * doubling, of two means of four, of two means of two. Every step is a blend
 * of two numbers that starts from the nearer end, so a constant series stays
 * exactly constant and a large value leaves no rounding behind.
 *
 * RSI is 50 + 50 D/A, with D the smoothed changes and A their smoothed sizes:
 * two means as in gain and loss, but nothing to select.
 */
#include <assert.h>
#include <string.h>

#include "sum_avx2.h"
#include "variants.h"

#define STEP 8 /* values per step: two vectors */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Which end of the last blend, m[i-8] or the mean of eight, is the nearer. */
enum blend {
    BLEND_NEAR_NEW,
    BLEND_NEAR_OLD,
    BLEND_NEAR_OLD_EXACT, /* steps so small that their rounding must be kept */
};

/* Below this weight of the last eight values, what rounding loses would add up to more than 32
 * units in the last place. */
#define EXACT_WEIGHT_MAX (1.0 / 32)

/* How much the older part counts at each level. */
struct weights {
    double two;
    double four;
    double eight;
    double last; /* of the farther end */
    enum blend blend;
};

/* `weight` is what one new value counts, `keep` = 1 - weight, given apart to save its digits. */
static struct weights weights_of(double weight, double keep)
{
    const double keep2 = keep * keep;
    const double keep4 = keep2 * keep2;
    const double keep8 = keep4 * keep4;
    const double weight8 = weight * (1 + keep) * (1 + keep2) * (1 + keep4);
    struct weights w = {
        .two = keep / (1 + keep),
        .four = keep2 / (1 + keep2),
        .eight = keep4 / (1 + keep4),
        .last = weight8,
        .blend = weight8 < EXACT_WEIGHT_MAX ? BLEND_NEAR_OLD_EXACT : BLEND_NEAR_OLD,
    };
    if (keep8 < 0.5) {
        w.last = keep8;
        w.blend = BLEND_NEAR_NEW;
    }
    return w;
}

/* Two vectors of smoothed values (or of anything). */
struct pair {
    __m256d low;
    __m256d high;
};

/* The same, one in every lane. */
struct weight_vectors {
    __m256d two, four, eight, last;
};

struct smoother {
    __m256d x, mean2, mean4; /* the vector before, at each level */
    struct pair mean;
    struct pair lost;
};

ALWAYS_INLINE struct weight_vectors weight_vectors_of(const struct weights *w)
{
    return (struct weight_vectors){_mm256_set1_pd(w->two), _mm256_set1_pd(w->four),
                                   _mm256_set1_pd(w->eight), _mm256_set1_pd(w->last)};
}

/* As if all values so far had been `mean`: then that is what they smooth to. */
ALWAYS_INLINE struct smoother smoother_of(double mean)
{
    const __m256d all = _mm256_set1_pd(mean);
    const __m256d zero = _mm256_setzero_pd();
    return (struct smoother){
        .x = all, .mean2 = all, .mean4 = all, .mean = {all, all}, .lost = {zero, zero}};
}

ALWAYS_INLINE __m256d blend(__m256d near, __m256d far, __m256d far_weight)
{
    return _mm256_fmadd_pd(far_weight, _mm256_sub_pd(far, near), near);
}

/* The weighted means of the eight values that end in each lane of `x`. */
ALWAYS_INLINE __m256d mean_of_eight(struct smoother *s, const struct weight_vectors *w, __m256d x)
{
    const __m256d two_back = _mm256_permute2f128_pd(s->x, x, 0x21);
    const __m256d one_back = _mm256_shuffle_pd(two_back, x, 0x5);
    const __m256d mean2 = blend(x, one_back, w->two);
    const __m256d mean4 = blend(mean2, _mm256_permute2f128_pd(s->mean2, mean2, 0x21), w->four);
    const __m256d mean8 = blend(mean4, s->mean4, w->eight);
    s->x = x;
    s->mean2 = mean2;
    s->mean4 = mean4;
    return mean8;
}

ALWAYS_INLINE void advance(__m256d *mean, __m256d *lost, __m256d mean8, __m256d weight,
                           enum blend how)
{
    switch (how) {
    case BLEND_NEAR_NEW:
        *mean = blend(mean8, *mean, weight);
        return;
    case BLEND_NEAR_OLD:
        *mean = blend(*mean, mean8, weight);
        return;
    case BLEND_NEAR_OLD_EXACT: {
        const __m256d by = _mm256_fmadd_pd(weight, _mm256_sub_pd(mean8, *mean), *lost);
        const __m256d next = _mm256_add_pd(*mean, by);
        *lost = _mm256_sub_pd(by, _mm256_sub_pd(next, *mean));
        *mean = next;
        return;
    }
    }
}

ALWAYS_INLINE struct pair smooth(struct smoother *s, const struct weight_vectors *w, struct pair x,
                                 enum blend how)
{
    advance(&s->mean.low, &s->lost.low, mean_of_eight(s, w, x.low), w->last, how);
    advance(&s->mean.high, &s->lost.high, mean_of_eight(s, w, x.high), w->last, how);
    return s->mean;
}

ALWAYS_INLINE struct pair pair_load(const double *x)
{
    return (struct pair){_mm256_loadu_pd(x), _mm256_loadu_pd(x + 4)};
}

ALWAYS_INLINE void pair_store(double *out, struct pair x)
{
    _mm256_storeu_pd(out, x.low);
    _mm256_storeu_pd(out + 4, x.high);
}

ALWAYS_INLINE void ema_after_seed(const double *restrict in, size_t n, const struct weights *w,
                                  double seed, double *restrict out, enum blend how)
{
    struct smoother s = smoother_of(seed);
    const struct weight_vectors v = weight_vectors_of(w);
    size_t i = 0;
    for (; n - i >= STEP; i += STEP)
        pair_store(out + i, smooth(&s, &v, pair_load(in + i), how));
    if (i == n)
        return;
    double rest[STEP] = {0};
    memcpy(rest, in + i, (n - i) * sizeof *in);
    pair_store(rest, smooth(&s, &v, pair_load(rest), how));
    memcpy(out + i, rest, (n - i) * sizeof *out);
}

void ema_f64_avx2(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    fill_warm_up_avx2(out, n, period - 1);
    if (n < period)
        return;
    const double seed = mean_avx2(in, period);
    out[period - 1] = seed;
    const double spread = (double)period + 1;
    const struct weights w = weights_of(2 / spread, ((double)period - 1) / spread);
    const double *rest = in + period;
    const size_t left = n - period;
    switch (w.blend) {
    case BLEND_NEAR_NEW:
        ema_after_seed(rest, left, &w, seed, out + period, BLEND_NEAR_NEW);
        return;
    case BLEND_NEAR_OLD:
        ema_after_seed(rest, left, &w, seed, out + period, BLEND_NEAR_OLD);
        return;
    case BLEND_NEAR_OLD_EXACT:
        ema_after_seed(rest, left, &w, seed, out + period, BLEND_NEAR_OLD_EXACT);
        return;
    }
}

/* Reads x[-1]. */
ALWAYS_INLINE struct pair changes_at(const double *x)
{
    return (struct pair){_mm256_sub_pd(_mm256_loadu_pd(x), _mm256_loadu_pd(x - 1)),
                         _mm256_sub_pd(_mm256_loadu_pd(x + 4), _mm256_loadu_pd(x + 3))};
}

ALWAYS_INLINE __m256d size_of(__m256d x)
{
    return _mm256_andnot_pd(_mm256_set1_pd(-0.0), x);
}

/* Rounding may push D/A past 1; the answer stays within 0 and 100. Nothing but 0 for A = 0. */
ALWAYS_INLINE __m256d strength_index(__m256d change, __m256d size)
{
    const __m256d one = _mm256_set1_pd(1);
    const __m256d half = _mm256_set1_pd(50);
    const __m256d ratio = _mm256_div_pd(change, size);
    const __m256d at_most = _mm256_min_pd(ratio, one);
    const __m256d within = _mm256_max_pd(at_most, _mm256_sub_pd(_mm256_setzero_pd(), one));
    const __m256d alive = _mm256_cmp_pd(size, _mm256_set1_pd(RSI_FADED), _CMP_GE_OQ);
    return _mm256_and_pd(alive, _mm256_fmadd_pd(half, within, half));
}

/* What RSI smooths. */
struct strength {
    struct smoother change;
    struct smoother size;
};

ALWAYS_INLINE struct pair strength_step(struct strength *s, const struct weight_vectors *w,
                                        struct pair change, enum blend how)
{
    const struct pair size = {size_of(change.low), size_of(change.high)};
    const struct pair d = smooth(&s->change, w, change, how);
    const struct pair a = smooth(&s->size, w, size, how);
    return (struct pair){strength_index(d.low, a.low), strength_index(d.high, a.high)};
}

/* Reads in[-1]. */
ALWAYS_INLINE void rsi_after_seed(const double *restrict in, size_t n, const struct weights *w,
                                  struct strength s, double *restrict out, enum blend how)
{
    const struct weight_vectors v = weight_vectors_of(w);
    size_t i = 0;
    for (; n - i >= STEP; i += STEP)
        pair_store(out + i, strength_step(&s, &v, changes_at(in + i), how));
    if (i == n)
        return;
    double rest[STEP + 1] = {0};
    memcpy(rest, in + i - 1, (n - i + 1) * sizeof *in);
    pair_store(rest, strength_step(&s, &v, changes_at(rest + 1), how));
    memcpy(out + i, rest, (n - i) * sizeof *out);
}

/* The averages over the first `period` changes. Both are summed alike, so that they are equal to
 * the last bit, and RSI is 100, where every change is a rise. */
static void first_averages(const double *in, size_t period, double *change, double *size)
{
    struct exact_lanes changes = exact_lanes_zero();
    struct exact_lanes sizes = exact_lanes_zero();
    for (size_t i = 0; i < period; i += DOUBLES_PER_VECTOR) {
        const __m256i lanes = first_lanes(period - i);
        const __m256d before = _mm256_maskload_pd(in + i, lanes);
        const __m256d d = _mm256_sub_pd(_mm256_maskload_pd(in + i + 1, lanes), before);
        exact_lanes_add(&changes, d);
        exact_lanes_add(&sizes, size_of(d));
    }
    *change = exact_lanes_total(changes) / (double)period;
    *size = exact_lanes_total(sizes) / (double)period;
}

void rsi_f64_avx2(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    fill_warm_up_avx2(out, n, period);
    if (n <= period)
        return;
    double change;
    double size;
    first_averages(in, period, &change, &size);
    out[period] = _mm256_cvtsd_f64(strength_index(_mm256_set1_pd(change), _mm256_set1_pd(size)));
    const double count = (double)period;
    const struct weights w = weights_of(1 / count, (count - 1) / count);
    const struct strength s = {smoother_of(change), smoother_of(size)};
    const double *rest = in + period + 1;
    const size_t left = n - period - 1;
    switch (w.blend) {
    case BLEND_NEAR_NEW:
        rsi_after_seed(rest, left, &w, s, out + period + 1, BLEND_NEAR_NEW);
        return;
    case BLEND_NEAR_OLD:
        rsi_after_seed(rest, left, &w, s, out + period + 1, BLEND_NEAR_OLD);
        return;
    case BLEND_NEAR_OLD_EXACT:
        rsi_after_seed(rest, left, &w, s, out + period + 1, BLEND_NEAR_OLD_EXACT);
        return;
    }
}
