/*
 * load_random.h - random numbers that a seed decides: the same run twice sends
 * the same requests at the same intended times.
 *
 * The generator is SplitMix64: one add and a mix, and any seed is a good one.
 */
#ifndef LOAD_RANDOM_H
#define LOAD_RANDOM_H

#include <stdint.h>

struct load_random {
    uint64_t state;
};

static inline uint64_t load_random_next(struct load_random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In [0, 1). */
static inline double load_random_unit(struct load_random *random)
{
    return (double)(load_random_next(random) >> 11) * 0x1p-53;
}

#endif
