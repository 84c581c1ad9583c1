/*
 * buffer.h - bytes that grow up to a maximum they were born with.
 *
 *   Threads    one owner at a time.
 *   Ownership  the buffer owns its memory; buffer_deinit() frees it.
 *   Errors     appending past the maximum or out of memory sets `failed`,
 *              keeps what was there and ignores all later appends: check once,
 *              at the end.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data; /* not terminated; NULL while nothing was reserved */
    size_t bytes;
    size_t capacity_bytes;
    size_t bytes_max;
    bool failed;
};

void buffer_init(struct buffer *buf, size_t bytes_max);
void buffer_deinit(struct buffer *buf);

/* Empties it and clears `failed`; the memory stays, unless it has grown beyond
 * `keep_bytes_max`. */
void buffer_reset(struct buffer *buf, size_t keep_bytes_max);

/* Room for `bytes` more behind the contents; NULL (and failed) when there is
 * none to be had. buffer_commit() makes what was written there part of it. */
char *buffer_reserve(struct buffer *buf, size_t bytes);
void buffer_commit(struct buffer *buf, size_t bytes);

void buffer_append(struct buffer *buf, const void *data, size_t bytes);
void buffer_append_str(struct buffer *buf, const char *text);
void buffer_append_count(struct buffer *buf, uint64_t n); /* in decimal */
void buffer_append_format(struct buffer *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buffer_append_json_string(struct buffer *buf, const char *text, size_t bytes);

/* Into an empty one without memory of its own, if `from` has some. Both keep their maximum. */
void buffer_move(struct buffer *to, struct buffer *from);

/* Drops the first `bytes`, moving the rest to the front. */
void buffer_consume(struct buffer *buf, size_t bytes);

#endif
