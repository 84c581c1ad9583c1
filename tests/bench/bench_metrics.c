/*
 * bench_metrics.c - what counting costs, on one thread and on two with a shard
 * each, and what a scrape costs.
 *
 *   bench_metrics [seconds per case, default 1]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics.h"

enum {
    BATCH = 1000000,
    THREADS = 2,
    EXPOSITION_BYTES_MAX = 64 << 20
};

static const char *const models[] = {"digits", "wide", "sma", "ema", "rsi"};

struct bench_case {
    const char *name;
    void (*run)(struct metrics_shard *shard, uint64_t seed);
};

/* Log-uniform durations up to about 2^22 ns, so that many buckets are met. */
static uint64_t next_duration(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (*seed >> 40) >> (*seed >> 36 & 15);
}

static void run_nothing(struct metrics_shard *shard, uint64_t seed)
{
    (void)shard;
    volatile uint64_t kept;
    for (size_t i = 0; i < BATCH; i++)
        kept = next_duration(&seed);
    (void)kept;
}

static void run_counter(struct metrics_shard *shard, uint64_t seed)
{
    (void)seed;
    for (unsigned i = 0; i < BATCH; i++)
        metrics_add(shard, METRICS_BATCHER_REQUESTS_TOTAL, i & 7, 1);
}

static void run_observe_typical(struct metrics_shard *shard, uint64_t seed)
{
    for (size_t i = 0; i < BATCH; i++)
        metrics_observe(shard, METRICS_BATCHER_REQUEST_LATENCY_SECONDS, 0,
                        NS_PER_MS + (next_duration(&seed) & 0xffff));
}

static void run_observe_spread(struct metrics_shard *shard, uint64_t seed)
{
    for (size_t i = 0; i < BATCH; i++)
        metrics_observe(shard, METRICS_BATCHER_REQUEST_LATENCY_SECONDS, 0, next_duration(&seed));
}

static void run_observe_last(struct metrics_shard *shard, uint64_t seed)
{
    (void)seed;
    for (size_t i = 0; i < BATCH; i++)
        metrics_observe(shard, METRICS_BATCHER_REQUEST_LATENCY_SECONDS, 0, 500 * NS_PER_S);
}

static void run_exemplar(struct metrics_shard *shard, uint64_t seed)
{
    static const char trace_id[] = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (size_t i = 0; i < BATCH; i++) {
        const struct metrics_exemplar exemplar = {trace_id, sizeof trace_id - 1, seed};
        metrics_observe_exemplar(shard, METRICS_BATCHER_REQUEST_LATENCY_SECONDS, 0,
                                 NS_PER_MS + (next_duration(&seed) & 0xffff), &exemplar);
    }
}

static void run_labels(struct metrics_shard *shard, uint64_t seed)
{
    (void)seed;
    for (unsigned i = 0; i < BATCH; i++)
        metrics_add(shard, METRICS_HTTP_REQUESTS_TOTAL,
                    metrics_labels(METRICS_HTTP_REQUESTS_TOTAL, METRICS_ROUTE_PREDICT,
                                   METRICS_METHOD_POST, metrics_code_index(i & 1 ? 200 : 503)),
                    1);
}

static const struct bench_case cases[] = {
    {"nothing (the loop and its numbers)", run_nothing},
    {"counter", run_counter},
    {"counter, labels made from a request", run_labels},
    {"histogram of 20 bounds, around 1 ms", run_observe_typical},
    {"the same, with an exemplar", run_exemplar},
    {"histogram of 20 bounds, unpredictable", run_observe_spread},
    {"histogram of 20 bounds, past the last", run_observe_last},
};

/* The best of the rounds that fit in the time: noise only ever adds. */
static double best_ns(const struct bench_case *test, struct metrics_shard *shard,
                      uint64_t budget_ns)
{
    uint64_t best = UINT64_MAX, start = clock_now_ns();
    for (uint64_t now = start; now - start < budget_ns;) {
        test->run(shard, now);
        uint64_t after = clock_now_ns();
        if (after - now < best)
            best = after - now;
        now = after;
    }
    return (double)best / BATCH;
}

struct bench_thread {
    pthread_t thread;
    const struct bench_case *test;
    struct metrics_shard *shard;
    uint64_t budget_ns;
    double ns;
};

static void *run_thread(void *arg)
{
    struct bench_thread *me = arg;
    me->ns = best_ns(me->test, me->shard, me->budget_ns);
    return NULL;
}

/* The slower of two threads that count the same series at once. */
static double best_ns_of_two(const struct bench_case *test, struct metrics *m, uint64_t budget_ns)
{
    struct bench_thread threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = (struct bench_thread){
            .test = test, .shard = metrics_shard(m, i), .budget_ns = budget_ns};
        if (pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]) != 0)
            exit(1);
    }
    double slower = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
        if (threads[i].ns > slower)
            slower = threads[i].ns;
    }
    return slower;
}

static void bench_render(struct metrics *m, uint64_t budget_ns)
{
    struct buffer out;
    buffer_init(&out, EXPOSITION_BYTES_MAX);
    uint64_t best = UINT64_MAX, start = clock_now_ns();
    for (uint64_t now = start; now - start < budget_ns;) {
        buffer_reset(&out, EXPOSITION_BYTES_MAX);
        metrics_render(m, METRICS_TEXT, &out);
        uint64_t after = clock_now_ns();
        if (after - now < best)
            best = after - now;
        now = after;
    }
    printf("render: %zu bytes, %.0f series, %.3f ms (%zu models, %d shards)\n", out.bytes,
           metrics_value(m, METRICS_METRICS_SERIES, 0), (double)best / (double)NS_PER_MS,
           ARRAY_SIZE(models), THREADS);
    buffer_deinit(&out);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    uint64_t budget_ns = (uint64_t)(seconds * (double)NS_PER_S);
    const struct metrics_config config = {
        .shards = THREADS, .models = models, .models_count = ARRAY_SIZE(models)};
    struct metrics *m;
    if (metrics_create(&config, &m) != 0)
        return 1;
    printf("%-40s %10s %10s\n", "ns each, best round", "1 thread", "2 threads");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        printf("%-40s %10.2f %10.2f\n", cases[i].name,
               best_ns(&cases[i], metrics_shard(m, 0), budget_ns),
               best_ns_of_two(&cases[i], m, budget_ns));
    bench_render(m, budget_ns);
    metrics_destroy(m);
    return 0;
}
