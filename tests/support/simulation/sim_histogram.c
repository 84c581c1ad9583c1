/*
 * sim_histogram.c - a bucket is the position of a time's highest bit and the five bits below it.
 */
#include "sim_histogram.h"

enum {
    STEP_BITS = 5
};

/* Times below 2^STEP_BITS have a bucket each. */
static unsigned bucket_of(uint64_t ns)
{
    const uint64_t most = (UINT64_C(1) << SIM_HISTOGRAM_POWERS) - 1;
    const uint64_t x = ns < most ? ns : most;
    if (x < SIM_HISTOGRAM_STEPS)
        return (unsigned)x;
    const unsigned shift = 63 - (unsigned)__builtin_clzll(x) - STEP_BITS;
    return shift * SIM_HISTOGRAM_STEPS + (unsigned)(x >> shift);
}

static double middle_ns(unsigned bucket)
{
    if (bucket < 2 * SIM_HISTOGRAM_STEPS)
        return (double)bucket;
    const unsigned shift = bucket / SIM_HISTOGRAM_STEPS - 1;
    const uint64_t low = (uint64_t)(bucket % SIM_HISTOGRAM_STEPS + SIM_HISTOGRAM_STEPS) << shift;
    return (double)low + (double)(UINT64_C(1) << shift) / 2;
}

void sim_histogram_add(struct sim_histogram *histogram, uint64_t ns)
{
    histogram->buckets[bucket_of(ns)]++;
    histogram->count++;
    histogram->sum_ns += (double)ns;
}

double sim_histogram_ns(const struct sim_histogram *histogram, double part)
{
    const double wanted = part * (double)histogram->count;
    uint64_t passed = 0;
    for (unsigned i = 0; i < SIM_HISTOGRAM_POWERS * SIM_HISTOGRAM_STEPS; i++) {
        passed += histogram->buckets[i];
        if (passed > 0 && (double)passed >= wanted)
            return middle_ns(i);
    }
    return 0;
}
