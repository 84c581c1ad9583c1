/*
 * jitney_load.c - the program: subcommands, files, exit status.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load_options.h"
#include "load_report.h"
#include "workload_prepare.h"

enum exit_status {
    EXIT_DONE = 0,
    EXIT_THRESHOLD = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_DIED = 4,
    EXIT_SIGNAL = 128, /* and its number */
};

/* Everything that one `run` holds. */
struct session {
    struct load_options options;
    struct load_error error;
    struct target target;
    struct workload *workload;
    struct arrivals arrivals;
    uint64_t *trace_ns;
    struct load_result *result;
    FILE *csv;
    FILE *histogram;
    FILE *json;
    bool progress;
};

static int complain(const struct load_error *error, int status)
{
    fprintf(stderr, "jitney-load: %s\n", error->text);
    return status;
}

/* --- Before. */

static bool prepare_kinds(struct session *s)
{
    struct workload_spec *spec = &s->options.workload;
    spec->host = s->target.host;
    for (size_t i = 0; i < spec->kind_count; i++)
        if (spec->kinds[i].what == WORKLOAD_MODEL && spec->kinds[i].bodies.count == 0 &&
            !workload_ask_shape(&s->target, spec->kinds[i].name, &spec->kinds[i].row_elements,
                                &s->error))
            return false;
    return true;
}

static bool read_inputs(struct session *s)
{
    struct workload_spec *spec = &s->options.workload;
    for (size_t i = 0; s->options.inputs != NULL && i < spec->kind_count; i++)
        if (spec->kinds[i].what == WORKLOAD_MODEL &&
            !workload_read_bodies(s->options.inputs, spec->rows, &spec->kinds[i].bodies, &s->error))
            return false;
    return true;
}

/* The seed of arrivals is another than the workload's: what is sent must not depend on
 * how long one waited for it. */
static bool prepare_arrivals(struct session *s)
{
    const struct load_options *options = &s->options;
    size_t count;
    switch (options->arrivals) {
    case ARRIVALS_UNIFORM:
        if (options->rate > 0)
            arrivals_init_uniform(&s->arrivals, options->rate);
        return true;
    case ARRIVALS_POISSON:
        if (options->rate > 0)
            arrivals_init_poisson(&s->arrivals, options->rate, ~options->workload.seed);
        return true;
    case ARRIVALS_TRACE:
        if (!arrivals_read_trace(options->trace, &s->trace_ns, &count, &s->error))
            return false;
        arrivals_init_trace(&s->arrivals, s->trace_ns, count);
        return true;
    }
    return true;
}

/* Files are opened first: a run of minutes must not end at a mistyped folder. */
static bool open_file(const char *path, FILE **out, struct load_error *error)
{
    if (path == NULL)
        return true;
    *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    return *out != NULL || load_fail(error, "%s cannot be written: %s", path, strerror(errno));
}

static bool open_files(struct session *s)
{
    const struct load_options *options = &s->options;
    return open_file(options->json, &s->json, &s->error) &&
           open_file(options->csv, &s->csv, &s->error) &&
           open_file(options->histogram, &s->histogram, &s->error);
}

/* --- During. */

static void on_interval(void *ctx, const struct load_interval *interval)
{
    const struct session *s = ctx;
    if (s->progress)
        load_report_print_progress(interval, stderr);
    if (s->csv != NULL)
        load_report_print_csv(interval, s->csv);
}

static bool run(struct session *s)
{
    struct load_config *config = &s->options.load;
    const bool open_loop = s->options.rate > 0 || s->options.arrivals == ARRIVALS_TRACE;
    config->target = &s->target;
    config->workload = s->workload;
    config->arrivals = open_loop ? &s->arrivals : NULL;
    s->progress = !s->options.quiet && isatty(STDERR_FILENO);
    config->interval_ns = s->progress || s->csv != NULL ? NS_PER_S : 0;
    config->on_interval = on_interval;
    config->ctx = s;
    if (s->csv != NULL)
        load_report_print_csv_head(s->csv);
    const bool ok = load_run(config, s->result, &s->error);
    if (s->progress)
        load_report_clear_progress(stderr);
    return ok;
}

/* --- After. */

static bool close_file(const char *path, FILE *file, struct load_error *error)
{
    if (file == NULL)
        return true;
    const bool failed = ferror(file) != 0;
    const int rc = file == stdout ? fflush(file) : fclose(file);
    return (!failed && rc == 0) || load_fail(error, "%s cannot be written", path);
}

static bool write_files(struct session *s, const struct summary *summary)
{
    const struct load_options *options = &s->options;
    if (s->json != NULL && !load_report_write_json(options, s->workload, summary, s->json))
        return load_fail(&s->error, "%s cannot be written", options->json);
    if (s->histogram != NULL)
        histogram_print(&summary->measured->latency, s->histogram);
    const bool json = close_file(options->json, s->json, &s->error);
    const bool csv = close_file(options->csv, s->csv, &s->error);
    const bool histogram = close_file(options->histogram, s->histogram, &s->error);
    s->json = s->csv = s->histogram = NULL;
    return json && csv && histogram;
}

static bool uses_stdout(const struct load_options *options)
{
    const char *const paths[] = {options->json, options->csv, options->histogram};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (paths[i] != NULL && strcmp(paths[i], "-") == 0)
            return true;
    return false;
}

/* Says which thresholds were crossed; true when one was. */
static bool judge(const struct load_options *options, const struct summary *summary)
{
    bool crossed = false;
    for (size_t i = 0; i < options->threshold_count; i++) {
        double actual;
        char text[32];
        if (!threshold_is_crossed(&options->thresholds[i], summary, &actual))
            continue;
        crossed = true;
        threshold_print_value(&options->thresholds[i], actual, text, sizeof text);
        fprintf(stderr, "jitney-load: failed by %s: it is %s\n", options->thresholds[i].text, text);
    }
    return crossed;
}

static int exit_status(const struct load_result *result, bool crossed)
{
    switch (result->end) {
    case LOAD_END_DONE:
        return crossed ? EXIT_THRESHOLD : EXIT_DONE;
    case LOAD_END_INTERRUPTED:
        return EXIT_SIGNAL + result->signal;
    case LOAD_END_UNREACHABLE:
        return EXIT_UNREACHABLE;
    case LOAD_END_DIED:
        return EXIT_DIED;
    }
    return EXIT_DIED;
}

static int report(struct session *s)
{
    struct summary summary;
    if (s->result->end == LOAD_END_UNREACHABLE) {
        load_fail(&s->error, "%s cannot be reached: %s", s->options.target, s->result->error);
        return complain(&s->error, EXIT_UNREACHABLE);
    }
    summary_make(&s->options.load, s->result, &summary);
    if (!s->options.quiet && !uses_stdout(&s->options))
        load_report_print(&s->options, s->workload, &summary, stdout);
    fflush(stdout);
    if (s->result->end == LOAD_END_DIED)
        fprintf(stderr, "jitney-load: %s went away: %s\n", s->options.target, s->result->error);
    const bool written = write_files(s, &summary);
    const int status = exit_status(s->result, judge(&s->options, &summary));
    return written ? status : complain(&s->error, EXIT_USAGE);
}

/* --- The subcommand. */

static int run_session(struct session *s)
{
    if (!target_parse(s->options.target, &s->target, &s->error) || !read_inputs(s) ||
        !prepare_arrivals(s) || !open_files(s))
        return complain(&s->error, EXIT_USAGE);
    if (!prepare_kinds(s))
        return complain(&s->error, EXIT_UNREACHABLE);
    if (!workload_create(&s->options.workload, &s->workload, &s->error))
        return complain(&s->error, EXIT_USAGE);
    if (!s->options.quiet && !uses_stdout(&s->options))
        load_report_print_plan(&s->options, stdout);
    fflush(stdout);
    return run(s) ? report(s) : complain(&s->error, EXIT_USAGE);
}

static void end_session(struct session *s)
{
    for (size_t i = 0; i < s->options.workload.kind_count; i++)
        workload_bodies_destroy(&s->options.workload.kinds[i].bodies);
    workload_destroy(s->workload);
    free(s->trace_ns);
    free(s->result);
    FILE *const files[] = {s->json, s->csv, s->histogram};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (files[i] != NULL && files[i] != stdout)
            fclose(files[i]);
    free(s);
}

static int command_run(int argc, char **argv)
{
    struct session *s = calloc(1, sizeof *s);
    int status = EXIT_USAGE;
    if (s == NULL || (s->result = malloc(sizeof *s->result)) == NULL) {
        free(s);
        fputs("jitney-load: out of memory\n", stderr);
        return status;
    }
    switch (load_options_parse(argc, argv, &s->options, &s->error)) {
    case LOAD_OPTIONS_OK:
        status = run_session(s);
        break;
    case LOAD_OPTIONS_HELP:
        load_options_print_help(stdout);
        status = EXIT_DONE;
        break;
    case LOAD_OPTIONS_WRONG:
        status = complain(&s->error, EXIT_USAGE);
        fputs("jitney-load: `jitney-load run --help` tells what there is\n", stderr);
        break;
    }
    end_session(s);
    return status;
}

static bool is(const char *argument, const char *name)
{
    return strcmp(argument, name) == 0;
}

int main(int argc, char **argv)
{
    static const char usage[] = "Usage: jitney-load run [OPTIONS] [TARGET]\n"
                                "       jitney-load run --help\n";
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && is(argv[1], "run"))
        return command_run(argc - 1, argv + 1);
    const bool help = argc > 1 && (is(argv[1], "--help") || is(argv[1], "-h"));
    fputs(usage, help ? stdout : stderr);
    return help ? EXIT_DONE : EXIT_USAGE;
}
