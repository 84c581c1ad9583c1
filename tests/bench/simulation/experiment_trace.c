/*
 * experiment_trace.c - a recording of arrivals, replayed: what would static settings and the target
 * have made of it?
 */
#include "experiment.h"

#include <stdio.h>
#include <stdlib.h>

static const size_t rows[] = {1, 4, 8, 16, 32, 64};
static const double delays_ms[] = {0, 0.5, 2, 5};

static bool check(const struct sim_trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        if (trace->lines[i].queue != 0 || trace->lines[i].tenant >= BATCHER_TENANTS_MAX)
            return false;
    return trace->count > 0;
}

static void replay(const struct experiment *e, const struct sim_trace *trace, const char *what,
                   const struct batcher_queue_limits *limits)
{
    struct one_queue one = experiment_one_queue(e, 0);
    one.flow.trace = trace;
    one.queue.limits.batch_rows_max = limits->batch_rows_max;
    one.queue.limits.delay_ns_max = limits->delay_ns_max;
    one.queue.limits.target_p99_ns = limits->target_p99_ns;
    struct sim_setup setup = experiment_setup(e, &one.queue, 1, &one.flow, 1);
    setup.shares.tenants = BATCHER_TENANTS_MAX;
    for (unsigned i = 0; i < BATCHER_TENANTS_MAX; i++)
        setup.shares.tenant_weights[i] = 1;
    struct sim_world *w = sim_world_create(&setup);
    w->in_time_ns = e->target_ns;
    sim_world_run_jobs(w, trace->count);
    sim_world_end(w, false);
    const struct measured got = experiment_measure(w, 0);
    printf("| %-22s | %8.0f | %8.0f | %5.1f %% | %6.2f | %6.2f | %5.1f | %3.0f %% |\n", what,
           got.results, got.goodput, got.refused * 100, got.p50_ms, got.p99_ms, got.batch_rows,
           got.busy * 100);
    sim_world_destroy(w);
}

static void compare(const struct experiment *e, const struct sim_trace *trace)
{
    printf("\n## %s: %zu jobs\n\n"
           "| setting | results/s | in time/s | refused | p50 ms | p99 ms | batch | busy |\n"
           "|---|---|---|---|---|---|---|---|\n",
           e->trace, trace->count);
    char what[80];
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
        for (size_t d = 0; d < sizeof(delays_ms) / sizeof(delays_ms[0]); d++) {
            (void)snprintf(what, sizeof(what), "%zu rows, %.1f ms", rows[r], delays_ms[d]);
            replay(e, trace, what,
                   &(struct batcher_queue_limits){.batch_rows_max = rows[r],
                                                  .delay_ns_max = (uint64_t)(delays_ms[d] * 1e6)});
        }
    (void)snprintf(what, sizeof(what), "target %.1f ms", (double)e->target_ns / 1e6);
    replay(e, trace, what,
           &(struct batcher_queue_limits){.batch_rows_max = e->batch_rows_max,
                                          .target_p99_ns = e->target_ns});
}

bool experiment_trace(const struct experiment *e)
{
    FILE *file = fopen(e->trace, "r");
    if (file == NULL) {
        perror(e->trace);
        return false;
    }
    struct sim_trace trace;
    const size_t bad = sim_trace_read(file, &trace);
    (void)fclose(file);
    const bool ok = bad == 0 && check(&trace);
    if (bad != 0)
        fprintf(stderr, "%s:%zu: expected seconds, queue, rows, class, tenant, timeout_ms\n",
                e->trace, bad);
    else if (!ok)
        fprintf(stderr, "%s: nothing, or more than queue 0 and %d tenants\n", e->trace,
                BATCHER_TENANTS_MAX);
    else
        compare(e, &trace);
    sim_trace_free(&trace);
    return ok;
}
