/*
 * number_shortest.h - Schubfach: the shortest decimal, without a search.
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
 *   Threads    any; pure.
 *   Source     as number_write.h says.
 *
 * A part of number_write.c.
 */
#ifndef NUMBER_SHORTEST_H
#define NUMBER_SHORTEST_H

#include <assert.h>

#include "number_digits.h"

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

#endif
