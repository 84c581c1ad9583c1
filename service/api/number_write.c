/*
 * number_write.c - Schubfach: the shortest decimal, without a search.
 *
 * A float v = c * 2^q is read back from every decimal in its rounding interval,
 * which reaches half way to both neighbours. Let 10^k be the greatest power of ten
 * not above the interval's width. Then at least one multiple of 10^k lies in it and
 * at most one of 10^(k+1): if that one is there, nothing is shorter; otherwise the
 * two multiples of 10^k around v are as short as it gets, and the closer one wins.
 *
 * shortest_exactly() decides that for every float. shortest() needs a third of the
 * multiplications, and leaves to the other what it sees too close to a border.
 *
 * What comes after is arranged for branches that a processor can foretell: how many digits a
 * number has and where its point stands decide which bytes are stored, not which code runs.
 */
#include "number_write.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef unsigned __int128 uint128;

struct power {
    uint64_t high, low;
};
#include "powers_of_ten.inc"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* digits * 10^exponent; digits may end in zeros. */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* What a float's bits say: significand * 2^exponent. */
struct binary {
    uint64_t significand;
    int exponent;
    bool is_lower_closer; /* a power of two: the neighbour below is half as far */
};

/* The logarithms are exact for every exponent of a float64; the tests go through them all. */
static inline int floor_log10_of_power_of_2(int exponent)
{
    return (exponent * 1262611) >> 22;
}

static inline int floor_log10_of_three_quarters(int exponent)
{
    return (exponent * 1262611 - 524031) >> 22; /* of 3/4 * 2^exponent */
}

static inline int floor_log2_of_power_of_10(int exponent)
{
    return (exponent * 1741647) >> 19;
}

/* What v is measured with: number * 2^shift * power / 2^128 is number * 2^exponent / 10^k. */
struct scale {
    int k;
    int shift; /* 1..4 */
    const struct power *power;
};

static inline struct scale scale_for(struct binary v)
{
    struct scale scale;
    scale.k = v.is_lower_closer ? floor_log10_of_three_quarters(v.exponent)
                                : floor_log10_of_power_of_2(v.exponent);
    scale.shift = v.exponent + floor_log2_of_power_of_10(-scale.k) + 1;
    scale.power = &powers[-scale.k - POWER_MIN];
    assert(scale.shift >= 1 && scale.shift <= 4);
    return scale;
}

/* A product with the point in its middle. */
struct fixed {
    uint64_t whole, fraction;
};

/* The powers are up to 1 too large, so the fraction is up to 1 too large or too small. */
static inline struct fixed multiply(struct scale scale, uint64_t number)
{
    number <<= scale.shift;
    uint128 low = (uint128)scale.power->low * number;
    uint128 sum = (uint128)scale.power->high * number + (uint64_t)(low >> 64);
    return (struct fixed){(uint64_t)(sum >> 64), (uint64_t)sum};
}

/*
 * The whole part, with its last bit set when there is a fraction: so every comparison
 * with an even number comes out as it would have exactly. A fraction of 1 is taken for
 * 0, since the power is too large. That costs nothing: a true fraction is never that
 * close below a whole number, and that close above an odd one only (Nadezhin's result,
 * section 9 of the paper).
 */
static inline uint64_t round_to_odd(struct fixed number)
{
    return number.whole | (number.fraction > 1);
}

/* Compares in units of 10^k / 4: the ends of the interval and the middles are whole there. */
static __attribute__((noinline)) struct decimal shortest_exactly(struct binary v)
{
    struct scale scale = scale_for(v);
    uint64_t number = v.significand * 4;
    uint64_t middle = round_to_odd(multiply(scale, number));
    uint64_t lower = round_to_odd(multiply(scale, number - 2 + v.is_lower_closer));
    uint64_t upper = round_to_odd(multiply(scale, number + 2));
    /* The ends themselves round to v when its significand is even. */
    lower += v.significand & 1;
    upper -= v.significand & 1;

    uint64_t below = middle / 4;
    uint64_t tens = below / 10 * 10;
    bool is_below_inside = lower <= tens * 4;
    bool is_above_inside = tens * 4 + 40 <= upper;
    /* From 0 to 10 there is nothing to gain: 10 is as short as 9. */
    if (tens > 0 && (is_below_inside || is_above_inside))
        return (struct decimal){is_below_inside ? tens : tens + 10, scale.k};
    is_below_inside = lower <= below * 4;
    is_above_inside = below * 4 + 4 <= upper;
    if (is_below_inside != is_above_inside)
        return (struct decimal){below + is_above_inside, scale.k};
    uint64_t half = below * 4 + 2;
    bool is_above_closer = middle > half || (middle == half && (below & 1));
    return (struct decimal){below + is_above_closer, scale.k};
}

static const uint64_t powers_of_10[] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
};

/* 17 digits (9 of a float32), d.ddd * 10^exponent; where there are fewer, with zeros at the end. */
struct split {
    uint64_t front; /* all but the last digit */
    uint64_t last;
    int exponent;
};

static __attribute__((noinline, cold)) struct split split_exactly(struct binary v, int length)
{
    struct decimal d = shortest_exactly(v);
    int digits = 1;
    while (digits < 17 && d.digits >= powers_of_10[digits])
        digits++;
    for (int i = digits; i < length; i++)
        d.digits *= 10;
    return (struct split){d.digits / 10, d.digits % 10, d.exponent + digits - 1};
}

static inline bool is_near(uint64_t a, uint64_t b)
{
    const uint64_t near = UINT64_C(1) << 32; /* more than all roundings together, and still rare */
    return a - b + near <= 2 * near;
}

/* All bits if so. */
static inline uint64_t mask(bool condition)
{
    return -(uint64_t)condition;
}

/* In units of 10^(k+1), and half of the interval's width in 2^-64 of them. */
struct tenths {
    struct fixed at;
    uint64_t half_width;
    int exponent; /* k + 1 */
};

/* A float32 needs less of the power. */
ALWAYS_INLINE struct tenths measure(struct binary v, bool is_f64)
{
    int k = floor_log10_of_power_of_2(v.exponent);
    int shift = v.exponent + floor_log2_of_power_of_10(-k - 1) + 5; /* 1..4 */
    const struct power *power = &powers[-k - 1 - POWER_MIN];
    uint64_t number = v.significand << shift; /* 2^4 times too large, not to lose bits */
    struct tenths tenths = {.half_width = power->high >> (5 - shift), .exponent = k + 1};
    if (is_f64) {
        uint128 low = (uint128)power->low * number;
        uint128 sum = (uint128)power->high * number + (uint64_t)(low >> 64);
        tenths.at = (struct fixed){(uint64_t)(sum >> 68), (uint64_t)(sum >> 4)};
    } else {
        uint128 sum = (uint128)(power->high >> 4) * number;
        tenths.at = (struct fixed){(uint64_t)(sum >> 64), (uint64_t)sum};
    }
    return tenths;
}

/* The front is up to one digit short of its 16, or two of a float32's eight. */
ALWAYS_INLINE struct split fill(struct split d, bool is_f64)
{
    const uint64_t enough = is_f64 ? powers_of_10[15] : powers_of_10[7];
    uint64_t is_short = mask(d.front < enough);
    d.front += (d.front * 9 + d.last) & is_short;
    d.last &= ~is_short;
    d.exponent += (int)is_short;
    if (is_f64)
        return d;
    is_short = mask(d.front < enough);
    d.front += (d.front * 9) & is_short;
    d.exponent += (int)is_short;
    return d;
}

/*
 * The whole part of v / 10^(k+1) is what is shorter; ten times the fraction is the last digit
 * otherwise. It never rounds to ten, since the whole part and one is inside then. Both neighbours
 * are equally far here, so that the closer multiple of 10^k is inside whatever the other is.
 * v is no power of two and has all its bits.
 */
ALWAYS_INLINE struct split shortest(struct binary v, bool is_f64)
{
    struct tenths v10 = measure(v, is_f64);
    uint64_t fraction = v10.at.fraction;
    uint128 tenfold = (uint128)fraction * 10;
    uint64_t digit = (uint64_t)(tenfold >> 64), rest = (uint64_t)tenfold;
    if (is_near(fraction, v10.half_width) || is_near(fraction, -v10.half_width) ||
        is_near(rest, UINT64_C(1) << 63))
        return split_exactly(v, is_f64 ? 17 : 9);
    bool is_below_inside = fraction < v10.half_width;
    bool is_above_inside = fraction > -v10.half_width;
    struct split d = {
        .front = v10.at.whole + is_above_inside,
        .last = (digit + (rest >> 63)) & mask(!(is_below_inside | is_above_inside)),
        .exponent = v10.exponent + (is_f64 ? 15 : 7),
    };
    return fill(d, is_f64);
}

/* A decimal in scientific notation, 17 digits (9 of a float32): d.ddd * 10^exponent.
 * Eight digits are a word of bytes, the first in the lowest. */
struct digits {
    uint64_t first;  /* eight */
    uint64_t second; /* eight; none of a float32 */
    uint64_t last;   /* one */
    int count;       /* without the zeros at the end; at least one */
    int exponent;
};

/* Splits into halves three times, all parts at once. number < 10^8. The quotients move to where
 * the remainders leave them: (number - quotient * ten) << bits | quotient. */
static inline uint64_t split_digits(uint64_t number)
{
    uint64_t quotients = number * 109951163 >> 40;
    uint64_t fours = (number << 32) - quotients * ((UINT64_C(10000) << 32) - 1);
    uint64_t hundreds = (fours * 5243 >> 19) & 0x0000007f0000007f; /* / 100 below 10^4 */
    uint64_t twos = (fours << 16) - hundreds * ((100 << 16) - 1);
    uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f; /* / 10 below 100 */
    return (twos << 8) - tens * ((10 << 8) - 1);
}

static inline void store_digits(char *out, uint64_t digits)
{
    uint64_t text = htole64(digits | 0x3030303030303030);
    memcpy(out, &text, sizeof(text));
}

/* How many of eight digits are left without the zeros at their end; not all are zeros. */
static inline int significant(uint64_t digits)
{
    return (63 ^ __builtin_clzll(digits)) / 8 + 1;
}

ALWAYS_INLINE int count_digits(struct digits d, bool is_f64)
{
    int all = is_f64 ? 17 : 9;
    int count = is_f64 && d.second != 0 ? 8 + significant(d.second) : significant(d.first);
    return count + ((all - count) & (int)mask(d.last != 0));
}

/*
 * The four shapes of the text. They store whole words of digits, which is quicker than
 * the right number; what lies behind the returned length is not part of the text.
 * `is_f64` is known when compiling.
 */
ALWAYS_INLINE void store_all(char *out, const struct digits *d, bool is_f64)
{
    store_digits(out, d->first);
    if (is_f64)
        store_digits(out + 8, d->second);
    out[is_f64 ? 16 : 8] = (char)('0' + d->last);
}

ALWAYS_INLINE size_t format_whole(char *out, const struct digits *d, bool is_f64)
{
    store_digits(out, d->first);
    store_digits(out + 8, is_f64 ? d->second : d->last);
    return (size_t)d->exponent + 1;
}

/* Eight digits and the point before the one at `at`, 1..8; the last digit falls off. */
static inline void store_point(char *out, uint64_t digits, unsigned at)
{
    uint64_t behind = UINT64_MAX << 8 << (8 * at - 8);
    store_digits(out, digits ^ ((digits ^ digits << 8) & behind));
    out[at] = '.';
}

ALWAYS_INLINE size_t format_mixed(char *out, const struct digits *d, bool is_f64)
{
    unsigned before = (unsigned)d->exponent + 1;
    store_all(out + 1, d, is_f64);
    if (!is_f64 || before <= 8) {
        store_point(out, d->first, before);
    } else {
        store_digits(out, d->first);
        store_point(out + 8, d->second, before - 8);
    }
    return (size_t)d->count + 1;
}

ALWAYS_INLINE size_t format_fraction(char *out, const struct digits *d, bool is_f64)
{
    size_t zeros = (size_t)(-d->exponent); /* with the one before the point */
    memcpy(out, "0.000000", 8);
    store_all(out + zeros + 1, d, is_f64);
    return zeros + 1 + (size_t)d->count;
}

ALWAYS_INLINE size_t format_exponent(char *out, const struct digits *d, bool is_f64)
{
    store_all(out + 1, d, is_f64);
    out[0] = out[1];
    out[1] = '.';
    char *at = out + (d->count == 1 ? 1 : d->count + 1);
    *at++ = 'e';
    *at = '-';
    at += d->exponent < 0;
    unsigned exponent = (unsigned)(d->exponent < 0 ? -d->exponent : d->exponent);
    if (exponent >= 100)
        *at++ = (char)('0' + exponent / 100);
    if (exponent >= 10)
        *at++ = (char)('0' + exponent / 10 % 10);
    *at++ = (char)('0' + exponent % 10);
    return (size_t)(at - out);
}

/* Below 1e16 a whole double's shortest digits are its value, so that a reader that takes
 * whole numbers for integers gets the same number; above, padding zeros would not be. */
enum {
    EXPONENT_PLAIN_MAX = 15
};

ALWAYS_INLINE size_t format(char *out, struct digits d, bool is_f64)
{
    d.count = count_digits(d, is_f64);
    if (d.exponent < -7 || d.exponent > EXPONENT_PLAIN_MAX)
        return format_exponent(out, &d, is_f64);
    if (d.exponent < 0)
        return format_fraction(out, &d, is_f64);
    if (d.exponent >= d.count - 1)
        return format_whole(out, &d, is_f64);
    return format_mixed(out, &d, is_f64);
}

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
