/*
 * tune_options.c - see tune_options.h.
 */
#include "tune_options.h"

#include <string.h>

#include "admin.h"
#include "thresholds.h"

enum {
    OPTION_TUNE_SLO = LOAD_OPTION_OWN,
    OPTION_TUNE_BUDGET,
    OPTION_TUNE_ADMIN,
    OPTION_TUNE_TOKEN_FILE,
    OPTION_TUNE_KEEP,
};

static const uint64_t BUDGET_NS_DEFAULT = 180 * NS_PER_S;
static const uint64_t BUDGET_NS_MIN = 5 * NS_PER_S;

static const char HELP[] =
    "Usage: jitney-load tune --slo p99=TIME [OPTIONS] [TARGET]\n"
    "\n"
    "Finds how a queue should batch: the setting with the highest throughput whose latency\n"
    "stays within the limit, for as many connections as are given. Settings are changed\n"
    "while the server runs, by the admin API, and put back at the end. TARGET is\n"
    "http://HOST:PORT (default http://127.0.0.1:8001) or unix:PATH.\n"
    "\n"
    "Search\n"
    "  --slo PERCENTILE=TIME  the limit: p99=10ms, p99.9=1s, p50=500us\n"
    "  --connections N        so many ask at the same time, each again when it has its\n"
    "                         answer (default 64)\n"
    "  --budget TIME          for all measurements (default 3m)\n"
    "  --keep                 leave the chosen setting in place\n"
    "  --admin URL            the admin listener (default http://127.0.0.1:8002)\n"
    "  --admin-token-file FILE    holds its token, when it wants one\n"
    "\n";

static const char REPORT_HELP[] =
    "Report\n"
    "  --json FILE            everything, for programs; - is standard output\n"
    "  --quiet                no table and no progress\n"
    "\n"
    "Exit status: 0 found; 1 nothing is within the limit; 2 wrong arguments or token; 3 the\n"
    "target or its admin listener cannot be reached, or does not know the model; 4 it died;\n"
    "130 interrupted (settings are put back, results so far).\n";

static void print_help(FILE *out)
{
    fputs(HELP, out);
    load_options_print_workload_help(out);
    fputs(REPORT_HELP, out);
}

/* --- Values. */

/* The same words as in --fail-if, with another sign between them. */
bool tune_slo_parse(const char *text, struct tune_slo *out, struct load_error *error)
{
    struct threshold threshold;
    struct load_error ignored;
    char copy[THRESHOLD_TEXT_BYTES_MAX];
    const size_t name_bytes = strcspn(text, "=");
    const bool fits = strlen(text) < sizeof copy && name_bytes < sizeof out->name &&
                      text[name_bytes] == '=' && strcspn(text, " ") > name_bytes;
    if (fits) {
        strcpy(copy, text);
        copy[name_bytes] = '>';
    }
    if (!fits || !threshold_parse(copy, &threshold, &ignored) ||
        threshold.figure != THRESHOLD_QUANTILE || threshold.op != THRESHOLD_ABOVE ||
        threshold.value <= 0)
        return load_fail(error, "--slo %s: not a percentile and its limit, as p99=10ms", text);
    *out = (struct tune_slo){.quantile = threshold.quantile, .limit_ns = (uint64_t)threshold.value};
    memcpy(out->name, text, name_bytes);
    return true;
}

static bool take(void *ctx, int id, const char *text, struct load_error *error)
{
    struct tune_options *out = ctx;
    switch (id) {
    case OPTION_TUNE_SLO:
        return tune_slo_parse(text, &out->slo, error);
    case OPTION_TUNE_BUDGET:
        return load_options_take_duration("budget", text, &out->budget_ns, error);
    case OPTION_TUNE_ADMIN:
        out->admin = text;
        return true;
    case OPTION_TUNE_TOKEN_FILE:
        out->admin_token_file = text;
        return true;
    case OPTION_TUNE_KEEP:
        out->keep = true;
        return true;
    default:
        return false;
    }
}

static const struct option OPTIONS[] = {
    {"slo", required_argument, NULL, OPTION_TUNE_SLO},
    {"budget", required_argument, NULL, OPTION_TUNE_BUDGET},
    {"admin", required_argument, NULL, OPTION_TUNE_ADMIN},
    {"admin-token-file", required_argument, NULL, OPTION_TUNE_TOKEN_FILE},
    {"keep", no_argument, NULL, OPTION_TUNE_KEEP},
    {NULL, 0, NULL, 0},
};

static const char *const LEFT_OUT[] = {
    "rate", "arrivals", "duration", "warmup", "grace", "slo", "fail-if", "csv", "histogram", NULL,
};

const struct load_command LOAD_COMMAND_TUNE = {
    .name = "tune",
    .print_help = print_help,
    .options = OPTIONS,
    .left_out = LEFT_OUT,
    .take = take,
    .targets_max = 1,
    .duration_ns = NS_PER_S,
    .warmup_ns = NS_PER_S / 2,
    .grace_ns = 2 * NS_PER_S,
};

void tune_options_init(struct tune_options *options)
{
    *options = (struct tune_options){.budget_ns = BUDGET_NS_DEFAULT, .admin = ADMIN_URL_DEFAULT};
}

bool tune_options_check(const struct tune_options *tune, const struct load_options *options,
                        struct load_error *error)
{
    if (tune->slo.limit_ns == 0)
        return load_fail(error, "--slo is missing: within which latency, as p99=10ms?");
    if (tune->slo.limit_ns < 100 * NS_PER_US)
        return load_fail(error, "--slo %s: less than 100us are not to be tuned for",
                         tune->slo.name);
    if (tune->budget_ns < BUDGET_NS_MIN)
        return load_fail(error, "--budget: less than 5s are not enough to tell anything");
    if (options->workload.kind_count != 1)
        return load_fail(error, "one model or indicator is tuned at a time");
    if (options->workload.kinds[0].what == WORKLOAD_GET)
        return load_fail(error, "a GET has no queue that could be tuned");
    return true;
}
