/*
 * batcher_threads.h - the batcher's state, and the threads that live on it.
 *
 * Shared by batcher.c (what callers call) and batcher_threads.c (what the
 * threads do). Names ending in _locked want b->lock held.
 */
#ifndef BATCHER_THREADS_H
#define BATCHER_THREADS_H

#include "batch_policy.h"

#include <pthread.h>
#include <stdatomic.h>

struct batcher_queue {
    struct batch_queue policy; /* under the batcher's lock */
    const char *name;
    void *ctx;
    struct job_lane lanes[]; /* policy's */
};

/* A worker, or a caller: that has no thread of ours and does not sleep. */
struct worker {
    struct batcher *batcher;
    unsigned index; /* as a runner */
    pthread_t thread;
    struct batcher_job **jobs; /* room for a batch; only this worker touches it */
    pthread_cond_t wake;
    bool has_run;                 /* a batch since it slept */
    atomic_bool asleep;           /* written under the lock: nobody has called it back yet */
    struct worker *next_follower; /* under the lock */
};

struct batcher {
    struct batcher_config config; /* does not change */

    pthread_mutex_t lock; /* guards everything up to the blank line */
    struct batch_policy policy;
    uint64_t seen_ns;         /* the latest time that anybody told us */
    struct worker *leader;    /* the one sleeper that has a timeout, for the next linger to end */
    uint64_t leader_at_ns;    /* when it will look by itself */
    struct worker *spinner;   /* the one that still looks whether somebody calls it back */
    struct worker *followers; /* the other sleepers; the last to fall asleep is the first to wake */
    unsigned waking;          /* called back, but not yet awake */
    uint64_t keeper_at_ns;    /* when the keeper has to look; not after any deadline that waits */
    uint64_t keeper_busy_ns;  /* when it last gave up jobs */
    bool keeper_late;         /* that was moved forward, and nobody told the keeper yet */
    int processors_wanted;    /* for something else than workers */
    bool refusing;            /* no new jobs */
    bool workers_stopping;    /* workers leave when nothing is queued */
    bool keeper_stopping;

    struct batch_queue **queues; /* policy's, and */
    struct batch_run *runs;      /* these too */
    struct worker *workers;      /* and behind them the callers */
    unsigned workers_started;
    struct batcher_job **jobs; /* the arrays of all runners, in one piece */
    pthread_t keeper;
    bool keeper_started;
    pthread_cond_t keeper_wake;
};

uint64_t batcher_now_ns(void);

void *worker_main(void *worker);
void *keeper_main(void *batcher);

/* Calls back one sleeping worker when there is something in the scope for it to do that no
 * other is about to do. Who asked signals its `wake` after unlocking. */
struct worker *rouse_worker_locked(struct batcher *b, enum batch_scope scope, uint64_t now_ns);
void rouse_all_locked(struct batcher *b);

/* True: who asked signals keeper_wake after unlocking. */
bool rouse_keeper_locked(struct batcher *b);

/* Calls back everybody who has something to do, and lets the lock go. */
void wake_and_unlock(struct batcher *b, enum batch_scope scope);

#endif
