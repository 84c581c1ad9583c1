#include "decimals.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

uint64_t decimals_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t limit)
{
    return (size_t)(decimals_random(state) % limit);
}

static char *put_sign(char *out, uint64_t *state)
{
    *out = '-';
    return out + below(state, 2);
}

/* The first one may be zero when it is the only one. */
static char *put_whole(char *out, size_t digits, uint64_t *state)
{
    *out++ = (char)('0' + (digits == 1 ? below(state, 10) : 1 + below(state, 9)));
    for (size_t i = 1; i < digits; i++)
        *out++ = (char)('0' + below(state, 10));
    return out;
}

static char *put_fraction(char *out, size_t digits, uint64_t *state)
{
    *out++ = '.';
    for (size_t i = 0; i < digits; i++)
        *out++ = (char)('0' + below(state, 10));
    return out;
}

/* The decimals of a whole number are few, so that whole and short ones come up too. */
static char *put_digits(char *out, size_t digits_max, uint64_t *state)
{
    size_t digits = 1 + below(state, digits_max), whole = 1 + below(state, digits);
    out = put_whole(out, whole, state);
    return digits == whole ? out : put_fraction(out, digits - whole, state);
}

static char *put_exponent(char *out, int range, uint64_t *state)
{
    static const char *const marks[] = {"e", "E", "e+", "e-", "E-"};
    const char *mark = marks[below(state, 5)];
    return out + sprintf(out, "%s%zu", mark, below(state, (size_t)range));
}

/* Finite, and with every exponent as likely as any other. */
static double any_f64(uint64_t *state)
{
    double value;
    do {
        uint64_t bits = decimals_random(state);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

static float any_f32(uint64_t *state)
{
    float value;
    do {
        uint32_t bits = (uint32_t)decimals_random(state);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

/* All digits of a number, and perhaps one more that makes it a little larger; or a little less
 * than all. In plain notation when that is not too long. */
static char *put_around(char *out, long double value, uint64_t *state)
{
    bool is_plain = fabsl(value) < 1e25L && fabsl(value) > 1e-25L;
    char text[DECIMALS_BYTES_MAX];
    int bytes = snprintf(text, sizeof text, is_plain ? "%.100Lf" : "%.780Le", value);
    size_t digits = strcspn(text, "e");
    const char *exponent = text + digits;
    while (text[digits - 1] == '0' && text[digits - 2] != '.')
        digits--;
    (void)bytes;
    memcpy(out, text, digits);
    switch (below(state, 4)) {
    case 0:
        out[digits++] = '1';
        break;
    case 1:
        memset(out + digits, '0', 20);
        out[digits + 20] = '1';
        digits += 21;
        break;
    case 2: /* the last digit is not a zero, or the only one behind the point */
        out[digits - 1] = (char)(out[digits - 1] - (out[digits - 1] > '0'));
        break;
    default:
        break;
    }
    strcpy(out + digits, exponent);
    return out + strlen(out);
}

/* Near 1 as often as anywhere: numbers in requests are. */
static char *put_middle_f64(char *out, uint64_t *state)
{
    double value = any_f64(state);
    if (below(state, 2) == 0)
        value =
            ldexp(1 + (double)(decimals_random(state) >> 11) * 0x1p-53, (int)below(state, 90) - 30);
    double next = nextafter(value, INFINITY);
    /* The 64 bits of a long double hold the middle of two float64. */
    return put_around(out, isinf(next) ? value : ((long double)value + next) / 2, state);
}

static char *put_middle_f32(char *out, uint64_t *state)
{
    float value = any_f32(state);
    if (below(state, 2) == 0)
        value = ldexpf(1 + (float)(decimals_random(state) >> 41) * 0x1p-23f,
                       (int)below(state, 50) - 25);
    float next = nextafterf(value, INFINITY);
    return put_around(out, isinf(next) ? value : ((long double)value + next) / 2, state);
}

size_t decimals_write(char *out, enum decimals_kind kind, uint64_t *state)
{
    char *at = out;
    switch (kind) {
    case DECIMALS_SHORT:
        at = put_sign(at, state);
        at = put_whole(at, 1 + below(state, 4), state);
        at = put_fraction(at, 1 + below(state, 4), state);
        break;
    case DECIMALS_UNIT:
        at = put_sign(at, state);
        *at++ = '0';
        at = put_fraction(at, 1 + below(state, 20), state);
        break;
    case DECIMALS_DIGITS:
        at = put_digits(put_sign(at, state), 40, state);
        break;
    case DECIMALS_WHOLE:
        at = put_whole(put_sign(at, state), 1 + below(state, 25), state);
        break;
    case DECIMALS_F64:
        at += sprintf(at, "%.17g", any_f64(state));
        break;
    case DECIMALS_F32:
        at += sprintf(at, "%.9g", (double)any_f32(state));
        break;
    case DECIMALS_MIDDLE_F64:
        at = put_middle_f64(at, state);
        break;
    case DECIMALS_MIDDLE_F32:
        at = put_middle_f32(at, state);
        break;
    case DECIMALS_EXPONENT:
        at = put_digits(put_sign(at, state), 25, state);
        at = put_exponent(at, below(state, 2) == 0 ? 60 : 330, state);
        break;
    case DECIMALS_KINDS:
        break;
    }
    return (size_t)(at - out);
}
