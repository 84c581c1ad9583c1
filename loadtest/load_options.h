/*
 * load_options.h - the command line: of `jitney-load run`, and what the other
 * subcommands share with it.
 *
 * They repeat runs with other settings, so what describes a run stands in structs of
 * its own: the workload's spec, the load, the reports. A subcommand has the options of
 * `run`, less those that it leaves out, and some of its own.
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <getopt.h>
#include <stdio.h>

#include "arrivals.h"
#include "load_run.h"
#include "thresholds.h"
#include "workload.h"

enum {
    LOAD_THRESHOLDS_MAX = 16,
    LOAD_OPTION_OWN = 1000, /* subcommands number their own options from here */
    LOAD_OPTIONS_OWN_MAX = 24,
};

struct load_options {
    const char *target;
    const char *other_target;      /* the second, where two are allowed; NULL: none */
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

/* A subcommand's own part of the command line. */
struct load_command {
    const char *name;
    void (*print_help)(FILE *out);
    const struct option *options; /* its own, of which the last is zero; NULL: none */
    const char *const *left_out;  /* options of `run` that it has not, the last NULL; NULL: none */
    bool (*take)(void *ctx, int id, const char *text, struct load_error *error);
    size_t targets_max;
    bool has_rates;       /* of its own: then --arrivals needs no --rate */
    bool no_trace;        /* times of arrivals from a file make no sense */
    uint64_t duration_ns; /* defaults */
    uint64_t warmup_ns;
    uint64_t grace_ns;
};

extern const struct load_command LOAD_COMMAND_RUN;

/* `argv[0]` is the subcommand. Texts of *out point into argv. `ctx` is for take(). */
enum load_options_result load_options_parse(const struct load_command *command, int argc,
                                            char **argv, struct load_options *out, void *ctx,
                                            struct load_error *error);

/* Whose bodies --inputs gives: the only model's, or without models the only indicator's.
 * NULL: there is none, or more than one. */
struct workload_kind *load_options_inputs_kind(struct workload_spec *spec);

/* For the help of other subcommands: what is sent, and the exit status. */
void load_options_print_workload_help(FILE *out);
void load_options_print_exit_help(FILE *out);

/* Values of options, as those of `run` are taken; a failure names --NAME and the text. */
bool load_options_take_duration(const char *name, const char *text, uint64_t *out,
                                struct load_error *error);
bool load_options_take_count(const char *name, const char *text, size_t max, size_t *out,
                             struct load_error *error);
bool load_options_take_rate(const char *name, const char *text, double *out,
                            struct load_error *error);

#endif
