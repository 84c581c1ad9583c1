/*
 * tune_plan.h - how long each measurement of a tuning may be, and how many settings there
 * is time for.
 *
 *   Purity     arithmetic.
 *   Window     a percentile wants some requests beyond it, or it is one request's luck:
 *              five of them, of 500 for p99. A fast server has these in an instant; then the
 *              window is as long as the budget allows, up to a second, because what disturbs a
 *              machine lasts for milliseconds.
 */
#ifndef TUNE_PLAN_H
#define TUNE_PLAN_H

#include "load_base.h"

struct tune_basis {
    uint64_t budget_ns; /* of all measurements */
    double rate;        /* of answers, as the settings of now have it */
    double quantile;    /* that the limit is about */
};

struct tune_plan {
    uint64_t warmup_ns;
    uint64_t duration_ns;
    bool is_short; /* too short for the percentile: the budget is too small */
};

/* How many settings, when windows are as short as they may be. */
size_t tune_plan_settings_max(const struct tune_basis *basis);

/* The windows for `count` settings. */
struct tune_plan tune_plan_make(const struct tune_basis *basis, size_t count);

#endif
