/*
 * load_options.h - the command line of `jitney-load run`.
 *
 * Later subcommands repeat runs with other settings, so what describes a run stands
 * in structs of its own: the workload's spec, the load, the reports.
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdio.h>

#include "arrivals.h"
#include "load_run.h"
#include "thresholds.h"
#include "workload.h"

enum {
    LOAD_THRESHOLDS_MAX = 16,
};

struct load_options {
    const char *target;
    struct workload_spec workload; /* without host and shapes, which the target tells */
    const char *inputs;            /* a file; NULL: generated */

    double rate; /* 0: closed loop */
    enum arrivals_kind arrivals;
    const char *trace;       /* of ARRIVALS_TRACE */
    struct load_config load; /* without target, workload and arrivals */

    struct threshold thresholds[LOAD_THRESHOLDS_MAX];
    size_t threshold_count;
    const char *json; /* "-": standard output, and no table */
    const char *csv;
    const char *histogram;
    bool quiet;
};

enum load_options_result {
    LOAD_OPTIONS_OK,
    LOAD_OPTIONS_HELP, /* asked for: print it, and that is success */
    LOAD_OPTIONS_WRONG,
};

/* `argv[0]` is the subcommand. Texts of *out point into argv. */
enum load_options_result load_options_parse(int argc, char **argv, struct load_options *out,
                                            struct load_error *error);

void load_options_print_help(FILE *out);

#endif
