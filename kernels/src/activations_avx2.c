/*
 * activations_avx2.c - the activations with AVX2 and FMA, eight floats at a time.
 *
 * All of them need e^x only for x <= 0, where nothing overflows.
 */
#include <immintrin.h>
#include <stddef.h>

#include "masks_avx2.h"
#include "variants.h"

#define FLOATS_PER_VECTOR 8

/* e^x is 0 as a float from here on: the smallest denormal is e^-103.3. */
#define EXP_ZERO_MAX -104.0F

/* ln 2 in two parts: with the first (355/512, 9 bits), n * ln 2 is exact. */
#define LN2_HIGH 0.693359375F
#define LN2_LOW -0.000212194440F
#define LOG2_E 1.44269504F

/* 2^n for integers n from -126 to 127. */
static inline __m256 power_of_two(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/*
 * e^r = 1 + r + r^2 p(r) for |r| <= ln 2 / 2. The coefficients interpolate at the
 * Chebyshev nodes of that interval; relative error 1.7e-8.
 */
static inline __m256 exp_near_zero(__m256 r)
{
    __m256 p = _mm256_set1_ps(0.00144200168F);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.00836323288F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.0416591259F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.166665767F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.500000224F));
    p = _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r);
    return _mm256_add_ps(p, _mm256_set1_ps(1));
}

/* e^x for x <= 0, as 2^n e^r. The power is applied in two halves: the result may be denormal. */
static inline __m256 exp_of_negative(__m256 x)
{
    x = _mm256_max_ps(x, _mm256_set1_ps(EXP_ZERO_MAX));
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(LOG2_E)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2_HIGH), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2_LOW), r);
    const __m256i exponent = _mm256_cvtps_epi32(n);
    const __m256i half = _mm256_srai_epi32(exponent, 1);
    const __m256 most = _mm256_mul_ps(exp_near_zero(r), power_of_two(half));
    return _mm256_mul_ps(most, power_of_two(_mm256_sub_epi32(exponent, half)));
}

static inline __m256 relu(__m256 x)
{
    return _mm256_max_ps(x, _mm256_setzero_ps());
}

/* 1 / (1 + e^-x) = e^x / (1 + e^x); whichever of the two has e to a negative power. */
static inline __m256 sigmoid(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1);
    const __m256 sign = _mm256_set1_ps(-0.0F);
    const __m256 e = exp_of_negative(_mm256_or_ps(sign, x));
    /* blendv looks at the sign bit alone. */
    return _mm256_div_ps(_mm256_blendv_ps(one, e, x), _mm256_add_ps(one, e));
}

/* tanh x = x + x^3 p(x^2) for |x| <= 0.625, interpolated as above; relative error 1.7e-8. */
static inline __m256 tanh_near_zero(__m256 x)
{
    const __m256 square = _mm256_mul_ps(x, x);
    __m256 p = _mm256_set1_ps(-0.00609671417F);
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(0.0209971790F));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-0.0538509096F));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(0.133327697F));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-0.333333289F));
    return _mm256_fmadd_ps(_mm256_mul_ps(x, square), p, x);
}

/* (1 - e) / (1 + e) with e = e^-2|x|; near 0, where 1 - e cancels, the polynomial. */
static inline __m256 tanh_of(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1);
    const __m256 sign = _mm256_set1_ps(-0.0F);
    const __m256 size = _mm256_andnot_ps(sign, x);
    const __m256 e = exp_of_negative(_mm256_mul_ps(size, _mm256_set1_ps(-2)));
    const __m256 ratio = _mm256_div_ps(_mm256_sub_ps(one, e), _mm256_add_ps(one, e));
    const __m256 far = _mm256_or_ps(ratio, _mm256_and_ps(sign, x));
    const __m256 near = _mm256_cmp_ps(size, _mm256_set1_ps(0.625F), _CMP_LE_OQ);
    return _mm256_blendv_ps(far, tanh_near_zero(x), near);
}

/* The loop that the activations share; `function` is inlined into it. */
static inline __attribute__((always_inline)) void apply(float *x, size_t n,
                                                        __m256 (*function)(__m256))
{
    size_t i = 0;
    for (; n - i >= FLOATS_PER_VECTOR; i += FLOATS_PER_VECTOR)
        _mm256_storeu_ps(x + i, function(_mm256_loadu_ps(x + i)));
    if (i < n) {
        const __m256i lanes = first_lanes(n - i);
        _mm256_maskstore_ps(x + i, lanes, function(_mm256_maskload_ps(x + i, lanes)));
    }
}

void relu_f32_avx2(float *x, size_t n)
{
    apply(x, n, relu);
}

void sigmoid_f32_avx2(float *x, size_t n)
{
    apply(x, n, sigmoid);
}

void tanh_f32_avx2(float *x, size_t n)
{
    apply(x, n, tanh_of);
}

static float max_of(const float *x, size_t n)
{
    __m256 max = _mm256_set1_ps(x[0]);
    size_t i = 0;
    for (; n - i >= FLOATS_PER_VECTOR; i += FLOATS_PER_VECTOR)
        max = _mm256_max_ps(max, _mm256_loadu_ps(x + i));
    const __m256i lanes = first_lanes(n - i);
    const __m256 rest = _mm256_maskload_ps(x + i, lanes);
    max = _mm256_max_ps(max, _mm256_blendv_ps(max, rest, _mm256_castsi256_ps(lanes)));
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

/* As four doubles, two floats in each: small terms are not lost beside large ones. */
static inline __m256d add_in_double(__m256d sum, __m256 x)
{
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    return _mm256_add_pd(sum, _mm256_add_pd(low, high));
}

static double total_of(__m256d sum)
{
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd(sum, 1));
    return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}

/* x = e^(x - max); their sum. */
static double exp_shifted(float *x, size_t n, float max)
{
    const __m256 shift = _mm256_set1_ps(max);
    __m256d sum = _mm256_setzero_pd();
    for (size_t i = 0; i < n; i += FLOATS_PER_VECTOR) {
        const __m256i lanes = first_lanes(n - i);
        const __m256 shifted = _mm256_sub_ps(_mm256_maskload_ps(x + i, lanes), shift);
        const __m256 e = exp_of_negative(shifted);
        _mm256_maskstore_ps(x + i, lanes, e);
        sum = add_in_double(sum, _mm256_and_ps(_mm256_castsi256_ps(lanes), e));
    }
    return total_of(sum);
}

static void scale_by(float *x, size_t n, float by)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= by;
}

void softmax_f32_avx2(float *x, size_t rows, size_t cols)
{
    if (cols == 0)
        return;
    for (size_t row = 0; row < rows; row++) {
        float *start = x + row * cols;
        scale_by(start, cols, (float)(1 / exp_shifted(start, cols, max_of(start, cols))));
    }
}
