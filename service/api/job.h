/*
 * job.h - one compute request on its way through the batcher, and back.
 *
 *   Threads    made, detached and recycled on the loop's thread. A worker reads
 *              the inputs and writes the outputs between seal and `done`; it
 *              never sees `ex`. Completed jobs come back through the loop's
 *              completion list (completion.h).
 *   Ownership  the pool of a loop owns its jobs; a job's one block of memory is
 *              kept between uses, up to a bound.
 *   Shapes     predict: floats, [rows][input_size] -> [rows][output_size].
 *              indicators: doubles, `rows` series, series i being the elements
 *              offsets[i] .. offsets[i + 1]; outputs have the same layout.
 */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batcher.h"

struct api_loop;
struct compute_queue;
struct http_exchange;

struct job {
    struct batcher_job base;
    struct http_exchange *ex; /* loop thread only; NULL: nobody waits for it any more */
    struct api_loop *loop;
    const struct compute_queue *queue;
    uint64_t received_ns;

    float *in_f32; /* predict */
    float *out_f32;

    double *in_f64; /* indicators */
    double *out_f64;
    size_t *offsets; /* rows + 1 of them */
    size_t period;
    bool is_series; /* the answer is an array of arrays */

    bool has_decimals; /* how the answer's numbers are written: so many decimals, or shortest */
    unsigned decimals;

    struct job *_next_free;
    void *_memory;
    size_t _memory_bytes;
};

struct job_pool {
    struct job *_free;
    size_t _free_count;
};

void job_pool_init(struct job_pool *pool);
void job_pool_deinit(struct job_pool *pool);

/* A cleared job, or NULL without memory. */
struct job *job_take(struct job_pool *pool);
void job_recycle(struct job_pool *pool, struct job *job);

/* Memory for one use, aligned for any vector: the old contents are gone. NULL without
 * memory or when count * size overflows. */
void *job_reserve(struct job *job, size_t bytes);

#endif
