/*
 * command_tune.c - `jitney-load tune`: how a queue should batch.
 *
 * Whatever happens between the first PATCH and the end, the way out leads through
 * put_back(): a signal, a server that is gone for a moment, a machine out of memory.
 */
#include "commands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "admin.h"
#include "fetch.h"
#include "load_report.h"
#include "measure.h"
#include "tune_report.h"

enum {
    BATCH_ROWS_MAX = 4096, /* that the server allows */
};

/* Everything that one `tune` holds. */
struct tuner {
    struct load_options options;
    struct tune_options tune;
    struct load_error error;
    FILE *json;
    FILE *progress; /* NULL: not shown */

    struct interrupt interrupt;
    struct admin admin;
    struct admin_queue before;
    struct admin_queue ours; /* as we made it last */
    bool changed;
    struct measure *measure;

    struct tune_setting settings[TUNE_SETTINGS_MAX + 1]; /* the first is what held before */
    struct tune_search *search;
    struct tune_outcome outcome;
    uint64_t began_ns;
    int status; /* to exit with, of a tuning that ended early */
};

/* --- The queue. */

static double number_of(const struct admin_queue *queue, const char *name)
{
    const struct admin_setting *setting = admin_queue_setting(queue, name);
    return setting != NULL ? strtod(setting->value, NULL) : 0;
}

static struct tune_setting read_setting(const struct admin_queue *queue)
{
    return (struct tune_setting){
        .batch_rows = (size_t)number_of(queue, "max_batch_rows"),
        .inflight = (size_t)number_of(queue, "max_inflight_batches"),
        .delay_ns = (uint64_t)(number_of(queue, "max_delay") * 1e9 + 0.5),
        .target_ns = (uint64_t)(number_of(queue, "target_p99") * 1e9 + 0.5),
    };
}

static bool set_number(struct admin_patch *patch, const char *name, double value)
{
    char text[ADMIN_VALUE_BYTES_MAX];
    snprintf(text, sizeof text, "%.10g", value);
    return admin_patch_set(patch, name, text);
}

/* True when the queue batches so now. */
static bool apply(struct tuner *t, const struct tune_setting *setting)
{
    struct admin_patch patch = {0};
    if (!set_number(&patch, "max_batch_rows", (double)setting->batch_rows) ||
        !set_number(&patch, "max_inflight_batches", (double)setting->inflight) ||
        !set_number(&patch, "max_delay", (double)setting->delay_ns / 1e9) ||
        !set_number(&patch, "target_p99", (double)setting->target_ns / 1e9))
        return load_fail(&t->error, "the setting cannot be written");
    t->changed = true;
    const enum admin_status status = admin_change(&t->admin, &t->ours, &patch, &t->error);
    if (status == ADMIN_OK)
        return true;
    t->outcome.end = status == ADMIN_UNREACHABLE ? TUNE_END_DIED : TUNE_END_FAILED;
    t->status = status == ADMIN_UNREACHABLE ? LOAD_EXIT_DIED : (int)admin_exit(status);
    return false;
}

static void put_back(struct tuner *t)
{
    struct load_error error;
    if (!t->changed)
        return;
    const enum admin_status status = admin_put_back(&t->admin, &t->before, &t->ours, &error);
    t->outcome.put_back = status == ADMIN_OK;
    if (status == ADMIN_OK)
        return;
    command_complain(&error, 0);
    fprintf(stderr, "jitney-load: the settings of %s could not be put back\n", t->before.name);
    if (t->status == LOAD_EXIT_DONE)
        t->status = (int)admin_exit(status);
}

/* --- One measurement. */

/* The percentile over all requests, of which those that failed took forever. */
static double limited_ns(const struct measurement *m, const struct recorder *r, double quantile)
{
    const double failed = m->failed_share * (double)r->due;
    const double share = quantile * (1 + failed / (double)r->ok);
    return r->ok > 0 && share <= 1 ? (double)histogram_quantile(&r->latency, share) : INFINITY;
}

/* False when there will be no more: the server is gone, or a signal has come. */
static bool measure_for(struct tuner *t, uint64_t warmup_ns, uint64_t duration_ns,
                        struct tune_sample *out)
{
    struct measurement m;
    t->options.load.warmup_ns = warmup_ns;
    const struct measure_load load = {.duration_ns = duration_ns};
    if (!measure_run(t->measure, &load, &m, &t->error)) {
        t->outcome.end = TUNE_END_FAILED;
        t->status = LOAD_EXIT_USAGE;
        return false;
    }
    if (m.end != LOAD_END_DONE) {
        t->outcome.end = m.end == LOAD_END_INTERRUPTED ? TUNE_END_INTERRUPTED : TUNE_END_DIED;
        t->status = (int)measure_exit(&m);
        if (m.end == LOAD_END_INTERRUPTED)
            load_fail(&t->error, "interrupted before any setting was measured");
        else
            load_fail(&t->error, "%s %s: %s", t->options.target,
                      m.end == LOAD_END_DIED ? "went away" : "cannot be reached", m.error);
        return false;
    }
    t->outcome.client_is_full |= m.client_is_full;
    *out = (struct tune_sample){
        .throughput = m.throughput,
        .limited_ns = limited_ns(&m, &measure_result(t->measure)->measured, t->tune.slo.quantile),
        .p50_ns = m.p50_ns,
        .p99_ns = m.p99_ns,
        .cpu_ns = isnan(m.cpu_ns) ? 0 : m.cpu_ns,
        .batch_mean = m.batch_mean,
    };
    return true;
}

/* --- What there is to try. */

/* 0: it does not say. */
static size_t ask_workers(const struct tuner *t)
{
    static const char name[] = "\ncompute_worker_threads ";
    const struct fetch_request request = {
        .method = "GET", .path = "/metrics", .headers = t->admin.authorization};
    struct fetch_answer *answer = malloc(sizeof *answer);
    struct load_error ignored;
    size_t workers = 0;
    if (answer != NULL && fetch(&t->admin.target, &request, answer, &ignored)) {
        const char *at = strstr(answer->body, name);
        workers = at != NULL ? (size_t)strtod(at + sizeof name - 1, NULL) : 0;
    }
    free(answer);
    return workers;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct tune_space space_of(const struct tuner *t)
{
    const size_t rows = t->options.workload.rows;
    const size_t queue_rows = (size_t)number_of(&t->before, "max_queue_rows");
    const size_t workers = ask_workers(t);
    const size_t most = smaller(queue_rows > 0 ? queue_rows : BATCH_ROWS_MAX, BATCH_ROWS_MAX);
    return (struct tune_space){
        .rows_min = smaller(rows, most),
        .rows_max = smaller(rows * t->options.load.connections, most),
        .workers = workers > 0 ? workers : t->settings[0].inflight,
        .slo_ns = t->tune.slo.limit_ns,
    };
}

/* What holds now is the first, and is not tried twice. */
static void fill_settings(struct tuner *t, const struct tune_space *space, size_t count_max)
{
    const size_t count = tune_space_fill(space, count_max - 1, t->settings + 1);
    t->outcome.count = 1;
    for (size_t i = 1; i <= count; i++)
        if (!tune_setting_equals(&t->settings[i], &t->settings[0]))
            t->settings[t->outcome.count++] = t->settings[i];
}

static double seconds_since(uint64_t ns)
{
    return (double)(uv_hrtime() - ns) / 1e9;
}

/* A look at the server as it is: how fast it answers decides how long to measure. */
static bool plan(struct tuner *t)
{
    struct tune_sample sample;
    const uint64_t look_ns = smaller(t->tune.budget_ns / 60, NS_PER_S);
    t->began_ns = uv_hrtime();
    if (!measure_for(t, look_ns, look_ns, &sample))
        return false;
    if (sample.throughput <= 0) {
        t->outcome.end = TUNE_END_FAILED;
        t->status = LOAD_EXIT_UNREACHABLE;
        return load_fail(&t->error,
                         "%s answers no request well; `jitney-load run` shows what it "
                         "answers",
                         t->options.target);
    }
    const struct tune_basis basis = {
        .budget_ns = t->tune.budget_ns - t->tune.budget_ns / 10,
        .rate = sample.throughput,
        .quantile = t->tune.slo.quantile,
    };
    const struct tune_space space = space_of(t);
    fill_settings(t, &space, tune_plan_settings_max(&basis));
    t->outcome.plan = tune_plan_make(&basis, t->outcome.count);
    t->search = tune_search_create(t->outcome.count, (double)t->tune.slo.limit_ns,
                                   t->options.workload.seed);
    t->outcome.search = t->search;
    if (t->search != NULL)
        return true;
    t->status = LOAD_EXIT_USAGE;
    return load_fail(&t->error, "out of memory");
}

/* --- The race. */

static bool has_time(struct tuner *t)
{
    const double window_ns = (double)(t->outcome.plan.warmup_ns + t->outcome.plan.duration_ns);
    if (1e9 * seconds_since(t->began_ns) + window_ns <= (double)t->tune.budget_ns)
        return true;
    if (tune_search_phase(t->search) != TUNE_PHASE_EXTRA)
        t->outcome.end = TUNE_END_OUT_OF_TIME;
    return false;
}

static void show_progress(struct tuner *t)
{
    t->outcome.seconds = seconds_since(t->began_ns);
    if (t->progress != NULL)
        tune_report_print_progress(&t->outcome, t->progress);
}

static void race(struct tuner *t)
{
    struct tune_sample sample;
    for (size_t index; tune_search_next(t->search, &index) && has_time(t); show_progress(t)) {
        if (!apply(t, &t->settings[index]) ||
            !measure_for(t, t->outcome.plan.warmup_ns, t->outcome.plan.duration_ns, &sample))
            break;
        tune_search_tell(t->search, &sample);
        t->outcome.measurements++;
    }
    t->outcome.seconds = seconds_since(t->began_ns);
    if (t->progress != NULL)
        load_report_clear_progress(t->progress);
}

/* --- Its end. */

static bool is_over(const struct tuner *t)
{
    return t->outcome.end == TUNE_END_DONE || t->outcome.end == TUNE_END_OUT_OF_TIME;
}

static void keep_or_put_back(struct tuner *t)
{
    size_t best;
    const bool found = tune_search_best(t->search, &best);
    const bool within = found && tune_search_figures(t->search, best).within;
    if (is_over(t) && !within)
        t->status = LOAD_EXIT_THRESHOLD;
    if (t->tune.keep && is_over(t) && within && best != 0)
        t->outcome.kept = apply(t, &t->settings[best]);
    if (!t->outcome.kept)
        put_back(t);
}

static bool uses_stdout(const struct tuner *t)
{
    return t->json == stdout;
}

static int report(struct tuner *t)
{
    if (!t->options.quiet && !uses_stdout(t))
        tune_report_print(&t->outcome, stdout);
    fflush(stdout);
    if (t->outcome.end == TUNE_END_DIED || t->outcome.end == TUNE_END_FAILED)
        command_complain(&t->error, 0);
    bool written = t->json == NULL || tune_report_write_json(&t->outcome, t->json);
    written = command_close_file(t->options.json, t->json, &t->error) && written;
    t->json = NULL;
    if (written)
        return t->status;
    load_fail(&t->error, "%s cannot be written", t->options.json);
    return command_complain(&t->error, LOAD_EXIT_USAGE);
}

/* --- The subcommand. */

static enum load_exit open_queue(struct tuner *t)
{
    if (!tune_options_check(&t->tune, &t->options, &t->error) ||
        !command_open_file(t->options.json, &t->json, &t->error) ||
        !admin_init(&t->admin, t->tune.admin, t->tune.admin_token_file, &t->error))
        return LOAD_EXIT_USAGE;
    const enum admin_status status =
        admin_read(&t->admin, t->options.workload.kinds[0].name, &t->before, &t->error);
    t->ours = t->before;
    t->settings[0] = read_setting(&t->before);
    t->outcome.queue = t->before.name;
    if (status == ADMIN_UNREACHABLE || status == ADMIN_NO_QUEUE)
        fprintf(stderr, "jitney-load: tune asks the server's admin listener: is --admin %s it?\n",
                t->tune.admin);
    return admin_exit(status);
}

static int tune(struct tuner *t)
{
    const enum load_exit status =
        measure_create(&t->options, t->options.target, &t->interrupt, NULL, &t->measure, &t->error);
    if (status != LOAD_EXIT_DONE)
        return command_complain(&t->error, (int)status);
    if (!plan(t))
        return command_complain(&t->error, t->status);
    if (!t->options.quiet && !uses_stdout(t))
        tune_report_print_plan(&t->outcome, stdout);
    fflush(stdout);
    race(t);
    keep_or_put_back(t);
    return report(t);
}

static int run_tuner(struct tuner *t)
{
    const enum load_exit status = open_queue(t);
    if (status != LOAD_EXIT_DONE)
        return command_complain(&t->error, (int)status);
    if (!interrupt_init(&t->interrupt, &t->error))
        return command_complain(&t->error, LOAD_EXIT_USAGE);
    t->progress = command_progress(&t->options);
    const int result = tune(t);
    interrupt_deinit(&t->interrupt);
    return result;
}

static void end_tuner(struct tuner *t)
{
    measure_destroy(t->measure);
    tune_search_destroy(t->search);
    if (t->json != NULL && t->json != stdout)
        fclose(t->json);
    free(t);
}

int command_tune(int argc, char **argv)
{
    struct tuner *t = calloc(1, sizeof *t);
    int status = LOAD_EXIT_USAGE;
    if (t == NULL) {
        fputs("jitney-load: out of memory\n", stderr);
        return status;
    }
    tune_options_init(&t->tune);
    t->outcome =
        (struct tune_outcome){.options = &t->options, .tune = &t->tune, .settings = t->settings};
    if (command_parse(&LOAD_COMMAND_TUNE, argc, argv, &t->options, &t->tune, &status))
        status = run_tuner(t);
    end_tuner(t);
    return status;
}
