/*
 * commands.h - the subcommands of jitney-load, and what they share as programs: the
 * command line, files, complaints.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdio.h>

#include "load_options.h"

/* argv[0] is the subcommand; what is returned is the exit status. */
int command_run(int argc, char **argv);
int command_sweep(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_tune(int argc, char **argv);

/* Says on standard error what is wrong, and returns `status`. */
int command_complain(const struct load_error *error, int status);

/* True when there is something to do. Else help was printed, or what is wrong with the
 * arguments, and *out_status is what to exit with. */
bool command_parse(const struct load_command *command, int argc, char **argv,
                   struct load_options *options, void *ctx, int *out_status);

/* Opens a file to write, "-" being standard output; a path of NULL is nothing to do. Files are
 * opened first: a run of minutes must not end at a mistyped folder. */
bool command_open_file(const char *path, FILE **out, struct load_error *error)
    __attribute__((warn_unused_result));

/* False when something of it could not be written. NULL is a no-op. */
bool command_close_file(const char *path, FILE *file, struct load_error *error)
    __attribute__((warn_unused_result));

/* Where a run shows how far it is: standard error when it is a terminal, else NULL. */
FILE *command_progress(const struct load_options *options);

#endif
