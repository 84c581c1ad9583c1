/*
 * experiment_tenants.c - a quiet tenant beside one that floods, and the batch class beside too many
 * interactive jobs.
 */
#include "experiment.h"

#include <stdio.h>

#define WARM_S 2
#define MEASURE_S 120

enum {
    FLOW_QUIET,
    FLOW_FLOOD,
    FLOWS
};

#define QUIET_PER_S 10
#define P99_GOAL 2.0

struct neighbourhood {
    const char *what;
    double flood;    /* of the capacity */
    bool one_tenant; /* nobody is told apart */
    uint64_t delay_ns;
    uint64_t target_ns;
};

static struct measured quiet_in(const struct experiment *e, const struct neighbourhood *n)
{
    struct one_queue one = experiment_one_queue(e, QUIET_PER_S);
    struct sim_flow_setup flows[FLOWS] = {one.flow, one.flow};
    flows[FLOW_QUIET].tenant = n->one_tenant ? 0 : 1;
    flows[FLOW_FLOOD].tenant = n->one_tenant ? 0 : 2;
    flows[FLOW_FLOOD].jobs_per_s = n->flood * experiment_capacity(e);
    one.queue.limits.delay_ns_max = n->delay_ns;
    one.queue.limits.idle_delay_ns_max = n->delay_ns;
    one.queue.limits.target_p99_ns = n->target_ns;
    struct sim_setup setup = experiment_setup(e, &one.queue, 1, flows, FLOWS);
    setup.shares.tenants = n->one_tenant ? 1 : 3;
    for (unsigned i = 0; i < setup.shares.tenants; i++)
        setup.shares.tenant_weights[i] = 1;
    struct sim_world *w = sim_world_create(&setup);
    sim_world_run_until(w, WARM_S * S);
    sim_world_measure(w);
    sim_world_run_until(w, (WARM_S + MEASURE_S) * S);
    const struct measured got = experiment_measure(w, FLOW_QUIET);
    sim_world_destroy(w);
    return got;
}

static bool print_quiet(const struct neighbourhood *n, const struct measured *got,
                        const struct measured *idle)
{
    const bool met = got->p99_ms <= P99_GOAL * idle->p99_ms && got->refused <= 0;
    printf("| %-38s | %6.2f | %6.2f | %7.2f | %5.1f %% | %5.1f | %s |\n", n->what, got->p50_ms,
           got->p99_ms, got->p99_ms / idle->p99_ms, got->refused * 100, got->batch_rows,
           met ? "met" : "MISSED");
    return met;
}

/* Each is compared with the last idle one before it. */
static bool quiet_tenant(const struct experiment *e)
{
    const struct neighbourhood all[] = {
        {.what = "idle"},
        {.what = "flood of 2x by another tenant", .flood = 2},
        {.what = "flood of 2x, target", .flood = 2, .target_ns = e->target_ns},
        {.what = "flood of 2x, nobody is told apart", .flood = 2, .one_tenant = true},
        {.what = "idle, linger of 1 ms", .delay_ns = MS},
        {.what = "flood of 2x, linger of 1 ms", .flood = 2, .delay_ns = MS},
        {.what = "flood of 10x, linger of 1 ms", .flood = 10, .delay_ns = MS}};
    printf("\n## A tenant of %d jobs a second beside one that floods (%d s each)\n\n"
           "| | p50 ms | p99 ms | of idle | refused | batch | goal: 2 |\n"
           "|---|---|---|---|---|---|---|\n",
           QUIET_PER_S, MEASURE_S);
    struct measured idle = {.p99_ms = 0};
    bool met = true;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct measured got = quiet_in(e, &all[i]);
        if (all[i].flood <= 0)
            idle = got;
        met = print_quiet(&all[i], &got, &idle) && met;
    }
    return met;
}

/* Both classes ask for more than the server can do. */
static bool batch_class(const struct experiment *e, double interactive, uint64_t target_ns)
{
    struct one_queue one = experiment_one_queue(e, interactive * experiment_capacity(e));
    struct sim_flow_setup flows[2] = {one.flow, one.flow};
    flows[1].class = BATCHER_CLASS_BATCH;
    flows[1].jobs_per_s = 0.5 * experiment_capacity(e);
    /* Few rows, so that both classes soon find the queue as it stays. */
    one.queue.limits.queue_rows_max = (size_t)(0.05 * experiment_capacity(e));
    one.queue.limits.target_p99_ns = target_ns;
    const struct sim_setup setup = experiment_setup(e, &one.queue, 1, flows, 2);
    struct sim_world *w = sim_world_create(&setup);
    sim_world_run_until(w, 5 * S);
    sim_world_measure(w);
    sim_world_run_until(w, 25 * S);
    const struct measured got[2] = {experiment_measure(w, 0), experiment_measure(w, 1)};
    const double rows[2] = {(double)w->flow_stats[0].rows, (double)w->flow_stats[1].rows};
    sim_world_destroy(w);
    const double share = rows[1] / (rows[0] + rows[1]);
    const bool met = share >= 0.099;
    printf("| %.1fx, %-10s | %7.0f | %7.2f | %7.0f | %7.2f | %4.1f %% | %s |\n", interactive,
           target_ns != 0 ? "target" : "static", got[0].results, got[0].p99_ms, got[1].results,
           got[1].p99_ms, share * 100, met ? "met" : "MISSED");
    return met;
}

bool experiment_tenants(const struct experiment *e)
{
    bool met = quiet_tenant(e);
    printf("\n## The batch class beside too many interactive jobs, by 9 to 1\n\n"
           "| interactive | served/s | p99 ms | batch/s | p99 ms | share | goal: 10 %% |\n"
           "|---|---|---|---|---|---|---|\n");
    met = batch_class(e, 2, 0) && met;
    met = batch_class(e, 2, e->target_ns) && met;
    return batch_class(e, 10, e->target_ns) && met;
}
