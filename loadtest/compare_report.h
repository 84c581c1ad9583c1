/*
 * compare_report.h - what a comparison has found, in words, lines and JSON.
 */
#ifndef COMPARE_REPORT_H
#define COMPARE_REPORT_H

#include <stdio.h>

#include "compare.h"

/* What A and B are, and how they are measured. */
void compare_report_print_plan(const struct compare *compare, FILE *out);
/* A line, as soon as the round is over. */
void compare_report_print_round(const struct compare *compare, size_t round, FILE *out);
/* The ratios, the verdict, and what to think of it. */
void compare_report_print(const struct compare *compare, FILE *out);

bool compare_report_write_json(const struct compare *compare,
                               const struct compare_threshold *thresholds, size_t threshold_count,
                               FILE *out) __attribute__((warn_unused_result));

#endif
