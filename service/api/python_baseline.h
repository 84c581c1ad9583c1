/*
 * python_baseline.h - how long plain-Python loops take for the same work as the kernels.
 *
 * Runs `python3 PATH N` (tests/bench/baselines.py is such a program), which prints
 *   {"n": 10000, "seconds": {"sma.naive": 0.0041, "sma.running": 0.0006, "ema.loop": ...}}
 * Several styles may stand for one indicator; the fastest counts.
 *
 *   Threads    any, but not an event loop: it takes seconds, at most
 *              PYTHON_BASELINE_TIMEOUT_S.
 *   Trust      the path is the operator's; what it prints is bounded and checked.
 */
#ifndef PYTHON_BASELINE_H
#define PYTHON_BASELINE_H

#include <stdatomic.h>
#include <stddef.h>

#include "metrics.h"

enum {
    PYTHON_BASELINE_TIMEOUT_S = 30
};

struct python_baseline {
    double seconds[METRICS_INDICATOR_COUNT]; /* of one call; NaN: no such loop */
};

/* 0, or -1 with a reason in `why`; *out is then untouched. Setting `cancelled` ends it within
 * a tenth of a second. */
int python_baseline_measure(const char *path, size_t points, const atomic_bool *cancelled,
                            struct python_baseline *out, const char **why)
    __attribute__((warn_unused_result));

#endif
