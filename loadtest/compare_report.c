/*
 * compare_report.c - see compare_report.h.
 */
#include "compare_report.h"

#include <math.h>
#include <string.h>

#include "json_writer.h"
#include "load_report.h"
#include "quantity.h"

enum {
    DURATION_BYTES = 24,
    VERDICT_BYTES = 64,
};

/* --- Before. */

void compare_report_print_plan(const struct compare *compare, FILE *out)
{
    const struct load_options *options = compare->options;
    char duration[DURATION_BYTES], warmup[DURATION_BYTES];
    if (compare->queue != NULL)
        fprintf(out, "%s, queue %s\n", options->target, compare->queue);
    fprintf(out, "A: %s\nB: %s\n", compare->a, compare->b);
    load_report_print_kinds(&options->workload, out);
    fputc('\n', out);
    if (options->rate > 0)
        fprintf(out, "open loops of %g/s (%s) over up to", options->rate,
                options->arrivals == ARRIVALS_POISSON ? "poisson" : "uniform");
    else
        fputs("closed loops over", out);
    fprintf(out, " %zu connections; %zu rounds of two runs, each %s after %s of warm-up\n",
            options->load.connections, compare->rounds_wished,
            quantity_print_duration((double)options->load.duration_ns, duration, sizeof duration),
            quantity_print_duration((double)options->load.warmup_ns, warmup, sizeof warmup));
}

/* --- A round. */

static void print_duration(double ns, FILE *out)
{
    char text[DURATION_BYTES];
    fprintf(out, " %9s", isnan(ns) ? "-" : quantity_print_duration(ns, text, sizeof text));
}

static void print_ratio(double a, double b, FILE *out)
{
    if (a > 0 && b > 0)
        fprintf(out, " %7.3f", b / a);
    else
        fprintf(out, " %7s", "-");
}

void compare_report_print_round(const struct compare *compare, size_t round, FILE *out)
{
    const struct compare_round *r = &compare->rounds[round];
    if (round == 0)
        fprintf(out, "\n  %5s  %-5s %11s %11s %7s %9s %9s %7s %9s %9s %7s\n", "round", "order", "A",
                "B", "B/A", "p50 A", "B", "B/A", "p99 A", "B", "B/A");
    fprintf(out, "  %5zu  %-5s %9.1f/s %9.1f/s", round + 1, r->b_first ? "B A" : "A B",
            r->a.throughput, r->b.throughput);
    print_ratio(r->a.throughput, r->b.throughput, out);
    print_duration(r->a.p50_ns, out);
    print_duration(r->b.p50_ns, out);
    print_ratio(r->a.p50_ns, r->b.p50_ns, out);
    print_duration(r->a.p99_ns, out);
    print_duration(r->b.p99_ns, out);
    print_ratio(r->a.p99_ns, r->b.p99_ns, out);
    fputc('\n', out);
    fflush(out);
}

/* --- The ratios. */

static const char *row_name(enum compare_figure figure)
{
    switch (figure) {
    case COMPARE_CPU:
        return "server CPU a request";
    case COMPARE_BATCH:
        return "mean batch";
    case COMPARE_THROUGHPUT:
    case COMPARE_GOODPUT:
    case COMPARE_P50:
    case COMPARE_P90:
    case COMPARE_P99:
    case COMPARE_FIGURES:
        break;
    }
    return compare_figure_name(figure);
}

static void print_median(const struct compare *compare, enum compare_figure figure, bool of_b,
                         FILE *out)
{
    const double median = compare_median(compare, figure, of_b);
    char text[DURATION_BYTES];
    if (isnan(median))
        snprintf(text, sizeof text, "-");
    else if (figure == COMPARE_THROUGHPUT || figure == COMPARE_GOODPUT)
        snprintf(text, sizeof text, "%.1f/s", median);
    else if (figure == COMPARE_BATCH)
        snprintf(text, sizeof text, "%.2f", median);
    else
        quantity_print_duration(median, text, sizeof text);
    fprintf(out, " %11s", text);
}

static bool is_shown(const struct compare *compare, enum compare_figure figure)
{
    struct paired_ratio ratio;
    compare_ratio(compare, figure, &ratio);
    if (figure == COMPARE_GOODPUT)
        return compare->options->load.slo_ns > 0;
    return ratio.pairs > 0 || (figure != COMPARE_CPU && figure != COMPARE_BATCH);
}

static void print_row(const struct compare *compare, enum compare_figure figure, FILE *out)
{
    struct paired_ratio ratio;
    char verdict[VERDICT_BYTES];
    compare_ratio(compare, figure, &ratio);
    fprintf(out, "  %-20s", row_name(figure));
    print_median(compare, figure, false, out);
    print_median(compare, figure, true, out);
    if (ratio.pairs > 0)
        fprintf(out, " %8.3f %8.3f to %-8.3f", ratio.median, ratio.low, ratio.high);
    else
        fprintf(out, " %8s %20s", "-", "");
    compare_print_verdict(figure, &ratio, verdict, sizeof verdict);
    fprintf(out, "  %s\n", verdict);
}

/* Few rounds, or requests unanswered on one side, make a figure's interval less sure. */
static double confidence_of(const struct compare *compare, enum compare_figure figure)
{
    struct paired_ratio ratio;
    compare_ratio(compare, figure, &ratio);
    return ratio.pairs > 0 ? ratio.confidence : 0;
}

static void print_ratios(const struct compare *compare, FILE *out)
{
    char interval[32];
    snprintf(interval, sizeof interval, "%.3g %% interval",
             100 * confidence_of(compare, COMPARE_THROUGHPUT));
    fprintf(out, "\n  %-20s %11s %11s %8s %20s\n", "medians", "A", "B", "B/A", interval);
    for (enum compare_figure figure = 0; figure < COMPARE_FIGURES; figure++)
        if (is_shown(compare, figure))
            print_row(compare, figure, out);
}

/* A closed loop has as much throughput as it can get; an open one as much as it asks for, and
 * only the latency tells. */
static void print_verdict(const struct compare *compare, FILE *out)
{
    const enum compare_figure figure =
        compare->options->rate > 0 ? COMPARE_P50 : COMPARE_THROUGHPUT;
    struct paired_ratio ratio;
    char verdict[VERDICT_BYTES], interval[VERDICT_BYTES];
    compare_ratio(compare, figure, &ratio);
    compare_print_verdict(figure, &ratio, verdict, sizeof verdict);
    compare_print_interval(&ratio, interval, sizeof interval);
    fprintf(out, "\n  By %s: %s", compare_figure_name(figure), verdict);
    if (ratio.pairs > 1)
        fprintf(out, " (%.3g %% sure: %s)", 100 * ratio.confidence, interval);
    fputs(".\n", out);
}

/* --- What to think of it. */

static double failed_share(const struct compare *compare, bool of_b)
{
    double shares[COMPARE_ROUNDS_MAX];
    for (size_t i = 0; i < compare->round_count; i++)
        shares[i] = of_b ? compare->rounds[i].b.failed_share : compare->rounds[i].a.failed_share;
    return paired_median(shares, compare->round_count);
}

static void print_failures(const struct compare *compare, FILE *out)
{
    for (int b = 0; b < 2; b++)
        if (failed_share(compare, b) > 0)
            fprintf(out,
                    "  WARNING: %.2g %% of %s's requests failed; latencies are of the others.\n",
                    100 * failed_share(compare, b), b ? "B" : "A");
}

static void print_client_verdict(const struct compare *compare, FILE *out)
{
    size_t full = 0, slow = 0;
    for (size_t i = 0; i < compare->round_count; i++) {
        const struct compare_round *r = &compare->rounds[i];
        full += r->a.client_is_full || r->b.client_is_full;
        slow += r->a.client_is_slow || r->b.client_is_slow;
    }
    if (full > 0)
        fprintf(out,
                "  WARNING: the client's core was full in %zu of %zu rounds: the difference is "
                "larger than it looks.\n",
                full, compare->round_count);
    if (slow > 0 && compare->options->rate > 0)
        fprintf(out,
                "  Note: in %zu of %zu rounds the client itself sent late, which hides differences "
                "of latency.\n",
                slow, compare->round_count);
}

static void print_few(const struct compare *compare, FILE *out)
{
    struct paired_ratio ratio;
    compare_ratio(compare, COMPARE_P50, &ratio);
    if (ratio.pairs < compare->round_count)
        fprintf(
            out,
            "  WARNING: in %zu of %zu rounds one side answered nothing with 2xx; they are not in "
            "the ratios.\n",
            compare->round_count - ratio.pairs, compare->round_count);
    const double confidence = confidence_of(compare, COMPARE_THROUGHPUT);
    if (confidence < compare->confidence)
        fprintf(out,
                "  Note: so few rounds are no more than %.3g %% sure; %.3g %% were wished for.\n",
                100 * confidence, 100 * compare->confidence);
}

void compare_report_print(const struct compare *compare, FILE *out)
{
    if (compare->round_count < compare->rounds_wished)
        fprintf(out, "\n  %s after %zu of %zu rounds; these are the results so far.\n",
                compare->end == LOAD_END_INTERRUPTED ? "Interrupted" : "Ended",
                compare->round_count, compare->rounds_wished);
    if (compare->round_count == 0)
        return;
    print_ratios(compare, out);
    print_verdict(compare, out);
    print_failures(compare, out);
    print_client_verdict(compare, out);
    print_few(compare, out);
}

/* --- JSON. */

static void add_plan(const struct json *root, const struct compare *compare)
{
    const struct load_options *options = compare->options;
    const struct json plan = json_child(root, "compare");
    json_text(&plan, "a", compare->a);
    json_text(&plan, "b", compare->b);
    if (compare->queue != NULL) {
        json_text(&plan, "target", options->target);
        json_text(&plan, "queue", compare->queue);
    }
    json_count(&plan, "rounds", compare->rounds_wished);
    if (options->rate > 0)
        json_number(&plan, "rate", options->rate);
    json_count(&plan, "connections", options->load.connections);
    load_report_add_run(&plan, options);
}

static void add_rounds(const struct json *root, const struct compare *compare)
{
    const struct json rounds = json_list(root, "rounds");
    for (size_t i = 0; i < compare->round_count; i++) {
        const struct json round = json_item(&rounds);
        json_text(&round, "first", compare->rounds[i].b_first ? "b" : "a");
        const struct json a = json_child(&round, "a"), b = json_child(&round, "b");
        measurement_write_json(&compare->rounds[i].a, &a);
        measurement_write_json(&compare->rounds[i].b, &b);
    }
}

static const char *verdict_name(enum compare_verdict verdict)
{
    switch (verdict) {
    case COMPARE_UNKNOWN:
        return "unknown";
    case COMPARE_NO_MORE:
        return "no difference shown";
    case COMPARE_B_BETTER:
        return "b is better";
    case COMPARE_B_WORSE:
        return "b is worse";
    }
    return "";
}

static void add_ratios(const struct json *root, const struct compare *compare)
{
    const struct json ratios = json_child(root, "ratios");
    for (enum compare_figure figure = 0; figure < COMPARE_FIGURES; figure++) {
        struct paired_ratio ratio;
        if (!is_shown(compare, figure))
            continue;
        compare_ratio(compare, figure, &ratio);
        const struct json item = json_child(&ratios, compare_figure_name(figure));
        json_number(&item, "ratio", ratio.median);
        json_number(&item, "low", ratio.low);
        json_number(&item, "high", ratio.high);
        json_number(&item, "confidence", ratio.confidence);
        json_count(&item, "pairs", ratio.pairs);
        if (figure != COMPARE_BATCH) /* which is neither better nor worse */
            json_text(&item, "verdict", verdict_name(compare_judge(figure, &ratio)));
    }
}

bool compare_report_write_json(const struct compare *compare,
                               const struct compare_threshold *thresholds, size_t threshold_count,
                               FILE *out)
{
    struct json root = json_begin();
    json_text(&root, "end", load_end_name(compare->end));
    add_plan(&root, compare);
    add_rounds(&root, compare);
    add_ratios(&root, compare);
    const struct json list = json_list(&root, "thresholds");
    for (size_t i = 0; i < threshold_count; i++) {
        const struct json item = json_item(&list);
        json_text(&item, "fail_if", thresholds[i].text);
        json_flag(&item, "failed", compare_threshold_is_crossed(&thresholds[i], compare));
    }
    return json_end(&root, out);
}
