/*
 * batch_policy.h - what the batcher decides, as arithmetic over explicit time: which queue a free
 * worker serves, and whether a job can be served in time.
 *
 * Pure like batch_queue.h, which it is made of; memory is the caller's.
 *
 *   Order      among queues that are ready, the one with the most urgent job (its class, then its
 *              deadline, then its age) as long as it has not had more than its part of the workers'
 *              time: a queue is passed over while it is QUEUE_LEAD_NS ahead of another ready one.
 *              It is charged what a batch is predicted to take when that is sealed, and what it
 *              really took when it has run.
 *   Promise    of two queues that are ready all the time, neither gets more of the workers' time
 *              than the other by over QUEUE_LEAD_NS and the batches in flight.
 *   Admission  a job is refused when its queue's model is sure that its result would come after
 *              its deadline (UNMEETABLE) or, if it is interactive, after the queue's target
 *              (OVERLOADED).
 *   Overload   the target's time is for bursts. When there has been no break for longer than any
 *              burst lasts (batch_queue_stands()), only as many interactive jobs are let in as keep
 *              batches full: one batch, and half of one for each that can run at once. More would
 *              make all of them wait and none of them be served sooner.
 */
#ifndef BATCH_POLICY_H
#define BATCH_POLICY_H

#include "batch_queue.h"

#define QUEUE_LEAD_NS UINT64_C(2000000)

/* A worker, as far as the policy knows: what it runs. */
struct batch_run {
    struct batch_queue *queue; /* NULL: it is free */
    enum batcher_reason reason;
    struct batch_load load;
    uint64_t sealed_ns;
    uint64_t predicted_ns;
};

struct batch_policy {
    struct batch_queue **queues;
    size_t count;
    struct batch_run *runs; /* by worker */
    unsigned workers;
    bool hurrying; /* no batch lingers */
    struct fair_clock clock;
};

/* `queues` has room for all that will be added, `runs` for one a worker. */
void batch_policy_init(struct batch_policy *policy, struct batch_queue **queues,
                       struct batch_run *runs, unsigned workers);
void batch_policy_add(struct batch_policy *policy, struct batch_queue *queue);

/* Whether the job would be admitted now: batch_queue_check(), and whether it would be late. */
enum batcher_status batch_policy_check(const struct batch_policy *policy,
                                       const struct batch_queue *queue,
                                       const struct batcher_job *job, uint64_t now_ns)
    __attribute__((warn_unused_result));

/* Admits the job, or says why not and leaves it untouched. */
enum batcher_status batch_policy_admit(struct batch_policy *policy, struct batch_queue *queue,
                                       struct batcher_job *job, uint64_t now_ns)
    __attribute__((warn_unused_result));

/*
 * About how long a job that came now would be here, from arrival to result: until a worker is
 * free; then what this queue and the others (up to their part) would run before it, shared by the
 * workers; then its own batch, with those who come until it leaves.
 */
uint64_t batch_policy_latency_ns(const struct batch_policy *policy, const struct batch_queue *queue,
                                 const struct batcher_job *job, uint64_t now_ns);

/* Which of the queues a free worker should serve. */
struct batch_choice {
    struct batch_queue *queue;  /* NULL: none is ready */
    enum batcher_reason reason; /* set with queue */
    size_t batches;             /* at least so many could leave now, over all queues */
    uint64_t at_ns; /* the earliest time one that lingers becomes ready; 0: none lingers */
};
struct batch_choice batch_policy_choose(const struct batch_policy *policy, uint64_t now_ns);

/* Seals a batch of the chosen queue for a free worker; see batch_queue_seal(). */
struct batch_run batch_policy_seal(struct batch_policy *policy, const struct batch_choice *choice,
                                   unsigned worker, uint64_t now_ns, struct batcher_job **jobs);

/* The worker's batch has run; it is free again. */
void batch_policy_finish(struct batch_policy *policy, unsigned worker, uint64_t finished_ns);

#endif
