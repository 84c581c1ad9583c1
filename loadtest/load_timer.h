/*
 * load_timer.h - wakes a loop at a nanosecond: libuv's own timers know
 * milliseconds, and a request sent a millisecond late is a wrong measurement.
 */
#ifndef LOAD_TIMER_H
#define LOAD_TIMER_H

#include <stdint.h>
#include <uv.h>

/* What load_timer_set() takes for "never". */
#define LOAD_TIMER_NEVER UINT64_MAX

struct load_timer {
    int _fd;
    uint64_t _at_ns;
    uv_poll_t _poll;
};

/* Waking is all it does: what is due is looked at after each turn of the loop. 0, or
 * an error of libuv. */
int load_timer_init(struct load_timer *timer, uv_loop_t *loop) __attribute__((warn_unused_result));
/* On the clock of uv_hrtime(); a time that has passed wakes at once. */
void load_timer_set(struct load_timer *timer, uint64_t at_ns);
/* The loop must run on until the handle is closed. */
void load_timer_close(struct load_timer *timer);

#endif
