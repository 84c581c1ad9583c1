/*
 * compute_run.h - the arithmetic of one batch: its jobs' inputs to their outputs.
 *
 *   Threads    a memory belongs to one thread, which runs one batch at a time; everything
 *              else is in the jobs.
 *   Errors     none: with less memory than a batch wants it runs in pieces.
 */
#ifndef COMPUTE_RUN_H
#define COMPUTE_RUN_H

#include <stddef.h>

#include "compute.h"

struct job;

/* For the input, the output and the model's scratch of one batch. */
struct compute_memory {
    float *floats;
    size_t count;
    size_t refused; /* so many were not to be had; 0: that never happened */
};

/* What a batch of so many rows takes. */
size_t compute_memory_floats(const struct model *model, size_t rows);

/* For so many floats; it grows when a batch of a queue may need more. 0, or -1 without memory. */
int compute_memory_init(struct compute_memory *memory, size_t count)
    __attribute__((warn_unused_result));
void compute_memory_deinit(struct compute_memory *memory);

/* Jobs of a model's queue, at least one. There must be memory for one row. */
void compute_run_predict(struct compute_memory *memory, const struct kernels *kernels,
                         const struct compute_queue *queue, struct batcher_job **jobs,
                         size_t count);

/* All series of one job of an indicator's queue. */
void compute_run_series(const struct kernels *kernels, enum compute_kind kind, struct job *job);

#endif
