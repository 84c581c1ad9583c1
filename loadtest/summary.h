/*
 * summary.h - the figures of a run, worked out once: what is reported and what
 * thresholds look at.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "load_run.h"

struct summary {
    const struct load_result *result; /* the caller's */
    const struct recorder *measured;
    bool open_loop;
    double due_rate;   /* a second of the measured part, as are all rates */
    double throughput; /* 2xx answers that came while it lasted */
    double goodput;    /* requests of it answered 2xx within the SLO, however late the run */
    uint64_t failed;   /* neither 2xx, nor abandoned, nor an invalid one refused */
    double failed_share;
    double batch_mean;   /* 0: not told */
    bool client_is_slow; /* its own sends were late, by so much that latencies are wrong */
    bool client_is_full; /* its core was */
    bool pool_was_empty; /* requests waited for a free connection */
};

/* `result` must outlive *out. */
void summary_make(const struct load_config *config, const struct load_result *result,
                  struct summary *out);

#endif
