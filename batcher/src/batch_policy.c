/*
 * batch_policy.c - in and out of a queue, when a batch leaves and with whom, and which queue is
 * next.
 */
#include "batch_policy.h"
#include "deadline_heap.h"

#include <assert.h>
#include <string.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S 1e9

/* What a batch is taken to need before the first one was measured. */
#define RUN_NS_FIRST NS_PER_MS

/* A thread that sleeps until a given time starts some 50 to 150 us after it. A linger that is cut
 * short for a deadline ends this much earlier, or the job would expire instead of leaving. */
#define LATE_NS_RESERVE (500 * NS_PER_US)

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

void batch_queue_init(struct batch_queue *queue, const struct batcher_queue_limits *limits,
                      size_t batch_jobs_max)
{
    assert(batch_jobs_max > 0);
    memset(queue, 0, sizeof(*queue));
    queue->limits = *limits;
    queue->batch_jobs_max = batch_jobs_max;
    queue->run_ns_expected = RUN_NS_FIRST;
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
    if (job->deadline_ns != 0)
        queue->earliest = deadline_heap_insert(queue->earliest, job);
    queue->jobs++;
    queue->rows += job->rows;
    queue->bytes += job->bytes;
}

static void take_out(struct batch_queue *queue, struct batcher_job *job, enum batch_job_state state)
{
    assert(job->_state == BATCH_JOB_QUEUED);
    assert(queue->rows >= job->rows);
    assert(queue->bytes >= job->bytes);
    list_remove(queue, job);
    if (job->deadline_ns != 0)
        queue->earliest = deadline_heap_remove(queue->earliest, job);
    queue->jobs--;
    queue->rows -= job->rows;
    queue->bytes -= job->bytes;
    job->_state = (int)state;
}

static void give_up(struct batch_queue *queue, struct batcher_job *job, enum batcher_status status,
                    uint64_t now_ns)
{
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

enum batcher_status batch_queue_admit(struct batch_queue *queue, struct batcher_job *job,
                                      uint64_t now_ns)
{
    assert(job->_state != BATCH_JOB_QUEUED);
    assert(job->rows > 0);
    const struct batcher_queue_limits *limits = &queue->limits;
    if (job->rows > limits->queue_rows_max || job->bytes > limits->queue_bytes_max)
        return BATCHER_TOO_LARGE;
    /* A cost model refuses here what waits before this job makes UNMEETABLE. */
    if (job->deadline_ns != 0 && job->deadline_ns <= now_ns)
        return BATCHER_EXPIRED;
    if (!fits(queue->rows, job->rows, limits->queue_rows_max) ||
        !fits(queue->bytes, job->bytes, limits->queue_bytes_max))
        return BATCHER_FULL;
    take_in(queue, job, now_ns);
    return BATCHER_OK;
}

void batch_queue_remove(struct batch_queue *queue, struct batcher_job *job)
{
    take_out(queue, job, BATCH_JOB_IDLE);
}

uint64_t batch_queue_deadline_ns(const struct batch_queue *queue)
{
    return queue->earliest != NULL ? queue->earliest->deadline_ns : 0;
}

struct batcher_job *batch_queue_expire(struct batch_queue *queue, uint64_t now_ns)
{
    struct batcher_job *list = NULL;
    struct batcher_job **tail = &list;
    while (queue->earliest != NULL && queue->earliest->deadline_ns <= now_ns) {
        struct batcher_job *job = queue->earliest;
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

/* A linger ends when the oldest job has waited its time, or earlier for the sake of a deadline. */
static struct batch_due due_after_linger(const struct batch_queue *queue, uint64_t now_ns)
{
    struct batch_due due = {
        .reason = BATCHER_REASON_TIMEOUT,
        .at_ns = add_bounded(queue->oldest->submitted_ns, queue->limits.delay_ns_max)};
    if (queue->earliest != NULL) {
        const uint64_t reserve_ns = add_bounded(queue->run_ns_expected, LATE_NS_RESERVE);
        const uint64_t leave_ns = subtract_bounded(queue->earliest->deadline_ns, reserve_ns);
        if (leave_ns < due.at_ns)
            due = (struct batch_due){.reason = BATCHER_REASON_DEADLINE, .at_ns = leave_ns};
    }
    return now_ns >= due.at_ns ? due_now(due.reason) : due;
}

struct batch_due batch_queue_due(const struct batch_queue *queue, bool draining, uint64_t now_ns)
{
    const struct batcher_queue_limits *limits = &queue->limits;
    if (queue->jobs == 0 || queue->inflight_batches >= limits->inflight_batches_max)
        return (struct batch_due){.ready = false};
    /* With so many rows no later arrival could still join the oldest job's batch. */
    if (queue->rows >= limits->batch_rows_max || queue->jobs >= queue->batch_jobs_max)
        return due_now(BATCHER_REASON_SIZE);
    if (draining)
        return due_now(BATCHER_REASON_DRAIN);
    if (limits->delay_ns_max == 0)
        return due_now(BATCHER_REASON_IDLE);
    return due_after_linger(queue, now_ns);
}

static void stamp(struct batcher_job **jobs, size_t count, size_t rows, uint64_t now_ns)
{
    for (size_t i = 0; i < count; i++) {
        jobs[i]->sealed_ns = now_ns;
        jobs[i]->batch_jobs = count;
        jobs[i]->batch_rows = rows;
    }
}

size_t batch_queue_seal(struct batch_queue *queue, uint64_t now_ns, struct batcher_job **jobs)
{
    size_t count = 0;
    size_t rows = 0;
    while (queue->oldest != NULL && count < queue->batch_jobs_max) {
        struct batcher_job *job = queue->oldest;
        if (count > 0 && !fits(rows, job->rows, queue->limits.batch_rows_max))
            break;
        assert(job->deadline_ns == 0 || job->deadline_ns > now_ns);
        take_out(queue, job, BATCH_JOB_RUNNING);
        jobs[count++] = job;
        rows += job->rows;
    }
    stamp(jobs, count, rows, now_ns);
    queue->inflight_batches += count > 0;
    return count;
}

/* Rises in halves and falls in eighths: a reserve that is too large only shortens a linger, one
 * that is too small misses a deadline. */
static uint64_t smooth_run_ns(uint64_t expected_ns, uint64_t run_ns)
{
    if (run_ns > expected_ns)
        return expected_ns + (run_ns - expected_ns + 1) / 2;
    return expected_ns - (expected_ns - run_ns) / 8;
}

static void drain_add(struct batch_drain *drain, const struct batch_times *times)
{
    const uint64_t since_ns =
        drain->finished_ns > times->oldest_ns ? drain->finished_ns : times->oldest_ns;
    const double dt = (double)subtract_bounded(times->finished_ns, since_ns) / NS_PER_S;
    const double keep = DRAIN_MEMORY_S / (DRAIN_MEMORY_S + dt);
    drain->jobs = drain->jobs * keep + (double)times->jobs;
    drain->busy_s = drain->busy_s * keep + dt;
    if (times->finished_ns > drain->finished_ns)
        drain->finished_ns = times->finished_ns;
}

void batch_queue_finish(struct batch_queue *queue, const struct batch_times *times)
{
    assert(queue->inflight_batches > 0);
    queue->inflight_batches--;
    queue->run_ns_expected = smooth_run_ns(queue->run_ns_expected,
                                           subtract_bounded(times->finished_ns, times->sealed_ns));
    drain_add(&queue->drain, times);
}

double batch_queue_drain_rate(const struct batch_queue *queue)
{
    return queue->drain.busy_s > 0 ? queue->drain.jobs / queue->drain.busy_s : 0;
}

/* --- Among queues. */

/* Full batches, but at least the one that is ready. */
static size_t batches_ready(const struct batch_queue *queue)
{
    const size_t full = queue->rows / queue->limits.batch_rows_max;
    const size_t room = queue->limits.inflight_batches_max - queue->inflight_batches;
    const size_t wanted = full > 1 ? full : 1;
    return wanted < room ? wanted : room;
}

static void consider(struct batch_choice *choice, struct batch_queue *queue,
                     const struct batch_due *due)
{
    if (!due->ready) {
        if (due->at_ns != 0 && (choice->at_ns == 0 || due->at_ns < choice->at_ns))
            choice->at_ns = due->at_ns;
        return;
    }
    choice->batches += batches_ready(queue);
    if (choice->queue == NULL ||
        queue->oldest->submitted_ns < choice->queue->oldest->submitted_ns) {
        choice->queue = queue;
        choice->reason = due->reason;
    }
}

struct batch_choice batch_policy_choose(struct batch_queue *const *queues, size_t count,
                                        bool draining, uint64_t now_ns)
{
    struct batch_choice choice = {.queue = NULL};
    for (size_t i = 0; i < count; i++) {
        const struct batch_due due = batch_queue_due(queues[i], draining, now_ns);
        consider(&choice, queues[i], &due);
    }
    return choice;
}
