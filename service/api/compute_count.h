/*
 * compute_count.h - the metrics of a batch that has run.
 *
 *   Threads    the batch's worker, in its own shard.
 */
#ifndef COMPUTE_COUNT_H
#define COMPUTE_COUNT_H

#include "compute.h"

/* Sizes, times and work of the batch and of each of its jobs, which `isa` has computed. */
void compute_count(struct metrics_shard *shard, const struct compute_queue *queue,
                   enum kernels_isa isa, const struct batcher_batch_info *info);

#endif
