/*
 * load_report.c - see load_report.h.
 */
#include "load_report.h"

#include <inttypes.h>
#include <string.h>

#include "quantity.h"

enum {
    DURATION_BYTES = 24,
};

static const double QUANTILES[] = {0.5, 0.9, 0.95, 0.99, 0.999, 0.9999};

/* --- The plan. */

void load_report_print_kinds(const struct workload_spec *spec, FILE *out)
{
    for (size_t i = 0; i < spec->kind_count; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : ", ", spec->kinds[i].name);
        if (spec->kind_count > 1)
            fprintf(out, " (weight %g)", spec->kinds[i].weight);
    }
}

static void print_load(const struct load_options *options, FILE *out)
{
    const size_t connections = options->load.connections;
    const char *plural = connections == 1 ? "" : "s";
    if (options->arrivals == ARRIVALS_TRACE)
        fprintf(out, "open loop by %s, up to %zu connection%s", options->trace, connections,
                plural);
    else if (options->rate > 0)
        fprintf(out, "open loop of %g/s (%s), up to %zu connection%s", options->rate,
                options->arrivals == ARRIVALS_POISSON ? "poisson" : "uniform", connections, plural);
    else
        fprintf(out, "closed loop over %zu connection%s", connections, plural);
}

void load_report_print_plan(const struct load_options *options, FILE *out)
{
    char duration[DURATION_BYTES], warmup[DURATION_BYTES];
    fprintf(out, "%s: ", options->target);
    load_report_print_kinds(&options->workload, out);
    fputs("; ", out);
    print_load(options, out);
    fprintf(out, "; %s after %s of warm-up\n",
            quantity_print_duration((double)options->load.duration_ns, duration, sizeof duration),
            quantity_print_duration((double)options->load.warmup_ns, warmup, sizeof warmup));
}

/* --- Outcomes. */

static void print_outcome(const struct summary *summary, const char *what, uint64_t count,
                          FILE *out)
{
    const double due = (double)summary->measured->due;
    const double seconds = summary->result->seconds;
    if (count > 0)
        fprintf(out, "  %-28s %12" PRIu64 " %9.3f %% %12.1f/s\n", what, count,
                due > 0 ? 100 * (double)count / due : 0, seconds > 0 ? (double)count / seconds : 0);
}

static void print_statuses(const struct summary *summary, FILE *out)
{
    const struct recorder *r = summary->measured;
    char what[64];
    for (unsigned status = 200; status < 300; status++) {
        snprintf(what, sizeof what, "answered %u", status);
        print_outcome(summary, what, r->statuses[status], out);
    }
    for (size_t i = 0; i < r->code_count; i++) {
        snprintf(what, sizeof what, "answered %u %s", r->codes[i].status, r->codes[i].code);
        print_outcome(summary, what, r->codes[i].count, out);
    }
}

static void print_outcomes(const struct summary *summary, FILE *out)
{
    const struct recorder *r = summary->measured;
    fprintf(out, "\n  %-28s %12s %11s %14s\n", "requests", "count", "share", "rate");
    print_outcome(summary, "due", r->due, out);
    print_statuses(summary, out);
    print_outcome(summary, "lost: connection ended", r->lost, out);
    print_outcome(summary, "abandoned, as asked", r->abandoned, out);
    print_outcome(summary, "unanswered", r->unanswered, out);
    print_outcome(summary, "never sent", r->unsent, out);
}

/* --- Latencies. */

static void print_duration(double ns, bool any, FILE *out)
{
    char text[DURATION_BYTES];
    fprintf(out, " %9s", any ? quantity_print_duration(ns, text, sizeof text) : "-");
}

static void print_histogram(const char *what, const struct histogram *h, FILE *out)
{
    if (h->count == 0)
        return;
    fprintf(out, "  %-22.22s", what);
    for (size_t i = 0; i < ARRAY_SIZE(QUANTILES); i++) {
        /* A percentile of fewer requests than it takes is only the maximum. */
        const bool enough = (double)h->count * (1 - QUANTILES[i]) >= 1;
        print_duration((double)histogram_quantile(h, QUANTILES[i]), enough, out);
    }
    print_duration((double)h->max, true, out);
    print_duration(histogram_mean(h), true, out);
    fputc('\n', out);
}

static void print_kinds_latencies(const struct workload *workload, const struct recorder *r,
                                  FILE *out)
{
    char what[WORKLOAD_NAME_BYTES_MAX + 8];
    const size_t count = workload_kind_count(workload);
    for (size_t i = 0; count > 1 && i < count; i++) {
        snprintf(what, sizeof what, "  of %s", workload_kind_name(workload, i));
        print_histogram(what, &r->kinds[i].latency, out);
    }
}

static void print_latencies(const struct workload *workload, const struct summary *summary,
                            FILE *out)
{
    const struct recorder *r = summary->measured;
    char what[32];
    fprintf(out, "\n  %-22s %9s %9s %9s %9s %9s %9s %9s %9s\n", "latency", "p50", "p90", "p95",
            "p99", "p99.9", "p99.99", "max", "mean");
    print_histogram(summary->open_loop ? "2xx, from when due" : "2xx", &r->latency, out);
    print_kinds_latencies(workload, r, out);
    if (summary->open_loop)
        print_histogram("2xx, from when sent", &r->service, out);
    print_histogram("other answers", &r->errors, out);
    for (unsigned i = 0; i < TIMING_PARTS; i++) {
        snprintf(what, sizeof what, "server: %s", timing_part_name((enum timing_part)i));
        print_histogram(what, &r->parts[i], out);
    }
    if (!summary->open_loop)
        return;
    print_histogram("client: late by", &r->lag, out);
    print_histogram("client: no connection", &r->wait, out);
}

/* --- Batches. */

/* Sizes 1, 2-3, 4-7, ... with the share of answers that told one of them. */
static void print_batches(const struct summary *summary, FILE *out)
{
    const struct recorder *r = summary->measured;
    const unsigned largest = recorder_batch_max(r);
    uint64_t answers = 0;
    for (unsigned i = 1; i <= largest; i++)
        answers += r->batches[i];
    if (answers == 0)
        return;
    fprintf(out, "\n  batches: mean %.2f, largest %u; requests by size:", summary->batch_mean,
            largest);
    for (unsigned low = 1; low <= largest; low *= 2) {
        const unsigned high = 2 * low - 1 < largest ? 2 * low - 1 : largest;
        uint64_t count = 0;
        for (unsigned i = low; i <= high; i++)
            count += r->batches[i];
        if (count == 0)
            continue;
        if (low == high)
            fprintf(out, "  %u", low);
        else
            fprintf(out, "  %u-%u", low, high);
        fprintf(out, ": %.1f %%", 100 * (double)count / (double)answers);
    }
    fputc('\n', out);
}

/* --- What to think of it. */

static void print_rates(const struct load_options *options, const struct summary *summary,
                        FILE *out)
{
    char slo[DURATION_BYTES];
    fprintf(out, "\n  throughput %.1f/s", summary->throughput);
    if (options->load.slo_ns > 0)
        fprintf(out, ", goodput %.1f/s within %s", summary->goodput,
                quantity_print_duration((double)options->load.slo_ns, slo, sizeof slo));
    fprintf(out, "; client: %.0f %% of a core, %" PRIu64 " connections opened",
            100 * summary->result->cpu_share, summary->result->connects);
    if (summary->result->connects_failed > 0)
        fprintf(out, ", %" PRIu64 " could not be", summary->result->connects_failed);
    fputc('\n', out);
}

static void print_client_verdict(const struct summary *summary, FILE *out)
{
    if (summary->client_is_full)
        fprintf(out,
                "  WARNING: the client's core was full (%.0f %%): it was the bottleneck, and the "
                "server can do more.\n",
                100 * summary->result->cpu_share);
    if (!summary->client_is_slow)
        return;
    char lag[DURATION_BYTES], latency[DURATION_BYTES];
    const struct recorder *r = summary->measured;
    fprintf(out,
            "  WARNING: the client itself sent late, by %s at p99 where the latency is %s: part of "
            "it is not the server's. Lower the rate, use --spin, or give the client a core of its "
            "own (it was preempted %" PRIu64 " times).\n",
            quantity_print_duration((double)histogram_quantile(&r->lag, 0.99), lag, sizeof lag),
            quantity_print_duration((double)histogram_quantile(&r->latency, 0.99), latency,
                                    sizeof latency),
            summary->result->preempted);
}

static void print_pool_verdict(const struct load_options *options, const struct summary *summary,
                               FILE *out)
{
    const struct recorder *r = summary->measured;
    if (summary->pool_was_empty)
        fprintf(out,
                "  Note: %.1f %% of the requests found all %zu connections busy; their waiting "
                "is in the latency.\n",
                100 * (double)(r->wait.count + r->unsent) / (double)r->due,
                options->load.connections);
    if (r->unsent + r->unanswered > 0)
        fprintf(out,
                "  Note: %" PRIu64 " requests have no latency (never sent, or not answered): the "
                "percentiles are too low.\n",
                r->unsent + r->unanswered);
    if (!summary->open_loop)
        fprintf(out, "  Note: a closed loop waits while the server stalls and does not see the "
                     "queue; --rate does.\n");
}

static void print_end(const struct load_options *options, const struct summary *summary, FILE *out)
{
    const struct load_result *result = summary->result;
    switch (result->end) {
    case LOAD_END_DONE:
        return;
    case LOAD_END_INTERRUPTED:
        fprintf(out, "\n  Interrupted after %.1f s; these are the results so far.\n",
                result->seconds);
        return;
    case LOAD_END_UNREACHABLE:
    case LOAD_END_DIED:
        fprintf(out, "\n  %s went away after %.1f s (%s); these are the results so far.\n",
                options->target, result->seconds, result->error);
        return;
    }
}

void load_report_print(const struct load_options *options, const struct workload *workload,
                       const struct summary *summary, FILE *out)
{
    print_end(options, summary, out);
    print_outcomes(summary, out);
    print_latencies(workload, summary, out);
    print_batches(summary, out);
    print_rates(options, summary, out);
    print_client_verdict(summary, out);
    print_pool_verdict(options, summary, out);
}

/* --- While it runs. */

void load_report_print_progress(const char *label, const struct load_interval *interval, FILE *out)
{
    char p50[DURATION_BYTES], p99[DURATION_BYTES];
    const double seconds = interval->seconds > 0 ? interval->seconds : 1;
    const char *phase = interval->warming ? " warm-up" : interval->draining ? " last answers" : "";
    fprintf(out, "\r\033[K%s%6.1f s%s  %.0f/s sent  %.0f/s ok  p50 %s  p99 %s  in flight %zu",
            label != NULL ? label : "", interval->at_s, phase, (double)interval->sent / seconds,
            (double)interval->ok / seconds,
            quantity_print_duration((double)histogram_quantile(&interval->latency, 0.5), p50,
                                    sizeof p50),
            quantity_print_duration((double)histogram_quantile(&interval->latency, 0.99), p99,
                                    sizeof p99),
            interval->in_flight);
    if (interval->refused + interval->lost > 0)
        fprintf(out, "  refused %" PRIu64 "  lost %" PRIu64, interval->refused, interval->lost);
    fflush(out);
}

void load_report_clear_progress(FILE *out)
{
    fputs("\r\033[K", out);
    fflush(out);
}

void load_report_print_csv_head(FILE *out)
{
    fputs("at_s,seconds,phase,sent,ok,refused,lost,abandoned,in_flight,connections,"
          "p50_ms,p90_ms,p99_ms,max_ms,lag_p99_ms\n",
          out);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

void load_report_print_csv(const struct load_interval *interval, FILE *out)
{
    const struct histogram *h = &interval->latency;
    const char *phase = interval->warming ? "warmup" : interval->draining ? "drain" : "measured";
    fprintf(out,
            "%.3f,%.3f,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%zu,%zu,%.6f,%.6f,%.6f,%.6f,%.6f\n",
            interval->at_s, interval->seconds, phase, interval->sent, interval->ok,
            interval->refused, interval->lost, interval->abandoned, interval->in_flight,
            interval->connections, ms(histogram_quantile(h, 0.5)), ms(histogram_quantile(h, 0.9)),
            ms(histogram_quantile(h, 0.99)), ms(h->max),
            ms(histogram_quantile(&interval->lag, 0.99)));
}
