/*
 * test_sweep_plan.c - which rates a sweep asks for, and where it says that the knee is.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sweep_plan.h"

/* --- Verdicts. */

static struct measurement step(double due, double throughput, double goodput, double p99_ms)
{
    return (struct measurement){.seconds = 10,
                                .due_rate = due,
                                .throughput = throughput,
                                .goodput = goodput,
                                .p99_ns = p99_ms * 1e6};
}

static void assert_verdict(bool slo, double lowest_ms, struct measurement m,
                           enum sweep_verdict expected)
{
    const struct sweep_rules rules = {.slo = slo, .lowest_p99_ns = lowest_ms * 1e6};
    assert_int_equal(sweep_judge(&rules, &m), expected);
}

static void without_an_slo_throughput_and_p99_decide(void **state)
{
    (void)state;
    assert_verdict(false, NAN, step(1000, 1000, 1000, 500), SWEEP_FOLLOWS); /* the first */
    assert_verdict(false, 2, step(1000, 981, 1000, 19.9), SWEEP_FOLLOWS);
    assert_verdict(false, 2, step(1000, 979, 1000, 2), SWEEP_BEHIND);
    assert_verdict(false, 2, step(1000, 1000, 1000, 20.1), SWEEP_SLOW);
    assert_verdict(false, 2, step(1000, 0, 0, NAN), SWEEP_BEHIND);
    assert_verdict(false, 2, step(0, 0, 0, NAN), SWEEP_BEHIND);
}

static void with_an_slo_what_was_in_time_decides(void **state)
{
    (void)state;
    assert_verdict(true, 2, step(1000, 1000, 991, 500), SWEEP_FOLLOWS);
    assert_verdict(true, 2, step(1000, 1000, 989, 3), SWEEP_SLOW);
    assert_verdict(true, 2, step(1000, 700, 989, 3), SWEEP_BEHIND);
}

static void what_is_still_under_way_is_not_behind(void **state)
{
    (void)state;
    /* 20 due, 17 answered: 85 %, but only three lack. */
    assert_verdict(false, 2, step(2, 1.7, 2, 2), SWEEP_FOLLOWS);
    assert_verdict(false, 2, step(2, 1.6, 2, 2), SWEEP_BEHIND);
}

static void a_client_that_is_late_says_nothing_of_p99(void **state)
{
    (void)state;
    struct measurement m = step(1000, 1000, 1000, 100);
    assert_verdict(false, 2, m, SWEEP_SLOW);
    m.client_is_slow = true;
    assert_verdict(false, 2, m, SWEEP_FOLLOWS);
}

static void the_knee_of_connections_is_where_the_plateau_begins(void **state)
{
    (void)state;
    const struct measurement steps[] = {
        step(100, 100, 100, 1), step(190, 190, 190, 1), step(290, 290, 290, 2),
        step(300, 300, 280, 9), step(300, 300, 0, 20),
    };
    assert_int_equal(sweep_knee_of_connections(steps, 5, false), 2);
    assert_int_equal(sweep_knee_of_connections(steps, 5, true), 2);
    assert_int_equal(sweep_knee_of_connections(&steps[3], 2, false), 0);
    assert_int_equal(sweep_knee_of_connections(&steps[3], 2, true), 2); /* none */
    assert_int_equal(sweep_knee_of_connections(steps, 0, false), 0);
}

/* --- Rates. */

struct walk {
    double rates[SWEEP_STEPS_MAX];
    size_t count;
    struct sweep_plan plan;
};

/* A server that follows up to `capacity`, but fails once at the step with index `hiccup`. */
static void walk(const struct sweep_bounds *bounds, double capacity, size_t hiccup,
                 struct walk *out)
{
    out->count = 0;
    sweep_plan_init(&out->plan, bounds);
    double rate;
    while (sweep_plan_next(&out->plan, &rate)) {
        const bool fails = rate > capacity || out->count == hiccup;
        assert_in_range(out->count, 0, SWEEP_STEPS_MAX - 1);
        out->rates[out->count++] = rate;
        sweep_plan_note(&out->plan, fails ? SWEEP_BEHIND : SWEEP_FOLLOWS);
    }
}

static void assert_knee(const struct walk *w, double capacity)
{
    if (w->plan.knee > capacity || w->plan.knee < 0.94 * capacity)
        fail_msg("a knee of %g where the capacity is %g, after %zu steps", w->plan.knee, capacity,
                 w->count);
}

static void the_knee_is_found_whatever_the_closed_loop_said(void **state)
{
    (void)state;
    /* The closed loop may find much less than an open one, or more. */
    for (double capacity = 130; capacity < 9000; capacity *= 1.07) {
        const struct sweep_bounds bounds = {.capacity = 1000};
        struct walk w;
        walk(&bounds, capacity, SIZE_MAX, &w);
        assert_knee(&w, capacity);
        assert_true(sweep_plan_has_failed(&w.plan));
        assert_in_range(w.count, 3, 45);
    }
}

static void it_is_found_below_the_first_step_too(void **state)
{
    (void)state;
    const struct sweep_bounds bounds = {.capacity = 1000};
    struct walk w;
    walk(&bounds, 60, SIZE_MAX, &w);
    assert_knee(&w, 60);
    walk(&bounds, 0, SIZE_MAX, &w);
    assert_true(w.plan.knee == 0);
    assert_in_range(w.count, 5, 20);
}

static void one_hiccup_is_no_verdict(void **state)
{
    (void)state;
    const struct sweep_bounds bounds = {.capacity = 1000};
    struct walk quiet;
    walk(&bounds, 800, SIZE_MAX, &quiet);
    for (size_t hiccup = 0; hiccup < 6; hiccup++) {
        struct walk w;
        walk(&bounds, 800, hiccup, &w);
        assert_true(w.rates[hiccup] == w.rates[hiccup + 1]);
        assert_true(w.plan.knee == quiet.plan.knee);
        assert_int_equal(w.count, quiet.count + 1);
    }
}

static void steps_come_closer_to_each_other(void **state)
{
    (void)state;
    const struct sweep_bounds bounds = {.capacity = 1000, .steps = 11};
    struct walk w;
    walk(&bounds, 2000, SIZE_MAX, &w);
    assert_true(w.rates[0] == 100);
    assert_true(w.rates[10] == 1050);
    for (size_t i = 2; i <= 10; i++)
        assert_true(w.rates[i] - w.rates[i - 1] < w.rates[i - 1] - w.rates[i - 2]);
    assert_true(w.rates[11] == 1160); /* a tenth more, in three digits */
}

static void bounds_are_kept_in_even_steps(void **state)
{
    (void)state;
    const struct sweep_bounds bounds = {.from = 100, .to = 300, .steps = 5};
    const double expected[] = {100, 150, 200, 250, 300};
    struct walk w;
    walk(&bounds, 1e9, SIZE_MAX, &w);
    assert_int_equal(w.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(w.rates[i] == expected[i]);
    assert_true(w.plan.knee == 300);
    assert_false(sweep_plan_has_failed(&w.plan));
}

static void bounds_end_when_two_rates_in_a_row_have_failed(void **state)
{
    (void)state;
    const struct sweep_bounds bounds = {.from = 100, .to = 500, .steps = 9};
    const double expected[] = {100, 150, 200, 250, 250, 300, 300};
    struct walk w;
    walk(&bounds, 220, SIZE_MAX, &w);
    assert_int_equal(w.count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        assert_true(w.rates[i] == expected[i]);
    assert_true(w.plan.knee == 200);
    assert_true(sweep_plan_has_failed(&w.plan));
}

static void a_rate_that_follows_clears_those_below_it(void **state)
{
    (void)state;
    const struct sweep_bounds bounds = {.capacity = 1000};
    struct sweep_plan plan;
    double rate, noisy = 0;
    sweep_plan_init(&plan, &bounds);
    for (size_t i = 0; sweep_plan_next(&plan, &rate); i++) {
        if (i == 2 || i == 3) /* the third rate, both times */
            noisy = rate;
        sweep_plan_note(&plan, i == 2 || i == 3 || rate > 800 ? SWEEP_SLOW : SWEEP_FOLLOWS);
        assert_in_range(i, 0, 40);
    }
    assert_true(noisy > 0 && noisy < 500);
    assert_in_range((uintmax_t)plan.knee, 760, 800);
    assert_true(sweep_plan_has_failed(&plan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_slo_throughput_and_p99_decide),
        cmocka_unit_test(with_an_slo_what_was_in_time_decides),
        cmocka_unit_test(what_is_still_under_way_is_not_behind),
        cmocka_unit_test(a_client_that_is_late_says_nothing_of_p99),
        cmocka_unit_test(the_knee_of_connections_is_where_the_plateau_begins),
        cmocka_unit_test(the_knee_is_found_whatever_the_closed_loop_said),
        cmocka_unit_test(it_is_found_below_the_first_step_too),
        cmocka_unit_test(one_hiccup_is_no_verdict),
        cmocka_unit_test(steps_come_closer_to_each_other),
        cmocka_unit_test(bounds_are_kept_in_even_steps),
        cmocka_unit_test(bounds_end_when_two_rates_in_a_row_have_failed),
        cmocka_unit_test(a_rate_that_follows_clears_those_below_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
