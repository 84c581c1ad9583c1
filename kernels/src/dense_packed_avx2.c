/*
 * dense_packed_avx2.c - dense_packed.h with AVX2 and FMA: panels of 16 columns, tiles of 6 x 2
 * vectors.
 */
#include <assert.h>
#include <immintrin.h>

#define ISA avx2
#define VECTOR __m256
#define LANES 8
#define PANEL_VECTORS 2
#define ROW_PANELS 4
#define NARROW_COLS 48
#define NARROW_SUMS 12

/* clang-format off */
#define NARROW_SHAPES(X)    \
    X(1, 4) X(1, 5) X(1, 6) \
    X(2, 4) X(2, 5) X(2, 6) \
    X(4, 4) X(4, 5) X(4, 6) \
    X(8, 1) X(8, 2) X(8, 3) X(8, 4) X(8, 5) X(8, 6)
/* clang-format on */

#define vector_load(from) _mm256_loadu_ps(from)
#define vector_load_first(from, n) _mm256_maskload_ps(from, first_lanes(n))
#define vector_store_first(to, n, v) _mm256_maskstore_ps(to, first_lanes(n), v)
#define vector_zero() _mm256_setzero_ps()
#define vector_each(x) _mm256_set1_ps(x)
#define vector_add(a, b) _mm256_add_ps(a, b)
#define vector_max(a, b) _mm256_max_ps(a, b)
#define vector_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vector_keep(v) __asm__("" : "+x"(v))

#include "masks_avx2.h"

static inline __attribute__((always_inline)) __m256 vector_repeat(__m256 v, size_t group)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_permutevar8x32_ps(v, _mm256_and_si256(lanes, _mm256_set1_epi32((int)group - 1)));
}

/* `group` is a constant, so that one load is left. */
static inline __attribute__((always_inline)) __m256 vector_repeat_load(const float *from,
                                                                       size_t group)
{
    switch (group) {
    case 1:
        return _mm256_set1_ps(*from);
    case 2:
        return _mm256_castsi256_ps(_mm256_broadcastq_epi64(_mm_loadu_si64(from)));
    case 4:
        return _mm256_set_m128(_mm_loadu_ps(from), _mm_loadu_ps(from));
    default:
        assert(group == LANES);
        return _mm256_loadu_ps(from);
    }
}

static inline __attribute__((always_inline)) __m256 vector_add_pairs(__m256 a, __m256 b)
{
    const __m256d pairs = _mm256_castps_pd(_mm256_hadd_ps(a, b));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(pairs, 0xD8)); /* those of a, then those of b */
}

#include "dense_packed.h"
