/* What follows from a target and a cost model, and when the limits hold instead. */
#include "batch_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

static const struct batcher_queue_limits limits = {
    .batch_rows_max = 64, .delay_ns_max = 7 * MS, .target_p99_ns = 20 * MS};

static struct cost_model learned(double fixed_ns, double row_ns)
{
    struct cost_model cost;
    cost_model_init(&cost, 64);
    for (int i = 0; i < 300; i++) {
        cost_model_learn(&cost, 1, (uint64_t)(fixed_ns + row_ns));
        cost_model_learn(&cost, 64, (uint64_t)(fixed_ns + 64 * row_ns));
    }
    assert_true(cost_model_is_sure(&cost));
    return cost;
}

static struct batch_plan plan_at(const struct cost_model *cost, double rows_per_s,
                                 const struct batcher_queue_limits *of)
{
    const struct batch_plan_basis basis = {
        .cost = cost, .work_per_s = rows_per_s, .work_per_row = 1, .batches_max = 1};
    return batch_plan_for(of, &basis);
}

static void limits_hold_without_a_target_and_while_the_model_is_unsure(void **state)
{
    (void)state;
    const struct cost_model sure = learned(1e6, 1e5);
    struct cost_model unsure;
    cost_model_init(&unsure, 64);
    struct batcher_queue_limits none = limits;
    none.target_p99_ns = 0;
    const struct batch_plan plans[] = {plan_at(&sure, 1000, &none),
                                       plan_at(&unsure, 1000, &limits)};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(plans[i].rows_max, 64);
        assert_int_equal(plans[i].delay_ns, 7 * MS);
        assert_int_equal(plans[i].run_ns_max, 0);
    }
}

static void batch_may_take_half_of_the_target(void **state)
{
    (void)state;
    const struct cost_model cost = learned(1e6, 0.5e6);
    const struct batch_plan plan = plan_at(&cost, 100, &limits);
    /* A little under 10 ms, of which 1 is fixed. */
    assert_in_range(plan.run_ns_max, 9 * MS, 10 * MS);
    assert_in_range(plan.rows_max, 16, 18);
    struct batcher_queue_limits less = limits;
    less.batch_rows_max = 5;
    assert_int_equal(plan_at(&cost, 100, &less).rows_max, 5);
}

static void target_that_one_row_exceeds_plans_for_single_rows(void **state)
{
    (void)state;
    const struct cost_model cost = learned(30e6, 1e6);
    assert_int_equal(plan_at(&cost, 100, &limits).rows_max, 1);
}

/* Alone a row takes 1.1 ms, in large batches little more than 0.1 ms. */
static void linger_begins_where_workers_would_be_busy_half_of_the_time(void **state)
{
    (void)state;
    const struct cost_model cost = learned(1e6, 1e5);
    assert_int_equal(plan_at(&cost, 0, &limits).delay_ns, 0);
    assert_int_equal(plan_at(&cost, 400, &limits).delay_ns, 0);
    /* At 1000 rows a second batches of 2.5 keep it busy for half of the time. */
    assert_in_range(plan_at(&cost, 1000, &limits).delay_ns, 1400 * US, 1600 * US);
    /* At 3000, 5 rows: (1 + 5 * 0.1) ms / 5 * 3000 / s is 0.9; 15 rows would be needed. */
    assert_in_range(plan_at(&cost, 3000, &limits).delay_ns, 4500 * US, 5 * MS);
}

static void linger_is_never_over_a_quarter_of_the_target(void **state)
{
    (void)state;
    const struct cost_model cost = learned(8e6, 1e3);
    for (double rows_per_s = 1; rows_per_s < 1e6; rows_per_s *= 1.5)
        assert_in_range(plan_at(&cost, rows_per_s, &limits).delay_ns, 0, 5 * MS);
}

/* Rows that cost 100 us beside a fixed part of 10: together they would be hardly quicker. */
static void nobody_lingers_for_what_saves_little(void **state)
{
    (void)state;
    const struct cost_model cost = learned(10e3, 100e3);
    assert_int_equal(plan_at(&cost, 8000, &limits).delay_ns, 0);
    const struct cost_model twice = learned(100e3, 100e3);
    /* Three rows bring the fixed part down to a quarter. */
    assert_in_range(plan_at(&twice, 4500, &limits).delay_ns, 400 * US, 460 * US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_without_a_target_and_while_the_model_is_unsure),
        cmocka_unit_test(batch_may_take_half_of_the_target),
        cmocka_unit_test(target_that_one_row_exceeds_plans_for_single_rows),
        cmocka_unit_test(linger_begins_where_workers_would_be_busy_half_of_the_time),
        cmocka_unit_test(linger_is_never_over_a_quarter_of_the_target),
        cmocka_unit_test(nobody_lingers_for_what_saves_little),
    };
    return cmocka_run_group_tests_name("batch_plan", tests, NULL, NULL);
}
