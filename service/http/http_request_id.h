/*
 * http_request_id.h - names for requests: made up, or taken from what a client sent.
 *
 *   Threads    a source belongs to one loop's thread; the rest is pure.
 */
#ifndef HTTP_REQUEST_ID_H
#define HTTP_REQUEST_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_REQUEST_ID_BYTES_MAX = 64,
    HTTP_TRACE_ID_BYTES = 32
};

/* Where made-up ids come from. They do not repeat; they can be guessed. */
struct http_request_ids {
    uint64_t _state[2];
};

/* Seeds it from the system. */
void http_request_ids_init(struct http_request_ids *ids);

/* 32 hexadecimal digits, as a trace id has; not terminated. Allocates nothing. */
void http_request_ids_next(struct http_request_ids *ids, char out[HTTP_TRACE_ID_BYTES]);

/* Whether a client's own id may be echoed and logged: 1 to HTTP_REQUEST_ID_BYTES_MAX letters,
 * digits and - _ . : / + = @. */
bool http_request_id_ok(const char *text, size_t bytes);

/*
 * The trace id in a W3C traceparent, 00-<trace id>-<parent id>-<flags> in lower-case hexadecimal
 * digits and none of the ids all zeros. NULL: it is not that; it points into `text`.
 */
const char *http_trace_id(const char *text, size_t bytes);

#endif
