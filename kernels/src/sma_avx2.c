/*
 * sma_avx2.c - the moving mean with AVX2 and FMA.
 *
 * Nothing is ever subtracted from a running sum, so no large value leaves its
 * rounding behind: a mean depends on the values of its own window alone.
 *
 *   period <= 64   sums of 4 and of 16 neighbours, made by doubling, are laid
 *                  side by side. 8 roundings at most, so no more than 8.9e-16
 *                  of the mean of the magnitudes is wrong.
 *   period > 64    van Herk's suffixes and prefixes (as in the plain twin),
 *                  four windows per vector, in steps of 4. 6 roundings at most.
 */
#include <assert.h>

#include "sum_avx2.h"
#include "variants.h"

#define TREE_PERIOD_MAX 64
#define GROUP 16         /* windows per step: four vectors hide the latency of the additions */
#define TREE_WINDOWS 512 /* per block: its two scratch arrays and its input stay in L1 */

/* A divisor and its reciprocal. */
struct divisor {
    __m256d value;
    __m256d inverse;
};

static struct divisor divisor_of(size_t period)
{
    const double value = (double)period;
    return (struct divisor){_mm256_set1_pd(value), _mm256_set1_pd(1 / value)};
}

/* Correctly rounded like a division (so that 2002 / 20 is 100.1), at the cost of a multiplication:
 * the remainder of the first guess corrects it. */
static inline __m256d divide(__m256d x, struct divisor by)
{
    const __m256d guess = _mm256_mul_pd(x, by.inverse);
    const __m256d remainder = _mm256_fnmadd_pd(guess, by.value, x);
    return _mm256_fmadd_pd(remainder, by.inverse, guess);
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

/*
 * four[i] = x[i-3] + ... + x[i]; sixteen[i] = x[i-15] + ... + x[i], which means
 * something from i = 12 on. Reads x[-3] to x[count - 1]; count is a multiple of 4.
 */
static void sum_neighbours(const double *restrict x, size_t count, double *restrict four,
                           double *restrict sixteen)
{
    const __m128d before = _mm_add_pd(_mm_loadu_pd(x - 2), _mm_loadu_pd(x - 3));
    __m256d last_pair = _mm256_set_m128d(before, before);
    __m256d last_four = _mm256_setzero_pd();
    __m256d last_eight = _mm256_setzero_pd();
    __m256d older_eight = _mm256_setzero_pd();
    for (size_t i = 0; i < count; i += DOUBLES_PER_VECTOR) {
        const __m256d pair = _mm256_add_pd(_mm256_loadu_pd(x + i), _mm256_loadu_pd(x + i - 1));
        const __m256d two_back = _mm256_permute2f128_pd(last_pair, pair, 0x21);
        const __m256d sum4 = _mm256_add_pd(pair, two_back);
        const __m256d sum8 = _mm256_add_pd(sum4, last_four);
        _mm256_storeu_pd(four + i, sum4);
        _mm256_storeu_pd(sixteen + i, _mm256_add_pd(sum8, older_eight));
        last_pair = pair;
        last_four = sum4;
        older_eight = last_eight;
        last_eight = sum8;
    }
}

/* The sums of GROUP windows; explicit members, because arrays end up in memory. */
struct group {
    __m256d a, b, c, d;
};

static inline struct group group_load(const double *x)
{
    return (struct group){_mm256_loadu_pd(x), _mm256_loadu_pd(x + 4), _mm256_loadu_pd(x + 8),
                          _mm256_loadu_pd(x + 12)};
}

static inline struct group group_add(struct group x, struct group y)
{
    return (struct group){_mm256_add_pd(x.a, y.a), _mm256_add_pd(x.b, y.b), _mm256_add_pd(x.c, y.c),
                          _mm256_add_pd(x.d, y.d)};
}

/* Adds x[-newest], x[-newest - apart] and so on, `terms` of them, summed among themselves first:
 * that keeps the number of roundings in any one value's path low. */
static inline struct group group_add_terms(struct group sum, const double *x, size_t newest,
                                           size_t terms, size_t apart)
{
    if (terms == 0)
        return sum;
    struct group own = group_load(x - newest);
    for (size_t term = 1; term < terms; term++)
        own = group_add(own, group_load(x - newest - term * apart));
    return group_add(sum, own);
}

static inline void group_store_mean(struct group sum, struct divisor period, double *out)
{
    _mm256_storeu_pd(out, divide(sum.a, period));
    _mm256_storeu_pd(out + 4, divide(sum.b, period));
    _mm256_storeu_pd(out + 8, divide(sum.c, period));
    _mm256_storeu_pd(out + 12, divide(sum.d, period));
}

/* Means of the windows that end at x[0] ... x[windows - 1]; a multiple of GROUP, at most
 * TREE_WINDOWS. */
static void tree_block(const double *restrict x, size_t windows, size_t period,
                       struct tree_scratch *restrict scratch, double *restrict out)
{
    const struct layout parts = layout_of(period);
    const struct divisor divisor = divisor_of(period);
    if (period >= 4)
        sum_neighbours(x - parts.history, windows + parts.history, scratch->four, scratch->sixteen);
    const double *four = scratch->four + parts.history;
    const double *sixteen = scratch->sixteen + parts.history;
    const size_t before_sixteens = 16 * parts.sixteens;
    const size_t before_fours = before_sixteens + 4 * parts.fours;
    for (size_t i = 0; i < windows; i += GROUP) {
        const __m256d zero = _mm256_setzero_pd();
        struct group sum = {zero, zero, zero, zero};
        sum = group_add_terms(sum, x + i, before_fours, parts.singles, 1);
        sum = group_add_terms(sum, four + i, before_sixteens, parts.fours, 4);
        sum = group_add_terms(sum, sixteen + i, 0, parts.sixteens, 16);
        group_store_mean(sum, divisor, out + i);
    }
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

/* x[0] + x[1] + x[2] + x[3], and for the three positions after it. */
static inline __m256d four_from(const double *x)
{
    const __m256d front = _mm256_add_pd(_mm256_loadu_pd(x), _mm256_loadu_pd(x + 1));
    const __m256d back = _mm256_add_pd(_mm256_loadu_pd(x + 2), _mm256_loadu_pd(x + 3));
    return _mm256_add_pd(front, back);
}

static inline __m256d singles_from(const double *x, size_t count)
{
    __m256d sum = _mm256_setzero_pd();
    for (size_t i = 0; i < count; i++)
        sum = _mm256_add_pd(sum, _mm256_loadu_pd(x + i));
    return sum;
}

/*
 * Means of 4 * steps windows, steps <= period / 4. In each lane a window is
 * period / 4 sums of four, 4 apart, and period % 4 single values; the sums of
 * four are a suffix of this block and a prefix of the next, as in the twin.
 */
static void wide_block(const double *restrict in, size_t steps, size_t period, double *restrict out)
{
    const size_t fours = period / 4;
    struct exact_lanes suffix = exact_lanes_zero();
    for (size_t step = fours; step-- > 0;) {
        exact_lanes_add(&suffix, four_from(in + 4 * step));
        if (step < steps)
            _mm256_storeu_pd(out + 4 * step, _mm256_add_pd(suffix.sum, suffix.lost));
    }
    const struct divisor divisor = divisor_of(period);
    struct exact_lanes prefix = exact_lanes_zero();
    for (size_t step = 0; step < steps; step++) {
        const double *next = in + 4 * (fours + step);
        if (step > 0)
            exact_lanes_add(&prefix, four_from(next - 4));
        const __m256d small = _mm256_add_pd(singles_from(next, period % 4), prefix.lost);
        const __m256d large = _mm256_add_pd(_mm256_loadu_pd(out + 4 * step), prefix.sum);
        _mm256_storeu_pd(out + 4 * step, divide(_mm256_add_pd(large, small), divisor));
    }
}

static void wide_means(const double *restrict in, size_t windows, size_t period,
                       double *restrict out)
{
    const size_t steps = windows / 4;
    const size_t block = period / 4;
    for (size_t first = 0; first < steps; first += block) {
        const size_t left = steps - first;
        wide_block(in + 4 * first, left < block ? left : block, period, out + 4 * first);
    }
    mean_each(in + 4 * steps, windows % 4, period, out + 4 * steps);
}

void sma_f64_avx2(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    assert(period > 0);
    fill_warm_up_avx2(out, n, period - 1);
    if (n < period)
        return;
    const size_t windows = n - period + 1;
    if (period <= TREE_PERIOD_MAX)
        tree_means(in, windows, period, out + period - 1);
    else
        wide_means(in, windows, period, out + period - 1);
}
