/*
 * decimals.h - random numbers as JSON text, among them those that are hard to round.
 */
#ifndef DECIMALS_H
#define DECIMALS_H

#include <stddef.h>
#include <stdint.h>

enum decimals_kind {
    DECIMALS_SHORT,      /* 12.34 */
    DECIMALS_UNIT,       /* 0.123... with up to 20 decimals */
    DECIMALS_DIGITS,     /* up to 40 digits, the point anywhere */
    DECIMALS_WHOLE,      /* up to 25 digits */
    DECIMALS_F64,        /* any float64 with 17 digits */
    DECIMALS_F32,        /* any float32 with 9 digits */
    DECIMALS_MIDDLE_F64, /* exactly between two float64, or next to it */
    DECIMALS_MIDDLE_F32, /* exactly between two float32, or next to it */
    DECIMALS_EXPONENT,   /* any digits, any exponent */
    DECIMALS_KINDS
};

enum {
    DECIMALS_BYTES_MAX = 1200
};

/* SplitMix64. */
uint64_t decimals_random(uint64_t *state);

/* Writes one, not terminated, into DECIMALS_BYTES_MAX bytes; returns how many it has. */
size_t decimals_write(char *out, enum decimals_kind kind, uint64_t *state);

#endif
