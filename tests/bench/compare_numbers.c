/*
 * compare_numbers.c - random and hard decimals, read by every variant of number_scan.h, against
 * strtod() and strtof(), bit for bit.
 *
 *   compare_numbers [millions] [seed]      default 100; stops at the first difference
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimals.h"
#include "number_read.h"
#include "number_scan.h"

enum {
    NUMBERS_MAX = 60,
    TEXT_BYTES = NUMBERS_MAX * (DECIMALS_BYTES_MAX + 2) + NUMBER_READ_PADDING,
    VARIANTS = 3
};

struct array {
    char text[TEXT_BYTES];
    size_t numbers; /* each with a comma behind it */
    size_t start[NUMBERS_MAX];
    double f64[NUMBERS_MAX];
    float f32[NUMBERS_MAX];
};

/* The middles take twenty times as long as all others to write, and to read. */
static enum decimals_kind choose_kind(uint64_t *random)
{
    uint64_t chosen = decimals_random(random) % 100;
    if (chosen < 2)
        return DECIMALS_MIDDLE_F64;
    if (chosen < 4)
        return DECIMALS_MIDDLE_F32;
    static const enum decimals_kind others[] = {DECIMALS_SHORT,   DECIMALS_UNIT, DECIMALS_DIGITS,
                                                DECIMALS_WHOLE,   DECIMALS_F64,  DECIMALS_F32,
                                                DECIMALS_EXPONENT};
    return others[chosen % (sizeof others / sizeof *others)];
}

/* In brackets, as JSON; those beyond float64 are left out. */
static void make_array(struct array *a, uint64_t *random)
{
    enum decimals_kind kind = choose_kind(random);
    char *at = a->text;
    *at++ = '[';
    a->numbers = 0;
    for (size_t tries = 1 + decimals_random(random) % NUMBERS_MAX; tries > 0; tries--) {
        size_t bytes = decimals_write(at, kind, random);
        memset(at + bytes, 0, NUMBER_READ_PADDING);
        double value = strtod(at, NULL);
        if (isinf(value))
            continue;
        a->start[a->numbers] = (size_t)(at - a->text);
        a->f64[a->numbers] = value;
        a->f32[a->numbers++] = strtof(at, NULL);
        at += bytes;
        *at++ = ',';
    }
    memset(at, 0, NUMBER_READ_PADDING);
}

/* What a variant leaves is the scalar one's, as in the service. */
static bool compare(const struct array *a, const struct number_scan *scan,
                    const struct number_scan *scalar)
{
    double f64[NUMBERS_MAX];
    float f32[NUMBERS_MAX];
    const char *at = a->text + 1;
    size_t count = scan->f64(a->text, &at, f64, NUMBERS_MAX);
    count += scalar->f64(a->text, &at, f64 + count, NUMBERS_MAX - count);
    at = a->text + 1;
    size_t count32 = scan->f32(a->text, &at, f32, NUMBERS_MAX);
    count32 += scalar->f32(a->text, &at, f32 + count32, NUMBERS_MAX - count32);
    if (count != a->numbers || count32 != a->numbers) {
        printf("%s: %zu and %zu numbers, not %zu: %s\n", scan->isa, count, count32, a->numbers,
               a->text);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&f64[i], &a->f64[i], sizeof(double)) == 0 &&
            memcmp(&f32[i], &a->f32[i], sizeof(float)) == 0)
            continue;
        printf("%s: %a and %a, not %a and %a: %.*s\n", scan->isa, f64[i], (double)f32[i], a->f64[i],
               (double)a->f32[i], (int)strcspn(a->text + a->start[i], ","), a->text + a->start[i]);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const char *const isas[VARIANTS] = {"scalar", "avx2", "avx512"};
    static struct array array;
    uint64_t wanted = (argc > 1 ? strtoull(argv[1], NULL, 10) : 100) * 1000000, compared = 0;
    uint64_t random = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261121;
    const struct number_scan *scalar = number_scan_for("scalar");
    for (size_t v = 0; v < VARIANTS; v++)
        printf("%s: %s\n", isas[v], number_scan_for(isas[v]) != NULL ? "compared" : "not here");
    while (compared < wanted) {
        make_array(&array, &random);
        for (size_t v = 0; v < VARIANTS; v++) {
            const struct number_scan *scan = number_scan_for(isas[v]);
            if (scan != NULL && !compare(&array, scan, scalar))
                return 1;
        }
        compared += array.numbers;
    }
    printf("%" PRIu64 " decimals, as float64 and float32: no difference\n", compared);
    return 0;
}
