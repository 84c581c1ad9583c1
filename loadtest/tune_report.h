/*
 * tune_report.h - what a tuning found: the table, the choice, and how to apply it.
 */
#ifndef TUNE_REPORT_H
#define TUNE_REPORT_H

#include <stdio.h>

#include "tune_options.h"
#include "tune_plan.h"
#include "tune_search.h"
#include "tune_setting.h"

enum tune_end {
    TUNE_END_DONE,
    TUNE_END_OUT_OF_TIME, /* the budget was used up before the race was over */
    TUNE_END_INTERRUPTED,
    TUNE_END_DIED,   /* the server did not answer any more */
    TUNE_END_FAILED, /* somebody else changed the queue, or the machine refused something */
};

/* A whole tuning; setting 0 is what held before. */
struct tune_outcome {
    const struct load_options *options;
    const struct tune_options *tune;
    const char *queue;
    const struct tune_setting *settings;
    size_t count;
    struct tune_plan plan;
    const struct tune_search *search;
    size_t measurements;
    double seconds;
    enum tune_end end;
    bool client_is_full; /* in one measurement or more: the client was the bottleneck */
    bool kept;           /* the choice holds now */
    bool put_back;       /* what held before does */
};

/* The rows worth a look: the front, the choice and what held before, the fastest first. */
struct tune_table {
    size_t rows[TUNE_SETTINGS_MAX + 3]; /* indexes of settings */
    size_t count;
    size_t best;
    bool has_best; /* something was measured */
};

void tune_table_make(const struct tune_outcome *outcome, struct tune_table *out);

/* What is about to be done. */
void tune_report_print_plan(const struct tune_outcome *outcome, FILE *out);

/* One line, which overwrites the one before; for a terminal. */
void tune_report_print_progress(const struct tune_outcome *outcome, FILE *out);

void tune_report_print(const struct tune_outcome *outcome, FILE *out);

/* Everything, for programs: see docs/tuning.md. */
bool tune_report_write_json(const struct tune_outcome *outcome, FILE *out)
    __attribute__((warn_unused_result));

#endif
