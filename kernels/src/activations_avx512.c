/*
 * activations_avx512.c - the activations with AVX-512, sixteen floats at a time.
 *
 * As activations_avx2.c has them; masks take the ends of arrays, and 2^n is one instruction.
 */
#include <immintrin.h>
#include <stddef.h>

#include "masks_avx512.h"
#include "variants.h"

#define FLOATS_PER_VECTOR 16

/* e^x is 0 as a float from here on: the smallest denormal is e^-103.3. */
#define EXP_ZERO_MAX -104.0F

/* ln 2 in two parts: with the first (355/512, 9 bits), n * ln 2 is exact. */
#define LN2_HIGH 0.693359375F
#define LN2_LOW -0.000212194440F
#define LOG2_E 1.44269504F

/* e^r for |r| <= ln 2 / 2; the polynomial of activations_avx2.c. */
static inline __m512 exp_near_zero(__m512 r)
{
    __m512 p = _mm512_set1_ps(0.00144200168F);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.00836323288F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.0416591259F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.166665767F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.500000224F));
    p = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r);
    return _mm512_add_ps(p, _mm512_set1_ps(1));
}

/* e^x for x <= 0, as 2^n e^r. scalef rounds once also where the result is denormal. */
static inline __m512 exp_of_negative(__m512 x)
{
    x = _mm512_max_ps(x, _mm512_set1_ps(EXP_ZERO_MAX));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(LOG2_E)),
                                          _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_HIGH), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_LOW), r);
    return _mm512_scalef_ps(exp_near_zero(r), n);
}

static inline __m512 relu(__m512 x)
{
    return _mm512_max_ps(x, _mm512_setzero_ps());
}

/* 1 / (1 + e^-x) = e^x / (1 + e^x); whichever of the two has e to a negative power. */
static inline __m512 sigmoid(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1);
    const __m512 e = exp_of_negative(_mm512_or_ps(_mm512_set1_ps(-0.0F), x));
    const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_div_ps(_mm512_mask_blend_ps(negative, one, e), _mm512_add_ps(one, e));
}

/* tanh x = x + x^3 p(x^2) for |x| <= 0.625; the polynomial of activations_avx2.c. */
static inline __m512 tanh_near_zero(__m512 x)
{
    const __m512 square = _mm512_mul_ps(x, x);
    __m512 p = _mm512_set1_ps(-0.00609671417F);
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(0.0209971790F));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(-0.0538509096F));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(0.133327697F));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(-0.333333289F));
    return _mm512_fmadd_ps(_mm512_mul_ps(x, square), p, x);
}

/* (1 - e) / (1 + e) with e = e^-2|x|; near 0, where 1 - e cancels, the polynomial. */
static inline __m512 tanh_of(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1);
    const __m512 sign = _mm512_set1_ps(-0.0F);
    const __m512 size = _mm512_andnot_ps(sign, x);
    const __m512 e = exp_of_negative(_mm512_mul_ps(size, _mm512_set1_ps(-2)));
    const __m512 ratio = _mm512_div_ps(_mm512_sub_ps(one, e), _mm512_add_ps(one, e));
    const __m512 far = _mm512_or_ps(ratio, _mm512_and_ps(sign, x));
    const __mmask16 near = _mm512_cmp_ps_mask(size, _mm512_set1_ps(0.625F), _CMP_LE_OQ);
    return _mm512_mask_blend_ps(near, far, tanh_near_zero(x));
}

/* The loop that the activations share; `function` is inlined into it. */
static inline __attribute__((always_inline)) void apply(float *x, size_t n,
                                                        __m512 (*function)(__m512))
{
    size_t i = 0;
    for (; n - i >= FLOATS_PER_VECTOR; i += FLOATS_PER_VECTOR)
        _mm512_storeu_ps(x + i, function(_mm512_loadu_ps(x + i)));
    if (i < n) {
        const __mmask16 lanes = first_lanes(n - i);
        _mm512_mask_storeu_ps(x + i, lanes, function(_mm512_maskz_loadu_ps(lanes, x + i)));
    }
}

void relu_f32_avx512(float *x, size_t n)
{
    apply(x, n, relu);
}

void sigmoid_f32_avx512(float *x, size_t n)
{
    apply(x, n, sigmoid);
}

void tanh_f32_avx512(float *x, size_t n)
{
    apply(x, n, tanh_of);
}

static float max_of(const float *x, size_t n)
{
    __m512 max = _mm512_set1_ps(x[0]);
    for (size_t i = 0; i < n; i += FLOATS_PER_VECTOR)
        max = _mm512_max_ps(max, _mm512_mask_loadu_ps(max, first_lanes(n - i), x + i));
    return _mm512_reduce_max_ps(max);
}

/* As eight doubles, two floats in each: small terms are not lost beside large ones. */
static inline __m512d add_in_double(__m512d sum, __m512 x)
{
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
    return _mm512_add_pd(sum, _mm512_add_pd(low, high));
}

/* x = e^(x - max); their sum. */
static double exp_shifted(float *x, size_t n, float max)
{
    const __m512 shift = _mm512_set1_ps(max);
    __m512d sum = _mm512_setzero_pd();
    for (size_t i = 0; i < n; i += FLOATS_PER_VECTOR) {
        const __mmask16 lanes = first_lanes(n - i);
        const __m512 shifted = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), shift);
        const __m512 e = _mm512_maskz_mov_ps(lanes, exp_of_negative(shifted));
        _mm512_mask_storeu_ps(x + i, lanes, e);
        sum = add_in_double(sum, e);
    }
    return _mm512_reduce_add_pd(sum);
}

static void scale_by(float *x, size_t n, float by)
{
    for (size_t i = 0; i < n; i += FLOATS_PER_VECTOR) {
        const __mmask16 lanes = first_lanes(n - i);
        const __m512 scaled =
            _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_set1_ps(by));
        _mm512_mask_storeu_ps(x + i, lanes, scaled);
    }
}

static void softmax_long_rows(float *x, size_t rows, size_t cols)
{
    for (size_t row = 0; row < rows; row++) {
        float *start = x + row * cols;
        scale_by(start, cols, (float)(1 / exp_shifted(start, cols, max_of(start, cols))));
    }
}

/* A row in one register; lanes beyond it hold 0. */
static inline __m512 softmax_of(__m512 x, __mmask16 lanes)
{
    const __m512 shift = _mm512_set1_ps(_mm512_mask_reduce_max_ps(lanes, x));
    const __m512 e = _mm512_maskz_mov_ps(lanes, exp_of_negative(_mm512_sub_ps(x, shift)));
    const double sum = _mm512_reduce_add_pd(add_in_double(_mm512_setzero_pd(), e));
    return _mm512_mul_ps(e, _mm512_set1_ps((float)(1 / sum)));
}

/* The next row is loaded before this one is stored: a masked load that seems to meet a masked
 * store waits until that has reached the cache. */
static void softmax_short_rows(float *x, size_t rows, size_t cols)
{
    const __mmask16 lanes = first_lanes(cols);
    __m512 next = _mm512_maskz_loadu_ps(lanes, x);
    for (size_t row = 0; row < rows; row++) {
        const __m512 this = next;
        if (row + 1 < rows)
            next = _mm512_maskz_loadu_ps(lanes, x + (row + 1) * cols);
        _mm512_mask_storeu_ps(x + row * cols, lanes, softmax_of(this, lanes));
    }
}

void softmax_f32_avx512(float *x, size_t rows, size_t cols)
{
    if (rows == 0 || cols == 0)
        return;
    if (cols <= FLOATS_PER_VECTOR)
        softmax_short_rows(x, rows, cols);
    else
        softmax_long_rows(x, rows, cols);
}
