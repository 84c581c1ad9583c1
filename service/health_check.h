/*
 * health_check.h - asks a running server whether it is ready: jitney --check-health.
 *
 * For images that have neither a shell nor curl: the flag reads the same
 * configuration as the server and so finds it by itself.
 *
 *   Threads    any; it blocks for some seconds at most.
 */
#ifndef HEALTH_CHECK_H
#define HEALTH_CHECK_H

#include <stdbool.h>

#include "config.h"

struct health_answer {
    char text[256]; /* "127.0.0.1:8001: ready", or why it is not */
};

/* Asks for /v2/health/ready at the listener. */
bool health_check(const struct config_listener *listener, struct health_answer *answer);

#endif
