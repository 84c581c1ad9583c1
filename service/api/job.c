#include "job.h"

#include <stdlib.h>

#include "base.h"

enum {
    ALIGNMENT = 64,
    FREE_JOBS_MAX = 1024,
    KEEP_BYTES_MAX = 64 * 1024,
};

void job_pool_init(struct job_pool *pool)
{
    *pool = (struct job_pool){0};
}

void job_pool_deinit(struct job_pool *pool)
{
    for (struct job *job = pool->_free, *next; job != NULL; job = next) {
        next = job->_next_free;
        free(job->_memory);
        free(job);
    }
    *pool = (struct job_pool){0};
}

struct job *job_take(struct job_pool *pool)
{
    struct job *job = pool->_free;
    if (job == NULL)
        return calloc(1, sizeof *job);
    pool->_free = job->_next_free;
    pool->_free_count--;
    *job = (struct job){._memory = job->_memory, ._memory_bytes = job->_memory_bytes};
    return job;
}

static void drop_memory(struct job *job)
{
    free(job->_memory);
    job->_memory = NULL;
    job->_memory_bytes = 0;
}

void job_recycle(struct job_pool *pool, struct job *job)
{
    if (pool->_free_count >= FREE_JOBS_MAX) {
        free(job->_memory);
        free(job);
        return;
    }
    if (job->_memory_bytes > KEEP_BYTES_MAX)
        drop_memory(job);
    job->_next_free = pool->_free;
    pool->_free = job;
    pool->_free_count++;
}

void *job_reserve(struct job *job, size_t bytes)
{
    if (job->_memory_bytes >= bytes && job->_memory != NULL)
        return job->_memory;
    if (bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    drop_memory(job);
    size_t rounded = (bytes + ALIGNMENT) & ~(size_t)(ALIGNMENT - 1);
    job->_memory = aligned_alloc(ALIGNMENT, rounded);
    if (job->_memory != NULL)
        job->_memory_bytes = rounded;
    return job->_memory;
}
