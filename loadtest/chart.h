/*
 * chart.h - latencies drawn in text: a line for each percentile over a plain x axis, with
 * time upwards on a logarithmic one.
 *
 *     10 ms ┤                                               ╎     ⢀●
 *           │                                               ╎    ⡠⠃
 *      5 ms ┤                                               ╎  ⢀⠔⠁
 *
 *   Width      CHART_COLUMNS, so that it fits a terminal, a mail, and a commit message.
 *   Characters lines are drawn in Braille dots; without Unicode, in ASCII.
 */
#ifndef CHART_H
#define CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    CHART_COLUMNS = 72,
    CHART_ROWS = 16, /* of the field, without axis and legend */
    CHART_LINES_MAX = 2,
};

struct chart_point {
    double x;
    double y_ns[CHART_LINES_MAX]; /* NAN: none */
    bool apart;                   /* not joined with the others */
};

struct chart {
    const char *names[CHART_LINES_MAX]; /* of the lines; the last may be NULL */
    const char *x_name;                 /* "answers a second" */
    const struct chart_point *points;   /* joined in this order */
    size_t count;
    double mark_x;    /* a vertical line; NAN: none */
    const char *mark; /* what stands beside it */
};

/* Begins with an empty line. Prints nothing when there is nothing to draw. */
void chart_print(const struct chart *chart, bool unicode, FILE *out);

#endif
