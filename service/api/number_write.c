/*
 * number_write.c - see number_write.h: numbers one by one, with so many decimals, and many at once.
 *
 * number_shortest.h finds the digits, number_digits.h makes text of them.
 */
#include "number_write.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "number_shortest.h"

/* --- one number */

ALWAYS_INLINE size_t write_split(char *out, struct split d, bool is_f64)
{
    uint64_t upper = is_f64 ? d.front / 100000000 : d.front;
    struct digits digits = {
        .first = split_digits(upper),
        .second = is_f64 ? split_digits(d.front - upper * 100000000) : 0,
        .last = d.last,
        .exponent = d.exponent,
    };
    return format(out, digits, is_f64);
}

/* Without the zeros in front. */
static inline size_t write_leading(char *out, uint64_t digits)
{
    int zeros = __builtin_ctzll(digits | UINT64_C(1) << 56) / 8; /* in front of the last */
    store_digits(out, digits >> (zeros * 8));
    return 8 - (size_t)zeros;
}

static inline size_t write_small_whole(char *out, uint32_t number)
{
    return write_leading(out, split_digits(number));
}

static size_t write_null(char *out)
{
    memcpy(out, "null", 4);
    return 4;
}

/* How a number is written. */
enum kind {
    KIND_SEARCHED, /* by shortest() */
    KIND_WHOLE,    /* a float64 below 2^26, a float32 below 2^24: as it is */
    KIND_ODD       /* a power of two, a subnormal, infinite or no number */
};

static inline enum kind kind_of_f64(uint64_t bits)
{
    uint64_t biased = bits >> 52 & 0x7ff;
    if (biased - 1023 < 26 && bits << (biased - 1023 + 12) == 0)
        return KIND_WHOLE;
    if (biased - 1 < 0x7fe && bits << 12 != 0)
        return KIND_SEARCHED;
    return bits << 1 == 0 ? KIND_WHOLE : KIND_ODD;
}

static inline enum kind kind_of_f32(uint32_t bits)
{
    uint32_t biased = bits >> 23 & 0xff;
    if (biased - 127 < 24 && bits << 9 << (biased - 127) == 0)
        return KIND_WHOLE;
    if (biased - 1 < 0xfe && bits << 9 != 0)
        return KIND_SEARCHED;
    return bits << 1 == 0 ? KIND_WHOLE : KIND_ODD;
}

static inline struct binary binary_of_f64(uint64_t bits)
{
    return (struct binary){
        .significand = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52,
        .exponent = (int)(bits >> 52 & 0x7ff) - 1075,
    };
}

static inline struct binary binary_of_f32(uint32_t bits)
{
    return (struct binary){
        .significand = (bits & ((UINT32_C(1) << 23) - 1)) | UINT32_C(1) << 23,
        .exponent = (int)(bits >> 23 & 0xff) - 150,
    };
}

static inline uint64_t bits_of_f64(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline uint32_t bits_of_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static __attribute__((noinline)) size_t write_odd_f64(char *out, uint64_t bits)
{
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 0x7ff);
    if (biased == 0x7ff)
        return write_null(out);
    struct binary v = {
        .significand = biased == 0 ? fraction : fraction | UINT64_C(1) << 52,
        .exponent = (biased == 0 ? 1 : biased) - 1075,
        .is_lower_closer = fraction == 0 && biased > 1,
    };
    size_t sign = bits >> 63;
    *out = '-';
    return sign + write_split(out + sign, split_exactly(v, 17), true);
}

static __attribute__((noinline)) size_t write_odd_f32(char *out, uint32_t bits)
{
    uint32_t fraction = bits & ((UINT32_C(1) << 23) - 1);
    int biased = (int)(bits >> 23 & 0xff);
    if (biased == 0xff)
        return write_null(out);
    struct binary v = {
        .significand = biased == 0 ? fraction : fraction | UINT32_C(1) << 23,
        .exponent = (biased == 0 ? 1 : biased) - 150,
        .is_lower_closer = fraction == 0 && biased > 1,
    };
    size_t sign = bits >> 31;
    *out = '-';
    return sign + write_split(out + sign, split_exactly(v, 9), false);
}

size_t number_write_f64(char *out, double value)
{
    uint64_t bits = bits_of_f64(value);
    enum kind kind = kind_of_f64(bits);
    if (kind == KIND_ODD)
        return write_odd_f64(out, bits);
    size_t sign = bits >> 63;
    *out = '-';
    if (kind == KIND_WHOLE)
        return sign + write_small_whole(out + sign, (uint32_t)fabs(value));
    return sign + write_split(out + sign, shortest(binary_of_f64(bits), true), true);
}

size_t number_write_f32(char *out, float value)
{
    uint32_t bits = bits_of_f32(value);
    enum kind kind = kind_of_f32(bits);
    if (kind == KIND_ODD)
        return write_odd_f32(out, bits);
    size_t sign = bits >> 31;
    *out = '-';
    if (kind == KIND_WHOLE)
        return sign + write_small_whole(out + sign, (uint32_t)fabsf(value));
    return sign + write_split(out + sign, shortest(binary_of_f32(bits), false), false);
}

/* --- so many decimals */

/* below 10^16 */
static inline size_t write_whole(char *out, uint64_t number)
{
    if (number < 100000000)
        return write_small_whole(out, (uint32_t)number);
    size_t upper = write_small_whole(out, (uint32_t)(number / 100000000));
    store_digits(out + upper, split_digits(number % 100000000));
    return upper + 8;
}

/* The point and up to nine decimals, or nothing. */
static inline size_t write_fraction(char *out, uint64_t digits, uint64_t last)
{
    out[0] = '.';
    store_digits(out + 1, digits);
    out[9] = (char)('0' + last);
    uint64_t bytes = digits == 0 ? 0 : 1 + (uint64_t)significant(digits);
    return bytes + ((10 - bytes) & mask(last != 0));
}

/* |value| as whole + fraction / 2^64, rounded to 1 / scale: half to even. */
struct rounded {
    uint64_t whole;
    uint64_t scaled; /* below scale */
};

static inline struct rounded round_fraction(uint64_t whole, uint64_t fraction, uint64_t scale)
{
    uint128 product = (uint128)fraction * scale;
    uint64_t scaled = (uint64_t)(product >> 64);
    uint64_t is_odd = (scaled ^ (whole & scale)) & 1; /* only a scale of 1 is odd */
    scaled += (uint64_t)product > (UINT64_C(1) << 63) - is_odd;
    bool is_one = scaled == scale;
    return (struct rounded){whole + is_one, is_one ? 0 : scaled};
}

/* Below 2^-11, where 64 bits behind the point do not hold all: a fraction / 2^shift. */
static __attribute__((noinline)) struct rounded round_small(uint64_t significand, unsigned shift,
                                                            uint64_t scale)
{
    if (shift > 100) /* below 2^-47, and below half of the last decimal */
        return (struct rounded){0, 0};
    uint128 product = (uint128)significand * scale;
    uint128 half = (uint128)1 << (shift - 1);
    uint64_t scaled = (uint64_t)(product >> shift);
    uint128 rest = product & (2 * half - 1);
    return (struct rounded){0, scaled + (rest > half || (rest == half && scaled % 2 != 0))};
}

/* Nothing to round from 2^52 on, and there may be more than eight digits. */
static inline bool is_rounded(uint64_t bits)
{
    return (bits >> 52 & 0x7ff) < 1023 + 52;
}

static inline struct rounded round_value(uint64_t bits, uint64_t scale)
{
    uint64_t significand = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    unsigned shift = 1075 - (unsigned)(bits >> 52 & 0x7ff);
    if (shift > 64)
        return round_small(significand, shift, scale);
    return round_fraction(significand >> 1 >> (shift - 1), significand << (64 - shift), scale);
}

size_t number_write_decimals(char *out, double value, unsigned decimals)
{
    assert(decimals <= NUMBER_DECIMALS_MAX);
    uint64_t bits = bits_of_f64(value);
    if (!is_rounded(bits))
        return number_write_f64(out, value);
    struct rounded rounded = round_value(bits, powers_of_10[decimals]);
    size_t sign = bits >> 63 && (rounded.whole | rounded.scaled) != 0;
    *out = '-';
    out += sign;
    size_t written = write_whole(out, rounded.whole);
    uint64_t billionths = rounded.scaled * powers_of_10[NUMBER_DECIMALS_MAX - decimals];
    uint64_t upper = billionths / 10;
    return sign + written +
           write_fraction(out + written, split_digits(upper), billionths - upper * 10);
}

/* --- many numbers */

/*
 * A few numbers go through each step together. One number is a single long chain of
 * multiplications; the chains of several overlap. One alone is quicker by itself.
 */
enum {
    BLOCK = 16
};

struct block {
    /* Below 10^8, then their digits: two words for a number, one for a float32. */
    uint64_t words[2 * BLOCK];
    uint64_t last[BLOCK]; /* one more digit */
    int32_t exponents[BLOCK];
    bool are_negative[BLOCK];
    enum kind kinds[BLOCK];
};

/* split_digits() of all; there is room for an even count. */
static inline void split_words(uint64_t *words, size_t count)
{
#ifdef __SSE2__
    for (size_t i = 0; i < count; i += 2) {
        __m128i x = _mm_loadu_si128((const void *)(words + i));
        __m128i high = _mm_srli_epi64(_mm_mul_epu32(x, _mm_set1_epi64x(109951163)), 40);
        x = _mm_sub_epi64(x, _mm_mul_epu32(high, _mm_set1_epi64x(10000)));
        x = _mm_or_si128(_mm_slli_epi64(x, 32), high);
        high = _mm_srli_epi16(_mm_mulhi_epu16(x, _mm_set1_epi32(5243)), 3);
        x = _mm_sub_epi16(x, _mm_mullo_epi16(high, _mm_set1_epi32(100)));
        x = _mm_or_si128(_mm_slli_epi32(x, 16), high);
        high = _mm_mulhi_epu16(x, _mm_set1_epi16(6554));
        x = _mm_sub_epi16(_mm_slli_epi16(x, 8),
                          _mm_mullo_epi16(high, _mm_set1_epi16((10 << 8) - 1)));
        _mm_storeu_si128((void *)(words + i), x);
    }
#else
    for (size_t i = 0; i < count; i++)
        words[i] = split_digits(words[i]);
#endif
}

ALWAYS_INLINE void put_split(struct block *block, size_t i, struct split d, bool is_f64)
{
    if (is_f64) {
        uint64_t upper = d.front / 100000000;
        block->words[2 * i] = upper;
        block->words[2 * i + 1] = d.front - upper * 100000000;
    } else {
        block->words[i] = d.front;
    }
    block->last[i] = d.last;
    block->exponents[i] = d.exponent;
}

/* The text of a number that is not odd. */
ALWAYS_INLINE size_t write_put(char *out, const struct block *block, size_t i, bool is_f64)
{
    size_t sign = block->are_negative[i];
    *out = '-';
    uint64_t first = block->words[is_f64 ? 2 * i : i];
    if (block->kinds[i] == KIND_WHOLE)
        return sign + write_leading(out + sign, first);
    struct digits digits = {
        .first = first,
        .second = is_f64 ? block->words[2 * i + 1] : 0,
        .last = block->last[i],
        .exponent = block->exponents[i],
    };
    return sign + format(out + sign, digits, is_f64);
}

/* With a comma behind each. What a block holds of odd numbers is undefined. */
static inline size_t write_block_f64(char *out, const double *values, size_t count)
{
    __attribute__((uninitialized)) struct block block;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = bits_of_f64(values[i]);
        block.kinds[i] = kind_of_f64(bits);
        block.are_negative[i] = bits >> 63;
        if (block.kinds[i] == KIND_SEARCHED)
            put_split(&block, i, shortest(binary_of_f64(bits), true), true);
        else if (block.kinds[i] == KIND_WHOLE)
            block.words[2 * i] = (uint32_t)fabs(values[i]);
    }
    split_words(block.words, 2 * count);
    char *at = out;
    for (size_t i = 0; i < count; i++) {
        if (block.kinds[i] == KIND_ODD)
            at += write_odd_f64(at, bits_of_f64(values[i]));
        else
            at += write_put(at, &block, i, true);
        *at++ = ',';
    }
    return (size_t)(at - out);
}

static inline size_t write_block_f32(char *out, const float *values, size_t count)
{
    __attribute__((uninitialized)) struct block block;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = bits_of_f32(values[i]);
        block.kinds[i] = kind_of_f32(bits);
        block.are_negative[i] = bits >> 31;
        if (block.kinds[i] == KIND_SEARCHED)
            put_split(&block, i, shortest(binary_of_f32(bits), false), false);
        else if (block.kinds[i] == KIND_WHOLE)
            block.words[i] = (uint32_t)fabsf(values[i]);
    }
    split_words(block.words, count);
    char *at = out;
    for (size_t i = 0; i < count; i++) {
        if (block.kinds[i] == KIND_ODD)
            at += write_odd_f32(at, bits_of_f32(values[i]));
        else
            at += write_put(at, &block, i, false);
        *at++ = ',';
    }
    return (size_t)(at - out);
}

/* The decimals as eight digits and the ninth. */
static inline void put_rounded(struct block *block, size_t i, struct rounded rounded,
                               unsigned decimals)
{
    uint64_t upper = rounded.scaled, last = 0;
    if (decimals < 9) {
        upper *= powers_of_10[8 - decimals];
    } else {
        upper /= 10;
        last = rounded.scaled - upper * 10;
    }
    block->words[2 * i] = rounded.whole;
    block->words[2 * i + 1] = upper;
    block->last[i] = last;
}

/* Here "odd" are those of 2^26 and more, and what is no number. */
static inline size_t write_block_decimals(char *out, const double *values, size_t count,
                                          unsigned decimals)
{
    __attribute__((uninitialized)) struct block block;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = bits_of_f64(values[i]);
        block.kinds[i] = (bits >> 52 & 0x7ff) < 1023 + 26 ? KIND_SEARCHED : KIND_ODD;
        if (block.kinds[i] == KIND_ODD)
            continue;
        struct rounded rounded = round_value(bits, powers_of_10[decimals]);
        put_rounded(&block, i, rounded, decimals);
        block.are_negative[i] = bits >> 63 & ((rounded.whole | rounded.scaled) != 0);
    }
    split_words(block.words, 2 * count);
    char *at = out;
    for (size_t i = 0; i < count; i++) {
        if (block.kinds[i] == KIND_ODD) {
            at += number_write_decimals(at, values[i], decimals);
        } else {
            *at = '-';
            at += block.are_negative[i];
            at += write_leading(at, block.words[2 * i]);
            at += write_fraction(at, block.words[2 * i + 1], block.last[i]);
        }
        *at++ = ',';
    }
    return (size_t)(at - out);
}

static inline size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t number_write_array_f64(char *out, const double *values, size_t count)
{
    if (count == 1)
        return number_write_f64(out, *values);
    char *at = out;
    for (size_t i = 0; i < count; i += BLOCK)
        at += write_block_f64(at, values + i, smaller(count - i, BLOCK));
    return (size_t)(at - out) - (count > 0);
}

size_t number_write_array_f32(char *out, const float *values, size_t count)
{
    if (count == 1)
        return number_write_f32(out, *values);
    char *at = out;
    for (size_t i = 0; i < count; i += BLOCK)
        at += write_block_f32(at, values + i, smaller(count - i, BLOCK));
    return (size_t)(at - out) - (count > 0);
}

size_t number_write_array_decimals(char *out, const double *values, size_t count, unsigned decimals)
{
    assert(decimals <= NUMBER_DECIMALS_MAX);
    if (count == 1)
        return number_write_decimals(out, *values, decimals);
    char *at = out;
    for (size_t i = 0; i < count; i += BLOCK)
        at += write_block_decimals(at, values + i, smaller(count - i, BLOCK), decimals);
    return (size_t)(at - out) - (count > 0);
}
