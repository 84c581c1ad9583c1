/*
 * http_head.h - the head of an answer as bytes.
 *
 *   Threads    any; pure.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stddef.h>

/* Room for the longest head: status line 64, date 64, type 128, length 64, connection 32,
 * request id 80, the handler's own lines 512. */
enum {
    HTTP_HEAD_BYTES_MAX = 1024
};

enum http_connection_header {
    HTTP_CONNECTION_UNSAID,     /* HTTP/1.1 goes on by itself */
    HTTP_CONNECTION_KEEP_ALIVE, /* an HTTP/1.0 client asked for it */
    HTTP_CONNECTION_CLOSE,
};

struct http_head {
    int status;
    const char *date;         /* as HTTP writes it */
    const char *content_type; /* NULL: the answer has no body; at most 100 bytes */
    size_t content_length;
    enum http_connection_header connection;
    const char *request_id; /* of so many bytes; none when there are none */
    size_t request_id_bytes;
    const char *extra; /* whole lines, each with its CRLF */
    size_t extra_bytes;
};

/* Writes status line, fields and the empty line behind them; returns how many bytes. */
size_t http_head_write(const struct http_head *head, char out[HTTP_HEAD_BYTES_MAX]);

#endif
