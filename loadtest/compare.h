/*
 * compare.h - two sides, A and B, measured in turns, and what that says.
 *
 * Rounds alternate: A B, B A, A B, ... (ABBA), so that what drifts favours neither, and
 * both runs of a round have the same arrivals. One round before them does not count. See paired.h
 * for how ratios are judged.
 *
 *   Purity     no I/O and no clock.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "measure.h"
#include "paired.h"

enum {
    COMPARE_ROUNDS_MAX = 200,
    COMPARE_THRESHOLDS_MAX = 16,
    COMPARE_TEXT_BYTES_MAX = 64,
};

enum compare_figure {
    COMPARE_THROUGHPUT,
    COMPARE_GOODPUT,
    COMPARE_P50,
    COMPARE_P90,
    COMPARE_P99,
    COMPARE_CPU,
    COMPARE_BATCH,
    COMPARE_FIGURES
};

/* "throughput", "p99", ...: as reports and thresholds have it. */
const char *compare_figure_name(enum compare_figure figure);

struct compare_round {
    bool b_first;
    struct measurement a;
    struct measurement b;
};

struct compare {
    const struct load_options *options;
    const char *a; /* what they are: targets, or settings */
    const char *b;
    const char *queue; /* whose settings; NULL: they are targets */
    double confidence; /* wished */
    size_t rounds_wished;
    size_t round_count; /* whole ones */
    struct compare_round rounds[COMPARE_ROUNDS_MAX];
    enum load_end end;
};

/* B/A. */
void compare_ratio(const struct compare *compare, enum compare_figure figure,
                   struct paired_ratio *out);
/* The median of one side. */
double compare_median(const struct compare *compare, enum compare_figure figure, bool of_b);

enum compare_verdict {
    COMPARE_UNKNOWN,  /* the figure is not known */
    COMPARE_NO_MORE,  /* no difference shown: 1 lies in the interval */
    COMPARE_B_BETTER, /* the whole interval is on one side of 1 */
    COMPARE_B_WORSE,
};

/* Of a batch size, more is no worse and no better: then B_BETTER says that it is larger. */
enum compare_verdict compare_judge(enum compare_figure figure, const struct paired_ratio *ratio);

/* "B is faster by 4.1 %", "B is faster: 8.20 times A's", "no difference shown" */
void compare_print_verdict(enum compare_figure figure, const struct paired_ratio *ratio, char *out,
                           size_t out_bytes);
/* "3.0 % to 5.2 %", "-1.2 % to 0.4 %", "7.90 to 8.51 times" */
void compare_print_interval(const struct paired_ratio *ratio, char *out, size_t out_bytes);

/* --fail-if 'p99>1.05': of the ratio B/A, and only when it is shown: it holds when the whole
 * interval lies there. An unknown figure fails too: silence is no success. */
struct compare_threshold {
    char text[COMPARE_TEXT_BYTES_MAX]; /* as it was written */
    enum compare_figure figure;
    bool above;
    double ratio;
};

bool compare_threshold_parse(const char *text, struct compare_threshold *out,
                             struct load_error *error) __attribute__((warn_unused_result));
bool compare_threshold_is_crossed(const struct compare_threshold *threshold,
                                  const struct compare *compare);

#endif
