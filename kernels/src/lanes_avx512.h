/*
 * lanes_avx512.h - eight doubles side by side, as smoothing.h wants them.
 */
#ifndef KERNELS_LANES_AVX512_H
#define KERNELS_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>

#define LANES 8
#define LANES_INLINE static inline __attribute__((always_inline))

typedef __m512d lanes;

LANES_INLINE lanes lanes_of(double x)
{
    return _mm512_set1_pd(x);
}

LANES_INLINE lanes lanes_load(const double *x)
{
    return _mm512_loadu_pd(x);
}

LANES_INLINE void lanes_store(double *out, lanes x)
{
    _mm512_storeu_pd(out, x);
}

LANES_INLINE __mmask8 lanes_below(size_t count)
{
    return (__mmask8)(count < LANES ? (1U << count) - 1 : 0xffU);
}

/* The first `count` values (all of them if there are more) and zeros; touches no memory behind. */
LANES_INLINE lanes lanes_load_first(const double *x, size_t count)
{
    return _mm512_maskz_loadu_pd(lanes_below(count), x);
}

/* Zeros, then the first `count` values, fewer than LANES. */
LANES_INLINE lanes lanes_load_last(const double *x, size_t count)
{
    return _mm512_maskz_expand_pd((__mmask8)(0xffU << (LANES - count)), lanes_load_first(x, count));
}

LANES_INLINE void lanes_store_first(double *out, lanes x, size_t count)
{
    _mm512_mask_storeu_pd(out, lanes_below(count), x);
}

/* a * b + c, rounded once. */
LANES_INLINE lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_pd(a, b, c);
}

LANES_INLINE lanes lanes_abs(lanes x)
{
    return _mm512_abs_pd(x);
}

/* x within -1 and 1: the smaller magnitude of x and 1, with the sign of x. */
LANES_INLINE lanes lanes_within_one(lanes x)
{
    return _mm512_range_pd(x, lanes_of(1), 0x2);
}

/* x where `size` is at least `floor`, else 0. */
LANES_INLINE lanes lanes_where_at_least(lanes size, lanes floor, lanes x)
{
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(size, floor, _CMP_GE_OQ), x);
}

/* The values one (two, four) places before those of `now`, which follow those of `before`. */
LANES_INLINE lanes lanes_one_back(lanes before, lanes now)
{
    return (lanes)_mm512_alignr_epi64((__m512i)now, (__m512i)before, 7);
}

LANES_INLINE lanes lanes_two_back(lanes before, lanes now)
{
    return (lanes)_mm512_alignr_epi64((__m512i)now, (__m512i)before, 6);
}

LANES_INLINE lanes lanes_four_back(lanes before, lanes now)
{
    return (lanes)_mm512_alignr_epi64((__m512i)now, (__m512i)before, 4);
}

#endif
