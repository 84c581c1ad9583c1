/*
 * sim_random.h - numbers drawn from a seed: the same on every machine, and one stream for each
 * thing that draws, so that changing one leaves what the others draw as it was.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

/* Streams of neighbouring seeds have nothing in common. */
struct sim_random sim_random_from(uint64_t seed, uint64_t stream);

uint64_t sim_draw(struct sim_random *random, uint64_t below); /* 0 .. below - 1 */
double sim_draw_unit(struct sim_random *random);              /* above 0, up to 1 */
bool sim_draw_chance(struct sim_random *random, double chance);
double sim_draw_exponential(struct sim_random *random, double mean);
double sim_draw_normal(struct sim_random *random); /* mean 0, deviation 1, within 3.5 */

#endif
