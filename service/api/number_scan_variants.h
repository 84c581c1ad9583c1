/* number_scan_variants.h - the functions that the tables of number_scan.c are made of. */
#ifndef NUMBER_SCAN_VARIANTS_H
#define NUMBER_SCAN_VARIANTS_H

#include <stddef.h>

size_t number_scan_f64_scalar(const char *text, const char **at, double *out, size_t max);
size_t number_scan_f32_scalar(const char *text, const char **at, float *out, size_t max);
size_t number_scan_commas_scalar(const char *text, size_t bytes);
size_t number_scan_f64_avx2(const char *text, const char **at, double *out, size_t max);
size_t number_scan_f32_avx2(const char *text, const char **at, float *out, size_t max);
size_t number_scan_commas_avx2(const char *text, size_t bytes);
size_t number_scan_f64_avx512(const char *text, const char **at, double *out, size_t max);
size_t number_scan_f32_avx512(const char *text, const char **at, float *out, size_t max);
size_t number_scan_commas_avx512(const char *text, size_t bytes);

#endif
