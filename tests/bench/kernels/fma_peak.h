/*
 * fma_peak.h - loops of fused multiply-adds in registers, one per instruction set.
 */
#ifndef FMA_PEAK_H
#define FMA_PEAK_H

#include <stddef.h>

#define FMA_PEAK_CHAINS 12

#if defined(__x86_64__)
#define FMA_PEAK_REGISTER "x"
#else
#define FMA_PEAK_REGISTER "w"
#endif

/* `steps` times FMA_PEAK_CHAINS multiply-adds of one register each. The result means nothing. */
double fma_peak_baseline(size_t steps); /* 16 bytes; what every processor of its kind has */
double fma_peak_avx2(size_t steps);     /* 32 bytes */
double fma_peak_avx512(size_t steps);   /* 64 bytes */

#endif
