/*
 * cost_model.h - how long a batch will take: a straight line, learned from those that ran.
 *
 *     t(work) = fixed_ns + unit_ns * work          work in units: rows, or points of a series
 *
 * The line is kept as two anchors, the times of one unit and of a full batch. A measured batch
 * moves each anchor in the measure in which it says something about it (normalised least mean
 * squares, scaled by the anchors), so that a server that sees only full batches keeps what it knows
 * of small ones, and the other way round.
 *
 *   Robust     one measurement counts as at most 4 usual errors away: a batch that was caught by a
 *              page fault or another process moves the line by half of a usual error at its own
 *              size. A lasting change is followed within some twenty batches, because the usual
 *              error then grows with every one.
 *   Bounded    times are positive, and COST_NS_MAX at most; more work never takes less time, nor
 *              more than in proportion.
 *   Unsure     until 8 batches were seen, and while the usual error is over half of the time. Who
 *              asks should then rely on static limits.
 */
#ifndef COST_MODEL_H
#define COST_MODEL_H

#include "batcher.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COST_NS_MAX UINT64_C(3600000000000)

struct cost_model {
    double fixed_ns; /* the line; neither is negative */
    double unit_ns;
    double one_ns;  /* the anchors: of one unit */
    double full_ns; /* of `full` units */
    double full;
    double error; /* the usual one, as a share of the time */
    uint64_t seen;
};

/* Without any measurement every batch is taken to need a millisecond. */
void cost_model_init(struct cost_model *model, size_t full_work);

/* Begins with the line through two measured batches, and sure of it. */
void cost_model_seed(struct cost_model *model, const struct batcher_cost_seed *seed);

/* A batch of `work` units took run_ns. */
void cost_model_learn(struct cost_model *model, uint64_t work, uint64_t run_ns);

uint64_t cost_model_ns(const struct cost_model *model, uint64_t work);

/* With two usual errors on top: what to keep in reserve. */
uint64_t cost_model_reserve_ns(const struct cost_model *model, uint64_t work);

bool cost_model_is_sure(const struct cost_model *model);

#endif
