/*
 * compute.h - the batcher's queues of this service, and how a batch of each runs.
 *
 * One queue per loaded model version and one per indicator. (Series of an indicator
 * share a queue whatever their period and length: the kernels take each series by
 * itself, so a common period would buy nothing and cost smaller batches.)
 *
 *   Threads    created before the workers start; then batches run on workers, and brief
 *              ones on loops (batch_policy.h says which; here is how brief), each with
 *              its own scratch. compute_set_batching() on one thread at a time;
 *              everything else is read-only, but for which kernels are in use.
 *   Memory     a loop's grows when it needs some; a worker's is made for the largest
 *              batch of the configuration. A limit that was raised since makes it grow
 *              on the worker, once; when that fails the batch runs in pieces that fit.
 *   Kernels    one table for each of METRICS_INDICATOR_MAP, which a worker reads once
 *              per batch: at first compute_config.kernels, and KERNELS_SCALAR once a
 *              check of a result has failed (verifier.h).
 *   Isolation  a job whose result is not finite is not an error (JSON null);
 *              jobs do not share memory, so one cannot spoil another.
 */
#ifndef COMPUTE_H
#define COMPUTE_H

#include <stdatomic.h>
#include <stddef.h>

#include "batcher.h"
#include "config_batching.h"
#include "kernels.h"
#include "metrics.h"
#include "model_repository.h"
#include "recent_batches.h"
#include "tenants.h"

enum compute_kind {
    COMPUTE_SMA,
    COMPUTE_EMA,
    COMPUTE_RSI,
    COMPUTE_PREDICT
};

struct compute_queue {
    enum compute_kind kind;
    const struct model *model; /* COMPUTE_PREDICT */
    char name[160];            /* in config.json ("queues") and as the label `model` */
    unsigned label;            /* index of the label `model` */
    struct batcher_queue *batcher_queue;
    struct batcher_queue_limits limits; /* at the start; batcher_queue_stats() has those of now */
    atomic_size_t batch_rows_max;       /* of now */
    struct recent_batches recent;
    atomic_uint_fast64_t last_batch_ns; /* monotonic; 0: none yet */
};

struct compute;

struct compute_config {
    const struct config *config;
    const struct model_repository *repository;
    const struct kernels *kernels;
    const struct tenants *tenants;
    struct log *log;       /* NULL: silent */
    batcher_done_fn *done; /* of every job, see batcher.h */
    void *done_ctx;
};

/* Makes the queues and starts the batcher. 0, or -1 with a reason in *why. */
int compute_create(const struct compute_config *config, struct compute **out, const char **why)
    __attribute__((warn_unused_result));

/* The registry must outlive the compute; its shards are those of the loops, then of the workers,
 * then the verifier's. Before the first job. */
void compute_set_metrics(struct compute *c, struct metrics *metrics);

/* A batch that is predicted to take no longer runs on the loop: twice what a hand-over to another
 * thread and back was measured to take, within bounds. 0: none does; UINT64_MAX: all do. */
uint64_t compute_brief_ns_max(const struct compute *c);

/* Runs or gives up what is queued, joins the workers. NULL is a no-op. */
void compute_destroy(struct compute *c);

/* What holds for a queue, and who said so: `config` is in force, `api` was said since (NULL:
 * nothing). As many batches in flight as there are workers, where 0 was said. */
struct config_effective compute_batching(const struct compute *c, const struct compute_queue *queue,
                                         const struct config *config,
                                         const struct config_queue *api);

/* From now on, for what waits already too. Takes what compute_batching() gives. */
void compute_set_batching(struct compute *c, struct compute_queue *queue,
                          const struct config_batching *batching);

struct batcher *compute_batcher(struct compute *c);
const struct kernels *compute_kernels(const struct compute *c);
/* Those in use now: not compute_kernels() once a check has failed. */
const struct kernels *compute_kernels_of(const struct compute *c, enum metrics_indicator indicator);
/* How the queue's work is counted. */
enum metrics_indicator compute_indicator(const struct compute_queue *queue);
size_t compute_workers_busy(const struct compute *c);

size_t compute_queue_count(const struct compute *c);
struct compute_queue *compute_queue_at(struct compute *c, size_t index);
/* By name, which is not terminated; NULL: there is none. */
struct compute_queue *compute_queue_find(struct compute *c, const char *name, size_t bytes);
struct compute_queue *compute_queue_of_model(struct compute *c, const struct model *model);
struct compute_queue *compute_queue_of_indicator(struct compute *c, enum compute_kind kind);

#endif
