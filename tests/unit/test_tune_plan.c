/*
 * test_tune_plan.c - how much is measured for how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tune_plan.h"
#include "tune_search.h"
#include "tune_setting.h"

static const struct tune_basis FAST = {
    .budget_ns = 120 * NS_PER_S, .rate = 20000, .quantile = 0.99};

static uint64_t longest_ns(const struct tune_plan *plan, size_t count)
{
    return tune_search_measurements(count) * (plan->warmup_ns + plan->duration_ns);
}

static void the_whole_race_fits_the_budget(void **state)
{
    (void)state;
    for (uint64_t seconds = 20; seconds <= 300; seconds += 10) {
        struct tune_basis basis = FAST;
        basis.budget_ns = seconds * NS_PER_S;
        const size_t count = tune_plan_settings_max(&basis);
        const struct tune_plan plan = tune_plan_make(&basis, count);
        assert_in_range(longest_ns(&plan, count), 1, basis.budget_ns);
        assert_false(plan.is_short);
    }
}

static void more_time_is_more_settings_and_then_longer_windows(void **state)
{
    (void)state;
    struct tune_basis short_one = FAST, long_one = FAST;
    short_one.budget_ns = 20 * NS_PER_S;
    long_one.budget_ns = 300 * NS_PER_S;
    assert_true(tune_plan_settings_max(&short_one) < tune_plan_settings_max(&long_one));
    assert_true(tune_plan_make(&short_one, 20).duration_ns <
                tune_plan_make(&long_one, 20).duration_ns);
    assert_int_equal(tune_plan_make(&long_one, 12).duration_ns, NS_PER_S);
}

static void a_slow_server_gets_longer_windows_and_fewer_settings(void **state)
{
    (void)state;
    struct tune_basis slow = FAST;
    slow.rate = 1000;
    const size_t count = tune_plan_settings_max(&slow);
    assert_true(count < tune_plan_settings_max(&FAST));
    const struct tune_plan plan = tune_plan_make(&slow, count);
    assert_true(1000.0 * (double)plan.duration_ns / 1e9 >= 450);
    assert_false(plan.is_short);
}

static void a_percentile_that_there_is_no_time_for_is_told(void **state)
{
    (void)state;
    struct tune_basis basis = FAST;
    basis.rate = 50;
    const size_t count = tune_plan_settings_max(&basis);
    assert_true(count >= 10);
    assert_true(tune_plan_make(&basis, count).is_short);
    basis.quantile = 0.5;
    assert_false(tune_plan_make(&basis, tune_plan_settings_max(&basis)).is_short);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_race_fits_the_budget),
        cmocka_unit_test(more_time_is_more_settings_and_then_longer_windows),
        cmocka_unit_test(a_slow_server_gets_longer_windows_and_fewer_settings),
        cmocka_unit_test(a_percentile_that_there_is_no_time_for_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
