/*
 * json_chars.h - what single characters of JSON are: for json_text.c, which checks a text, and
 * json_value.c, which trusts it.
 */
#ifndef JSON_CHARS_H
#define JSON_CHARS_H

#include <stdbool.h>

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

static inline bool starts_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-';
}

static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* Four hexadecimal digits. */
static inline int read_hex(const char *at)
{
    int value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | hex_value(at[i]);
    return value;
}

#endif
