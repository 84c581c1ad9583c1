/*
 * put.h - text into memory that is known to have room for it; each returns where it ends.
 *
 *   Threads    any; pure.
 */
#ifndef PUT_H
#define PUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    PUT_COUNT_BYTES_MAX = 20
};

static inline char *put_bytes(char *at, const char *text, size_t bytes)
{
    memcpy(at, text, bytes);
    return at + bytes;
}

static inline char *put_text(char *at, const char *text)
{
    return put_bytes(at, text, strlen(text));
}

/* In decimal. */
static inline char *put_count(char *at, uint64_t n)
{
    char digits[PUT_COUNT_BYTES_MAX];
    size_t i = sizeof digits;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return put_bytes(at, digits + i, sizeof digits - i);
}

#endif
