/*
 * kernels_testing.h - what the tests of the kernels share.
 */
#ifndef KERNELS_TESTING_H
#define KERNELS_TESTING_H

#include <stdint.h>

#include "kernels.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Runs its statement for every table that this processor has. */
#define FOR_EACH_TABLE(table)                                                                  \
    for (unsigned _isa = 0; _isa < KERNELS_ISA_COUNT; _isa++)                                  \
        for (const struct kernels *table = kernels_for((enum kernels_isa)_isa); table != NULL; \
             table = NULL)

/* A small generator of our own: the same series everywhere, for ever. In [0, 1). */
static inline double next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (double)(*state >> 11) * 0x1p-53;
}

#endif
