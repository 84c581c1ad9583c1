/*
 * completion.h - finished jobs on their way from the workers to a loop.
 *
 * A mutex-guarded list is the truth; the wake-up carries nothing, and is sent only
 * when the list was empty. The loop takes the whole list at once.
 *
 *   Threads    completion_push() from any thread; everything else on the loop.
 */
#ifndef COMPLETION_H
#define COMPLETION_H

#include <pthread.h>
#include <uv.h>

#include "batcher.h"

typedef void completion_fn(void *ctx, struct batcher_job *list);

struct completion {
    uv_async_t _async;
    pthread_mutex_t _mutex; /* guards _first and _last */
    struct batcher_job *_first;
    struct batcher_job *_last;
    completion_fn *_take;
    void *_ctx;
};

/* `take` gets the jobs in the order of their completion. 0 or a libuv error. */
int completion_init(struct completion *c, uv_loop_t *loop, completion_fn *take, void *ctx)
    __attribute__((warn_unused_result));

/* A chain of jobs, linked by `next` from first to last. */
void completion_push(struct completion *c, struct batcher_job *first, struct batcher_job *last);

/* Closes the handle; the memory may go when uv_run() has returned. */
void completion_close(struct completion *c);
void completion_deinit(struct completion *c);

#endif
