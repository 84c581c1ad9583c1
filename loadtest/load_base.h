/*
 * load_base.h - the few words that every part of jitney-load shares.
 */
#ifndef LOAD_BASE_H
#define LOAD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What a subcommand ends with, and what its parts say of why they failed. */
enum load_exit {
    LOAD_EXIT_DONE = 0,
    LOAD_EXIT_THRESHOLD = 1,   /* a --fail-if held */
    LOAD_EXIT_USAGE = 2,       /* wrong arguments or files, and what this machine refuses */
    LOAD_EXIT_UNREACHABLE = 3, /* or it does not know the model or the queue */
    LOAD_EXIT_DIED = 4,        /* it answered once, and does no longer */
    LOAD_EXIT_SIGNAL = 128,    /* and its number */
};

/* What went wrong, for a person, without a final full stop. */
struct load_error {
    char text[320];
};

/* Sets the error, and returns false so that a check can end with it. */
bool load_fail(struct load_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
