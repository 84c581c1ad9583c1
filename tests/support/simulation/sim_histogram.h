/*
 * sim_histogram.h - times, and their percentiles to within 1.6 %: 32 buckets for each power of two.
 */
#ifndef SIM_HISTOGRAM_H
#define SIM_HISTOGRAM_H

#include <stdint.h>

enum {
    SIM_HISTOGRAM_STEPS = 32, /* buckets a power of two */
    SIM_HISTOGRAM_POWERS = 44 /* times from 2^44 ns, five hours, count as that */
};

struct sim_histogram {
    uint64_t buckets[SIM_HISTOGRAM_POWERS * SIM_HISTOGRAM_STEPS];
    uint64_t count;
    double sum_ns;
};

void sim_histogram_add(struct sim_histogram *histogram, uint64_t ns);

/* `part` 0.99: no more than one in a hundred is above. 0 when it is empty. */
double sim_histogram_ns(const struct sim_histogram *histogram, double part);

#endif
