/*
 * batching.h - how each queue batches, changed while it runs, and by whom.
 *
 * Two speak while the server runs: the API (PATCH /v1/batching/{queue}) and the
 * configuration, when it is read again. What the API set stays until the API gives it up,
 * whatever the configuration says by then; every other field follows the configuration.
 *
 *   Threads    loop 0's, where the admin listeners and the signals are.
 *   Ownership  batching_create() to batching_destroy(); the compute, the configuration and
 *              the log are borrowed.
 *   Audit      every change of a field is a line in the log, every change of a queue counts
 *              in batcher_config_changes_total.
 */
#ifndef BATCHING_H
#define BATCHING_H

#include "compute.h"
#include "config_batching.h"
#include "log.h"
#include "metrics.h"

enum {
    BATCHING_ETAG_BYTES_MAX = 48
};

struct batching;

/* `config` may change only through batching_reload(); changes count in `shard`, loop 0's. NULL
 * without memory. */
struct batching *batching_create(struct compute *compute, struct config *config,
                                 struct metrics_shard *shard, struct log *log);
void batching_destroy(struct batching *batching);

const struct config_effective *batching_of(const struct batching *batching,
                                           const struct compute_queue *queue);

/* A strong validator, with its quotes: another one after every change of the queue, and in
 * every run of the server. */
void batching_etag(const struct batching *batching, const struct compute_queue *queue,
                   char out[BATCHING_ETAG_BYTES_MAX]);

/* What the API asks for: fields to set, and fields to give up. */
struct batching_patch {
    unsigned set; /* bits as in config_queue.given */
    unsigned reset;
    struct config_batching batching;
};

/* What would hold after it, without doing anything. False: `error` says why that cannot be. */
bool batching_check(const struct batching *batching, const struct compute_queue *queue,
                    const struct batching_patch *patch, struct config_effective *out,
                    struct config_error *error);

/* batching_check(), and it holds from now on. */
bool batching_apply(struct batching *batching, struct compute_queue *queue,
                    const struct batching_patch *patch, struct config_error *error);

/* Takes over what `fresh` says of batching. A queue for which that does not go together with
 * what the API has set keeps what it has, with a warning. Returns how many have changed. */
size_t batching_reload(struct batching *batching, struct config *fresh);

#endif
