#include "verifier.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base.h"
#include "verify_check.h"

enum {
    ALIGNMENT_BYTES = 64,
    /* Copied on a worker: 256 KiB of series, in and out, take tens of microseconds. */
    POINTS_MAX = 16384,
    ROWS_BYTES_MAX = 2 * POINTS_MAX * 8,
    /* Of one check, so that the end of the server waits for it for tens of milliseconds. */
    FLOPS_MAX = 1 << 26,
};

struct verifier {
    struct verifier_config config;
    struct metrics_shard *shard;
    atomic_bool slot_taken; /* by the worker that fills it, then by the thread */
    struct verify_sample sample;
    const struct compute_queue *queue; /* of the sample */
    char *in;                          /* the sample's numbers */
    char *out;
    void *memory; /* of the check */
    /* Semaphores, because a worker must not wait for a lock that a thread of lowest priority has
     * when it is preempted. */
    sem_t filled;
    sem_t stop;
    atomic_bool stopping;
    pthread_t thread;
};

/* --- taking samples, on workers */

/* xorshift64*. */
static uint64_t next_random(struct verifier_turn *turn)
{
    turn->random ^= turn->random >> 12;
    turn->random ^= turn->random << 25;
    turn->random ^= turn->random >> 27;
    return turn->random * UINT64_C(2685821657736338717);
}

static size_t random_below(struct verifier_turn *turn, size_t n)
{
    return (size_t)((next_random(turn) >> 16) % n);
}

void verifier_turn_init(struct verifier_turn *turn, unsigned worker)
{
    turn->random = clock_now_ns() * 2 + 1 + ((uint64_t)worker << 48);
    turn->batches_left = 0; /* the first batch of each worker is looked at */
}

/* Distances are random, so that a pattern in the load does not hide half of it. */
static bool is_sampled(const struct verifier *v, struct verifier_turn *turn)
{
    if (turn->batches_left > 0) {
        turn->batches_left--;
        return false;
    }
    turn->batches_left = random_below(turn, 2 * v->config.one_in - 1);
    return true;
}

/* A series, or the start of it: no value depends on those that follow. */
static bool copy_series(struct verifier *v, struct verifier_turn *turn, const struct job *job)
{
    const size_t series = random_below(turn, job->base.rows);
    const size_t first = job->offsets[series];
    size_t n = job->offsets[series + 1] - first;
    if (n > POINTS_MAX && job->period > POINTS_MAX / 2)
        return false; /* next to nothing but warm-up */
    n = n < POINTS_MAX ? n : POINTS_MAX;
    v->sample.n = n;
    v->sample.period = job->period;
    v->sample.in_f64 = memcpy(v->in, job->in_f64 + first, n * sizeof *job->in_f64);
    v->sample.out_f64 = memcpy(v->out, job->out_f64 + first, n * sizeof *job->out_f64);
    return true;
}

static size_t rows_max(const struct model *model)
{
    const size_t row_bytes = (model_input_size(model) + model_output_size(model)) * sizeof(float);
    const size_t by_bytes = ROWS_BYTES_MAX / row_bytes;
    const uint64_t by_flops = FLOPS_MAX / (model_flops_per_row(model) + 1);
    const size_t rows = by_flops < by_bytes ? (size_t)by_flops : by_bytes;
    return rows > 0 ? rows : 1;
}

/* Neighbouring rows of a job: each is computed as if it were alone. */
static void copy_rows(struct verifier *v, struct verifier_turn *turn, const struct job *job,
                      const struct model *model)
{
    const size_t in_size = model_input_size(model), out_size = model_output_size(model);
    const size_t most = rows_max(model);
    const size_t n = job->base.rows < most ? job->base.rows : most;
    const size_t first = random_below(turn, job->base.rows - n + 1);
    v->sample.n = n;
    v->sample.in_f32 =
        memcpy(v->in, job->in_f32 + first * in_size, n * in_size * sizeof *job->in_f32);
    v->sample.out_f32 =
        memcpy(v->out, job->out_f32 + first * out_size, n * out_size * sizeof *job->out_f32);
}

static bool fill_slot(struct verifier *v, struct verifier_turn *turn,
                      const struct compute_queue *queue, const struct job *job)
{
    v->queue = queue;
    v->sample =
        (struct verify_sample){.indicator = compute_indicator(queue), .model = queue->model};
    if (queue->kind != COMPUTE_PREDICT)
        return copy_series(v, turn, job);
    copy_rows(v, turn, job, queue->model);
    return true;
}

static void count_skipped(struct metrics_shard *shard, enum metrics_indicator indicator,
                          enum metrics_unchecked why)
{
    metrics_add(shard, METRICS_VERIFICATION_SKIPPED_TOTAL,
                metrics_labels(METRICS_VERIFICATION_SKIPPED_TOTAL, indicator, why, 0), 1);
}

void verifier_offer(struct verifier *v, struct verifier_turn *turn, struct metrics_shard *shard,
                    const struct compute_queue *queue, struct batcher_job *const *jobs,
                    size_t count)
{
    if (!is_sampled(v, turn))
        return;
    const struct job *job = container_of(jobs[random_below(turn, count)], struct job, base);
    if (job->base.status != BATCHER_OK)
        return;
    if (atomic_exchange_explicit(&v->slot_taken, true, memory_order_acquire)) {
        count_skipped(shard, compute_indicator(queue), METRICS_UNCHECKED_BUSY);
        return;
    }
    if (fill_slot(v, turn, queue, job)) {
        sem_post(&v->filled);
        return;
    }
    atomic_store_explicit(&v->slot_taken, false, memory_order_release);
    count_skipped(shard, compute_indicator(queue), METRICS_UNCHECKED_TOO_LARGE);
}

/* --- checking them, on the verifier's thread */

static const char *indicator_name(enum metrics_indicator indicator)
{
    static const char *const names[] = {
#define X(enumerator, text) text,
        METRICS_INDICATOR_MAP(X)
#undef X
    };
    return names[indicator];
}

static void observe_error(struct verifier *v, double error)
{
    const uint64_t parts =
        error < 1 ? (uint64_t)(error * (double)METRICS_RATIO_ONE) : METRICS_RATIO_ONE;
    metrics_observe(v->shard, METRICS_VERIFICATION_RELATIVE_ERROR, v->sample.indicator, parts);
}

static void log_failure(struct verifier *v, const struct verify_result *r)
{
    const struct verify_sample *s = &v->sample;
    log_write(
        v->config.log, LOG_ERROR,
        "a result is not what the plain twin computes; the fast kernels are not used any more",
        LOG_STR("indicator", indicator_name(s->indicator)), LOG_STR("queue", v->queue->name),
        LOG_INT("at", r->at), LOG_NUM("got", r->got), LOG_NUM("want", r->want),
        LOG_NUM("allowed_difference", r->bound), LOG_NUM("relative_error", r->error),
        LOG_INT("size", s->n), LOG_INT("period", s->period));
}

static void give_up(struct verifier *v, const struct verify_result *r)
{
    const enum metrics_indicator indicator = v->sample.indicator;
    if (!v->config.give_up(v->config.ctx, indicator))
        return; /* the sample was older than what an earlier one had brought about */
    metrics_add(v->shard, METRICS_COMPUTE_ROLLBACKS_TOTAL,
                metrics_labels(METRICS_COMPUTE_ROLLBACKS_TOTAL, indicator,
                               METRICS_ROLLBACK_VERIFICATION, 0),
                1);
    log_failure(v, r);
}

static void check_sample(struct verifier *v)
{
    const enum metrics_indicator indicator = v->sample.indicator;
    const struct verify_result r = verify_check(&v->sample, v->memory);
    if (r.verdict == VERIFY_UNBOUNDED) {
        count_skipped(v->shard, indicator, METRICS_UNCHECKED_UNBOUNDED);
        return;
    }
    const bool failed = r.verdict == VERIFY_FAIL;
    if (failed)
        give_up(v, &r);
    observe_error(v, r.error);
    metrics_add(v->shard, METRICS_VERIFICATION_CHECKS_TOTAL,
                metrics_labels(METRICS_VERIFICATION_CHECKS_TOTAL, indicator,
                               failed ? METRICS_CHECK_FAIL : METRICS_CHECK_PASS, 0),
                1);
}

static uint64_t cpu_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* So long that `used_ns` were the share of it all. Ends early when the verifier does. */
static void rest(struct verifier *v, uint64_t used_ns)
{
    const uint64_t percent = v->config.cpu_percent;
    const uint64_t until_ns = clock_now_ns() + used_ns * (100 - percent) / percent;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                                   .tv_nsec = (long)(until_ns % NS_PER_S)};
    if (percent == 100)
        return;
    while (!atomic_load(&v->stopping) && clock_now_ns() < until_ns)
        (void)sem_clockwait(&v->stop, CLOCK_MONOTONIC, &until);
}

static void *run(void *arg)
{
    struct verifier *v = arg;
    /* Only with what nobody else wants. Where that is not to be had, the share still holds. */
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){0});
    for (;;) {
        while (sem_wait(&v->filled) != 0)
            ; /* interrupted */
        if (atomic_load(&v->stopping))
            return NULL;
        const uint64_t start_ns = cpu_now_ns();
        check_sample(v);
        rest(v, cpu_now_ns() - start_ns);
        atomic_store_explicit(&v->slot_taken, false, memory_order_release);
    }
}

/* --- life cycle */

static void *allocate(size_t bytes)
{
    return aligned_alloc(ALIGNMENT_BYTES,
                         (bytes + ALIGNMENT_BYTES) / ALIGNMENT_BYTES * ALIGNMENT_BYTES);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int allocate_all(struct verifier *v)
{
    size_t in_bytes = POINTS_MAX * sizeof(double), out_bytes = in_bytes;
    size_t memory_bytes = verify_series_bytes(POINTS_MAX);
    for (size_t i = 0; i < v->config.queues_count; i++) {
        const struct model *model = v->config.queues[i].model;
        if (model == NULL)
            continue;
        const size_t rows = rows_max(model);
        in_bytes = larger(in_bytes, rows * model_input_size(model) * sizeof(float));
        out_bytes = larger(out_bytes, rows * model_output_size(model) * sizeof(float));
        memory_bytes = larger(memory_bytes, verify_model_bytes(model));
    }
    v->in = allocate(in_bytes);
    v->out = allocate(out_bytes);
    v->memory = allocate(memory_bytes);
    return v->in != NULL && v->out != NULL && v->memory != NULL ? 0 : -1;
}

static void free_all(struct verifier *v)
{
    sem_destroy(&v->filled);
    sem_destroy(&v->stop);
    free(v->in);
    free(v->out);
    free(v->memory);
    free(v);
}

/* Signals are for the main thread. */
static int start_thread(struct verifier *v)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&v->thread, NULL, run, v);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_setname_np(v->thread, "jitney-verify");
    return rc;
}

int verifier_create(const struct verifier_config *config, struct verifier **out)
{
    struct verifier *v = calloc(1, sizeof *v);
    if (v == NULL)
        return -1;
    v->config = *config;
    sem_init(&v->filled, 0, 0);
    sem_init(&v->stop, 0, 0);
    if (allocate_all(v) != 0 || start_thread(v) != 0) {
        free_all(v);
        return -1;
    }
    *out = v;
    return 0;
}

void verifier_destroy(struct verifier *v)
{
    if (v == NULL)
        return;
    atomic_store(&v->stopping, true);
    sem_post(&v->stop);
    sem_post(&v->filled);
    pthread_join(v->thread, NULL);
    free_all(v);
}

void verifier_set_metrics(struct verifier *v, struct metrics_shard *shard)
{
    v->shard = shard;
}
