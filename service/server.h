/*
 * server.h - the whole server: loops, listeners, models, batcher, metrics, and their end.
 *
 *   Threads    server_create(), server_run() and server_destroy() on the main
 *              thread, which runs loop 0 and the signals; one thread for each
 *              further loop.
 *   End        SIGTERM or SIGINT: /v2/health/ready says 503 at once, answers say
 *              Connection: close for the drain delay; then listeners close and
 *              open requests finish within the drain timeout. A second signal ends
 *              that at once: open requests are answered 503.
 *   SIGHUP     reads the configuration again; see reload.h.
 */
#ifndef SERVER_H
#define SERVER_H

#include "config.h"
#include "log.h"

#define JITNEY_VERSION_STRING "0.1.0"

struct server;

/* Loads the models, binds the sockets, starts the workers. On failure it has logged why,
 * and *out is untouched. All three must outlive the server; what `config` says of batching
 * changes while it runs. */
int server_create(struct config *config, const struct config_source *source, struct log *log,
                  struct server **out) __attribute__((warn_unused_result));

/* Serves until a signal ends it. The process's exit status: 0 when every request that was
 * begun got its answer and everything was given back, else 1. */
int server_run(struct server *server);

/* NULL is a no-op. */
void server_destroy(struct server *server);

#endif
