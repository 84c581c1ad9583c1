/*
 * lanes_avx2.h - four doubles side by side, as smoothing.h wants them.
 */
#ifndef KERNELS_LANES_AVX2_H
#define KERNELS_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANES 4
#define LANES_INLINE static inline __attribute__((always_inline))

typedef __m256d lanes;

LANES_INLINE lanes lanes_of(double x)
{
    return _mm256_set1_pd(x);
}

LANES_INLINE lanes lanes_load(const double *x)
{
    return _mm256_loadu_pd(x);
}

LANES_INLINE void lanes_store(double *out, lanes x)
{
    _mm256_storeu_pd(out, x);
}

LANES_INLINE __m256i lanes_below(size_t count)
{
    const int64_t below = count < LANES ? (int64_t)count : LANES;
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(below), _mm256_setr_epi64x(0, 1, 2, 3));
}

/* The first `count` values (all of them if there are more) and zeros; touches no memory behind. */
LANES_INLINE lanes lanes_load_first(const double *x, size_t count)
{
    return _mm256_maskload_pd(x, lanes_below(count));
}

LANES_INLINE void lanes_store_first(double *out, lanes x, size_t count)
{
    _mm256_maskstore_pd(out, lanes_below(count), x);
}

/* a * b + c, rounded once. */
LANES_INLINE lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_pd(a, b, c);
}

LANES_INLINE lanes lanes_abs(lanes x)
{
    return _mm256_andnot_pd(_mm256_set1_pd(-0.0), x);
}

/* x within -1 and 1. */
LANES_INLINE lanes lanes_within_one(lanes x)
{
    return _mm256_max_pd(_mm256_min_pd(x, lanes_of(1)), lanes_of(-1));
}

/* x where `size` is at least `floor`, else 0. */
LANES_INLINE lanes lanes_where_at_least(lanes size, lanes floor, lanes x)
{
    return _mm256_and_pd(_mm256_cmp_pd(size, floor, _CMP_GE_OQ), x);
}

/* The values one (two, four) places before those of `now`, which follow those of `before`. */
LANES_INLINE lanes lanes_two_back(lanes before, lanes now)
{
    return _mm256_permute2f128_pd(before, now, 0x21);
}

LANES_INLINE lanes lanes_one_back(lanes before, lanes now)
{
    return _mm256_shuffle_pd(lanes_two_back(before, now), now, 0x5);
}

LANES_INLINE lanes lanes_four_back(lanes before, lanes now)
{
    (void)now;
    return before;
}

#endif
