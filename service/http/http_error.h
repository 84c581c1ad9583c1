/*
 * http_error.h - what the HTTP layer refuses by itself, and with which answer.
 *
 * One table: name, status, stable code of the JSON error body.
 */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#define HTTP_ERROR_MAP(X)                                \
    X(BAD_REQUEST, 400, "bad_request")                   \
    X(REQUEST_TIMEOUT, 408, "request_timeout")           \
    X(PAYLOAD_TOO_LARGE, 413, "payload_too_large")       \
    X(URI_TOO_LONG, 414, "uri_too_long")                 \
    X(EXPECTATION_FAILED, 417, "expectation_failed")     \
    X(HEADERS_TOO_LARGE, 431, "headers_too_large")       \
    X(NOT_IMPLEMENTED, 501, "not_implemented")           \
    X(TOO_MANY_CONNECTIONS, 503, "too_many_connections") \
    X(OUT_OF_MEMORY, 503, "out_of_memory")               \
    X(DEADLINE_EXCEEDED, 504, "deadline_exceeded")       \
    X(VERSION_NOT_SUPPORTED, 505, "version_not_supported")

enum http_error {
#define X(name, status, code) HTTP_ERROR_##name,
    HTTP_ERROR_MAP(X)
#undef X
};

/* Why a request was dropped before it reached a handler; for counting. */
enum http_protocol_error {
    HTTP_PROTOCOL_BAD_REQUEST_LINE,
    HTTP_PROTOCOL_BAD_HEADER,
    HTTP_PROTOCOL_BAD_CHUNK,
    HTTP_PROTOCOL_SMUGGLING,
    HTTP_PROTOCOL_TOO_LARGE,
    HTTP_PROTOCOL_TIMEOUT_HEADER,
    HTTP_PROTOCOL_TIMEOUT_BODY,
    HTTP_PROTOCOL_RESET,
};

int http_error_status(enum http_error error);
const char *http_error_code(enum http_error error);

/* "Not Found"; "Unknown" for a status that the service never sends. */
const char *http_status_text(int status);

#endif
