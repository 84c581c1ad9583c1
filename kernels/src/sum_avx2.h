/*
 * sum_avx2.h - sums of doubles that keep what rounding loses; AVX2 files only.
 */
#ifndef KERNELS_SUM_AVX2_H
#define KERNELS_SUM_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define DOUBLES_PER_VECTOR 4

/* The first `count` lanes, for a masked load, which touches no memory behind them. */
static inline __m256i first_lanes(size_t count)
{
    const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((int64_t)count), lane);
}

/* Four exact sums side by side (see indicators_ref.c for one). */
struct exact_lanes {
    __m256d sum;
    __m256d lost;
};

static inline struct exact_lanes exact_lanes_zero(void)
{
    return (struct exact_lanes){_mm256_setzero_pd(), _mm256_setzero_pd()};
}

/* Knuth's two-sum, lane by lane. */
static inline void exact_lanes_add(struct exact_lanes *s, __m256d x)
{
    const __m256d sum = _mm256_add_pd(s->sum, x);
    const __m256d added = _mm256_sub_pd(sum, s->sum);
    const __m256d kept = _mm256_sub_pd(sum, added);
    const __m256d lost = _mm256_add_pd(_mm256_sub_pd(s->sum, kept), _mm256_sub_pd(x, added));
    s->lost = _mm256_add_pd(s->lost, lost);
    s->sum = sum;
}

/* All four together. The three last roundings are not carried: they come once, whatever the number
 * of values, and a caller waits for every addition here. */
static inline double exact_lanes_total(struct exact_lanes s)
{
    const __m256d four = _mm256_add_pd(s.sum, s.lost);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static inline double mean_avx2(const double *x, size_t n)
{
    struct exact_lanes sum = exact_lanes_zero();
    size_t i = 0;
    for (; n - i >= DOUBLES_PER_VECTOR; i += DOUBLES_PER_VECTOR)
        exact_lanes_add(&sum, _mm256_loadu_pd(x + i));
    if (i < n)
        exact_lanes_add(&sum, _mm256_maskload_pd(x + i, first_lanes(n - i)));
    return exact_lanes_total(sum) / (double)n;
}

/* No masked store: those are slow on many processors. The last vector overlaps the one before. */
static inline void fill_warm_up_avx2(double *out, size_t n, size_t warm_up)
{
    const size_t count = n < warm_up ? n : warm_up;
    const __m256d nan = _mm256_set1_pd(NAN);
    if (count < DOUBLES_PER_VECTOR) {
        for (size_t i = 0; i < count; i++)
            out[i] = NAN;
        return;
    }
    for (size_t i = 0; i < count - DOUBLES_PER_VECTOR; i += DOUBLES_PER_VECTOR)
        _mm256_storeu_pd(out + i, nan);
    _mm256_storeu_pd(out + count - DOUBLES_PER_VECTOR, nan);
}

#endif
