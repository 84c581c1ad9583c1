/*
 * command_sweep.c - `jitney-load sweep`: step by step to the knee.
 */
#include "commands.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sweep_report.h"

enum {
    PLOTS_MAX = 4,
    CONNECTION_STEPS_MAX = 64,
    STEPS_ASKED_MAX = 100,
};

/* --- The command line. */

static const char HELP_SWEEP[] =
    "Usage: jitney-load sweep [OPTIONS] [TARGET]\n"
    "\n"
    "Steps the load up until the server no longer follows, and says where that is: the knee.\n"
    "TARGET is http://HOST:PORT (default http://127.0.0.1:8001) or unix:PATH.\n"
    "\n"
    "Steps\n"
    "  (nothing)              a closed loop finds the capacity; then open loops from a tenth of\n"
    "                         it upwards, closer to each other near the knee\n"
    "  --from N --to N        rates from and to these instead, evenly spaced\n"
    "  --steps N              so many (default 11)\n"
    "  --connections A,B,...  no rates: closed loops over A, B, ... connections\n"
    "  --connections N        the most that an open loop uses (default 64)\n"
    "  --arrivals KIND        poisson (default) or uniform\n"
    "  --slo TIME             the knee is where 99 % are answered within it; without it, where\n"
    "                         throughput follows to 98 % and p99 is at most ten times its lowest\n"
    "  --duration TIME        of the measured part of a step (default 3s)\n"
    "  --warmup TIME          before it (default 500ms)\n"
    "  --grace TIME           wait so long for the last answers (default 1s)\n"
    "  --spin                 poll instead of sleeping: sends are on time to some\n"
    "                         microseconds, for the price of a core\n"
    "\n";

static const char HELP_SWEEP_REPORT[] =
    "Report\n"
    "  --plot FILE            a picture, by gnuplot: FILE ends in .png or .svg; may be repeated\n"
    "  --json FILE            everything, for programs; - is standard output\n"
    "  --csv FILE             a line for each step\n"
    "  --quiet                no table, no chart and no progress\n"
    "  --client-timeout TIME  give up a silent connection (default 30s)\n"
    "\n";

enum own_option {
    OWN_FROM = LOAD_OPTION_OWN,
    OWN_TO,
    OWN_STEPS,
    OWN_CONNECTIONS,
    OWN_PLOT,
};

static const struct option OPTIONS[] = {
    {"from", required_argument, NULL, OWN_FROM},
    {"to", required_argument, NULL, OWN_TO},
    {"steps", required_argument, NULL, OWN_STEPS},
    {"connections", required_argument, NULL, OWN_CONNECTIONS},
    {"plot", required_argument, NULL, OWN_PLOT},
    {NULL, 0, NULL, 0},
};

static const char *const LEFT_OUT[] = {"rate", "connections", "fail-if", "histogram", NULL};

struct plot_file {
    const char *path;
    enum plot_kind kind;
    FILE *file;
};

/* Everything that one sweep holds. */
struct sweep_session {
    struct load_options options;
    struct load_error error;
    struct sweep_bounds bounds;
    size_t connections[CONNECTION_STEPS_MAX]; /* of closed loops, or of all open ones */
    size_t connection_count;
    struct plot_file plots[PLOTS_MAX];
    size_t plot_count;
    FILE *json;
    FILE *csv;
    FILE *table; /* NULL: none is wanted */
    struct interrupt interrupt;
    struct measure *measure;
    struct sweep sweep;
};

static bool take_connections(struct sweep_session *s, const char *text, struct load_error *error)
{
    char copy[512];
    char *rest = copy;
    if (strlen(text) >= sizeof copy)
        return load_fail(error, "--connections: too many");
    strcpy(copy, text);
    s->connection_count = 0;
    for (char *one; (one = strsep(&rest, ",")) != NULL;) {
        if (s->connection_count == CONNECTION_STEPS_MAX)
            return load_fail(error, "--connections: more than %d steps", CONNECTION_STEPS_MAX);
        if (!load_options_take_count("connections", one, LOAD_CONNECTIONS_MAX,
                                     &s->connections[s->connection_count++], error))
            return false;
    }
    return true;
}

static bool take_plot(struct sweep_session *s, const char *path, struct load_error *error)
{
    if (s->plot_count == PLOTS_MAX)
        return load_fail(error, "--plot: more than %d", PLOTS_MAX);
    struct plot_file *plot = &s->plots[s->plot_count++];
    plot->path = path;
    return plot_kind_of(path, &plot->kind, error);
}

static bool take(void *ctx, int id, const char *text, struct load_error *error)
{
    struct sweep_session *s = ctx;
    switch ((enum own_option)id) {
    case OWN_FROM:
        return load_options_take_rate("from", text, &s->bounds.from, error);
    case OWN_TO:
        return load_options_take_rate("to", text, &s->bounds.to, error);
    case OWN_STEPS:
        return load_options_take_count("steps", text, STEPS_ASKED_MAX, &s->bounds.steps, error);
    case OWN_CONNECTIONS:
        return take_connections(s, text, error);
    case OWN_PLOT:
        return take_plot(s, text, error);
    }
    return true;
}

static void print_help(FILE *out)
{
    fputs(HELP_SWEEP, out);
    load_options_print_workload_help(out);
    fputs(HELP_SWEEP_REPORT, out);
    load_options_print_exit_help(out);
}

static const struct load_command COMMAND = {
    .name = "sweep",
    .print_help = print_help,
    .options = OPTIONS,
    .left_out = LEFT_OUT,
    .take = take,
    .targets_max = 1,
    .has_rates = true,
    .no_trace = true,
    .duration_ns = 3 * NS_PER_S,
    .warmup_ns = NS_PER_S / 2,
    .grace_ns = NS_PER_S,
};

static bool is_bounded(const struct sweep_session *s)
{
    return s->bounds.from > 0 || s->bounds.to > 0;
}

static bool check(struct sweep_session *s)
{
    const bool rates = is_bounded(s) || s->bounds.steps > 0;
    if (s->connection_count > 1 && rates)
        return load_fail(&s->error, "a list of --connections has no rates: leave out --from, --to "
                                    "and --steps");
    if (is_bounded(s) && s->bounds.from <= 0)
        return load_fail(&s->error, "--to needs --from");
    if (is_bounded(s) && s->bounds.to <= s->bounds.from)
        return load_fail(&s->error, "--from needs a --to that is larger");
    if (s->connection_count == 1)
        s->options.load.connections = s->connections[0];
    s->sweep.closed = s->connection_count > 1;
    return s->plot_count == 0 || plot_is_possible(&s->error);
}

/* --- Files. */

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static bool open_files(struct sweep_session *s)
{
    const struct load_options *options = &s->options;
    if (!options->quiet && !is_stdout(options->json) && !is_stdout(options->csv))
        s->table = stdout;
    if (!command_open_file(options->json, &s->json, &s->error) ||
        !command_open_file(options->csv, &s->csv, &s->error))
        return false;
    for (size_t i = 0; i < s->plot_count; i++)
        if (!command_open_file(s->plots[i].path, &s->plots[i].file, &s->error))
            return false;
    return true;
}

static bool draw(const struct sweep *sweep, const struct plot_file *plot, struct load_error *error)
{
    char *script = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&script, &bytes);
    if (stream == NULL)
        return load_fail(error, "out of memory");
    sweep_report_print_plot(sweep, plot->kind, stream);
    const bool ok = fclose(stream) == 0 ? plot_draw(script, bytes, plot->file, error)
                                        : load_fail(error, "out of memory");
    free(script);
    return ok;
}

static bool draw_plots(struct sweep_session *s)
{
    bool ok = true;
    for (size_t i = 0; i < s->plot_count; i++) {
        struct plot_file *plot = &s->plots[i];
        ok = ok && (s->sweep.step_count == 0 || draw(&s->sweep, plot, &s->error));
        ok &= command_close_file(plot->path, plot->file, &s->error);
        plot->file = NULL;
    }
    return ok;
}

static bool write_files(struct sweep_session *s)
{
    bool ok = true;
    if (s->json != NULL && !sweep_report_write_json(&s->sweep, s->json))
        ok = load_fail(&s->error, "%s cannot be written", s->options.json);
    if (s->csv != NULL)
        sweep_report_print_csv(&s->sweep, s->csv);
    ok &= command_close_file(s->options.json, s->json, &s->error);
    ok &= command_close_file(s->options.csv, s->csv, &s->error);
    s->json = s->csv = NULL;
    return draw_plots(s) && ok;
}

/* --- Steps. */

/* What a step leaves behind that did not end as it should. */
static enum load_exit stopped(struct sweep_session *s, const struct measurement *figures)
{
    s->sweep.end = figures->end;
    if (figures->end == LOAD_END_UNREACHABLE)
        load_fail(&s->error, "%s cannot be reached: %s", s->options.target, figures->error);
    else if (figures->end == LOAD_END_DIED)
        load_fail(&s->error, "%s went away: %s", s->options.target, figures->error);
    return measure_exit(figures);
}

static enum load_exit run_step(struct sweep_session *s, const struct measure_load *load,
                               struct measurement *out)
{
    if (!measure_run(s->measure, load, out, &s->error))
        return LOAD_EXIT_USAGE;
    return out->end == LOAD_END_DONE ? LOAD_EXIT_DONE : stopped(s, out);
}

static enum load_exit probe(struct sweep_session *s)
{
    struct measurement figures;
    const enum load_exit status =
        run_step(s, &(struct measure_load){.label = "capacity: "}, &figures);
    if (status != LOAD_EXIT_DONE)
        return status;
    s->bounds.capacity = s->sweep.capacity = figures.throughput;
    if (figures.throughput > 0)
        return LOAD_EXIT_DONE;
    load_fail(&s->error, "%s answered none of %.0f requests with 2xx; `jitney-load run` tells more",
              s->options.target, figures.due_rate * figures.seconds);
    return LOAD_EXIT_UNREACHABLE;
}

/* Of two attempts the one that follows, or that did more. */
static void keep_better(struct sweep *sweep, const struct sweep_step *step)
{
    struct sweep_step *last = sweep->step_count > 0 ? &sweep->steps[sweep->step_count - 1] : NULL;
    if (step->attempts == 1)
        sweep->steps[sweep->step_count++] = *step;
    else if (step->verdict == SWEEP_FOLLOWS || step->figures.throughput > last->figures.throughput)
        *last = *step;
    else
        last->attempts = step->attempts;
}

static void note_step(struct sweep_session *s, struct sweep_plan *plan, struct sweep_rules *rules,
                      struct sweep_step *step)
{
    const bool repeated = sweep_plan_repeats(plan);
    step->attempts = repeated ? 2 : 1;
    step->verdict = sweep_judge(rules, &step->figures);
    sweep_plan_note(plan, step->verdict);
    if (step->verdict == SWEEP_FOLLOWS)
        rules->lowest_p99_ns = fmin(rules->lowest_p99_ns, step->figures.p99_ns);
    keep_better(&s->sweep, step);
    if (s->table != NULL)
        sweep_report_print_step(&s->sweep, step, sweep_plan_repeats(plan), s->table);
}

static enum load_exit step_rates(struct sweep_session *s)
{
    struct sweep_plan plan;
    struct sweep_rules rules = {.slo = s->options.load.slo_ns > 0, .lowest_p99_ns = NAN};
    struct sweep_step step = {0};
    enum load_exit status = LOAD_EXIT_DONE;
    sweep_plan_init(&plan, &s->bounds);
    while (s->sweep.step_count < SWEEP_STEPS_MAX && sweep_plan_next(&plan, &step.asked)) {
        char label[32];
        snprintf(label, sizeof label, "%.1f/s: ", step.asked);
        const struct measure_load load = {.rate = step.asked, .label = label};
        status = run_step(s, &load, &step.figures);
        if (status != LOAD_EXIT_DONE)
            break;
        note_step(s, &plan, &rules, &step);
    }
    s->sweep.knee = plan.knee;
    s->sweep.knee_is_bound = plan.knee > 0 && !sweep_plan_has_failed(&plan);
    return status;
}

static void find_knee_of_connections(struct sweep *sweep)
{
    struct measurement figures[SWEEP_STEPS_MAX];
    for (size_t i = 0; i < sweep->step_count; i++)
        figures[i] = sweep->steps[i].figures;
    const bool slo = sweep->options->load.slo_ns > 0;
    const size_t knee = sweep_knee_of_connections(figures, sweep->step_count, slo);
    sweep->knee = knee < sweep->step_count ? sweep->steps[knee].asked : 0;
    sweep->knee_is_bound = sweep->step_count > 0 && knee + 1 == sweep->step_count;
}

static enum load_exit step_connections(struct sweep_session *s)
{
    struct sweep *sweep = &s->sweep;
    enum load_exit status = LOAD_EXIT_DONE;
    for (size_t i = 0; i < s->connection_count && status == LOAD_EXIT_DONE; i++) {
        char label[32];
        snprintf(label, sizeof label, "%zu connections: ", s->connections[i]);
        const struct measure_load load = {.connections = s->connections[i], .label = label};
        struct sweep_step *step = &sweep->steps[sweep->step_count];
        *step = (struct sweep_step){.asked = (double)s->connections[i], .attempts = 1};
        status = run_step(s, &load, &step->figures);
        if (status != LOAD_EXIT_DONE)
            break;
        sweep->step_count++;
        if (s->table != NULL)
            sweep_report_print_step(sweep, step, false, s->table);
    }
    sweep_sort(sweep);
    find_knee_of_connections(sweep);
    return status;
}

/* --- The subcommand. */

static bool is_unicode(void)
{
    setlocale(LC_CTYPE, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static enum load_exit step_all(struct sweep_session *s)
{
    if (s->table != NULL) {
        sweep_report_print_plan(&s->sweep, s->table);
        fflush(s->table);
    }
    if (!s->sweep.closed && !is_bounded(s)) {
        const enum load_exit status = probe(s);
        if (status != LOAD_EXIT_DONE)
            return status;
    }
    if (s->table != NULL)
        sweep_report_print_head(&s->sweep, s->table);
    return s->sweep.closed ? step_connections(s) : step_rates(s);
}

/* A signal is no error, and has no text. */
static int report(struct sweep_session *s, enum load_exit status)
{
    const bool complains = status != LOAD_EXIT_DONE && status < LOAD_EXIT_SIGNAL;
    sweep_sort(&s->sweep);
    if (s->table != NULL)
        sweep_report_print(&s->sweep, is_unicode(), s->table);
    fflush(stdout);
    if (complains)
        command_complain(&s->error, (int)status);
    return write_files(s) ? (int)status : command_complain(&s->error, LOAD_EXIT_USAGE);
}

static int run_sweep(struct sweep_session *s)
{
    if (!check(s) || !open_files(s))
        return command_complain(&s->error, LOAD_EXIT_USAGE);
    const enum load_exit status =
        measure_create(&s->options, s->options.target, &s->interrupt, command_progress(&s->options),
                       &s->measure, &s->error);
    if (status != LOAD_EXIT_DONE)
        return command_complain(&s->error, (int)status);
    return report(s, step_all(s));
}

static int run_interruptible(struct sweep_session *s)
{
    if (!interrupt_init(&s->interrupt, &s->error))
        return command_complain(&s->error, LOAD_EXIT_USAGE);
    const int status = run_sweep(s);
    interrupt_deinit(&s->interrupt);
    return status;
}

static void end_session(struct sweep_session *s)
{
    FILE *files[PLOTS_MAX + 2] = {s->json, s->csv};
    for (size_t i = 0; i < s->plot_count; i++)
        files[i + 2] = s->plots[i].file;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (files[i] != NULL && files[i] != stdout)
            fclose(files[i]);
    measure_destroy(s->measure);
    free(s);
}

int command_sweep(int argc, char **argv)
{
    struct sweep_session *s = calloc(1, sizeof *s);
    int status = LOAD_EXIT_USAGE;
    if (s == NULL) {
        fputs("jitney-load: out of memory\n", stderr);
        return status;
    }
    s->sweep.options = &s->options;
    if (command_parse(&COMMAND, argc, argv, &s->options, s, &status))
        status = run_interruptible(s);
    end_session(s);
    return status;
}
