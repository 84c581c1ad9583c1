/*
 * command_run.c - `jitney-load run`: one load, and everything about it.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "load_report.h"
#include "load_session.h"

/* Everything that one `run` holds. */
struct run_session {
    struct load_options options;
    struct load_error error;
    struct load_session ready;
    struct arrivals arrivals;
    uint64_t *trace_ns;
    struct load_result *result;
    FILE *csv;
    FILE *histogram;
    FILE *json;
    FILE *progress; /* NULL: not shown */
};

/* --- Before. */

static bool prepare_arrivals(struct run_session *s)
{
    const struct load_options *options = &s->options;
    size_t count;
    if (options->arrivals != ARRIVALS_TRACE) {
        if (options->rate > 0)
            load_session_arrivals(options->arrivals, options->rate, options->workload.seed,
                                  &s->arrivals);
        return true;
    }
    if (!arrivals_read_trace(options->trace, &s->trace_ns, &count, &s->error))
        return false;
    arrivals_init_trace(&s->arrivals, s->trace_ns, count);
    return true;
}

static bool open_files(struct run_session *s)
{
    const struct load_options *options = &s->options;
    return command_open_file(options->json, &s->json, &s->error) &&
           command_open_file(options->csv, &s->csv, &s->error) &&
           command_open_file(options->histogram, &s->histogram, &s->error);
}

/* --- During. */

static void on_interval(void *ctx, const struct load_interval *interval)
{
    const struct run_session *s = ctx;
    if (s->progress != NULL)
        load_report_print_progress(NULL, interval, s->progress);
    if (s->csv != NULL)
        load_report_print_csv(interval, s->csv);
}

static bool run(struct run_session *s)
{
    struct load_config *config = &s->options.load;
    const bool open_loop = s->options.rate > 0 || s->options.arrivals == ARRIVALS_TRACE;
    config->target = &s->ready.target;
    config->workload = s->ready.workload;
    config->arrivals = open_loop ? &s->arrivals : NULL;
    s->progress = command_progress(&s->options);
    config->interval_ns = s->progress != NULL || s->csv != NULL ? NS_PER_S : 0;
    config->on_interval = on_interval;
    config->ctx = s;
    if (s->csv != NULL)
        load_report_print_csv_head(s->csv);
    const bool ok = load_run(config, s->result, &s->error);
    if (s->progress != NULL)
        load_report_clear_progress(s->progress);
    return ok;
}

/* --- After. */

static bool write_files(struct run_session *s, const struct summary *summary)
{
    const struct load_options *options = &s->options;
    if (s->json != NULL && !load_report_write_json(options, s->ready.workload, summary, s->json))
        return load_fail(&s->error, "%s cannot be written", options->json);
    if (s->histogram != NULL)
        histogram_print(&summary->measured->latency, s->histogram);
    const bool json = command_close_file(options->json, s->json, &s->error);
    const bool csv = command_close_file(options->csv, s->csv, &s->error);
    const bool histogram = command_close_file(options->histogram, s->histogram, &s->error);
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
        return crossed ? LOAD_EXIT_THRESHOLD : LOAD_EXIT_DONE;
    case LOAD_END_INTERRUPTED:
        return LOAD_EXIT_SIGNAL + result->signal;
    case LOAD_END_UNREACHABLE:
        return LOAD_EXIT_UNREACHABLE;
    case LOAD_END_DIED:
        return LOAD_EXIT_DIED;
    }
    return LOAD_EXIT_DIED;
}

static int report(struct run_session *s)
{
    struct summary summary;
    if (s->result->end == LOAD_END_UNREACHABLE) {
        load_fail(&s->error, "%s cannot be reached: %s", s->options.target, s->result->error);
        return command_complain(&s->error, LOAD_EXIT_UNREACHABLE);
    }
    summary_make(&s->options.load, s->result, &summary);
    if (!s->options.quiet && !uses_stdout(&s->options))
        load_report_print(&s->options, s->ready.workload, &summary, stdout);
    fflush(stdout);
    if (s->result->end == LOAD_END_DIED)
        fprintf(stderr, "jitney-load: %s went away: %s\n", s->options.target, s->result->error);
    const bool written = write_files(s, &summary);
    const int status = exit_status(s->result, judge(&s->options, &summary));
    return written ? status : command_complain(&s->error, LOAD_EXIT_USAGE);
}

/* --- The subcommand. */

static int run_session(struct run_session *s)
{
    if (!prepare_arrivals(s) || !open_files(s))
        return command_complain(&s->error, LOAD_EXIT_USAGE);
    const enum load_exit status =
        load_session_open(&s->options, s->options.target, &s->ready, &s->error);
    if (status != LOAD_EXIT_DONE)
        return command_complain(&s->error, (int)status);
    if (!s->options.quiet && !uses_stdout(&s->options))
        load_report_print_plan(&s->options, stdout);
    fflush(stdout);
    return run(s) ? report(s) : command_complain(&s->error, LOAD_EXIT_USAGE);
}

static void end_session(struct run_session *s)
{
    load_session_close(&s->ready);
    free(s->trace_ns);
    free(s->result);
    FILE *const files[] = {s->json, s->csv, s->histogram};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (files[i] != NULL && files[i] != stdout)
            fclose(files[i]);
    free(s);
}

int command_run(int argc, char **argv)
{
    struct run_session *s = calloc(1, sizeof *s);
    int status = LOAD_EXIT_USAGE;
    if (s == NULL || (s->result = malloc(sizeof *s->result)) == NULL) {
        free(s);
        fputs("jitney-load: out of memory\n", stderr);
        return status;
    }
    if (command_parse(&LOAD_COMMAND_RUN, argc, argv, &s->options, NULL, &status))
        status = run_session(s);
    end_session(s);
    return status;
}
