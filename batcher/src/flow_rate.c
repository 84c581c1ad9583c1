/*
 * flow_rate.c - the count, and how it fades.
 */
#include "flow_rate.h"

#define MEMORY_S 0.5
#define NS_PER_S 1e9

static double faded(const struct flow_rate *flow, uint64_t now_ns)
{
    const double dt = now_ns > flow->last_ns ? (double)(now_ns - flow->last_ns) / NS_PER_S : 0;
    return flow->count * MEMORY_S / (MEMORY_S + dt);
}

void flow_rate_add(struct flow_rate *flow, double amount, uint64_t now_ns)
{
    flow->count = faded(flow, now_ns) + amount;
    if (now_ns > flow->last_ns)
        flow->last_ns = now_ns;
}

double flow_rate_per_s(const struct flow_rate *flow, uint64_t now_ns)
{
    return faded(flow, now_ns) / MEMORY_S;
}
