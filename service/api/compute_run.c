#include "compute_run.h"

#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "job.h"

enum {
    SERIES_AT_ONCE = 64 /* a multiple of the eight that kernels take together */
};

/* --- memory */

size_t compute_memory_floats(const struct model *model, size_t rows)
{
    return rows * (model_input_size(model) + model_output_size(model)) +
           model_scratch_size(model, rows);
}

/* For BLAS and vectors, whole cache lines. */
static float *allocate_floats(size_t floats)
{
    return aligned_alloc(64, (floats * sizeof(float) + 63) & ~(size_t)63);
}

int compute_memory_init(struct compute_memory *memory, size_t count)
{
    *memory = (struct compute_memory){.floats = allocate_floats(count), .count = count};
    if (memory->floats == NULL)
        return -1;
    memset(memory->floats, 0, count * sizeof(float)); /* no page of it is a surprise later */
    return 0;
}

void compute_memory_deinit(struct compute_memory *memory)
{
    free(memory->floats);
}

/* What it held is gone. */
static void grow(struct compute_memory *memory, size_t count)
{
    if (memory->refused != 0 && count >= memory->refused)
        return;
    float *floats = allocate_floats(count);
    if (floats == NULL) {
        memory->refused = count;
        return;
    }
    free(memory->floats);
    memory->floats = floats;
    memory->count = count;
}

/* How many of `rows` fit into the memory at once, which is made large enough for what a
 * batch may have now. At least one: every model's row fitted at the start. */
static size_t rows_that_fit(struct compute_memory *memory, const struct compute_queue *queue,
                            size_t rows)
{
    size_t rows_max = atomic_load_explicit(&queue->batch_rows_max, memory_order_relaxed);
    rows = rows < rows_max ? rows : rows_max;
    if (compute_memory_floats(queue->model, rows) > memory->count)
        grow(memory, compute_memory_floats(queue->model, rows_max));
    while (rows > 1 && compute_memory_floats(queue->model, rows) > memory->count)
        rows /= 2;
    return rows;
}

/* --- running */

/* One job needs no copy. It may have more rows than fit at once; then it runs in pieces. */
static void run_alone(const struct compute_queue *queue, const struct kernels *kernels,
                      struct job *job, size_t piece_max, float *scratch)
{
    size_t in_size = model_input_size(queue->model), out_size = model_output_size(queue->model);
    for (size_t row = 0; row < job->base.rows; row += piece_max) {
        size_t left = job->base.rows - row;
        model_run(queue->model, kernels, job->in_f32 + row * in_size,
                  left < piece_max ? left : piece_max, job->out_f32 + row * out_size, scratch);
    }
}

/* More are gathered into one matrix and given out again. */
static void run_together(const struct compute_queue *queue, const struct kernels *kernels,
                         struct batcher_job **jobs, size_t count, float *memory)
{
    size_t in_size = model_input_size(queue->model), out_size = model_output_size(queue->model);
    float *in = memory;
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        const struct job *job = container_of(jobs[i], struct job, base);
        memcpy(in + rows * in_size, job->in_f32, job->base.rows * in_size * sizeof(float));
        rows += job->base.rows;
    }
    float *out = in + rows * in_size;
    model_run(queue->model, kernels, in, rows, out, out + rows * out_size);
    for (size_t i = 0; i < count; i++) {
        struct job *job = container_of(jobs[i], struct job, base);
        memcpy(job->out_f32, out, job->base.rows * out_size * sizeof(float));
        out += job->base.rows * out_size;
    }
}

static size_t rows_of(struct batcher_job *const *jobs, size_t count)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += jobs[i]->rows;
    return rows;
}

/* How many of the jobs, from the first on, have at most `rows_max` rows together; at least one. */
static size_t jobs_within(struct batcher_job *const *jobs, size_t count, size_t rows_max)
{
    size_t taken = 1, rows = jobs[0]->rows;
    while (taken < count && rows + jobs[taken]->rows <= rows_max)
        rows += jobs[taken++]->rows;
    return taken;
}

/* At once, unless memory is short. */
void compute_run_predict(struct compute_memory *memory, const struct kernels *kernels,
                         const struct compute_queue *queue, struct batcher_job **jobs, size_t count)
{
    size_t rows_max = rows_that_fit(memory, queue, rows_of(jobs, count));
    for (size_t taken; count > 0; jobs += taken, count -= taken) {
        taken = jobs_within(jobs, count, rows_max);
        if (taken == 1)
            run_alone(queue, kernels, container_of(jobs[0], struct job, base), rows_max,
                      memory->floats);
        else
            run_together(queue, kernels, jobs, taken, memory->floats);
    }
}

/* The series of one request together. Not those of several: in the last bits an answer would then
 * depend on what else arrived. */
void compute_run_series(const struct kernels *kernels, enum compute_kind kind, struct job *job)
{
    struct kernels_series series[SERIES_AT_ONCE];
    for (size_t first = 0; first < job->base.rows; first += SERIES_AT_ONCE) {
        size_t left = job->base.rows - first;
        size_t count = left < SERIES_AT_ONCE ? left : SERIES_AT_ONCE;
        const size_t *offsets = job->offsets + first;
        for (size_t i = 0; i < count; i++)
            series[i] = (struct kernels_series){.in = job->in_f64 + offsets[i],
                                                .n = offsets[i + 1] - offsets[i],
                                                .out = job->out_f64 + offsets[i]};
        switch (kind) {
        case COMPUTE_SMA:
            kernels->sma_batch_f64(series, count, job->period);
            break;
        case COMPUTE_EMA:
            kernels->ema_batch_f64(series, count, job->period);
            break;
        case COMPUTE_RSI:
            kernels->rsi_batch_f64(series, count, job->period);
            break;
        case COMPUTE_PREDICT:
            break;
        }
    }
}
