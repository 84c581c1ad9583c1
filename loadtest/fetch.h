/*
 * fetch.h - one request and its answer, waited for: what is asked before and
 * after a load test, never within.
 *
 *   Threads    any; it runs a loop of its own until the answer or the timeout.
 */
#ifndef FETCH_H
#define FETCH_H

#include "load_base.h"
#include "target.h"

enum {
    FETCH_BODY_BYTES_MAX = 256 * 1024,
    FETCH_TIMEOUT_MS = 5000,
};

struct fetch_answer {
    unsigned status;
    size_t body_bytes;
    char body[FETCH_BODY_BYTES_MAX + 1]; /* terminated */
};

struct fetch_request {
    const char *method;
    const char *path;
    const char *headers; /* whole lines, each with its CRLF; NULL: none but the usual */
    const char *body;    /* JSON; NULL: none */
};

/* Any status is a success; an error is that no answer came, or one that is too
 * large. */
bool fetch(const struct target *target, const struct fetch_request *request,
           struct fetch_answer *out, struct load_error *error) __attribute__((warn_unused_result));

#endif
