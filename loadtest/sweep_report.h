/*
 * sweep_report.h - what a sweep has found: as a table, a chart, a picture and files.
 */
#ifndef SWEEP_REPORT_H
#define SWEEP_REPORT_H

#include "plot.h"
#include "sweep_plan.h"

struct sweep_step {
    double asked; /* a rate, or connections */
    enum sweep_verdict verdict;
    unsigned attempts;
    struct measurement figures; /* of the better attempt */
};

struct sweep {
    const struct load_options *options;
    bool closed;     /* steps are connections of closed loops */
    double capacity; /* a second, of the closed loop before the steps; 0: there was none */
    struct sweep_step steps[SWEEP_STEPS_MAX];
    size_t step_count;
    double knee;        /* in what is asked; 0: none was found */
    bool knee_is_bound; /* no higher step has failed: the server can do more */
    enum load_end end;
};

/* By what was asked for, as all that follow expect it, except the steps as they come. */
void sweep_sort(struct sweep *sweep);

void sweep_report_print_plan(const struct sweep *sweep, FILE *out);
/* The capacity, if there is one, and the head of the table. */
void sweep_report_print_head(const struct sweep *sweep, FILE *out);
/* A line, as soon as it is known. `again`: it will be repeated. */
void sweep_report_print_step(const struct sweep *sweep, const struct sweep_step *step, bool again,
                             FILE *out);
/* The chart, the knee, and what to think of it. */
void sweep_report_print(const struct sweep *sweep, bool unicode, FILE *out);

void sweep_report_print_csv(const struct sweep *sweep, FILE *out);
bool sweep_report_write_json(const struct sweep *sweep, FILE *out)
    __attribute__((warn_unused_result));
/* A script for plot_draw(). */
void sweep_report_print_plot(const struct sweep *sweep, enum plot_kind kind, FILE *script);

#endif
