/*
 * batcher.c - what callers call: the batcher's life, and jobs in and out.
 *
 * The threads are in batcher_threads.c. Callers hold the lock for a few lines
 * and signal after they have let it go, so that who wakes need not wait for it.
 */
#include "batcher_threads.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

const char *batcher_status_str(enum batcher_status status)
{
    switch (status) {
#define X(name, text)    \
    case BATCHER_##name: \
        return text;
        BATCHER_STATUS_MAP(X)
#undef X
    case BATCHER_STATUS_COUNT:
        break;
    }
    return "unknown status";
}

const char *batcher_reason_str(enum batcher_reason reason)
{
    switch (reason) {
#define X(name, text)           \
    case BATCHER_REASON_##name: \
        return text;
        BATCHER_REASON_MAP(X)
#undef X
    case BATCHER_REASON_COUNT:
        break;
    }
    return "unknown reason";
}

const char *batcher_class_str(enum batcher_class class)
{
    switch (class) {
#define X(name, text)          \
    case BATCHER_CLASS_##name: \
        return text;
        BATCHER_CLASS_MAP(X)
#undef X
    case BATCHER_CLASS_COUNT:
        break;
    }
    return "unknown class";
}

/* --- Life. */

struct batcher_shares batcher_shares_default(void)
{
    return (struct batcher_shares){
        .tenants = 1,
        .tenant_weights = {1},
        .class_weights = {[BATCHER_CLASS_INTERACTIVE] = 9, [BATCHER_CLASS_BATCH] = 1}};
}

static bool weight_is_valid(unsigned weight)
{
    return weight >= 1 && weight <= FAIR_WEIGHT_MAX;
}

static bool shares_are_valid(const struct batcher_shares *shares)
{
    if (shares->tenants < 1 || shares->tenants > BATCHER_TENANTS_MAX)
        return false;
    bool valid = true;
    for (unsigned i = 0; i < shares->tenants; i++)
        valid = valid && weight_is_valid(shares->tenant_weights[i]);
    for (unsigned i = 0; i < BATCHER_CLASS_COUNT; i++)
        valid = valid && weight_is_valid(shares->class_weights[i]);
    return valid;
}

static bool config_is_valid(const struct batcher_config *config)
{
    return config->workers >= 1 && config->workers <= BATCHER_WORKERS_MAX &&
           config->callers <= BATCHER_CALLERS_MAX && config->queues_max >= 1 &&
           config->batch_jobs_max >= 1 && config->run != NULL && config->done != NULL &&
           shares_are_valid(&config->shares);
}

/* Initialising a mutex or a condition variable cannot fail with glibc or musl. */
static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

static void init_worker(struct batcher *b, unsigned index)
{
    struct worker *worker = &b->workers[index];
    worker->batcher = b;
    worker->index = index;
    worker->jobs = b->jobs + (size_t)index * b->config.batch_jobs_max;
    cond_init(&worker->wake);
}

static void batcher_free(struct batcher *b)
{
    for (size_t i = 0; i < b->policy.count; i++)
        free((struct batcher_queue *)(void *)b->queues[i]); /* `policy` is its first field. */
    free(b->queues);
    free(b->runs);
    free(b->jobs);
    free(b->workers);
    free(b);
}

/* Memory without threads. NULL: there is none. */
static struct batcher *batcher_alloc(const struct batcher_config *config)
{
    struct batcher *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    const size_t runners = (size_t)config->workers + config->callers;
    size_t jobs = 0;
    const bool too_many = __builtin_mul_overflow(runners, config->batch_jobs_max, &jobs);
    b->config = *config;
    b->queues = calloc(config->queues_max, sizeof(*b->queues));
    b->runs = calloc(runners, sizeof(*b->runs));
    b->workers = calloc(runners, sizeof(*b->workers));
    b->jobs = too_many ? NULL : calloc(jobs, sizeof(*b->jobs));
    if (b->queues == NULL || b->runs == NULL || b->workers == NULL || b->jobs == NULL) {
        batcher_free(b);
        return NULL;
    }
    batch_policy_init(&b->policy, b->queues, b->runs, config->workers);
    batch_policy_set_callers(&b->policy, config->callers, config->brief_ns_max);
    pthread_mutex_init(&b->lock, NULL);
    cond_init(&b->keeper_wake);
    for (unsigned i = 0; i < runners; i++)
        init_worker(b, i);
    return b;
}

static int start_threads(struct batcher *b, const pthread_attr_t *attr)
{
    int rc = pthread_create(&b->keeper, attr, keeper_main, b);
    b->keeper_started = rc == 0;
    while (rc == 0 && b->workers_started < b->config.workers) {
        struct worker *worker = &b->workers[b->workers_started];
        rc = pthread_create(&worker->thread, attr, worker_main, worker);
        b->workers_started += rc == 0;
    }
    return rc;
}

/* Signals are the main thread's business: ours start with all of them blocked. */
static int start_threads_without_signals(struct batcher *b, const pthread_attr_t *attr)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = start_threads(b, attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static enum batcher_status start(struct batcher *b)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return BATCHER_NOMEM;
    enum batcher_status st = BATCHER_OK;
    const size_t stack_bytes = b->config.thread_stack_bytes;
    if (stack_bytes != 0 && pthread_attr_setstacksize(&attr, stack_bytes) != 0)
        st = BATCHER_INVALID;
    else if (start_threads_without_signals(b, &attr) != 0)
        st = BATCHER_NOMEM;
    pthread_attr_destroy(&attr);
    return st;
}

enum batcher_status batcher_create(const struct batcher_config *config, struct batcher **out)
{
    if (!config_is_valid(config))
        return BATCHER_INVALID;
    struct batcher *b = batcher_alloc(config);
    if (b == NULL)
        return BATCHER_NOMEM;
    const enum batcher_status st = start(b);
    if (st != BATCHER_OK) {
        batcher_destroy(b);
        return st;
    }
    *out = b;
    return BATCHER_OK;
}

static void join_workers(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    b->policy.hurrying = b->refusing = true;
    b->workers_stopping = true;
    rouse_all_locked(b);
    pthread_mutex_unlock(&b->lock);
    for (unsigned i = 0; i < b->workers_started; i++)
        pthread_join(b->workers[i].thread, NULL);
}

/* After the workers: until they are gone a queued job may still expire. */
static void join_keeper(struct batcher *b)
{
    if (!b->keeper_started)
        return;
    pthread_mutex_lock(&b->lock);
    b->keeper_stopping = true;
    pthread_mutex_unlock(&b->lock);
    pthread_cond_signal(&b->keeper_wake);
    pthread_join(b->keeper, NULL);
}

void batcher_destroy(struct batcher *b)
{
    if (b == NULL)
        return;
    join_workers(b);
    join_keeper(b);
    for (unsigned i = 0; i < b->config.workers + b->config.callers; i++)
        pthread_cond_destroy(&b->workers[i].wake);
    pthread_cond_destroy(&b->keeper_wake);
    pthread_mutex_destroy(&b->lock);
    batcher_free(b);
}

static bool limits_are_valid(const struct batcher_queue_limits *limits)
{
    return limits->batch_rows_max >= 1 && limits->queue_rows_max >= 1 &&
           limits->inflight_batches_max >= 1;
}

static struct batcher_queue *queue_alloc(const struct batcher *b,
                                         const struct batcher_queue_config *config)
{
    const size_t lanes = (size_t)BATCHER_CLASS_COUNT * b->config.shares.tenants;
    struct batcher_queue *queue = calloc(1, sizeof(*queue) + lanes * sizeof(queue->lanes[0]));
    if (queue == NULL)
        return NULL;
    const struct batch_queue_setup setup = {.limits = config->limits,
                                            .shares = b->config.shares,
                                            .batch_jobs_max = b->config.batch_jobs_max,
                                            .full_work = config->full_work,
                                            .workers = b->config.workers,
                                            .lanes = queue->lanes};
    batch_queue_init(&queue->policy, &setup);
    queue->name = config->name;
    queue->ctx = config->ctx;
    return queue;
}

enum batcher_status batcher_add_queue(struct batcher *b, const struct batcher_queue_config *config,
                                      struct batcher_queue **out)
{
    if (!limits_are_valid(&config->limits))
        return BATCHER_INVALID;
    struct batcher_queue *queue = queue_alloc(b, config);
    if (queue == NULL)
        return BATCHER_NOMEM;

    pthread_mutex_lock(&b->lock);
    const bool room = b->policy.count < b->config.queues_max;
    if (room)
        batch_policy_add(&b->policy, &queue->policy);
    pthread_mutex_unlock(&b->lock);
    if (!room) {
        free(queue);
        return BATCHER_INVALID;
    }
    *out = queue;
    return BATCHER_OK;
}

enum batcher_status batcher_set_limits(struct batcher *b, struct batcher_queue *queue,
                                       const struct batcher_queue_limits *limits)
{
    if (!limits_are_valid(limits))
        return BATCHER_INVALID;
    pthread_mutex_lock(&b->lock);
    b->seen_ns = batcher_now_ns();
    batch_queue_set_limits(&queue->policy, limits, b->seen_ns);
    pthread_mutex_unlock(&b->lock);
    batcher_wake(b);
    return BATCHER_OK;
}

void batcher_seed_cost(struct batcher *b, struct batcher_queue *queue,
                       const struct batcher_cost_seed *seed)
{
    pthread_mutex_lock(&b->lock);
    batch_queue_seed_cost(&queue->policy, seed);
    pthread_mutex_unlock(&b->lock);
    batcher_wake(b); /* The plan may have changed. */
}

/* --- Jobs in and out. */

static enum batcher_status submit_locked(struct batcher *b, struct batcher_queue *queue,
                                         struct batcher_job *job, uint64_t now_ns)
{
    if (b->refusing)
        return BATCHER_STOPPING;
    const enum batcher_status st = batch_policy_admit(&b->policy, &queue->policy, job, now_ns);
    if (st != BATCHER_OK)
        return st;
    job->_queue = queue;
    if (now_ns > b->seen_ns)
        b->seen_ns = now_ns;
    if (job->deadline_ns != 0 && job->deadline_ns < b->keeper_at_ns) {
        b->keeper_at_ns = job->deadline_ns;
        b->keeper_late = true;
    }
    return BATCHER_OK;
}

enum batcher_status batcher_submit(struct batcher *b, struct batcher_queue *queue,
                                   struct batcher_job *job, uint64_t now_ns)
{
    pthread_mutex_lock(&b->lock);
    const enum batcher_status st = submit_locked(b, queue, job, now_ns);
    pthread_mutex_unlock(&b->lock);
    return st;
}

enum batcher_status batcher_check(struct batcher *b, struct batcher_queue *queue,
                                  const struct batcher_job *job, uint64_t now_ns)
{
    pthread_mutex_lock(&b->lock);
    enum batcher_status st = BATCHER_STOPPING;
    if (!b->refusing)
        st = batch_policy_check(&b->policy, &queue->policy, job, now_ns);
    if (st != BATCHER_OK)
        batch_queue_note_arrival(&queue->policy, job, now_ns);
    pthread_mutex_unlock(&b->lock);
    return st;
}

void batcher_wake(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    wake_and_unlock(b, BATCH_SCOPE_ALL);
}

static unsigned workers_beside(const struct batcher *b, unsigned wanted)
{
    const unsigned processors = b->config.processors, workers = b->config.workers;
    if (wanted == 0 || processors == 0 || processors >= workers + wanted)
        return workers;
    return processors > wanted ? processors - wanted : 1;
}

void batcher_leave_processors(struct batcher *b, int more)
{
    pthread_mutex_lock(&b->lock);
    b->processors_wanted += more;
    assert(b->processors_wanted >= 0);
    b->policy.workers_max = workers_beside(b, (unsigned)b->processors_wanted);
    wake_and_unlock(b, BATCH_SCOPE_ALL);
}

bool batcher_cancel(struct batcher *b, struct batcher_job *job)
{
    pthread_mutex_lock(&b->lock);
    const bool queued = job->_state == BATCH_JOB_QUEUED;
    if (queued)
        batch_queue_remove(&job->_queue->policy, job);
    pthread_mutex_unlock(&b->lock);
    return queued;
}

void batcher_queue_stats(struct batcher *b, const struct batcher_queue *queue,
                         struct batcher_queue_stats *out)
{
    const struct batch_queue *policy = &queue->policy;
    pthread_mutex_lock(&b->lock);
    *out = (struct batcher_queue_stats){
        .jobs = policy->jobs,
        .rows = policy->rows,
        .bytes = policy->bytes,
        .inflight_batches = policy->inflight_batches,
        .oldest_ns = policy->oldest != NULL ? policy->oldest->submitted_ns : 0,
        .limits = policy->limits,
        .batch_rows = policy->plan.rows_max,
        .delay_ns = policy->plan.delay_ns,
        .cost_fixed_ns = policy->cost.fixed_ns,
        .cost_unit_ns = policy->cost.unit_ns,
        .cost_error = policy->cost.error,
        .cost_is_sure = cost_model_is_sure(&policy->cost),
        .arrivals_per_s = flow_rate_per_s(&policy->arrivals, batcher_now_ns()),
    };
    pthread_mutex_unlock(&b->lock);
}

size_t batcher_queued_jobs(struct batcher *b)
{
    size_t jobs = 0;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->policy.count; i++)
        jobs += b->queues[i]->jobs;
    pthread_mutex_unlock(&b->lock);
    return jobs;
}

double batcher_queue_drain_rate(struct batcher *b, const struct batcher_queue *queue)
{
    pthread_mutex_lock(&b->lock);
    const double rate = batch_queue_drain_rate(&queue->policy);
    pthread_mutex_unlock(&b->lock);
    return rate;
}

void batcher_hurry(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    b->policy.hurrying = true;
    pthread_mutex_unlock(&b->lock);
    batcher_wake(b);
}

void batcher_drain(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    b->policy.hurrying = b->refusing = true;
    pthread_mutex_unlock(&b->lock);
    batcher_wake(b);
}

void batcher_abandon(struct batcher *b)
{
    const uint64_t now_ns = batcher_now_ns();
    struct batcher_job *list = NULL;
    struct batcher_job **end = &list;
    pthread_mutex_lock(&b->lock);
    b->policy.hurrying = b->refusing = true;
    for (size_t i = 0; i < b->policy.count; i++) {
        *end = batch_queue_abandon(b->queues[i], now_ns);
        while (*end != NULL)
            end = &(*end)->next;
    }
    pthread_mutex_unlock(&b->lock);
    if (list != NULL)
        b->config.done(b->config.ctx, list);
}
