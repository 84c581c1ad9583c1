/*
 * compare.c - see compare.h.
 */
#include "compare.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "quantity.h"

enum {
    TIMES_BYTES = 24,
};

static const struct {
    const char *name;
    bool more_is_better;
    const char *better; /* words for B */
    const char *worse;
} FIGURES[COMPARE_FIGURES] = {
    [COMPARE_THROUGHPUT] = {"throughput", true, "faster", "slower"},
    [COMPARE_GOODPUT] = {"goodput", true, "better", "worse"},
    [COMPARE_P50] = {"p50", false, "faster", "slower"},
    [COMPARE_P90] = {"p90", false, "faster", "slower"},
    [COMPARE_P99] = {"p99", false, "faster", "slower"},
    [COMPARE_CPU] = {"cpu", false, "cheaper", "dearer"},
    [COMPARE_BATCH] = {"batch", true, "larger", "smaller"},
};

const char *compare_figure_name(enum compare_figure figure)
{
    return FIGURES[figure].name;
}

static double figure_of(enum compare_figure figure, const struct measurement *m)
{
    switch (figure) {
    case COMPARE_THROUGHPUT:
        return m->throughput;
    case COMPARE_GOODPUT:
        return m->goodput;
    case COMPARE_P50:
        return m->p50_ns;
    case COMPARE_P90:
        return m->p90_ns;
    case COMPARE_P99:
        return m->p99_ns;
    case COMPARE_CPU:
        return m->cpu_ns;
    case COMPARE_BATCH:
        return m->batch_mean > 0 ? m->batch_mean : NAN;
    case COMPARE_FIGURES:
        break;
    }
    return NAN;
}

static void gather(const struct compare *compare, enum compare_figure figure, bool of_b,
                   double out[COMPARE_ROUNDS_MAX])
{
    for (size_t i = 0; i < compare->round_count; i++)
        out[i] = figure_of(figure, of_b ? &compare->rounds[i].b : &compare->rounds[i].a);
}

void compare_ratio(const struct compare *compare, enum compare_figure figure,
                   struct paired_ratio *out)
{
    double a[COMPARE_ROUNDS_MAX], b[COMPARE_ROUNDS_MAX];
    gather(compare, figure, false, a);
    gather(compare, figure, true, b);
    paired_ratio(a, b, compare->round_count, compare->confidence, out);
}

double compare_median(const struct compare *compare, enum compare_figure figure, bool of_b)
{
    double values[COMPARE_ROUNDS_MAX];
    gather(compare, figure, of_b, values);
    return paired_median(values, compare->round_count);
}

/* --- Verdicts. */

enum compare_verdict compare_judge(enum compare_figure figure, const struct paired_ratio *ratio)
{
    if (ratio->pairs == 0)
        return COMPARE_UNKNOWN;
    const bool more = ratio->low > 1, less = ratio->high < 1;
    if (ratio->pairs == 1 || !(more || less))
        return COMPARE_NO_MORE; /* of one round, nothing is known but itself */
    return more == FIGURES[figure].more_is_better ? COMPARE_B_BETTER : COMPARE_B_WORSE;
}

/* Per cents are for small differences: nobody sees what 720 % are. */
static bool is_small(double ratio)
{
    return ratio > 0.5 && ratio < 2;
}

/* Three digits. */
static const char *print_times(double ratio, char *out, size_t out_bytes)
{
    const int decimals = ratio < 1 ? 3 : ratio < 10 ? 2 : ratio < 100 ? 1 : 0;
    snprintf(out, out_bytes, "%.*f", decimals, ratio);
    return out;
}

void compare_print_verdict(enum compare_figure figure, const struct paired_ratio *ratio, char *out,
                           size_t out_bytes)
{
    const enum compare_verdict verdict = compare_judge(figure, ratio);
    if (verdict == COMPARE_UNKNOWN || verdict == COMPARE_NO_MORE) {
        snprintf(out, out_bytes, "%s",
                 verdict == COMPARE_UNKNOWN ? "not known" : "no difference shown");
        return;
    }
    const char *word = verdict == COMPARE_B_BETTER ? FIGURES[figure].better : FIGURES[figure].worse;
    char times[TIMES_BYTES];
    if (is_small(ratio->median))
        snprintf(out, out_bytes, "B is %s by %.1f %%", word, 100 * fabs(ratio->median - 1));
    else
        snprintf(out, out_bytes, "B is %s: %s times A's", word,
                 print_times(ratio->median, times, sizeof times));
}

void compare_print_interval(const struct paired_ratio *ratio, char *out, size_t out_bytes)
{
    const double low = 100 * (ratio->low - 1), high = 100 * (ratio->high - 1);
    char from[TIMES_BYTES], to[TIMES_BYTES];
    if (ratio->pairs == 0)
        snprintf(out, out_bytes, "-");
    else if (!is_small(ratio->median))
        snprintf(out, out_bytes, "%s to %s times", print_times(ratio->low, from, sizeof from),
                 print_times(ratio->high, to, sizeof to));
    else if (low > 0 || high < 0) /* the word says which way */
        snprintf(out, out_bytes, "%.1f %% to %.1f %%", fmin(fabs(low), fabs(high)),
                 fmax(fabs(low), fabs(high)));
    else
        snprintf(out, out_bytes, "%+.1f %% to %+.1f %%", low, high);
}

/* --- Thresholds. */

static bool figure_named(const char *name, enum compare_figure *out)
{
    for (size_t i = 0; i < COMPARE_FIGURES; i++)
        if (strcmp(FIGURES[i].name, name) == 0) {
            *out = (enum compare_figure)i;
            return true;
        }
    return false;
}

static void copy_without_spaces(const char *text, char *out)
{
    for (; *text != '\0'; text++)
        if (*text != ' ')
            *out++ = *text;
    *out = '\0';
}

bool compare_threshold_parse(const char *text, struct compare_threshold *out,
                             struct load_error *error)
{
    struct compare_threshold parsed = {0};
    char name[COMPARE_TEXT_BYTES_MAX];
    if (strlen(text) >= sizeof name)
        return load_fail(error, "the threshold is too long");
    strcpy(parsed.text, text);
    copy_without_spaces(text, name);
    char *at = strpbrk(name, "<>");
    if (at == NULL)
        return load_fail(error, "\"%s\" is not FIGURE>RATIO or FIGURE<RATIO", text);
    parsed.above = *at == '>';
    *at = '\0';
    if (!figure_named(name, &parsed.figure))
        return load_fail(error, "\"%s\": there is no figure \"%s\"", text, name);
    if (!quantity_parse_number(at + 1, &parsed.ratio) || parsed.ratio <= 0)
        return load_fail(error, "\"%s\": \"%s\" is not a ratio B/A, as 1.05", text, at + 1);
    *out = parsed;
    return true;
}

bool compare_threshold_is_crossed(const struct compare_threshold *threshold,
                                  const struct compare *compare)
{
    struct paired_ratio ratio;
    compare_ratio(compare, threshold->figure, &ratio);
    if (ratio.pairs == 0)
        return true;
    return threshold->above ? ratio.low > threshold->ratio : ratio.high < threshold->ratio;
}
