/* Who is next among classes, tenants and deadlines, and how much is before a newcomer. */
#include "job_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)

enum {
    TENANTS = 3,
    JOBS = 200
};

struct rig {
    struct job_order order;
    struct job_lane lanes[BATCHER_CLASS_COUNT * TENANTS];
    struct batcher_job jobs[JOBS];
    size_t used;
};

static void rig_init(struct rig *rig)
{
    struct batcher_shares shares = batcher_shares_default();
    shares.tenants = TENANTS;
    for (unsigned i = 0; i < TENANTS; i++)
        shares.tenant_weights[i] = 1 + i;
    memset(rig, 0, sizeof(*rig));
    job_order_init(&rig->order, &shares, rig->lanes);
}

static struct batcher_job *add(struct rig *rig, enum batcher_class class, unsigned tenant,
                               uint64_t submitted_ns, uint64_t deadline_ns)
{
    struct batcher_job *job = &rig->jobs[rig->used++];
    *job = (struct batcher_job){.rows = 1,
                                .class = class,
                                .tenant = tenant,
                                .submitted_ns = submitted_ns,
                                .deadline_ns = deadline_ns};
    job_order_insert(&rig->order, job);
    return job;
}

static void assert_taken(struct rig *rig, struct batcher_job *expected)
{
    struct batcher_job *job = job_order_next(&rig->order);
    assert_ptr_equal(job, job_order_next(&rig->order)); /* it stays until it is taken */
    assert_ptr_equal(job, expected);
    if (job != NULL)
        job_order_take(&rig->order, job);
}

static void lane_leaves_by_deadline_and_undated_jobs_as_if_due_in_a_second(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct batcher_job *undated = add(&rig, BATCHER_CLASS_INTERACTIVE, 0, 5 * MS, 0);
    struct batcher_job *late = add(&rig, BATCHER_CLASS_INTERACTIVE, 0, 6 * MS, 1006 * MS);
    struct batcher_job *soon = add(&rig, BATCHER_CLASS_INTERACTIVE, 0, 7 * MS, 1004 * MS);
    struct batcher_job *undated_after = add(&rig, BATCHER_CLASS_INTERACTIVE, 0, 8 * MS, 0);
    assert_ptr_equal(job_order_earliest(&rig.order), soon);
    assert_taken(&rig, soon);
    assert_taken(&rig, undated);
    assert_taken(&rig, late);
    assert_null(job_order_earliest(&rig.order));
    assert_taken(&rig, undated_after);
    assert_taken(&rig, NULL);
}

static void removed_jobs_leave_the_rest_as_it_was(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct batcher_job *jobs[6];
    for (uint64_t i = 0; i < 6; i++)
        jobs[i] = add(&rig, BATCHER_CLASS_INTERACTIVE, 1, i, i % 2 == 0 ? 0 : (20 - i) * MS);
    job_order_remove(&rig.order, jobs[0]); /* the first of those without a deadline */
    job_order_remove(&rig.order, jobs[4]); /* the last */
    job_order_remove(&rig.order, jobs[3]);
    assert_int_equal(job_order_tenant_rows(&rig.order, 1), 3);
    assert_taken(&rig, jobs[5]);
    assert_taken(&rig, jobs[1]);
    assert_taken(&rig, jobs[2]);
    assert_taken(&rig, NULL);
    assert_int_equal(job_order_tenant_rows(&rig.order, 1), 0);
    assert_int_equal(rig.order.classes[BATCHER_CLASS_INTERACTIVE].work, 0);
    assert_int_equal(rig.order.classes[BATCHER_CLASS_INTERACTIVE].rows, 0);
}

static void who_comes_to_an_idle_class_at_the_same_time_goes_by_deadline(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct batcher_job *later = add(&rig, BATCHER_CLASS_INTERACTIVE, 0, 1, 90 * MS);
    struct batcher_job *sooner = add(&rig, BATCHER_CLASS_INTERACTIVE, 2, 1, 80 * MS);
    assert_taken(&rig, sooner);
    assert_taken(&rig, later);
}

/* Tenants weigh 1, 2 and 3; classes 9 and 1. */
static void backlogged_classes_and_tenants_get_their_parts(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < 50; i++)
        for (unsigned tenant = 0; tenant < TENANTS; tenant++)
            add(&rig, BATCHER_CLASS_INTERACTIVE, tenant, i, 0);
    for (size_t i = 0; i < 50; i++)
        add(&rig, BATCHER_CLASS_BATCH, 0, i, 1);
    size_t served[BATCHER_CLASS_COUNT][TENANTS] = {{0}};
    for (int i = 0; i < 100; i++) {
        struct batcher_job *job = job_order_next(&rig.order);
        served[job->class][job->tenant]++;
        job_order_take(&rig.order, job);
    }
    assert_in_range(served[BATCHER_CLASS_BATCH][0], 9, 11);
    assert_in_range(served[BATCHER_CLASS_INTERACTIVE][0], 14, 16);
    assert_in_range(served[BATCHER_CLASS_INTERACTIVE][1], 29, 31);
    assert_in_range(served[BATCHER_CLASS_INTERACTIVE][2], 44, 46);
}

static uint64_t ahead_of(const struct rig *rig, enum batcher_class class, unsigned tenant,
                         uint64_t due_ns)
{
    const struct batcher_job job = {.rows = 1, .class = class, .tenant = tenant};
    return job_order_work_ahead(&rig->order, &job, due_ns);
}

static void work_ahead_is_what_is_due_before_and_the_shares_of_others(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    assert_int_equal(ahead_of(&rig, BATCHER_CLASS_INTERACTIVE, 0, 500 * MS), 0);
    for (uint64_t i = 0; i <= 100; i++)
        add(&rig, BATCHER_CLASS_INTERACTIVE, 0, 1, (100 + i) * MS);
    assert_int_equal(ahead_of(&rig, BATCHER_CLASS_INTERACTIVE, 0, 100 * MS), 0);
    assert_in_range(ahead_of(&rig, BATCHER_CLASS_INTERACTIVE, 0, 150 * MS), 49, 52);
    assert_int_equal(ahead_of(&rig, BATCHER_CLASS_INTERACTIVE, 0, 900 * MS), 101);
    /* Of twice the weight: half a job of the other's while this one is served. */
    assert_in_range(ahead_of(&rig, BATCHER_CLASS_INTERACTIVE, 1, 900 * MS), 0, 1);
    /* Of the other class: nine for this one. */
    assert_in_range(ahead_of(&rig, BATCHER_CLASS_BATCH, 0, 900 * MS), 9, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane_leaves_by_deadline_and_undated_jobs_as_if_due_in_a_second),
        cmocka_unit_test(removed_jobs_leave_the_rest_as_it_was),
        cmocka_unit_test(who_comes_to_an_idle_class_at_the_same_time_goes_by_deadline),
        cmocka_unit_test(backlogged_classes_and_tenants_get_their_parts),
        cmocka_unit_test(work_ahead_is_what_is_due_before_and_the_shares_of_others),
    };
    return cmocka_run_group_tests_name("job_order", tests, NULL, NULL);
}
