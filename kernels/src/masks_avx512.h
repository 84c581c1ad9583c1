/*
 * masks_avx512.h - masks for the end of an array.
 */
#ifndef MASKS_AVX512_H
#define MASKS_AVX512_H

#include <immintrin.h>
#include <stddef.h>

/* The first `n` lanes of sixteen; all of them from 16 on. */
static inline __mmask16 first_lanes(size_t n)
{
    const unsigned missing = n < 16 ? 16 - (unsigned)n : 0;
    return (__mmask16)(0xFFFFU >> missing);
}

#endif
