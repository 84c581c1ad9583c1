/*
 * reload.h - SIGHUP: flags, environment and file are read again, as at the start.
 *
 * "batching" and "queues" hold from then on, but for what the API has set (see batching.h).
 * Any other setting that has changed is named in a warning: it needs a restart. A configuration
 * that is wrong changes nothing.
 *
 *   Threads    loop 0's. Reads a file, which may take a moment.
 *   Audit      service_config_last_reload_successful says how it ended, and
 *              service_config_last_reload_success_timestamp_seconds when it last went well.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include "batching.h"

struct reload {
    const struct config_source *source;
    const struct config *running;
    struct batching *batching;
    struct metrics *metrics;
    struct log *log;
};

/* False: it was wrong; the log says why. */
bool reload_configuration(const struct reload *reload);

/* The metrics as they are when a configuration was loaded just now. */
void reload_succeeded(struct metrics *metrics);

#endif
