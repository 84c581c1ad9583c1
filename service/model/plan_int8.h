/*
 * plan_int8.h - a plan whose dense steps compute in int8, and what that costs in accuracy.
 *
 *   Threads    one owner; before the plan is run by others.
 */
#ifndef PLAN_INT8_H
#define PLAN_INT8_H

#include "model_plan.h"
#include "model_samples.h"

/*
 * Packs the weights of each dense step for `kernels`' int8 layer, and gives back the float32
 * ones; steps that it cannot take (KERNELS_I8_INPUTS_MAX) stay as they are. Runs the samples
 * before and after: *rows of them, as many as fit into some memory, and *error is the largest
 * difference of an output as a part of the largest |output|; infinite when one is not finite.
 * Outputs are compared before a softmax or sigmoid at the end: where an answer is certain, that
 * would hide any error, and samples are often more certain than what is asked later.
 *
 * False without memory; the plan is then good for nothing but model_plan_deinit().
 */
bool model_plan_to_int8(struct model_plan *plan, const struct kernels *kernels,
                        const struct model_samples *samples, double *error, size_t *rows)
    __attribute__((warn_unused_result));

#endif
