/*
 * flow_rate.h - how much comes in a second, of late: a count that forgets.
 *
 *     count = count * T / (T + dt) + amount, T = 0.5 s          rate = count / T
 *
 * With dt the time since the last amount. Reading it forgets too, so that a flow that has stopped
 * is seen to stop.
 */
#ifndef FLOW_RATE_H
#define FLOW_RATE_H

#include <stdint.h>

struct flow_rate {
    double count;
    uint64_t last_ns;
};

void flow_rate_add(struct flow_rate *flow, double amount, uint64_t now_ns);
double flow_rate_per_s(const struct flow_rate *flow, uint64_t now_ns);

#endif
