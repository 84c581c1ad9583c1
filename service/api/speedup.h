/*
 * speedup.h - how much faster the chosen kernels are than their plain twins, measured.
 *
 *   Threads    any; allocates what it works on, and is done with it when it returns.
 *   Method     rounds in which the fast kernel and its twin take turns on the same data;
 *              the median of the rounds' ratios, so that a machine that is busy for a
 *              moment does not decide.
 */
#ifndef SPEEDUP_H
#define SPEEDUP_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"
#include "metrics.h"

/* What is measured: series of this length, and a layer of SPEEDUP_ROWS x SIZE x SIZE. */
enum {
    SPEEDUP_POINTS = 10000,
    SPEEDUP_PERIOD_AVERAGE = 20, /* SMA, EMA */
    SPEEDUP_PERIOD_RSI = 14,
    SPEEDUP_LAYER_SIZE = 256,
    SPEEDUP_LAYER_ROWS = 8,
};

struct speedups {
    double ratio[METRICS_INDICATOR_COUNT];   /* by enum metrics_indicator */
    double fast_ns[METRICS_INDICATOR_COUNT]; /* one call of the fast kernel */
};

/* Spends at most about `budget_ns` in all. 0, or -1 without memory; *out is then
 * untouched. */
int speedup_measure(const struct kernels *kernels, uint64_t budget_ns, struct speedups *out)
    __attribute__((warn_unused_result));

/* What was recorded for this instruction set when the kernels were last changed
 * (speedup_reference.inc); NaN: nothing. */
double speedup_reference(enum kernels_isa isa, enum metrics_indicator indicator);

#endif
