/*
 * load_options.c - see load_options.h.
 */
#include "load_options.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "quantity.h"

enum {
    DEFAULT_CONNECTIONS = 64,
    DEFAULT_POINTS = 1000,
    DEFAULT_PERIOD = 20,
    TIMEOUT_MS_MAX = 24 * 3600 * 1000,
};

static const char HELP_RUN[] =
    "Usage: jitney-load run [OPTIONS] [TARGET]\n"
    "\n"
    "Sends requests to a jitney server and says how it did. TARGET is http://HOST:PORT\n"
    "(default http://127.0.0.1:8001) or unix:PATH.\n"
    "\n"
    "Load\n"
    "  --rate N               open loop: N requests a second are due, whatever the server\n"
    "                         does; latency counts from the intended time (5000, 5k)\n"
    "  --arrivals KIND        poisson (default), uniform, or trace FILE: one time in\n"
    "                         seconds a line (then no --rate)\n"
    "  --connections N        without --rate a closed loop over N connections; with it the\n"
    "                         most that are used (default 64)\n"
    "  --duration TIME        of the measured part (default 10s)\n"
    "  --warmup TIME          before it, counted apart (default 1s)\n"
    "  --grace TIME           wait so long for the last answers (default 5s)\n"
    "  --spin                 poll instead of sleeping: sends are on time to some\n"
    "                         microseconds, for the price of a core\n"
    "\n";

static const char HELP_WORKLOAD[] =
    "Workload\n"
    "  --model NAME[=WEIGHT]      predictions; may be repeated, as may\n"
    "  --indicator NAME[=WEIGHT]  sma, ema or rsi\n"
    "  --get PATH[=WEIGHT]        a GET of it; without any of these: --model digits\n"
    "  --inputs FILE          bodies of the only model (or indicator): JSON with\n"
    "                         \"instances\", or JSON Lines of whole bodies (default: random,\n"
    "                         of its shape)\n"
    "  --rows N               rows of a prediction (default 1)\n"
    "  --points N             points of a series (default 1000)\n"
    "  --period N             of an indicator (default 20)\n"
    "  --timeout TIME         the deadline to ask for: X-Request-Timeout-Ms\n"
    "  --priority NAME        X-Priority: interactive or batch\n"
    "  --tenant NAME          X-Tenant\n"
    "  --invalid SHARE        so many requests are wrong, and expect a 400 (2%)\n"
    "  --abandon SHARE        so many clients leave before their answer\n"
    "  --abandon-after TIME   ... after so long (default 1ms)\n"
    "  --seed N               of all that is random (default 1)\n"
    "\n";

static const char HELP_REPORT[] =
    "Report\n"
    "  --slo TIME             goodput counts answers within it\n"
    "  --fail-if 'FIGURE>VALUE'   exit with 1: p99>5ms, errors>=1%, goodput<900, lag>1ms;\n"
    "                         may be repeated\n"
    "  --json FILE            everything, for programs; - is standard output\n"
    "  --csv FILE             a line for each second\n"
    "  --histogram FILE       latencies in HdrHistogram's text format\n"
    "  --quiet                no table and no progress\n"
    "  --client-timeout TIME  give up a silent connection (default 30s)\n"
    "\n";

static const char HELP_EXIT[] =
    "Exit status: 0 done; 1 a --fail-if held; 2 wrong arguments; 3 the target cannot be\n"
    "reached or does not know the model; 4 it died; 130 interrupted (results so far).\n";

void load_options_print_workload_help(FILE *out)
{
    fputs(HELP_WORKLOAD, out);
}

void load_options_print_exit_help(FILE *out)
{
    fputs(HELP_EXIT, out);
}

static void print_help(FILE *out)
{
    fputs(HELP_RUN, out);
    load_options_print_workload_help(out);
    fputs(HELP_REPORT, out);
    load_options_print_exit_help(out);
}

enum option_id {
    OPTION_RATE = 256,
    OPTION_ARRIVALS,
    OPTION_CONNECTIONS,
    OPTION_DURATION,
    OPTION_WARMUP,
    OPTION_GRACE,
    OPTION_SPIN,
    OPTION_MODEL,
    OPTION_INDICATOR,
    OPTION_GET,
    OPTION_INPUTS,
    OPTION_ROWS,
    OPTION_POINTS,
    OPTION_PERIOD,
    OPTION_TIMEOUT,
    OPTION_PRIORITY,
    OPTION_TENANT,
    OPTION_INVALID,
    OPTION_ABANDON,
    OPTION_ABANDON_AFTER,
    OPTION_SEED,
    OPTION_SLO,
    OPTION_FAIL_IF,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_HISTOGRAM,
    OPTION_QUIET,
    OPTION_CLIENT_TIMEOUT,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"rate", required_argument, NULL, OPTION_RATE},
    {"arrivals", required_argument, NULL, OPTION_ARRIVALS},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"grace", required_argument, NULL, OPTION_GRACE},
    {"spin", no_argument, NULL, OPTION_SPIN},
    {"model", required_argument, NULL, OPTION_MODEL},
    {"indicator", required_argument, NULL, OPTION_INDICATOR},
    {"get", required_argument, NULL, OPTION_GET},
    {"inputs", required_argument, NULL, OPTION_INPUTS},
    {"rows", required_argument, NULL, OPTION_ROWS},
    {"points", required_argument, NULL, OPTION_POINTS},
    {"period", required_argument, NULL, OPTION_PERIOD},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"priority", required_argument, NULL, OPTION_PRIORITY},
    {"tenant", required_argument, NULL, OPTION_TENANT},
    {"invalid", required_argument, NULL, OPTION_INVALID},
    {"abandon", required_argument, NULL, OPTION_ABANDON},
    {"abandon-after", required_argument, NULL, OPTION_ABANDON_AFTER},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"slo", required_argument, NULL, OPTION_SLO},
    {"fail-if", required_argument, NULL, OPTION_FAIL_IF},
    {"json", required_argument, NULL, OPTION_JSON},
    {"csv", required_argument, NULL, OPTION_CSV},
    {"histogram", required_argument, NULL, OPTION_HISTOGRAM},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"client-timeout", required_argument, NULL, OPTION_CLIENT_TIMEOUT},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* --- Values. */

bool load_options_take_duration(const char *name, const char *text, uint64_t *out,
                                struct load_error *error)
{
    return quantity_parse_duration(text, out) ||
           load_fail(error, "--%s %s: not a duration, as 250us, 5ms or 10s", name, text);
}

static bool take_share(const char *name, const char *text, double *out, struct load_error *error)
{
    return quantity_parse_share(text, out) ||
           load_fail(error, "--%s %s: not a share, as 2%% or 0.02", name, text);
}

bool load_options_take_count(const char *name, const char *text, size_t max, size_t *out,
                             struct load_error *error)
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > max)
        return load_fail(error, "--%s %s: not a whole number from 1 to %zu", name, text, max);
    *out = (size_t)value;
    return true;
}

static bool take_seed(const char *text, uint64_t *out, struct load_error *error)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return (*text >= '0' && *text <= '9' && *end == '\0') ||
           load_fail(error, "--seed %s: not a whole number", text);
}

bool load_options_take_rate(const char *name, const char *text, double *out,
                            struct load_error *error)
{
    return (quantity_parse_number(text, out) && *out >= 0.001 && *out <= 1e7) ||
           load_fail(error, "--%s %s: not a number from 0.001 to 10M a second", name, text);
}

static bool take_timeout(const char *text, unsigned *out, struct load_error *error)
{
    uint64_t ns;
    if (!load_options_take_duration("timeout", text, &ns, error))
        return false;
    if (ns < NS_PER_MS || ns / NS_PER_MS > TIMEOUT_MS_MAX || ns % NS_PER_MS != 0)
        return load_fail(error, "--timeout %s: not whole milliseconds, from 1ms to a day", text);
    *out = (unsigned)(ns / NS_PER_MS);
    return true;
}

static bool take_priority(const char *text, const char **out, struct load_error *error)
{
    *out = text;
    return strcmp(text, "interactive") == 0 || strcmp(text, "batch") == 0 ||
           load_fail(error, "--priority %s: not interactive or batch", text);
}

/* "trace FILE" is two arguments; the second is the next one, which getopt has not seen. */
static bool take_arrivals(int argc, char **argv, const char *text, struct load_options *out,
                          struct load_error *error)
{
    if (strcmp(text, "poisson") == 0)
        out->arrivals = ARRIVALS_POISSON;
    else if (strcmp(text, "uniform") == 0)
        out->arrivals = ARRIVALS_UNIFORM;
    else if (strcmp(text, "trace") != 0)
        return load_fail(error, "--arrivals %s: not poisson, uniform or trace FILE", text);
    else if (optind >= argc)
        return load_fail(error, "--arrivals trace: no file stands behind it");
    else {
        out->arrivals = ARRIVALS_TRACE;
        out->trace = argv[optind++];
    }
    return true;
}

static bool is_indicator(const char *name)
{
    return strcmp(name, "sma") == 0 || strcmp(name, "ema") == 0 || strcmp(name, "rsi") == 0;
}

/* NAME or NAME=WEIGHT. */
static bool take_kind(enum workload_what what, const char *text, struct workload_spec *spec,
                      struct load_error *error)
{
    if (spec->kind_count == WORKLOAD_KINDS_MAX)
        return load_fail(error, "more than %d models, indicators and paths", WORKLOAD_KINDS_MAX);
    struct workload_kind *kind = &spec->kinds[spec->kind_count];
    const char *equals = strchr(text, '=');
    const size_t bytes = equals != NULL ? (size_t)(equals - text) : strlen(text);
    if (bytes == 0 || bytes >= sizeof kind->name)
        return load_fail(error, "\"%s\" is not a name", text);
    *kind = (struct workload_kind){.what = what, .weight = 1};
    memcpy(kind->name, text, bytes);
    if (equals != NULL && (!quantity_parse_number(equals + 1, &kind->weight) || kind->weight <= 0))
        return load_fail(error, "\"%s\": the weight is not a positive number", text);
    if (what == WORKLOAD_INDICATOR && !is_indicator(kind->name))
        return load_fail(error, "--indicator %s: not sma, ema or rsi", text);
    if (what == WORKLOAD_GET && (kind->name[0] != '/' || strchr(kind->name, '?') != NULL))
        return load_fail(error, "--get %s: not a path as /health, without a query", text);
    spec->kind_count++;
    return true;
}

static bool take_threshold(const char *text, struct load_options *out, struct load_error *error)
{
    if (out->threshold_count == LOAD_THRESHOLDS_MAX)
        return load_fail(error, "more than %d thresholds", LOAD_THRESHOLDS_MAX);
    return threshold_parse(text, &out->thresholds[out->threshold_count++], error);
}

static bool take_option(enum option_id id, int argc, char **argv, struct load_options *out,
                        struct load_error *error)
{
    struct load_config *load = &out->load;
    struct workload_spec *spec = &out->workload;
    const char *text = optarg;
    switch (id) {
    case OPTION_RATE:
        return load_options_take_rate("rate", text, &out->rate, error);
    case OPTION_ARRIVALS:
        return take_arrivals(argc, argv, text, out, error);
    case OPTION_CONNECTIONS:
        return load_options_take_count("connections", text, LOAD_CONNECTIONS_MAX,
                                       &load->connections, error);
    case OPTION_DURATION:
        return load_options_take_duration("duration", text, &load->duration_ns, error);
    case OPTION_WARMUP:
        return load_options_take_duration("warmup", text, &load->warmup_ns, error);
    case OPTION_GRACE:
        return load_options_take_duration("grace", text, &load->grace_ns, error);
    case OPTION_SPIN:
        load->spin = true;
        return true;
    case OPTION_MODEL:
        return take_kind(WORKLOAD_MODEL, text, spec, error);
    case OPTION_INDICATOR:
        return take_kind(WORKLOAD_INDICATOR, text, spec, error);
    case OPTION_GET:
        return take_kind(WORKLOAD_GET, text, spec, error);
    case OPTION_INPUTS:
        out->inputs = text;
        return true;
    case OPTION_ROWS:
        return load_options_take_count("rows", text, WORKLOAD_ROWS_MAX, &spec->rows, error);
    case OPTION_POINTS:
        return load_options_take_count("points", text, WORKLOAD_POINTS_MAX, &spec->points, error);
    case OPTION_PERIOD:
        return load_options_take_count("period", text, WORKLOAD_POINTS_MAX, &spec->period, error);
    case OPTION_TIMEOUT:
        return take_timeout(text, &spec->timeout_ms, error);
    case OPTION_PRIORITY:
        return take_priority(text, &spec->priority, error);
    case OPTION_TENANT:
        spec->tenant = text;
        return true;
    case OPTION_INVALID:
        return take_share("invalid", text, &spec->invalid_share, error);
    case OPTION_ABANDON:
        return take_share("abandon", text, &spec->abandoned_share, error);
    case OPTION_ABANDON_AFTER:
        return load_options_take_duration("abandon-after", text, &load->abandon_after_ns, error);
    case OPTION_SEED:
        return take_seed(text, &spec->seed, error);
    case OPTION_SLO:
        return load_options_take_duration("slo", text, &load->slo_ns, error);
    case OPTION_FAIL_IF:
        return take_threshold(text, out, error);
    case OPTION_JSON:
        out->json = text;
        return true;
    case OPTION_CSV:
        out->csv = text;
        return true;
    case OPTION_HISTOGRAM:
        out->histogram = text;
        return true;
    case OPTION_QUIET:
        out->quiet = true;
        return true;
    case OPTION_CLIENT_TIMEOUT:
        return load_options_take_duration("client-timeout", text, &load->client_timeout_ns, error);
    case OPTION_HELP:
        return true;
    }
    return true;
}

/* --- The whole. */

enum {
    OPTIONS_MAX = ARRAY_SIZE(OPTIONS) + LOAD_OPTIONS_OWN_MAX,
};

const struct load_command LOAD_COMMAND_RUN = {
    .name = "run",
    .print_help = print_help,
    .targets_max = 1,
    .duration_ns = 10 * NS_PER_S,
    .warmup_ns = NS_PER_S,
    .grace_ns = 5 * NS_PER_S,
};

static bool leaves_out(const struct load_command *command, const char *name)
{
    for (const char *const *left = command->left_out; left != NULL && *left != NULL; left++)
        if (strcmp(*left, name) == 0)
            return true;
    return false;
}

/* The command's own options, then those of `run` that it has too. */
static void merge_options(const struct load_command *command, struct option out[OPTIONS_MAX])
{
    size_t count = 0;
    const struct option *own = command->options;
    for (; own != NULL && own->name != NULL; own++) {
        assert(count < LOAD_OPTIONS_OWN_MAX);
        out[count++] = *own;
    }
    for (const struct option *option = OPTIONS; option->name != NULL; option++)
        if (!leaves_out(command, option->name))
            out[count++] = *option;
    out[count] = (struct option){0};
}

static void set_defaults(const struct load_command *command, struct load_options *out)
{
    *out = (struct load_options){
        .target = "http://127.0.0.1:8001",
        .workload = {.rows = 1, .points = DEFAULT_POINTS, .period = DEFAULT_PERIOD, .seed = 1},
        .arrivals = ARRIVALS_POISSON,
        .load = {.connections = DEFAULT_CONNECTIONS,
                 .warmup_ns = command->warmup_ns,
                 .duration_ns = command->duration_ns,
                 .grace_ns = command->grace_ns,
                 .abandon_after_ns = NS_PER_MS,
                 .client_timeout_ns = 30 * NS_PER_S,
                 .give_up_ns = 3 * NS_PER_S},
    };
}

static bool take_arguments(const struct load_command *command, int argc, char **argv,
                           struct load_options *out, struct load_error *error)
{
    const size_t targets = (size_t)(argc - optind);
    if (targets > command->targets_max)
        return load_fail(error, "%s: %s", argv[(size_t)optind + command->targets_max],
                         command->targets_max == 1 ? "one target is enough"
                                                   : "two targets are enough");
    if (targets >= 1)
        out->target = argv[optind];
    if (targets >= 2)
        out->other_target = argv[optind + 1];
    if (out->workload.kind_count == 0)
        return take_kind(WORKLOAD_MODEL, "digits", &out->workload, error);
    return true;
}

static struct workload_kind *only_kind(struct workload_spec *spec, enum workload_what what,
                                       size_t *out_count)
{
    struct workload_kind *found = NULL;
    *out_count = 0;
    for (size_t i = 0; i < spec->kind_count; i++)
        if (spec->kinds[i].what == what) {
            found = &spec->kinds[i];
            ++*out_count;
        }
    return *out_count == 1 ? found : NULL;
}

struct workload_kind *load_options_inputs_kind(struct workload_spec *spec)
{
    size_t models, indicators;
    struct workload_kind *model = only_kind(spec, WORKLOAD_MODEL, &models);
    struct workload_kind *indicator = only_kind(spec, WORKLOAD_INDICATOR, &indicators);
    return models == 0 ? indicator : model;
}

static bool check_arrivals(const struct load_command *command, const struct load_options *options,
                           bool arrivals_given, struct load_error *error)
{
    const bool trace = options->arrivals == ARRIVALS_TRACE;
    if (trace && command->no_trace)
        return load_fail(error, "--arrivals trace: only `run` plays one");
    if (trace && options->rate > 0)
        return load_fail(error, "a trace has its own rate: leave out --rate");
    if (arrivals_given && !trace && options->rate <= 0 && !command->has_rates)
        return load_fail(error, "--arrivals needs --rate");
    return true;
}

static bool check(struct load_options *options, struct load_error *error)
{
    if (options->load.duration_ns == 0)
        return load_fail(error, "--duration 0: nothing would be measured");
    if (options->load.client_timeout_ns == 0)
        return load_fail(error, "--client-timeout 0: nothing would be waited for");
    if (options->inputs != NULL && load_options_inputs_kind(&options->workload) == NULL)
        return load_fail(error, "--inputs needs exactly one --model, or one --indicator");
    return true;
}

static bool take(const struct load_command *command, int id, int argc, char **argv,
                 struct load_options *out, void *ctx, struct load_error *error)
{
    if (id >= LOAD_OPTION_OWN)
        return command->take(ctx, id, optarg, error);
    return take_option((enum option_id)id, argc, argv, out, error);
}

enum load_options_result load_options_parse(const struct load_command *command, int argc,
                                            char **argv, struct load_options *out, void *ctx,
                                            struct load_error *error)
{
    struct option options[OPTIONS_MAX];
    bool arrivals_given = false;
    merge_options(command, options);
    set_defaults(command, out);
    opterr = 0;
    optind = 0; /* glibc: start afresh */
    for (int id; (id = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (id == OPTION_HELP || id == 'h')
            return LOAD_OPTIONS_HELP;
        if (id == '?' || id == ':') {
            load_fail(error, id == ':' ? "%s: no value stands behind it" : "%s: no such option",
                      argv[optind - 1]);
            return LOAD_OPTIONS_WRONG;
        }
        arrivals_given |= id == OPTION_ARRIVALS;
        if (!take(command, id, argc, argv, out, ctx, error))
            return LOAD_OPTIONS_WRONG;
    }
    const bool ok = take_arguments(command, argc, argv, out, error) &&
                    check_arrivals(command, out, arrivals_given, error) && check(out, error);
    return ok ? LOAD_OPTIONS_OK : LOAD_OPTIONS_WRONG;
}
