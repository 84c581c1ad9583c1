/*
 * masks_avx2.h - masks for the end of an array.
 */
#ifndef MASKS_AVX2_H
#define MASKS_AVX2_H

#include <immintrin.h>
#include <stddef.h>

/* The first `n` lanes of eight; all of them from 8 on. */
static inline __m256i first_lanes(size_t n)
{
    const int lanes = n < 8 ? (int)n : 8;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#endif
