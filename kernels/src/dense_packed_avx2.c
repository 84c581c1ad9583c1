/*
 * dense_packed_avx2.c - dense_packed.h with AVX2 and FMA: panels of 16 columns, tiles of 6 x 2
 * vectors.
 */
#include <immintrin.h>

#define ISA avx2
#define VECTOR __m256
#define LANES 8
#define PANEL_VECTORS 2
#define ROW_PANELS 4

#define vector_load(from) _mm256_loadu_ps(from)
#define vector_load_first(from, n) _mm256_maskload_ps(from, first_lanes(n))
#define vector_store_first(to, n, v) _mm256_maskstore_ps(to, first_lanes(n), v)
#define vector_zero() _mm256_setzero_ps()
#define vector_each(x) _mm256_set1_ps(x)
#define vector_add(a, b) _mm256_add_ps(a, b)
#define vector_max(a, b) _mm256_max_ps(a, b)
#define vector_fma(a, b, c) _mm256_fmadd_ps(a, b, c)

#include "masks_avx2.h"

#include "dense_packed.h"
