/*
 * paired.h - what pairs of measurements say of a ratio, and how sure that is.
 *
 * Each round of a comparison measures A and B one right behind the other, so that what
 * the machine does meanwhile touches both; the ratio B/A of a round keeps what differs
 * between the two. Of the ratios of all rounds the median is told, with the interval
 * that two of the sorted ratios span: with n rounds, the k-th smallest and the k-th
 * largest enclose the true median with the probability
 *
 *     1 - 2 (C(n,0) + C(n,1) + ... + C(n,k-1)) / 2^n
 *
 * whatever the distribution is, since each ratio falls on either side of the median as a
 * fair coin does (the sign test, inverted: Conover, Practical Nonparametric Statistics,
 * 3rd ed. 1999, chapter 3; Le Boudec, Performance Evaluation of Computer and
 * Communication Systems, 2010, chapter 2). Of 9 rounds, the 2nd and the 8th enclose it with 96.1 %:
 * one round spoilt on either side does not move them. An interval of Student's t would be narrower
 * when noise is normal, and is wrong when it is not, as on a shared machine.
 *
 *   Purity     no I/O and no clock.
 */
#ifndef PAIRED_H
#define PAIRED_H

#include <stddef.h>

enum {
    PAIRED_MAX = 1000,
};

struct paired_ratio {
    size_t pairs;  /* 0: nothing is known, and the rest is NAN */
    double median; /* of an even number the geometric mean of the middle two */
    double low;    /* of the interval; the ratio's own with one pair */
    double high;
    double confidence; /* of that interval: at least what was wished, or what so few pairs allow */
};

/* Of pairs with a NAN, 0 or less on either side nothing is learnt: they are left out.
 * At most PAIRED_MAX. `confidence` is from 0 to 1. */
void paired_ratio(const double *a, const double *b, size_t count, double confidence,
                  struct paired_ratio *out);

/* The middle one of those that are no NAN, or the mean of the middle two; NAN of none. */
double paired_median(const double *values, size_t count);

/* The probability that the k-th smallest and the k-th largest of n enclose the median; k is
 * from 1 to n / 2, or to 1. */
double paired_confidence(size_t n, size_t k);

#endif
