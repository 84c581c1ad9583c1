/*
 * verifier.h - recomputes a share of what was served by the plain twins, off the request path.
 *
 * A worker asks after each batch whether this one is sampled, and if so copies a part of one job
 * of it into the one slot there is. A thread of lowest priority compares it (verify_check.h),
 * counts, and rests until its processor time is within its share. While it has a sample or rests,
 * further ones are skipped and counted: a worker never waits, and the thread never falls behind.
 *
 * A check that fails says that a fast kernel is wrong: on this processor, with this data, whatever
 * the tests say. The verifier then calls `give_up`, which must put the plain twin in its place.
 *
 *   Threads    verifier_offer() on workers, each with a verifier_turn of its own; the rest on the
 *              thread that creates it. `give_up` is called on the verifier's thread.
 *   Ownership  verifier_create() to verifier_destroy(), which ends the thread, after the check
 *              under way; no worker may run any more. All memory is allocated at first.
 */
#ifndef VERIFIER_H
#define VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compute.h"
#include "job.h"
#include "log.h"
#include "metrics.h"

struct verifier;

struct verifier_config {
    size_t one_in;      /* 1..: of so many batches one is sampled in the mean */
    size_t cpu_percent; /* 1..100: of one core, at most */
    const struct compute_queue *queues;
    size_t queues_count;
    struct log *log; /* NULL: silent */
    void *ctx;
    /* The fast kernels of `indicator` are not to be used any more. True: they were until now. */
    bool (*give_up)(void *ctx, enum metrics_indicator indicator);
};

/* When a worker samples next. Zeroed, then verifier_turn_init(). */
struct verifier_turn {
    uint64_t random;
    uint64_t batches_left;
};

/* 0, or -1 without memory or a thread. */
int verifier_create(const struct verifier_config *config, struct verifier **out)
    __attribute__((warn_unused_result));
void verifier_destroy(struct verifier *v);

/* Where the verifier's thread counts. Before the first sample. */
void verifier_set_metrics(struct verifier *v, struct metrics_shard *shard);

void verifier_turn_init(struct verifier_turn *turn, unsigned worker);

/* A batch of these jobs was computed by fast kernels. `shard` is the worker's. */
void verifier_offer(struct verifier *v, struct verifier_turn *turn, struct metrics_shard *shard,
                    const struct compute_queue *queue, struct batcher_job *const *jobs,
                    size_t count);

#endif
