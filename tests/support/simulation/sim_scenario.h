/*
 * sim_scenario.h - a server, its clients and their habits, all drawn from one number.
 *
 * Few queues or several, some slow; up to six tenants with weights; nearly idle or asked for far
 * more than it can do; bursts, deadlines of all sizes, clients that leave, limits that change,
 * targets; noise and accidents; and in the end half of them drain, half are abandoned.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim_world.h"

enum {
    SIM_SCENARIO_QUEUES_MAX = 6,
    SIM_SCENARIO_FLOWS_MAX = 12,
    SIM_SCENARIO_JOBS = 10000 /* enough for all of it to happen */
};

struct sim_scenario {
    struct sim_setup setup; /* points into the rest; `broken` is the caller's to set */
    struct sim_queue_setup queues[SIM_SCENARIO_QUEUES_MAX];
    struct sim_flow_setup flows[SIM_SCENARIO_FLOWS_MAX];
    bool abandons;
};

void sim_scenario_draw(struct sim_scenario *scenario, uint64_t seed);

/* Runs it with the checks. */
struct sim_outcomes sim_scenario_run(const struct sim_scenario *scenario, uint64_t jobs);

#endif
