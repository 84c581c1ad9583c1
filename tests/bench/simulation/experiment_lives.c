/*
 * experiment_lives.c - random lives with every promise checked, and how many in a minute.
 */
#include "experiment.h"
#include "sim_scenario.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <time.h>

struct lives {
    jmp_buf broke;
    uint64_t breaks;
    uint64_t seed;
};

__attribute__((noreturn)) static void broken(void *ctx, const char *what)
{
    struct lives *lives = ctx;
    printf("BREAK %s\n  replay: JITNEY_SEED=%" PRIu64
           " JITNEY_JOBS=%d build/bench/tests/simulate_batching lives\n",
           what, lives->seed, SIM_SCENARIO_JOBS);
    fflush(stdout);
    lives->breaks++;
    longjmp(lives->broke, 1);
}

static uint64_t admitted(const struct sim_outcomes *o)
{
    return o->finished + o->expired + o->cancelled + o->stopped;
}

/* The memory of a world that broke is lost: there should be none. */
static void run_one(struct lives *lives, uint64_t seed, struct sim_outcomes *sum)
{
    struct sim_scenario scenario;
    sim_scenario_draw(&scenario, seed);
    scenario.setup.broken = broken;
    scenario.setup.ctx = lives;
    lives->seed = seed;
    const struct sim_outcomes one = sim_scenario_run(&scenario, SIM_SCENARIO_JOBS);
    sum->tried += one.tried;
    sum->finished += one.finished;
    sum->expired += one.expired;
    sum->cancelled += one.cancelled;
    sum->stopped += one.stopped;
    for (size_t st = 0; st < BATCHER_STATUS_COUNT; st++)
        sum->refused[st] += one.refused[st];
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_outcomes(const struct sim_outcomes *o)
{
    printf("%" PRIu64 " asked, %" PRIu64 " admitted: %" PRIu64 " finished, %" PRIu64
           " expired, %" PRIu64 " cancelled, %" PRIu64 " abandoned\nrefused:",
           o->tried, admitted(o), o->finished, o->expired, o->cancelled, o->stopped);
    for (size_t st = 0; st < BATCHER_STATUS_COUNT; st++)
        if (o->refused[st] > 0)
            printf(" %" PRIu64 " (%s)", o->refused[st],
                   batcher_status_str((enum batcher_status)st));
    printf("\n");
}

/* Of all lives, only those count that were admitted: refusing is quick. */
bool experiment_lives(const struct experiment *e)
{
    struct lives lives = {.breaks = 0};
    struct sim_outcomes sum = {0};
    const double start_s = cpu_s();
    volatile uint64_t seed = e->seed;
    printf("\n## Lives of jobs, with every promise checked at every step\n\n");
    for (; admitted(&sum) < e->lives; seed++) {
        if (setjmp(lives.broke) == 0)
            run_one(&lives, seed, &sum);
        if (lives.breaks >= 20)
            break;
    }
    const double took_s = cpu_s() - start_s;
    print_outcomes(&sum);
    printf("seeds %" PRIu64 " to %" PRIu64 ", %.1f s: %.1f million lives a minute, %" PRIu64
           " breaks\n",
           e->seed, seed - 1, took_s, (double)admitted(&sum) / took_s * 60 / 1e6, lives.breaks);
    return lives.breaks == 0;
}
