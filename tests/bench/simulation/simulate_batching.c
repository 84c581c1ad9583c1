/*
 * simulate_batching.c - experiments with the batcher's policy and a virtual clock.
 *
 *   simulate_batching [lives|target|tenants|overload|batches|all] [options]
 *   simulate_batching trace FILE [options]
 *
 *     --lives N         how many job lives the checks run over        JITNEY_JOBS   20 million
 *     --seed N          where chance begins                           JITNEY_SEED   1
 *     --fixed-us X      a batch takes this long,                                    100
 *     --row-us X        and this for each row,                                      20
 *     --noise X         give or take (standard deviation, as a share)               0.1
 *     --outliers X      and this share of batches twenty times as long              0
 *     --rows N          a batch has at most so many rows                            32
 *     --workers N                                                                   2
 *     --target-ms X     for the 99th percentile                                     5
 *     --seconds X       that each run of `target` measures                          5
 *     --load X          only this load of `target`'s                                all
 *
 * Exit status 1: a promise was broken, or a goal missed.
 */
#include "experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static struct experiment defaults(void)
{
    return (struct experiment){.seed = environment_number("JITNEY_SEED", 1),
                               .lives = environment_number("JITNEY_JOBS", 20 * 1000 * 1000),
                               .workers = 2,
                               .curve = {.fixed_ns = 100.0 * (double)US,
                                         .unit_ns = 20.0 * (double)US,
                                         .noise = 0.1,
                                         .outlier_factor = 20},
                               .batch_rows_max = 32,
                               .target_ns = 5 * MS,
                               .seconds = 5};
}

static bool set_option(struct experiment *e, const char *name, const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    if (*end != '\0' || !(value >= 0) || value > 1e15)
        return false;
    if (strcmp(name, "--lives") == 0)
        e->lives = (uint64_t)value;
    else if (strcmp(name, "--seed") == 0)
        e->seed = (uint64_t)value;
    else if (strcmp(name, "--fixed-us") == 0)
        e->curve.fixed_ns = value * (double)US;
    else if (strcmp(name, "--row-us") == 0)
        e->curve.unit_ns = value * (double)US;
    else if (strcmp(name, "--noise") == 0 && value < 0.28)
        e->curve.noise = value;
    else if (strcmp(name, "--outliers") == 0)
        e->curve.outlier_chance = value;
    else if (strcmp(name, "--rows") == 0 && value >= 1)
        e->batch_rows_max = (size_t)value;
    else if (strcmp(name, "--workers") == 0 && value >= 1)
        e->workers = (unsigned)value;
    else if (strcmp(name, "--target-ms") == 0)
        e->target_ns = (uint64_t)(value * (double)MS);
    else if (strcmp(name, "--seconds") == 0)
        e->seconds = value;
    else if (strcmp(name, "--load") == 0)
        e->load = value;
    else
        return false;
    return true;
}

static bool run(const struct experiment *e, const char *what, bool *known)
{
    const bool all = strcmp(what, "all") == 0;
    bool met = true;
    *known = all;
    const struct {
        const char *name;
        bool (*run)(const struct experiment *e);
    } experiments[] = {{"lives", experiment_lives},
                       {"batches", experiment_batches},
                       {"tenants", experiment_tenants},
                       {"overload", experiment_overload},
                       {"target", experiment_target}};
    for (size_t i = 0; i < sizeof(experiments) / sizeof(experiments[0]); i++) {
        if (!all && strcmp(what, experiments[i].name) != 0)
            continue;
        *known = true;
        met = experiments[i].run(e) && met;
    }
    return met;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: simulate_batching [lives|target|tenants|overload|batches|all|trace FILE]\n"
        "         [--lives N] [--seed N] [--fixed-us X] [--row-us X] [--noise X] [--outliers X]\n"
        "         [--rows N] [--workers N] [--target-ms X] [--seconds X] [--load X]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct experiment e = defaults();
    const char *what = "all";
    int at = 1;
    if (at < argc && argv[at][0] != '-')
        what = argv[at++];
    if (strcmp(what, "trace") == 0 && at < argc)
        e.trace = argv[at++];
    for (; at + 1 < argc && set_option(&e, argv[at], argv[at + 1]); at += 2)
        continue;
    if (at < argc)
        return usage();
    if (e.trace != NULL)
        return experiment_trace(&e) ? EXIT_SUCCESS : EXIT_FAILURE;
    bool known;
    const bool met = run(&e, what, &known);
    if (!known)
        return usage();
    return met ? EXIT_SUCCESS : EXIT_FAILURE;
}
