/*
 * Random lives of jobs under the policy, with a virtual clock and every promise checked at every
 * step; what is drawn is in sim_scenario.h, what is checked in sim_shadow.h.
 *
 *   JITNEY_SEED   the first scenario's seed (each of the next ones has the next number)
 *   JITNEY_JOBS   how many jobs in all
 *
 * A failure prints both, so that the scenario alone replays.
 */
#include "sim_scenario.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum {
    JOBS_DEFAULT = 2000000
};

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

__attribute__((noreturn)) static void broken(void *ctx, const char *what)
{
    const struct sim_scenario *scenario = ctx;
    print_error("%s\nreplay with JITNEY_SEED=%" PRIu64 " JITNEY_JOBS=%d\n", what,
                scenario->setup.seed, SIM_SCENARIO_JOBS);
    fail();
    abort();
}

static void add(struct sim_outcomes *sum, const struct sim_outcomes *one)
{
    sum->tried += one->tried;
    sum->finished += one->finished;
    sum->expired += one->expired;
    sum->cancelled += one->cancelled;
    sum->stopped += one->stopped;
    for (size_t st = 0; st < BATCHER_STATUS_COUNT; st++)
        sum->refused[st] += one->refused[st];
}

/* A simulation in which nothing expires proves nothing about deadlines. */
static void assert_all_of_it_happened(const struct sim_outcomes *sum)
{
    assert_true(sum->finished > sum->tried / 4);
    assert_true(sum->expired > 0);
    assert_true(sum->cancelled > 0);
    assert_true(sum->stopped > 0);
    const enum batcher_status refusals[] = {BATCHER_FULL, BATCHER_TENANT_FULL, BATCHER_EXPIRED,
                                            BATCHER_UNMEETABLE, BATCHER_OVERLOADED};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (sum->refused[refusals[i]] == 0)
            fail_msg("nobody was refused: %s", batcher_status_str(refusals[i]));
}

static void every_promise_is_kept_whatever_happens(void **state)
{
    (void)state;
    const uint64_t seed = environment_number("JITNEY_SEED", 1);
    const uint64_t jobs = environment_number("JITNEY_JOBS", JOBS_DEFAULT);
    struct sim_outcomes sum = {0};
    for (uint64_t n = 0; sum.tried < jobs; n++) {
        struct sim_scenario scenario;
        sim_scenario_draw(&scenario, seed + n);
        scenario.setup.broken = broken;
        scenario.setup.ctx = &scenario;
        const struct sim_outcomes outcomes = sim_scenario_run(&scenario, SIM_SCENARIO_JOBS);
        add(&sum, &outcomes);
    }
    if (jobs >= JOBS_DEFAULT)
        assert_all_of_it_happened(&sum);
}

static void same_seed_gives_the_same_lives(void **state)
{
    (void)state;
    struct sim_outcomes runs[2];
    for (size_t i = 0; i < 2; i++) {
        struct sim_scenario scenario;
        sim_scenario_draw(&scenario, 7);
        scenario.setup.broken = broken;
        scenario.setup.ctx = &scenario;
        runs[i] = sim_scenario_run(&scenario, SIM_SCENARIO_JOBS);
    }
    assert_memory_equal(&runs[0], &runs[1], sizeof(runs[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_promise_is_kept_whatever_happens),
        cmocka_unit_test(same_seed_gives_the_same_lives),
    };
    return cmocka_run_group_tests_name("batch_simulation", tests, NULL, NULL);
}
