/* One queue's rules one by one, with a fake clock. */
#include "batch_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    JOBS_MAX = 16
};

static const struct batcher_queue_limits roomy = {.batch_rows_max = 8,
                                                  .queue_rows_max = 100,
                                                  .queue_bytes_max = 10000,
                                                  .inflight_batches_max = 4,
                                                  .delay_ns_max = 0};

struct test_lanes {
    struct job_lane of[BATCHER_CLASS_COUNT * BATCHER_TENANTS_MAX];
};

static struct batch_queue shared_queue(struct batcher_queue_limits limits,
                                       struct batcher_shares shares, struct test_lanes *lanes)
{
    const struct batch_queue_setup setup = {.limits = limits,
                                            .shares = shares,
                                            .batch_jobs_max = JOBS_MAX,
                                            .workers = 1,
                                            .lanes = lanes->of};
    struct batch_queue queue;
    batch_queue_init(&queue, &setup);
    return queue;
}

static struct batch_queue queue_with(struct batcher_queue_limits limits, struct test_lanes *lanes)
{
    return shared_queue(limits, batcher_shares_default(), lanes);
}

static size_t seal(struct batch_queue *queue, uint64_t now_ns, struct batcher_job **batch)
{
    return batch_queue_seal(queue, now_ns, batch).jobs;
}

static struct batcher_job job_of(size_t rows, uint64_t deadline_ns)
{
    return (struct batcher_job){.rows = rows, .bytes = rows * 10, .deadline_ns = deadline_ns};
}

static void admit(struct batch_queue *queue, struct batcher_job *job, uint64_t now_ns)
{
    assert_int_equal(batch_queue_admit(queue, job, now_ns), BATCHER_OK);
}

static void assert_reason(struct batch_due due, enum batcher_reason reason)
{
    assert_true(due.ready);
    assert_string_equal(batcher_reason_str(due.reason), batcher_reason_str(reason));
}

static void assert_waits(struct batch_due due, uint64_t until_ns)
{
    assert_false(due.ready);
    assert_int_equal(due.at_ns, until_ns);
}

/* --- Admission. */

static void every_refusal_has_its_own_status(void **state)
{
    (void)state;
    const struct {
        const char *what;
        struct batcher_job job;
        enum batcher_status expected;
    } cases[] = {
        {"fits exactly", {.rows = 4, .bytes = 50}, BATCHER_OK},
        {"more rows than the queue", {.rows = 11, .bytes = 1}, BATCHER_TOO_LARGE},
        {"more bytes than the queue", {.rows = 1, .bytes = 101}, BATCHER_TOO_LARGE},
        {"one row too many", {.rows = 5, .bytes = 1}, BATCHER_FULL},
        {"one byte too many", {.rows = 1, .bytes = 51}, BATCHER_FULL},
        {"deadline passed", {.rows = 1, .deadline_ns = 99}, BATCHER_EXPIRED},
        {"deadline is now", {.rows = 1, .deadline_ns = 100}, BATCHER_EXPIRED},
        {"deadline is next", {.rows = 1, .deadline_ns = 101}, BATCHER_OK},
        {"late and no room: late", {.rows = 5, .deadline_ns = 99}, BATCHER_EXPIRED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct batcher_queue_limits limits = roomy;
        limits.queue_rows_max = 10;
        limits.queue_bytes_max = 100;
        struct test_lanes lanes;
        struct batch_queue queue = queue_with(limits, &lanes);
        struct batcher_job first = {.rows = 6, .bytes = 50};
        admit(&queue, &first, 1);

        struct batcher_job job = cases[i].job;
        const enum batcher_status st = batch_queue_admit(&queue, &job, 100);
        if (st != cases[i].expected)
            fail_msg("%s: %s, expected %s", cases[i].what, batcher_status_str(st),
                     batcher_status_str(cases[i].expected));
        if (st != BATCHER_OK)
            assert_memory_equal(&job, &cases[i].job, sizeof(job));
        assert_int_equal(queue.jobs, st == BATCHER_OK ? 2 : 1);
    }
}

static void job_larger_than_a_batch_goes_alone(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job small = job_of(1, 0);
    struct batcher_job large = job_of(roomy.batch_rows_max + 1, 0);
    struct batcher_job last = job_of(1, 0);
    admit(&queue, &small, 1);
    admit(&queue, &large, 1);
    admit(&queue, &last, 1);

    struct batcher_job *batch[JOBS_MAX];
    assert_int_equal(seal(&queue, 2, batch), 1);
    assert_ptr_equal(batch[0], &small);
    assert_int_equal(seal(&queue, 2, batch), 1);
    assert_ptr_equal(batch[0], &large);
    assert_int_equal(large.batch_rows, roomy.batch_rows_max + 1);
    assert_int_equal(seal(&queue, 2, batch), 1);
    assert_ptr_equal(batch[0], &last);
}

static void lowered_limits_refuse_the_next_job_and_keep_those_that_wait(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job jobs[4];
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = job_of(6, 0);
        admit(&queue, &jobs[i], 1);
    }
    struct batcher_queue_limits lower = roomy;
    lower.queue_rows_max = 4;
    lower.batch_rows_max = 4;
    batch_queue_set_limits(&queue, &lower, 2);
    jobs[3] = job_of(1, 0);
    assert_int_equal(batch_queue_admit(&queue, &jobs[3], 2), BATCHER_FULL);

    /* Each is larger than a batch may be now, and goes alone. */
    struct batcher_job *batch[JOBS_MAX];
    for (size_t i = 0; i < 3; i++) {
        assert_reason(batch_queue_due(&queue, false, 3), BATCHER_REASON_SIZE);
        assert_int_equal(seal(&queue, 3, batch), 1);
        assert_ptr_equal(batch[0], &jobs[i]);
    }
    assert_int_equal(queue.rows, 0);
}

static void counts_follow_jobs_in_and_out(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job jobs[3] = {job_of(1, 0), job_of(2, 50), job_of(3, 40)};
    for (size_t i = 0; i < 3; i++)
        admit(&queue, &jobs[i], 10 + i);
    assert_int_equal(queue.jobs, 3);
    assert_int_equal(queue.rows, 6);
    assert_int_equal(queue.bytes, 60);
    assert_int_equal(batch_queue_deadline_ns(&queue), 40);

    batch_queue_remove(&queue, &jobs[2]);
    assert_int_equal(jobs[2]._state, BATCH_JOB_IDLE);
    assert_int_equal(batch_queue_deadline_ns(&queue), 50);
    batch_queue_remove(&queue, &jobs[0]);
    assert_ptr_equal(queue.oldest, &jobs[1]);
    assert_ptr_equal(queue.newest, &jobs[1]);
    batch_queue_remove(&queue, &jobs[1]);
    assert_null(queue.oldest);
    assert_null(queue.newest);
    assert_int_equal(queue.rows, 0);
    assert_int_equal(queue.bytes, 0);
    assert_int_equal(batch_queue_deadline_ns(&queue), 0);
    admit(&queue, &jobs[1], 20); /* a removed job may come back */
    assert_int_equal(queue.jobs, 1);
}

/* --- When a batch leaves. */

static void waiting_job_goes_at_once_when_there_is_no_delay(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    assert_waits(batch_queue_due(&queue, false, 5), 0);
    struct batcher_job job = job_of(1, 0);
    admit(&queue, &job, 5);
    assert_reason(batch_queue_due(&queue, false, 5), BATCHER_REASON_IDLE);
}

static void partial_batch_goes_when_the_oldest_job_has_waited(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 2 * MS;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    struct batcher_job jobs[2] = {job_of(1, 0), job_of(1, 0)};
    admit(&queue, &jobs[0], 10 * MS);
    admit(&queue, &jobs[1], 11 * MS);
    assert_waits(batch_queue_due(&queue, false, 11 * MS), 12 * MS);
    assert_waits(batch_queue_due(&queue, false, 12 * MS - 1), 12 * MS);
    assert_reason(batch_queue_due(&queue, false, 12 * MS), BATCHER_REASON_TIMEOUT);

    batch_queue_remove(&queue, &jobs[0]);
    assert_waits(batch_queue_due(&queue, false, 12 * MS), 13 * MS);
}

static void idle_queue_lingers_only_if_it_is_told_to(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = 5 * MS;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    struct batcher_job jobs[2] = {job_of(1, 0), job_of(1, 0)};
    admit(&queue, &jobs[0], 1 * MS);
    assert_reason(batch_queue_due(&queue, false, 1 * MS), BATCHER_REASON_IDLE);

    /* While that batch runs, the next one gathers; and goes when it has run. */
    struct batcher_job *batch[JOBS_MAX];
    const struct batch_load load = batch_queue_seal(&queue, 1 * MS, batch);
    admit(&queue, &jobs[1], 2 * MS);
    assert_waits(batch_queue_due(&queue, false, 2 * MS), 7 * MS);
    const struct batch_times times = {.sealed_ns = 1 * MS, .finished_ns = 3 * MS};
    batch_queue_finish(&queue, &load, &times);
    assert_reason(batch_queue_due(&queue, false, 3 * MS), BATCHER_REASON_IDLE);
}

static void an_endless_delay_does_not_wrap_around(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = UINT64_MAX;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    struct batcher_job job = job_of(1, 0);
    admit(&queue, &job, 10 * MS);
    assert_waits(batch_queue_due(&queue, false, 11 * MS), UINT64_MAX);
}

static void full_batch_does_not_linger(void **state)
{
    (void)state;
    const struct {
        const char *what;
        size_t count;
        size_t rows;
        bool full;
    } cases[] = {
        {"one row short", 7, 1, false},
        {"all rows", 8, 1, true},
        {"next does not fit", 2, 5, true},
        {"one large job", 1, 8, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct batcher_queue_limits limits = roomy;
        limits.delay_ns_max = limits.idle_delay_ns_max = 5 * MS;
        struct test_lanes lanes;
        struct batch_queue queue = queue_with(limits, &lanes);
        struct batcher_job jobs[8];
        for (size_t n = 0; n < cases[i].count; n++) {
            jobs[n] = job_of(cases[i].rows, 0);
            admit(&queue, &jobs[n], 1 * MS);
        }
        const struct batch_due due = batch_queue_due(&queue, false, 1 * MS);
        if (due.ready != cases[i].full)
            fail_msg("%s: ready=%d, expected %d", cases[i].what, due.ready, cases[i].full);
        if (due.ready)
            assert_reason(due, BATCHER_REASON_SIZE);
    }
}

static void batch_is_full_when_its_array_is(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 5 * MS;
    limits.batch_rows_max = 64;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    struct batcher_job jobs[JOBS_MAX + 1];
    for (size_t i = 0; i < JOBS_MAX; i++) {
        assert_false(batch_queue_due(&queue, false, 1 * MS).ready);
        jobs[i] = job_of(1, 0);
        admit(&queue, &jobs[i], 1 * MS);
    }
    assert_reason(batch_queue_due(&queue, false, 1 * MS), BATCHER_REASON_SIZE);
    jobs[JOBS_MAX] = job_of(1, 0);
    admit(&queue, &jobs[JOBS_MAX], 1 * MS);
    struct batcher_job *batch[JOBS_MAX];
    assert_int_equal(seal(&queue, 1 * MS, batch), JOBS_MAX);
    assert_int_equal(queue.jobs, 1);
}

static void linger_ends_early_enough_for_the_earliest_deadline(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 20 * MS;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    cost_model_learn(&queue.cost, 1, 3 * MS);
    struct batcher_job jobs[2] = {job_of(1, 100 * MS), job_of(1, 15 * MS)};
    admit(&queue, &jobs[0], 1 * MS);
    assert_waits(batch_queue_due(&queue, false, 1 * MS), 21 * MS);
    admit(&queue, &jobs[1], 2 * MS);

    const struct batch_due due = batch_queue_due(&queue, false, 2 * MS);
    assert_false(due.ready);
    const uint64_t latest_ns = 15 * MS - cost_model_reserve_ns(&queue.cost, 2);
    assert_in_range(due.at_ns, latest_ns - 1 * MS, latest_ns); /* threads start late, too */
    assert_false(batch_queue_due(&queue, false, due.at_ns - 1).ready);
    assert_reason(batch_queue_due(&queue, false, due.at_ns), BATCHER_REASON_DEADLINE);

    batch_queue_remove(&queue, &jobs[1]);
    assert_waits(batch_queue_due(&queue, false, due.at_ns), 21 * MS);
}

static void deadline_too_near_for_any_linger_goes_at_once(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 20 * MS;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    struct batcher_job job = job_of(1, 1);
    admit(&queue, &job, 0);
    assert_reason(batch_queue_due(&queue, false, 0), BATCHER_REASON_DEADLINE);
}

static void reserve_follows_what_batches_took(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    assert_true(cost_model_reserve_ns(&queue.cost, 1) > 0); /* sane before the first batch */
    uint64_t now_ns = 1;
    for (int i = 0; i < 20; i++) {
        struct batcher_job *batch[JOBS_MAX];
        struct batcher_job job = job_of(1, 0);
        admit(&queue, &job, now_ns);
        const struct batch_load load = batch_queue_seal(&queue, now_ns, batch);
        const struct batch_times times = {.sealed_ns = now_ns, .finished_ns = now_ns + 40 * MS};
        batch_queue_finish(&queue, &load, &times);
        now_ns += 40 * MS;
    }
    assert_in_range(cost_model_ns(&queue.cost, 1), 39 * MS, 41 * MS);
}

static void drain_sends_what_lingers(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.delay_ns_max = limits.idle_delay_ns_max = 20 * MS;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    struct batcher_job job = job_of(1, 0);
    assert_false(batch_queue_due(&queue, true, 1).ready);
    admit(&queue, &job, 1);
    assert_false(batch_queue_due(&queue, false, 1).ready);
    assert_reason(batch_queue_due(&queue, true, 1), BATCHER_REASON_DRAIN);
}

static void queue_with_all_batches_in_flight_waits_for_one_to_finish(void **state)
{
    (void)state;
    struct batcher_queue_limits limits = roomy;
    limits.inflight_batches_max = 1;
    limits.batch_rows_max = 1;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    struct batcher_job jobs[2] = {job_of(1, 0), job_of(1, 0)};
    admit(&queue, &jobs[0], 1);
    admit(&queue, &jobs[1], 1);
    struct batcher_job *batch[JOBS_MAX];
    assert_int_equal(seal(&queue, 2, batch), 1);
    assert_int_equal(queue.inflight_batches, 1);
    assert_waits(batch_queue_due(&queue, false, 3), 0);
    assert_waits(batch_queue_due(&queue, true, 3), 0);
    batch_queue_finish(&queue, &(struct batch_load){.jobs = 1, .work = 1},
                       &(struct batch_times){.sealed_ns = 2, .finished_ns = 4});
    assert_reason(batch_queue_due(&queue, false, 4), BATCHER_REASON_SIZE);
}

/* --- Sealing. */

static void sealing_takes_jobs_in_order_while_their_rows_fit(void **state)
{
    (void)state;
    const struct {
        const char *what;
        size_t rows[6]; /* 0 ends */
        size_t jobs;
        size_t batch_rows;
    } cases[] = {
        {"one", {3}, 1, 3},
        {"exactly full", {3, 3, 2}, 3, 8},
        {"the next does not fit", {3, 3, 3}, 2, 6},
        {"nobody overtakes one that does not fit", {5, 6, 1, 1}, 1, 5},
        {"a full one alone", {8, 1}, 1, 8},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_lanes lanes;
        struct batch_queue queue = queue_with(roomy, &lanes);
        struct batcher_job jobs[6];
        for (size_t n = 0; n < 6 && cases[i].rows[n] != 0; n++) {
            jobs[n] = job_of(cases[i].rows[n], 0);
            admit(&queue, &jobs[n], 1);
        }
        struct batcher_job *batch[JOBS_MAX];
        const size_t count = seal(&queue, 9, batch);
        if (count != cases[i].jobs)
            fail_msg("%s: %zu jobs, expected %zu", cases[i].what, count, cases[i].jobs);
        for (size_t n = 0; n < count; n++) {
            assert_ptr_equal(batch[n], &jobs[n]);
            assert_int_equal(batch[n]->_state, BATCH_JOB_RUNNING);
            assert_int_equal(batch[n]->sealed_ns, 9);
            assert_int_equal(batch[n]->batch_jobs, count);
            assert_int_equal(batch[n]->batch_rows, cases[i].batch_rows);
        }
    }
}

static void sealing_an_empty_queue_counts_no_batch(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job *batch[JOBS_MAX];
    assert_int_equal(seal(&queue, 1, batch), 0);
    assert_int_equal(queue.inflight_batches, 0);
}

/* --- Deadlines. */

static void job_expires_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job jobs[4] = {job_of(1, 30), job_of(1, 0), job_of(1, 20), job_of(1, 31)};
    for (size_t i = 0; i < 4; i++)
        admit(&queue, &jobs[i], 10);
    assert_null(batch_queue_expire(&queue, 19));

    struct batcher_job *list = batch_queue_expire(&queue, 30);
    assert_ptr_equal(list, &jobs[2]); /* earliest first */
    assert_ptr_equal(list->next, &jobs[0]);
    assert_null(list->next->next);
    assert_int_equal(list->status, BATCHER_EXPIRED);
    assert_int_equal(list->finished_ns, 30);
    assert_int_equal(list->sealed_ns, 0);
    assert_int_equal(batch_queue_deadline_ns(&queue), 31);
    assert_ptr_equal(queue.oldest, &jobs[1]);
    assert_ptr_equal(queue.newest, &jobs[3]);
}

static void abandon_gives_up_all_in_order(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job jobs[3] = {job_of(1, 30), job_of(1, 0), job_of(1, 20)};
    for (size_t i = 0; i < 3; i++)
        admit(&queue, &jobs[i], 10);
    const struct batcher_job *job = batch_queue_abandon(&queue, 15);
    for (size_t i = 0; i < 3; i++, job = job->next) {
        assert_ptr_equal(job, &jobs[i]);
        assert_int_equal(job->status, BATCHER_STOPPING);
        assert_int_equal(job->finished_ns, 15);
    }
    assert_null(job);
    assert_int_equal(queue.jobs, 0);
    assert_int_equal(batch_queue_deadline_ns(&queue), 0);
    assert_null(batch_queue_abandon(&queue, 16));
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* The oracle: a plain minimum over an array. */
static uint64_t earliest_of(const struct batcher_job *jobs, const bool *waits, size_t count)
{
    uint64_t earliest_ns = 0;
    for (size_t i = 0; i < count; i++)
        if (waits[i] && jobs[i].deadline_ns != 0 &&
            (earliest_ns == 0 || jobs[i].deadline_ns < earliest_ns))
            earliest_ns = jobs[i].deadline_ns;
    return earliest_ns;
}

static void earliest_deadline_is_known_through_random_arrivals_and_removals(void **state)
{
    (void)state;
    enum {
        JOBS = 3000,
        REMOVED = 2000
    };
    static struct batcher_job jobs[JOBS];
    static bool waits[JOBS];
    struct batcher_queue_limits limits = roomy;
    limits.queue_rows_max = limits.queue_bytes_max = SIZE_MAX;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    uint64_t seed = 88172645463325252U;
    memset(jobs, 0, sizeof(jobs));
    memset(waits, 0, sizeof(waits));
    for (size_t i = 0; i < JOBS; i++) {
        /* Few distinct deadlines, so that many are equal; one in eight has none. */
        const uint64_t random = random_next(&seed);
        jobs[i] = job_of(1, random % 8 == 0 ? 0 : 100 + random / 8 % 1000);
        admit(&queue, &jobs[i], 1);
        waits[i] = true;
    }
    for (size_t i = 0; i < REMOVED; i++) {
        const size_t gone = random_next(&seed) % JOBS;
        if (waits[gone])
            batch_queue_remove(&queue, &jobs[gone]);
        waits[gone] = false;
        assert_int_equal(batch_queue_deadline_ns(&queue), earliest_of(jobs, waits, JOBS));
    }
    const struct batcher_job *job = batch_queue_expire(&queue, UINT64_MAX);
    while (job != NULL) {
        assert_int_equal(job->deadline_ns, earliest_of(jobs, waits, JOBS));
        waits[job - jobs] = false;
        job = job->next;
    }
    assert_int_equal(earliest_of(jobs, waits, JOBS), 0);
    assert_int_equal(batch_queue_deadline_ns(&queue), 0);
}

/* --- Who shares with whom. */

static struct batcher_job job_for(unsigned tenant, enum batcher_class class, uint64_t deadline_ns)
{
    return (struct batcher_job){
        .rows = 1, .tenant = tenant, .class = class, .deadline_ns = deadline_ns};
}

static void jobs_of_one_class_leave_by_deadline(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job jobs[4] = {job_of(1, 900 * MS), job_of(1, 0), job_of(1, 50 * MS),
                                  job_of(1, 2000 * MS)};
    for (size_t i = 0; i < 4; i++)
        admit(&queue, &jobs[i], 1 * MS);
    struct batcher_job *batch[JOBS_MAX];
    assert_int_equal(seal(&queue, 2 * MS, batch), 4);
    assert_ptr_equal(batch[0], &jobs[2]);
    assert_ptr_equal(batch[1], &jobs[0]);
    assert_ptr_equal(batch[2], &jobs[1]); /* as if due a second after it came */
    assert_ptr_equal(batch[3], &jobs[3]);
}

static void batch_class_gets_its_tenth_of_a_busy_queue_and_no_more(void **state)
{
    (void)state;
    enum {
        EACH = 1000,
        BATCHES = 100
    };
    static struct batcher_job jobs[2 * EACH];
    struct batcher_queue_limits limits = roomy;
    limits.queue_rows_max = 2 * EACH;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(limits, &lanes);
    for (size_t i = 0; i < 2 * EACH; i++) {
        jobs[i] = job_for(0, i < EACH ? BATCHER_CLASS_BATCH : BATCHER_CLASS_INTERACTIVE, 0);
        admit(&queue, &jobs[i], 1);
    }
    size_t served[BATCHER_CLASS_COUNT] = {0};
    for (size_t n = 0; n < BATCHES; n++) {
        struct batcher_job *batch[JOBS_MAX];
        const size_t count = seal(&queue, 2, batch);
        for (size_t i = 0; i < count; i++)
            served[batch[i]->class]++;
    }
    assert_int_equal(served[0] + served[1], BATCHES * roomy.batch_rows_max);
    assert_in_range(served[BATCHER_CLASS_BATCH], 79, 81);
}

static void interactive_job_goes_before_any_backlog_of_the_batch_class(void **state)
{
    (void)state;
    static struct batcher_job jobs[50];
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    struct batcher_job *batch[JOBS_MAX];
    for (size_t i = 0; i < 50; i++) {
        jobs[i] = job_for(0, BATCHER_CLASS_BATCH, 500 * MS);
        admit(&queue, &jobs[i], 1);
    }
    (void)seal(&queue, 2, batch);
    struct batcher_job urgent = job_for(0, BATCHER_CLASS_INTERACTIVE, 0);
    admit(&queue, &urgent, 3);
    (void)seal(&queue, 4, batch);
    assert_ptr_equal(batch[0], &urgent);
}

static struct batcher_shares shares_of(unsigned tenants)
{
    struct batcher_shares shares = batcher_shares_default();
    shares.tenants = tenants;
    for (unsigned i = 0; i < tenants; i++)
        shares.tenant_weights[i] = 1;
    return shares;
}

static void one_job_of_a_quiet_tenant_goes_next_while_another_floods(void **state)
{
    (void)state;
    static struct batcher_job flood[60];
    struct test_lanes lanes;
    struct batch_queue queue = shared_queue(roomy, shares_of(3), &lanes);
    struct batcher_job *batch[JOBS_MAX];
    for (size_t i = 0; i < 60; i++) {
        flood[i] = job_for(1, BATCHER_CLASS_INTERACTIVE, 10 * MS);
        admit(&queue, &flood[i], 1);
    }
    (void)seal(&queue, 2, batch);
    struct batcher_job quiet = job_for(2, BATCHER_CLASS_INTERACTIVE, 500 * MS);
    admit(&queue, &quiet, 3);
    const size_t count = seal(&queue, 4, batch);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || batch[i] == &quiet;
    assert_true(found);
}

static void busy_tenants_share_by_weight(void **state)
{
    (void)state;
    enum {
        EACH = 600
    };
    static struct batcher_job jobs[2 * EACH];
    struct batcher_queue_limits limits = roomy;
    limits.queue_rows_max = 10 * EACH;
    struct batcher_shares shares = shares_of(3);
    shares.tenant_weights[2] = 3;
    struct test_lanes lanes;
    struct batch_queue queue = shared_queue(limits, shares, &lanes);
    for (size_t i = 0; i < 2 * EACH; i++) {
        jobs[i] = job_for(i < EACH ? 1 : 2, BATCHER_CLASS_INTERACTIVE, 0);
        admit(&queue, &jobs[i], 1);
    }
    size_t served[3] = {0};
    for (size_t n = 0; n < 50; n++) {
        struct batcher_job *batch[JOBS_MAX];
        const size_t count = seal(&queue, 2, batch);
        for (size_t i = 0; i < count; i++)
            served[batch[i]->tenant]++;
    }
    assert_in_range(served[1], 99, 101);
    assert_in_range(served[2], 299, 301);
}

static void tenant_that_floods_leaves_room_for_others(void **state)
{
    (void)state;
    static struct batcher_job jobs[100];
    struct test_lanes lanes;
    struct batch_queue queue = shared_queue(roomy, shares_of(3), &lanes);
    size_t admitted = 0;
    for (size_t i = 0; i < 100; i++) {
        jobs[i] = job_for(1, BATCHER_CLASS_INTERACTIVE, 0);
        const enum batcher_status st = batch_queue_admit(&queue, &jobs[i], 1);
        admitted += st == BATCHER_OK;
        assert_true(st == BATCHER_OK || st == BATCHER_TENANT_FULL);
    }
    assert_in_range(admitted, 65, 67); /* two thirds of 100 */
    struct batcher_job quiet = job_for(2, BATCHER_CLASS_INTERACTIVE, 0);
    admit(&queue, &quiet, 2);
}

static void backlog_of_the_batch_class_leaves_room_for_interactive_jobs(void **state)
{
    (void)state;
    static struct batcher_job jobs[100];
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    size_t admitted = 0;
    for (size_t i = 0; i < 100; i++) {
        jobs[i] = job_for(0, BATCHER_CLASS_BATCH, 0);
        const enum batcher_status st = batch_queue_admit(&queue, &jobs[i], 1);
        admitted += st == BATCHER_OK;
        assert_true(st == BATCHER_OK || st == BATCHER_FULL);
    }
    assert_in_range(admitted, 65, 67); /* two thirds of 100 */
    static struct batcher_job interactive[100];
    for (size_t i = 0; i < 100 - admitted; i++) {
        interactive[i] = job_for(0, BATCHER_CLASS_INTERACTIVE, 0);
        admit(&queue, &interactive[i], 2);
    }
    assert_int_equal(queue.rows, 100);
}

static void drain_rate_counts_busy_time_only(void **state)
{
    (void)state;
    struct test_lanes lanes;
    struct batch_queue queue = queue_with(roomy, &lanes);
    assert_true(batch_queue_drain_rate(&queue) <= 0);
    uint64_t now_ns = 1000 * MS;
    for (int i = 0; i < 50; i++) {
        struct batcher_job *batch[JOBS_MAX];
        struct batcher_job jobs[4];
        for (size_t n = 0; n < 4; n++) {
            jobs[n] = job_of(1, 0);
            admit(&queue, &jobs[n], now_ns);
        }
        const struct batch_load load = batch_queue_seal(&queue, now_ns, batch);
        assert_int_equal(load.jobs, 4);
        batch_queue_finish(
            &queue, &load,
            &(struct batch_times){.sealed_ns = now_ns, .finished_ns = now_ns + 20 * MS});
        now_ns += 500 * MS; /* idle most of the time */
    }
    const double rate = batch_queue_drain_rate(&queue);
    if (rate < 195 || rate > 205)
        fail_msg("drain rate %.1f, expected 4 jobs per 20 ms: 200", rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_its_own_status),
        cmocka_unit_test(job_larger_than_a_batch_goes_alone),
        cmocka_unit_test(lowered_limits_refuse_the_next_job_and_keep_those_that_wait),
        cmocka_unit_test(counts_follow_jobs_in_and_out),
        cmocka_unit_test(waiting_job_goes_at_once_when_there_is_no_delay),
        cmocka_unit_test(partial_batch_goes_when_the_oldest_job_has_waited),
        cmocka_unit_test(idle_queue_lingers_only_if_it_is_told_to),
        cmocka_unit_test(an_endless_delay_does_not_wrap_around),
        cmocka_unit_test(full_batch_does_not_linger),
        cmocka_unit_test(batch_is_full_when_its_array_is),
        cmocka_unit_test(linger_ends_early_enough_for_the_earliest_deadline),
        cmocka_unit_test(deadline_too_near_for_any_linger_goes_at_once),
        cmocka_unit_test(reserve_follows_what_batches_took),
        cmocka_unit_test(drain_sends_what_lingers),
        cmocka_unit_test(queue_with_all_batches_in_flight_waits_for_one_to_finish),
        cmocka_unit_test(sealing_takes_jobs_in_order_while_their_rows_fit),
        cmocka_unit_test(sealing_an_empty_queue_counts_no_batch),
        cmocka_unit_test(job_expires_at_its_deadline_and_not_before),
        cmocka_unit_test(abandon_gives_up_all_in_order),
        cmocka_unit_test(earliest_deadline_is_known_through_random_arrivals_and_removals),
        cmocka_unit_test(jobs_of_one_class_leave_by_deadline),
        cmocka_unit_test(batch_class_gets_its_tenth_of_a_busy_queue_and_no_more),
        cmocka_unit_test(interactive_job_goes_before_any_backlog_of_the_batch_class),
        cmocka_unit_test(one_job_of_a_quiet_tenant_goes_next_while_another_floods),
        cmocka_unit_test(busy_tenants_share_by_weight),
        cmocka_unit_test(tenant_that_floods_leaves_room_for_others),
        cmocka_unit_test(backlog_of_the_batch_class_leaves_room_for_interactive_jobs),
        cmocka_unit_test(drain_rate_counts_busy_time_only),
    };
    return cmocka_run_group_tests_name("batch_queue", tests, NULL, NULL);
}
