/*
 * batch_policy.c - among queues, and how long a job would wait.
 */
#include "batch_policy.h"

#include <assert.h>
#include <string.h>

#define NS_PER_S 1e9

void batch_policy_init(struct batch_policy *policy, struct batch_queue **queues,
                       struct batch_run *runs, unsigned workers)
{
    memset(runs, 0, workers * sizeof(*runs));
    *policy = (struct batch_policy){
        .queues = queues, .runs = runs, .workers = workers, .workers_max = workers};
}

void batch_policy_set_callers(struct batch_policy *policy, unsigned callers, uint64_t brief_ns_max)
{
    memset(policy->runs + policy->workers, 0, callers * sizeof(*policy->runs));
    policy->callers = callers;
    policy->brief_ns_max = callers > 0 ? brief_ns_max : 0;
}

void batch_policy_add(struct batch_policy *policy, struct batch_queue *queue)
{
    fair_share_join(&queue->share, &policy->clock);
    policy->queues[policy->count++] = queue;
}

/* --- How long a job would be here. */

/* One that should be done by now is taken to need as long again as it is late. */
static uint64_t run_left_ns(const struct batch_run *run, uint64_t now_ns)
{
    const uint64_t since_ns = now_ns > run->sealed_ns ? now_ns - run->sealed_ns : 0;
    return since_ns < run->predicted_ns ? run->predicted_ns - since_ns
                                        : since_ns - run->predicted_ns;
}

static uint64_t worker_free_in_ns(const struct batch_policy *policy, uint64_t now_ns)
{
    uint64_t soonest_ns = UINT64_MAX;
    for (unsigned i = 0; i < policy->workers && soonest_ns > 0; i++) {
        const struct batch_run *run = &policy->runs[i];
        const uint64_t left_ns = run->queue != NULL ? run_left_ns(run, now_ns) : 0;
        if (left_ns < soonest_ns)
            soonest_ns = left_ns;
    }
    return soonest_ns;
}

static double full_work(const struct batch_queue *queue)
{
    return (double)queue->plan.rows_max * queue->work_per_row;
}

/* `work` in batches as full as they may be. *rest: what is left for one more. */
static double batches_ns(const struct batch_queue *queue, uint64_t work, uint64_t *rest)
{
    const double full = full_work(queue);
    const double batches = (double)(uint64_t)((double)work / full);
    *rest = (uint64_t)((double)work - batches * full);
    return batches * (double)cost_model_ns(&queue->cost, (uint64_t)full);
}

static double backlog_ns(const struct batch_queue *queue)
{
    uint64_t rest;
    const double full_ns = batches_ns(queue, queue->work, &rest);
    return full_ns + (rest > 0 ? (double)cost_model_ns(&queue->cost, rest) : 0);
}

/* Queues share workers evenly, so that each runs before us no more than we run ourselves. */
static double others_ns(const struct batch_policy *policy, const struct batch_queue *queue,
                        double own_ns)
{
    double sum_ns = 0;
    for (size_t i = 0; i < policy->count; i++) {
        const struct batch_queue *other = policy->queues[i];
        if (other == queue || other->jobs == 0)
            continue;
        const double other_ns = backlog_ns(other);
        sum_ns += other_ns < own_ns ? other_ns : own_ns;
    }
    return sum_ns;
}

/* What waits, the first job and a full batch, and of all this the longest batch that could leave.
 */
static uint64_t next_batch_work(const struct batch_queue *queue)
{
    const struct batcher_job *first = job_order_next(&queue->order);
    const uint64_t full = (uint64_t)full_work(queue);
    const uint64_t most = queue->work < full ? queue->work : full;
    return first != NULL && job_work(first) > most ? job_work(first) : most;
}

bool batch_policy_is_brief(const struct batch_policy *policy, const struct batch_queue *queue)
{
    if (policy->brief_ns_max == 0 || policy->brief_ns_max == UINT64_MAX)
        return policy->brief_ns_max != 0;
    return queue->worker_batches == 0 &&
           cost_model_reserve_ns(&queue->work_cost, next_batch_work(queue)) <= policy->brief_ns_max;
}

static bool in_scope(const struct batch_policy *policy, const struct batch_queue *queue,
                     enum batch_scope scope)
{
    if (scope != BATCH_SCOPE_BRIEF && policy->running >= policy->workers_max)
        return false;
    if (scope == BATCH_SCOPE_ALL || policy->brief_ns_max == 0)
        return scope != BATCH_SCOPE_BRIEF;
    return batch_policy_is_brief(policy, queue) == (scope == BATCH_SCOPE_BRIEF);
}

/* How many of its batches can run at once. */
static double width(const struct batch_policy *policy, const struct batch_queue *queue)
{
    const size_t inflight_max = queue->limits.inflight_batches_max;
    return (double)(inflight_max < policy->workers ? inflight_max : policy->workers);
}

/* Its own batch has what is left over of those before, and who comes until it leaves. */
static double own_run_ns(const struct batch_queue *queue, uint64_t work, double wait_ns,
                         uint64_t now_ns)
{
    const double joining = flow_rate_per_s(&queue->arrivals, now_ns) * wait_ns / NS_PER_S;
    const double most = full_work(queue) > (double)work ? full_work(queue) : (double)work;
    const double filled = (double)work + joining;
    return (double)cost_model_ns(&queue->cost, (uint64_t)(filled < most ? filled : most));
}

/* A brief batch needs no worker. */
static double wait_for_worker_ns(const struct batch_policy *policy, const struct batch_queue *queue,
                                 double own_ns, uint64_t now_ns)
{
    if (batch_policy_is_brief(policy, queue))
        return 0;
    return (double)worker_free_in_ns(policy, now_ns) +
           others_ns(policy, queue, own_ns) / (double)policy->workers;
}

static uint64_t latency_behind_ns(const struct batch_policy *policy,
                                  const struct batch_queue *queue, const struct batcher_job *job,
                                  uint64_t work_ahead, uint64_t now_ns)
{
    uint64_t rest;
    const double before_ns = batches_ns(queue, work_ahead, &rest);
    const double alone_ns = (double)cost_model_ns(&queue->cost, rest + job_work(job));
    const double wait_ns = before_ns / width(policy, queue) +
                           wait_for_worker_ns(policy, queue, before_ns + alone_ns, now_ns);
    return (uint64_t)(wait_ns + own_run_ns(queue, rest + job_work(job), wait_ns, now_ns));
}

static uint64_t work_ahead(const struct batch_queue *queue, const struct batcher_job *job,
                           uint64_t now_ns)
{
    const uint64_t due_ns = job->deadline_ns != 0 ? job->deadline_ns : now_ns + JOB_PATIENCE_NS;
    return job_order_work_ahead(&queue->order, job, due_ns);
}

uint64_t batch_policy_latency_ns(const struct batch_policy *policy, const struct batch_queue *queue,
                                 const struct batcher_job *job, uint64_t now_ns)
{
    return latency_behind_ns(policy, queue, job, work_ahead(queue, job, now_ns), now_ns);
}

/* No less than batch_policy_latency_ns(), and quicker: every job that waits in a batch of its own,
 * one after the other, and then a full one. Nearly all deadlines are farther away than that. */
static double latency_bound_ns(const struct batch_policy *policy, const struct batch_queue *queue,
                               const struct batcher_job *job, uint64_t now_ns)
{
    double sum_ns = (double)worker_free_in_ns(policy, now_ns) + queue->cost.fixed_ns +
                    queue->cost.unit_ns * (full_work(queue) + (double)job_work(job));
    for (size_t i = 0; i < policy->count; i++) {
        const struct batch_queue *other = policy->queues[i];
        sum_ns +=
            other->cost.fixed_ns * (double)other->jobs + other->cost.unit_ns * (double)other->work;
    }
    return sum_ns;
}

/* A little is kept for the way to the client, and because the 99th percentile is not the mean. */
static uint64_t target_for_admission_ns(const struct batch_queue *queue)
{
    return queue->limits.target_p99_ns - queue->limits.target_p99_ns / 8;
}

/* More would wait than it takes to keep the workers' batches full. */
static bool is_enough(const struct batch_policy *policy, const struct batch_queue *queue,
                      uint64_t work)
{
    return (double)work > full_work(queue) * (1 + width(policy, queue) / 2);
}

static bool has_target(const struct batch_queue *queue, const struct batcher_job *job)
{
    return queue->limits.target_p99_ns != 0 && job->class == BATCHER_CLASS_INTERACTIVE;
}

static enum batcher_status judge_time(const struct batch_policy *policy,
                                      const struct batch_queue *queue,
                                      const struct batcher_job *job, uint64_t now_ns)
{
    const bool has_deadline = job->deadline_ns != 0 && !queue->limits.admits_late;
    if ((!has_deadline && !has_target(queue, job)) || !cost_model_is_sure(&queue->cost))
        return BATCHER_OK;
    if (!has_target(queue, job) &&
        latency_bound_ns(policy, queue, job, now_ns) < (double)(job->deadline_ns - now_ns))
        return BATCHER_OK;
    const uint64_t ahead = work_ahead(queue, job, now_ns);
    const uint64_t latency_ns = latency_behind_ns(policy, queue, job, ahead, now_ns);
    if (has_deadline && latency_ns > job->deadline_ns - now_ns)
        return BATCHER_UNMEETABLE;
    if (!has_target(queue, job))
        return BATCHER_OK;
    if (latency_ns > target_for_admission_ns(queue))
        return BATCHER_OVERLOADED;
    return batch_queue_stands(queue, now_ns) && is_enough(policy, queue, ahead) ? BATCHER_OVERLOADED
                                                                                : BATCHER_OK;
}

enum batcher_status batch_policy_check(const struct batch_policy *policy,
                                       const struct batch_queue *queue,
                                       const struct batcher_job *job, uint64_t now_ns)
{
    const enum batcher_status st = batch_queue_check(queue, job, now_ns);
    return st == BATCHER_OK ? judge_time(policy, queue, job, now_ns) : st;
}

enum batcher_status batch_policy_admit(struct batch_policy *policy, struct batch_queue *queue,
                                       struct batcher_job *job, uint64_t now_ns)
{
    batch_queue_note_arrival(queue, job, now_ns);
    const enum batcher_status st = batch_policy_check(policy, queue, job, now_ns);
    if (st != BATCHER_OK)
        return st;
    if (queue->jobs == 0)
        fair_share_join(&queue->share, &policy->clock);
    return batch_queue_admit(queue, job, now_ns);
}

/* --- Among queues. */

/* Full batches, but at least the one that is ready. */
static size_t batches_ready(const struct batch_queue *queue)
{
    const size_t full = queue->rows / queue->plan.rows_max;
    const size_t room = queue->limits.inflight_batches_max - queue->inflight_batches;
    const size_t wanted = full > 1 ? full : 1;
    return wanted < room ? wanted : room;
}

static bool is_more_urgent(const struct batch_queue *a, const struct batch_queue *b)
{
    const struct batcher_job *first = job_order_next(&a->order);
    const struct batcher_job *second = job_order_next(&b->order);
    if (first->class != second->class)
        return first->class < second->class;
    if (job_due_ns(first) != job_due_ns(second))
        return job_due_ns(first) < job_due_ns(second);
    return first->submitted_ns < second->submitted_ns;
}

/* Whether it has had so much more than the other that it is passed over, however urgent. */
static bool leads(const struct batch_queue *a, const struct batch_queue *b)
{
    struct fair_share behind = b->share;
    struct fair_clock clock = {.now = behind.tag};
    fair_share_take(&behind, &clock, QUEUE_LEAD_NS);
    return fair_share_less(&behind, &a->share);
}

static void consider(struct batch_choice *choice, struct batch_queue *queue,
                     const struct batch_due *due, const struct batch_queue *least)
{
    if (!due->ready) {
        if (due->at_ns != 0 && (choice->at_ns == 0 || due->at_ns < choice->at_ns))
            choice->at_ns = due->at_ns;
        return;
    }
    choice->batches += batches_ready(queue);
    if (leads(queue, least))
        return;
    if (choice->queue == NULL || is_more_urgent(queue, choice->queue)) {
        choice->queue = queue;
        choice->reason = due->reason;
    }
}

static struct batch_due due_in_scope(const struct batch_policy *policy,
                                     const struct batch_queue *queue, enum batch_scope scope,
                                     uint64_t now_ns)
{
    const struct batch_due due = batch_queue_due(queue, policy->hurrying, now_ns);
    if (due.ready && !in_scope(policy, queue, scope))
        return (struct batch_due){.ready = false};
    return due;
}

/* Of those that are ready, who has had the least. */
static const struct batch_queue *least_served(const struct batch_policy *policy,
                                              enum batch_scope scope, uint64_t now_ns)
{
    const struct batch_queue *least = NULL;
    for (size_t i = 0; i < policy->count; i++) {
        const struct batch_queue *queue = policy->queues[i];
        if (due_in_scope(policy, queue, scope, now_ns).ready &&
            (least == NULL || fair_share_less(&queue->share, &least->share)))
            least = queue;
    }
    return least;
}

struct batch_choice batch_policy_choose(const struct batch_policy *policy, enum batch_scope scope,
                                        uint64_t now_ns)
{
    struct batch_choice choice = {.queue = NULL};
    const struct batch_queue *least = least_served(policy, scope, now_ns);
    for (size_t i = 0; i < policy->count; i++) {
        const struct batch_due due = due_in_scope(policy, policy->queues[i], scope, now_ns);
        consider(&choice, policy->queues[i], &due, least);
    }
    const size_t free = policy->workers_max - policy->running; /* what is ready is not brief */
    if (scope == BATCH_SCOPE_LONG && choice.batches > free)
        choice.batches = free;
    return choice;
}

struct batch_run batch_policy_seal(struct batch_policy *policy, const struct batch_choice *choice,
                                   unsigned runner, uint64_t now_ns, struct batcher_job **jobs)
{
    assert(runner < policy->workers + policy->callers);
    assert(policy->runs[runner].queue == NULL);
    struct batch_run run = {.queue = choice->queue, .reason = choice->reason, .sealed_ns = now_ns};
    run.load = batch_queue_seal(run.queue, now_ns, jobs);
    run.predicted_ns = cost_model_ns(&run.queue->cost, run.load.work);
    /* While it lingered or had all it may have in flight, others ran, and that is that. */
    fair_share_forgo(&run.queue->share, &policy->clock, QUEUE_LEAD_NS);
    fair_share_take(&run.queue->share, &policy->clock, run.predicted_ns);
    const bool by_worker = runner < policy->workers;
    run.queue->worker_batches += by_worker;
    policy->running += by_worker;
    policy->runs[runner] = run;
    return run;
}

void batch_policy_finish(struct batch_policy *policy, unsigned runner, uint64_t finished_ns,
                         uint64_t cpu_ns)
{
    struct batch_run *run = &policy->runs[runner];
    assert(run->queue != NULL);
    const bool by_worker = runner < policy->workers;
    run->queue->worker_batches -= by_worker;
    policy->running -= by_worker;
    const struct batch_times times = {
        .sealed_ns = run->sealed_ns, .finished_ns = finished_ns, .cpu_ns = cpu_ns};
    const uint64_t took_ns = finished_ns > run->sealed_ns ? finished_ns - run->sealed_ns : 0;
    fair_share_correct(&run->queue->share, run->predicted_ns, took_ns);
    batch_queue_finish(run->queue, &run->load, &times);
    *run = (struct batch_run){.queue = NULL};
}
