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
 */
#include "number_write.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned __int128 uint128;

struct power {
    uint64_t high, low;
};
#include "powers_of_ten.inc"

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

static inline bool is_near(uint64_t a, uint64_t b)
{
    const uint64_t near = 8; /* more than all roundings together */
    return a - b + near <= 2 * near;
}

/* Compares in units of 10^k / 2^60. Here both neighbours are equally far, so that the
 * closer multiple of 10^k is inside whatever the other is. */
static inline __attribute__((always_inline)) struct decimal shortest(struct binary v)
{
    if (v.is_lower_closer || v.significand < 10)
        return shortest_exactly(v);
    const uint64_t one = UINT64_C(1) << 60;
    struct scale scale = scale_for(v);
    struct fixed at = multiply(scale, v.significand);
    uint64_t half_width = scale.power->high >> (5 - scale.shift);
    uint64_t tens = at.whole / 10 * 10;
    uint64_t above_tens = (at.whole - tens) * one + at.fraction / 16;
    if (is_near(above_tens, half_width) || is_near(above_tens, 10 * one - half_width) ||
        is_near(at.fraction, 8 * one))
        return shortest_exactly(v);
    bool is_below_inside = above_tens < half_width;
    bool is_above_inside = above_tens > 10 * one - half_width;
    uint64_t closer = at.whole + (at.fraction > 8 * one);
    uint64_t shorter = tens + 10 * (uint64_t)is_above_inside;
    uint64_t choose_shorter = -(uint64_t)(is_below_inside | is_above_inside); /* all bits */
    return (struct decimal){closer ^ ((closer ^ shorter) & choose_shorter), scale.k};
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
    100000000000000000,
};

/* The same decimal with zeros at its end, so that it has `length` digits. */
static inline struct decimal lengthen(struct decimal d, int length)
{
    /* 1233 / 4096 is log10(2): right, or one too small. */
    int digits = ((64 - __builtin_clzll(d.digits)) * 1233) >> 12;
    digits += d.digits >= powers_of_10[digits];
    return (struct decimal){d.digits * powers_of_10[length - digits],
                            d.exponent - (length - digits)};
}

/* A decimal in scientific notation, 17 digits (9 of a float32): d.ddd * 10^exponent.
 * Eight digits are a word of bytes, the first in the lowest. */
struct digits {
    uint64_t first;  /* one digit */
    uint64_t middle; /* eight */
    uint64_t last;   /* eight; zeros of a float32 */
    int count;       /* without the zeros at the end; at least one */
    int exponent;
};

/* Splits into halves three times, all parts at once. number < 10^8. */
static inline uint64_t split_digits(uint32_t number)
{
    uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
    uint64_t hundreds = (fours * 5243 >> 19) & 0x0000007f0000007f; /* / 100 below 10^4 */
    uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f; /* / 10 below 100 */
    return tens | (twos - tens * 10) << 8;
}

static inline void store_digits(char *out, uint64_t digits)
{
    uint64_t text = htole64(digits | 0x3030303030303030);
    memcpy(out, &text, sizeof(text));
}

/* How many of eight digits are left without the zeros at their end; not all are zeros. */
static inline int significant(uint64_t digits)
{
    return 8 - __builtin_clzll(digits) / 8;
}

/* All but the smallest float64s have 16 or 17 digits already; see shortest(). */
static inline struct digits split_f64(struct decimal d)
{
    if (d.digits < powers_of_10[15])
        d = lengthen(d, 17);
    bool is_short = d.digits < powers_of_10[16];
    uint64_t number = d.digits * (1 + 9 * (uint64_t)is_short);
    uint32_t upper = (uint32_t)(number / 100000000);
    struct digits digits = {
        .first = upper / 100000000,
        .middle = split_digits(upper % 100000000),
        .last = split_digits((uint32_t)(number % 100000000)),
        .count = 1,
        .exponent = d.exponent + 16 - is_short,
    };
    if (digits.last != 0)
        digits.count = 9 + significant(digits.last);
    else if (digits.middle != 0)
        digits.count = 1 + significant(digits.middle);
    return digits;
}

static inline struct digits split_f32(struct decimal d)
{
    d = lengthen(d, 9);
    uint32_t number = (uint32_t)d.digits;
    struct digits digits = {
        .first = number / 100000000,
        .middle = split_digits(number % 100000000),
        .count = 1,
        .exponent = d.exponent + 8,
    };
    if (digits.middle != 0)
        digits.count = 1 + significant(digits.middle);
    return digits;
}

/*
 * The four shapes of the text. They store whole words of digits, which is quicker than
 * the right number; what lies behind the returned length is not part of the text.
 * `is_f64` is known when compiling.
 */
static inline void store_all(char *out, const struct digits *d, bool is_f64)
{
    *out = (char)('0' + d->first);
    store_digits(out + 1, d->middle);
    if (is_f64)
        store_digits(out + 9, d->last);
}

static inline size_t format_whole(char *out, const struct digits *d)
{
    store_all(out, d, true); /* of a float32, zeros behind the ninth */
    return (size_t)d->exponent + 1;
}

static inline size_t format_mixed(char *out, const struct digits *d, bool is_f64)
{
    unsigned before = (unsigned)d->exponent + 1;
    store_all(out, d, is_f64);
    out[before] = '.';
    uint128 behind = ((uint128)d->last << 64 | d->middle) >> ((before - 1) * 8);
    store_digits(out + before + 1, (uint64_t)behind);
    if (is_f64 && before < 9)
        store_digits(out + before + 9, (uint64_t)(behind >> 64));
    return (size_t)d->count + 1;
}

static inline size_t format_fraction(char *out, const struct digits *d, bool is_f64)
{
    size_t zeros = (size_t)(-d->exponent); /* with the one before the point */
    memcpy(out, "0.000000", 8);
    store_all(out + zeros + 1, d, is_f64);
    return zeros + 1 + (size_t)d->count;
}

static inline size_t format_exponent(char *out, const struct digits *d, bool is_f64)
{
    store_all(out + 1, d, is_f64);
    out[0] = (char)('0' + d->first);
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

static inline __attribute__((always_inline)) size_t format(char *out, struct digits d, bool is_f64)
{
    if (d.exponent < -7 || d.exponent > EXPONENT_PLAIN_MAX)
        return format_exponent(out, &d, is_f64);
    if (d.exponent < 0)
        return format_fraction(out, &d, is_f64);
    if (d.exponent >= d.count - 1)
        return format_whole(out, &d);
    return format_mixed(out, &d, is_f64);
}

/* A whole number below 2^26: nothing to search for, and no zeros to cut off its end. */
static inline bool is_small_whole(struct binary v)
{
    return v.exponent < -52 + 26 && v.exponent >= -52 &&
           __builtin_ctzll(v.significand) >= -v.exponent;
}

static inline size_t write_small_whole(char *out, uint32_t number)
{
    uint64_t digits = split_digits(number);
    int zeros = __builtin_ctzll(digits) / 8; /* in front */
    store_digits(out, digits >> (zeros * 8));
    return 8 - (size_t)zeros;
}

static size_t write_zero(char *out)
{
    *out = '0';
    return 1;
}

static size_t write_null(char *out)
{
    memcpy(out, "null", 4);
    return 4;
}

size_t number_write_f64(char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 0x7ff);
    if (biased == 0x7ff)
        return write_null(out);
    size_t sign = bits >> 63;
    *out = '-';
    out += sign;
    if (biased == 0 && fraction == 0)
        return sign + write_zero(out);
    struct binary v = {
        .significand = biased == 0 ? fraction : fraction | UINT64_C(1) << 52,
        .exponent = (biased == 0 ? 1 : biased) - 1075,
        .is_lower_closer = fraction == 0 && biased > 1,
    };
    if (is_small_whole(v))
        return sign + write_small_whole(out, (uint32_t)(v.significand >> -v.exponent));
    return sign + format(out, split_f64(shortest(v)), true);
}

size_t number_write_f32(char *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint32_t fraction = bits & ((UINT32_C(1) << 23) - 1);
    int biased = (int)(bits >> 23 & 0xff);
    if (biased == 0xff)
        return write_null(out);
    size_t sign = bits >> 31;
    *out = '-';
    out += sign;
    if (biased == 0 && fraction == 0)
        return sign + write_zero(out);
    struct binary v = {
        .significand = biased == 0 ? fraction : fraction | UINT32_C(1) << 23,
        .exponent = (biased == 0 ? 1 : biased) - 150,
        .is_lower_closer = fraction == 0 && biased > 1,
    };
    if (v.exponent <= 0 && v.exponent >= -23 && __builtin_ctzll(v.significand) >= -v.exponent)
        return sign + write_small_whole(out, (uint32_t)(v.significand >> -v.exponent));
    return sign + format(out, split_f32(shortest(v)), false);
}

/* --- so many decimals */

/* below 10^16 */
static inline size_t write_whole(char *out, uint64_t number)
{
    if (number == 0)
        return write_zero(out);
    if (number < 100000000)
        return write_small_whole(out, (uint32_t)number);
    size_t upper = write_small_whole(out, (uint32_t)(number / 100000000));
    store_digits(out + upper, split_digits((uint32_t)(number % 100000000)));
    return upper + 8;
}

/* The point and up to nine decimals, or nothing. */
static inline size_t write_fraction(char *out, uint32_t billionths)
{
    if (billionths == 0)
        return 0;
    uint64_t last = split_digits(billionths % 100000000);
    out[0] = '.';
    out[1] = (char)('0' + billionths / 100000000);
    store_digits(out + 2, last);
    return 2 + (last == 0 ? 0 : (size_t)significant(last));
}

/* fraction / 2^shift, which is below 1, times `scale`; half rounds to even, and the fraction may
 * become 1. */
static inline uint32_t scale_fraction(uint64_t fraction, unsigned shift, uint64_t scale,
                                      bool is_odd)
{
    uint128 product = (uint128)fraction * scale;
    uint128 half = (uint128)1 << (shift - 1);
    uint32_t scaled = (uint32_t)(product >> shift);
    uint128 rest = product & (2 * half - 1);
    bool is_even = scale == 1 ? !is_odd : scaled % 2 == 0;
    return scaled + (rest > half || (rest == half && !is_even));
}

size_t number_write_decimals(char *out, double value, unsigned decimals)
{
    assert(decimals <= NUMBER_DECIMALS_MAX);
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    int biased = (int)(bits >> 52 & 0x7ff);
    if (biased >= 1023 + 53)
        return number_write_f64(out, value);
    uint64_t significand = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    unsigned shift = (unsigned)(1075 - biased);
    if (shift > 100) /* below 2^-47, and below half of the last decimal */
        return write_zero(out);
    uint64_t whole = shift < 64 ? significand >> shift : 0, fraction = significand;
    if (shift < 64)
        fraction &= (UINT64_C(1) << shift) - 1;
    uint32_t scaled = 0;
    if (shift > 0)
        scaled = scale_fraction(fraction, shift, powers_of_10[decimals], whole & 1);
    whole += scaled == powers_of_10[decimals];
    scaled = scaled == powers_of_10[decimals] ? 0 : scaled;
    size_t sign = bits >> 63 && (whole | scaled) != 0;
    *out = '-';
    out += sign;
    size_t written = write_whole(out, whole);
    uint32_t billionths = (uint32_t)(scaled * powers_of_10[NUMBER_DECIMALS_MAX - decimals]);
    return sign + written + write_fraction(out + written, billionths);
}
