/*
 * sim_random.c - a 64 bit xorshift whose state is multiplied on the way out.
 */
#include "sim_random.h"

#include <math.h>

/* Mixes all bits of x: the finaliser of a 64 bit hash. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

struct sim_random sim_random_from(uint64_t seed, uint64_t stream)
{
    const uint64_t state = mix(mix(seed + 1) + stream);
    return (struct sim_random){.state = state != 0 ? state : 1};
}

static uint64_t next(struct sim_random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state * UINT64_C(0x2545F4914F6CDD1D) >> 11;
}

uint64_t sim_draw(struct sim_random *random, uint64_t below)
{
    return next(random) % below;
}

double sim_draw_unit(struct sim_random *random)
{
    return ((double)next(random) + 1) / (double)(UINT64_C(1) << 53);
}

bool sim_draw_chance(struct sim_random *random, double chance)
{
    return sim_draw_unit(random) <= chance;
}

double sim_draw_exponential(struct sim_random *random, double mean)
{
    return -log(sim_draw_unit(random)) * mean;
}

/* The sum of twelve draws is near enough, and the same whatever the C library's cosine. */
double sim_draw_normal(struct sim_random *random)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += sim_draw_unit(random);
    return fmax(-3.5, fmin(3.5, sum));
}
