/*
 * batcher_threads.c - the workers, the keeper, and how they sleep.
 *
 * A worker that is awake looks at the queues before it sleeps, with the lock
 * held from the look until the wait; so work can only be missed that arrives
 * while it sleeps. Sleepers are either followers, who sleep until they are
 * called back, or the one leader, who also wakes when the next linger ends. One
 * of them may spin for a while before it sleeps: to all others it is asleep, but
 * calling it back costs no system call and no time.
 *
 * Why no wake-up is lost. Call the batcher *settled* when no worker sleeps, or
 * - while a batch is ready some worker has been called back (one for each batch,
 *   as far as rows tell how many there are), or the batch is brief and a caller is
 *   going to look, because it submitted a job of it or runs one, and
 * - if a queue lingers, the leader's time is not after the linger's end, or some
 *   worker has been called back.
 * What can end this state is followed by something that restores it:
 *   submitting       batcher_wake() of the same caller, which may come after
 *                    other threads' calls: those see the job too and may only
 *                    wake too much. A worker that is awake sees it at its next
 *                    look; one falling asleep looked before or looks after.
 *   batch finished   (frees a place in flight, moves a linger's end, makes a queue
 *                    brief again) the worker or caller that ran it looks next.
 *   worker awake     (called back, or at the leader's time) it looks. If it takes
 *                    a batch, it calls back one more for what is left, who does
 *                    the same. If it sleeps, nothing was ready, and it leads if
 *                    the linger that it saw ends before the leader's time.
 *   caller's look    it runs what is brief and looks again; when nothing is, it
 *                    has called back workers for the rest under the same lock.
 *   processors       that are left to others end no such state when they are more:
 *                    those who run batches look when these are done. When they are
 *                    fewer, who says so wakes.
 *   drain, limits    wake for brief batches too, since no caller may look.
 *   cancel, expiry   take jobs out: nothing becomes ready by that or ends earlier.
 * A look with the time of an earlier moment (batcher_wake() reads no clock) may
 * take a ready queue for one that lingers; then the leader's time is past too.
 *
 * The keeper's time is never after a deadline that waits: batcher_submit() moves
 * it forward to an earlier one and notes that the keeper is late, batcher_wake()
 * tells the keeper. It stays when the job that set it leaves, so with one timeout
 * for all requests the keeper wakes about twice in that timeout, not once for
 * each request.
 */
#include "batcher_threads.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

/* Deadlines that follow each other closely are answered together: otherwise a thread would wake for
 * each, and its wake-ups would make the later ones late. */
#define KEEPER_REST_NS UINT64_C(200000)

/* Between two looks at the clock. */
enum {
    SPIN_PAUSES = 16
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static uint64_t now_on(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t batcher_now_ns(void)
{
    return now_on(CLOCK_MONOTONIC);
}

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t at_ns)
{
    const struct timespec at = {.tv_sec = (time_t)(at_ns / NS_PER_S),
                                .tv_nsec = (long)(at_ns % NS_PER_S)};
    return pthread_cond_timedwait(cond, lock, &at);
}

/* What a thread is called in top and in a debugger. */
static void name_thread(const char *name)
{
    (void)pthread_setname_np(pthread_self(), name);
}

static struct batcher_job **list_end(struct batcher_job **list)
{
    while (*list != NULL)
        list = &(*list)->next;
    return list;
}

static struct batcher_job *expire_locked(struct batcher *b, uint64_t now_ns)
{
    struct batcher_job *list = NULL;
    struct batcher_job **end = &list;
    for (size_t i = 0; i < b->policy.count; i++) {
        *end = batch_queue_expire(b->queues[i], now_ns);
        end = list_end(end);
    }
    return list;
}

/* --- Sleeping and calling back. */

/* Forgets a sleeper: the leader, the spinner, or the follower that fell asleep last. */
static void unlist_locked(struct batcher *b, struct worker *worker)
{
    assert(worker->asleep);
    atomic_store_explicit(&worker->asleep, false, memory_order_relaxed);
    if (worker == b->leader) {
        b->leader = NULL;
        return;
    }
    if (worker == b->spinner) {
        b->spinner = NULL;
        return;
    }
    assert(worker == b->followers);
    b->followers = worker->next_follower;
}

static struct worker *call_back_locked(struct batcher *b, struct worker *worker)
{
    unlist_locked(b, worker);
    b->waking++;
    return worker;
}

struct worker *rouse_worker_locked(struct batcher *b, enum batch_scope scope, uint64_t now_ns)
{
    if (b->leader == NULL && b->followers == NULL && b->spinner == NULL)
        return NULL;
    const struct batch_choice choice = batch_policy_choose(&b->policy, scope, now_ns);
    const bool lingers = choice.at_ns != 0;
    if (b->waking < choice.batches) {
        if (b->spinner != NULL)
            return call_back_locked(b, b->spinner);
        /* While a queue lingers the leader is the last to go, because another would have to take
         * its place; otherwise the first, because it would wake for nothing. */
        const bool lead = b->leader != NULL && (!lingers || b->followers == NULL);
        return call_back_locked(b, lead ? b->leader : b->followers);
    }
    if (!lingers || b->waking > 0 || (b->leader != NULL && b->leader_at_ns <= choice.at_ns))
        return NULL;
    if (b->spinner != NULL)
        return call_back_locked(b, b->spinner);
    return call_back_locked(b, b->leader != NULL ? b->leader : b->followers);
}

void rouse_all_locked(struct batcher *b)
{
    if (b->leader != NULL)
        pthread_cond_signal(&call_back_locked(b, b->leader)->wake);
    if (b->spinner != NULL)
        (void)call_back_locked(b, b->spinner);
    while (b->followers != NULL)
        pthread_cond_signal(&call_back_locked(b, b->followers)->wake);
}

static void follow_locked(struct batcher *b, struct worker *worker)
{
    worker->next_follower = b->followers;
    b->followers = worker;
    while (worker->asleep)
        pthread_cond_wait(&worker->wake, &b->lock);
}

static void lead_locked(struct batcher *b, struct worker *worker, uint64_t at_ns)
{
    /* Rare: a finished batch moved the end of a linger. The former leader becomes a follower. */
    if (b->leader != NULL)
        pthread_cond_signal(&call_back_locked(b, b->leader)->wake);
    b->leader = worker;
    b->leader_at_ns = at_ns;
    int rc = 0;
    while (worker->asleep && rc != ETIMEDOUT)
        rc = wait_until(&worker->wake, &b->lock, at_ns);
}

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits without the lock, and without a system call, until somebody calls it back or it has been
 * long enough. */
static void spin_locked(struct batcher *b, struct worker *worker, uint64_t until_ns)
{
    b->spinner = worker;
    pthread_mutex_unlock(&b->lock);
    do
        for (unsigned i = 0;
             i < SPIN_PAUSES && atomic_load_explicit(&worker->asleep, memory_order_relaxed); i++)
            pause_briefly();
    while (atomic_load_explicit(&worker->asleep, memory_order_relaxed) &&
           batcher_now_ns() < until_ns);
    pthread_mutex_lock(&b->lock);
}

/* Only after a batch: who was called back for nothing goes to sleep at once. And only one of them:
 * it takes a processor. True: it has been called back. */
static bool spin_before_sleep_locked(struct worker *worker, uint64_t now_ns, uint64_t linger_at_ns)
{
    struct batcher *b = worker->batcher;
    const uint64_t until_ns = now_ns + b->config.spin_ns;
    const bool worth = worker->has_run && b->config.spin_ns > 0 && b->spinner == NULL &&
                       b->policy.running <= b->config.spin_busy_max &&
                       (linger_at_ns == 0 || until_ns < linger_at_ns);
    worker->has_run = false;
    if (!worth)
        return false;
    worker->asleep = true;
    spin_locked(b, worker, until_ns);
    if (!worker->asleep) {
        b->waking--;
        return true;
    }
    unlist_locked(b, worker);
    return false;
}

static void sleep_locked(struct worker *worker, uint64_t linger_at_ns)
{
    struct batcher *b = worker->batcher;
    worker->asleep = true;
    if (linger_at_ns != 0 && (b->leader == NULL || linger_at_ns < b->leader_at_ns))
        lead_locked(b, worker, linger_at_ns);
    else
        follow_locked(b, worker);

    if (worker->asleep)
        unlist_locked(b, worker); /* It led, and its time has come. */
    else
        b->waking--;
}

void wake_and_unlock(struct batcher *b, enum batch_scope scope)
{
    const bool keeper = rouse_keeper_locked(b);
    struct worker *worker;
    while ((worker = rouse_worker_locked(b, scope, b->seen_ns)) != NULL) {
        pthread_mutex_unlock(&b->lock);
        pthread_cond_signal(&worker->wake);
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    if (keeper)
        pthread_cond_signal(&b->keeper_wake);
}

/* --- Running a batch. */

static void unlock_and_signal(struct batcher *b, struct worker *roused)
{
    pthread_mutex_unlock(&b->lock);
    if (roused != NULL)
        pthread_cond_signal(&roused->wake);
}

static struct batcher_queue *queue_of(const struct batch_run *batch)
{
    return container_of(batch->queue, struct batcher_queue, policy);
}

static void observe(struct worker *worker, const struct batch_run *batch, uint64_t finished_ns)
{
    const struct batcher_config *config = &worker->batcher->config;
    const struct batch_load *load = &batch->load;
    if (config->observe == NULL)
        return;
    struct batcher_batch_info info = {
        .runner = worker->index,
        .by_caller = worker->index >= worker->batcher->config.workers,
        .reason = batch->reason,
        .jobs = load->jobs,
        .rows = load->rows,
        .work = load->work,
        .wait_ns_max = batch->sealed_ns > load->oldest_ns ? batch->sealed_ns - load->oldest_ns : 0,
        .predicted_ns = batch->predicted_ns,
        .run_ns = finished_ns - batch->sealed_ns,
        .finished_ns = finished_ns,
        .items = worker->jobs};
    for (size_t i = 0; i < load->jobs; i++)
        info.failed += worker->jobs[i]->status == BATCHER_FAILED;
    config->observe(config->ctx, queue_of(batch)->ctx, &info);
}

/* The jobs of a batch as a list, in front of another. */
static struct batcher_job *list_jobs(const struct worker *worker, const struct batch_run *batch,
                                     struct batcher_job *list)
{
    for (size_t i = batch->load.jobs; i-- > 0;) {
        worker->jobs[i]->next = list;
        list = worker->jobs[i];
    }
    return list;
}

/* Returns when it had run. */
static uint64_t run(struct worker *worker, const struct batch_run *batch)
{
    const struct batcher_config *config = &worker->batcher->config;
    config->run(config->ctx, queue_of(batch)->ctx, worker->index, worker->jobs, batch->load.jobs);
    const uint64_t finished_ns = batcher_now_ns();
    for (size_t i = 0; i < batch->load.jobs; i++)
        worker->jobs[i]->finished_ns = finished_ns;
    observe(worker, batch, finished_ns);
    return finished_ns;
}

/* --- Threads. */

static bool queued_locked(const struct batcher *b)
{
    for (size_t i = 0; i < b->policy.count; i++)
        if (b->queues[i]->jobs > 0)
            return true;
    return false;
}

/* One look at the queues: gives back what expired, runs a batch or sleeps. False: all is over. */
static bool work_locked(struct worker *worker)
{
    struct batcher *b = worker->batcher;
    const uint64_t now_ns = batcher_now_ns();
    b->seen_ns = now_ns;
    struct batcher_job *expired = expire_locked(b, now_ns);
    const struct batch_choice choice = batch_policy_choose(&b->policy, BATCH_SCOPE_ALL, now_ns);

    if (choice.queue == NULL && expired == NULL) {
        if (b->workers_stopping && !queued_locked(b))
            return false;
        if (!spin_before_sleep_locked(worker, now_ns, choice.at_ns))
            sleep_locked(worker, choice.at_ns);
        return true;
    }

    struct batch_run batch = {.queue = NULL};
    struct worker *roused = NULL;
    if (choice.queue != NULL) {
        batch = batch_policy_seal(&b->policy, &choice, worker->index, now_ns, worker->jobs);
        roused = rouse_worker_locked(b, BATCH_SCOPE_LONG, now_ns);
    }
    unlock_and_signal(b, roused);
    if (expired != NULL)
        b->config.done(b->config.ctx, expired);
    uint64_t finished_ns = 0, cpu_ns = 0;
    if (batch.queue != NULL) {
        worker->has_run = true;
        const uint64_t cpu_before_ns = now_on(CLOCK_THREAD_CPUTIME_ID);
        finished_ns = run(worker, &batch);
        cpu_ns = now_on(CLOCK_THREAD_CPUTIME_ID) - cpu_before_ns;
        b->config.done(b->config.ctx, list_jobs(worker, &batch, NULL));
    }
    pthread_mutex_lock(&b->lock);
    if (batch.queue != NULL)
        batch_policy_finish(&b->policy, worker->index, finished_ns, cpu_ns);
    return true;
}

/* False: there is none. */
static bool seal_brief_locked(struct batcher *b, struct worker *caller, struct batch_run *out)
{
    const struct batch_choice choice =
        batch_policy_choose(&b->policy, BATCH_SCOPE_BRIEF, b->seen_ns);
    if (choice.queue == NULL)
        return false;
    *out = batch_policy_seal(&b->policy, &choice, caller->index, b->seen_ns, caller->jobs);
    return true;
}

struct batcher_job *batcher_run_brief(struct batcher *b, unsigned index)
{
    assert(index < b->config.callers);
    struct worker *caller = &b->workers[b->config.workers + index];
    struct batch_run batch;
    const uint64_t now_ns = batcher_now_ns();
    pthread_mutex_lock(&b->lock);
    b->seen_ns = now_ns;
    struct batcher_job *expired = expire_locked(b, now_ns);
    if (!seal_brief_locked(b, caller, &batch)) {
        /* Under the lock of the look: what is not ours is somebody else's from here on. */
        wake_and_unlock(b, BATCH_SCOPE_LONG);
        return expired;
    }
    pthread_mutex_unlock(&b->lock);
    const uint64_t finished_ns = run(caller, &batch);
    pthread_mutex_lock(&b->lock);
    batch_policy_finish(&b->policy, caller->index, finished_ns, 0);
    pthread_mutex_unlock(&b->lock);
    return list_jobs(caller, &batch, expired);
}

void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct batcher *b = worker->batcher;
    char name[16]; /* what the kernel keeps */
    (void)snprintf(name, sizeof(name), "jitney-w%u", worker->index);
    name_thread(name);

    pthread_mutex_lock(&b->lock);
    while (work_locked(worker))
        ;
    /* The sleepers wait for what nobody will signal any more. */
    rouse_all_locked(b);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

bool rouse_keeper_locked(struct batcher *b)
{
    const bool late = b->keeper_late;
    b->keeper_late = false;
    return late;
}

static uint64_t earliest_deadline_locked(const struct batcher *b)
{
    uint64_t earliest_ns = UINT64_MAX;
    for (size_t i = 0; i < b->policy.count; i++) {
        const uint64_t deadline_ns = batch_queue_deadline_ns(b->queues[i]);
        if (deadline_ns != 0 && deadline_ns < earliest_ns)
            earliest_ns = deadline_ns;
    }
    return earliest_ns;
}

/* Its time is never put off because jobs left: that would only make the next submit bring it
 * forward again. */
static void keeper_sleep_locked(struct batcher *b, uint64_t now_ns)
{
    if (b->keeper_at_ns <= now_ns)
        b->keeper_at_ns = earliest_deadline_locked(b);
    b->keeper_late = false;
    const uint64_t rested_ns = b->keeper_busy_ns + KEEPER_REST_NS;
    if (b->keeper_at_ns == UINT64_MAX)
        pthread_cond_wait(&b->keeper_wake, &b->lock);
    else
        (void)wait_until(&b->keeper_wake, &b->lock,
                         b->keeper_at_ns > rested_ns ? b->keeper_at_ns : rested_ns);
}

static void keep_locked(struct batcher *b)
{
    const uint64_t now_ns = batcher_now_ns();
    struct batcher_job *expired = expire_locked(b, now_ns);
    if (expired == NULL) {
        keeper_sleep_locked(b, now_ns);
        return;
    }
    b->keeper_busy_ns = now_ns;
    pthread_mutex_unlock(&b->lock);
    b->config.done(b->config.ctx, expired);
    pthread_mutex_lock(&b->lock);
}

void *keeper_main(void *arg)
{
    struct batcher *b = arg;
    name_thread("jitney-keeper");
    pthread_mutex_lock(&b->lock);
    while (!b->keeper_stopping)
        keep_locked(b);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}
