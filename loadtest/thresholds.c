/*
 * thresholds.c - see thresholds.h.
 */
#include "thresholds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quantity.h"

enum unit {
    UNIT_DURATION,
    UNIT_RATE,
    UNIT_SHARE,
    UNIT_COUNT,
};

struct figure {
    const char *name;
    enum threshold_figure figure;
    enum unit unit;
};

static const struct figure FIGURES[] = {
    {"mean", THRESHOLD_MEAN, UNIT_DURATION},
    {"min", THRESHOLD_MIN, UNIT_DURATION},
    {"max", THRESHOLD_MAX, UNIT_DURATION},
    {"lag", THRESHOLD_LAG, UNIT_DURATION},
    {"throughput", THRESHOLD_THROUGHPUT, UNIT_RATE},
    {"goodput", THRESHOLD_GOODPUT, UNIT_RATE},
    {"errors", THRESHOLD_ERRORS, UNIT_SHARE},
    {"failed", THRESHOLD_FAILED, UNIT_COUNT},
    {"lost", THRESHOLD_LOST, UNIT_COUNT},
    {"unsent", THRESHOLD_UNSENT, UNIT_COUNT},
    {"cpu", THRESHOLD_CPU, UNIT_SHARE},
};

static enum unit unit_of(enum threshold_figure figure)
{
    for (size_t i = 0; i < ARRAY_SIZE(FIGURES); i++)
        if (FIGURES[i].figure == figure)
            return FIGURES[i].unit;
    return UNIT_DURATION; /* a quantile */
}

/* --- Reading. */

static bool parse_quantile(const char *name, double *out)
{
    char *end;
    if (name[0] != 'p' || name[1] < '0' || name[1] > '9')
        return false;
    const double percent = strtod(name + 1, &end);
    *out = percent / 100;
    return *end == '\0' && percent < 100 && strpbrk(name, "xXeE") == NULL;
}

static bool parse_figure(const char *name, struct threshold *out)
{
    if (parse_quantile(name, &out->quantile)) {
        out->figure = THRESHOLD_QUANTILE;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(FIGURES); i++)
        if (strcmp(FIGURES[i].name, name) == 0) {
            out->figure = FIGURES[i].figure;
            return true;
        }
    return false;
}

static bool parse_value(enum unit unit, const char *text, double *out)
{
    uint64_t ns;
    switch (unit) {
    case UNIT_DURATION:
        if (!quantity_parse_duration(text, &ns))
            return false;
        *out = (double)ns;
        return true;
    case UNIT_SHARE:
        return quantity_parse_share(text, out);
    case UNIT_RATE:
    case UNIT_COUNT:
        return quantity_parse_number(text, out);
    }
    return false;
}

static const char *unit_example(enum unit unit)
{
    switch (unit) {
    case UNIT_DURATION:
        return "a duration, as 5ms";
    case UNIT_SHARE:
        return "a share, as 1%";
    case UNIT_RATE:
        return "a rate, as 5000";
    case UNIT_COUNT:
        return "a count, as 0";
    }
    return "";
}

/* Cuts the text at its operator. *out_value is what stands behind it. */
static bool cut_at_operator(char *text, enum threshold_op *out_op, char **out_value)
{
    char *at = strpbrk(text, "<>");
    if (at == NULL)
        return false;
    const bool equal = at[1] == '=';
    *out_op = *at == '>' ? (equal ? THRESHOLD_AT_LEAST : THRESHOLD_ABOVE)
                         : (equal ? THRESHOLD_AT_MOST : THRESHOLD_BELOW);
    *out_value = at + (equal ? 2 : 1);
    *at = '\0';
    return true;
}

static void drop_spaces(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++)
        if (*text != ' ')
            *to++ = *text;
    *to = '\0';
}

bool threshold_parse(const char *text, struct threshold *out, struct load_error *error)
{
    struct threshold parsed = {0};
    char name[THRESHOLD_TEXT_BYTES_MAX];
    char *value;
    if (strlen(text) >= sizeof parsed.text)
        return load_fail(error, "the threshold is too long");
    strcpy(parsed.text, text);
    strcpy(name, text);
    drop_spaces(name);
    if (!cut_at_operator(name, &parsed.op, &value))
        return load_fail(error, "\"%s\" is not FIGURE>VALUE or FIGURE<VALUE", text);
    if (!parse_figure(name, &parsed))
        return load_fail(error, "\"%s\": there is no figure \"%s\"", text, name);
    if (!parse_value(unit_of(parsed.figure), value, &parsed.value))
        return load_fail(error, "\"%s\": \"%s\" is not %s", text, value,
                         unit_example(unit_of(parsed.figure)));
    *out = parsed;
    return true;
}

/* --- Judging. */

static double figure_value(const struct threshold *threshold, const struct summary *summary)
{
    const struct recorder *r = summary->measured;
    const bool none = r->latency.count == 0;
    switch (threshold->figure) {
    case THRESHOLD_QUANTILE:
        return none ? NAN : (double)histogram_quantile(&r->latency, threshold->quantile);
    case THRESHOLD_MEAN:
        return none ? NAN : histogram_mean(&r->latency);
    case THRESHOLD_MIN:
        return none ? NAN : (double)r->latency.min;
    case THRESHOLD_MAX:
        return none ? NAN : (double)r->latency.max;
    case THRESHOLD_LAG:
        return (double)histogram_quantile(&r->lag, 0.99);
    case THRESHOLD_THROUGHPUT:
        return summary->throughput;
    case THRESHOLD_GOODPUT:
        return summary->goodput;
    case THRESHOLD_ERRORS:
        return summary->failed_share;
    case THRESHOLD_FAILED:
        return (double)summary->failed;
    case THRESHOLD_LOST:
        return (double)r->lost;
    case THRESHOLD_UNSENT:
        return (double)r->unsent;
    case THRESHOLD_CPU:
        return summary->result->cpu_share;
    }
    return NAN;
}

static bool holds(enum threshold_op op, double actual, double value)
{
    switch (op) {
    case THRESHOLD_ABOVE:
        return actual > value;
    case THRESHOLD_AT_LEAST:
        return actual >= value;
    case THRESHOLD_BELOW:
        return actual < value;
    case THRESHOLD_AT_MOST:
        return actual <= value;
    }
    return false;
}

bool threshold_is_crossed(const struct threshold *threshold, const struct summary *summary,
                          double *out_actual)
{
    *out_actual = figure_value(threshold, summary);
    return isnan(*out_actual) || holds(threshold->op, *out_actual, threshold->value);
}

void threshold_print_value(const struct threshold *threshold, double value, char *out,
                           size_t out_bytes)
{
    if (isnan(value)) {
        snprintf(out, out_bytes, "none");
        return;
    }
    switch (unit_of(threshold->figure)) {
    case UNIT_DURATION:
        quantity_print_duration(value, out, out_bytes);
        return;
    case UNIT_SHARE:
        snprintf(out, out_bytes, "%.3g %%", value * 100);
        return;
    case UNIT_RATE:
        snprintf(out, out_bytes, "%.1f/s", value);
        return;
    case UNIT_COUNT:
        snprintf(out, out_bytes, "%.0f", value);
        return;
    }
}
