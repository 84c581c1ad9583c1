/*
 * selftest.h - measures the kernels' speed-up off the request path, and exports it.
 *
 * compute_indicator_speedup, compute_indicator_speedup_reference and
 * compute_selftest_timestamp_seconds.
 *
 *   Threads    selftest_start() and selftest_report() on any thread; the measurement
 *              runs on a thread of its own that ends with it.
 *   Ownership  selftest_create() to selftest_destroy(), which waits for a measurement
 *              that is under way (at most about SELFTEST_BUDGET_MS; a Python baseline is
 *              cut short).
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>

#include "buffer.h"
#include "kernels.h"
#include "log.h"
#include "metrics.h"

enum {
    SELFTEST_BUDGET_MS = 300
};

struct selftest;

/* The registry, the log and the path must outlive it. `python_baseline` is a program for
 * python_baseline.h to run after the measurement, or NULL. NULL without memory. */
struct selftest *selftest_create(const struct kernels *kernels, const char *python_baseline,
                                 struct metrics *metrics, struct log *log);
void selftest_destroy(struct selftest *test);

/* False when one is under way, or no thread could be had. */
bool selftest_start(struct selftest *test);

/* {"running":false,"measured_at":...,"isa":"avx2","speedups":{"sma":{"scalar":8.4,"reference":8.5,"python":213,"ns":2700},...}}
 */
void selftest_report(struct selftest *test, struct buffer *out);

#endif
