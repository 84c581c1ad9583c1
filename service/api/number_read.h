/*
 * number_read.h - one JSON number to the nearest float32 or float64, exact to the bit.
 *
 *   Threads    any; pure functions.
 *   Text       starts with a digit or '-' and is followed by NUMBER_READ_PADDING zero
 *              bytes at least, wherever it ends: words of it are loaded, not bytes.
 *   Result     what strtod() and strtof() say in the C locale, whatever the number of
 *              digits: float32 is rounded once, from the decimal. "-0" is -0.
 */
#ifndef NUMBER_READ_H
#define NUMBER_READ_H

enum {
    NUMBER_READ_PADDING = 64
};

enum number_status {
    NUMBER_OK,
    NUMBER_INVALID,     /* *end: where a digit is missing, or the 0 in front of one */
    NUMBER_OUT_OF_RANGE /* of float64; *end: where the number starts */
};

/* *end: behind the number. */
enum number_status number_read_f64(const char *at, const char **end, double *out);

/* A number that only float64 can hold is OK here, and infinite. */
enum number_status number_read_f32(const char *at, const char **end, float *out);

#endif
