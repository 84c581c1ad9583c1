/*
 * batch_policy.h - what the batcher decides, as arithmetic over explicit time.
 *
 * No clock, no lock, no thread, no allocation: time is a parameter, the jobs
 * carry their own links. batcher.c calls it with its lock held; the simulation
 * in the tests calls it with a virtual clock.
 *
 *   Threads    none of its own; the caller serialises.
 *   Order      jobs of a queue leave in order of arrival. Among queues, the one
 *              whose oldest job has waited longest goes first. (Deadline order
 *              inside a class, shares between tenants and charging by compute
 *              time take their place in batch_policy_choose() and
 *              batch_queue_seal(); batch size under a latency target in
 *              batch_queue_due().)
 *   Words      sealed: taken from the queue into a batch, at the instant a
 *              worker takes it. linger: waiting for more jobs although a worker
 *              is free, at most limits.delay_ns_max after the oldest arrival.
 */
#ifndef BATCH_POLICY_H
#define BATCH_POLICY_H

#include "batcher.h"

/* Where a job is. A job of zeroes is idle; what has left stays RUNNING or GIVEN_UP, because writing
 * a job on its way to `done` would need the lock, and is admitted again from there. */
enum batch_job_state {
    BATCH_JOB_IDLE,
    BATCH_JOB_QUEUED,
    BATCH_JOB_RUNNING,  /* sealed into a batch */
    BATCH_JOB_GIVEN_UP, /* expired or abandoned */
};

/* How fast the queue empties; see batch_queue_drain_rate(). */
struct batch_drain {
    double jobs;
    double busy_s;
    uint64_t finished_ns;
};

/* One queue's state. Embed it; fields are for reading outside batch_policy.c, except `limits`,
 * which may be changed between any two calls. */
struct batch_queue {
    struct batcher_queue_limits limits;
    size_t batch_jobs_max;      /* room of the array that batch_queue_seal() fills */
    struct batcher_job *oldest; /* in order of arrival, through _next */
    struct batcher_job *newest;
    struct batcher_job *earliest; /* root of a heap by deadline_ns; only jobs that have one */
    size_t jobs;
    size_t rows;
    size_t bytes;
    size_t inflight_batches;
    uint64_t run_ns_expected; /* what the next batch may take: keeps a reserve before deadlines */
    struct batch_drain drain;
};

void batch_queue_init(struct batch_queue *queue, const struct batcher_queue_limits *limits,
                      size_t batch_jobs_max);

/* Appends the job, or says why not (FULL, TOO_LARGE, EXPIRED, UNMEETABLE) and
 * leaves it untouched. */
enum batcher_status batch_queue_admit(struct batch_queue *queue, struct batcher_job *job,
                                      uint64_t now_ns) __attribute__((warn_unused_result));

/* Takes a waiting job out (it was cancelled). It is idle again. */
void batch_queue_remove(struct batch_queue *queue, struct batcher_job *job);

/* Takes out every job whose deadline is not after now, as EXPIRED; a list
 * through `next`, earliest deadline first, NULL when there is none. */
struct batcher_job *batch_queue_expire(struct batch_queue *queue, uint64_t now_ns);

/* Takes out every job, as STOPPING; a list through `next` in order of arrival. */
struct batcher_job *batch_queue_abandon(struct batch_queue *queue, uint64_t now_ns);

/* The earliest deadline that waits here; 0: none. */
uint64_t batch_queue_deadline_ns(const struct batch_queue *queue);

/* Whether a batch may leave. */
struct batch_due {
    bool ready;                 /* a free worker should take a batch now, because of `reason` */
    enum batcher_reason reason; /* set when ready */
    uint64_t at_ns;             /* not ready: when it will be by itself; 0: only by an event */
};
struct batch_due batch_queue_due(const struct batch_queue *queue, bool draining, uint64_t now_ns);

/*
 * Seals a batch: takes jobs in order while their rows fit batch_rows_max and
 * the array (room for batch_jobs_max), writes them to `jobs`, stamps them and
 * returns how many (0 when none waits). The oldest always goes: a job
 * with more rows than batch_rows_max is a batch of its own. Expired jobs must have
 * been taken out before. Counts one batch in flight until batch_queue_finish().
 */
size_t batch_queue_seal(struct batch_queue *queue, uint64_t now_ns, struct batcher_job **jobs);

/* What one batch took, for the estimates. */
struct batch_times {
    size_t jobs;
    uint64_t oldest_ns; /* when its oldest job was submitted */
    uint64_t sealed_ns;
    uint64_t finished_ns;
};
void batch_queue_finish(struct batch_queue *queue, const struct batch_times *times);

/*
 * Jobs a second that the queue finished while it had something to do; 0 while
 * unknown. For a batch of n jobs that finishes, dt seconds after the later of
 * the previous finish and its own oldest arrival:
 *
 *     keep = T / (T + dt), T = 1 s     jobs = jobs * keep + n     busy_s = busy_s * keep + dt
 *
 * and the rate is jobs / busy_s. Idle time does not count, waiting for a worker
 * does: it is what a client that is told to come back would see.
 */
double batch_queue_drain_rate(const struct batch_queue *queue);

/* Which of the queues a free worker should serve. */
struct batch_choice {
    struct batch_queue *queue;  /* NULL: none is ready */
    enum batcher_reason reason; /* set with queue */
    size_t batches;             /* at least so many could leave now, over all queues */
    uint64_t at_ns; /* the earliest time one that lingers becomes ready; 0: none lingers */
};
struct batch_choice batch_policy_choose(struct batch_queue *const *queues, size_t count,
                                        bool draining, uint64_t now_ns);

#endif
