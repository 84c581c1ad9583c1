/* The simulator's own parts: what it is believed for should be right. */
#include "sim_events.h"
#include "sim_flow.h"
#include "sim_histogram.h"
#include "sim_random.h"
#include "sim_world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

static void assert_near(double got, double expected, double part)
{
    if (fabs(got - expected) > part * expected)
        fail_msg("%g, expected %g give or take %g", got, expected, part * expected);
}

static void events_come_in_order_of_time(void **state)
{
    (void)state;
    struct sim_random random = sim_random_from(1, 0);
    struct sim_events events = {.heap = NULL};
    struct sim_event event = {.at_ns = 0};
    assert_false(sim_events_take(&events, UINT64_MAX, &event));
    for (unsigned i = 0; i < 1000; i++)
        sim_events_add(&events, &(struct sim_event){.at_ns = 1 + sim_draw(&random, 500)});
    uint64_t last_ns = 0;
    for (unsigned i = 0; i < 1000; i++) {
        assert_false(sim_events_take(&events, sim_events_next_ns(&events) - 1, &event));
        assert_true(sim_events_take(&events, 500, &event));
        assert_true(event.at_ns >= last_ns);
        last_ns = event.at_ns;
    }
    assert_int_equal(events.count, 0);
    sim_events_free(&events);
}

static void percentiles_are_right_to_a_few_hundredths(void **state)
{
    (void)state;
    static struct sim_histogram histogram;
    for (uint64_t us = 1; us <= 100000; us++)
        sim_histogram_add(&histogram, us * US);
    assert_near(sim_histogram_ns(&histogram, 0.5), 50e6, 0.02);
    assert_near(sim_histogram_ns(&histogram, 0.99), 99e6, 0.02);
    assert_near(sim_histogram_ns(&histogram, 1), 100e6, 0.02);
    assert_near(sim_histogram_ns(&histogram, 0), 1e3, 0.02);
}

static double rate_of(const struct sim_flow_setup *setup, uint64_t during_ns)
{
    struct sim_flow flow = sim_flow_from(setup, 1, 0);
    uint64_t jobs = 0;
    uint64_t now_ns = 0;
    while ((now_ns = sim_flow_next_ns(&flow, 0, now_ns)) < during_ns)
        jobs += sim_flow_count(&flow);
    return (double)jobs / ((double)during_ns / 1e9);
}

static void flows_bring_as_many_as_they_should(void **state)
{
    (void)state;
    struct sim_flow_setup setup = {.jobs_per_s = 1000};
    assert_near(rate_of(&setup, 100 * S), 1000, 0.02);
    setup.on_s = 0.01;
    setup.off_s = 0.03;
    assert_near(rate_of(&setup, 100 * S), 1000, 0.06);
    setup.together_max = 9;
    assert_near(rate_of(&setup, 100 * S), 1000, 0.06);
}

static struct sim_trace trace_of(const char *text, size_t expected)
{
    struct sim_trace trace;
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    assert_int_equal(sim_trace_read(file, &trace), expected);
    assert_int_equal(fclose(file), 0);
    return trace;
}

static void recordings_are_read_or_refused_with_their_line(void **state)
{
    (void)state;
    struct sim_trace trace = trace_of("# seconds queue rows class tenant timeout_ms\n\n"
                                      "0.5 0 3 interactive 1 0\n"
                                      "0.75 2 1 batch 0 20.5\n",
                                      0);
    assert_int_equal(trace.count, 2);
    assert_int_equal(trace.lines[0].at_ns, 500 * MS);
    assert_int_equal(trace.lines[0].rows, 3);
    assert_int_equal(trace.lines[1].queue, 2);
    assert_int_equal(trace.lines[1].class, BATCHER_CLASS_BATCH);
    assert_int_equal(trace.lines[1].timeout_ns, 20500 * US);
    sim_trace_free(&trace);

    const char *const bad[] = {"0 0 1 interactive 0\n", "0 0 0 batch 0 0\n", "0 0 1 urgent 0 0\n",
                               "-1 0 1 batch 0 0\n", "nan 0 1 batch 0 0\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        trace = trace_of(bad[i], 1);
        sim_trace_free(&trace);
    }
    trace = trace_of("1 0 1 batch 0 0\n0.9 0 1 batch 0 0\n", 2);
    sim_trace_free(&trace);
}

/* One worker, batches of one that take 1 ms: at 500 jobs a second half of them meet another. */
static void queueing_is_as_the_books_say(void **state)
{
    (void)state;
    const struct sim_queue_setup queue = {.limits = {.batch_rows_max = 1,
                                                     .queue_rows_max = 10000,
                                                     .queue_bytes_max = 10000,
                                                     .inflight_batches_max = 1},
                                          .queue_rows_most = 10000,
                                          .curve = {.fixed_ns = 1e6}};
    const struct sim_flow_setup flow = {.jobs_per_s = 500, .rows_min = 1, .rows_max = 1};
    const struct sim_setup setup = {.seed = 3,
                                    .workers = 1,
                                    .batch_jobs_max = 1,
                                    .shares = batcher_shares_default(),
                                    .queues = &queue,
                                    .queues_count = 1,
                                    .flows = &flow,
                                    .flows_count = 1};
    struct sim_world *w = sim_world_create(&setup);
    w->in_time_ns = 1 * MS + 1;
    sim_world_run_until(w, 200 * S);
    const struct sim_flow_stats *stats = &w->flow_stats[0];
    const double mean_ns = stats->latency.sum_ns / (double)stats->latency.count;
    /* M/D/1: served 1, waits rho / (2 (1 - rho)). */
    assert_near(mean_ns, 1.5e6, 0.03);
    assert_near((double)stats->in_time / (double)stats->latency.count, 0.5, 0.03);
    assert_near(w->queue_stats[0].run_ns / 200e9, 0.5, 0.02);
    sim_world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_in_order_of_time),
        cmocka_unit_test(percentiles_are_right_to_a_few_hundredths),
        cmocka_unit_test(flows_bring_as_many_as_they_should),
        cmocka_unit_test(recordings_are_read_or_refused_with_their_line),
        cmocka_unit_test(queueing_is_as_the_books_say),
    };
    return cmocka_run_group_tests_name("simulation", tests, NULL, NULL);
}
