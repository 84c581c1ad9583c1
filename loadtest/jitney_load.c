/*
 * jitney_load.c - the program: which subcommand it is.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} COMMANDS[] = {
    {"run", command_run, "one load, and everything about it"},
    {"sweep", command_sweep, "step by step to the knee: latency by throughput"},
    {"compare", command_compare, "two targets, or two settings, in turns"},
    {"tune", command_tune, "how a queue should batch, found while the server runs"},
};

static void print_usage(FILE *out)
{
    fputs("Usage: jitney-load COMMAND [OPTIONS] [TARGET]\n\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++)
        fprintf(out, "  %-9s %s\n", COMMANDS[i].name, COMMANDS[i].what);
    fputs("\n`jitney-load COMMAND --help` tells what there is.\n", out);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(COMMANDS); i++)
        if (strcmp(argv[1], COMMANDS[i].name) == 0)
            return COMMANDS[i].run(argc - 1, argv + 1);
    const bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    print_usage(help ? stdout : stderr);
    return help ? LOAD_EXIT_DONE : LOAD_EXIT_USAGE;
}
