/*
 * sim_scenario.c - the draws.
 */
#include "sim_scenario.h"

#include <string.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define NS_PER_S 1e9

enum {
    TENANTS_MAX = 6,
    WORKERS_MAX = 5,
    BATCH_JOBS_MAX = 24,
    QUEUE_ROWS_MAX = 400
};

static struct batcher_queue_limits draw_limits(struct sim_random *random)
{
    return (struct batcher_queue_limits){
        .batch_rows_max = 1 + sim_draw(random, 40),
        .queue_rows_max = 40 + sim_draw(random, QUEUE_ROWS_MAX - 40),
        .queue_bytes_max = 2000 + sim_draw(random, 20000),
        .inflight_batches_max = 1 + sim_draw(random, 5),
        .delay_ns_max = sim_draw_chance(random, 0.5) ? 0 : sim_draw(random, 5 * MS),
        .idle_delay_ns_max = sim_draw_chance(random, 0.7) ? 0 : sim_draw(random, 5 * MS),
        .admits_late = sim_draw_chance(random, 0.1),
        .target_p99_ns = sim_draw_chance(random, 0.7) ? 0 : 300 * US + sim_draw(random, 20 * MS),
    };
}

static struct sim_curve draw_curve(struct sim_random *random)
{
    /* One in four has batches ten times as long. */
    const double slow = sim_draw_chance(random, 0.25) ? 10 : 1;
    return (struct sim_curve){.fixed_ns = slow * (double)sim_draw(random, 500 * US),
                              .unit_ns = slow * (double)(1 + sim_draw(random, 50 * US)),
                              .noise = sim_draw_chance(random, 0.5) ? 0.1 : 0.25,
                              .outlier_chance = sim_draw_chance(random, 0.5) ? 0 : 0.002,
                              .outlier_factor = 20};
}

static void draw_queues(struct sim_scenario *scenario, struct sim_random *random)
{
    scenario->setup.queues_count = 1 + sim_draw(random, SIM_SCENARIO_QUEUES_MAX);
    for (size_t at = 0; at < scenario->setup.queues_count; at++)
        scenario->queues[at] = (struct sim_queue_setup){
            .limits = draw_limits(random),
            .queue_rows_most = QUEUE_ROWS_MAX,
            .full_work = sim_draw_chance(random, 0.5) ? 0 : 1 + sim_draw(random, 2000),
            .curve = draw_curve(random)};
}

static struct batcher_shares draw_shares(struct sim_random *random)
{
    struct batcher_shares shares = batcher_shares_default();
    shares.tenants =
        sim_draw_chance(random, 0.3) ? 1 : 2 + (unsigned)sim_draw(random, TENANTS_MAX - 1);
    for (unsigned i = 0; i < shares.tenants; i++)
        shares.tenant_weights[i] =
            sim_draw_chance(random, 0.5) ? 1 : 1 + (unsigned)sim_draw(random, 10);
    if (sim_draw_chance(random, 0.3))
        for (int i = 0; i < BATCHER_CLASS_COUNT; i++)
            shares.class_weights[i] = 1 + (unsigned)sim_draw(random, FAIR_WEIGHT_MAX);
    return shares;
}

/* What one of its jobs costs when batches are of some ten rows. */
static double job_ns(const struct sim_curve *curve, const struct sim_flow_setup *flow)
{
    const double rows = (double)(flow->rows_min + flow->rows_max) / 2;
    const double work = rows * (double)(flow->work_per_row > 0 ? flow->work_per_row : 1);
    return curve->fixed_ns * (rows < 10 ? rows / 10 : 1) + curve->unit_ns * work;
}

static struct sim_flow_setup draw_flow(const struct sim_scenario *scenario,
                                       struct sim_random *random)
{
    struct sim_flow_setup flow = {
        .queue = (unsigned)sim_draw(random, scenario->setup.queues_count),
        .tenant = (unsigned)sim_draw(random, scenario->setup.shares.tenants),
        .class = sim_draw_chance(random, 0.6) ? BATCHER_CLASS_INTERACTIVE : BATCHER_CLASS_BATCH,
        .on_s = 0.001 + 0.05 * sim_draw_unit(random),
        .off_s = sim_draw_chance(random, 0.6) ? 0 : 0.1 * sim_draw_unit(random),
        .together_max = sim_draw_chance(random, 0.5) ? 1 : 1 + sim_draw(random, 30),
        .rows_min = 1,
        .rows_max = sim_draw_chance(random, 0.6) ? 1 : 1 + sim_draw(random, 12),
        .work_per_row = sim_draw_chance(random, 0.7) ? 0 : 1 + sim_draw(random, 60),
        .bytes_max = sim_draw(random, 200),
        .deadline_chance = sim_draw_chance(random, 0.3) ? 0 : sim_draw_unit(random),
        .timeout_ns_min =
            sim_draw_chance(random, 0.5) ? -2.0 * (double)US : (double)sim_draw(random, 5 * MS),
        .timeout_ns_mean = (double)(200 * US + sim_draw(random, 30 * MS)),
        .cancel_chance = sim_draw_chance(random, 0.5) ? 0 : 0.4 * sim_draw_unit(random),
        .cancel_ns_mean = (double)(50 * US + sim_draw(random, 5 * MS))};
    return flow;
}

/* From nearly idle to several times what the workers can do. */
static void draw_flows(struct sim_scenario *scenario, struct sim_random *random)
{
    const double load = sim_draw_chance(random, 0.8) ? 0.05 + 1.2 * sim_draw_unit(random) : 4;
    scenario->setup.flows_count = 1 + sim_draw(random, SIM_SCENARIO_FLOWS_MAX);
    for (size_t i = 0; i < scenario->setup.flows_count; i++) {
        struct sim_flow_setup flow = draw_flow(scenario, random);
        const double part = load * scenario->setup.workers / (double)scenario->setup.flows_count;
        flow.jobs_per_s = part * NS_PER_S / job_ns(&scenario->queues[flow.queue].curve, &flow);
        scenario->flows[i] = flow;
    }
}

void sim_scenario_draw(struct sim_scenario *scenario, uint64_t seed)
{
    struct sim_random random = sim_random_from(seed, UINT64_MAX);
    memset(scenario, 0, sizeof(*scenario));
    struct sim_setup *setup = &scenario->setup;
    setup->seed = seed;
    setup->workers = 1 + (unsigned)sim_draw(&random, WORKERS_MAX);
    setup->batch_jobs_max = BATCH_JOBS_MAX;
    setup->shares = draw_shares(&random);
    setup->warm = sim_draw_chance(&random, 0.5);
    setup->changes_per_s = sim_draw_chance(&random, 0.5) ? 0 : 200 * sim_draw_unit(&random);
    setup->draw_limits = draw_limits;
    setup->checked = true;
    draw_queues(scenario, &random);
    draw_flows(scenario, &random);
    setup->queues = scenario->queues;
    setup->flows = scenario->flows;
    scenario->abandons = sim_draw_chance(&random, 0.5);
}

struct sim_outcomes sim_scenario_run(const struct sim_scenario *scenario, uint64_t jobs)
{
    struct sim_world *world = sim_world_create(&scenario->setup);
    sim_world_run_jobs(world, jobs);
    sim_world_end(world, scenario->abandons);
    const struct sim_outcomes outcomes = world->outcomes;
    sim_world_destroy(world);
    return outcomes;
}
