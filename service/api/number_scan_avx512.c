/*
 * number_scan_avx512.c - arrays of numbers in three steps, a piece of the text at a time.
 *
 *   1. find_numbers()    64 bytes at a time, masks say where numbers start and end, and
 *                        whether their form is plain: number_places.h.
 *   2. split_short()     four numbers in a vector, each in a lane of 16 bytes that ends with
 *      split_long()      it; or two in lanes of 32. The digits before the point move up to it,
 *                        and neighbours are joined until the lane is one number: the
 *                        mantissa. No branch depends on how long it is.
 *   3. divide()          eight mantissas / 10^decimals, each rounded once.
 *
 * What a step does not know (exponents, long numbers, mistakes, quotients too close to the
 * middle of two floats) is a bit in a mask, and number_read.h reads that number again.
 */
#include "number_scan_variants.h"

#include "number_places.h"
#include "number_read.h"

enum {
    EIGHT = 8,
    SHORT = 16, /* bytes of a lane */
    LONG = 32,
    EXACT_POWER_MAX = 22
};

static const double divisors[EXACT_POWER_MAX + 2] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* --- 1: where numbers are */

INLINE struct block look_at(const char *at)
{
    __m512i text = _mm512_loadu_si512(at);
    __m512i value = _mm512_sub_epi8(text, _mm512_set1_epi8('0'));
    __m512i lower = _mm512_or_si512(text, _mm512_set1_epi8(0x20));
    /* For each low half of a byte the space that has it; elsewhere a byte with another low half. */
    const __m512i spaces = _mm512_broadcast_i32x4(
        _mm_setr_epi8(' ', 2, 1, 1, 1, 1, 1, 1, 1, '\t', '\n', 1, 1, '\r', 1, 1));
    uint64_t space = _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(spaces, text), text);
    struct block b = {
        .digit = _mm512_cmple_epu8_mask(value, _mm512_set1_epi8(9)),
        .zero = _mm512_testn_epi8_mask(value, value),
        .point = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('.')),
        .minus = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('-')),
        .comma = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8(',')),
        .more = _mm512_cmpeq_epi8_mask(lower, _mm512_set1_epi8('e')) |
                _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('+')),
    };
    b.other = ~(b.digit | b.point | b.minus | b.comma | b.more | space);
    return b;
}

INLINE void store_places(uint16_t *out, uint64_t bits, size_t base)
{
    const __m512i counting = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i places = _mm512_maskz_compress_epi8(bits, counting);
    __m512i first = _mm512_set1_epi16((short)base);
    __m512i low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(places));
    __m512i high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(places, 1));
    _mm512_storeu_si512(out, _mm512_add_epi16(low, first));
    _mm512_storeu_si512(out + BLOCK / 2, _mm512_add_epi16(high, first));
}

/* --- 2: what they are */

/* Eight numbers: mantissa / divisor, with the sign in its bit. */
struct eight {
    __m512i mantissa;
    __m512d divisor;
    __m512i sign;
    __mmask8 unknown;
};

/* The lanes of a vector, as bits of a mask of its bytes. */
struct lanes {
    uint64_t first, last; /* byte of each lane */
    unsigned bytes;
};

static const struct lanes short_lanes = {0x0001000100010001, 0x8000800080008000, SHORT};
static const struct lanes long_lanes = {0x0000000100000001, 0x8000000080000000, LONG};

/* Digits, and what else is in the lanes. A number ends with its lane. */
struct shape {
    uint64_t moved;    /* where the digits before a point come to lie, one byte further */
    uint64_t unmoved;  /* the other digits */
    uint64_t decimals; /* digits behind a point */
    uint64_t sign;     /* a '-' in front */
};

INLINE struct shape shape_of(__m512i text, uint64_t inside, struct lanes lane)
{
    uint64_t point = _mm512_mask_cmpeq_epi8_mask(inside, text, _mm512_set1_epi8('.'));
    uint64_t sign = _mm512_mask_cmpeq_epi8_mask(inside, text, _mm512_set1_epi8('-'));
    uint64_t digits = inside ^ point ^ sign;
    /* In each lane with a point: its last bit, its first bit, all its bits. */
    uint64_t last = (((point & ~lane.last) + ~lane.last) | point) & lane.last;
    uint64_t one = last >> (lane.bytes - 1);
    uint64_t all = (last - one) | last;
    uint64_t before = (point - one) | point;
    return (struct shape){
        .moved = digits << 1 & before & ~lane.first,
        .unmoved = digits & ~before,
        .decimals = inside & all & ~before,
        .sign = sign,
    };
}

/* The number of bytes of each lane that are inside a number, from its end. */
INLINE uint64_t inside_of(__m512i bytes, struct lanes lane)
{
    const __m512i to_end_of_16 = _mm512_broadcast_i32x4(
        _mm_setr_epi8(16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
    const __m512i to_end_of_32 = _mm512_add_epi8(
        to_end_of_16, _mm512_set_epi64(0, 0, 0x1010101010101010, 0x1010101010101010, 0, 0,
                                       0x1010101010101010, 0x1010101010101010));
    return _mm512_cmple_epu8_mask(lane.bytes == SHORT ? to_end_of_16 : to_end_of_32, bytes);
}

/* Sixteen digits become one number, which both halves of the 16 bytes then hold. */
INLINE __m512i join_digits(__m512i digits)
{
    __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(1 << 8 | 10));
    __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(1 << 16 | 100));
    __m512i eights =
        _mm512_madd_epi16(_mm512_packus_epi32(fours, fours), _mm512_set1_epi32(1 << 16 | 10000));
    __m512i upper = _mm512_mul_epu32(eights, _mm512_set1_epi64(100000000));
    return _mm512_add_epi64(upper, _mm512_srli_epi64(eights, 32));
}

/* The number of decimals, and 128 for a sign; both halves of each 16 bytes hold their sum. */
INLINE __m512i count_decimals(struct shape shape)
{
    __m512i ones = _mm512_maskz_set1_epi8(shape.decimals, 1);
    ones = _mm512_mask_set1_epi8(ones, shape.sign, (char)128);
    __m512i sums = _mm512_sad_epu8(ones, _mm512_setzero_si512());
    return _mm512_add_epi64(sums, _mm512_shuffle_epi32(sums, _MM_PERM_BADC));
}

INLINE __m512i sign_of(__m512i decimals)
{
    return _mm512_and_si512(_mm512_slli_epi64(decimals, 56), _mm512_set1_epi64(INT64_MIN));
}

/* Every second 64 bits of two vectors. */
INLINE __m512i every_second(__m512i a, __m512i b, int first)
{
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
    return _mm512_permutex2var_epi64(a, _mm512_add_epi64(even, _mm512_set1_epi64(first)), b);
}

/* What a vector of lanes holds: 64 bits for each 16 bytes, twice. */
struct split {
    __m512i mantissas, decimals;
};

/* Four numbers of at most 16 bytes. `bytes` has the length of each in all bytes of its lane. */
INLINE struct split split_four(const char *text, const uint16_t *end, __m512i bytes)
{
    const char *from = text - SHORT;
    __m512i four = _mm512_castsi128_si512(_mm_loadu_si128((const void *)(from + end[0])));
    four =
        _mm512_mask_broadcast_i32x4(four, 0x00f0, _mm_loadu_si128((const void *)(from + end[1])));
    four =
        _mm512_mask_broadcast_i32x4(four, 0x0f00, _mm_loadu_si128((const void *)(from + end[2])));
    four =
        _mm512_mask_broadcast_i32x4(four, 0xf000, _mm_loadu_si128((const void *)(from + end[3])));
    struct shape shape = shape_of(four, inside_of(bytes, short_lanes), short_lanes);
    __m512i values = _mm512_sub_epi8(four, _mm512_set1_epi8('0'));
    __m512i digits = _mm512_maskz_mov_epi8(shape.unmoved, values);
    digits = _mm512_mask_mov_epi8(digits, shape.moved, _mm512_bslli_epi128(values, 1));
    return (struct split){join_digits(digits), count_decimals(shape)};
}

INLINE struct eight split_short(const char *text, const uint16_t *end, __m128i bytes)
{
    /* Which byte of `bytes`, two for each number, is the length of a lane's number. */
    const __m512i lane_of_first =
        _mm512_set_epi64(0x0606060606060606, 0x0606060606060606, 0x0404040404040404,
                         0x0404040404040404, 0x0202020202020202, 0x0202020202020202, 0, 0);
    const __m512i lane_of_second = _mm512_add_epi8(lane_of_first, _mm512_set1_epi8(8));
    __m512i all_bytes = _mm512_broadcast_i32x4(bytes);
    struct split a = split_four(text, end, _mm512_shuffle_epi8(all_bytes, lane_of_first));
    struct split b = split_four(text, end + 4, _mm512_shuffle_epi8(all_bytes, lane_of_second));
    __m512i decimals = every_second(a.decimals, b.decimals, 0);
    struct eight eight = {
        .mantissa = every_second(a.mantissas, b.mantissas, 0),
        .divisor = _mm512_permutex2var_pd(_mm512_loadu_pd(divisors), decimals,
                                          _mm512_loadu_pd(divisors + 8)),
        .sign = sign_of(decimals),
        .unknown = 0,
    };
    return eight;
}

/* Two numbers of at most 32 bytes. `bytes` has the length of each in all bytes of its lane. */
INLINE struct split split_two(const char *text, const uint16_t *end, __m512i bytes)
{
    uint64_t inside = inside_of(bytes, long_lanes);
    __m256i text0 = _mm256_maskz_loadu_epi8((__mmask32)inside, text + end[0] - LONG);
    __m256i text1 = _mm256_maskz_loadu_epi8((__mmask32)(inside >> 32), text + end[1] - LONG);
    __m512i two = _mm512_inserti64x4(_mm512_castsi256_si512(text0), text1, 1);
    struct shape shape = shape_of(two, inside, long_lanes);
    /* One byte further, over the border of 16 bytes too. */
    __m512i values = _mm512_sub_epi8(two, _mm512_set1_epi8('0'));
    __m512i before =
        _mm512_maskz_permutexvar_epi64(0xcc, _mm512_set_epi64(5, 4, 5, 4, 1, 0, 1, 0), values);
    __m512i digits = _mm512_maskz_mov_epi8(shape.unmoved, values);
    digits = _mm512_mask_alignr_epi8(digits, shape.moved, values, before, 15);
    return (struct split){join_digits(digits), count_decimals(shape)};
}

/* a and b have two numbers each, in an upper and a lower half of 64 bits that stand twice. */
struct halves {
    __m512i upper, lower;
};

INLINE struct halves halves_of(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i first = every_second(a, b, 0), second = every_second(c, d, 0);
    return (struct halves){every_second(first, second, 0), every_second(first, second, 1)};
}

/* Longer ones are unknown. */
INLINE struct eight split_long(const char *text, const uint16_t *end, __m128i bytes)
{
    /* Which bytes of `bytes`, two for each number, are the lengths of the first two lanes. */
    const __m512i lanes = _mm512_set_epi64(0x0202020202020202, 0x0202020202020202,
                                           0x0202020202020202, 0x0202020202020202, 0, 0, 0, 0);
    const __m512i next = _mm512_set1_epi8(4);
    __m512i all_bytes = _mm512_broadcast_i32x4(bytes), which = lanes;
    struct split a = split_two(text, end, _mm512_shuffle_epi8(all_bytes, which));
    which = _mm512_add_epi8(which, next);
    struct split b = split_two(text, end + 2, _mm512_shuffle_epi8(all_bytes, which));
    which = _mm512_add_epi8(which, next);
    struct split c = split_two(text, end + 4, _mm512_shuffle_epi8(all_bytes, which));
    which = _mm512_add_epi8(which, next);
    struct split d = split_two(text, end + 6, _mm512_shuffle_epi8(all_bytes, which));
    struct halves mantissas = halves_of(a.mantissas, b.mantissas, c.mantissas, d.mantissas);
    struct halves counts = halves_of(a.decimals, b.decimals, c.decimals, d.decimals);
    __m512i upper = _mm512_mullo_epi64(mantissas.upper, _mm512_set1_epi64(10000000000000000));
    __m512i both = _mm512_add_epi64(counts.upper, counts.lower);
    __m512i decimals = _mm512_and_si512(both, _mm512_set1_epi64(LONG - 1));
    struct eight eight = {
        .mantissa = _mm512_add_epi64(upper, mantissas.lower),
        .divisor = _mm512_permutex2var_pd(_mm512_loadu_pd(divisors), decimals,
                                          _mm512_loadu_pd(divisors + 8)),
        .sign = sign_of(both),
    };
    __mmask8 many = _mm512_cmpgt_epu64_mask(decimals, _mm512_set1_epi64(15));
    eight.divisor =
        _mm512_mask_permutexvar_pd(eight.divisor, many, decimals, _mm512_loadu_pd(divisors + 16));
    /* More than 32 bytes, than 19 digits, than 22 decimals. */
    eight.unknown = _mm_cmpgt_epu16_mask(bytes, _mm_set1_epi16(LONG)) |
                    _mm512_cmpge_epu64_mask(mantissas.upper, _mm512_set1_epi64(1000)) |
                    _mm512_cmpgt_epu64_mask(decimals, _mm512_set1_epi64(EXACT_POWER_MAX));
    return eight;
}

INLINE __m128i load_eight(const uint16_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* A short number's lane must not reach in front of what may be read. */
INLINE struct eight split_eight(const char *text, const struct places *places, size_t i,
                                size_t readable)
{
    __m128i start = load_eight(places->start + i), end = load_eight(places->end + i);
    __m128i bytes = _mm_sub_epi16(end, start);
    if (_mm_cmpgt_epu16_mask(bytes, _mm_set1_epi16(SHORT)) == 0 &&
        places->start[i] + readable >= SHORT)
        return split_short(text, places->end + i, bytes);
    return split_long(text, places->end + i, bytes);
}

/* --- 3: divide */

/*
 * quotient + correction is mantissa / divisor but for a share of 2^-51 of the correction:
 * both parts of the mantissa, the remainder of the first and the divisor are exact. If it
 * makes no difference whether twice that share is added or taken away, neither does its
 * true size.
 */
INLINE __m512d divide_long(__m512i mantissa, __m512d divisor, __mmask8 *unsure)
{
    __m512d upper = _mm512_cvtepu64_pd(mantissa);
    __m512i rest = _mm512_sub_epi64(mantissa, _mm512_cvttpd_epu64(upper));
    __m512d lower = _mm512_cvtepi64_pd(rest);
    __m512d quotient = _mm512_div_pd(upper, divisor);
    __m512d remainder = _mm512_fnmadd_pd(quotient, divisor, upper);
    __m512d correction = _mm512_div_pd(_mm512_add_pd(remainder, lower), divisor);
    __m512d one_end = _mm512_fmadd_pd(correction, _mm512_set1_pd(1 - 0x1p-50), quotient);
    __m512d other_end = _mm512_fmadd_pd(correction, _mm512_set1_pd(1 + 0x1p-50), quotient);
    *unsure = _mm512_cmp_pd_mask(one_end, other_end, _CMP_NEQ_UQ);
    return one_end;
}

/* Mantissas that a float64 holds are divided exactly rounded. Adds to `unknown`. */
INLINE __m512d divide(struct eight *eight)
{
    const __m512i exact_max = _mm512_set1_epi64(INT64_C(1) << 53);
    __m512d quotient;
    if (_mm512_cmpgt_epu64_mask(eight->mantissa, exact_max) == 0) {
        quotient = _mm512_div_pd(_mm512_cvtepu64_pd(eight->mantissa), eight->divisor);
    } else {
        __mmask8 unsure;
        quotient = divide_long(eight->mantissa, eight->divisor, &unsure);
        eight->unknown |= unsure;
    }
    return _mm512_or_pd(quotient, _mm512_castsi512_pd(eight->sign));
}

INLINE __mmask8 first_lanes(size_t count)
{
    return (__mmask8)(count >= EIGHT ? 0xffu : (1u << count) - 1);
}

INLINE void store_f64(struct eight *eight, __mmask8 lanes, double *out)
{
    _mm512_mask_storeu_pd(out, lanes, divide(eight));
}

/* A quotient in the middle of two float32 may have been rounded to it. */
INLINE void store_f32(struct eight *eight, __mmask8 lanes, float *out)
{
    const __m512i below = _mm512_set1_epi64(0x1fffffff);
    const __m512i middle = _mm512_set1_epi64(0x10000000);
    __m512d quotient = divide(eight);
    __m512i low_bits = _mm512_and_si512(_mm512_castpd_si512(quotient), below);
    eight->unknown |= _mm512_cmpeq_epi64_mask(low_bits, middle);
    _mm256_mask_storeu_ps(out, lanes, _mm512_cvtpd_ps(quotient));
}

/* --- all of it; one of f64 and f32 is NULL, which is known when compiling */

static inline bool read_again(const char *text, const struct places *places, size_t i, double *f64,
                              float *f32)
{
    const char *end;
    enum number_status status = f64 != NULL ? number_read_f64(text + places->start[i], &end, f64)
                                            : number_read_f32(text + places->start[i], &end, f32);
    return status == NUMBER_OK && end == text + places->end[i];
}

/* Returns how many there are before one that is no number. */
static size_t read_each(const char *text, const struct places *places, size_t count, double *f64,
                        float *f32)
{
    for (size_t i = 0; i < count; i++)
        if (!read_again(text, places, i, f64 != NULL ? f64 + i : NULL,
                        f32 != NULL ? f32 + i : NULL))
            return i;
    return count;
}

INLINE size_t read_plain(const char *text, const struct places *places, size_t count,
                         size_t readable, double *f64, float *f32)
{
    for (size_t i = 0; i < count; i += EIGHT) {
        struct eight eight = split_eight(text, places, i, readable);
        __mmask8 lanes = first_lanes(count - i);
        if (f64 != NULL)
            store_f64(&eight, lanes, f64 + i);
        else
            store_f32(&eight, lanes, f32 + i);
        for (unsigned left = eight.unknown & lanes; left != 0; left &= left - 1) {
            size_t k = i + (size_t)__builtin_ctz(left);
            if (!read_again(text, places, k, f64 != NULL ? f64 + k : NULL,
                            f32 != NULL ? f32 + k : NULL))
                return k;
        }
    }
    return count;
}

INLINE size_t scan(const char *text, const char **at, double *f64, float *f32, size_t max)
{
    /* Written before it is read: clearing it would take longer than a short array. */
    __attribute__((uninitialized)) struct places places;
    size_t total = 0;
    for (;;) {
        struct found found = find_numbers(*at, &places, max - total, look_at, store_places);
        double *next_f64 = f64 != NULL ? f64 + total : NULL;
        float *next_f32 = f32 != NULL ? f32 + total : NULL;
        size_t count = found.is_plain ? read_plain(*at, &places, found.count, (size_t)(*at - text),
                                                   next_f64, next_f32)
                                      : read_each(*at, &places, found.count, next_f64, next_f32);
        total += count;
        *at += count < found.count ? places.start[count] : found.next;
        if (count < found.count || found.is_last)
            return total;
    }
}

size_t number_scan_f64_avx512(const char *text, const char **at, double *out, size_t max)
{
    return scan(text, at, out, NULL, max);
}

size_t number_scan_f32_avx512(const char *text, const char **at, float *out, size_t max)
{
    return scan(text, at, NULL, out, max);
}

size_t number_scan_commas_avx512(const char *text, size_t bytes)
{
    const __m512i comma = _mm512_set1_epi8(',');
    size_t commas = 0, i = 0;
    for (; bytes - i >= BLOCK; i += BLOCK)
        commas +=
            (size_t)_mm_popcnt_u64(_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(text + i), comma));
    uint64_t rest = _bzhi_u64(UINT64_MAX, (unsigned)(bytes - i));
    __m512i last = _mm512_maskz_loadu_epi8(rest, text + i);
    return commas + (size_t)_mm_popcnt_u64(_mm512_cmpeq_epi8_mask(last, comma));
}
