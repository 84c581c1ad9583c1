/*
 * batch_queue.c - in and out of a queue, when a batch leaves and with whom.
 */
#include "batch_queue.h"

#include <assert.h>
#include <string.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S 1e9

/* With a target the plan follows the arrivals this often, besides after every batch. */
#define PLAN_NS (10 * NS_PER_MS)

/* How much one job moves the mean of work per row. */
#define WORK_PER_ROW_GAIN 0.01

/* What one of several tenants, or the batch class, may have of a queue, as a multiple of the rows
 * that are free. */
#define SHARE_OF_FREE 2

/* A thread that sleeps until a given time starts some 50 to 150 us after it, on a busy machine some
 * milliseconds. A linger that is cut short for a deadline ends this much earlier, or the job would
 * expire instead of leaving; a sixteenth of its time if that is more. */
#define LATE_NS_RESERVE (500 * NS_PER_US)
#define LATE_PART 16

/* The drain rate forgets half of what it knew in about this much busy time. */
#define DRAIN_MEMORY_S 1.0

static uint64_t add_bounded(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

static uint64_t subtract_bounded(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* How many of its batches can run at once. */
static size_t inflight_most(const struct batch_queue *queue)
{
    const size_t inflight_max = queue->limits.inflight_batches_max;
    return inflight_max < queue->workers ? inflight_max : queue->workers;
}

static void plan(struct batch_queue *queue, uint64_t now_ns)
{
    const struct batch_plan_basis basis = {.cost = &queue->cost,
                                           .work_per_s = flow_rate_per_s(&queue->arrivals, now_ns),
                                           .work_per_row = queue->work_per_row,
                                           .batches_max = inflight_most(queue)};
    queue->plan = batch_plan_for(&queue->limits, &basis);
    queue->planned_ns = now_ns;
}

void batch_queue_init(struct batch_queue *queue, const struct batch_queue_setup *setup)
{
    assert(setup->batch_jobs_max > 0);
    assert(setup->workers > 0);
    memset(queue, 0, sizeof(*queue));
    queue->limits = setup->limits;
    queue->batch_jobs_max = setup->batch_jobs_max;
    queue->workers = setup->workers;
    queue->share.weight = 1;
    const size_t rows_max = setup->limits.batch_rows_max;
    queue->work_per_row =
        setup->full_work > rows_max ? (double)setup->full_work / (double)rows_max : 1;
    job_order_init(&queue->order, &setup->shares, setup->lanes);
    cost_model_init(&queue->cost, setup->full_work > 0 ? setup->full_work : rows_max);
    queue->work_cost = queue->cost;
    plan(queue, 0);
}

void batch_queue_set_limits(struct batch_queue *queue, const struct batcher_queue_limits *limits,
                            uint64_t now_ns)
{
    queue->limits = *limits;
    plan(queue, now_ns);
}

/* --- In and out of the queue. */

static void list_append(struct batch_queue *queue, struct batcher_job *job)
{
    job->_prev = queue->newest;
    job->_next = NULL;
    if (queue->newest != NULL)
        queue->newest->_next = job;
    else
        queue->oldest = job;
    queue->newest = job;
}

static void list_remove(struct batch_queue *queue, struct batcher_job *job)
{
    if (job->_prev != NULL)
        job->_prev->_next = job->_next;
    else
        queue->oldest = job->_next;
    if (job->_next != NULL)
        job->_next->_prev = job->_prev;
    else
        queue->newest = job->_prev;
}

static void take_in(struct batch_queue *queue, struct batcher_job *job, uint64_t now_ns)
{
    job->status = BATCHER_OK;
    job->submitted_ns = now_ns;
    job->sealed_ns = 0;
    job->finished_ns = 0;
    job->batch_jobs = 0;
    job->batch_rows = 0;
    job->_state = BATCH_JOB_QUEUED;
    list_append(queue, job);
    job_order_insert(&queue->order, job);
    queue->jobs++;
    queue->rows += job->rows;
    queue->bytes += job->bytes;
    queue->work += job_work(job);
}

/* Its place in the order is the caller's to take. */
static void take_out(struct batch_queue *queue, struct batcher_job *job, enum batch_job_state state)
{
    assert(job->_state == BATCH_JOB_QUEUED);
    assert(queue->rows >= job->rows);
    assert(queue->bytes >= job->bytes);
    list_remove(queue, job);
    queue->jobs--;
    queue->rows -= job->rows;
    queue->bytes -= job->bytes;
    queue->work -= job_work(job);
    job->_state = (int)state;
}

static void give_up(struct batch_queue *queue, struct batcher_job *job, enum batcher_status status,
                    uint64_t now_ns)
{
    job_order_remove(&queue->order, job);
    take_out(queue, job, BATCH_JOB_GIVEN_UP);
    job->status = status;
    job->finished_ns = now_ns;
    job->next = NULL;
}

static bool fits(size_t used, size_t more, size_t max)
{
    /* A limit that was lowered may be below what is used already. */
    return used <= max && more <= max - used;
}

/* The queue has room for the job; these are about how much of it is for others. */
static size_t rows_for_one(const struct batch_queue *queue)
{
    return SHARE_OF_FREE * (queue->limits.queue_rows_max - queue->rows);
}

static bool fits_class(const struct batch_queue *queue, const struct batcher_job *job)
{
    return job->class == BATCHER_CLASS_INTERACTIVE ||
           fits(queue->order.classes[job->class].rows, job->rows, rows_for_one(queue));
}

static bool fits_tenant(const struct batch_queue *queue, const struct batcher_job *job)
{
    return queue->order.tenants == 1 ||
           fits(job_order_tenant_rows(&queue->order, job->tenant), job->rows, rows_for_one(queue));
}

void batch_queue_note_arrival(struct batch_queue *queue, const struct batcher_job *job,
                              uint64_t now_ns)
{
    const double work = (double)job_work(job);
    flow_rate_add(&queue->arrivals, work, now_ns);
    queue->work_per_row += (work / (double)job->rows - queue->work_per_row) * WORK_PER_ROW_GAIN;
    if (job->class == BATCHER_CLASS_INTERACTIVE &&
        queue->order.classes[BATCHER_CLASS_INTERACTIVE].rows == 0 &&
        queue->inflight_batches < inflight_most(queue))
        queue->relaxed_ns = now_ns;
}

bool batch_queue_stands(const struct batch_queue *queue, uint64_t now_ns)
{
    const uint64_t target_ns = queue->limits.target_p99_ns;
    const uint64_t burst_ns = target_ns < QUEUE_STANDS_NS / 2 ? QUEUE_STANDS_NS : 2 * target_ns;
    return subtract_bounded(now_ns, queue->relaxed_ns) > burst_ns;
}

enum batcher_status batch_queue_check(const struct batch_queue *queue,
                                      const struct batcher_job *job, uint64_t now_ns)
{
    assert(job->_state != BATCH_JOB_QUEUED);
    assert(job->rows > 0);
    const struct batcher_queue_limits *limits = &queue->limits;
    if (job->rows > limits->queue_rows_max || job->bytes > limits->queue_bytes_max)
        return BATCHER_TOO_LARGE;
    if (job->deadline_ns != 0 && job->deadline_ns <= now_ns)
        return BATCHER_EXPIRED;
    if (!fits(queue->rows, job->rows, limits->queue_rows_max) ||
        !fits(queue->bytes, job->bytes, limits->queue_bytes_max) || !fits_class(queue, job))
        return BATCHER_FULL;
    return fits_tenant(queue, job) ? BATCHER_OK : BATCHER_TENANT_FULL;
}

enum batcher_status batch_queue_admit(struct batch_queue *queue, struct batcher_job *job,
                                      uint64_t now_ns)
{
    const enum batcher_status st = batch_queue_check(queue, job, now_ns);
    if (st != BATCHER_OK)
        return st;
    take_in(queue, job, now_ns);
    if (queue->limits.target_p99_ns != 0 && subtract_bounded(now_ns, queue->planned_ns) >= PLAN_NS)
        plan(queue, now_ns);
    return BATCHER_OK;
}

void batch_queue_remove(struct batch_queue *queue, struct batcher_job *job)
{
    job_order_remove(&queue->order, job);
    take_out(queue, job, BATCH_JOB_IDLE);
}

uint64_t batch_queue_deadline_ns(const struct batch_queue *queue)
{
    const struct batcher_job *job = job_order_earliest(&queue->order);
    return job != NULL ? job->deadline_ns : 0;
}

struct batcher_job *batch_queue_expire(struct batch_queue *queue, uint64_t now_ns)
{
    struct batcher_job *list = NULL;
    struct batcher_job **tail = &list;
    struct batcher_job *job;
    while ((job = job_order_earliest(&queue->order)) != NULL && job->deadline_ns <= now_ns) {
        give_up(queue, job, BATCHER_EXPIRED, now_ns);
        *tail = job;
        tail = &job->next;
    }
    return list;
}

struct batcher_job *batch_queue_abandon(struct batch_queue *queue, uint64_t now_ns)
{
    struct batcher_job *list = NULL;
    struct batcher_job **tail = &list;
    while (queue->oldest != NULL) {
        struct batcher_job *job = queue->oldest;
        give_up(queue, job, BATCHER_STOPPING, now_ns);
        *tail = job;
        tail = &job->next;
    }
    return list;
}

/* --- When a batch leaves, and with whom. */

static struct batch_due due_now(enum batcher_reason reason)
{
    return (struct batch_due){.ready = true, .reason = reason};
}

static uint64_t late_reserve_ns(const struct batch_queue *queue, uint64_t deadline_ns)
{
    const uint64_t part_ns = subtract_bounded(deadline_ns, queue->oldest->submitted_ns) / LATE_PART;
    return part_ns > LATE_NS_RESERVE ? part_ns : LATE_NS_RESERVE;
}

/* A linger ends when the oldest job has waited its time, or earlier for the sake of a deadline. */
static struct batch_due due_after_linger(const struct batch_queue *queue, uint64_t delay_ns,
                                         uint64_t now_ns)
{
    struct batch_due due = {.reason = BATCHER_REASON_TIMEOUT,
                            .at_ns = add_bounded(queue->oldest->submitted_ns, delay_ns)};
    const uint64_t deadline_ns = batch_queue_deadline_ns(queue);
    if (deadline_ns != 0) {
        const uint64_t run_ns = cost_model_reserve_ns(&queue->cost, queue->work);
        const uint64_t leave_ns =
            subtract_bounded(deadline_ns, add_bounded(run_ns, late_reserve_ns(queue, deadline_ns)));
        if (leave_ns < due.at_ns)
            due = (struct batch_due){.reason = BATCHER_REASON_DEADLINE, .at_ns = leave_ns};
    }
    return now_ns >= due.at_ns ? due_now(due.reason) : due;
}

/* No later arrival could still join the next batch. */
static bool is_full(const struct batch_queue *queue)
{
    return queue->rows >= queue->plan.rows_max || queue->jobs >= queue->batch_jobs_max ||
           (queue->plan.run_ns_max != 0 &&
            cost_model_ns(&queue->cost, queue->work) >= queue->plan.run_ns_max);
}

struct batch_due batch_queue_due(const struct batch_queue *queue, bool hurrying, uint64_t now_ns)
{
    if (queue->jobs == 0 || queue->inflight_batches >= queue->limits.inflight_batches_max)
        return (struct batch_due){.ready = false};
    if (is_full(queue))
        return due_now(BATCHER_REASON_SIZE);
    if (hurrying)
        return due_now(BATCHER_REASON_DRAIN);
    const struct batch_plan *plan = &queue->plan;
    const uint64_t delay_ns = queue->inflight_batches > 0 ? plan->delay_ns : plan->idle_delay_ns;
    if (delay_ns == 0)
        return due_now(BATCHER_REASON_IDLE);
    return due_after_linger(queue, delay_ns, now_ns);
}

static bool joins(const struct batch_queue *queue, const struct batch_load *load,
                  const struct batcher_job *job)
{
    const struct batch_plan *plan = &queue->plan;
    return fits(load->rows, job->rows, plan->rows_max) &&
           (plan->run_ns_max == 0 ||
            cost_model_ns(&queue->cost, load->work + job_work(job)) <= plan->run_ns_max);
}

static void load_add(struct batch_load *load, const struct batcher_job *job)
{
    if (load->jobs == 0 || job->submitted_ns < load->oldest_ns)
        load->oldest_ns = job->submitted_ns;
    load->jobs++;
    load->rows += job->rows;
    load->work += job_work(job);
}

static void stamp(struct batcher_job **jobs, const struct batch_load *load, uint64_t now_ns)
{
    for (size_t i = 0; i < load->jobs; i++) {
        jobs[i]->sealed_ns = now_ns;
        jobs[i]->batch_jobs = load->jobs;
        jobs[i]->batch_rows = load->rows;
    }
}

struct batch_load batch_queue_seal(struct batch_queue *queue, uint64_t now_ns,
                                   struct batcher_job **jobs)
{
    struct batch_load load = {.jobs = 0};
    struct batcher_job *job;
    while (load.jobs < queue->batch_jobs_max && (job = job_order_next(&queue->order)) != NULL) {
        if (load.jobs > 0 && !joins(queue, &load, job))
            break;
        assert(job->deadline_ns == 0 || job->deadline_ns > now_ns);
        job_order_take(&queue->order, job);
        take_out(queue, job, BATCH_JOB_RUNNING);
        jobs[load.jobs] = job;
        load_add(&load, job);
    }
    stamp(jobs, &load, now_ns);
    queue->inflight_batches += load.jobs > 0;
    return load;
}

static void drain_add(struct batch_drain *drain, const struct batch_load *load,
                      const struct batch_times *times)
{
    const uint64_t since_ns =
        drain->finished_ns > load->oldest_ns ? drain->finished_ns : load->oldest_ns;
    const double dt = (double)subtract_bounded(times->finished_ns, since_ns) / NS_PER_S;
    const double keep = DRAIN_MEMORY_S / (DRAIN_MEMORY_S + dt);
    drain->jobs = drain->jobs * keep + (double)load->jobs;
    drain->busy_s = drain->busy_s * keep + dt;
    if (times->finished_ns > drain->finished_ns)
        drain->finished_ns = times->finished_ns;
}

void batch_queue_seed_cost(struct batch_queue *queue, const struct batcher_cost_seed *seed)
{
    cost_model_seed(&queue->cost, seed);
    cost_model_seed(&queue->work_cost, seed);
    plan(queue, queue->planned_ns);
}

void batch_queue_finish(struct batch_queue *queue, const struct batch_load *load,
                        const struct batch_times *times)
{
    assert(queue->inflight_batches > 0);
    queue->inflight_batches--;
    const uint64_t took_ns = subtract_bounded(times->finished_ns, times->sealed_ns);
    cost_model_learn(&queue->cost, load->work, took_ns);
    cost_model_learn(&queue->work_cost, load->work, times->cpu_ns > 0 ? times->cpu_ns : took_ns);
    drain_add(&queue->drain, load, times);
    plan(queue, times->finished_ns);
}

double batch_queue_drain_rate(const struct batch_queue *queue)
{
    return queue->drain.busy_s > 0 ? queue->drain.jobs / queue->drain.busy_s : 0;
}
