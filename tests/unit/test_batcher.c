/*
 * The threads around the policy. Every wait is for an event: a batch that began (and is held at a
 * gate until the test opens it), jobs that came back, or workers that fell asleep, which only the
 * batcher's inside tells. Only a test that is about to fail runs into WAIT_S_MAX.
 */
#include "batcher_threads.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum {
    BATCHES_MAX = 256,
    WAIT_S_MAX = 20,
    /* Promised is 1 ms; a sanitizer on a busy machine gets more, and the figure is printed. */
    LATE_MS_MAX = 100,
};

struct test_job {
    struct batcher_job base; /* first: a batcher_job is cast to it */
    bool bad;                /* `run` marks it FAILED */
    unsigned done;           /* how often it came back */
};

/* What the callbacks saw, and the gate at which `run` stops. */
struct probe {
    pthread_mutex_t lock; /* guards all of it */
    pthread_cond_t changed;
    bool gated;
    unsigned passes; /* batches that may pass the gate */
    size_t begun;    /* batches that reached `run` */
    unsigned running;
    unsigned running_max;
    size_t back; /* jobs given to `done` */
    size_t batches;
    size_t batch_jobs[BATCHES_MAX];
    enum batcher_reason reasons[BATCHES_MAX];
    size_t failed;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void probe_run(void *ctx, void *queue_ctx, unsigned worker, struct batcher_job **jobs,
                      size_t count)
{
    struct probe *probe = ctx;
    (void)queue_ctx;
    (void)worker;
    pthread_mutex_lock(&probe->lock);
    probe->begun++;
    probe->running++;
    if (probe->running > probe->running_max)
        probe->running_max = probe->running;
    pthread_cond_broadcast(&probe->changed);
    while (probe->gated && probe->passes == 0)
        pthread_cond_wait(&probe->changed, &probe->lock);
    if (probe->gated)
        probe->passes--;
    probe->running--;
    pthread_mutex_unlock(&probe->lock);
    for (size_t i = 0; i < count; i++)
        if (((struct test_job *)jobs[i])->bad)
            jobs[i]->status = BATCHER_FAILED;
}

static void probe_done(void *ctx, struct batcher_job *list)
{
    struct probe *probe = ctx;
    pthread_mutex_lock(&probe->lock);
    for (; list != NULL; list = list->next) {
        ((struct test_job *)list)->done++;
        probe->back++;
    }
    pthread_cond_broadcast(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
}

static void probe_observe(void *ctx, void *queue_ctx, const struct batcher_batch_info *info)
{
    struct probe *probe = ctx;
    (void)queue_ctx;
    pthread_mutex_lock(&probe->lock);
    if (probe->batches < BATCHES_MAX) {
        probe->batch_jobs[probe->batches] = info->jobs;
        probe->reasons[probe->batches] = info->reason;
    }
    probe->batches++;
    probe->failed += info->failed;
    pthread_mutex_unlock(&probe->lock);
}

static void probe_init(struct probe *probe, bool gated)
{
    memset(probe, 0, sizeof(*probe));
    probe->gated = gated;
    pthread_mutex_init(&probe->lock, NULL);
    pthread_cond_init(&probe->changed, NULL);
}

/* Waits until *counter, which the lock guards, has reached `least`. */
static void wait_for(struct probe *probe, const char *what, const size_t *counter, size_t least)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_S_MAX;
    pthread_mutex_lock(&probe->lock);
    int rc = 0;
    while (*counter < least && rc == 0)
        rc = pthread_cond_timedwait(&probe->changed, &probe->lock, &limit);
    const size_t seen = *counter;
    pthread_mutex_unlock(&probe->lock);
    if (seen < least)
        fail_msg("waited for %zu %s, saw %zu", least, what, seen);
}

static void wait_begun(struct probe *probe, size_t batches)
{
    wait_for(probe, "batches begun", &probe->begun, batches);
}

static void wait_back(struct probe *probe, size_t jobs)
{
    wait_for(probe, "jobs back", &probe->back, jobs);
}

static void let_pass(struct probe *probe, unsigned batches)
{
    pthread_mutex_lock(&probe->lock);
    probe->passes += batches;
    pthread_cond_broadcast(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
}

static void open_gate(struct probe *probe)
{
    pthread_mutex_lock(&probe->lock);
    probe->gated = false;
    pthread_cond_broadcast(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
}

/* --- A batcher with one queue and a probe. */

struct rig {
    struct probe probe;
    struct batcher *batcher;
    struct batcher_queue *queue;
};

static const struct batcher_queue_limits roomy = {.batch_rows_max = 64,
                                                  .queue_rows_max = 10000,
                                                  .queue_bytes_max = 1000000,
                                                  .inflight_batches_max = 64,
                                                  .delay_ns_max = 0};

static unsigned asleep_locked(const struct batcher *b)
{
    unsigned asleep = b->leader != NULL;
    for (const struct worker *worker = b->followers; worker != NULL; worker = worker->next_follower)
        asleep++;
    return asleep;
}

/* A lost wake-up shows only when somebody sleeps: waits until so many workers do. */
static void wait_asleep(struct rig *rig, unsigned workers)
{
    struct batcher *b = rig->batcher;
    const uint64_t limit_ns = now_ns() + WAIT_S_MAX * SECOND;
    unsigned asleep = 0;
    while (asleep != workers && now_ns() < limit_ns) {
        sched_yield();
        pthread_mutex_lock(&b->lock);
        asleep = asleep_locked(b);
        pthread_mutex_unlock(&b->lock);
    }
    assert_int_equal(asleep, workers);
}

static struct batcher_shares three_tenants(void)
{
    struct batcher_shares shares = batcher_shares_default();
    shares.tenants = 3;
    shares.tenant_weights[1] = 2;
    shares.tenant_weights[2] = 3;
    return shares;
}

static void rig_start_shared(struct rig *rig, unsigned workers, bool gated,
                             struct batcher_queue_limits limits, struct batcher_shares shares)
{
    probe_init(&rig->probe, gated);
    const struct batcher_config config = {.workers = workers,
                                          .queues_max = 4,
                                          .batch_jobs_max = 64,
                                          .thread_stack_bytes = 512 * 1024,
                                          .shares = shares,
                                          .ctx = &rig->probe,
                                          .run = probe_run,
                                          .done = probe_done,
                                          .observe = probe_observe};
    assert_int_equal(batcher_create(&config, &rig->batcher), BATCHER_OK);
    const struct batcher_queue_config queue = {.name = "test", .limits = limits};
    assert_int_equal(batcher_add_queue(rig->batcher, &queue, &rig->queue), BATCHER_OK);
    wait_asleep(rig, workers);
}

static void rig_start(struct rig *rig, unsigned workers, bool gated,
                      struct batcher_queue_limits limits)
{
    rig_start_shared(rig, workers, gated, limits, batcher_shares_default());
}

static struct batcher_queue *rig_add_queue(struct rig *rig, struct batcher_queue_limits limits)
{
    const struct batcher_queue_config config = {.name = "another", .limits = limits};
    struct batcher_queue *queue = NULL;
    assert_int_equal(batcher_add_queue(rig->batcher, &config, &queue), BATCHER_OK);
    return queue;
}

static void rig_stop(struct rig *rig)
{
    open_gate(&rig->probe);
    batcher_destroy(rig->batcher);
    pthread_cond_destroy(&rig->probe.changed);
    pthread_mutex_destroy(&rig->probe.lock);
}

static struct test_job job_of(size_t rows)
{
    return (struct test_job){.base = {.rows = rows, .bytes = 10}};
}

static void submit_to(struct rig *rig, struct batcher_queue *queue, struct test_job *job)
{
    assert_int_equal(batcher_submit(rig->batcher, queue, &job->base, now_ns()), BATCHER_OK);
}

static void submit(struct rig *rig, struct test_job *job)
{
    submit_to(rig, rig->queue, job);
}

static void submit_rows(struct rig *rig, struct test_job *jobs, size_t count, size_t rows)
{
    for (size_t i = 0; i < count; i++) {
        jobs[i] = job_of(rows);
        submit(rig, &jobs[i]);
    }
    batcher_wake(rig->batcher);
}

/* Occupies one worker at the gate. */
static void block_worker(struct rig *rig, struct test_job *job)
{
    submit_rows(rig, job, 1, 1);
    wait_begun(&rig->probe, 1);
}

static void assert_back(const struct test_job *job, enum batcher_status status)
{
    assert_int_equal(job->done, 1);
    assert_string_equal(batcher_status_str(job->base.status), batcher_status_str(status));
}

/* --- Batches. */

static void jobs_that_come_while_the_worker_is_busy_share_a_batch(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job first;
    struct test_job jobs[5];
    rig_start(&rig, 1, true, roomy);
    block_worker(&rig, &first);
    submit_rows(&rig, jobs, 5, 2);
    let_pass(&rig.probe, 2);
    wait_back(&rig.probe, 6);
    assert_int_equal(rig.probe.batch_jobs[0], 1);
    assert_int_equal(rig.probe.batch_jobs[1], 5);
    assert_int_equal(rig.probe.reasons[1], BATCHER_REASON_IDLE);
    for (size_t i = 0; i < 5; i++) {
        assert_back(&jobs[i], BATCHER_OK);
        assert_int_equal(jobs[i].base.batch_jobs, 5);
        assert_int_equal(jobs[i].base.batch_rows, 10);
        assert_true(jobs[i].base.submitted_ns <= jobs[i].base.sealed_ns);
        assert_true(jobs[i].base.sealed_ns <= jobs[i].base.finished_ns);
    }
    rig_stop(&rig);
}

static void ready_batches_reach_all_workers_by_one_wake(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[4];
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 1;
    rig_start(&rig, 4, true, limits);
    submit_rows(&rig, jobs, 4, 1);
    wait_begun(&rig.probe, 4); /* all four at the gate together */
    rig_stop(&rig);
    assert_int_equal(rig.probe.running_max, 4);
}

static void workers_wake_each_other_when_rows_hide_how_many_batches_there_are(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[3];
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 8;
    rig_start(&rig, 3, true, limits);
    submit_rows(&rig, jobs, 3, 5); /* 15 rows look like one full batch, and are three */
    wait_begun(&rig.probe, 3);
    rig_stop(&rig);
    assert_int_equal(rig.probe.running_max, 3);
}

static void one_worker_is_called_back_for_each_ready_batch(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[2] = {job_of(1), job_of(1)};
    struct worker *called[3];
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 1;
    rig_start(&rig, 4, false, limits);
    submit(&rig, &jobs[0]);
    submit(&rig, &jobs[1]);
    pthread_mutex_lock(&rig.batcher->lock);
    for (size_t i = 0; i < 3; i++)
        called[i] = rouse_worker_locked(rig.batcher, BATCH_SCOPE_ALL, now_ns());
    pthread_mutex_unlock(&rig.batcher->lock);
    assert_non_null(called[0]);
    assert_non_null(called[1]);
    assert_null(called[2]);
    pthread_cond_signal(&called[0]->wake);
    pthread_cond_signal(&called[1]->wake);
    wait_back(&rig.probe, 2);
    rig_stop(&rig);
}

static void sleeping_worker_takes_nothing_before_the_wake(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[20];
    rig_start(&rig, 2, false, roomy);
    for (unsigned round = 0; round < 3; round++) {
        submit_rows(&rig, jobs, 20, 1);
        wait_back(&rig.probe, 20 * (round + 1));
        assert_int_equal(rig.probe.batches, round + 1);
        assert_int_equal(rig.probe.batch_jobs[round], 20);
        wait_asleep(&rig, 2);
    }
    rig_stop(&rig);
}

static void queue_runs_no_more_batches_at_once_than_its_limit(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[40];
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 1;
    limits.inflight_batches_max = 2;
    rig_start(&rig, 4, true, limits);
    submit_rows(&rig, jobs, 40, 1);
    wait_begun(&rig.probe, 2);
    struct batcher_queue_stats stats;
    batcher_queue_stats(rig.batcher, rig.queue, &stats);
    assert_int_equal(stats.inflight_batches, 2);
    assert_int_equal(stats.jobs, 38);
    open_gate(&rig.probe);
    wait_back(&rig.probe, 40);
    rig_stop(&rig);
    assert_int_equal(rig.probe.running_max, 2);
    assert_int_equal(rig.probe.batches, 40);
}

static void failed_job_fails_alone(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job first;
    struct test_job jobs[3] = {job_of(1), job_of(1), job_of(1)};
    rig_start(&rig, 1, true, roomy);
    block_worker(&rig, &first);
    jobs[1].bad = true;
    for (size_t i = 0; i < 3; i++)
        submit(&rig, &jobs[i]);
    batcher_wake(rig.batcher);
    open_gate(&rig.probe);
    wait_back(&rig.probe, 4);
    assert_back(&jobs[0], BATCHER_OK);
    assert_back(&jobs[1], BATCHER_FAILED);
    assert_back(&jobs[2], BATCHER_OK);
    assert_int_equal(rig.probe.failed, 1);
    assert_int_equal(rig.probe.batch_jobs[1], 3);
    rig_stop(&rig);
}

/* --- Refusals. */

static void refused_job_stays_with_the_caller(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job first;
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 8;
    limits.queue_rows_max = 10;
    rig_start(&rig, 1, true, limits);
    block_worker(&rig, &first);

    struct test_job jobs[5] = {job_of(8), job_of(3), job_of(11), job_of(1), job_of(2)};
    jobs[3].base.deadline_ns = now_ns();
    const enum batcher_status expected[5] = {BATCHER_OK, BATCHER_FULL, BATCHER_TOO_LARGE,
                                             BATCHER_EXPIRED, BATCHER_OK};
    for (size_t i = 0; i < 5; i++) {
        const enum batcher_status st =
            batcher_submit(rig.batcher, rig.queue, &jobs[i].base, now_ns());
        assert_string_equal(batcher_status_str(st), batcher_status_str(expected[i]));
    }
    struct batcher_queue_stats stats;
    batcher_queue_stats(rig.batcher, rig.queue, &stats);
    assert_int_equal(stats.rows, 10);
    assert_int_equal(stats.jobs, 2);
    assert_int_equal(stats.bytes, 20);
    assert_int_equal(stats.oldest_ns, jobs[0].base.submitted_ns);
    rig_stop(&rig);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(jobs[i].done, expected[i] == BATCHER_OK);
}

static void wrong_configuration_is_refused(void **state)
{
    (void)state;
    const struct batcher_config right = {.workers = 1,
                                         .queues_max = 1,
                                         .batch_jobs_max = 1,
                                         .shares = batcher_shares_default(),
                                         .run = probe_run,
                                         .done = probe_done};
    struct batcher_config wrong[10];
    for (size_t i = 0; i < 10; i++)
        wrong[i] = right;
    wrong[0].workers = 0;
    wrong[1].workers = BATCHER_WORKERS_MAX + 1;
    wrong[2].queues_max = 0;
    wrong[3].batch_jobs_max = 0;
    wrong[4].run = NULL;
    wrong[5].done = NULL;
    wrong[6].thread_stack_bytes = 1;
    wrong[7].shares.tenants = BATCHER_TENANTS_MAX + 1;
    wrong[8].shares.tenant_weights[0] = 0;
    wrong[9].shares.class_weights[BATCHER_CLASS_BATCH] = FAIR_WEIGHT_MAX + 1;
    struct batcher *batcher = NULL;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(batcher_create(&wrong[i], &batcher), BATCHER_INVALID);
    struct batcher_config huge = right;
    huge.workers = 2;
    huge.batch_jobs_max = SIZE_MAX / 2 + 2;
    assert_int_equal(batcher_create(&huge, &batcher), BATCHER_NOMEM);
    assert_null(batcher);

    assert_int_equal(batcher_create(&right, &batcher), BATCHER_OK);
    struct batcher_queue *queue = NULL;
    struct batcher_queue_config config = {.name = "q", .limits = roomy};
    config.limits.batch_rows_max = 0;
    assert_int_equal(batcher_add_queue(batcher, &config, &queue), BATCHER_INVALID);
    config.limits = roomy;
    config.limits.inflight_batches_max = 0;
    assert_int_equal(batcher_add_queue(batcher, &config, &queue), BATCHER_INVALID);
    assert_null(queue);
    config.limits = roomy;
    assert_int_equal(batcher_add_queue(batcher, &config, &queue), BATCHER_OK);
    struct batcher_queue *second = NULL; /* queues_max is 1 */
    assert_int_equal(batcher_add_queue(batcher, &config, &second), BATCHER_INVALID);
    assert_null(second);
    batcher_destroy(batcher);
    batcher_destroy(NULL);
}

/* --- Deadlines. */

static void deadline_is_answered_on_time_while_every_worker_is_busy(void **state)
{
    (void)state;
    enum {
        JOBS = 20
    };
    struct rig rig;
    struct test_job first;
    struct test_job jobs[JOBS];
    rig_start(&rig, 1, true, roomy);
    block_worker(&rig, &first);
    const uint64_t start_ns = now_ns();
    for (size_t i = 0; i < JOBS; i++) {
        /* From late to early, so that the keeper has to be told of each. */
        jobs[i] = job_of(1);
        jobs[i].base.deadline_ns = start_ns + (2 * JOBS - i) * 2 * MS;
        submit(&rig, &jobs[i]);
        batcher_wake(rig.batcher);
    }
    wait_back(&rig.probe, JOBS);
    uint64_t late_ns = 0;
    for (size_t i = 0; i < JOBS; i++) {
        assert_back(&jobs[i], BATCHER_EXPIRED);
        assert_int_equal(jobs[i].base.sealed_ns, 0);
        assert_true(jobs[i].base.finished_ns >= jobs[i].base.deadline_ns);
        if (jobs[i].base.finished_ns - jobs[i].base.deadline_ns > late_ns)
            late_ns = jobs[i].base.finished_ns - jobs[i].base.deadline_ns;
    }
    assert_int_equal(rig.probe.begun, 1);
    print_message("the latest of %d deadlines was answered %.3f ms late\n", JOBS,
                  (double)late_ns / 1e6);
    assert_in_range(late_ns, 0, LATE_MS_MAX * MS);
    rig_stop(&rig);
    assert_back(&first, BATCHER_OK);
}

static void job_that_runs_in_time_is_not_expired_later(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job job = job_of(1);
    struct test_job other = job_of(1);
    rig_start(&rig, 1, false, roomy);
    job.base.deadline_ns = now_ns() + 60 * SECOND;
    submit(&rig, &job);
    batcher_wake(rig.batcher);
    wait_back(&rig.probe, 1);
    assert_back(&job, BATCHER_OK);
    submit(&rig, &other); /* no deadline: the keeper has nothing to do with it */
    batcher_wake(rig.batcher);
    wait_back(&rig.probe, 2);
    rig_stop(&rig);
    assert_back(&job, BATCHER_OK);
    assert_back(&other, BATCHER_OK);
}

static uint64_t keeper_at_ns(struct rig *rig)
{
    pthread_mutex_lock(&rig->batcher->lock);
    const uint64_t at_ns = rig->batcher->keeper_at_ns;
    pthread_mutex_unlock(&rig->batcher->lock);
    return at_ns;
}

static void one_timeout_for_all_jobs_wakes_the_keeper_once(void **state)
{
    (void)state;
    enum {
        JOBS = 50
    };
    struct rig rig;
    struct test_job jobs[JOBS];
    rig_start(&rig, 1, false, roomy);
    while (keeper_at_ns(&rig) == 0) /* until it has looked for the first time */
        sched_yield();
    unsigned wakes = 0;
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = job_of(1);
        jobs[i].base.deadline_ns = now_ns() + 60 * SECOND;
        submit(&rig, &jobs[i]);
        pthread_mutex_lock(&rig.batcher->lock);
        wakes += rig.batcher->keeper_late;
        pthread_mutex_unlock(&rig.batcher->lock);
        batcher_wake(rig.batcher);
        wait_back(&rig.probe, i + 1); /* the queue is empty again, and has no deadline */
    }
    assert_int_equal(wakes, 1);
    assert_int_equal(keeper_at_ns(&rig), jobs[0].base.deadline_ns);
    rig_stop(&rig);
}

/* --- Cancelling. */

static void queued_job_can_be_cancelled_and_a_running_one_not(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job running;
    struct test_job jobs[2];
    rig_start(&rig, 1, true, roomy);
    block_worker(&rig, &running);
    submit_rows(&rig, jobs, 2, 1);
    assert_false(batcher_cancel(rig.batcher, &running.base));
    assert_true(batcher_cancel(rig.batcher, &jobs[0].base));
    assert_false(batcher_cancel(rig.batcher, &jobs[0].base));
    open_gate(&rig.probe);
    wait_back(&rig.probe, 2);
    assert_false(batcher_cancel(rig.batcher, &jobs[1].base));
    assert_int_equal(jobs[0].done, 0);
    submit(&rig, &jobs[0]); /* it is the caller's again, who may submit it again */
    batcher_wake(rig.batcher);
    wait_back(&rig.probe, 3);
    rig_stop(&rig);
    assert_back(&running, BATCHER_OK);
    assert_back(&jobs[0], BATCHER_OK);
    assert_back(&jobs[1], BATCHER_OK);
}

/* --- Linger. */

static void trickle_is_not_split_among_idle_workers(void **state)
{
    (void)state;
    enum {
        JOBS = 6
    };
    struct rig rig;
    struct test_job jobs[JOBS];
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max =
        30 * SECOND; /* only the sixth job can end it in time */
    limits.batch_rows_max = JOBS;
    rig_start(&rig, 4, false, limits);
    for (size_t i = 0; i < JOBS - 1; i++) {
        submit_rows(&rig, &jobs[i], 1, 1); /* each with its own wake */
        wait_asleep(&rig, 4);
        pthread_mutex_lock(&rig.batcher->lock);
        assert_non_null(rig.batcher->leader); /* one of the four has a timeout */
        pthread_mutex_unlock(&rig.batcher->lock);
    }
    submit_rows(&rig, &jobs[JOBS - 1], 1, 1);
    wait_back(&rig.probe, JOBS);
    assert_int_equal(rig.probe.batches, 1);
    assert_int_equal(rig.probe.batch_jobs[0], JOBS);
    assert_int_equal(rig.probe.reasons[0], BATCHER_REASON_SIZE);
    rig_stop(&rig);
}

static void lingering_batch_leaves_when_its_oldest_job_has_waited(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[3];
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 20 * MS;
    rig_start(&rig, 3, false, limits);
    submit_rows(&rig, jobs, 3, 1);
    wait_back(&rig.probe, 3);
    assert_int_equal(rig.probe.batches, 1);
    assert_int_equal(rig.probe.reasons[0], BATCHER_REASON_TIMEOUT);
    const uint64_t waited_ns = jobs[0].base.sealed_ns - jobs[0].base.submitted_ns;
    print_message("a linger of 20 ms took %.3f ms\n", (double)waited_ns / 1e6);
    assert_in_range(waited_ns, 20 * MS, (20 + LATE_MS_MAX) * MS);
    rig_stop(&rig);
}

static void worker_that_leads_and_leaves_is_followed_by_another(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 5 * MS;
    rig_start(&rig, 2, true, limits);
    limits.delay_ns_max = limits.idle_delay_ns_max = 15 * MS;
    struct batcher_queue *longer = rig_add_queue(&rig, limits);
    struct test_job first = job_of(1);
    struct test_job second = job_of(1);
    submit(&rig, &first);
    submit_to(&rig, longer, &second);
    batcher_wake(rig.batcher);
    wait_begun(&rig.probe, 2); /* the first batch is still at the gate */
    rig_stop(&rig);
    assert_back(&first, BATCHER_OK);
    assert_back(&second, BATCHER_OK);
    assert_in_range(second.base.sealed_ns - second.base.submitted_ns, 15 * MS,
                    (15 + LATE_MS_MAX) * MS);
}

static void lingering_queue_leaves_on_time_while_another_is_served(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 10 * MS;
    rig_start(&rig, 2, true, limits);
    struct batcher_queue *prompt = rig_add_queue(&rig, roomy);
    struct test_job slow;
    struct test_job quick = job_of(1);
    submit_rows(&rig, &slow, 1, 1);
    submit_to(&rig, prompt, &quick);
    batcher_wake(rig.batcher);
    wait_begun(&rig.probe, 2);
    rig_stop(&rig);
    assert_in_range(slow.base.sealed_ns - slow.base.submitted_ns, 10 * MS, (10 + LATE_MS_MAX) * MS);
    assert_back(&slow, BATCHER_OK);
    assert_back(&quick, BATCHER_OK);
}

static void shorter_linger_that_comes_second_ends_first(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 30 * SECOND;
    rig_start(&rig, 2, false, limits);
    limits.delay_ns_max = limits.idle_delay_ns_max = 5 * MS;
    struct batcher_queue *shorter = rig_add_queue(&rig, limits);
    struct test_job slow;
    struct test_job quick = job_of(1);
    submit_rows(&rig, &slow, 1, 1);
    wait_asleep(&rig, 2); /* one of them for 30 s */
    submit_to(&rig, shorter, &quick);
    batcher_wake(rig.batcher);
    wait_back(&rig.probe, 1);
    assert_back(&quick, BATCHER_OK);
    assert_int_equal(slow.done, 0);
    wait_asleep(&rig, 2); /* and they leave each other alone */
    rig_stop(&rig);
    assert_back(&slow, BATCHER_OK);
    assert_int_equal(rig.probe.reasons[1], BATCHER_REASON_DRAIN);
}

static void idle_worker_does_not_wait_for_what_a_busy_one_would(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = 30 * SECOND;
    struct rig rig;
    rig_start(&rig, 2, false, limits);
    struct test_job job;
    submit_rows(&rig, &job, 1, 1);
    wait_back(&rig.probe, 1);
    rig_stop(&rig);
}

/* The last batch of a queue that finishes ends the linger of the next. */
static void lingering_batch_leaves_when_the_running_one_is_done(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = 30 * SECOND;
    struct rig rig;
    rig_start(&rig, 2, true, limits);
    struct test_job jobs[2];
    block_worker(&rig, &jobs[0]);
    submit_rows(&rig, &jobs[1], 1, 1);
    wait_asleep(&rig, 1);
    assert_int_equal(rig.probe.begun, 1);
    open_gate(&rig.probe);
    wait_back(&rig.probe, 2);
    rig_stop(&rig);
}

static void idle_worker_does_not_wait_when_there_is_no_delay(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job job;
    rig_start(&rig, 1, false, roomy);
    submit_rows(&rig, &job, 1, 1);
    wait_back(&rig.probe, 1);
    assert_int_equal(rig.probe.reasons[0], BATCHER_REASON_IDLE);
    assert_in_range(job.base.sealed_ns - job.base.submitted_ns, 0, LATE_MS_MAX * MS);
    rig_stop(&rig);
}

static void linger_ends_in_time_to_meet_a_deadline(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job job = job_of(1);
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 30 * SECOND;
    rig_start(&rig, 2, false, limits);
    job.base.deadline_ns = now_ns() + 20 * MS;
    submit(&rig, &job);
    batcher_wake(rig.batcher);
    wait_back(&rig.probe, 1);
    rig_stop(&rig);
    /* On a machine that stalls for the whole reserve it may expire: then it was not computed. */
    if (job.base.status == BATCHER_EXPIRED) {
        assert_int_equal(rig.probe.begun, 0);
        return;
    }
    assert_back(&job, BATCHER_OK);
    assert_int_equal(rig.probe.reasons[0], BATCHER_REASON_DEADLINE);
    assert_true(job.base.sealed_ns < job.base.deadline_ns);
}

/* --- The end. */

static void drain_runs_what_is_queued_and_refuses_the_rest(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[3];
    struct test_job late = job_of(1);
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 30 * SECOND;
    rig_start(&rig, 2, false, limits);
    submit_rows(&rig, jobs, 3, 1);
    wait_asleep(&rig, 2);
    batcher_drain(rig.batcher);
    batcher_drain(rig.batcher);
    assert_int_equal(batcher_submit(rig.batcher, rig.queue, &late.base, now_ns()),
                     BATCHER_STOPPING);
    wait_back(&rig.probe, 3);
    assert_int_equal(rig.probe.reasons[0], BATCHER_REASON_DRAIN);
    rig_stop(&rig);
    for (size_t i = 0; i < 3; i++)
        assert_back(&jobs[i], BATCHER_OK);
    assert_int_equal(late.done, 0);
}

static void abandon_answers_what_is_queued_and_lets_the_running_finish(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job running;
    struct test_job jobs[3];
    struct test_job late = job_of(1);
    rig_start(&rig, 1, true, roomy);
    block_worker(&rig, &running);
    submit_rows(&rig, jobs, 3, 1);
    batcher_abandon(rig.batcher);
    for (size_t i = 0; i < 3; i++)
        assert_back(&jobs[i], BATCHER_STOPPING); /* before it returns */
    assert_int_equal(running.done, 0);
    assert_int_equal(batcher_submit(rig.batcher, rig.queue, &late.base, now_ns()),
                     BATCHER_STOPPING);
    rig_stop(&rig);
    assert_back(&running, BATCHER_OK);
    assert_int_equal(rig.probe.batches, 1);
}

static void destroy_runs_what_nobody_was_woken_for(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[10];
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 3;
    limits.inflight_batches_max = 1;
    limits.delay_ns_max = limits.idle_delay_ns_max = 30 * SECOND;
    rig_start(&rig, 3, false, limits);
    for (size_t i = 0; i < 10; i++) {
        jobs[i] = job_of(1);
        submit(&rig, &jobs[i]); /* and no wake */
    }
    rig_stop(&rig);
    for (size_t i = 0; i < 10; i++)
        assert_back(&jobs[i], BATCHER_OK);
    assert_int_equal(rig.probe.running_max, 1);
}

static void *destroy_main(void *rig)
{
    batcher_destroy(((struct rig *)rig)->batcher);
    return NULL;
}

static void workers_that_cannot_help_to_drain_leave_at_the_end(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[2];
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 1;
    limits.inflight_batches_max = 1;
    rig_start(&rig, 3, true, limits);
    submit_rows(&rig, jobs, 2, 1);
    wait_begun(&rig.probe, 1);
    pthread_t destroyer;
    assert_int_equal(pthread_create(&destroyer, NULL, destroy_main, &rig), 0);
    /* The second job may not run beside the first: the other two sleep although it waits. */
    bool stopping = false;
    while (!stopping) {
        pthread_mutex_lock(&rig.batcher->lock);
        stopping = rig.batcher->workers_stopping;
        pthread_mutex_unlock(&rig.batcher->lock);
        sched_yield();
    }
    wait_asleep(&rig, 2);
    open_gate(&rig.probe);
    pthread_join(destroyer, NULL);
    assert_back(&jobs[0], BATCHER_OK);
    assert_back(&jobs[1], BATCHER_OK);
    assert_int_equal(rig.probe.running_max, 1);
    rig.batcher = NULL;
    rig_stop(&rig);
}

static void drain_rate_is_known_after_the_first_batch(void **state)
{
    (void)state;
    struct rig rig;
    struct test_job jobs[2];
    rig_start(&rig, 1, false, roomy);
    assert_true(batcher_queue_drain_rate(rig.batcher, rig.queue) <= 0);
    submit_rows(&rig, &jobs[0], 1, 1);
    wait_back(&rig.probe, 1);
    /* The second comes back after the only worker has closed the first one's books. */
    submit_rows(&rig, &jobs[1], 1, 1);
    wait_back(&rig.probe, 2);
    assert_true(batcher_queue_drain_rate(rig.batcher, rig.queue) > 0);
    rig_stop(&rig);
}

/* --- Many submitters. */

enum {
    SUBMITTERS = 8,
    ROUNDS = 250,
    PER_ROUND = 8
};

struct submitter {
    struct rig *rig;
    struct batcher_queue *queues[2];
    pthread_barrier_t *start;
    uint64_t random;
    pthread_t thread;
    size_t given; /* accepted */
    size_t cancelled;
    size_t refused;
    size_t changes; /* of limits */
    struct test_job *jobs;
};

static uint64_t draw(struct submitter *s, uint64_t below)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random % below;
}

static void submit_some(struct submitter *s, struct test_job *jobs)
{
    for (size_t i = 0; i < PER_ROUND; i++) {
        const uint64_t time_ns = now_ns();
        struct test_job *job = &jobs[i];
        *job = job_of(1 + draw(s, 4));
        job->bad = draw(s, 16) == 0;
        job->base.tenant = (unsigned)draw(s, 3);
        job->base.class = (enum batcher_class)draw(s, BATCHER_CLASS_COUNT);
        if (draw(s, 2) == 0)
            job->base.deadline_ns = time_ns + draw(s, 3 * MS);
        if (batcher_submit(s->rig->batcher, s->queues[draw(s, 2)], &job->base, time_ns) !=
            BATCHER_OK) {
            s->refused++;
            job->base.rows = 0; /* marks it as not given away */
        } else {
            s->given++;
        }
    }
}

/* To whatever is valid. */
static void change_limits(struct submitter *s)
{
    const struct batcher_queue_limits limits = {.batch_rows_max = 1 + draw(s, 64),
                                                .queue_rows_max = 64 + draw(s, 4000),
                                                .queue_bytes_max = 100000,
                                                .inflight_batches_max = 1 + draw(s, 3),
                                                .delay_ns_max = draw(s, 2) * draw(s, MS),
                                                .idle_delay_ns_max = draw(s, 2) * draw(s, MS),
                                                .target_p99_ns = draw(s, 2) * draw(s, 5 * MS),
                                                .admits_late = draw(s, 2) == 0};
    assert_int_equal(batcher_set_limits(s->rig->batcher, s->queues[draw(s, 2)], &limits),
                     BATCHER_OK);
    s->changes++;
}

static void *submitter_main(void *arg)
{
    struct submitter *s = arg;
    pthread_barrier_wait(s->start);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct test_job *jobs = s->jobs + round * PER_ROUND;
        bool accepted[PER_ROUND];
        submit_some(s, jobs);
        for (size_t i = 0; i < PER_ROUND; i++)
            accepted[i] = jobs[i].base.rows != 0;
        if (draw(s, 4) != 0)
            batcher_wake(s->rig->batcher);
        if (draw(s, 8) == 0)
            change_limits(s);
        for (size_t i = 0; i < PER_ROUND; i++)
            if (accepted[i] && draw(s, 4) == 0)
                s->cancelled += batcher_cancel(s->rig->batcher, &jobs[i].base);
        batcher_wake(s->rig->batcher);
    }
    return NULL;
}

static size_t count_done(const struct submitter *s)
{
    size_t done = 0;
    for (size_t i = 0; i < ROUNDS * PER_ROUND; i++) {
        assert_in_range(s->jobs[i].done, 0, 1);
        done += s->jobs[i].done;
    }
    return done;
}

static void every_job_of_many_submitters_comes_back_once_while_limits_change(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_queue_limits limits = roomy;
    limits.queue_rows_max = 4000;
    limits.batch_rows_max = 16;
    rig_start_shared(&rig, 3, false, limits, three_tenants());
    limits.delay_ns_max = limits.idle_delay_ns_max = MS / 2;
    limits.inflight_batches_max = 1;
    struct batcher_queue *lingering = rig_add_queue(&rig, limits);

    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, SUBMITTERS);
    struct submitter submitters[SUBMITTERS];
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){
            .rig = &rig, .queues = {rig.queue, lingering}, .start = &start, .random = 1000 + i};
        submitters[i].jobs = calloc(ROUNDS * PER_ROUND, sizeof(struct test_job));
        assert_non_null(submitters[i].jobs);
        assert_int_equal(
            pthread_create(&submitters[i].thread, NULL, submitter_main, &submitters[i]), 0);
    }
    size_t given = 0;
    size_t cancelled = 0;
    size_t changes = 0;
    for (size_t i = 0; i < SUBMITTERS; i++) {
        pthread_join(submitters[i].thread, NULL);
        given += submitters[i].given;
        cancelled += submitters[i].cancelled;
        changes += submitters[i].changes;
    }
    /* Nobody calls any more: what is left has to come back by itself. */
    wait_back(&rig.probe, given - cancelled);
    rig_stop(&rig);
    pthread_barrier_destroy(&start);
    assert_int_equal(rig.probe.back, given - cancelled);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        const struct submitter *s = &submitters[i];
        assert_int_equal(s->given + s->refused, ROUNDS * PER_ROUND);
        assert_int_equal(count_done(s), s->given - s->cancelled);
        free(s->jobs);
    }
    print_message("%zu jobs given, %zu cancelled, %zu batches, %zu changes of limits\n", given,
                  cancelled, rig.probe.batches, changes);
    assert_true(changes > 0);
    assert_true(cancelled > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_that_come_while_the_worker_is_busy_share_a_batch),
        cmocka_unit_test(ready_batches_reach_all_workers_by_one_wake),
        cmocka_unit_test(workers_wake_each_other_when_rows_hide_how_many_batches_there_are),
        cmocka_unit_test(one_worker_is_called_back_for_each_ready_batch),
        cmocka_unit_test(sleeping_worker_takes_nothing_before_the_wake),
        cmocka_unit_test(queue_runs_no_more_batches_at_once_than_its_limit),
        cmocka_unit_test(failed_job_fails_alone),
        cmocka_unit_test(refused_job_stays_with_the_caller),
        cmocka_unit_test(wrong_configuration_is_refused),
        cmocka_unit_test(deadline_is_answered_on_time_while_every_worker_is_busy),
        cmocka_unit_test(job_that_runs_in_time_is_not_expired_later),
        cmocka_unit_test(one_timeout_for_all_jobs_wakes_the_keeper_once),
        cmocka_unit_test(queued_job_can_be_cancelled_and_a_running_one_not),
        cmocka_unit_test(trickle_is_not_split_among_idle_workers),
        cmocka_unit_test(lingering_batch_leaves_when_its_oldest_job_has_waited),
        cmocka_unit_test(worker_that_leads_and_leaves_is_followed_by_another),
        cmocka_unit_test(lingering_queue_leaves_on_time_while_another_is_served),
        cmocka_unit_test(shorter_linger_that_comes_second_ends_first),
        cmocka_unit_test(idle_worker_does_not_wait_when_there_is_no_delay),
        cmocka_unit_test(idle_worker_does_not_wait_for_what_a_busy_one_would),
        cmocka_unit_test(lingering_batch_leaves_when_the_running_one_is_done),
        cmocka_unit_test(linger_ends_in_time_to_meet_a_deadline),
        cmocka_unit_test(drain_runs_what_is_queued_and_refuses_the_rest),
        cmocka_unit_test(abandon_answers_what_is_queued_and_lets_the_running_finish),
        cmocka_unit_test(destroy_runs_what_nobody_was_woken_for),
        cmocka_unit_test(workers_that_cannot_help_to_drain_leave_at_the_end),
        cmocka_unit_test(drain_rate_is_known_after_the_first_batch),
        cmocka_unit_test(every_job_of_many_submitters_comes_back_once_while_limits_change),
    };
    return cmocka_run_group_tests_name("batcher", tests, NULL, NULL);
}
