/*
 * sim_flow.h - who asks for what, and when.
 *
 * A flow is a stream of jobs of one queue, class and tenant: Poisson arrivals, or bursts (Poisson
 * while on, nothing while off, both for exponential times). Or it is a recording, whose lines say
 * everything:
 *
 *     # seconds  queue  rows  class        tenant  timeout_ms
 *     0.000120   0      1     interactive  0       0
 *     0.000480   1      8     batch        2       250
 *
 * Times do not decrease; a timeout of 0 is none. Empty lines and those that begin with # are
 * passed over.
 */
#ifndef SIM_FLOW_H
#define SIM_FLOW_H

#include "batcher.h"
#include "sim_random.h"

#include <stdio.h>

struct sim_trace_line {
    uint64_t at_ns; /* from the beginning */
    size_t rows;
    uint64_t timeout_ns;
    unsigned queue;
    unsigned tenant;
    enum batcher_class class;
};

struct sim_trace {
    struct sim_trace_line *lines;
    size_t count;
};

/* 0, or the number of the first line that makes no sense. Free what was read in any case. */
size_t sim_trace_read(FILE *file, struct sim_trace *trace);
void sim_trace_free(struct sim_trace *trace);

struct sim_flow_setup {
    unsigned queue;
    unsigned tenant;
    enum batcher_class class;
    double jobs_per_s; /* in the mean, off times included */
    double on_s;       /* mean lengths; off_s 0: always on */
    double off_s;
    size_t together_max; /* so many arrive at one instant, at most; 0 is 1 */
    size_t rows_min;     /* uniform from here */
    size_t rows_max;
    uint64_t work_per_row; /* 0: a job's work is its rows */
    size_t bytes_max;      /* uniform from 0 */
    double deadline_chance;
    double timeout_ns_min; /* and an exponential time more; below 0, some come too late */
    double timeout_ns_mean;
    double cancel_chance;          /* that its client leaves, */
    double cancel_ns_mean;         /* after an exponential time, if it is still here */
    const struct sim_trace *trace; /* instead of all of the above */
};

struct sim_flow {
    struct sim_flow_setup setup;
    struct sim_random random;
    uint64_t on_until_ns;
    size_t trace_at;
    uint64_t life; /* changes with the rate: what was scheduled before is void */
};

struct sim_flow sim_flow_from(const struct sim_flow_setup *setup, uint64_t seed, uint64_t stream);

/* When the next jobs come. UINT64_MAX: never. */
uint64_t sim_flow_next_ns(struct sim_flow *flow, uint64_t start_ns, uint64_t now_ns);

/* How many come at that time. */
size_t sim_flow_count(struct sim_flow *flow);

/* One of them. Fills in what a caller fills in before batcher_submit(). Returns its queue. */
unsigned sim_flow_draw(struct sim_flow *flow, uint64_t now_ns, struct batcher_job *job);

/* After how long its client leaves; 0: it stays. */
uint64_t sim_flow_cancel_after_ns(struct sim_flow *flow);

#endif
