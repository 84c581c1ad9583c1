#include "compute_count.h"

#include <math.h>

#include "base.h"
#include "job.h"

static size_t points_of(const struct compute_queue *queue, const struct job *job)
{
    if (queue->kind == COMPUTE_PREDICT)
        return job->base.rows * model_input_size(queue->model);
    return job->offsets[job->base.rows];
}

/* Operations per element of the definitions in kernels.h, whatever the variant does. */
static uint64_t flops_of(const struct compute_queue *queue, const struct job *job)
{
    switch (queue->kind) {
    case COMPUTE_SMA:
        return 3 * points_of(queue, job);
    case COMPUTE_EMA:
        return 3 * points_of(queue, job);
    case COMPUTE_RSI:
        return 9 * points_of(queue, job);
    case COMPUTE_PREDICT:
        break;
    }
    return job->base.rows * model_flops_per_row(queue->model);
}

static uint64_t bytes_of(const struct compute_queue *queue, const struct job *job)
{
    if (queue->kind == COMPUTE_PREDICT)
        return job->base.rows * sizeof(float) *
               (model_input_size(queue->model) + model_output_size(queue->model));
    return 2 * sizeof(double) * points_of(queue, job);
}

static bool all_finite(const struct compute_queue *queue, const struct job *job)
{
    if (queue->kind != COMPUTE_PREDICT)
        return true; /* NaN is the warm-up there */
    size_t n = job->base.rows * model_output_size(queue->model);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(job->out_f32[i]))
            return false;
    return true;
}

static enum metrics_isa isa_of(enum kernels_isa isa)
{
    switch (isa) {
    case KERNELS_AVX512:
        return METRICS_ISA_AVX512;
    case KERNELS_AVX2:
        return METRICS_ISA_AVX2;
    case KERNELS_NEON:
        return METRICS_ISA_NEON;
    case KERNELS_SCALAR:
    case KERNELS_ISA_COUNT:
        break;
    }
    return METRICS_ISA_SCALAR;
}

static void count_job(struct metrics_shard *shard, const struct compute_queue *queue,
                      const struct job *job)
{
    unsigned model = metrics_labels(METRICS_BATCHER_BATCH_WAIT_TIME_SECONDS, queue->label, 0, 0);
    unsigned indicator = compute_indicator(queue);
    uint64_t wait_ns = job->base.sealed_ns - job->base.submitted_ns;
    metrics_observe(shard, METRICS_BATCHER_BATCH_WAIT_TIME_SECONDS, model, wait_ns);
    metrics_observe(shard, METRICS_BATCHER_CLASS_WAIT_TIME_SECONDS, job->base.class, wait_ns);
    metrics_observe(shard, METRICS_BATCHER_TENANT_WAIT_TIME_SECONDS, job->base.tenant, wait_ns);
    metrics_observe(shard, METRICS_COMPUTE_INDICATOR_DATA_POINTS, indicator, points_of(queue, job));
    metrics_add(shard, METRICS_COMPUTE_KERNEL_FLOPS_TOTAL, indicator, flops_of(queue, job));
    metrics_add(shard, METRICS_COMPUTE_KERNEL_BYTES_TOTAL, indicator, bytes_of(queue, job));
    if (!all_finite(queue, job))
        metrics_add(shard, METRICS_COMPUTE_NONFINITE_RESULTS_TOTAL, indicator, 1);
}

void compute_count(struct metrics_shard *shard, const struct compute_queue *queue,
                   enum kernels_isa isa, const struct batcher_batch_info *info)
{
    metrics_observe(shard, METRICS_BATCHER_BATCH_SIZE, queue->label, info->jobs);
    metrics_observe(shard, METRICS_BATCHER_INFERENCE_TIME_SECONDS, queue->label, info->run_ns);
    metrics_observe(shard, METRICS_BATCHER_PREDICTED_TIME_SECONDS, queue->label,
                    info->predicted_ns);
    metrics_observe(shard, METRICS_COMPUTE_INDICATOR_TIME_SECONDS, compute_indicator(queue),
                    info->run_ns);
    metrics_add(shard, METRICS_BATCHER_BATCHES_TOTAL,
                metrics_labels(METRICS_BATCHER_BATCHES_TOTAL, queue->label,
                               info->failed > 0 ? METRICS_OUTCOME_ERROR : METRICS_OUTCOME_SUCCESS,
                               info->by_caller ? METRICS_PLACE_LOOP : METRICS_PLACE_WORKER),
                1);
    metrics_add(shard, METRICS_BATCHER_FLUSHES_TOTAL,
                metrics_labels(METRICS_BATCHER_FLUSHES_TOTAL, queue->label, info->reason, 0), 1);
    metrics_add(shard, METRICS_BATCHER_ROWS_TOTAL,
                metrics_labels(METRICS_BATCHER_ROWS_TOTAL, queue->label, METRICS_ROWS_REAL, 0),
                info->rows);
    if (!info->by_caller)
        metrics_add(shard, METRICS_COMPUTE_WORKER_BUSY_SECONDS_TOTAL, 0, info->run_ns);
    metrics_add(shard, METRICS_COMPUTE_TASKS_TOTAL, 0, 1);
    metrics_observe(shard, METRICS_COMPUTE_TASK_WAIT_SECONDS, 0, info->wait_ns_max);
    metrics_add(shard, METRICS_COMPUTE_KERNEL_DISPATCH_TOTAL, isa_of(isa), 1);
    for (size_t i = 0; i < info->jobs; i++)
        count_job(shard, queue, container_of(info->items[i], struct job, base));
}
