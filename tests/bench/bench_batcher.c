/*
 * What the batcher itself costs: no HTTP, and batches that compute nothing.
 *
 *   backlog      one thread submits jobs in ticks, as an event loop does, and stays some 2000
 *                jobs ahead of one worker: submit, wake, seal, run and done together, per job
 *   round trip   one job at a time: submit, wake, sleep until it is back
 */
#include "batcher.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    TICKS = 20000,
    TICK_JOBS = 32,
    TICKS_AHEAD = 64,
    TRIPS = 20000
};

struct bench {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t back; /* under the lock */
    struct batcher *batcher;
    struct batcher_queue *queue;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void run_nothing(void *ctx, void *queue_ctx, unsigned worker, struct batcher_job **jobs,
                        size_t count)
{
    (void)ctx;
    (void)queue_ctx;
    (void)worker;
    (void)jobs;
    (void)count;
}

static void count_back(void *ctx, struct batcher_job *list)
{
    struct bench *bench = ctx;
    size_t count = 0;
    for (; list != NULL; list = list->next)
        count++;
    pthread_mutex_lock(&bench->lock);
    bench->back += count;
    pthread_mutex_unlock(&bench->lock);
    pthread_cond_signal(&bench->changed);
}

static void wait_back(struct bench *bench, size_t jobs)
{
    pthread_mutex_lock(&bench->lock);
    while (bench->back < jobs)
        pthread_cond_wait(&bench->changed, &bench->lock);
    pthread_mutex_unlock(&bench->lock);
}

static void submit(struct bench *bench, struct batcher_job *job, uint64_t time_ns,
                   uint64_t timeout_ns)
{
    *job = (struct batcher_job){.rows = 1, .bytes = 256};
    job->deadline_ns = timeout_ns != 0 ? time_ns + timeout_ns : 0;
    if (batcher_submit(bench->batcher, bench->queue, job, time_ns) != BATCHER_OK)
        abort();
}

static void bench_backlog(struct bench *bench, uint64_t timeout_ns)
{
    static struct batcher_job jobs[TICKS_AHEAD][TICK_JOBS];
    bench->back = 0;
    const uint64_t start_ns = now_ns();
    for (size_t tick = 0; tick < TICKS; tick++) {
        if (tick >= TICKS_AHEAD)
            wait_back(bench, (tick - TICKS_AHEAD + 1) * TICK_JOBS);
        const uint64_t time_ns = now_ns();
        for (size_t i = 0; i < TICK_JOBS; i++)
            submit(bench, &jobs[tick % TICKS_AHEAD][i], time_ns, timeout_ns);
        batcher_wake(bench->batcher);
    }
    wait_back(bench, (size_t)TICKS * TICK_JOBS);
    const double took_ns = (double)(now_ns() - start_ns);
    printf("backlog, %-14s %.0f ns per job (%d jobs in ticks of %d)\n",
           timeout_ns != 0 ? "with deadlines" : "no deadlines",
           took_ns / ((double)TICKS * TICK_JOBS), TICKS * TICK_JOBS, TICK_JOBS);
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void bench_round_trip(struct bench *bench, uint64_t timeout_ns)
{
    static uint64_t trips_ns[TRIPS];
    bench->back = 0;
    for (size_t i = 0; i < TRIPS; i++) {
        struct batcher_job job;
        const uint64_t start_ns = now_ns();
        submit(bench, &job, start_ns, timeout_ns);
        batcher_wake(bench->batcher);
        wait_back(bench, i + 1);
        trips_ns[i] = now_ns() - start_ns;
    }
    qsort(trips_ns, TRIPS, sizeof(trips_ns[0]), compare);
    printf("round trip, %-14s p50 %.1f us, p99 %.1f us\n",
           timeout_ns != 0 ? "with deadlines" : "no deadlines", (double)trips_ns[TRIPS / 2] / 1e3,
           (double)trips_ns[TRIPS * 99 / 100] / 1e3);
}

int main(void)
{
    struct bench bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const struct batcher_config config = {.workers = 1,
                                          .shares = batcher_shares_default(),
                                          .queues_max = 1,
                                          .batch_jobs_max = 64,
                                          .ctx = &bench,
                                          .run = run_nothing,
                                          .done = count_back};
    const struct batcher_queue_config queue = {.name = "bench",
                                               .limits = {.batch_rows_max = 64,
                                                          .queue_rows_max = 4096,
                                                          .queue_bytes_max = 1U << 30,
                                                          .inflight_batches_max = 1}};
    if (batcher_create(&config, &bench.batcher) != BATCHER_OK ||
        batcher_add_queue(bench.batcher, &queue, &bench.queue) != BATCHER_OK)
        return EXIT_FAILURE;
    const uint64_t timeout_ns = 5000000000U;
    bench_backlog(&bench, 0);
    bench_backlog(&bench, timeout_ns);
    bench_round_trip(&bench, 0);
    bench_round_trip(&bench, timeout_ns);
    batcher_destroy(bench.batcher);
    return EXIT_SUCCESS;
}
