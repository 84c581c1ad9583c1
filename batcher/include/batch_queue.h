/*
 * batch_queue.h - one queue: who gets in, when a batch leaves, and with whom.
 *
 * Pure: no clock, no lock, no thread, no allocation. Time is a parameter, jobs carry their own
 * links. batch_policy.h chooses among queues; batcher.c calls both with its lock held, the
 * simulation with a virtual clock.
 *
 *   Threads    none of its own; the caller serialises.
 *   Words      sealed: taken from the queue into a batch, at the instant a
 *              worker takes it. linger: waiting for more jobs although a worker
 *              is free, counted from the oldest arrival. While another batch of
 *              the queue runs, so that free workers do not split a trickle into
 *              tiny batches; while none runs only if the operator wants it.
 */
#ifndef BATCH_QUEUE_H
#define BATCH_QUEUE_H

#include "batch_plan.h"
#include "batcher.h"
#include "cost_model.h"
#include "fair_share.h"
#include "flow_rate.h"
#include "job_order.h"

#define QUEUE_STANDS_NS UINT64_C(100000000)

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

/* One queue's state. Embed it; fields are for reading outside batch_queue.c. */
struct batch_queue {
    struct batcher_queue_limits limits;
    struct batch_plan plan;     /* what follows from them now */
    size_t batch_jobs_max;      /* room of the array that batch_queue_seal() fills */
    unsigned workers;           /* of the batcher */
    struct job_order order;     /* who leaves next */
    struct batcher_job *oldest; /* in order of arrival, through _next */
    struct batcher_job *newest;
    size_t jobs;
    size_t rows;
    size_t bytes;
    uint64_t work;
    size_t inflight_batches;
    size_t worker_batches;  /* those of them that workers run: batch_policy.c's */
    struct cost_model cost; /* how long a batch takes */
    /* How much of that it has a processor: not while others had it. */
    struct cost_model work_cost;
    struct flow_rate arrivals; /* of work, of admitted and of refused jobs */
    double work_per_row;       /* a running mean */
    uint64_t planned_ns;       /* when the plan was made */
    uint64_t relaxed_ns;       /* when it last did not stand; see batch_queue_stands() */
    struct batch_drain drain;
    struct fair_share share; /* of the workers' time: batch_policy.c's */
};

struct batch_queue_setup {
    struct batcher_queue_limits limits;
    struct batcher_shares shares;
    size_t batch_jobs_max;
    size_t full_work; /* see batcher_queue_config */
    unsigned workers;
    struct job_lane *lanes; /* room for BATCHER_CLASS_COUNT * shares.tenants; the caller's */
};

void batch_queue_init(struct batch_queue *queue, const struct batch_queue_setup *setup);

/* What waits already stays, whatever the new limits say. */
void batch_queue_set_limits(struct batch_queue *queue, const struct batcher_queue_limits *limits,
                            uint64_t now_ns);

/* A job asks to get in. Whether it does or not, the next plan is for what is asked for. */
void batch_queue_note_arrival(struct batch_queue *queue, const struct batcher_job *job,
                              uint64_t now_ns);

/* Whether for twice the target, and at least QUEUE_STANDS_NS, no interactive job has found what
 * bursts leave behind when they are over: none of its class waiting, and one more batch allowed. */
bool batch_queue_stands(const struct batch_queue *queue, uint64_t now_ns);

/*
 * Whether the job may get in: OK, TOO_LARGE, EXPIRED, FULL, TENANT_FULL. With several tenants, each
 * may have at most twice the rows that are still free: one that floods the queue leaves a third of
 * it to the others, two leave a fifth. So may the batch class, for which it is FULL then: its
 * backlog leaves a third to interactive jobs.
 */
enum batcher_status batch_queue_check(const struct batch_queue *queue,
                                      const struct batcher_job *job, uint64_t now_ns)
    __attribute__((warn_unused_result));

/* Appends the job, or says why not and leaves it untouched. */
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
struct batch_due batch_queue_due(const struct batch_queue *queue, bool hurrying, uint64_t now_ns);

/* What was sealed. */
struct batch_load {
    size_t jobs;
    size_t rows;
    uint64_t work;
    uint64_t oldest_ns; /* when its oldest job was submitted */
};

/*
 * Seals a batch: takes jobs in job_order.h's order while the plan allows one more and the array has
 * room (for batch_jobs_max), writes them to `jobs` and stamps them. No jobs when none waits. The
 * first always goes: a job with more rows than a batch may have is a batch of its own. Expired jobs
 * must have been taken out before. Counts one batch in flight until batch_queue_finish().
 */
struct batch_load batch_queue_seal(struct batch_queue *queue, uint64_t now_ns,
                                   struct batcher_job **jobs);

void batch_queue_seed_cost(struct batch_queue *queue, const struct batcher_cost_seed *seed);

/* What one batch took, for the estimates. */
struct batch_times {
    uint64_t sealed_ns;
    uint64_t finished_ns;
    uint64_t cpu_ns; /* of the thread that ran it; 0: not measured, taken to be all the time */
};
void batch_queue_finish(struct batch_queue *queue, const struct batch_load *load,
                        const struct batch_times *times);

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

#endif
