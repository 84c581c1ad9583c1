#include "buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "put.h"

enum {
    CAPACITY_BYTES_MIN = 256
};

void buffer_init(struct buffer *buf, size_t bytes_max)
{
    *buf = (struct buffer){.bytes_max = bytes_max};
}

void buffer_deinit(struct buffer *buf)
{
    free(buf->data);
    *buf = (struct buffer){0};
}

void buffer_reset(struct buffer *buf, size_t keep_bytes_max)
{
    buf->bytes = 0;
    buf->failed = false;
    if (buf->capacity_bytes <= keep_bytes_max)
        return;
    free(buf->data);
    buf->data = NULL;
    buf->capacity_bytes = 0;
}

void buffer_move(struct buffer *to, struct buffer *from)
{
    if (to->data != NULL || from->data == NULL || from->capacity_bytes > to->bytes_max)
        return;
    to->data = from->data;
    to->bytes = from->bytes;
    to->capacity_bytes = from->capacity_bytes;
    from->data = NULL;
    from->bytes = from->capacity_bytes = 0;
}

/* Doubles, so that appending stays linear, but never past the maximum. */
static bool grow(struct buffer *buf, size_t bytes_needed)
{
    size_t capacity = buf->capacity_bytes > 0 ? buf->capacity_bytes : CAPACITY_BYTES_MIN;
    while (capacity < bytes_needed)
        capacity = capacity > SIZE_MAX / 2 ? bytes_needed : capacity * 2;
    if (capacity > buf->bytes_max)
        capacity = buf->bytes_max;
    char *data = realloc(buf->data, capacity);
    if (data == NULL)
        return false;
    buf->data = data;
    buf->capacity_bytes = capacity;
    return true;
}

char *buffer_reserve(struct buffer *buf, size_t bytes)
{
    if (buf->failed)
        return NULL;
    if (bytes <= buf->capacity_bytes - buf->bytes && buf->data != NULL)
        return buf->data + buf->bytes;
    if (bytes > buf->bytes_max - buf->bytes || !grow(buf, buf->bytes + bytes)) {
        buf->failed = true;
        return NULL;
    }
    return buf->data + buf->bytes;
}

void buffer_commit(struct buffer *buf, size_t bytes)
{
    buf->bytes += bytes;
}

void buffer_append(struct buffer *buf, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    char *room = buffer_reserve(buf, bytes);
    if (room == NULL)
        return;
    memcpy(room, data, bytes);
    buf->bytes += bytes;
}

void buffer_append_str(struct buffer *buf, const char *text)
{
    buffer_append(buf, text, strlen(text));
}

void buffer_append_count(struct buffer *buf, uint64_t n)
{
    char digits[PUT_COUNT_BYTES_MAX];
    buffer_append(buf, digits, (size_t)(put_count(digits, n) - digits));
}

void buffer_append_format(struct buffer *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* One byte more for the terminator that vsnprintf writes; it is not kept. */
    char *room = bytes < 0 ? NULL : buffer_reserve(buf, (size_t)bytes + 1);
    if (room != NULL) {
        vsnprintf(room, (size_t)bytes + 1, format, again);
        buf->bytes += (size_t)bytes;
    } else {
        buf->failed = true;
    }
    va_end(again);
}

/*
 * How many bytes the UTF-8 sequence at `text` has (RFC 3629: no overlong forms,
 * no surrogates, nothing above U+10FFFF), or 0 when there is none.
 */
static size_t utf8_sequence_bytes(const unsigned char *text, size_t bytes)
{
    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > bytes)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((lead == 0xe0 && text[1] < 0xa0) || (lead == 0xed && text[1] > 0x9f) ||
        (lead == 0xf0 && text[1] < 0x90) || (lead == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

void buffer_append_json_string(struct buffer *buf, const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    buffer_append(buf, "\"", 1);
    for (size_t i = 0; i < bytes;) {
        size_t length = utf8_sequence_bytes(at + i, bytes - i);
        if (length == 0) {
            buffer_append_str(buf, "\xef\xbf\xbd");
            i++;
            continue;
        }
        if (at[i] == '"' || at[i] == '\\')
            buffer_append_format(buf, "\\%c", at[i]);
        else if (at[i] < 0x20 || at[i] == 0x7f)
            buffer_append_format(buf, "\\u%04x", at[i]);
        else if (length == 2 && at[i] == 0xc2 && at[i + 1] < 0xa0) /* C1: commands to a terminal */
            buffer_append_format(buf, "\\u%04x", at[i + 1]);
        else
            buffer_append(buf, at + i, length);
        i += length;
    }
    buffer_append(buf, "\"", 1);
}

void buffer_consume(struct buffer *buf, size_t bytes)
{
    memmove(buf->data, buf->data + bytes, buf->bytes - bytes);
    buf->bytes -= bytes;
}
