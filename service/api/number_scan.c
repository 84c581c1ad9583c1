/*
 * number_scan.c - the tables, and which of them this processor can run.
 */
#include "number_scan.h"

#include <stdbool.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "number_scan_variants.h"

size_t number_scan_commas_scalar(const char *text, size_t bytes)
{
    size_t commas = 0, i = 0;
#ifdef __SSE2__
    const __m128i comma = _mm_set1_epi8(','), zero = _mm_setzero_si128();
    for (; bytes - i >= 16; i += 16) {
        __m128i is_comma = _mm_cmpeq_epi8(_mm_loadu_si128((const void *)(text + i)), comma);
        __m128i sums = _mm_sad_epu8(_mm_sub_epi8(zero, is_comma), zero);
        commas += (size_t)_mm_cvtsi128_si64(_mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums)));
    }
#endif
    for (; i < bytes; i++)
        commas += text[i] == ',';
    return commas;
}

static const struct number_scan scalar_table = {
    .isa = "scalar",
    .f64 = number_scan_f64_scalar,
    .f32 = number_scan_f32_scalar,
    .commas = number_scan_commas_scalar,
};

#ifdef NUMBER_SCAN_HAVE_X86
static const struct number_scan avx2_table = {
    .isa = "avx2",
    .f64 = number_scan_f64_avx2,
    .f32 = number_scan_f32_avx2,
    .commas = number_scan_commas_avx2,
};

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
}

static const struct number_scan avx512_table = {
    .isa = "avx512",
    .f64 = number_scan_f64_avx512,
    .f32 = number_scan_f32_avx512,
    .commas = number_scan_commas_avx512,
};

/* Ice Lake, Zen 4 and later. */
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}
#endif

const struct number_scan *number_scan_for(const char *isa)
{
    if (strcmp(isa, scalar_table.isa) == 0)
        return &scalar_table;
#ifdef NUMBER_SCAN_HAVE_X86
    if (strcmp(isa, avx2_table.isa) == 0 && has_avx2())
        return &avx2_table;
    if (strcmp(isa, avx512_table.isa) == 0 && has_avx512())
        return &avx512_table;
#endif
    return NULL;
}

const struct number_scan *number_scan_best(void)
{
    static const char *const isas[] = {"avx512", "avx2"};
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
        if (number_scan_for(isas[i]) != NULL)
            return number_scan_for(isas[i]);
    return &scalar_table;
}
