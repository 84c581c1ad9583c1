/*
 * plan_twin.h - a row of a plan as the plain twins compute it, and how far any other table may
 * be from that.
 *
 *   Threads    pure; one scratch for each call under way.
 *
 * Both runs round, each in its own order; the bound is what both together can be off, carried from
 * step to step. It holds for every input, so that what exceeds it is wrong, not unlucky:
 *
 *   dense     a float32 sum of n products and a bias is within g (sum of the magnitudes) of the
 *             exact one in any order and with or without fused multiplies, g = (n + 2) u /
 *             (1 - (n + 2) u), u = 2^-24. With inputs that differ by d already:
 *                 d' = sum of |w| ((1 + g) d + 2 g |x|), plus 2 g |bias|
 *   int8      no more than 0 when the inputs are the same bits (kernels.h). Else inputs may be
 *             rounded to other steps: (d and a step) * plan_step.i8_gain.
 *   elementwise and activations
 *             the largest slope times d, and what both round; kernels.h says how well sigmoid,
 *             tanh and softmax are computed.
 *
 * Sums grow by their number here, as they do at worst; really by its root, so a bound is loose by
 * 10 to 100. A wrong index, a lost term or a missing bias is far beyond it all the same.
 */
#ifndef PLAN_TWIN_H
#define PLAN_TWIN_H

#include "model_plan.h"

size_t plan_twin_scratch_bytes(const struct model_plan *plan);

/* One row. `scratch` is aligned for any vector. Where numbers overflow or a divisor may be 0 in
 * one of the runs, all outputs are NAN and the bounds INFINITY. Steps that are packed have kept
 * their weights. */
void plan_twin_run(const struct model_plan *plan, const float *in, float *out, double *bounds,
                   void *scratch);

#endif
