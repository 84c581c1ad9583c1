/*
 * sweep_report.c - see sweep_report.h.
 */
#include "sweep_report.h"

#include <math.h>
#include <stdlib.h>

#include "chart.h"
#include "json_writer.h"
#include "load_report.h"
#include "quantity.h"

enum {
    DURATION_BYTES = 24,
    ASKED_BYTES = 24,
    MARK_BYTES = 48,
};

static int compare_steps(const void *a, const void *b)
{
    const struct sweep_step *x = a, *y = b;
    return (x->asked > y->asked) - (x->asked < y->asked);
}

void sweep_sort(struct sweep *sweep)
{
    qsort(sweep->steps, sweep->step_count, sizeof *sweep->steps, compare_steps);
}

static double share_of(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* --- Before the steps. */

void sweep_report_print_plan(const struct sweep *sweep, FILE *out)
{
    const struct load_options *options = sweep->options;
    char duration[DURATION_BYTES], warmup[DURATION_BYTES];
    fprintf(out, "%s: ", options->target);
    load_report_print_kinds(&options->workload, out);
    fputc('\n', out);
    if (sweep->closed)
        fputs("closed loops", out);
    else
        fprintf(out, "open loops (%s) over up to %zu connections",
                options->arrivals == ARRIVALS_POISSON ? "poisson" : "uniform",
                options->load.connections);
    fprintf(out, ", each %s after %s of warm-up\n",
            quantity_print_duration((double)options->load.duration_ns, duration, sizeof duration),
            quantity_print_duration((double)options->load.warmup_ns, warmup, sizeof warmup));
}

static const char *in_time_name(const struct sweep *sweep)
{
    if (sweep->closed && sweep->options->load.slo_ns == 0)
        return "of sent";
    return sweep->options->load.slo_ns > 0 ? "in time" : "of due";
}

void sweep_report_print_head(const struct sweep *sweep, FILE *out)
{
    if (sweep->capacity > 0)
        fprintf(out, "\n  A closed loop over %zu connections has %.1f/s.\n",
                sweep->options->load.connections, sweep->capacity);
    fprintf(out, "\n  %11s %11s %9s %9s %9s %9s %6s %9s\n", sweep->closed ? "connections" : "due",
            "answered", in_time_name(sweep), "p50", "p90", "p99", "batch", "CPU/req");
}

/* --- A step. */

static void print_duration(double ns, FILE *out)
{
    char text[DURATION_BYTES];
    fprintf(out, " %9s", isnan(ns) ? "-" : quantity_print_duration(ns, text, sizeof text));
}

/* Of what was due: answered while it lasted, or in time when there is an SLO. Answers to the
 * warm-up can make it more than all. */
static double kept_share(const struct sweep *sweep, const struct measurement *figures)
{
    const bool slo = sweep->options->load.slo_ns > 0;
    return fmin(1, share_of(slo ? figures->goodput : figures->throughput, figures->due_rate));
}

/* "248/s", or a number of connections. */
static void print_asked(const struct sweep *sweep, double asked, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, sweep->closed ? "%.0f" : "%.10g/s", asked);
}

static const char *verdict_name(enum sweep_verdict verdict)
{
    switch (verdict) {
    case SWEEP_FOLLOWS:
        return "follows";
    case SWEEP_SLOW:
        return "slow";
    case SWEEP_BEHIND:
        return "behind";
    }
    return "";
}

void sweep_report_print_step(const struct sweep *sweep, const struct sweep_step *step, bool again,
                             FILE *out)
{
    const struct measurement *figures = &step->figures;
    char asked[ASKED_BYTES];
    print_asked(sweep, step->asked, asked, sizeof asked);
    fprintf(out, "  %11s %9.1f/s %7.1f %%", asked, figures->throughput,
            100 * kept_share(sweep, figures));
    print_duration(figures->p50_ns, out);
    print_duration(figures->p90_ns, out);
    print_duration(figures->p99_ns, out);
    if (figures->batch_mean > 0)
        fprintf(out, " %6.1f", figures->batch_mean);
    else
        fprintf(out, " %6s", "-");
    print_duration(figures->cpu_ns, out);
    if (step->verdict != SWEEP_FOLLOWS)
        fprintf(out, "  %s%s", verdict_name(step->verdict), again ? "; again:" : "");
    fputc('\n', out);
    fflush(out);
}

/* --- The chart. */

static const struct sweep_step *knee_step(const struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->step_count; i++)
        if (sweep->knee > 0 && sweep->steps[i].asked == sweep->knee)
            return &sweep->steps[i];
    return NULL;
}

static void print_chart(const struct sweep *sweep, bool unicode, FILE *out)
{
    struct chart_point points[SWEEP_STEPS_MAX];
    char mark[MARK_BYTES], asked[ASKED_BYTES];
    const struct sweep_step *knee = knee_step(sweep);
    for (size_t i = 0; i < sweep->step_count; i++)
        points[i] = (struct chart_point){
            .x = sweep->steps[i].figures.throughput,
            .y_ns = {sweep->steps[i].figures.p50_ns, sweep->steps[i].figures.p99_ns},
            .apart = sweep->steps[i].verdict != SWEEP_FOLLOWS};
    print_asked(sweep, sweep->knee, asked, sizeof asked);
    snprintf(mark, sizeof mark, "knee %s%s", asked, sweep->closed ? " connections" : "");
    const struct chart chart = {.names = {"p50", "p99"},
                                .x_name = "answers a second",
                                .points = points,
                                .count = sweep->step_count,
                                .mark_x = knee != NULL ? knee->figures.throughput : NAN,
                                .mark = mark};
    chart_print(&chart, unicode, out);
}

/* --- What to think of it. */

static void print_knee_rule(const struct sweep *sweep, FILE *out)
{
    char slo[DURATION_BYTES];
    quantity_print_duration((double)sweep->options->load.slo_ns, slo, sizeof slo);
    if (sweep->closed)
        fprintf(out, "the fewest connections with 95 %% of the highest throughput%s%s",
                sweep->options->load.slo_ns > 0 ? ", and 99 % of the answers within " : "",
                sweep->options->load.slo_ns > 0 ? slo : "");
    else if (sweep->options->load.slo_ns > 0)
        fprintf(out, "the highest rate of which 99 %% were answered within %s", slo);
    else
        fputs("the highest rate that throughput follows to 98 %, with p99 at most ten times its "
              "lowest",
              out);
}

static void print_no_knee(const struct sweep *sweep, FILE *out)
{
    char slo[DURATION_BYTES];
    quantity_print_duration((double)sweep->options->load.slo_ns, slo, sizeof slo);
    if (sweep->options->load.slo_ns > 0)
        fprintf(out, "\n  No knee: in no step were 99 %% answered within %s.\n", slo);
    else
        fputs("\n  No knee: throughput followed in no step.\n", out);
}

static void print_knee(const struct sweep *sweep, FILE *out)
{
    const struct sweep_step *knee = knee_step(sweep);
    char asked[ASKED_BYTES], p50[DURATION_BYTES], p99[DURATION_BYTES];
    if (knee == NULL)
        return print_no_knee(sweep, out);
    print_asked(sweep, sweep->knee, asked, sizeof asked);
    fprintf(out, "\n  Knee: %s%s, with p50 %s and p99 %s:\n  ", asked,
            sweep->closed ? " connections" : "",
            quantity_print_duration(knee->figures.p50_ns, p50, sizeof p50),
            quantity_print_duration(knee->figures.p99_ns, p99, sizeof p99));
    print_knee_rule(sweep, out);
    fputs(".\n", out);
    if (sweep->knee_is_bound)
        fputs("  Note: no higher step has failed; the server can do more.\n", out);
}

static void print_client_verdict(const struct sweep *sweep, FILE *out)
{
    size_t full = 0, slow = 0;
    for (size_t i = 0; i < sweep->step_count; i++) {
        full += sweep->steps[i].figures.client_is_full;
        slow += sweep->steps[i].figures.client_is_slow;
    }
    if (full > 0)
        fprintf(out,
                "  WARNING: the client's core was full in %zu of %zu steps. There it was the "
                "bottleneck,\n  and the server can do more.\n",
                full, sweep->step_count);
    if (slow > 0)
        fprintf(
            out,
            "  Note: in %zu of %zu steps the client itself sent late, and part of the latency is "
            "not the\n  server's. Give the client a core of its own, or use --spin.\n",
            slow, sweep->step_count);
}

void sweep_report_print(const struct sweep *sweep, bool unicode, FILE *out)
{
    if (sweep->end != LOAD_END_DONE)
        fprintf(out, "\n  %s; these are the results so far.\n",
                sweep->end == LOAD_END_INTERRUPTED ? "Interrupted" : "The server went away");
    if (sweep->step_count == 0)
        return;
    print_chart(sweep, unicode, out);
    print_knee(sweep, out);
    print_client_verdict(sweep, out);
}

/* --- Files. */

void sweep_report_print_csv(const struct sweep *sweep, FILE *out)
{
    fprintf(out,
            "%s,due_per_s,throughput_per_s,goodput_per_s,failed_share,p50_ms,p90_ms,p99_ms,"
            "batch_mean,cpu_us,verdict\n",
            sweep->closed ? "connections" : "rate");
    for (size_t i = 0; i < sweep->step_count; i++) {
        const struct sweep_step *step = &sweep->steps[i];
        const struct measurement *f = &step->figures;
        fprintf(out, "%.3f,%.3f,%.3f,%.3f,%.6f,%.6f,%.6f,%.6f,%.3f,%.3f,%s\n", step->asked,
                f->due_rate, f->throughput, f->goodput, f->failed_share, f->p50_ns / 1e6,
                f->p90_ns / 1e6, f->p99_ns / 1e6, f->batch_mean, f->cpu_ns / 1e3,
                verdict_name(step->verdict));
    }
}

static void add_plan(const struct json *root, const struct sweep *sweep)
{
    const struct load_options *options = sweep->options;
    const struct json plan = json_child(root, "sweep");
    json_text(&plan, "target", options->target);
    json_text(&plan, "of", sweep->closed ? "connections" : "rates");
    if (!sweep->closed) {
        json_text(&plan, "arrivals", options->arrivals == ARRIVALS_POISSON ? "poisson" : "uniform");
        json_count(&plan, "connections", options->load.connections);
    }
    load_report_add_run(&plan, options);
}

static void add_step(const struct json *steps, const struct sweep *sweep,
                     const struct sweep_step *step)
{
    const struct json item = json_item(steps);
    json_number(&item, sweep->closed ? "connections" : "rate", step->asked);
    measurement_write_json(&step->figures, &item);
    json_text(&item, "verdict", verdict_name(step->verdict));
    json_count(&item, "attempts", step->attempts);
}

bool sweep_report_write_json(const struct sweep *sweep, FILE *out)
{
    struct json root = json_begin();
    json_text(&root, "end", load_end_name(sweep->end));
    add_plan(&root, sweep);
    if (sweep->capacity > 0)
        json_number(&root, "closed_loop_throughput", sweep->capacity);
    const struct json steps = json_list(&root, "steps");
    for (size_t i = 0; i < sweep->step_count; i++)
        add_step(&steps, sweep, &sweep->steps[i]);
    json_number(&root, "knee", sweep->knee > 0 ? sweep->knee : NAN);
    json_flag(&root, "knee_is_bound", sweep->knee_is_bound);
    return json_end(&root, out);
}

/* --- The picture. */

static void print_title(const struct sweep *sweep, FILE *script)
{
    char *text = NULL;
    size_t bytes;
    FILE *title = open_memstream(&text, &bytes);
    if (title == NULL)
        return;
    load_report_print_kinds(&sweep->options->workload, title);
    fprintf(title, ": latency by throughput");
    if (fclose(title) == 0) {
        fputs("set title ", script);
        plot_print_quoted(text, script);
        fputs(" noenhanced\n", script);
    }
    free(text);
}

static void print_knee_mark(const struct sweep *sweep, FILE *script)
{
    const struct sweep_step *knee = knee_step(sweep);
    char asked[ASKED_BYTES];
    if (knee == NULL)
        return;
    print_asked(sweep, sweep->knee, asked, sizeof asked);
    fprintf(script,
            "set arrow from first %g, graph 0 to first %g, graph 1 nohead dt 2 lc rgb '#808080'\n"
            "set label 'knee %s%s ' at first %g, graph 0.95 right textcolor rgb '#606060'\n",
            knee->figures.throughput, knee->figures.throughput, asked,
            sweep->closed ? " connections" : "", knee->figures.throughput);
}

/* The steps that follow, or the others. */
static size_t print_data(const struct sweep *sweep, bool follows, FILE *script)
{
    size_t count = 0;
    for (size_t i = 0; i < sweep->step_count; i++) {
        const struct measurement *f = &sweep->steps[i].figures;
        if (isnan(f->p99_ns) || (sweep->steps[i].verdict == SWEEP_FOLLOWS) != follows)
            continue;
        fprintf(script, "%.3f %.6f %.6f %.6f\n", f->throughput, f->p50_ns / 1e6, f->p90_ns / 1e6,
                f->p99_ns / 1e6);
        count++;
    }
    fputs("END\n", script);
    return count;
}

static void print_lines(const struct sweep *sweep, FILE *script)
{
    static const struct {
        const char *name;
        int column, filled, hollow; /* gnuplot's point types */
        const char *colour;
    } lines[] = {
        {"p99", 4, 7, 6, "#d55e00"}, {"p90", 3, 5, 4, "#e69f00"}, {"p50", 2, 9, 8, "#0072b2"}};
    fputs("$follows << END\n", script);
    const size_t follow = print_data(sweep, true, script);
    fputs("$others << END\n", script);
    const size_t others = print_data(sweep, false, script);
    const char *join = "plot ";
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++, join = ", ") {
        if (follow > 0)
            fprintf(script,
                    "%s$follows using 1:%d with linespoints lw 2 pt %d lc rgb '%s' title '%s'",
                    join, lines[i].column, lines[i].filled, lines[i].colour, lines[i].name);
        if (others > 0)
            fprintf(script, "%s$others using 1:%d with points lw 2 pt %d lc rgb '%s' title '%s'",
                    follow > 0 ? ", " : join, lines[i].column, lines[i].hollow, lines[i].colour,
                    i + 1 < ARRAY_SIZE(lines) ? "" : "not followed");
    }
    fputc('\n', script);
}

void sweep_report_print_plot(const struct sweep *sweep, enum plot_kind kind, FILE *script)
{
    plot_print_terminal(kind, script);
    print_title(sweep, script);
    fputs("set xlabel 'answers a second'\n"
          "set ylabel 'latency, milliseconds'\n"
          "set logscale y\n"
          "set format y '%g'\n"
          "set xrange [0:*]\n"
          "set grid xtics ytics lt 1 lc rgb '#dddddd'\n"
          "set border 3\n"
          "set tics nomirror\n"
          "set key top left reverse Left\n",
          script);
    print_knee_mark(sweep, script);
    print_lines(sweep, script);
}
