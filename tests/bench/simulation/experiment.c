/*
 * experiment.c - a server of one queue, and what came out.
 */
#include "experiment.h"

#define NS_PER_S 1e9
#define NS_PER_MS 1e6
#define QUEUE_S 0.25

double experiment_capacity(const struct experiment *e)
{
    const double rows = (double)e->batch_rows_max;
    return (double)e->workers * rows * NS_PER_S / (e->curve.fixed_ns + e->curve.unit_ns * rows);
}

struct one_queue experiment_one_queue(const struct experiment *e, double rows_per_s)
{
    const size_t queue_rows = (size_t)(QUEUE_S * experiment_capacity(e));
    return (struct one_queue){.queue = {.limits = {.batch_rows_max = e->batch_rows_max,
                                                   .queue_rows_max = queue_rows,
                                                   .queue_bytes_max = SIZE_MAX,
                                                   .inflight_batches_max = e->workers},
                                        .queue_rows_most = queue_rows,
                                        .curve = e->curve},
                              .flow = {.jobs_per_s = rows_per_s, .rows_min = 1, .rows_max = 1}};
}

struct sim_setup experiment_setup(const struct experiment *e, const struct sim_queue_setup *queues,
                                  size_t queues_count, const struct sim_flow_setup *flows,
                                  size_t flows_count)
{
    return (struct sim_setup){.seed = e->seed,
                              .workers = e->workers,
                              .batch_jobs_max = e->batch_rows_max,
                              .shares = batcher_shares_default(),
                              .queues = queues,
                              .queues_count = queues_count,
                              .flows = flows,
                              .flows_count = flows_count,
                              .warm = true};
}

static uint64_t refused(const struct sim_outcomes *outcomes)
{
    uint64_t sum = 0;
    for (size_t st = 0; st < BATCHER_STATUS_COUNT; st++)
        sum += outcomes->refused[st];
    return sum;
}

struct measured experiment_measure(const struct sim_world *w, unsigned flow)
{
    const struct sim_flow_stats *stats = &w->flow_stats[flow];
    const double seconds = sim_world_measured_s(w);
    double batches = 0;
    double rows = 0;
    double run_ns = 0;
    for (size_t at = 0; at < w->setup.queues_count; at++) {
        batches += (double)w->queue_stats[at].batches;
        rows += (double)w->queue_stats[at].rows;
        run_ns += w->queue_stats[at].run_ns;
    }
    return (struct measured){.goodput = (double)stats->in_time / seconds,
                             .results = (double)stats->outcomes.finished / seconds,
                             .refused =
                                 (double)refused(&stats->outcomes) / (double)stats->outcomes.tried,
                             .p50_ms = sim_histogram_ns(&stats->latency, 0.5) / NS_PER_MS,
                             .p99_ms = sim_histogram_ns(&stats->latency, 0.99) / NS_PER_MS,
                             .batch_rows = rows / batches,
                             .busy = run_ns / NS_PER_S / seconds / w->setup.workers};
}

struct measured experiment_run(const struct experiment *e, const struct sim_setup *setup,
                               double warm_s)
{
    struct sim_world *w = sim_world_create(setup);
    w->in_time_ns = e->target_ns;
    sim_world_run_until(w, (uint64_t)(warm_s * NS_PER_S));
    sim_world_measure(w);
    sim_world_run_until(w, (uint64_t)((warm_s + e->seconds) * NS_PER_S));
    const struct measured measured = experiment_measure(w, 0);
    sim_world_destroy(w);
    return measured;
}
