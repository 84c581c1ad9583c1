/*
 * load_report.h - how a run went, in words, lines and files.
 */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdio.h>

#include "json_writer.h"
#include "load_options.h"
#include "summary.h"

/* The first line: what is about to be done. */
void load_report_print_plan(const struct load_options *options, FILE *out);

/* "digits (weight 8), wide (weight 1)" */
void load_report_print_kinds(const struct workload_spec *spec, FILE *out);

/* The final table, and what to think of it. */
void load_report_print(const struct load_options *options, const struct workload *workload,
                       const struct summary *summary, FILE *out);

/* One line, which overwrites the one before; for a terminal. `label` stands in front of it,
 * and may be NULL. */
void load_report_print_progress(const char *label, const struct load_interval *interval, FILE *out);
void load_report_clear_progress(FILE *out);

/* A line a second, for plots. */
void load_report_print_csv_head(FILE *out);
void load_report_print_csv(const struct load_interval *interval, FILE *out);

/* Everything, for programs: see docs/load-testing.md. */
bool load_report_write_json(const struct load_options *options, const struct workload *workload,
                            const struct summary *summary, FILE *out)
    __attribute__((warn_unused_result));

/* What every JSON report says of each of its runs: how long, how warm, which limit, which seed. */
void load_report_add_run(const struct json *plan, const struct load_options *options);

#endif
