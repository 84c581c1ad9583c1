/*
 * bench_kernels.c - how fast each table of kernels is, beside the plain one, the
 * machine's limits, OpenBLAS, another library and Python, all in one paired run.
 *
 * One thread. `usage` says what there is to choose. Compile with optimisation
 * (preset bench).
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ROUNDS_DEFAULT 41
#define SAMPLE_NS 1e6 /* short, and many of them: a neighbour spoils few */
#define QUICK_ROUNDS 3
#define QUICK_SAMPLE_NS 2e5

static const char usage[] =
    "bench_kernels [--quick] [--rounds N] [--only KERNEL] [--python] [--against LIB.so]\n"
    "              [--csv FILE] [--json FILE]\n"
    "  --quick     few short rounds: less exact, in seconds\n"
    "  --only      sma, ema, rsi, dense, relu, sigmoid, tanh or softmax\n"
    "  --python    also the plain loops of tests/bench/baselines.py\n"
    "  --against   also a library with TA-Lib's TA_SMA, TA_EMA, TA_RSI\n"
    "Rates are 1e9 values/s, and GFLOP/s for dense layers (int8 operations where a row says so). "
    "\"of limit\" is the part of memcpy, or "
    "of the\n"
    "FMA units' peak. \"best is\" says how many times as fast the fastest table is as this row.\n";

struct contender *contender_add(struct contenders *all, enum contender_role role, const char *name)
{
    if (all->count == CONTENDERS_MAX)
        abort(); /* raise CONTENDERS_MAX */
    struct contender *added = &all->list[all->count++];
    *added = (struct contender){.role = role};
    snprintf(added->name, sizeof added->name, "%s", name);
    return added;
}

static bool parse_rounds(const char *text, size_t *out)
{
    char *end;
    const unsigned long rounds = strtoul(text, &end, 10);
    if (*end != '\0' || rounds < 1 || rounds > ROUNDS_MAX)
        return false;
    *out = rounds;
    return true;
}

static bool parse_option(int option, struct bench_options *options)
{
    switch (option) {
    case 'q':
        options->rounds = QUICK_ROUNDS;
        options->sample_ns = QUICK_SAMPLE_NS;
        return true;
    case 'r':
        return parse_rounds(optarg, &options->rounds);
    case 'o':
        options->only = optarg;
        return true;
    case 'p':
        options->python = true;
        return true;
    case 'a':
        options->against_path = optarg;
        return true;
    case 'c':
        options->csv_path = optarg;
        return true;
    case 'j':
        options->json_path = optarg;
        return true;
    default:
        return false;
    }
}

static bool parse_options(int argc, char **argv, struct bench_options *options)
{
    static const struct option known[] = {
        {"quick", no_argument, NULL, 'q'},         {"rounds", required_argument, NULL, 'r'},
        {"only", required_argument, NULL, 'o'},    {"python", no_argument, NULL, 'p'},
        {"against", required_argument, NULL, 'a'}, {"csv", required_argument, NULL, 'c'},
        {"json", required_argument, NULL, 'j'},    {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (!parse_option(option, options))
            return false;
    return optind == argc;
}

static bool add_contenders(struct contenders *all, const struct bench_options *options)
{
    add_tables(all);
    add_packed(all);
    add_int8(all);
    add_limits(all);
    add_blas(all);
    if (options->against_path != NULL && !add_against(all, options->against_path))
        return false;
    return !options->python || add_python(all);
}

static size_t measure_cases(const struct bench_case *cases, size_t count,
                            const struct contenders *all, const struct operands *o,
                            const struct bench_options *options, struct result *results)
{
    size_t n = 0;
    report_heading(stdout);
    for (size_t i = 0; i < count; i++) {
        if (options->only != NULL && strcmp(options->only, bench_kernel_str(cases[i].kernel)) != 0)
            continue;
        const size_t added = measure_case(&cases[i], all, o, options, results + n);
        report_rows(stdout, results + n, added);
        n += added;
    }
    return n;
}

static bool run(const struct contenders *all, const struct operands *o,
                const struct bench_options *options)
{
    struct bench_case cases[CASES_MAX];
    const size_t count = bench_cases(cases);
    struct result *results = calloc(CASES_MAX * CONTENDERS_MAX, sizeof *results);
    if (results == NULL)
        return false;
    printf("%s\n", kernels_blas_description());
    const size_t n = measure_cases(cases, count, all, o, options, results);
    if (n == 0)
        fprintf(stderr, "bench_kernels: no kernel is called %s\n", options->only);
    bool ok = n > 0;
    if (options->csv_path != NULL)
        ok = report_csv(options->csv_path, results, n) && ok;
    if (options->json_path != NULL)
        ok = report_json(options->json_path, options, results, n) && ok;
    free(results);
    return ok;
}

int main(int argc, char **argv)
{
    struct bench_options options = {.rounds = ROUNDS_DEFAULT, .sample_ns = SAMPLE_NS};
    struct contenders all = {0};
    struct operands operands = {0};
    if (!parse_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    const bool ok = operands_create(&operands) && add_contenders(&all, &options) &&
                    run(&all, &operands, &options);
    remove_python(&all);
    remove_against(&all);
    operands_destroy(&operands);
    return ok ? 0 : 1;
}
