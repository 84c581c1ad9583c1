/*
 * recent_batches.h - the last batches of a queue, for whoever asks why they were as they were.
 *
 *   Threads    any; its lock is held for a copy and nothing else. Batches are in the order in
 *              which their workers told of them.
 *   Memory     nothing is allocated.
 */
#ifndef RECENT_BATCHES_H
#define RECENT_BATCHES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "batcher.h"

enum {
    RECENT_BATCHES_MAX = 256
};

struct recent_batch {
    uint64_t finished_ns; /* CLOCK_MONOTONIC */
    uint64_t wait_ns_max; /* of the oldest job */
    uint64_t predicted_ns;
    uint64_t run_ns;
    uint64_t work;
    size_t rows;
    size_t jobs;
    size_t failed;
    unsigned runner; /* a worker's index, or a loop's */
    bool on_loop;
    enum batcher_reason reason;
};

struct recent_batches {
    pthread_mutex_t _mutex; /* guards the fields below */
    uint64_t _added;        /* so many ever; the last one is at (_added - 1) % RECENT_BATCHES_MAX */
    struct recent_batch _ring[RECENT_BATCHES_MAX];
};

void recent_batches_init(struct recent_batches *recent);
void recent_batches_deinit(struct recent_batches *recent);

void recent_batches_add(struct recent_batches *recent, const struct recent_batch *batch);

/* The last `count` of them, newest first; returns how many there were. */
size_t recent_batches_copy(struct recent_batches *recent, struct recent_batch *out, size_t count);

#endif
