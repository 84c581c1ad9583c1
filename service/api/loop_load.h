/*
 * loop_load.h - whether a loop needs a processor of its own.
 *
 *   Threads    the loop's thread.
 *   Measure    the part of its time in which the loop did not wait for events, over
 *              at least LOOP_LOAD_NS. A loop that waits for a processor does not
 *              wait for events: it counts as busy, which is what is wanted.
 */
#ifndef LOOP_LOAD_H
#define LOOP_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define LOOP_LOAD_NS UINT64_C(10000000)

struct loop_load {
    bool busy; /* from half of its time on, until it is less than a quarter */
    uint64_t _since_ns;
    uint64_t _idle_ns;
};

/* The loop must have been configured with UV_METRICS_IDLE_TIME. To be called in every turn of the
 * loop; true when `busy` has changed. */
bool loop_load_update(struct loop_load *load, uv_loop_t *loop);

#endif
