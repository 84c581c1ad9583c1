/*
 * sim_world.h - the batcher's policy with clients, workers and a clock that are all made up.
 *
 * Nothing waits: the clock jumps from event to event (an arrival, a batch that is done, a client
 * that leaves, a deadline, the end of a linger). After every step workers that are free take what
 * is ready, as threads would. All is drawn from one seed and comes out the same on every machine.
 *
 *   Checks     with `checked`, sim_shadow.h looks over the policy's shoulder at every step and
 *              calls `broken`, which must not return, at the first promise that is not kept.
 *   Cost       some 3 us a job's life with the checks, half without.
 *   Memory     a fixed pool of jobs. Ends the program when there is none.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "batch_policy.h"
#include "sim_events.h"
#include "sim_flow.h"
#include "sim_histogram.h"
#include "sim_random.h"

struct sim_shadow;

/* What a batch takes: a straight line, some noise, and now and then an accident. */
struct sim_curve {
    double fixed_ns;
    double unit_ns;        /* a unit of work */
    double noise;          /* standard deviation as a share of the time, below 0.28 */
    double outlier_chance; /* that a batch takes */
    double outlier_factor; /* so many times as long */
};

struct sim_queue_setup {
    struct batcher_queue_limits limits;
    size_t queue_rows_most; /* no change of limits goes beyond */
    size_t full_work;
    struct sim_curve curve;
};

struct sim_setup {
    uint64_t seed;
    unsigned workers;
    size_t batch_jobs_max;
    struct batcher_shares shares;
    const struct sim_queue_setup *queues; /* copied */
    size_t queues_count;
    const struct sim_flow_setup *flows; /* copied; traces are not */
    size_t flows_count;
    bool warm; /* cost models begin with two batches, as after a warm-up */

    /* New limits for a queue drawn at random, from time to time. */
    double changes_per_s;
    struct batcher_queue_limits (*draw_limits)(struct sim_random *random);

    bool checked;
    void (*broken)(void *ctx, const char *what) __attribute__((noreturn));
    void *ctx;
};

/* Jobs by what became of them. */
struct sim_outcomes {
    uint64_t tried;
    uint64_t refused[BATCHER_STATUS_COUNT];
    uint64_t finished;
    uint64_t expired;
    uint64_t cancelled;
    uint64_t stopped;
};

/* Since the last sim_world_measure(), of the jobs that came since then. */
struct sim_flow_stats {
    struct sim_outcomes outcomes;
    struct sim_histogram latency; /* from arrival to result */
    uint64_t in_time;             /* results within sim_world.in_time_ns */
    uint64_t rows;                /* with results; of those that came before, too */
};

struct sim_queue_stats {
    uint64_t batches;
    uint64_t rows; /* in them */
    uint64_t reasons[BATCHER_REASON_COUNT];
    double run_ns;
};

struct sim_job {
    struct batcher_job base; /* first: a batcher_job is cast to it */
    uint64_t life;           /* odd: submitted, and without an outcome */
    unsigned flow;
    unsigned queue;
    struct sim_job *free_next;
    struct sim_job *older; /* the shadow's */
    struct sim_job *newer;
};

struct sim_worker {
    struct batcher_job **jobs;
    size_t count; /* 0: it is free */
    unsigned queue;
};

struct sim_world {
    struct sim_setup setup;
    struct sim_queue_setup *queue_setups;
    struct sim_random service;
    struct sim_random changes;
    uint64_t start_ns;
    uint64_t now_ns;
    uint64_t steps;
    uint64_t alive;
    uint64_t linger_ns; /* when a free worker's timer fires; 0: never */

    struct batch_policy policy;
    struct batch_queue *queues;
    struct batch_queue **pointers;
    struct job_lane *lanes;
    struct batch_run *runs;

    struct sim_worker *workers;
    struct sim_flow *flows;
    struct sim_job *pool;
    struct sim_job *pool_free;
    struct sim_events events;
    struct sim_shadow *shadow; /* NULL: nobody checks */

    struct sim_outcomes outcomes; /* of all flows, from the beginning */
    uint64_t measured_ns;         /* since when the following are counted */
    uint64_t in_time_ns;          /* the caller's to set */
    struct sim_flow_stats *flow_stats;
    struct sim_queue_stats *queue_stats;
};

struct sim_world *sim_world_create(const struct sim_setup *setup);
void sim_world_destroy(struct sim_world *w);

/* On to that time, counted from the beginning. */
void sim_world_run_until(struct sim_world *w, uint64_t after_ns);

/* On until so many jobs have tried to get in. */
void sim_world_run_jobs(struct sim_world *w, uint64_t tried);

/* Nobody comes any more; what waits runs, or is given up; until all is over. */
void sim_world_end(struct sim_world *w, bool abandon);

/* Forgets what was measured so far. */
void sim_world_measure(struct sim_world *w);
double sim_world_measured_s(const struct sim_world *w);

void sim_world_set_rate(struct sim_world *w, unsigned flow, double jobs_per_s);

#endif
