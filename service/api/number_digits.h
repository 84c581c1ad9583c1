/*
 * number_digits.h - a decimal as JSON text: its digits, its point, its exponent.
 *
 * All of it is arranged for branches that a processor can foretell: how many digits a number has
 * and where its point stands decide which bytes are stored, not which code runs.
 *
 *   Threads    any; pure.
 *   Room       whole words of digits are stored, so more bytes than the text has: as many as
 *              number_write.h asks of its callers.
 *
 * A part of number_write.c.
 */
#ifndef NUMBER_DIGITS_H
#define NUMBER_DIGITS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What is known when compiling, as whether it is a float64, must be so inside. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* All bits if so. */
static inline uint64_t mask(bool condition)
{
    return -(uint64_t)condition;
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

#endif
