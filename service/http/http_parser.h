/*
 * http_parser.h - bytes to one request at a time: llhttp, and every check that
 * llhttp leaves to its user.
 *
 *   Threads    one owner; no I/O, no clock, so it is tested without sockets.
 *   Ownership  the parser owns the text of the head; `body` is the caller's
 *              buffer. Slices of the request point into the parser and are good
 *              until http_parser_next().
 *   Splits     the verdict on a sequence of bytes does not depend on how it was
 *              cut into pieces: every limit counts bytes of the message, never
 *              pieces.
 *
 *     for (;;) switch (http_parser_feed(p, data, bytes, &used)) {
 *         HEADERS:  look at the request; go on feeding from data + used
 *         MESSAGE:  the request is whole; http_parser_next() before more
 *         MORE:     all was used
 *         REFUSED:  answer p->refusal and close
 *     }
 */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <llhttp.h>

#include "buffer.h"
#include "http_error.h"
#include "http_limits.h"

/* The header fields that someone reads; others are counted and dropped. */
#define HTTP_HEADER_MAP(X)                     \
    X(HOST, "host")                            \
    X(CONTENT_TYPE, "content-type")            \
    X(CONTENT_ENCODING, "content-encoding")    \
    X(TRANSFER_ENCODING, "transfer-encoding")  \
    X(EXPECT, "expect")                        \
    X(ACCEPT, "accept")                        \
    X(AUTHORIZATION, "authorization")          \
    X(REQUEST_TIMEOUT, "x-request-timeout-ms") \
    X(IF_MATCH, "if-match")                    \
    X(PRIORITY, "x-priority")                  \
    X(TENANT, "x-tenant")                      \
    X(REQUEST_ID, "x-request-id")              \
    X(TRACEPARENT, "traceparent")

enum http_header {
#define X(id, name) HTTP_HEADER_##id,
    HTTP_HEADER_MAP(X)
#undef X
    HTTP_HEADER_COUNT,
    HTTP_HEADER_UNKNOWN = HTTP_HEADER_COUNT
};

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER,
};

/* Text that is not terminated. `at` is NULL when the field was not sent. */
struct http_slice {
    const char *at;
    size_t bytes;
};

struct http_request {
    enum http_method method;
    struct http_slice path;  /* starts with '/'; still percent-encoded */
    struct http_slice query; /* behind '?'; may be empty */
    /* Of a repeated Accept the first; a repeated X-Request-Id or traceparent is empty. */
    struct http_slice headers[HTTP_HEADER_COUNT];
    uint64_t content_length; /* declared; 0 when chunked */
    bool chunked;
    bool expects_continue;
    bool version_1_0;
    bool keep_alive;
};

struct http_refusal {
    enum http_error error;
    enum http_protocol_error reason;
    const char *text; /* static */
};

enum http_parse_result {
    HTTP_PARSE_MORE,
    HTTP_PARSE_HEADERS,
    HTTP_PARSE_MESSAGE,
    HTTP_PARSE_REFUSED,
};

struct http_parser {
    struct http_request request; /* complete from HTTP_PARSE_HEADERS on */
    struct http_refusal refusal; /* set with HTTP_PARSE_REFUSED */
    bool discard_body;           /* set by the caller after the headers: count it, keep nothing */
    bool in_body;                /* its headers are complete */
    uint64_t body_bytes;         /* of the current message, kept or discarded */

    llhttp_t _llhttp;
    const struct http_limits *_limits;
    struct buffer *_body;
    struct buffer _head; /* target, then the values of known headers */
    size_t _target_bytes;
    bool _target_spaced; /* more than one space stands in front of it */
    size_t _method_bytes;
    struct {
        size_t start;
        size_t bytes;
        unsigned lines;
    } _values[HTTP_HEADER_COUNT];
    char _name[32]; /* the field name being read, lower case */
    size_t _name_bytes;
    bool _name_complete;
    enum http_header _field;
    size_t _headers;
    size_t _headers_bytes;
    size_t _chunks;
    size_t _chunk_extension_bytes;
    uint64_t _raw_bytes; /* of the current part (head or body) of the message */
    const char *_piece;  /* what llhttp is reading now */
    char _tail[8];       /* the bytes before it, in the request line */
    bool _version_seen;
    bool _complete;
    bool _refused;
};

/* `limits` and `body` must outlive the parser. */
void http_parser_init(struct http_parser *p, const struct http_limits *limits, struct buffer *body);
/* As new, for another connection; keeps its memory. */
void http_parser_restart(struct http_parser *p);
void http_parser_deinit(struct http_parser *p);

/* Reads on. *used is how many bytes were taken; bytes behind HEADERS and MESSAGE
 * are for the next call. */
enum http_parse_result http_parser_feed(struct http_parser *p, const char *data, size_t bytes,
                                        size_t *used);

/* Ready for the next request on the connection; also empties the body. */
void http_parser_next(struct http_parser *p);

/* Whether the input so far ends between two messages (empty lines do not count). */
bool http_parser_at_boundary(const struct http_parser *p);

bool http_slice_equals(struct http_slice slice, const char *text);
/* ASCII letters compare without case. */
bool http_slice_equals_nocase(struct http_slice slice, const char *text);

#endif
