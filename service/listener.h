/*
 * listener.h - bound sockets from the configuration's words.
 *
 *   Threads    at start, on the main thread.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct listener_error {
    char text[256]; /* "127.0.0.1:8001: address already in use" */
};

/*
 * Binds one socket (it does not listen yet). With `shared_port`, several sockets may bind
 * the port and the kernel spreads connections over them. `port` overrides the listener's
 * own when it is not 0. A Unix socket that nobody listens on any more is replaced; a live
 * one is not. Returns the descriptor, or -1 with the reason.
 */
int listener_bind(const struct config_listener *listener, unsigned port, bool shared_port,
                  struct listener_error *error);

/* "127.0.0.1:43211", "[::1]:8001" or "unix:PATH": where a bound socket really is. */
void listener_address(const struct config_listener *listener, int fd, char *text, size_t bytes);

/* The port a TCP socket is bound to; 0 for others. */
unsigned listener_port(int fd);

#endif
