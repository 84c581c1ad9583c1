/*
 * quantity.h - numbers with units, from and to people: 5ms, 1.5s, 20%, 5k.
 */
#ifndef QUANTITY_H
#define QUANTITY_H

#include "load_base.h"

/* "250us", "5ms", "10s", "2m", "0": a unit must stand behind anything but zero. False
 * when it is none, is negative, or is longer than a day. */
bool quantity_parse_duration(const char *text, uint64_t *out_ns)
    __attribute__((warn_unused_result));
/* "2%" or "0.02"; from 0 to 1. */
bool quantity_parse_share(const char *text, double *out) __attribute__((warn_unused_result));
/* "5000", "5k", "1.5M"; not negative. */
bool quantity_parse_number(const char *text, double *out) __attribute__((warn_unused_result));

/* "123 us", "4.56 ms", "7.80 s": three digits. */
const char *quantity_print_duration(double ns, char *out, size_t out_bytes);

#endif
