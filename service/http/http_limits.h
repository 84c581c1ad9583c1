/*
 * http_limits.h - every bound of the HTTP layer, in one struct.
 *
 * A breach is answered with the status beside the field, then the connection
 * closes. Byte counts are of what the client sent, whatever the packets were.
 */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct http_limits {
    size_t connections_max;           /* 503, all loops together */
    size_t request_line_bytes_max;    /* 414 */
    size_t headers_bytes_max;         /* 431, names and values, trailers included */
    size_t headers_max;               /* 431, fields, trailers included */
    size_t chunk_extension_bytes_max; /* 413, of one request */
    size_t chunks_max;                /* 413, of one request */
    size_t body_bytes_max;            /* 413 */
    size_t pipelined_bytes_max;       /* kept while a request is handled; then reading stops */
    uint64_t header_ns_max;           /* 408, from the first byte of a request (or accept) */
    uint64_t body_ns_max;             /* 408, from the end of the headers */
    size_t body_rate_min;             /* 408, bytes a second after a grace of 5 s; 0: none */
    uint64_t keep_alive_ns_max;       /* silent close of an idle connection */
    uint64_t write_stall_ns_max;      /* close when a client takes nothing for so long */
    uint64_t request_ns_max;          /* 504, from the complete request to its answer */
    size_t linger_bytes_max;          /* unread input discarded before a close */
    uint64_t linger_ns_max;           /* ... for at most so long */
};

#endif
