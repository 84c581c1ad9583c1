/*
 * command_compare.c - `jitney-load compare`: two targets, or two settings of one, in turns.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "compare_report.h"
#include "quantity.h"

enum {
    ROUNDS_DEFAULT = 9, /* the fewest of which one spoilt on either side is forgiven */
};

static const double CONFIDENCE_DEFAULT = 0.95;

/* --- The command line. */

static const char HELP_COMPARE[] =
    "Usage: jitney-load compare [OPTIONS] TARGET_A TARGET_B\n"
    "       jitney-load compare [OPTIONS] [--a SETTINGS] [--b SETTINGS] [TARGET]\n"
    "\n"
    "Measures A and B in turns (A B, B A, ...), and says by how much B differs and how sure\n"
    "that is. A and B are two targets, or two settings of one target's queue: they are set\n"
    "over its admin listener before each run, and put back at the end.\n"
    "\n"
    "Sides\n"
    "  --a SETTINGS           as 'max_batch_rows=8,max_delay=1ms'; without it, A is the queue as\n"
    "  --b SETTINGS           it is; the same for B\n"
    "  --queue NAME           whose settings (default: the only model or indicator)\n"
    "  --admin URL            of the admin listener (default " ADMIN_URL_DEFAULT ")\n"
    "  --admin-token-file FILE    its token, when it wants one\n"
    "\n"
    "Rounds\n"
    "  --rounds N             of one run of A and one of B (default 9), after one that does not\n"
    "                         count\n"
    "  --confidence SHARE     of the intervals, at least (default 95%)\n"
    "  --rate N               open loops; without it closed ones, for throughput\n"
    "  --arrivals KIND        poisson (default) or uniform\n"
    "  --connections N        (default 64)\n"
    "  --duration TIME        of the measured part of a run (default 2s)\n"
    "  --warmup TIME          before it (default 500ms)\n"
    "  --grace TIME           wait so long for the last answers (default 1s)\n"
    "  --spin                 poll instead of sleeping: sends are on time to some\n"
    "                         microseconds, for the price of a core\n"
    "\n";

static const char HELP_COMPARE_REPORT[] =
    "Report\n"
    "  --slo TIME             goodput counts answers within it\n"
    "  --fail-if 'FIGURE>RATIO'   exit with 1 when B/A is shown to be so, by the whole interval:\n"
    "                         p99>1.05, throughput<0.95; also p50, p90, goodput, cpu, batch; may\n"
    "                         be repeated\n"
    "  --json FILE            everything, for programs; - is standard output\n"
    "  --quiet                no table and no progress\n"
    "  --client-timeout TIME  give up a silent connection (default 30s)\n"
    "\n";

enum own_option {
    OWN_A = LOAD_OPTION_OWN,
    OWN_B,
    OWN_QUEUE,
    OWN_ADMIN,
    OWN_ADMIN_TOKEN_FILE,
    OWN_ROUNDS,
    OWN_CONFIDENCE,
    OWN_FAIL_IF,
};

static const struct option OPTIONS[] = {
    {"a", required_argument, NULL, OWN_A},
    {"b", required_argument, NULL, OWN_B},
    {"queue", required_argument, NULL, OWN_QUEUE},
    {"admin", required_argument, NULL, OWN_ADMIN},
    {"admin-token-file", required_argument, NULL, OWN_ADMIN_TOKEN_FILE},
    {"rounds", required_argument, NULL, OWN_ROUNDS},
    {"confidence", required_argument, NULL, OWN_CONFIDENCE},
    {"fail-if", required_argument, NULL, OWN_FAIL_IF},
    {NULL, 0, NULL, 0},
};

static const char *const LEFT_OUT[] = {"fail-if", "csv", "histogram", NULL};

/* A or B. */
struct side {
    const char *settings; /* as they were given; NULL: none were */
    struct admin_patch patch;
    struct measure *measure;
};

/* Everything that one comparison holds. */
struct compare_session {
    struct load_options options;
    struct load_error error;
    const char *queue_name;
    const char *admin_url;
    const char *admin_token_file;
    struct compare_threshold thresholds[COMPARE_THRESHOLDS_MAX];
    size_t threshold_count;

    struct admin admin;
    struct admin_queue before;
    struct admin_queue now;
    const struct side *set; /* whose settings hold; NULL: those of before */

    struct side a;
    struct side b;
    struct interrupt interrupt;
    FILE *json;
    FILE *table; /* NULL: none is wanted */
    struct compare compare;
};

static bool take_threshold(struct compare_session *s, const char *text, struct load_error *error)
{
    if (s->threshold_count == COMPARE_THRESHOLDS_MAX)
        return load_fail(error, "more than %d thresholds", COMPARE_THRESHOLDS_MAX);
    return compare_threshold_parse(text, &s->thresholds[s->threshold_count++], error);
}

static bool take_confidence(const char *text, double *out, struct load_error *error)
{
    return (quantity_parse_share(text, out) && *out >= 0.5 && *out < 1) ||
           load_fail(error, "--confidence %s: not a share from 50%% to below 100%%", text);
}

static bool take_settings(struct side *side, const char *text, struct load_error *error)
{
    side->settings = text;
    return admin_patch_parse(text, &side->patch, error);
}

static bool take_queue(struct compare_session *s, const char *text, struct load_error *error)
{
    s->queue_name = text;
    if (*text == '\0' || strlen(text) >= ADMIN_QUEUE_BYTES_MAX ||
        strpbrk(text, " \r\n\t/?#") != NULL)
        return load_fail(error, "--queue \"%s\": not a queue's name", text);
    return true;
}

static bool take(void *ctx, int id, const char *text, struct load_error *error)
{
    struct compare_session *s = ctx;
    switch ((enum own_option)id) {
    case OWN_A:
        return take_settings(&s->a, text, error);
    case OWN_B:
        return take_settings(&s->b, text, error);
    case OWN_QUEUE:
        return take_queue(s, text, error);
    case OWN_ADMIN:
        s->admin_url = text;
        return true;
    case OWN_ADMIN_TOKEN_FILE:
        s->admin_token_file = text;
        return true;
    case OWN_ROUNDS:
        return load_options_take_count("rounds", text, COMPARE_ROUNDS_MAX,
                                       &s->compare.rounds_wished, error);
    case OWN_CONFIDENCE:
        return take_confidence(text, &s->compare.confidence, error);
    case OWN_FAIL_IF:
        return take_threshold(s, text, error);
    }
    return true;
}

static void print_help(FILE *out)
{
    fputs(HELP_COMPARE, out);
    load_options_print_workload_help(out);
    fputs(HELP_COMPARE_REPORT, out);
    load_options_print_exit_help(out);
}

static const struct load_command COMMAND = {
    .name = "compare",
    .print_help = print_help,
    .options = OPTIONS,
    .left_out = LEFT_OUT,
    .take = take,
    .targets_max = 2,
    .no_trace = true,
    .duration_ns = 2 * NS_PER_S,
    .warmup_ns = NS_PER_S / 2,
    .grace_ns = NS_PER_S,
};

static bool of_settings(const struct compare_session *s)
{
    return s->a.settings != NULL || s->b.settings != NULL;
}

static bool check_settings(struct compare_session *s)
{
    if (s->options.other_target != NULL)
        return load_fail(&s->error, "--a and --b are settings of one target: leave out the second");
    if (s->queue_name == NULL && s->options.workload.kind_count > 1)
        return load_fail(&s->error, "--queue: which of the models and indicators?");
    if (s->queue_name == NULL && !take_queue(s, s->options.workload.kinds[0].name, &s->error))
        return false;
    s->compare.queue = s->queue_name;
    s->compare.a = s->a.settings != NULL ? s->a.settings : "as it is";
    s->compare.b = s->b.settings != NULL ? s->b.settings : "as it is";
    return true;
}

static bool check(struct compare_session *s)
{
    if (of_settings(s))
        return check_settings(s);
    if (s->options.other_target == NULL)
        return load_fail(&s->error, "two targets are needed, or settings of one: --a or --b");
    if (s->queue_name != NULL)
        return load_fail(&s->error, "--queue goes with --a and --b");
    s->compare.a = s->options.target;
    s->compare.b = s->options.other_target;
    return true;
}

static bool open_files(struct compare_session *s)
{
    const char *json = s->options.json;
    if (!s->options.quiet && (json == NULL || strcmp(json, "-") != 0))
        s->table = stdout;
    return command_open_file(json, &s->json, &s->error);
}

/* --- Settings. */

/* Each side sets what it says, and takes back what only the other says. */
static bool complete_patches(struct compare_session *s)
{
    const struct admin_patch of_a = s->a.patch;
    return (admin_patch_add_back(&s->a.patch, &s->b.patch, &s->before) &&
            admin_patch_add_back(&s->b.patch, &of_a, &s->before)) ||
           load_fail(&s->error, "more than %d settings", ADMIN_SETTINGS_MAX);
}

static enum load_exit look_at_queue(struct compare_session *s)
{
    const char *url = s->admin_url != NULL ? s->admin_url : ADMIN_URL_DEFAULT;
    if (!admin_init(&s->admin, url, s->admin_token_file, &s->error))
        return LOAD_EXIT_USAGE;
    enum admin_status status = admin_read(&s->admin, s->queue_name, &s->before, &s->error);
    if (status != ADMIN_OK)
        return admin_exit(status);
    s->now = s->before;
    if (!complete_patches(s))
        return LOAD_EXIT_USAGE;
    status = admin_try(&s->admin, &s->before, &s->a.patch, &s->error);
    if (status == ADMIN_OK)
        status = admin_try(&s->admin, &s->before, &s->b.patch, &s->error);
    return admin_exit(status);
}

static enum load_exit set(struct compare_session *s, const struct side *side)
{
    if (!of_settings(s) || s->set == side)
        return LOAD_EXIT_DONE;
    s->set = side;
    return admin_exit(admin_change(&s->admin, &s->now, &side->patch, &s->error));
}

static enum load_exit put_back(struct compare_session *s)
{
    struct load_error why;
    if (s->set == NULL)
        return LOAD_EXIT_DONE;
    const enum admin_status status = admin_put_back(&s->admin, &s->before, &s->now, &why);
    if (status != ADMIN_OK)
        fprintf(stderr, "jitney-load: the settings could not be put back: %s\n", why.text);
    return admin_exit(status);
}

/* --- Rounds. */

static enum load_exit stopped(struct compare_session *s, const struct side *side,
                              const struct measurement *figures)
{
    const bool second = side == &s->b && s->options.other_target != NULL;
    const char *target = second ? s->options.other_target : s->options.target;
    s->compare.end = figures->end;
    if (figures->end == LOAD_END_UNREACHABLE)
        load_fail(&s->error, "%s cannot be reached: %s", target, figures->error);
    else if (figures->end == LOAD_END_DIED)
        load_fail(&s->error, "%s went away: %s", target, figures->error);
    return measure_exit(figures);
}

static enum load_exit run_side(struct compare_session *s, const struct side *side,
                               const char *round, struct measurement *out)
{
    char label[80];
    snprintf(label, sizeof label, "%s, %s: ", round, side == &s->a ? "A" : "B");
    const struct measure_load load = {.rate = s->options.rate,
                                      .seed = s->options.workload.seed + s->compare.round_count,
                                      .label = label};
    const enum load_exit status = set(s, side);
    if (status != LOAD_EXIT_DONE)
        return status;
    if (!measure_run(side->measure, &load, out, &s->error))
        return LOAD_EXIT_USAGE;
    return out->end == LOAD_END_DONE ? LOAD_EXIT_DONE : stopped(s, side, out);
}

static enum load_exit run_both(struct compare_session *s, const char *name,
                               struct compare_round *round)
{
    enum load_exit status =
        round->b_first ? run_side(s, &s->b, name, &round->b) : run_side(s, &s->a, name, &round->a);
    if (status == LOAD_EXIT_DONE)
        status = round->b_first ? run_side(s, &s->a, name, &round->a)
                                : run_side(s, &s->b, name, &round->b);
    return status;
}

/* A round that does not count: first runs are slower than all others. */
static enum load_exit warm_up(struct compare_session *s)
{
    struct compare_round round = {.b_first = true};
    return run_both(s, "warm-up", &round);
}

static enum load_exit run_round(struct compare_session *s)
{
    struct compare *compare = &s->compare;
    struct compare_round *round = &compare->rounds[compare->round_count];
    char name[64];
    snprintf(name, sizeof name, "round %zu of %zu", compare->round_count + 1,
             compare->rounds_wished);
    round->b_first = compare->round_count % 2 == 1;
    const enum load_exit status = run_both(s, name, round);
    if (status != LOAD_EXIT_DONE)
        return status;
    if (s->table != NULL)
        compare_report_print_round(compare, compare->round_count, s->table);
    compare->round_count++;
    return LOAD_EXIT_DONE;
}

/* --- The end. */

/* Says which thresholds were crossed; true when one was. */
static bool judge(const struct compare_session *s)
{
    bool crossed = false;
    for (size_t i = 0; i < s->threshold_count; i++) {
        const struct compare_threshold *threshold = &s->thresholds[i];
        char interval[64];
        struct paired_ratio ratio;
        if (!compare_threshold_is_crossed(threshold, &s->compare))
            continue;
        crossed = true;
        compare_ratio(&s->compare, threshold->figure, &ratio);
        snprintf(interval, sizeof interval, "%.3f to %.3f", ratio.low, ratio.high);
        fprintf(stderr, "jitney-load: failed by %s: B/A is %s\n", threshold->text,
                ratio.pairs > 0 ? interval : "not known");
    }
    return crossed;
}

static bool write_json(struct compare_session *s)
{
    bool ok = true;
    if (s->json != NULL &&
        !compare_report_write_json(&s->compare, s->thresholds, s->threshold_count, s->json))
        ok = load_fail(&s->error, "%s cannot be written", s->options.json);
    ok &= command_close_file(s->options.json, s->json, &s->error);
    s->json = NULL;
    return ok;
}

/* A signal is no error, and has no text. */
static int report(struct compare_session *s, enum load_exit status, enum load_exit settings)
{
    if (s->table != NULL)
        compare_report_print(&s->compare, s->table);
    fflush(stdout);
    if (status != LOAD_EXIT_DONE && status < LOAD_EXIT_SIGNAL)
        command_complain(&s->error, (int)status);
    if (!write_json(s))
        return command_complain(&s->error, LOAD_EXIT_USAGE);
    if (status != LOAD_EXIT_DONE)
        return (int)status;
    if (settings != LOAD_EXIT_DONE)
        return (int)settings;
    return judge(s) ? LOAD_EXIT_THRESHOLD : LOAD_EXIT_DONE;
}

/* --- The subcommand. */

/* Two settings of one target share what is sent to it. */
static enum load_exit prepare_sides(struct compare_session *s)
{
    FILE *progress = command_progress(&s->options);
    enum load_exit status = measure_create(&s->options, s->options.target, &s->interrupt, progress,
                                           &s->a.measure, &s->error);
    if (status != LOAD_EXIT_DONE)
        return status;
    if (s->options.other_target != NULL)
        return measure_create(&s->options, s->options.other_target, &s->interrupt, progress,
                              &s->b.measure, &s->error);
    s->b.measure = s->a.measure;
    return look_at_queue(s);
}

static int run_compare(struct compare_session *s)
{
    if (!check(s) || !open_files(s))
        return command_complain(&s->error, LOAD_EXIT_USAGE);
    enum load_exit status = prepare_sides(s);
    if (status != LOAD_EXIT_DONE)
        return command_complain(&s->error, (int)status);
    if (s->table != NULL) {
        compare_report_print_plan(&s->compare, s->table);
        fflush(s->table);
    }
    status = warm_up(s);
    while (status == LOAD_EXIT_DONE && s->compare.round_count < s->compare.rounds_wished)
        status = run_round(s);
    return report(s, status, put_back(s));
}

static int run_interruptible(struct compare_session *s)
{
    if (!interrupt_init(&s->interrupt, &s->error))
        return command_complain(&s->error, LOAD_EXIT_USAGE);
    const int status = run_compare(s);
    interrupt_deinit(&s->interrupt);
    return status;
}

static void end_session(struct compare_session *s)
{
    if (s->b.measure != s->a.measure)
        measure_destroy(s->b.measure);
    measure_destroy(s->a.measure);
    if (s->json != NULL && s->json != stdout)
        fclose(s->json);
    free(s);
}

int command_compare(int argc, char **argv)
{
    struct compare_session *s = calloc(1, sizeof *s);
    int status = LOAD_EXIT_USAGE;
    if (s == NULL) {
        fputs("jitney-load: out of memory\n", stderr);
        return status;
    }
    s->compare.options = &s->options;
    s->compare.rounds_wished = ROUNDS_DEFAULT;
    s->compare.confidence = CONFIDENCE_DEFAULT;
    if (command_parse(&COMMAND, argc, argv, &s->options, s, &status))
        status = run_interruptible(s);
    end_session(s);
    return status;
}
