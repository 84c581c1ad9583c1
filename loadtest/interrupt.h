/*
 * interrupt.h - Ctrl-C and SIGTERM while a program of many runs does its work.
 *
 * load_run() notices signals while it runs. Between two runs nobody would: the
 * signal would end the process there, with settings changed that are to be put back. So
 * whoever runs more than once holds one of these from before the first run to
 * behind the last clean-up.
 *
 *   Threads    one; the loop inside is run only by interrupt_signal().
 *   Effect     from init to deinit neither signal ends the process by itself.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <uv.h>

#include "load_base.h"

struct interrupt {
    uv_loop_t _loop;
    uv_signal_t _on_int;
    uv_signal_t _on_term;
    int _signal;
};

bool interrupt_init(struct interrupt *interrupt, struct load_error *error)
    __attribute__((warn_unused_result));
void interrupt_deinit(struct interrupt *interrupt);

/* The first signal that has come since init; 0: none. Does not wait. */
int interrupt_signal(struct interrupt *interrupt);

#endif
