/*
 * dense_packed_avx512.c - dense_packed.h with AVX-512: panels of 64 columns, tiles of 6 x 4
 * vectors.
 */
#include <immintrin.h>

#define ISA avx512
#define VECTOR __m512
#define LANES 16
#define PANEL_VECTORS 4
#define ROW_PANELS 2

#define vector_load(from) _mm512_loadu_ps(from)
#define vector_load_first(from, n) _mm512_maskz_loadu_ps(first_lanes(n), from)
#define vector_store_first(to, n, v) _mm512_mask_storeu_ps(to, first_lanes(n), v)
#define vector_zero() _mm512_setzero_ps()
#define vector_each(x) _mm512_set1_ps(x)
#define vector_add(a, b) _mm512_add_ps(a, b)
#define vector_max(a, b) _mm512_max_ps(a, b)
#define vector_fma(a, b, c) _mm512_fmadd_ps(a, b, c)

#include "masks_avx512.h"

#include "dense_packed.h"
