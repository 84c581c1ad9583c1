/*
 * arrivals.h - when requests should be sent: the intended times of an open loop.
 *
 *   Purity     no clock and no I/O; a seed decides everything. Times are
 *              nanoseconds since the start of the run, never falling.
 *   Queueing   times are made one by one and in order, so requests that wait for
 *              a connection need no memory: the queue is what was not yet asked
 *              for.
 */
#ifndef ARRIVALS_H
#define ARRIVALS_H

#include <stddef.h>
#include <stdint.h>

#include "load_base.h"
#include "load_random.h"

/* What arrivals_next_ns() says behind the last arrival. */
#define ARRIVALS_NONE UINT64_MAX

enum arrivals_kind {
    ARRIVALS_UNIFORM, /* evenly spaced */
    ARRIVALS_POISSON, /* independent of each other, as many clients are */
    ARRIVALS_TRACE,   /* as a file says */
};

struct arrivals {
    enum arrivals_kind kind;
    double rate;            /* a second; of a trace the mean, for reports */
    const uint64_t *_trace; /* the caller's */
    size_t _trace_count;
    uint64_t _index;
    double _at_ns;
    struct load_random _random;
};

void arrivals_init_uniform(struct arrivals *a, double rate);
void arrivals_init_poisson(struct arrivals *a, double rate, uint64_t seed);
/* `times` must not fall, and must outlive `a`. */
void arrivals_init_trace(struct arrivals *a, const uint64_t *times_ns, size_t count);

/* The next intended time; ARRIVALS_NONE behind the end of a trace. */
uint64_t arrivals_next_ns(struct arrivals *a);

/* Reads a trace: one time a line, in seconds from the start ("0.0125"), not
 * falling; empty lines and lines that start with '#' are skipped. On success
 * *out_times is the caller's, to free(). */
bool arrivals_read_trace(const char *path, uint64_t **out_times, size_t *out_count,
                         struct load_error *error) __attribute__((warn_unused_result));

#endif
