/* How much comes in a second, with made-up clocks. */
#include "flow_rate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)

static void assert_near(double got, double expected, double part)
{
    if (fabs(got - expected) > part * expected)
        fail_msg("%g, expected %g give or take %g", got, expected, part * expected);
}

static struct flow_rate steady(double amount, uint64_t every_ns, int times)
{
    struct flow_rate flow = {.count = 0};
    for (int i = 1; i <= times; i++)
        flow_rate_add(&flow, amount, (uint64_t)i * every_ns);
    return flow;
}

static void steady_flow_is_measured_whatever_its_amounts(void **state)
{
    (void)state;
    const struct flow_rate fine = steady(1, MS, 20000);
    assert_near(flow_rate_per_s(&fine, 20000 * MS), 1000, 0.02);
    const struct flow_rate coarse = steady(50, 50 * MS, 400);
    assert_near(flow_rate_per_s(&coarse, 20000 * MS), 1000, 0.15);
}

static void change_is_seen_within_a_second(void **state)
{
    (void)state;
    struct flow_rate flow = steady(1, 10 * MS, 1000);
    uint64_t now_ns = 10000 * MS;
    for (int i = 0; i < 1000; i++)
        flow_rate_add(&flow, 1, now_ns += MS);
    assert_near(flow_rate_per_s(&flow, now_ns), 1000, 0.15);
}

static void flow_that_stopped_is_seen_to_stop(void **state)
{
    (void)state;
    const struct flow_rate flow = steady(1, MS, 10000);
    double last = flow_rate_per_s(&flow, 10000 * MS);
    for (uint64_t ms = 10100; ms < 20000; ms += 100) {
        const double rate = flow_rate_per_s(&flow, ms * MS);
        assert_true(rate < last);
        last = rate;
    }
    assert_true(last < 60);
}

static void clock_that_goes_backwards_does_no_harm(void **state)
{
    (void)state;
    struct flow_rate flow = steady(1, MS, 1000);
    const double before = flow_rate_per_s(&flow, 1000 * MS);
    flow_rate_add(&flow, 1, 500 * MS);
    assert_near(flow_rate_per_s(&flow, 900 * MS), before, 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_flow_is_measured_whatever_its_amounts),
        cmocka_unit_test(change_is_seen_within_a_second),
        cmocka_unit_test(flow_that_stopped_is_seen_to_stop),
        cmocka_unit_test(clock_that_goes_backwards_does_no_harm),
    };
    return cmocka_run_group_tests_name("flow_rate", tests, NULL, NULL);
}
