/*
 * load_session.h - a target and the requests for it, ready to be run as often as one
 * likes.
 */
#ifndef LOAD_SESSION_H
#define LOAD_SESSION_H

#include "load_options.h"

struct load_session {
    struct target target;
    struct workload *workload;
};

/* Reads --inputs, asks `target` about its models, builds the requests. Anything but
 * LOAD_EXIT_DONE comes with *error; on success *out is for load_session_close(). */
enum load_exit load_session_open(const struct load_options *options, const char *target,
                                 struct load_session *out, struct load_error *error)
    __attribute__((warn_unused_result));

/* One that is all zero is a no-op. */
void load_session_close(struct load_session *session);

/* The arrivals of one run at `rate`. Their seed is another than the workload's: what is
 * sent must not depend on how long one waited for it. */
void load_session_arrivals(enum arrivals_kind kind, double rate, uint64_t seed,
                           struct arrivals *out);

#endif
