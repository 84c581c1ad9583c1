/*
 * measure.c - see measure.h.
 */
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "json_writer.h"
#include "load_report.h"
#include "summary.h"

struct measure {
    const struct load_options *options;
    struct load_session session;
    struct interrupt *interrupt;
    FILE *progress;
    const char *label;
    struct load_result *result;
    struct fetch_answer *metrics;
    bool has_answered; /* in any run */
    bool tells_cpu;    /* until it does not */
};

enum load_exit measure_create(const struct load_options *options, const char *target,
                              struct interrupt *interrupt, FILE *progress, struct measure **out,
                              struct load_error *error)
{
    struct measure *m = calloc(1, sizeof *m);
    enum load_exit status = LOAD_EXIT_USAGE;
    if (m != NULL) {
        m->options = options;
        m->interrupt = interrupt;
        m->progress = progress;
        m->tells_cpu = true;
        m->result = malloc(sizeof *m->result);
        m->metrics = malloc(sizeof *m->metrics);
    }
    if (m == NULL || m->result == NULL || m->metrics == NULL)
        load_fail(error, "out of memory");
    else
        status = load_session_open(options, target, &m->session, error);
    if (status == LOAD_EXIT_DONE)
        *out = m;
    else
        measure_destroy(m);
    return status;
}

void measure_destroy(struct measure *m)
{
    if (m == NULL)
        return;
    load_session_close(&m->session);
    free(m->metrics);
    free(m->result);
    free(m);
}

const struct load_result *measure_result(const struct measure *m)
{
    return m->result;
}

/* --- The server's processor time. */

double measure_parse_cpu(const char *metrics)
{
    static const char name[] = "\nprocess_cpu_seconds_total ";
    const char *at = strstr(metrics, name);
    if (at == NULL)
        return NAN;
    char *end;
    const char *text = at + sizeof name - 1;
    const double seconds = strtod(text, &end);
    return end != text ? seconds : NAN;
}

/* A server that does not tell is asked once and no more. */
static double ask_cpu_seconds(struct measure *m)
{
    static const struct fetch_request request = {.method = "GET", .path = "/metrics"};
    struct load_error ignored;
    double seconds = NAN;
    if (m->tells_cpu && fetch(&m->session.target, &request, m->metrics, &ignored) &&
        m->metrics->status == 200)
        seconds = measure_parse_cpu(m->metrics->body);
    m->tells_cpu = !isnan(seconds);
    return seconds;
}

static uint64_t answered(const struct load_result *result)
{
    return result->warmup.answered + result->measured.answered;
}

static double cpu_ns_per_answer(struct measure *m, double before_s)
{
    const uint64_t count = answered(m->result);
    if (count == 0 || m->result->end != LOAD_END_DONE)
        return NAN;
    return (ask_cpu_seconds(m) - before_s) * 1e9 / (double)count;
}

/* --- One run. */

static void on_interval(void *ctx, const struct load_interval *interval)
{
    const struct measure *m = ctx;
    load_report_print_progress(m->label, interval, m->progress);
}

static struct load_config configure(struct measure *m, const struct measure_load *load,
                                    struct arrivals *arrivals)
{
    struct load_config config = m->options->load;
    config.target = &m->session.target;
    config.workload = m->session.workload;
    if (load->rate > 0) {
        load_session_arrivals(m->options->arrivals, load->rate,
                              load->seed > 0 ? load->seed : m->options->workload.seed, arrivals);
        config.arrivals = arrivals;
    }
    if (load->connections > 0)
        config.connections = load->connections;
    if (load->duration_ns > 0)
        config.duration_ns = load->duration_ns;
    config.interval_ns = m->progress != NULL ? NS_PER_S : 0;
    config.on_interval = on_interval;
    config.ctx = m;
    m->label = load->label;
    return config;
}

static double quantile_ns(const struct histogram *h, double quantile)
{
    return h->count > 0 ? (double)histogram_quantile(h, quantile) : NAN;
}

static void read_figures(struct measure *m, const struct load_config *config, double cpu_ns,
                         struct measurement *out)
{
    struct summary summary;
    const struct load_result *result = m->result;
    summary_make(config, result, &summary);
    *out = (struct measurement){
        .end = result->end,
        .signal = result->signal,
        .seconds = result->seconds,
        .due_rate = summary.due_rate,
        .throughput = summary.throughput,
        .goodput = summary.goodput,
        .failed_share = summary.failed_share,
        .p50_ns = quantile_ns(&result->measured.latency, 0.5),
        .p90_ns = quantile_ns(&result->measured.latency, 0.9),
        .p99_ns = quantile_ns(&result->measured.latency, 0.99),
        .batch_mean = summary.batch_mean,
        .cpu_ns = cpu_ns,
        .client_is_slow = summary.client_is_slow,
        .client_is_full = summary.client_is_full,
        .pool_was_empty = summary.pool_was_empty,
    };
    snprintf(out->error, sizeof out->error, "%s", result->error);
    if (out->end == LOAD_END_UNREACHABLE && m->has_answered)
        out->end = LOAD_END_DIED;
    m->has_answered |= answered(result) > 0;
}

static void interrupted(int signal, struct measurement *out)
{
    *out = (struct measurement){.end = LOAD_END_INTERRUPTED,
                                .signal = signal,
                                .p50_ns = NAN,
                                .p90_ns = NAN,
                                .p99_ns = NAN,
                                .cpu_ns = NAN};
}

bool measure_run(struct measure *m, const struct measure_load *load, struct measurement *out,
                 struct load_error *error)
{
    struct arrivals arrivals;
    const struct load_config config = configure(m, load, &arrivals);
    const double before_s = ask_cpu_seconds(m);
    const int signal = interrupt_signal(m->interrupt);
    if (signal != 0) {
        interrupted(signal, out);
        return true;
    }
    const bool ok = load_run(&config, m->result, error);
    if (m->progress != NULL)
        load_report_clear_progress(m->progress);
    if (ok)
        read_figures(m, &config, cpu_ns_per_answer(m, before_s), out);
    return ok;
}

enum load_exit measure_exit(const struct measurement *last)
{
    switch (last->end) {
    case LOAD_END_DONE:
        return LOAD_EXIT_DONE;
    case LOAD_END_INTERRUPTED:
        return (enum load_exit)(LOAD_EXIT_SIGNAL + last->signal);
    case LOAD_END_UNREACHABLE:
        return LOAD_EXIT_UNREACHABLE;
    case LOAD_END_DIED:
        return LOAD_EXIT_DIED;
    }
    return LOAD_EXIT_DIED;
}

void measurement_write_json(const struct measurement *figures, const struct json *into)
{
    json_number(into, "due_per_second", figures->due_rate);
    json_number(into, "throughput", figures->throughput);
    json_number(into, "goodput", figures->goodput);
    json_number(into, "failed_share", figures->failed_share);
    json_number(into, "p50_ms", figures->p50_ns / 1e6);
    json_number(into, "p90_ms", figures->p90_ns / 1e6);
    json_number(into, "p99_ms", figures->p99_ns / 1e6);
    json_number(into, "batch_mean", figures->batch_mean);
    json_number(into, "cpu_us", figures->cpu_ns / 1e3);
    json_flag(into, "client_late", figures->client_is_slow);
    json_flag(into, "client_full", figures->client_is_full);
}
