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
 *   Place      a batch that is over sooner than it could be handed over and back is *brief*: the
 *              thread that submitted its jobs runs it. Only while no worker runs one of the same
 *              queue: who comes meanwhile is to share the next of these. What counts is the time
 *              on a processor: on a busy machine a worker's batch takes longer because it is a
 *              worker's.
 *   Processors a batch that a worker would run is not ready while workers_max of them run one.
 *   Overload   the target's time is for bursts. When there has been no break for longer than any
 *              burst lasts (batch_queue_stands()), only as many interactive jobs are let in as keep
 *              batches full: one batch, and half of one for each that can run at once. More would
 *              make all of them wait and none of them be served sooner.
 */
#ifndef BATCH_POLICY_H
#define BATCH_POLICY_H

#include "batch_queue.h"

#define QUEUE_LEAD_NS UINT64_C(2000000)

/* Who asks what there is to do. */
enum batch_scope {
    BATCH_SCOPE_ALL,   /* a worker: whatever is most urgent */
    BATCH_SCOPE_BRIEF, /* a caller at the end of its turn */
    BATCH_SCOPE_LONG,  /* who looks for work to wake a worker for, and leaves callers theirs */
};

/* A worker or a caller, as far as the policy knows: what it runs. */
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
    struct batch_run *runs; /* by worker; behind them, by caller */
    unsigned workers;
    unsigned workers_max; /* so many of them run batches at once; 1.. */
    unsigned running;     /* workers that do */
    unsigned callers;
    uint64_t brief_ns_max; /* 0: no batch is brief; UINT64_MAX: every one is */
    bool hurrying;         /* no batch lingers */
    struct fair_clock clock;
};

/* `queues` has room for all that will be added, `runs` for one a worker. No batch is brief. */
void batch_policy_init(struct batch_policy *policy, struct batch_queue **queues,
                       struct batch_run *runs, unsigned workers);
/* So many callers run batches that are predicted, with two usual errors on top, to take at most
 * brief_ns_max. `runs` has room for them, too. Before the first job. */
void batch_policy_set_callers(struct batch_policy *policy, unsigned callers, uint64_t brief_ns_max);
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

/* Whether the next batch of a queue with jobs is one for a caller. */
bool batch_policy_is_brief(const struct batch_policy *policy, const struct batch_queue *queue);

/* Which of the queues should be served next, of those in the scope. */
struct batch_choice {
    struct batch_queue *queue;  /* NULL: none is ready */
    enum batcher_reason reason; /* set with queue */
    size_t batches;             /* at least so many of the scope could leave now */
    uint64_t at_ns; /* the earliest time one that lingers becomes ready; 0: none lingers */
};
struct batch_choice batch_policy_choose(const struct batch_policy *policy, enum batch_scope scope,
                                        uint64_t now_ns);

/* Seals a batch of the chosen queue for who is free: a worker by its index, or a caller by its own
 * behind those of all workers; see batch_queue_seal(). */
struct batch_run batch_policy_seal(struct batch_policy *policy, const struct batch_choice *choice,
                                   unsigned runner, uint64_t now_ns, struct batcher_job **jobs);

/* The runner's batch has run, and its thread was on a processor for cpu_ns of that time (0: not
 * measured); it is free again. */
void batch_policy_finish(struct batch_policy *policy, unsigned runner, uint64_t finished_ns,
                         uint64_t cpu_ns);

#endif
