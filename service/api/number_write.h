/*
 * number_write.h - numbers as JSON text, the shortest that reads back the same or with so many
 * decimals.
 *
 *   Threads    any; pure functions.
 *   Format     plain decimals from 1e-7 up to (not including) 1e16, else with an
 *              exponent: 0.1, 12, -3.5, 1e-9, 1.5e300. No ".0" on whole numbers;
 *              -0 is "-0". Non-finite numbers are "null", since JSON has no others.
 *   Source     Raffaello Giulietti, "The Schubfach way to render doubles" (2020).
 */
#ifndef NUMBER_WRITE_H
#define NUMBER_WRITE_H

#include <stddef.h>

/* No number needs more room than this. */
enum {
    NUMBER_F64_BYTES_MAX = 32,
    NUMBER_F32_BYTES_MAX = 24,
    NUMBER_DECIMALS_MAX = 9
};

/* Writes the text, not terminated, and returns how many bytes it has; `out` has room
 * for the maximum above, and what lies behind the text in it is undefined. The text
 * is the shortest decimal that rounds to `value`, and among those the closest to it. */
size_t number_write_f64(char *out, double value);
size_t number_write_f32(char *out, float value);

/* With at most so many decimals: the closest such number, the even one of two that are as close.
 * No zeros at its end, and none with a sign: 1.5, 12, 0. From 2^53 on, where nothing has
 * decimals, the text is the shortest. As much room as for any float64. */
size_t number_write_decimals(char *out, double value, unsigned decimals);

/* The same for `count` numbers, with commas between them, and in two thirds of the time, since the
 * numbers go through each step together. `out` has room for the maximum and a comma each. */
size_t number_write_array_f64(char *out, const double *values, size_t count);
size_t number_write_array_f32(char *out, const float *values, size_t count);
size_t number_write_array_decimals(char *out, const double *values, size_t count,
                                   unsigned decimals);

#endif
