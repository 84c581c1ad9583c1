/*
 * plan_choice.h - how each dense step of a plan is computed: over packed weights
 * or, as long as nothing is chosen, by the table's plain dense_f32 (OpenBLAS).
 *
 *   Threads    one owner; before the plan is run by others.
 */
#ifndef PLAN_CHOICE_H
#define PLAN_CHOICE_H

#include "model_plan.h"

/* See model_choose_kernels(). Steps in int8 stay as they are. */
void model_plan_choose(struct model_plan *plan, const struct kernels *kernels, size_t rows_max);

#endif
