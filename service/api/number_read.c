/*
 * number_read.c - decimals to floats: eight digits at a time, then one of three ways.
 *
 * A number is mantissa * 10^exponent with a mantissa of up to 19 digits. When mantissa and
 * power are exact as float64, one multiplication or division rounds right (Clinger, "How
 * to Read Floating Point Numbers Accurately", 1990). Otherwise the mantissa is multiplied
 * with the first 128 bits of the power, and unless the result is too close to the middle
 * of two floats to tell, the discarded bits do not matter (as Eisel and Lemire do). What is
 * left, and all beyond the table of powers, is the C library's.
 */
#include "number_read.h"

#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "number_scan_variants.h"

typedef unsigned __int128 uint128;

struct power {
    uint64_t high, low;
};
#include "powers_of_ten.inc"

/* mantissa * 10^exponent. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    bool is_cut; /* digits that are not all zeros were left out: the number is a little larger */
};

static const uint64_t whole_powers[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
};

/* A mantissa below takes so many digits more, and has 19 at most then. */
static const uint64_t mantissa_limits[] = {
    10000000000000000000u, 1000000000000000000, 100000000000000000,
    10000000000000000,     1000000000000000,    100000000000000,
    10000000000000,        1000000000000,       100000000000,
};

/* Those that a float64 holds exactly. */
enum {
    EXACT_POWER_MAX = 22
};
static const double exact_powers[EXACT_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
static const uint64_t EXACT_MANTISSA_MAX = UINT64_C(1) << 53;

/* --- digits */

/* Eight characters, the first in the lowest byte; a digit becomes its value. */
static inline uint64_t load_digits(const char *at)
{
    uint64_t text;
    memcpy(&text, at, sizeof text);
    return le64toh(text) ^ UINT64_C(0x3030303030303030);
}

/* How many there are before the first that is none. Behind that one carries may lie. */
static inline unsigned count_digits(uint64_t digits)
{
    uint64_t above_9 = (digits | (digits + UINT64_C(0x7676767676767676)));
    above_9 &= UINT64_C(0x8080808080808080);
    return above_9 == 0 ? 8 : (unsigned)__builtin_ctzll(above_9) / 8;
}

/* Neighbours become pairs, pairs fours, fours the number. */
static inline uint64_t join_digits(uint64_t digits)
{
    digits = (digits * 10 + (digits >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * 100 + (digits >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (digits * 10000 + (digits >> 32)) & UINT64_C(0xffffffff);
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Up to 19 digits, then only looks whether they are zeros, and counts them. */
static __attribute__((noinline)) const char *take_many_digits(struct decimal *d, const char *at,
                                                              int *cut)
{
    for (; is_digit(*at); at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (d->mantissa < mantissa_limits[1] && *cut == 0) {
            d->mantissa = d->mantissa * 10 + digit;
            continue;
        }
        d->is_cut |= digit != 0;
        (*cut)++;
    }
    return at;
}

/* Puts the digits at `at` behind those of the mantissa; *cut counts those left out. One by one,
 * since most runs are short; long ones eight at a time. */
static inline const char *take_digits(struct decimal *d, const char *at, int *cut)
{
    uint64_t mantissa = d->mantissa;
    for (int i = 0; i < 6; i++, at++) {
        unsigned digit = (unsigned char)*at - '0';
        if (digit > 9 || mantissa >= mantissa_limits[1]) {
            d->mantissa = mantissa;
            return digit > 9 ? at : take_many_digits(d, at, cut);
        }
        mantissa = mantissa * 10 + digit;
    }
    d->mantissa = mantissa;
    for (;;) {
        uint64_t digits = load_digits(at);
        unsigned count = count_digits(digits);
        if (count == 0)
            return at;
        if (d->mantissa >= mantissa_limits[count])
            return take_many_digits(d, at, cut);
        uint64_t value = join_digits(digits << (64 - 8 * count));
        d->mantissa = d->mantissa * whole_powers[count] + value;
        at += count;
        if (count < 8)
            return at;
    }
}

/* --- the number's parts; each says where it ends, or NULL with *wrong set */

static inline const char *take_whole(struct decimal *d, const char *at, const char **wrong)
{
    int cut = 0;
    const char *end = take_digits(d, at, &cut);
    if (end == at || (*at == '0' && end - at > 1)) {
        *wrong = at;
        return NULL;
    }
    d->exponent = cut;
    return end;
}

static inline const char *take_fraction(struct decimal *d, const char *at, const char **wrong)
{
    int cut = 0;
    const char *end = take_digits(d, at + 1, &cut);
    if (end == at + 1) {
        *wrong = end;
        return NULL;
    }
    d->exponent -= (int)(end - (at + 1)) - cut;
    return end;
}

static const char *take_exponent(struct decimal *d, const char *at, const char **wrong)
{
    const int enough = 100000000; /* whatever the mantissa: numbers are not that long */
    at++;
    bool is_negative = *at == '-';
    at += *at == '-' || *at == '+';
    if (!is_digit(*at)) {
        *wrong = at;
        return NULL;
    }
    int exponent = 0;
    for (; is_digit(*at); at++)
        if (exponent < enough)
            exponent = exponent * 10 + (*at - '0');
    d->exponent += is_negative ? -exponent : exponent;
    return at;
}

/* The number without its sign. False: *end is the byte that is wrong. */
static inline bool read_decimal(const char *at, const char **end, struct decimal *d)
{
    at = take_whole(d, at, end);
    if (at != NULL && *at == '.')
        at = take_fraction(d, at, end);
    if (at != NULL && (*at == 'e' || *at == 'E'))
        at = take_exponent(d, at, end);
    if (at == NULL)
        return false;
    *end = at;
    return true;
}

/* --- to binary */

struct format {
    int precision; /* bits, with the one that is not stored */
    int exponent_min, exponent_max;
};

static const struct format format_f64 = {53, -1022, 1023};
static const struct format format_f32 = {24, -126, 127};

/* The powers that 128 bits hold exactly; those of the table are 1 too large. */
static inline bool is_exact_power(int exponent)
{
    return exponent >= 0 && exponent <= 55;
}

static inline int floor_log2_of_power_of_10(int exponent)
{
    return (exponent * 1741647) >> 19;
}

/* number * 2^(exponent - 127), and what lies below the number's last bit. */
struct product {
    uint128 number;
    int exponent;
    bool is_exact; /* otherwise it is up to 4 too small */
    bool has_rest;
};

/* The highest bit of the number is set. mantissa > 0, the exponent is one of the table. */
static struct product multiply(uint64_t mantissa, int exponent)
{
    struct power power = powers[exponent - POWER_MIN];
    power.high -= power.low == 0;
    power.low--;
    int shift = __builtin_clzll(mantissa);
    mantissa <<= shift;
    uint128 low = (uint128)power.low * mantissa;
    uint128 high = (uint128)power.high * mantissa + (uint64_t)(low >> 64);
    uint64_t rest = (uint64_t)low;
    bool is_short = high >> 127 == 0;
    return (struct product){
        .number = is_short ? high << 1 | rest >> 63 : high,
        .exponent = floor_log2_of_power_of_10(exponent) + 64 - shift - is_short,
        .is_exact = is_exact_power(exponent),
        .has_rest = (is_short ? rest << 1 : rest) != 0,
    };
}

/* Which of two neighbours is closer, where `fraction` of the way between them is known. */
enum direction {
    DOWN,
    UP,
    UNSURE
};

static enum direction choose(const struct product *p, uint128 fraction, uint128 half, bool is_odd)
{
    if (fraction > half)
        return UP;
    if (p->is_exact) {
        if (fraction == half)
            return p->has_rest || is_odd ? UP : DOWN;
        return DOWN;
    }
    return fraction + 4 <= half ? DOWN : UNSURE;
}

/* The bits of the float closest to mantissa * 10^exponent; false when it cannot be told. */
static bool round_decimal(uint64_t mantissa, int exponent, const struct format *f, uint64_t *bits)
{
    const uint64_t infinite = (uint64_t)(2 * f->exponent_max + 1) << (f->precision - 1);
    *bits = exponent > 0 ? infinite : 0;
    if (mantissa == 0) {
        *bits = 0;
        return true;
    }
    if (exponent > 308 || exponent < -343)
        return true; /* above 10^308; below a tenth of the smallest float64 */
    if (exponent < POWER_MIN)
        return false;
    struct product p = multiply(mantissa, exponent);
    if (p.exponent > f->exponent_max)
        return true;
    int precision = f->precision;
    if (p.exponent < f->exponent_min)
        precision -= f->exponent_min - p.exponent;
    if (precision < 1)
        return precision < -1; /* less than a quarter of the smallest: zero */
    unsigned dropped = 128 - (unsigned)precision;
    uint64_t kept = (uint64_t)(p.number >> dropped);
    uint128 half = (uint128)1 << (dropped - 1);
    enum direction direction = choose(&p, p.number & (2 * half - 1), half, kept & 1);
    if (direction == UNSURE)
        return false;
    kept += direction == UP;
    /* The bit that is not stored adds one to the exponent, as does rounding up to a power of two.
     */
    uint64_t above_min =
        p.exponent < f->exponent_min ? 0 : (uint64_t)(p.exponent - f->exponent_min);
    *bits = (above_min << (f->precision - 1)) + kept;
    return true;
}

/* A number with digits left out lies between two that differ in the last one. */
static bool round_exactly(const struct decimal *d, const struct format *f, uint64_t *bits)
{
    if (!round_decimal(d->mantissa, d->exponent, f, bits))
        return false;
    uint64_t next;
    return !d->is_cut || (round_decimal(d->mantissa + 1, d->exponent, f, &next) && next == *bits);
}

/* strtod() knows more forms than JSON, but not for the numbers that come here; nothing in
 * the server changes the locale. */
static __attribute__((noinline)) double exact_f64(const struct decimal *d, const char *text)
{
    uint64_t bits;
    if (!round_exactly(d, &format_f64, &bits))
        return strtod(text, NULL);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static __attribute__((noinline)) float exact_f32(const struct decimal *d, const char *text)
{
    uint64_t bits;
    if (!round_exactly(d, &format_f32, &bits))
        return strtof(text, NULL);
    uint32_t bits32 = (uint32_t)bits;
    float value;
    memcpy(&value, &bits32, sizeof value);
    return value;
}

/* One operation on exact numbers, rounded once. */
static inline bool round_at_once(const struct decimal *d, double *out)
{
    int exponent = d->exponent;
    if (d->mantissa > EXACT_MANTISSA_MAX || exponent < -EXACT_POWER_MAX ||
        exponent > EXACT_POWER_MAX)
        return false;
    double mantissa = (double)d->mantissa;
    *out = exponent < 0 ? mantissa / exact_powers[-exponent] : mantissa * exact_powers[exponent];
    return true;
}

/* A float64 in the middle of two float32: the number may be on either side of it. */
static inline bool is_between_floats(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x1fffffff) == 0x10000000;
}

static inline enum number_status read_f64(const char *at, const char **end, double *out)
{
    struct decimal d = {0, 0, false};
    bool is_negative = *at == '-';
    if (!read_decimal(at + is_negative, end, &d))
        return NUMBER_INVALID;
    double value;
    if (!round_at_once(&d, &value)) {
        value = exact_f64(&d, at + is_negative);
        if (isinf(value)) {
            *end = at;
            return NUMBER_OUT_OF_RANGE;
        }
    }
    *out = is_negative ? -value : value;
    return NUMBER_OK;
}

static inline enum number_status read_f32(const char *at, const char **end, float *out)
{
    struct decimal d = {0, 0, false};
    bool is_negative = *at == '-';
    if (!read_decimal(at + is_negative, end, &d))
        return NUMBER_INVALID;
    double between;
    float value;
    if (round_at_once(&d, &between) && !is_between_floats(between)) {
        value = (float)between; /* from 10^-22 on, so never one of the smallest floats */
    } else {
        value = exact_f32(&d, at + is_negative);
        if (isinf(value) && isinf(exact_f64(&d, at + is_negative))) {
            *end = at;
            return NUMBER_OUT_OF_RANGE;
        }
    }
    *out = is_negative ? -value : value;
    return NUMBER_OK;
}

enum number_status number_read_f64(const char *at, const char **end, double *out)
{
    return read_f64(at, end, out);
}

enum number_status number_read_f32(const char *at, const char **end, float *out)
{
    return read_f32(at, end, out);
}

/* --- arrays */

static inline const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

static inline bool starts_number(char c)
{
    return is_digit(c) || c == '-';
}

/* The two are the same but for the type, so that both are inlined in their loops. */
#define SCAN(read, at, out, max)                                               \
    const char *next = *at;                                                    \
    size_t count = 0;                                                          \
    while (count < max) {                                                      \
        const char *end = skip_space(next);                                    \
        if (!starts_number(*end) || read(end, &end, &out[count]) != NUMBER_OK) \
            break;                                                             \
        end = skip_space(end);                                                 \
        if (*end != ',')                                                       \
            break;                                                             \
        next = end + 1;                                                        \
        count++;                                                               \
    }                                                                          \
    *at = next;                                                                \
    return count

size_t number_scan_f64_scalar(const char *text, const char **at, double *out, size_t max)
{
    (void)text;
    SCAN(read_f64, at, out, max);
}

size_t number_scan_f32_scalar(const char *text, const char **at, float *out, size_t max)
{
    (void)text;
    SCAN(read_f32, at, out, max);
}
