/*
 * number_scan_avx2.c - arrays of numbers in two steps, a piece of the text at a time.
 *
 *   1. find_numbers()   64 bytes at a time, masks say where numbers start and end, and
 *                       whether their form is plain: number_places.h.
 *   2. read_plain()     the 16 or 32 bytes up to a number's end, and those one byte before, give
 * its digits without the point, at the end of a vector, where neighbours are joined until they are
 * one number. No branch depends on how long it is.
 *
 * What is not in plain form goes to number_read.h.
 */
#include "number_scan_variants.h"

#include <string.h>

#include "number_places.h"
#include "number_read.h"

enum {
    WINDOW = 32,
    HALF = 16, /* a window for numbers of up to 15 bytes */
    EXACT_POWER_MAX = 22
};

static const double divisors[WINDOW] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

INLINE __m256i load(const char *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

INLINE uint32_t mask_of(__m256i bytes)
{
    return (uint32_t)_mm256_movemask_epi8(bytes);
}

INLINE __m256i is_equal(__m256i text, char c)
{
    return _mm256_cmpeq_epi8(text, _mm256_set1_epi8(c));
}

INLINE __m256i is_at_most(__m256i text, char c)
{
    return _mm256_cmpeq_epi8(_mm256_min_epu8(text, _mm256_set1_epi8(c)), text);
}

/* --- 1: where numbers are */

/* The masks of 32 bytes. */
INLINE struct block look_at_half(const char *at)
{
    __m256i text = load(at);
    __m256i value = _mm256_sub_epi8(text, _mm256_set1_epi8('0'));
    __m256i lower = _mm256_or_si256(text, _mm256_set1_epi8(0x20));
    /* For each low half of a byte the space that has it; elsewhere a byte with another low half. */
    const __m256i spaces = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(' ', 2, 1, 1, 1, 1, 1, 1, 1, '\t', '\n', 1, 1, '\r', 1, 1));
    __m256i space = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, text), text);
    struct block b = {
        .digit = mask_of(is_at_most(value, 9)),
        .zero = mask_of(is_equal(text, '0')),
        .point = mask_of(is_equal(text, '.')),
        .minus = mask_of(is_equal(text, '-')),
        .comma = mask_of(is_equal(text, ',')),
        .more = mask_of(_mm256_or_si256(is_equal(lower, 'e'), is_equal(text, '+'))),
        .other = mask_of(space),
    };
    b.other = UINT32_MAX & ~(b.digit | b.point | b.minus | b.comma | b.more | b.other);
    return b;
}

INLINE struct block look_at(const char *at)
{
    struct block a = look_at_half(at), b = look_at_half(at + WINDOW);
    return (struct block){
        .digit = a.digit | b.digit << WINDOW,
        .zero = a.zero | b.zero << WINDOW,
        .point = a.point | b.point << WINDOW,
        .minus = a.minus | b.minus << WINDOW,
        .comma = a.comma | b.comma << WINDOW,
        .more = a.more | b.more << WINDOW,
        .other = a.other | b.other << WINDOW,
    };
}

/* The places of the two lowest bits; returns the others. */
INLINE uint64_t store_two(uint16_t *out, uint64_t bits, size_t base)
{
    out[0] = (uint16_t)(base + _tzcnt_u64(bits));
    bits = _blsr_u64(bits);
    out[1] = (uint16_t)(base + _tzcnt_u64(bits));
    return _blsr_u64(bits);
}

/* Eight at a time, whether there are so many or not. */
INLINE void store_places(uint16_t *out, uint64_t bits, size_t base)
{
    do {
        bits = store_two(out, bits, base);
        bits = store_two(out + 2, bits, base);
        bits = store_two(out + 4, bits, base);
        bits = store_two(out + 6, bits, base);
        out += 8;
    } while (bits != 0);
}

/* --- 2: what they are */

static const char window_ends[2 * WINDOW] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

/* All bits of the last so many bytes of a window. */
INLINE __m256i last_bytes(unsigned count)
{
    return load(window_ends + count);
}

INLINE __m128i load_half(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

INLINE __m128i last_bytes_of_half(unsigned count)
{
    return load_half(window_ends + HALF + count);
}

/* What a plain number looks like. */
struct form {
    unsigned sign;     /* 1: '-' */
    unsigned digits;   /* how many */
    unsigned in_place; /* those behind the point, or all; the others move up by one */
    unsigned decimals;
};

/* `point` has the points of the window, those of the numbers before this one too. */
INLINE struct form form_of(uint32_t point, const char *start, unsigned bytes, unsigned window)
{
    unsigned sign = *start == '-', decimals = _lzcnt_u32(point);
    unsigned none = 0u - (decimals >= bytes); /* all bits, as a branch would often go wrong */
    return (struct form){
        .sign = sign,
        .digits = bytes - sign - 1 - none,
        .in_place = (decimals & ~none) | (window & none),
        .decimals = decimals & ~none,
    };
}

INLINE double with_sign(double value, unsigned sign)
{
    static const double signs[] = {0.0, -0.0};
    return _mm_cvtsd_f64(_mm_or_pd(_mm_set_sd(value), _mm_load_sd(&signs[sign])));
}

/* One division of exact numbers, rounded once: 15 digits are below 2^53. */
INLINE double read_short(const char *start, const char *end)
{
    __m128i text = load_half(end - HALF), moved = load_half(end - HALF - 1);
    uint32_t point = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')));
    struct form form = form_of(point << HALF, start, (unsigned)(end - start), HALF);
    text = _mm_blendv_epi8(moved, text, last_bytes_of_half(form.in_place));
    __m128i digits = _mm_sub_epi8(text, _mm_set1_epi8('0'));
    digits = _mm_and_si128(digits, last_bytes_of_half(form.digits));
    __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(1 << 8 | 10));
    __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    __m128i eights =
        _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(1 << 16 | 10000));
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    uint64_t mantissa = (both & UINT32_MAX) * 100000000 + (both >> 32);
    return with_sign((double)(int64_t)mantissa / divisors[form.decimals], form.sign);
}

/* The digits without sign and point; false when they are more than 19. */
INLINE bool join_digits(const char *end, __m256i text, struct form form, uint64_t *mantissa)
{
    text = _mm256_blendv_epi8(load(end - WINDOW - 1), text, last_bytes(form.in_place));
    __m256i digits = _mm256_sub_epi8(text, _mm256_set1_epi8('0'));
    digits = _mm256_and_si256(digits, last_bytes(form.digits));
    __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(1 << 8 | 10));
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(1 << 16 | 100));
    __m256i eights =
        _mm256_madd_epi16(_mm256_packus_epi32(fours, fours), _mm256_set1_epi32(1 << 16 | 10000));
    uint64_t upper = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(eights));
    uint64_t lower = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(eights, 1));
    *mantissa = (upper >> 32) * UINT64_C(10000000000000000) +
                (lower & UINT32_MAX) * UINT64_C(100000000) + (lower >> 32);
    return (uint32_t)upper == 0 && upper >> 32 < 1000;
}

/*
 * quotient + correction is mantissa / divisor but for a share of 2^-51 of the correction:
 * both parts of the mantissa, the remainder of the first and the divisor are exact. If it
 * makes no difference whether twice that share is added or taken away, neither does its
 * true size.
 */
INLINE bool divide_long(uint64_t mantissa, double divisor, double *out)
{
    double upper = (double)mantissa;
    double lower = (double)(int64_t)(mantissa - (uint64_t)upper);
    double quotient = upper / divisor;
    double remainder = __builtin_fma(-quotient, divisor, upper);
    double correction = (remainder + lower) / divisor;
    *out = __builtin_fma(correction, 1 + 0x1p-50, quotient);
    return *out == __builtin_fma(correction, 1 - 0x1p-50, quotient);
}

/* At most 32 bytes; false when number_read.h must look. */
INLINE bool read_long(const char *start, const char *end, double *out)
{
    __m256i text = load(end - WINDOW);
    struct form form =
        form_of(mask_of(is_equal(text, '.')), start, (unsigned)(end - start), WINDOW);
    uint64_t mantissa;
    double value;
    if (!join_digits(end, text, form, &mantissa) || form.decimals > EXACT_POWER_MAX ||
        !divide_long(mantissa, divisors[form.decimals], &value))
        return false;
    *out = with_sign(value, form.sign);
    return true;
}

/* The windows must not reach in front of the text. */
INLINE bool read_plain(const char *text, const char *start, const char *end, double *out)
{
    size_t bytes = (size_t)(end - start), readable = (size_t)(end - text);
    if (bytes < HALF && readable > HALF) {
        *out = read_short(start, end);
        return true;
    }
    return bytes <= WINDOW && readable > WINDOW && read_long(start, end, out);
}

/* --- all of it; one of f64 and f32 is NULL, which is known when compiling */

/* A float64 in the middle of two float32: the number may be on either side of it. */
INLINE bool is_between_floats(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x1fffffff) == 0x10000000;
}

static bool read_again(const char *start, const char *end, double *f64, float *f32)
{
    const char *behind;
    enum number_status status =
        f64 != NULL ? number_read_f64(start, &behind, f64) : number_read_f32(start, &behind, f32);
    return status == NUMBER_OK && behind == end;
}

INLINE bool read_one(const char *text, const char *start, const char *end, bool is_plain,
                     double *f64, float *f32, size_t i)
{
    double value = 0;
    bool is_known = is_plain && read_plain(text, start, end, &value);
    if (!is_known || (f64 == NULL && is_between_floats(value)))
        return read_again(start, end, f64 != NULL ? f64 + i : NULL, f32 != NULL ? f32 + i : NULL);
    if (f64 != NULL)
        f64[i] = value;
    else
        f32[i] = (float)value;
    return true;
}

INLINE size_t scan(const char *text, const char **at, double *f64, float *f32, size_t max)
{
    /* Written before it is read: clearing it would take longer than a short array. */
    __attribute__((uninitialized)) struct places places;
    size_t total = 0;
    for (;;) {
        struct found found = find_numbers(*at, &places, max - total, look_at, store_places);
        for (size_t i = 0; i < found.count; i++, total++) {
            const char *start = *at + places.start[i], *end = *at + places.end[i];
            if (!read_one(text, start, end, found.is_plain, f64, f32, total)) {
                *at = start;
                return total;
            }
        }
        *at += found.next;
        if (found.is_last)
            return total;
    }
}

size_t number_scan_f64_avx2(const char *text, const char **at, double *out, size_t max)
{
    return scan(text, at, out, NULL, max);
}

size_t number_scan_f32_avx2(const char *text, const char **at, float *out, size_t max)
{
    return scan(text, at, NULL, out, max);
}

size_t number_scan_commas_avx2(const char *text, size_t bytes)
{
    size_t commas = 0, i = 0;
    for (; bytes - i >= BLOCK; i += BLOCK) {
        uint64_t low = mask_of(is_equal(load(text + i), ','));
        uint64_t high = mask_of(is_equal(load(text + i + WINDOW), ','));
        commas += (size_t)_mm_popcnt_u64(low | high << WINDOW);
    }
    for (; i < bytes; i++)
        commas += text[i] == ',';
    return commas;
}
