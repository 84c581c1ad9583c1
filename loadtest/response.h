/*
 * response.h - bytes to answers: llhttp, and the header fields that say where a
 * request's time went.
 *
 *   Threads    one owner; no I/O and no clock.
 *   Ownership  `body` is the caller's memory, filled up to its capacity; what
 *              does not fit is counted and dropped.
 *
 * Unlike the server's own reader of requests it trusts the other side: it bounds
 * memory and refuses what is not HTTP, nothing more.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <llhttp.h>

/* The parts of Server-Timing, in the order in which they happen. */
#define TIMING_PART_MAP(X) \
    X(PARSE, "parse")      \
    X(QUEUE, "queue")      \
    X(COMPUTE, "compute")  \
    X(WRITE, "write")

enum timing_part {
#define X(id, name) TIMING_##id,
    TIMING_PART_MAP(X)
#undef X
    TIMING_PARTS
};

const char *timing_part_name(enum timing_part part);

struct server_timing {
    bool known; /* at least one part was told */
    uint64_t part_ns[TIMING_PARTS];
};

struct answer {
    unsigned status;
    bool keep_alive;
    struct server_timing timing;
    unsigned batch_size; /* 0: not told */
    const char *body;    /* not terminated */
    size_t body_bytes;   /* kept */
    uint64_t body_bytes_total;
};

enum response_result {
    RESPONSE_MORE,
    RESPONSE_DONE,
    RESPONSE_BROKEN, /* not HTTP, or cut off */
};

enum {
    RESPONSE_VALUE_BYTES_MAX = 192,
};

enum response_field {
    RESPONSE_FIELD_OTHER,
    RESPONSE_FIELD_SERVER_TIMING,
    RESPONSE_FIELD_BATCH_SIZE,
};

struct response_parser {
    struct answer answer; /* whole with RESPONSE_DONE */
    bool begun;           /* a byte of the answer was seen */

    llhttp_t _llhttp;
    char *_body;
    size_t _body_capacity;
    char _name[16]; /* the field name being read, lower case */
    size_t _name_bytes;
    enum response_field _field;
    char _value[RESPONSE_VALUE_BYTES_MAX];
    size_t _value_bytes;
};

void response_parser_init(struct response_parser *p, char *body, size_t body_capacity);
/* Ready for the next answer, or for another connection. */
void response_parser_reset(struct response_parser *p);

/* Reads on. *used is how many bytes were taken: with DONE, what is behind them
 * belongs to no question of ours. */
enum response_result response_parser_feed(struct response_parser *p, const char *data, size_t bytes,
                                          size_t *used);
/* The connection ended: DONE when that is how the answer ends. */
enum response_result response_parser_end(struct response_parser *p);

/* "parse;dur=0.011, queue;dur=0.033": parts that it does not know are skipped. */
void server_timing_parse(const char *text, size_t bytes, struct server_timing *out);

/* The `code` of an error body, copied and terminated; false when it has none. */
bool response_error_code(const char *body, size_t bytes, char *out, size_t out_bytes);

#endif
