/*
 * job_order.h - in which order the jobs of one queue leave.
 *
 *     queue ── class interactive ── lane of tenant 0 ── jobs, earliest deadline first
 *          │                     └─ lane of tenant 1 ── ...
 *          └── class batch ── ...
 *
 *   Classes    share the queue's work by weight (fair_share.h), 9 to 1 unless told otherwise:
 *              interactive jobs hardly wait for others, and the others always get their tenth.
 *   Tenants    of one class share by weight in the same way, so that who floods the queue waits
 *              behind his own jobs. Tenant 0 is whoever is not told apart.
 *   Jobs       of one lane leave by deadline. One without a deadline never expires and stands
 *              where a deadline JOB_PATIENCE_NS after its arrival would put it.
 *
 *   Threads    none; the caller serialises.
 *   Memory     lanes are the caller's, jobs carry their links.
 *   Cost       the next job is found by looking at every lane that has one.
 */
#ifndef JOB_ORDER_H
#define JOB_ORDER_H

#include "batcher.h"
#include "fair_share.h"

#define JOB_PATIENCE_NS UINT64_C(1000000000)

/* One tenant's jobs of one class. */
struct job_lane {
    struct fair_share share;
    struct batcher_job *earliest;      /* root of a heap by deadline_ns; only jobs that have one */
    struct batcher_job *undated_first; /* the others in order of arrival, through _heap_next */
    struct batcher_job *undated_last;
    size_t rows;
    uint64_t work;
    uint64_t latest_ns; /* no deadline that waits here is later */
    struct job_lane *busy_next;
    struct job_lane *busy_prev;
};

struct job_class {
    struct fair_share share;
    struct fair_clock clock; /* of its lanes */
    struct job_lane *lanes;  /* by tenant */
    struct job_lane *busy;   /* those with jobs, in no order */
    size_t rows;
    uint64_t work;
};

struct job_order {
    struct fair_clock clock; /* of the classes */
    struct job_class classes[BATCHER_CLASS_COUNT];
    unsigned tenants;
};

/* `lanes` has room for BATCHER_CLASS_COUNT * shares->tenants. */
void job_order_init(struct job_order *order, const struct batcher_shares *shares,
                    struct job_lane *lanes);

void job_order_insert(struct job_order *order, struct batcher_job *job);

/* It leaves without being served: cancelled, or past its deadline. */
void job_order_remove(struct job_order *order, struct batcher_job *job);

/* Who is next; NULL: nobody. Stays until it is taken. */
struct batcher_job *job_order_next(const struct job_order *order);

/* It is served: leaves, and its class and tenant have had its work. */
void job_order_take(struct job_order *order, struct batcher_job *job);

/* The job with the earliest deadline; NULL: none has one. */
struct batcher_job *job_order_earliest(const struct job_order *order);

/* When a job ought to leave: its deadline, or what stands for it. */
uint64_t job_due_ns(const struct batcher_job *job);

/* What the cost model counts of a job. */
uint64_t job_work(const struct batcher_job *job);

/* Rows that a tenant has here, in all classes. */
size_t job_order_tenant_rows(const struct job_order *order, unsigned tenant);

/*
 * About how much work would be served before a job that is not in yet and due at due_ns. In its
 * own lane, what is due before it, as if deadlines there were spread evenly; of other lanes and
 * classes, no more than their share while its own lane gets so far.
 */
uint64_t job_order_work_ahead(const struct job_order *order, const struct batcher_job *job,
                              uint64_t due_ns);

#endif
