/*
 * number_scan.h - the elements of an array of numbers, as many as are there, at once, and how
 * many there may be.
 *
 *   Threads    any; pure functions, chosen once.
 *   Result     bit for bit that of number_read.h, which is also what every variant leaves
 *              to do whatever it does not know: numbers in other shapes, and mistakes.
 *   Variants   "avx512" takes 64 bytes to find where numbers start and end, four numbers at
 *              once to read their digits, and eight for a division; "avx2" takes 32 bytes
 *              with a number; "scalar" takes eight digits and runs anywhere.
 */
#ifndef NUMBER_SCAN_H
#define NUMBER_SCAN_H

#include <stddef.h>

struct number_scan {
    const char *isa;
    /*
     * Reads elements that have a comma behind them, `max` at most, and returns how many.
     * *at stands before an element, and in the end behind the comma of the last one that
     * was read. What stops it is at *at then: the array's last element, something that is
     * no number, a mistake, or elements that may be more than `max`. What lies behind those
     * that were read in `out` is undefined. The text may be read from `text` on, and has the
     * padding of number_read.h.
     */
    size_t (*f64)(const char *text, const char **at, double *out, size_t max);
    size_t (*f32)(const char *text, const char **at, float *out,
                  size_t max); /* infinite: float64 only */
    /* How many commas are in the text, which needs no padding. */
    size_t (*commas)(const char *text, size_t bytes);
};

/* By its name, or NULL when this processor cannot run it. */
const struct number_scan *number_scan_for(const char *isa);
const struct number_scan *number_scan_best(void);

#endif
