/*
 * load_run.h - one load test: a workload against a target for a while.
 *
 *   Threads    one, the caller's; it blocks until the run is over.
 *   Open loop  requests are due at their intended times, whatever the server does.
 *              When all connections are busy they wait, in order and without
 *              memory, and their latency goes on counting.
 *   Closed     each connection sends its next request when it has its answer.
 *   Parts      warm-up, then the measured part; a request belongs to the part in
 *              which it was due. Then what is due or in flight still is waited for,
 *              up to `grace_ns`.
 *   Bounds     memory: connections and recorders, both fixed at the start.
 */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "arrivals.h"
#include "recorder.h"
#include "target.h"
#include "workload.h"

enum {
    LOAD_CONNECTIONS_MAX = 60000,
};

/* What happened in one interval of a run, for whoever watches. Answers and losses
 * count when they come, whenever their request was due. */
struct load_interval {
    double at_s;    /* end of the interval, from the start of the run */
    double seconds; /* its length */
    bool warming;   /* it began in the warm-up */
    bool draining;  /* it began when nothing was due any more */
    size_t in_flight;
    size_t connections; /* open */
    uint64_t sent;
    uint64_t ok;      /* answered 2xx */
    uint64_t refused; /* answered otherwise */
    uint64_t lost;    /* lost or unanswered */
    uint64_t abandoned;
    struct histogram latency; /* of 2xx */
    struct histogram lag;
};

struct load_config {
    const struct target *target;
    struct workload *workload;
    const struct arrivals *arrivals; /* NULL: closed loop; copied */
    size_t connections;              /* 1 to LOAD_CONNECTIONS_MAX */
    uint64_t warmup_ns;
    uint64_t duration_ns;
    uint64_t grace_ns;
    uint64_t slo_ns;            /* 0: none */
    uint64_t abandon_after_ns;  /* when an abandoning client leaves */
    uint64_t client_timeout_ns; /* a connection silent for so long is given up */
    uint64_t give_up_ns;        /* the run ends when no connection could be had for so long */
    bool spin;                  /* poll instead of sleeping: sends are on time, a core is busy */
    uint64_t interval_ns;       /* of on_interval; 0: never */
    void (*on_interval)(void *ctx, const struct load_interval *interval);
    void *ctx;
};

enum load_end {
    LOAD_END_DONE,
    LOAD_END_INTERRUPTED, /* SIGINT or SIGTERM: results so far */
    LOAD_END_UNREACHABLE, /* no connection at the start: nothing was sent */
    LOAD_END_DIED,        /* no connection any more: results so far */
};

/* "done", "interrupted", ...: for reports. */
const char *load_end_name(enum load_end end);

struct load_result {
    enum load_end end;
    int signal;      /* of INTERRUPTED */
    char error[192]; /* of UNREACHABLE and DIED: the last thing that went wrong */
    double seconds;  /* of the measured part: shorter than wished when it ended early */
    double warmup_seconds;
    double cpu_share;   /* of one core, this thread's in the measured part */
    uint64_t preempted; /* times that others took the core from us, in the measured part */
    uint64_t connects;  /* connections opened, also again */
    uint64_t connects_failed;
    uint64_t unasked; /* answers without a question */
    uint64_t ok_came; /* 2xx answers that came in the measured part, whenever they were due */
    struct recorder warmup;
    struct recorder measured;
};

/* *out is large: keep it off the stack. False only when the machine refuses what a
 * run needs; all that concerns the server is in *out. */
bool load_run(const struct load_config *config, struct load_result *out, struct load_error *error)
    __attribute__((warn_unused_result));

#endif
