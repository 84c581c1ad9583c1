/*
 * dense_packed_avx512.c - dense_packed.h with AVX-512: panels of 64 columns, tiles of 6 x 4
 * vectors.
 */
#include <assert.h>
#include <immintrin.h>

#define ISA avx512
#define VECTOR __m512
#define LANES 16
#define PANEL_VECTORS 4
#define ROW_PANELS 2
#define NARROW_COLS 64
#define NARROW_SUMS 25

/* clang-format off */
#define NARROW_SHAPES(X)    \
    X(1, 4)                 \
    X(2, 4) X(2, 5) X(2, 6) \
    X(4, 4) X(4, 5) X(4, 6) \
    X(8, 4) X(8, 5) X(8, 6) \
    X(16, 1) X(16, 2) X(16, 3) X(16, 4) X(16, 5) X(16, 6)
/* clang-format on */

#define vector_load(from) _mm512_loadu_ps(from)
#define vector_load_first(from, n) _mm512_maskz_loadu_ps(first_lanes(n), from)
#define vector_store_first(to, n, v) _mm512_mask_storeu_ps(to, first_lanes(n), v)
#define vector_zero() _mm512_setzero_ps()
#define vector_each(x) _mm512_set1_ps(x)
#define vector_add(a, b) _mm512_add_ps(a, b)
#define vector_max(a, b) _mm512_max_ps(a, b)
#define vector_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vector_keep(v) __asm__("" : "+v"(v))

#include "masks_avx512.h"

static inline __attribute__((always_inline)) __m512 vector_repeat(__m512 v, size_t group)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_ps(_mm512_and_si512(lanes, _mm512_set1_epi32((int)group - 1)), v);
}

/* `group` is a constant, so that one load is left. */
static inline __attribute__((always_inline)) __m512 vector_repeat_load(const float *from,
                                                                       size_t group)
{
    switch (group) {
    case 1:
        return _mm512_set1_ps(*from);
    case 2:
        return _mm512_castsi512_ps(_mm512_broadcastq_epi64(_mm_loadu_si64(from)));
    case 4:
        return _mm512_broadcast_f32x4(_mm_loadu_ps(from));
    case 8:
        return _mm512_broadcast_f32x8(_mm256_loadu_ps(from));
    default:
        assert(group == LANES);
        return _mm512_loadu_ps(from);
    }
}

static inline __attribute__((always_inline)) __m512 vector_add_pairs(__m512 a, __m512 b)
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
    return _mm512_add_ps(_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b));
}

#include "dense_packed.h"
