/* Brief batches: who submits runs them, on its own thread, and workers are left alone. */
#include "batcher_threads.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum {
    JOBS_MAX = 64,
    WAIT_S_MAX = 30
};

/* What the callbacks saw. */
struct probe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t by_callers; /* batches */
    size_t by_workers;
    size_t done; /* jobs that came back through `done` */
    pthread_t last_thread;
    unsigned last_runner;
    bool gated; /* workers wait in `run` until it is false */
};

struct rig {
    struct probe probe;
    struct batcher *batcher;
    struct batcher_queue *queue;
};

static void run(void *ctx, void *queue_ctx, unsigned runner, struct batcher_job **jobs,
                size_t count)
{
    struct rig *rig = ctx;
    (void)queue_ctx;
    (void)jobs;
    assert_true(count > 0);
    pthread_mutex_lock(&rig->probe.lock);
    rig->probe.last_thread = pthread_self();
    rig->probe.last_runner = runner;
    const bool by_worker = runner < rig->batcher->config.workers;
    *(by_worker ? &rig->probe.by_workers : &rig->probe.by_callers) += 1;
    pthread_cond_broadcast(&rig->probe.changed);
    while (by_worker && rig->probe.gated)
        pthread_cond_wait(&rig->probe.changed, &rig->probe.lock);
    pthread_mutex_unlock(&rig->probe.lock);
}

static void done(void *ctx, struct batcher_job *list)
{
    struct probe *probe = &((struct rig *)ctx)->probe;
    pthread_mutex_lock(&probe->lock);
    for (; list != NULL; list = list->next)
        probe->done++;
    pthread_cond_broadcast(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
}

static void wait_until_at_least(struct probe *probe, const size_t *counter, size_t least)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_S_MAX;
    pthread_mutex_lock(&probe->lock);
    int rc = 0;
    while (*counter < least && rc == 0)
        rc = pthread_cond_timedwait(&probe->changed, &probe->lock, &limit);
    pthread_mutex_unlock(&probe->lock);
    assert_int_equal(rc, 0);
}

/* A batch of the queue takes so long, whatever is in it. */
static void seed(struct rig *rig, uint64_t ns)
{
    const struct batcher_cost_seed cost = {
        .small_work = 1, .small_ns = ns, .large_work = 8, .large_ns = ns + 8};
    batcher_seed_cost(rig->batcher, rig->queue, &cost);
}

/* One that is awake takes what it sees. */
static void wait_until_the_worker_sleeps(struct batcher *b)
{
    const uint64_t limit_ns = batcher_now_ns() + WAIT_S_MAX * SECOND;
    bool asleep = false;
    while (!asleep && batcher_now_ns() < limit_ns) {
        sched_yield();
        pthread_mutex_lock(&b->lock);
        asleep = b->followers != NULL;
        pthread_mutex_unlock(&b->lock);
    }
    assert_true(asleep);
}

static void rig_start_on(struct rig *rig, unsigned processors, unsigned callers,
                         uint64_t brief_ns_max)
{
    memset(rig, 0, sizeof(*rig));
    pthread_mutex_init(&rig->probe.lock, NULL);
    pthread_cond_init(&rig->probe.changed, NULL);
    const struct batcher_config config = {.workers = processors > 0 ? processors : 1,
                                          .processors = processors,
                                          .callers = callers,
                                          .brief_ns_max = brief_ns_max,
                                          .queues_max = 2,
                                          .batch_jobs_max = JOBS_MAX,
                                          .shares = batcher_shares_default(),
                                          .ctx = rig,
                                          .run = run,
                                          .done = done};
    assert_int_equal(batcher_create(&config, &rig->batcher), BATCHER_OK);
    const struct batcher_queue_config queue = {.name = "test",
                                               .limits = {.batch_rows_max = 8,
                                                          .queue_rows_max = 1000,
                                                          .queue_bytes_max = 1000,
                                                          .inflight_batches_max = 4,
                                                          .admits_late = true}};
    assert_int_equal(batcher_add_queue(rig->batcher, &queue, &rig->queue), BATCHER_OK);
    wait_until_the_worker_sleeps(rig->batcher);
    seed(rig, 10000);
}

static void rig_start(struct rig *rig, unsigned callers, uint64_t brief_ns_max)
{
    rig_start_on(rig, 0, callers, brief_ns_max);
}

static void open_gate(struct rig *rig)
{
    pthread_mutex_lock(&rig->probe.lock);
    rig->probe.gated = false;
    pthread_cond_broadcast(&rig->probe.changed);
    pthread_mutex_unlock(&rig->probe.lock);
}

static void rig_stop(struct rig *rig)
{
    open_gate(rig);
    batcher_destroy(rig->batcher);
    pthread_cond_destroy(&rig->probe.changed);
    pthread_mutex_destroy(&rig->probe.lock);
}

static void submit(struct rig *rig, struct batcher_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct batcher_job){.rows = 1, .bytes = 1};
        assert_int_equal(batcher_submit(rig->batcher, rig->queue, &jobs[i], batcher_now_ns()),
                         BATCHER_OK);
    }
}

static size_t list_length(const struct batcher_job *list)
{
    size_t length = 0;
    for (; list != NULL; list = list->next)
        length++;
    return length;
}

static void brief_batches_run_on_the_thread_that_submitted(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job jobs[11];
    rig_start(&rig, 2, 1 * MS);
    submit(&rig, jobs, 11);
    assert_int_equal(list_length(batcher_run_brief(rig.batcher, 1)), 8);
    assert_true(pthread_equal(rig.probe.last_thread, pthread_self()));
    assert_int_equal(rig.probe.last_runner, 2); /* one worker, then caller 0, then caller 1 */
    assert_int_equal(list_length(batcher_run_brief(rig.batcher, 1)), 3);
    assert_null(batcher_run_brief(rig.batcher, 1));
    assert_int_equal(rig.probe.by_callers, 2);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(jobs[i].status, BATCHER_OK);
        assert_int_equal(jobs[i].batch_jobs, i < 8 ? 8 : 3);
        assert_true(jobs[i].finished_ns >= jobs[i].sealed_ns && jobs[i].sealed_ns > 0);
    }
    rig_stop(&rig);
    assert_int_equal(rig.probe.by_workers, 0);
    assert_int_equal(rig.probe.done, 0);
}

static void long_batches_go_to_a_worker(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job jobs[3];
    rig_start(&rig, 1, 1 * MS);
    seed(&rig, 2 * MS);
    submit(&rig, jobs, 3);
    assert_null(batcher_run_brief(rig.batcher, 0));
    wait_until_at_least(&rig.probe, &rig.probe.done, 3);
    assert_int_equal(rig.probe.by_callers, 0);
    rig_stop(&rig);
}

static void without_a_bound_no_batch_is_brief(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job job;
    rig_start(&rig, 1, 0);
    submit(&rig, &job, 1);
    assert_null(batcher_run_brief(rig.batcher, 0));
    wait_until_at_least(&rig.probe, &rig.probe.done, 1);
    rig_stop(&rig);
}

static void an_endless_bound_makes_every_batch_brief(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job job;
    rig_start(&rig, 1, UINT64_MAX);
    seed(&rig, 5 * SECOND);
    submit(&rig, &job, 1);
    assert_ptr_equal(batcher_run_brief(rig.batcher, 0), &job);
    rig_stop(&rig);
}

/* Who comes while a worker has a batch of the queue shares the next one that it takes. */
static void while_a_worker_has_one_the_next_is_its_too(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job first, others[4];
    rig_start(&rig, 1, 1 * MS);
    rig.probe.gated = true;
    seed(&rig, 2 * MS);
    submit(&rig, &first, 1);
    assert_null(batcher_run_brief(rig.batcher, 0));
    wait_until_at_least(&rig.probe, &rig.probe.by_workers, 1);
    seed(&rig, 10000); /* brief again */
    submit(&rig, others, 4);
    assert_null(batcher_run_brief(rig.batcher, 0));
    open_gate(&rig);
    wait_until_at_least(&rig.probe, &rig.probe.done, 5);
    assert_int_equal(rig.probe.by_workers, 2);
    assert_int_equal(rig.probe.by_callers, 0);
    rig_stop(&rig);
}

static void a_caller_gives_back_what_expired(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job late = {.rows = 1, .bytes = 1}, job;
    rig_start(&rig, 1, 1 * MS);
    const uint64_t now_ns = batcher_now_ns();
    late.deadline_ns = now_ns + 1; /* over by the time of the look */
    assert_int_equal(batcher_submit(rig.batcher, rig.queue, &late, now_ns), BATCHER_OK);
    submit(&rig, &job, 1);
    struct batcher_job *list = batcher_run_brief(rig.batcher, 0);
    assert_int_equal(list_length(list), 2);
    assert_int_equal(late.status, BATCHER_EXPIRED);
    assert_int_equal(job.status, BATCHER_OK);
    rig_stop(&rig);
}

/* The plain wake-up is for those who do not run batches themselves. */
static void a_plain_wake_gives_brief_batches_to_a_worker(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job job;
    rig_start(&rig, 1, 1 * MS);
    submit(&rig, &job, 1);
    batcher_wake(rig.batcher);
    wait_until_at_least(&rig.probe, &rig.probe.done, 1);
    assert_int_equal(rig.probe.by_callers, 0);
    rig_stop(&rig);
}

/* --- Processors for callers. */

static void a_worker_waits_while_its_processor_is_wanted_by_others(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job jobs[16];
    rig_start_on(&rig, 2, 1, 0);
    rig.probe.gated = true;
    batcher_leave_processors(rig.batcher, 1);
    submit(&rig, jobs, 16); /* two batches */
    batcher_wake(rig.batcher);
    wait_until_at_least(&rig.probe, &rig.probe.by_workers, 1);
    pthread_mutex_lock(&rig.batcher->lock);
    assert_int_equal(rig.batcher->policy.running, 1);
    assert_int_equal(rig.queue->policy.jobs, 8);
    pthread_mutex_unlock(&rig.batcher->lock);
    batcher_leave_processors(rig.batcher, -1); /* and this wakes the other */
    wait_until_at_least(&rig.probe, &rig.probe.by_workers, 2);
    open_gate(&rig);
    wait_until_at_least(&rig.probe, &rig.probe.done, 16);
    rig_stop(&rig);
}

static void one_worker_runs_however_many_processors_are_wanted(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job jobs[24];
    rig_start_on(&rig, 2, 1, 0);
    batcher_leave_processors(rig.batcher, 5);
    submit(&rig, jobs, 24);
    batcher_wake(rig.batcher);
    wait_until_at_least(&rig.probe, &rig.probe.done, 24);
    rig_stop(&rig);
}

/* Who starts more workers than there are processors has a reason. */
static void while_none_is_wanted_all_workers_may_run(void **state)
{
    (void)state;
    struct rig rig;
    rig_start_on(&rig, 2, 1, 0);
    rig.batcher->config.processors = 1;
    batcher_leave_processors(rig.batcher, 1);
    assert_int_equal(rig.batcher->policy.workers_max, 1);
    batcher_leave_processors(rig.batcher, -1);
    assert_int_equal(rig.batcher->policy.workers_max, 2);
    rig_stop(&rig);
}

/* --- Many callers at once. */

enum {
    CALLERS = 4,
    TURNS = 3000
};

struct caller {
    struct rig *rig;
    unsigned index;
    pthread_t thread;
    size_t back; /* jobs that this caller ran, its own or not */
};

static void *take_turns(void *arg)
{
    struct caller *caller = arg;
    struct batcher *b = caller->rig->batcher;
    struct batcher_job *jobs = calloc(TURNS, 3 * sizeof(*jobs));
    assert_non_null(jobs);
    for (size_t turn = 0; turn < TURNS; turn++) {
        for (size_t i = 0; i < 1 + (turn + caller->index) % 3; i++) {
            struct batcher_job *job = &jobs[3 * turn + i];
            *job = (struct batcher_job){.rows = 1, .bytes = 1};
            while (batcher_submit(b, caller->rig->queue, job, batcher_now_ns()) != BATCHER_OK)
                caller->back += list_length(batcher_run_brief(b, caller->index));
        }
        struct batcher_job *list;
        while ((list = batcher_run_brief(b, caller->index)) != NULL)
            caller->back += list_length(list);
    }
    return jobs; /* another caller may still run them */
}

/* With a bound around what a batch really takes, batches move between both places. */
static void callers_and_workers_lose_no_job_between_them(void **state)
{
    (void)state;
    struct rig rig;
    struct caller callers[CALLERS];
    void *memory[CALLERS];
    rig_start(&rig, CALLERS, 2000);
    size_t submitted = 0, back = 0;
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.rig = &rig, .index = i};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, take_turns, &callers[i]), 0);
        for (size_t turn = 0; turn < TURNS; turn++)
            submitted += 1 + (turn + i) % 3;
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, &memory[i]);
        back += callers[i].back;
    }
    wait_until_at_least(&rig.probe, &rig.probe.done, submitted - back);
    assert_int_equal(rig.probe.done + back, submitted);
    assert_true(rig.probe.by_callers > 0);
    rig_stop(&rig);
    for (unsigned i = 0; i < CALLERS; i++)
        free(memory[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brief_batches_run_on_the_thread_that_submitted),
        cmocka_unit_test(long_batches_go_to_a_worker),
        cmocka_unit_test(without_a_bound_no_batch_is_brief),
        cmocka_unit_test(an_endless_bound_makes_every_batch_brief),
        cmocka_unit_test(while_a_worker_has_one_the_next_is_its_too),
        cmocka_unit_test(a_caller_gives_back_what_expired),
        cmocka_unit_test(a_plain_wake_gives_brief_batches_to_a_worker),
        cmocka_unit_test(callers_and_workers_lose_no_job_between_them),
        cmocka_unit_test(a_worker_waits_while_its_processor_is_wanted_by_others),
        cmocka_unit_test(while_none_is_wanted_all_workers_may_run),
        cmocka_unit_test(one_worker_runs_however_many_processors_are_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
