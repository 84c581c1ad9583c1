/*
 * small_compute.h - the queues of a small model and of the indicators, with real workers, for
 * tests of what changes them.
 *
 * The model is called "sum": 4 inputs, and each of its 2 outputs is their sum.
 */
#ifndef SMALL_COMPUTE_H
#define SMALL_COMPUTE_H

#include "compute.h"
#include "metrics.h"

struct small_compute {
    struct config *config;
    struct model_repository *repository;
    struct compute *compute;
    struct metrics *metrics; /* shard 0 is the test's */
    struct tenants tenants;
};

enum {
    SMALL_COMPUTE_INPUTS = 4,
    SMALL_COMPUTE_OUTPUTS = 2
};

/* `config` is the text of a configuration file, `model_config` of the model's config.json (NULL:
 * none). `done` gets every job, on a worker. Fails the test when it cannot be. */
void small_compute_create(struct small_compute *small, const char *config, const char *model_config,
                          batcher_done_fn *done, void *done_ctx);
void small_compute_destroy(struct small_compute *small);

#endif
