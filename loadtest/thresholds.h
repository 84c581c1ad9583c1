/*
 * thresholds.h - when a run counts as failed: --fail-if 'p99>5ms'.
 *
 *     FIGURE OP VALUE      OP is > >= < <=; spaces may stand anywhere
 *
 *   p50 p99 p99.9 ...      latency of 2xx answers; any percentile below 100
 *   mean min max           the same; VALUE is a duration: 250us, 5ms, 1.5s
 *   lag                    the p99 of how late we sent
 *   throughput goodput     a second; VALUE is a number
 *   errors                 share of requests that failed; VALUE is 1% or 0.01
 *   failed lost unsent     counts
 *   cpu                    of the client's thread, as a share of a core
 *
 * A latency of which there is none (nothing was answered 2xx) fails every threshold
 * on it: silence is no success.
 */
#ifndef THRESHOLDS_H
#define THRESHOLDS_H

#include "summary.h"

enum {
    THRESHOLD_TEXT_BYTES_MAX = 64,
};

enum threshold_figure {
    THRESHOLD_QUANTILE,
    THRESHOLD_MEAN,
    THRESHOLD_MIN,
    THRESHOLD_MAX,
    THRESHOLD_LAG,
    THRESHOLD_THROUGHPUT,
    THRESHOLD_GOODPUT,
    THRESHOLD_ERRORS,
    THRESHOLD_FAILED,
    THRESHOLD_LOST,
    THRESHOLD_UNSENT,
    THRESHOLD_CPU,
};

enum threshold_op {
    THRESHOLD_ABOVE,
    THRESHOLD_AT_LEAST,
    THRESHOLD_BELOW,
    THRESHOLD_AT_MOST,
};

struct threshold {
    char text[THRESHOLD_TEXT_BYTES_MAX]; /* as it was written */
    enum threshold_figure figure;
    double quantile; /* 0 to 1 */
    enum threshold_op op;
    double value; /* nanoseconds, a second, share or count */
};

bool threshold_parse(const char *text, struct threshold *out, struct load_error *error)
    __attribute__((warn_unused_result));

/* Whether the run failed by it. *out_actual is the figure, in the unit of `value`; NaN
 * when there is none. */
bool threshold_is_crossed(const struct threshold *threshold, const struct summary *summary,
                          double *out_actual);

/* "12.3 ms", "1.2 %", "4980/s": a figure as a person reads it. */
void threshold_print_value(const struct threshold *threshold, double value, char *out,
                           size_t out_bytes);

#endif
