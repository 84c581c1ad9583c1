/* Which queue a free worker serves, and who is refused because of the time, with a fake clock. */
#include "batch_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)

enum {
    JOBS_MAX = 16,
    QUEUES_MAX = 4,
    WORKERS_MAX = 4
};

static const struct batcher_queue_limits roomy = {.batch_rows_max = 8,
                                                  .queue_rows_max = 1000,
                                                  .queue_bytes_max = 10000,
                                                  .inflight_batches_max = 4,
                                                  .delay_ns_max = 0};

/* A policy over a few queues, and its memory. */
struct rig {
    struct batch_policy policy;
    struct batch_queue *pointers[QUEUES_MAX];
    struct batch_run runs[WORKERS_MAX + 1]; /* and a caller's */
    struct batch_queue queues[QUEUES_MAX];
    struct job_lane lanes[QUEUES_MAX][BATCHER_CLASS_COUNT];
};

static void rig_init(struct rig *rig, unsigned workers)
{
    memset(rig, 0, sizeof(*rig));
    batch_policy_init(&rig->policy, rig->pointers, rig->runs, workers);
}

static struct batch_queue *add_queue(struct rig *rig, struct batcher_queue_limits limits)
{
    const size_t at = rig->policy.count;
    const struct batch_queue_setup setup = {.limits = limits,
                                            .shares = batcher_shares_default(),
                                            .batch_jobs_max = JOBS_MAX,
                                            .workers = rig->policy.workers,
                                            .lanes = rig->lanes[at]};
    batch_queue_init(&rig->queues[at], &setup);
    batch_policy_add(&rig->policy, &rig->queues[at]);
    return &rig->queues[at];
}

static struct batcher_job job_of(size_t rows, uint64_t deadline_ns)
{
    return (struct batcher_job){.rows = rows, .bytes = 1, .deadline_ns = deadline_ns};
}

static void admit(struct rig *rig, struct batch_queue *queue, struct batcher_job *job,
                  uint64_t now_ns)
{
    const enum batcher_status st = batch_policy_admit(&rig->policy, queue, job, now_ns);
    assert_string_equal(batcher_status_str(st), batcher_status_str(BATCHER_OK));
}

/* A batch takes 1 ms, and 1 ms for each unit. */
static void seed(struct batch_queue *queue)
{
    const struct batcher_cost_seed seed = {
        .small_work = 1, .small_ns = 2 * MS, .large_work = 8, .large_ns = 9 * MS};
    batch_queue_seed_cost(queue, &seed);
    assert_true(cost_model_is_sure(&queue->cost));
}

/* --- Among queues. */

static void worker_serves_the_queue_whose_oldest_job_waited_longest(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 2);
    struct batch_queue *a = add_queue(&rig, roomy);
    struct batch_queue *b = add_queue(&rig, roomy);
    assert_null(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 1).queue);

    struct batcher_job jobs[3] = {job_of(1, 0), job_of(8, 0), job_of(1, 0)};
    admit(&rig, b, &jobs[0], 10);
    admit(&rig, a, &jobs[1], 11);
    admit(&rig, b, &jobs[2], 12);
    struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 20);
    assert_ptr_equal(choice.queue, b);
    assert_int_equal(choice.reason, BATCHER_REASON_IDLE);
    assert_int_equal(choice.batches, 2);
    struct batcher_job *batch[JOBS_MAX];
    assert_int_equal(batch_policy_seal(&rig.policy, &choice, 0, 20, batch).load.jobs, 2);
    choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 20);
    assert_ptr_equal(choice.queue, a);
    assert_int_equal(choice.reason, BATCHER_REASON_SIZE);
}

static void urgent_queue_goes_before_an_older_one(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *old = add_queue(&rig, roomy);
    struct batch_queue *urgent = add_queue(&rig, roomy);
    struct batch_queue *interactive = add_queue(&rig, roomy);
    struct batcher_job jobs[3] = {job_of(1, 0), job_of(1, 100 * MS), job_of(1, 0)};
    jobs[0].class = jobs[1].class = BATCHER_CLASS_BATCH;
    admit(&rig, old, &jobs[0], 1 * MS);
    admit(&rig, urgent, &jobs[1], 2 * MS);
    assert_ptr_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 3 * MS).queue, urgent);
    admit(&rig, interactive, &jobs[2], 3 * MS);
    assert_ptr_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 3 * MS).queue, interactive);
}

/* One queue's batches take ten times as long as the other's; both always have work. */
static void busy_queues_get_the_same_time_whatever_their_batches_cost(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queues[2] = {add_queue(&rig, roomy), add_queue(&rig, roomy)};
    const uint64_t run_ns[2] = {10 * MS, 1 * MS};
    uint64_t used_ns[2] = {0};
    uint64_t now_ns = MS;
    static struct batcher_job jobs[1000][2];
    for (size_t n = 0; n < 1000; n++) {
        for (size_t q = 0; q < 2; q++) {
            jobs[n][q] = job_of(8, 0);
            if (queues[q]->jobs < 5)
                admit(&rig, queues[q], &jobs[n][q], now_ns);
        }
        struct batcher_job *batch[JOBS_MAX];
        const struct batch_choice choice =
            batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, now_ns);
        (void)batch_policy_seal(&rig.policy, &choice, 0, now_ns, batch);
        const size_t chosen = choice.queue == queues[1];
        now_ns += run_ns[chosen];
        used_ns[chosen] += run_ns[chosen];
        batch_policy_finish(&rig.policy, 0, now_ns, 0);
    }
    const uint64_t apart_ns =
        used_ns[0] > used_ns[1] ? used_ns[0] - used_ns[1] : used_ns[1] - used_ns[0];
    assert_in_range(apart_ns, 0, QUEUE_LEAD_NS + 2 * run_ns[0]);
}

/* Fills up what the queue has waiting, to so many jobs of a full batch each. */
static void keep_waiting(struct rig *rig, struct batch_queue *queue, size_t jobs,
                         struct batcher_job **pool, uint64_t now_ns)
{
    while (queue->jobs < jobs) {
        *(*pool) = job_of(8, 0);
        admit(rig, queue, (*pool)++, now_ns);
    }
}

/*
 * Four workers, batches of 1 ms. For a second `little` keeps one worker busy, either because it is
 * asked for no more or because it may not have more in flight, and `busy` the others. Then `little`
 * could use them all. Returns how
 * many batches of the next `rounds` of four are the other's.
 */
static size_t batches_beside_one_that_had_little(bool limited, size_t rounds)
{
    static struct batcher_job jobs[10000];
    struct batcher_job *pool = jobs;
    struct rig rig;
    rig_init(&rig, 4);
    struct batcher_queue_limits limits = roomy;
    limits.inflight_batches_max = limited ? 1 : 4;
    struct batch_queue *little = add_queue(&rig, limits);
    struct batch_queue *busy = add_queue(&rig, roomy);
    size_t of_busy = 0;
    for (uint64_t n = 0; n < 4 * (1000 + rounds); n++) {
        const unsigned worker = (unsigned)(n % 4);
        const uint64_t now_ns = MS + n * MS / 4;
        const bool floods = n >= 4000;
        if (n == 4000)
            batch_queue_set_limits(little, &roomy, now_ns);
        keep_waiting(&rig, busy, 5, &pool, now_ns);
        if (floods || limited)
            keep_waiting(&rig, little, 5, &pool, now_ns);
        else if (n == 3 || rig.runs[worker].queue == little)
            keep_waiting(&rig, little, 1, &pool, now_ns);
        if (rig.runs[worker].queue != NULL)
            batch_policy_finish(&rig.policy, worker, now_ns, 0);
        struct batcher_job *batch[JOBS_MAX];
        const struct batch_choice choice =
            batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, now_ns);
        of_busy += floods && choice.queue == busy;
        (void)batch_policy_seal(&rig.policy, &choice, worker, now_ns, batch);
    }
    return of_busy;
}

static void queue_that_had_little_has_saved_nothing_up(void **state)
{
    (void)state;
    assert_in_range(batches_beside_one_that_had_little(false, 100), 180, 220);
    assert_in_range(batches_beside_one_that_had_little(true, 100), 180, 220);
}

static void choice_tells_when_the_next_linger_ends(void **state)
{
    (void)state;
    struct batcher_queue_limits slow = roomy;
    slow.idle_delay_ns_max = 9 * MS;
    struct batcher_queue_limits quick = roomy;
    quick.idle_delay_ns_max = 2 * MS;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *a = add_queue(&rig, slow);
    struct batch_queue *b = add_queue(&rig, quick);
    struct batcher_job jobs[2] = {job_of(1, 0), job_of(1, 0)};
    admit(&rig, a, &jobs[0], 1 * MS);
    admit(&rig, b, &jobs[1], 1 * MS);
    struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 1 * MS);
    assert_null(choice.queue);
    assert_int_equal(choice.batches, 0);
    assert_int_equal(choice.at_ns, 3 * MS);

    choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 3 * MS);
    assert_ptr_equal(choice.queue, b);
    assert_int_equal(choice.at_ns, 10 * MS); /* a still lingers */
}

static void choice_counts_full_batches_within_the_flight_limit(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 2;
    limits.inflight_batches_max = 3;
    struct rig rig;
    rig_init(&rig, 4);
    struct batch_queue *queue = add_queue(&rig, limits);
    struct batcher_job jobs[5];
    const size_t expected[] = {1, 2, 3};
    for (size_t i = 0; i < 5; i++) {
        jobs[i] = job_of(2, 0);
        admit(&rig, queue, &jobs[i], 1);
        assert_int_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 1).batches,
                         expected[i < 2 ? i : 2]);
    }
}

/* --- Refused because of the time. */

static void deadline_that_cannot_be_met_is_refused_at_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    struct batcher_job in_time = job_of(1, 1000 * MS + 4 * MS);
    struct batcher_job late = job_of(1, 1000 * MS + 1 * MS); /* it alone takes 2 */
    assert_int_equal(batch_policy_admit(&rig.policy, queue, &late, 1000 * MS), BATCHER_UNMEETABLE);
    assert_int_equal(late._state, BATCH_JOB_IDLE);
    admit(&rig, queue, &in_time, 1000 * MS);
}

static void unsure_model_refuses_nobody(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, roomy);
    cost_model_learn(&queue->cost, 1, 50 * MS);
    struct batcher_job job = job_of(1, 2 * MS);
    admit(&rig, queue, &job, 1 * MS);
}

static void queue_that_admits_late_jobs_refuses_nobody(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.admits_late = true;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, limits);
    seed(queue);
    struct batcher_job late = job_of(1, 1000 * MS + 1 * MS);
    admit(&rig, queue, &late, 1000 * MS);
}

static void expected_latency_counts_what_runs_and_what_waits(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    static struct batcher_job jobs[24];
    struct batcher_job newcomer = job_of(1, 0);
    const uint64_t start_ns = 1000 * MS;
    uint64_t ns = batch_policy_latency_ns(&rig.policy, queue, &newcomer, start_ns);
    assert_in_range(ns, 1.8 * MS, 2.2 * MS);

    for (size_t i = 0; i < 24; i++) {
        jobs[i] = job_of(1, 0);
        admit(&rig, queue, &jobs[i], start_ns);
    }
    struct batcher_job *batch[JOBS_MAX];
    const struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, start_ns);
    (void)batch_policy_seal(&rig.policy, &choice, 0, start_ns, batch);
    /* 9 ms run since 4, two full batches wait, and then a batch of one. */
    ns = batch_policy_latency_ns(&rig.policy, queue, &newcomer, start_ns + 4 * MS);
    assert_in_range(ns, (5 + 18 + 2) * MS * 0.9, (5 + 18 + 2) * MS * 1.1);
}

/* 800 rows a second, and a batch of 8 waits behind one that runs for 9 ms: seven more will come. */
static void expected_latency_counts_who_will_share_the_batch(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    const struct batcher_job newcomer = job_of(1, 0);
    uint64_t now_ns = 1000 * MS;
    for (int i = 0; i < 4000; i++) {
        now_ns += MS * 10 / 8;
        batch_queue_note_arrival(queue, &newcomer, now_ns);
    }
    assert_in_range(batch_policy_latency_ns(&rig.policy, queue, &newcomer, now_ns), 1.8 * MS,
                    2.2 * MS); /* nobody to wait for */
    struct batcher_job first = job_of(8, 0);
    admit(&rig, queue, &first, now_ns);
    struct batcher_job *batch[JOBS_MAX];
    const struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, now_ns);
    (void)batch_policy_seal(&rig.policy, &choice, 0, now_ns, batch);
    assert_in_range(batch_policy_latency_ns(&rig.policy, queue, &newcomer, now_ns), 16 * MS,
                    19 * MS);
}

static void urgent_job_is_not_refused_for_a_backlog_it_overtakes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    static struct batcher_job patient[200];
    for (size_t i = 0; i < 200; i++) {
        patient[i] = job_of(1, 60000 * MS);
        admit(&rig, queue, &patient[i], 1000 * MS);
    }
    struct batcher_job urgent = job_of(1, 1020 * MS);
    admit(&rig, queue, &urgent, 1000 * MS);
    struct batcher_job *batch[JOBS_MAX];
    const struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 1000 * MS);
    (void)batch_policy_seal(&rig.policy, &choice, 0, 1000 * MS, batch);
    assert_ptr_equal(batch[0], &urgent);
}

static void target_bounds_the_queue_for_interactive_jobs_only(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.target_p99_ns = 100 * MS;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, limits);
    seed(queue);
    static struct batcher_job jobs[500];
    size_t admitted = 0;
    enum batcher_status st = BATCHER_OK;
    while (st == BATCHER_OK) {
        jobs[admitted] = job_of(1, 0);
        st = batch_policy_admit(&rig.policy, queue, &jobs[admitted], 1000 * MS);
        admitted += st == BATCHER_OK;
    }
    assert_string_equal(batcher_status_str(st), batcher_status_str(BATCHER_OVERLOADED));
    /* Batches of 8 take 9 ms, and a little less than 100 ms may pass. */
    assert_in_range(admitted, 60, 88);
    struct batcher_job batch_job = job_of(1, 0);
    batch_job.class = BATCHER_CLASS_BATCH;
    admit(&rig, queue, &batch_job, 1000 * MS);
}

/* Twice what one worker can do, for 600 ms: batches of 8 take 9 ms. Returns how many waited when
 * they were the most, after the first `from_ms`. */
static size_t most_that_wait(uint64_t from_ms)
{
    static struct batcher_job jobs[1000];
    struct batcher_job *pool = jobs;
    struct batcher_queue_limits limits = roomy;
    limits.target_p99_ns = 100 * MS;
    struct rig rig;
    rig_init(&rig, 1);
    struct batch_queue *queue = add_queue(&rig, limits);
    seed(queue);
    size_t most = 0;
    for (uint64_t ms = 0; ms < 600; ms++) {
        const uint64_t now_ns = (1000 + ms) * MS;
        for (int i = 0; i < 2; i++) {
            *pool = job_of(1, 0);
            if (batch_policy_admit(&rig.policy, queue, pool, now_ns) == BATCHER_OK)
                pool++;
        }
        most = ms >= from_ms && queue->jobs > most ? queue->jobs : most;
        if (rig.runs[0].queue != NULL && now_ns >= rig.runs[0].sealed_ns + 9 * MS)
            batch_policy_finish(&rig.policy, 0, now_ns, 0);
        struct batcher_job *batch[JOBS_MAX];
        const struct batch_choice choice =
            batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, now_ns);
        if (rig.runs[0].queue == NULL && choice.queue != NULL) {
            const struct batch_run run = batch_policy_seal(&rig.policy, &choice, 0, now_ns, batch);
            assert_true(ms < 20 || run.load.rows == 8); /* the worker is never short of jobs */
        }
    }
    return most;
}

static void burst_may_fill_the_target_but_a_standing_queue_may_not(void **state)
{
    (void)state;
    assert_in_range(most_that_wait(0), 60, 80);
    assert_in_range(most_that_wait(300), 8, 14); /* a batch and a half, instead of eight */
}

/* --- Where a batch runs. */

/* Of seed()'s batches, those of up to three units are brief: 4 ms, and half of that to be sure. */
static void rig_with_caller(struct rig *rig)
{
    rig_init(rig, 1);
    batch_policy_set_callers(&rig->policy, 1, 7 * MS);
}

static void brief_batch_is_for_callers_and_a_long_one_for_workers(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job small = job_of(3, 0), large = job_of(4, 0);
    rig_with_caller(&rig);
    struct batch_queue *brief = add_queue(&rig, roomy), *lengthy = add_queue(&rig, roomy);
    seed(brief);
    seed(lengthy);
    admit(&rig, lengthy, &large, 0);
    admit(&rig, brief, &small, 1);
    assert_ptr_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_BRIEF, 2).queue, brief);
    assert_ptr_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_LONG, 2).queue, lengthy);
    assert_ptr_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 2).queue, lengthy);
    assert_int_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 2).batches, 2);
    assert_int_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_LONG, 2).batches, 1);
}

static void what_counts_as_brief_is_a_whole_batch(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job jobs[4];
    rig_with_caller(&rig);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    for (size_t i = 0; i < 4; i++) {
        assert_true(batch_policy_is_brief(&rig.policy, queue));
        jobs[i] = job_of(1, 0);
        admit(&rig, queue, &jobs[i], i);
    }
    assert_false(batch_policy_is_brief(&rig.policy, queue));
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 2; /* then two of them leave at a time */
    batch_queue_set_limits(queue, &limits, 5);
    assert_true(batch_policy_is_brief(&rig.policy, queue));
}

static void queue_stays_with_workers_while_one_has_a_batch_of_it(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job first = job_of(1, 0), second = job_of(1, 0), *batch[JOBS_MAX];
    rig_with_caller(&rig);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    admit(&rig, queue, &first, 0);
    const struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 1);
    (void)batch_policy_seal(&rig.policy, &choice, 0, 1, batch);
    admit(&rig, queue, &second, 2);
    assert_false(batch_policy_is_brief(&rig.policy, queue));
    batch_policy_finish(&rig.policy, 0, 2 * MS, 0);
    assert_true(batch_policy_is_brief(&rig.policy, queue));
}

/* A caller's own batches do not keep other callers from theirs. */
static void queue_stays_with_callers_while_one_has_a_batch_of_it(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job first = job_of(1, 0), *batch[JOBS_MAX];
    rig_with_caller(&rig);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    admit(&rig, queue, &first, 0);
    const struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_BRIEF, 1);
    (void)batch_policy_seal(&rig.policy, &choice, 1, 1, batch);
    assert_true(batch_policy_is_brief(&rig.policy, queue));
    batch_policy_finish(&rig.policy, 1, 2 * MS, 0);
}

/* On a busy machine a worker's batch takes longer because it is a worker's: that must not keep it
 * there for ever. */
static void time_without_a_processor_does_not_make_a_batch_long(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job *batch[JOBS_MAX];
    rig_with_caller(&rig);
    struct batch_queue *queue = add_queue(&rig, roomy);
    seed(queue);
    for (uint64_t i = 0; i < 100; i++) {
        struct batcher_job job = job_of(1, 0);
        admit(&rig, queue, &job, 100 * i * MS);
        const struct batch_choice choice =
            batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 100 * i * MS);
        (void)batch_policy_seal(&rig.policy, &choice, 0, 100 * i * MS, batch);
        batch_policy_finish(&rig.policy, 0, (100 * i + 90) * MS, 2 * MS);
    }
    assert_true(cost_model_ns(&queue->cost, 1) > 50 * MS);
    assert_true(batch_policy_is_brief(&rig.policy, queue));
}

static void busy_workers_do_not_make_a_brief_batch_late(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job large = job_of(8, 0), hasty = job_of(1, 10 * MS), *batch[JOBS_MAX];
    rig_with_caller(&rig);
    struct batch_queue *queue = add_queue(&rig, roomy), *other = add_queue(&rig, roomy);
    seed(queue);
    seed(other);
    admit(&rig, other, &large, 0);
    const struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_LONG, 1);
    (void)batch_policy_seal(&rig.policy, &choice, 0, 1, batch);
    assert_int_equal(batch_policy_check(&rig.policy, queue, &hasty, 2), BATCHER_OK);
    batch_policy_set_callers(&rig.policy, 0, 0);
    assert_int_equal(batch_policy_check(&rig.policy, queue, &hasty, 2), BATCHER_UNMEETABLE);
}

static void no_more_workers_run_than_there_are_processors_for(void **state)
{
    (void)state;
    struct rig rig;
    struct batcher_job jobs[3], *batch[JOBS_MAX];
    rig_init(&rig, 3);
    struct batcher_queue_limits limits = roomy;
    limits.batch_rows_max = 1;
    struct batch_queue *queue = add_queue(&rig, limits);
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = job_of(1, 0);
        admit(&rig, queue, &jobs[i], i);
    }
    rig.policy.workers_max = 2;
    assert_int_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_LONG, 5).batches, 2);
    for (unsigned worker = 0; worker < 2; worker++) {
        const struct batch_choice choice = batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 5);
        assert_ptr_equal(choice.queue, queue);
        (void)batch_policy_seal(&rig.policy, &choice, worker, 5, batch);
    }
    assert_null(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 6).queue);
    batch_policy_finish(&rig.policy, 0, 7, 0);
    assert_ptr_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 8).queue, queue);
    rig.policy.workers_max = 1; /* fewer than run: those end as they would */
    assert_null(batch_policy_choose(&rig.policy, BATCH_SCOPE_ALL, 9).queue);
    assert_int_equal(batch_policy_choose(&rig.policy, BATCH_SCOPE_LONG, 9).batches, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worker_serves_the_queue_whose_oldest_job_waited_longest),
        cmocka_unit_test(urgent_queue_goes_before_an_older_one),
        cmocka_unit_test(busy_queues_get_the_same_time_whatever_their_batches_cost),
        cmocka_unit_test(queue_that_had_little_has_saved_nothing_up),
        cmocka_unit_test(choice_tells_when_the_next_linger_ends),
        cmocka_unit_test(choice_counts_full_batches_within_the_flight_limit),
        cmocka_unit_test(deadline_that_cannot_be_met_is_refused_at_once),
        cmocka_unit_test(unsure_model_refuses_nobody),
        cmocka_unit_test(queue_that_admits_late_jobs_refuses_nobody),
        cmocka_unit_test(expected_latency_counts_what_runs_and_what_waits),
        cmocka_unit_test(expected_latency_counts_who_will_share_the_batch),
        cmocka_unit_test(urgent_job_is_not_refused_for_a_backlog_it_overtakes),
        cmocka_unit_test(target_bounds_the_queue_for_interactive_jobs_only),
        cmocka_unit_test(burst_may_fill_the_target_but_a_standing_queue_may_not),
        cmocka_unit_test(brief_batch_is_for_callers_and_a_long_one_for_workers),
        cmocka_unit_test(what_counts_as_brief_is_a_whole_batch),
        cmocka_unit_test(queue_stays_with_workers_while_one_has_a_batch_of_it),
        cmocka_unit_test(queue_stays_with_callers_while_one_has_a_batch_of_it),
        cmocka_unit_test(time_without_a_processor_does_not_make_a_batch_long),
        cmocka_unit_test(busy_workers_do_not_make_a_brief_batch_late),
        cmocka_unit_test(no_more_workers_run_than_there_are_processors_for),
    };
    return cmocka_run_group_tests_name("batch_policy", tests, NULL, NULL);
}
