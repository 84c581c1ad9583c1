/*
 * tune_report.c - see tune_report.h.
 */
#include "tune_report.h"

#include <math.h>
#include <string.h>

#include "quantity.h"

enum {
    DURATION_BYTES = 24,
};

/* Of a throughput: less certain ones have the machine's noise in them. */
static const double NOISY = 0.05;

static const char *const PHASES[] = {
    [TUNE_PHASE_ALL] = "everyone",         [TUNE_PHASE_HALVES] = "the better half",
    [TUNE_PHASE_FINAL] = "the final",      [TUNE_PHASE_FRONT] = "the rest of the table",
    [TUNE_PHASE_EXTRA] = "a close finish", [TUNE_PHASE_OVER] = "over",
};

static const char *duration(double ns, char out[DURATION_BYTES])
{
    if (!isfinite(ns) || ns <= 0)
        return "-";
    return quantity_print_duration(ns, out, DURATION_BYTES);
}

/* --- Before and during. */

void tune_report_print_plan(const struct tune_outcome *outcome, FILE *out)
{
    const struct load_options *options = outcome->options;
    char limit[DURATION_BYTES], window[DURATION_BYTES], budget[DURATION_BYTES];
    fprintf(out,
            "%s: %s; closed loop over %zu connection%s; %s within %s\n"
            "%zu settings, some %zu measurements of %s, at most %s in all\n",
            options->target, outcome->queue, options->load.connections,
            options->load.connections == 1 ? "" : "s", outcome->tune->slo.name,
            duration((double)outcome->tune->slo.limit_ns, limit), outcome->count,
            tune_search_measurements(outcome->count),
            duration((double)outcome->plan.duration_ns, window),
            duration((double)outcome->tune->budget_ns, budget));
    if (outcome->plan.is_short)
        fprintf(out,
                "  Note: the server answers so few requests a second that %s is uncertain in "
                "this time; a larger --budget helps.\n",
                outcome->tune->slo.name);
}

void tune_report_print_progress(const struct tune_outcome *outcome, FILE *out)
{
    char limited[DURATION_BYTES], name[TUNE_NAME_BYTES_MAX];
    size_t best;
    fprintf(out, "\r\033[K%6.1f s  %zu measured, %zu of %zu left: %s", outcome->seconds,
            outcome->measurements, tune_search_left(outcome->search), outcome->count,
            PHASES[tune_search_phase(outcome->search)]);
    if (tune_search_best(outcome->search, &best)) {
        const struct tune_figures figures = tune_search_figures(outcome->search, best);
        fprintf(out, "; best %.0f/s, %s %s: %s", figures.typical.throughput,
                outcome->tune->slo.name, duration(figures.typical.limited_ns, limited),
                tune_setting_print(&outcome->settings[best], name));
    }
    fflush(out);
}

/* --- The table. */

static double throughput_of(const struct tune_outcome *outcome, size_t index)
{
    return tune_search_figures(outcome->search, index).typical.throughput;
}

static void add_row(const struct tune_outcome *outcome, struct tune_table *table, size_t index)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i] == index)
            return;
    if (tune_search_figures(outcome->search, index).samples == 0)
        return;
    size_t at = table->count++;
    for (; at > 0 && throughput_of(outcome, index) > throughput_of(outcome, table->rows[at - 1]);
         at--)
        table->rows[at] = table->rows[at - 1];
    table->rows[at] = index;
}

void tune_table_make(const struct tune_outcome *outcome, struct tune_table *table)
{
    *table = (struct tune_table){0};
    table->count = tune_search_front(outcome->search, table->rows);
    table->has_best = tune_search_best(outcome->search, &table->best);
    if (table->has_best)
        add_row(outcome, table, table->best);
    add_row(outcome, table, 0);
}

static bool is_over(const struct tune_outcome *outcome)
{
    return outcome->end == TUNE_END_DONE || outcome->end == TUNE_END_OUT_OF_TIME;
}

static const char *remark_of(const struct tune_outcome *outcome, const struct tune_figures *figures,
                             bool best, bool before)
{
    if (best && !figures->within)
        return before ? "<- before, and the closest" : "<- the closest";
    if (best && before)
        return is_over(outcome) ? "<- before, and chosen" : "<- before, and the best so far";
    if (best)
        return is_over(outcome) ? "<- chosen" : "<- the best so far";
    if (before)
        return figures->within ? "<- before" : "<- before; over the limit";
    return figures->within ? "" : "over the limit";
}

static void print_row(const struct tune_outcome *outcome, const struct tune_table *table,
                      size_t index, FILE *out)
{
    const struct tune_figures figures = tune_search_figures(outcome->search, index);
    const struct tune_sample *typical = &figures.typical;
    char name[TUNE_NAME_BYTES_MAX], p50[DURATION_BYTES], p99[DURATION_BYTES];
    char limited[DURATION_BYTES], cpu[DURATION_BYTES];
    fprintf(out, "  %-36s %10.0f %5.1f %%", tune_setting_print(&outcome->settings[index], name),
            typical->throughput, 100 * figures.error);
    fprintf(out, " %9s %9s", duration(typical->p50_ns, p50), duration(typical->p99_ns, p99));
    if (outcome->tune->slo.quantile != 0.99)
        fprintf(out, " %9s", duration(typical->limited_ns, limited));
    const char *remark =
        remark_of(outcome, &figures, table->has_best && index == table->best, index == 0);
    fprintf(out, " %9s %6.1f %4zu%s%s\n", duration(typical->cpu_ns, cpu), typical->batch_mean,
            figures.samples, *remark != '\0' ? "  " : "", remark);
}

static void print_table(const struct tune_outcome *outcome, const struct tune_table *table,
                        FILE *out)
{
    const struct tune_slo *slo = &outcome->tune->slo;
    fprintf(out, "\n  %-36s %10s %7s %9s %9s", "setting", "requests/s", "+-", "p50", "p99");
    if (slo->quantile != 0.99)
        fprintf(out, " %9s", slo->name);
    fprintf(out, " %9s %6s %4s\n", "CPU", "batch", "n");
    for (size_t i = 0; i < table->count; i++)
        print_row(outcome, table, table->rows[i], out);
    fputs("\n  Nothing that was tried beats one of these in both throughput and latency. +- is\n"
          "  how sure the throughput is, CPU the server's for one request, batch the mean, n the\n"
          "  number of measurements.\n",
          out);
}

/* --- What to think of it. */

static void print_end(const struct tune_outcome *outcome, FILE *out)
{
    switch (outcome->end) {
    case TUNE_END_DONE:
        break;
    case TUNE_END_OUT_OF_TIME:
        fputs("\n  The budget was used up before the race was over: what follows is less sure "
              "than it could be.\n",
              out);
        break;
    case TUNE_END_INTERRUPTED:
        fprintf(out, "\n  Interrupted after %.1f s; these are the results so far.\n",
                outcome->seconds);
        break;
    case TUNE_END_DIED:
    case TUNE_END_FAILED:
        fprintf(out, "\n  Ended after %.1f s; these are the results so far.\n", outcome->seconds);
        break;
    }
}

static void print_gain(const struct tune_outcome *outcome, size_t best, FILE *out)
{
    const struct tune_figures ours = tune_search_figures(outcome->search, best);
    const struct tune_figures before = tune_search_figures(outcome->search, 0);
    const struct tune_slo *slo = &outcome->tune->slo;
    char name[TUNE_NAME_BYTES_MAX], limited[DURATION_BYTES], limit[DURATION_BYTES];
    fprintf(out, "\n  %s: %s. %s is %s of %s", is_over(outcome) ? "Chosen" : "The best so far",
            tune_setting_print(&outcome->settings[best], name), slo->name,
            duration(ours.typical.limited_ns, limited), duration((double)slo->limit_ns, limit));
    if (best == 0)
        fputs("; nothing is better than what holds already.\n", out);
    else if (before.samples == 0 || before.typical.throughput <= 0)
        fputs(".\n", out);
    else
        fprintf(out, "; %.2f times the throughput of before%s.\n",
                ours.typical.throughput / before.typical.throughput,
                before.within ? "" : ", which is over the limit");
}

static void print_out_of_reach(const struct tune_outcome *outcome, size_t best, FILE *out)
{
    const struct tune_slo *slo = &outcome->tune->slo;
    const struct tune_figures closest = tune_search_figures(outcome->search, best);
    char name[TUNE_NAME_BYTES_MAX], limited[DURATION_BYTES], limit[DURATION_BYTES];
    fprintf(
        out,
        "\n  No setting keeps %s within %s with %zu connections. The closest: %s, with %s.\n"
        "  Fewer connections wait for less (--connections); else it takes a smaller model, int8, "
        "or more cores.\n",
        slo->name, duration((double)slo->limit_ns, limit), outcome->options->load.connections,
        tune_setting_print(&outcome->settings[best], name),
        isfinite(closest.typical.limited_ns) ? duration(closest.typical.limited_ns, limited)
                                             : "more requests refused than that");
}

/* What curl wants in front of a path of the admin listener. */
static void print_curl_target(const struct tune_outcome *outcome, FILE *out)
{
    const char *admin = outcome->tune->admin;
    const size_t bytes = strlen(admin);
    const bool slash = bytes > 0 && admin[bytes - 1] == '/';
    if (strncmp(admin, "unix:", 5) == 0)
        fprintf(out, "--unix-socket %s http://localhost", admin + 5);
    else
        fprintf(out, "%s%.*s", strstr(admin, "://") != NULL ? "" : "http://", (int)(bytes - slash),
                admin);
}

static void print_recipe(const struct tune_outcome *outcome, size_t best, FILE *out)
{
    char patch[TUNE_PATCH_BYTES_MAX];
    tune_setting_print_patch(&outcome->settings[best], patch);
    fputs(outcome->kept ? "\n  It holds now, until the server ends. By hand it is:\n    curl "
          : best == 0   ? "\n  By hand it would be:\n    curl "
                        : "\n  To apply it, until the server ends:\n    curl ",
          out);
    if (outcome->tune->admin_token_file != NULL)
        fprintf(out, "-H \"Authorization: Bearer $(cat %s)\" ", outcome->tune->admin_token_file);
    fprintf(out, "-X PATCH --json '%s' ", patch);
    print_curl_target(outcome, out);
    fprintf(out,
            "/v1/batching/%s\n"
            "  For good, in the server's configuration file:\n"
            "    {\"queues\": {\"%s\": %s}}\n",
            outcome->queue, outcome->queue, patch);
}

static void print_verdict(const struct tune_outcome *outcome, const struct tune_table *table,
                          FILE *out)
{
    const struct tune_figures figures = tune_search_figures(outcome->search, table->best);
    if (figures.within)
        print_gain(outcome, table->best, out);
    else
        print_out_of_reach(outcome, table->best, out);
    if (outcome->client_is_full)
        fputs("  WARNING: the client's core was full at times: it was the bottleneck, and the "
              "server can do more.\n",
              out);
    if (figures.error > NOISY && outcome->end == TUNE_END_DONE)
        fputs("  Note: the same setting gave different figures at different times: something else "
              "uses the machine.\n  A quiet one, or a larger --budget, makes the choice surer.\n",
              out);
    if (figures.within && outcome->end != TUNE_END_DIED)
        print_recipe(outcome, table->best, out);
}

void tune_report_print(const struct tune_outcome *outcome, FILE *out)
{
    struct tune_table table;
    tune_table_make(outcome, &table);
    print_end(outcome, out);
    if (table.has_best) {
        print_table(outcome, &table, out);
        print_verdict(outcome, &table, out);
    }
    if (outcome->put_back)
        fprintf(out, "\n  %s batches as before. ", outcome->queue);
    else
        fputs("\n  ", out);
    fprintf(out, "%zu measurements in %.1f s.\n", outcome->measurements, outcome->seconds);
}
