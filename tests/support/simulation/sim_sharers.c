/*
 * sim_sharers.c - ranges of differences.
 */
#include "sim_sharers.h"

#include <stdlib.h>

/* Of one serving in fair_share.h, and what doubles add to it. */
#define ROUNDING (1.0 / (1 << 20) + 1e-9)

void sim_sharers_init(struct sim_sharers *sharers, size_t count, double slack)
{
    *sharers = (struct sim_sharers){.count = count,
                                    .slack = slack + 1e-6,
                                    .of = calloc(count, sizeof(*sharers->of)),
                                    .ranges = calloc(count * count, sizeof(*sharers->ranges))};
    if (sharers->of == NULL || sharers->ranges == NULL)
        abort();
}

void sim_sharers_free(struct sim_sharers *sharers)
{
    free(sharers->of);
    free(sharers->ranges);
}

static struct sim_range *range_of(struct sim_sharers *sharers, size_t a, size_t b)
{
    return &sharers->ranges[a < b ? a * sharers->count + b : b * sharers->count + a];
}

static double apart(const struct sim_sharers *sharers, size_t a, size_t b)
{
    const double difference = sharers->of[a].taken - sharers->of[b].taken;
    return a < b ? difference : -difference;
}

void sim_sharers_want(struct sim_sharers *sharers, size_t who, bool wants)
{
    if (sharers->of[who].wants == wants)
        return;
    sharers->of[who].wants = wants;
    for (size_t other = 0; wants && other < sharers->count; other++) {
        const double now = apart(sharers, who, other);
        *range_of(sharers, who, other) = (struct sim_range){.least = now, .most = now};
    }
}

/* How far their distance has come since both want something. */
static const struct sim_range *widen(struct sim_sharers *sharers, size_t who, size_t other)
{
    struct sim_range *range = range_of(sharers, who, other);
    const double now = apart(sharers, who, other);
    range->least = now < range->least ? now : range->least;
    range->most = now > range->most ? now : range->most;
    range->rounding += ROUNDING;
    return range;
}

struct sim_unfair sim_sharers_take(struct sim_sharers *sharers, size_t who, double amount)
{
    struct sim_sharer *taker = &sharers->of[who];
    struct sim_unfair worst = {.apart = 0};
    const double taken = amount / taker->weight;
    taker->taken += taken;
    if (taken > taker->serving)
        taker->serving = taken;
    for (size_t other = 0; taker->wants && other < sharers->count; other++) {
        const struct sim_sharer *waiter = &sharers->of[other];
        if (other == who || !waiter->wants)
            continue;
        const struct sim_range *range = widen(sharers, who, other);
        const double moved = range->most - range->least;
        const double allowed = taker->serving + waiter->serving + sharers->slack + range->rounding;
        if (moved - allowed > worst.apart - worst.allowed)
            worst =
                (struct sim_unfair){.who = who, .other = other, .apart = moved, .allowed = allowed};
    }
    return worst;
}
