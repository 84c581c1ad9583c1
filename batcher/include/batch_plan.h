/*
 * batch_plan.h - how large a queue's batches may be and how long they linger.
 *
 * Static: what the limits say. With a target for the 99th percentile of latency: from the cost
 * model and the rate at which work arrives.
 *
 *   Size       a job that just missed a batch waits for that one and then runs in the next. So a
 *              batch may take half of what the target leaves once a usual error is put aside.
 *   Linger     none while workers would be busy less than half of the time if every batch left at
 *              once. Above it, so long that they would be: fewer, fuller batches leave the
 *              processor to others, and the target has the time to spare. Never longer than a
 *              quarter of the target, nor than it takes until a batch is full, or so large that
 *              no more than a quarter of its time is the fixed part: more would save little.
 *   Admission  is in batch_policy.h: who would come too late for the target is refused.
 *
 * While the cost model is unsure the limits hold as they are. batch_rows_max always holds;
 * delay_ns_max is for queues without a target.
 */
#ifndef BATCH_PLAN_H
#define BATCH_PLAN_H

#include "batcher.h"
#include "cost_model.h"

struct batch_plan {
    size_t rows_max;        /* of a batch */
    uint64_t run_ns_max;    /* no batch that is predicted to take longer; 0: any time */
    uint64_t delay_ns;      /* linger while another batch of the queue runs, and */
    uint64_t idle_delay_ns; /* while none does */
};

struct batch_plan_basis {
    const struct cost_model *cost;
    double work_per_s;
    double work_per_row;
    size_t batches_max; /* how many can run at once */
};

struct batch_plan batch_plan_for(const struct batcher_queue_limits *limits,
                                 const struct batch_plan_basis *basis);

#endif
