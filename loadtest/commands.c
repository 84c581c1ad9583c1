/*
 * commands.c - see commands.h.
 */
#include "commands.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int command_complain(const struct load_error *error, int status)
{
    fprintf(stderr, "jitney-load: %s\n", error->text);
    return status;
}

bool command_parse(const struct load_command *command, int argc, char **argv,
                   struct load_options *options, void *ctx, int *out_status)
{
    struct load_error error;
    switch (load_options_parse(command, argc, argv, options, ctx, &error)) {
    case LOAD_OPTIONS_OK:
        return true;
    case LOAD_OPTIONS_HELP:
        command->print_help(stdout);
        *out_status = LOAD_EXIT_DONE;
        return false;
    case LOAD_OPTIONS_WRONG:
        *out_status = command_complain(&error, LOAD_EXIT_USAGE);
        fprintf(stderr, "jitney-load: `jitney-load %s --help` tells what there is\n",
                command->name);
        return false;
    }
    return false;
}

bool command_open_file(const char *path, FILE **out, struct load_error *error)
{
    if (path == NULL)
        return true;
    *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    return *out != NULL || load_fail(error, "%s cannot be written: %s", path, strerror(errno));
}

bool command_close_file(const char *path, FILE *file, struct load_error *error)
{
    if (file == NULL)
        return true;
    const bool failed = ferror(file) != 0;
    const int rc = file == stdout ? fflush(file) : fclose(file);
    return (!failed && rc == 0) || load_fail(error, "%s cannot be written", path);
}

FILE *command_progress(const struct load_options *options)
{
    return !options->quiet && isatty(STDERR_FILENO) ? stderr : NULL;
}
