/*
 * histogram.h - how often each duration was seen, with at most 1 % error.
 *
 * Log-linear, as HdrHistogram's: every power of two is cut into 128 equal parts,
 * so a value is known to 1/128 of itself or better, and a quantile, told as the
 * middle of its part, to 0.4 %. Below 256 ns values are exact. Count, sum,
 * smallest and largest are exact always.
 *
 *   Units      nanoseconds; values of 73 minutes and more share the last part.
 *   Memory     36 KB each, none allocated; recording is a shift and an add.
 *   Threads    one owner; add up with histogram_add().
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    HISTOGRAM_PART_BITS = 7,
    HISTOGRAM_PARTS = 1 << HISTOGRAM_PART_BITS,
    HISTOGRAM_VALUE_BITS = 42,
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_PART_BITS + 1) * HISTOGRAM_PARTS,
};

struct histogram {
    uint64_t count;
    uint64_t min; /* of none: UINT64_MAX */
    uint64_t max;
    double sum;
    uint64_t _buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *h);
void histogram_record(struct histogram *h, uint64_t value_ns);
void histogram_add(struct histogram *h, const struct histogram *other);

/* The smallest value that at least this share (0 to 1) of all values does not
 * exceed; 0 when there are none. 0 and 1 are the exact minimum and maximum. */
uint64_t histogram_quantile(const struct histogram *h, double share);
double histogram_mean(const struct histogram *h);
/* How many values were at most `value_ns`, to the error of the parts. */
uint64_t histogram_count_to(const struct histogram *h, uint64_t value_ns);

/* The percentile distribution in the text format of HdrHistogram's plotters, in
 * milliseconds. */
void histogram_print(const struct histogram *h, FILE *out);

#endif
