/*
 * experiment_overload.c - many times what the server can do, for a minute, and what comes after.
 */
#include "experiment.h"

#include <stdio.h>

#define OVERLOAD_S 60
#define WARM_S 2
#define WINDOW_NS (50 * MS)
#define RECOVERY_WINDOWS_MAX 100

static const double factors[] = {2, 5, 10};

#define GOODPUT_GOAL 0.95
#define P99_GOAL 2.0
#define RECOVERY_GOAL_S 1.0

static struct sim_world *world_at(const struct experiment *e, double load)
{
    struct one_queue one = experiment_one_queue(e, load * experiment_capacity(e));
    one.queue.limits.target_p99_ns = e->target_ns;
    const struct sim_setup setup = experiment_setup(e, &one.queue, 1, &one.flow, 1);
    struct sim_world *w = sim_world_create(&setup);
    w->in_time_ns = e->target_ns;
    return w;
}

static struct measured usual(const struct experiment *e)
{
    struct sim_world *w = world_at(e, 0.8);
    sim_world_run_until(w, WARM_S * S);
    sim_world_measure(w);
    sim_world_run_until(w, (WARM_S + 10) * S);
    const struct measured got = experiment_measure(w, 0);
    sim_world_destroy(w);
    return got;
}

/* Until a window in which nobody is refused and the p99 is within a fifth of the usual one. */
static double recovery_s(struct sim_world *w, double load_rows_per_s, double usual_p99_ms)
{
    sim_world_set_rate(w, 0, load_rows_per_s);
    for (int n = 1; n <= RECOVERY_WINDOWS_MAX; n++) {
        sim_world_measure(w);
        sim_world_run_until(w, w->now_ns - w->start_ns + WINDOW_NS);
        const struct measured got = experiment_measure(w, 0);
        if (got.refused <= 0 && got.p99_ms <= 1.2 * usual_p99_ms)
            return n * (double)WINDOW_NS / (double)S;
    }
    return 1e9;
}

static bool overload(const struct experiment *e, double factor, const struct measured *before)
{
    const double capacity = experiment_capacity(e);
    struct sim_world *w = world_at(e, 0.8);
    sim_world_run_until(w, WARM_S * S);
    sim_world_measure(w);
    sim_world_set_rate(w, 0, factor * capacity);
    sim_world_run_until(w, (WARM_S + OVERLOAD_S) * S);
    const struct measured got = experiment_measure(w, 0);
    const double again_s = recovery_s(w, 0.8 * capacity, before->p99_ms);
    sim_world_destroy(w);
    const bool met = got.goodput >= GOODPUT_GOAL * capacity &&
                     got.p99_ms <= P99_GOAL * before->p99_ms && again_s <= RECOVERY_GOAL_S;
    printf("| %4.0fx | %5.1f %% | %5.1f %% | %6.2f | %6.2f | %.2f | %5.1f | %.2f | %s |\n", factor,
           got.goodput / capacity * 100, got.refused * 100, got.p50_ms, got.p99_ms,
           got.p99_ms / before->p99_ms, got.batch_rows, again_s, met ? "met" : "MISSED");
    fflush(stdout);
    return met;
}

bool experiment_overload(const struct experiment *e)
{
    const struct measured before = usual(e);
    printf("\n## Overload for %d s, with a target of %.1f ms\n\n", OVERLOAD_S,
           (double)e->target_ns / 1e6);
    printf("At 0.8 of the capacity of %.0f/s: p50 %.2f ms, p99 %.2f ms, batches of %.1f.\n"
           "Goals: %.0f %% of the capacity in time, p99 at most %.0f times that at 0.8, as before "
           "within %.0f s.\n\n",
           experiment_capacity(e), before.p50_ms, before.p99_ms, before.batch_rows,
           GOODPUT_GOAL * 100, P99_GOAL, RECOVERY_GOAL_S);
    printf("| load | in time | refused | p50 ms | p99 ms | of before | batch | normal after s | |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    bool met = true;
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++)
        met = overload(e, factors[i], &before) && met;
    return met;
}
