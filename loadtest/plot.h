/*
 * plot.h - pictures, drawn by gnuplot when it is installed.
 *
 *   Safety     gnuplot is started without a shell, reads its script from a pipe, and writes
 *              the picture to a file that is open already: no path is quoted anywhere.
 */
#ifndef PLOT_H
#define PLOT_H

#include <stdio.h>

#include "load_base.h"

enum plot_kind {
    PLOT_PNG,
    PLOT_SVG,
};

/* By the end of the name: .png or .svg. */
bool plot_kind_of(const char *path, enum plot_kind *out, struct load_error *error)
    __attribute__((warn_unused_result));

/* Whether there is a gnuplot; else *error says what to install. */
bool plot_is_possible(struct load_error *error) __attribute__((warn_unused_result));

/* The first line of a script: what is drawn, and how large. */
void plot_print_terminal(enum plot_kind kind, FILE *script);
/* `text` as gnuplot's string: in quotes, and without what would end them. */
void plot_print_quoted(const char *text, FILE *script);

/* Waits until the picture of `script` is in `picture`. */
bool plot_draw(const char *script, size_t bytes, FILE *picture, struct load_error *error)
    __attribute__((warn_unused_result));

#endif
