/*
 * http_exchange.h - one request and its one answer, as a handler sees them.
 *
 *   Threads    the loop's thread only.
 *   Ownership  the connection owns the exchange; it is good from on_headers
 *              until the answer, or on_abort.
 *
 * To answer: put the body into ex->answer, add what headers it needs, and call
 * http_answer() once. It may free or reuse the exchange before it returns.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "http_parser.h"
#include "http_request_id.h"

enum {
    HTTP_EXTRA_HEADERS_BYTES_MAX = 512
};

struct http_exchange {
    const struct http_request *request; /* NULL for a request that was refused as malformed */
    struct buffer *body;  /* of the request, until on_request returns; may be changed in place */
    struct buffer answer; /* body of the answer */
    bool admin;           /* it came through an admin listener */
    bool body_is_here;    /* on_headers: the whole body has been received already */
    uint64_t received_ns; /* the request was complete */
    void *user;           /* the handler's; NULL at first */
    unsigned tag;         /* the handler's; 0 at first */
    /* Terminated. The client's X-Request-Id if it is a good one, else made up: echoed in the
     * answer. Empty until the headers are there, or the answer. */
    char request_id[HTTP_REQUEST_ID_BYTES_MAX + 1];
    size_t request_id_bytes;
    char trace_id[HTTP_TRACE_ID_BYTES + 1]; /* of a good traceparent; else empty */

    char _extra[HTTP_EXTRA_HEADERS_BYTES_MAX];
    size_t _extra_bytes;
};

/* An earlier deadline than the limit for all requests: at `deadline_ns` on_abort is
 * called and 504 answered, if nothing else was until then. */
void http_set_deadline(struct http_exchange *ex, uint64_t deadline_ns);

/* Before a large answer is put together: lends ex->answer memory that is still in the cache. */
void http_answer_begin(struct http_exchange *ex);

/* Adds "Name: value" to the answer's head. Values are ours, never a client's. */
void http_answer_header(struct http_exchange *ex, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for lines that are ready, without the last one's CRLF: for answers that are so frequent
 * that the formatting of a few numbers would be felt. */
void http_answer_lines(struct http_exchange *ex, const char *lines, size_t bytes);

/* Sends ex->answer. `content_type` is NULL when there is no body. */
void http_answer(struct http_exchange *ex, int status, const char *content_type);

/* Replaces ex->answer by {"error": text, "code": code} and sends it. `text` is
 * escaped; it may hold what a client sent. */
void http_answer_error(struct http_exchange *ex, int status, const char *code, const char *text,
                       size_t text_bytes);

#endif
