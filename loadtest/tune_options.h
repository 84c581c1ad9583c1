/*
 * tune_options.h - the command line of `jitney-load tune`, beside what it shares with
 * `run`.
 */
#ifndef TUNE_OPTIONS_H
#define TUNE_OPTIONS_H

#include "load_options.h"

enum {
    TUNE_SLO_NAME_BYTES_MAX = 16,
};

/* "p99=10ms" */
struct tune_slo {
    char name[TUNE_SLO_NAME_BYTES_MAX]; /* "p99" */
    double quantile;                    /* 0.99 */
    uint64_t limit_ns;                  /* 0: not given */
};

struct tune_options {
    struct tune_slo slo;
    uint64_t budget_ns;
    const char *admin; /* a URL */
    const char *admin_token_file;
    bool keep;
};

extern const struct load_command LOAD_COMMAND_TUNE;

void tune_options_init(struct tune_options *options);

bool tune_slo_parse(const char *text, struct tune_slo *out, struct load_error *error)
    __attribute__((warn_unused_result));

/* What has to be there, and what cannot be tuned together. */
bool tune_options_check(const struct tune_options *tune, const struct load_options *options,
                        struct load_error *error) __attribute__((warn_unused_result));

#endif
