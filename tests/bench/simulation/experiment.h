/*
 * experiment.h - what the experiments with the simulator have in common: a server with one queue,
 * and tables on standard output.
 *
 * Each prints what it asks, a table, and whether the goal of the issue that asked for it is met.
 * Everything follows from the options: the same command prints the same tables.
 */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "sim_world.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

struct experiment {
    uint64_t seed;
    unsigned workers;
    struct sim_curve curve;
    size_t batch_rows_max;
    uint64_t target_ns;
    double seconds; /* that one run measures */
    double load;    /* of `target`; 0: all of them */
    uint64_t lives;
    const char *trace;
};

/* Rows a second when every worker always has a full batch. */
double experiment_capacity(const struct experiment *e);

/* A server of one queue, in which jobs wait for a quarter of a second at most, with one flow of
 * single rows. */
struct one_queue {
    struct sim_queue_setup queue;
    struct sim_flow_setup flow;
};
struct one_queue experiment_one_queue(const struct experiment *e, double rows_per_s);
struct sim_setup experiment_setup(const struct experiment *e, const struct sim_queue_setup *queues,
                                  size_t queues_count, const struct sim_flow_setup *flows,
                                  size_t flows_count);

/* What came out of one run. */
struct measured {
    double goodput; /* jobs a second with a result within the target */
    double results; /* jobs a second with a result */
    double refused; /* share of those that asked */
    double p50_ms;
    double p99_ms;
    double batch_rows; /* mean */
    double busy;       /* share of the workers' time */
};
struct measured experiment_measure(const struct sim_world *w, unsigned flow);

/* Runs so long that the cost model and the queues have settled, then measures. */
struct measured experiment_run(const struct experiment *e, const struct sim_setup *setup,
                               double warm_s);

/* Each returns whether all goals were met. */
bool experiment_lives(const struct experiment *e);
bool experiment_target(const struct experiment *e);
bool experiment_tenants(const struct experiment *e);
bool experiment_overload(const struct experiment *e);
bool experiment_batches(const struct experiment *e);
bool experiment_trace(const struct experiment *e);

#endif
