#include "compute.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "compute_count.h"
#include "compute_run.h"
#include "hand_over.h"
#include "job.h"
#include "verifier.h"

enum {
    INDICATORS = 3,
    SEED_POINTS = 10000,
    SEED_ROUNDS = 5,
    TRY_NS_MAX = 50 * 1000 * 1000,
    WORKER_STACK_BYTES = 512 * 1024
};

/* However quick a hand-over is, on a loop a batch of this length is not noticed beside what it
 * takes to read the requests; and however slow, no other request of the loop waits longer for it.
 */
#define BRIEF_NS_MIN (100 * NS_PER_US)
#define BRIEF_NS_MAX (250 * NS_PER_US)

/* Spinning for as long as sleeping and waking would take costs at most twice the best choice. */
#define SPIN_NS_MAX (50 * NS_PER_US)

/* Who runs batches, a worker or a loop. A worker's memory is made for the largest batch of the
 * configuration, a loop's for one row. */
struct worker {
    _Alignas(64) struct compute_memory memory;
    struct metrics_shard *shard;
    const struct kernels *kernels; /* of the batch that ran last */
    struct verifier_turn turn;
};

struct compute {
    struct compute_config config;
    struct batcher *batcher;
    struct compute_queue *queues;
    size_t queues_count;
    struct worker *workers; /* and behind them the loops: by a batch's runner */
    unsigned workers_count;
    unsigned loops_count;
    uint64_t hand_over_ns;
    double *seed_memory;       /* while costs are seeded */
    struct verifier *verifier; /* NULL: nothing is verified */
    _Atomic(const struct kernels *) kernels[METRICS_INDICATOR_COUNT];
    atomic_size_t busy;
};

/* Workers and loops. */
static unsigned runners(const struct compute *c)
{
    return c->workers_count + c->loops_count;
}

/* --- running */

static void run(void *ctx, void *queue_ctx, unsigned runner, struct batcher_job **jobs,
                size_t count)
{
    struct compute *c = ctx;
    const struct compute_queue *queue = queue_ctx;
    const struct kernels *kernels = compute_kernels_of(c, compute_indicator(queue));
    const size_t busy = runner < c->workers_count;
    c->workers[runner].kernels = kernels;
    atomic_fetch_add_explicit(&c->busy, busy, memory_order_relaxed);
    if (queue->kind == COMPUTE_PREDICT)
        compute_run_predict(&c->workers[runner].memory, kernels, queue, jobs, count);
    else
        for (size_t i = 0; i < count; i++)
            compute_run_series(kernels, queue->kind, container_of(jobs[i], struct job, base));
    atomic_fetch_sub_explicit(&c->busy, busy, memory_order_relaxed);
}

/* --- what became of a batch, on the worker */

enum metrics_indicator compute_indicator(const struct compute_queue *queue)
{
    switch (queue->kind) {
    case COMPUTE_SMA:
        return METRICS_INDICATOR_SMA;
    case COMPUTE_EMA:
        return METRICS_INDICATOR_EMA;
    case COMPUTE_RSI:
        return METRICS_INDICATOR_RSI;
    case COMPUTE_PREDICT:
        break;
    }
    return model_accuracy(queue->model)->precision == MODEL_INT8 ? METRICS_INDICATOR_MATMUL_INT8
                                                                 : METRICS_INDICATOR_MATMUL;
}

static void remember(const struct compute *c, struct compute_queue *queue,
                     const struct batcher_batch_info *info)
{
    unsigned first = info->by_caller ? c->workers_count : 0;
    recent_batches_add(&queue->recent, &(struct recent_batch){
                                           .finished_ns = info->finished_ns,
                                           .wait_ns_max = info->wait_ns_max,
                                           .predicted_ns = info->predicted_ns,
                                           .run_ns = info->run_ns,
                                           .work = info->work,
                                           .rows = info->rows,
                                           .jobs = info->jobs,
                                           .failed = info->failed,
                                           .runner = info->runner - first,
                                           .on_loop = info->by_caller,
                                           .reason = info->reason,
                                       });
}

/* What the plain twins themselves have computed is right by definition. */
static void offer_to_verifier(struct compute *c, const struct compute_queue *queue,
                              const struct batcher_batch_info *info)
{
    struct worker *worker = &c->workers[info->runner];
    if (c->verifier != NULL && worker->kernels != kernels_for(KERNELS_SCALAR))
        verifier_offer(c->verifier, &worker->turn, worker->shard, queue, info->items, info->jobs);
}

static void observe(void *ctx, void *queue_ctx, const struct batcher_batch_info *info)
{
    struct compute *c = ctx;
    struct compute_queue *queue = queue_ctx;
    const struct worker *worker = &c->workers[info->runner];
    atomic_store_explicit(&queue->last_batch_ns, info->finished_ns, memory_order_relaxed);
    compute_count(worker->shard, queue, worker->kernels->isa, info);
    remember(c, queue, info);
    offer_to_verifier(c, queue, info);
}

static void done(void *ctx, struct batcher_job *list)
{
    struct compute *c = ctx;
    c->config.done(c->config.done_ctx, list);
}

/* --- verifying */

/* The plain table has nothing to be compared with. */
static bool verifies(const struct compute *c)
{
    return c->config.config->verify_one_in > 0 && c->config.kernels != kernels_for(KERNELS_SCALAR);
}

static bool give_up_kernels(void *ctx, enum metrics_indicator indicator)
{
    struct compute *c = ctx;
    const struct kernels *plain = kernels_for(KERNELS_SCALAR);
    return atomic_exchange_explicit(&c->kernels[indicator], plain, memory_order_relaxed) != plain;
}

static int create_verifier(struct compute *c)
{
    for (unsigned i = 0; i < runners(c); i++)
        verifier_turn_init(&c->workers[i].turn, i);
    const struct verifier_config config = {.one_in = c->config.config->verify_one_in,
                                           .cpu_percent = c->config.config->verify_cpu_percent,
                                           .queues = c->queues,
                                           .queues_count = c->queues_count,
                                           .log = c->config.log,
                                           .ctx = c,
                                           .give_up = give_up_kernels};
    return verifies(c) ? verifier_create(&config, &c->verifier) : 0;
}

/* --- creating */

static struct config_queue said_by_model(const struct model *model)
{
    if (model == NULL)
        return (struct config_queue){0};
    const struct model_batching *said = model_batching(model);
    return (struct config_queue){
        .batching = {.batch_rows_max = said->batch_rows_max,
                     .queue_rows_max = said->queue_rows_max,
                     .delay_ns_max = said->delay_ns_max,
                     .target_p99_ns = said->target_p99_ns},
        .given = (said->batch_rows_max > 0 ? CONFIG_BATCH_ROWS : 0u) |
                 (said->queue_rows_max > 0 ? CONFIG_QUEUE_ROWS : 0u) |
                 (said->delay_ns_max != UINT64_MAX ? CONFIG_DELAY : 0u) |
                 (said->target_p99_ns != UINT64_MAX ? CONFIG_TARGET : 0u),
    };
}

struct config_effective compute_batching(const struct compute *c, const struct compute_queue *queue,
                                         const struct config *config,
                                         const struct config_queue *api)
{
    struct config_queue model = said_by_model(queue->model);
    struct config_effective effective = config_batching_explain(config, queue->name, &model, api);
    if (effective.batching.inflight_batches_max == 0)
        effective.batching.inflight_batches_max = c->workers_count;
    return effective;
}

static struct batcher_queue_limits limits_of(const struct compute *c,
                                             const struct config_batching *batching)
{
    return (struct batcher_queue_limits){
        .batch_rows_max = batching->batch_rows_max,
        .queue_rows_max = batching->queue_rows_max,
        .queue_bytes_max = batching->queue_bytes_max,
        .inflight_batches_max = batching->inflight_batches_max,
        .delay_ns_max = batching->delay_ns_max,
        .idle_delay_ns_max = batching->idle_delay_ns_max,
        .target_p99_ns = batching->target_p99_ns,
        .admits_late = !c->config.config->refuse_late,
    };
}

static struct compute_queue *add_queue(struct compute *c, enum compute_kind kind, const char *name,
                                       const struct model *model)
{
    struct compute_queue *queue = &c->queues[c->queues_count];
    queue->kind = kind;
    queue->model = model;
    queue->label = (unsigned)c->queues_count;
    snprintf(queue->name, sizeof queue->name, "%s", name);
    struct config_effective effective = compute_batching(c, queue, c->config.config, NULL);
    queue->limits = limits_of(c, &effective.batching);
    atomic_init(&queue->batch_rows_max, queue->limits.batch_rows_max);
    recent_batches_init(&queue->recent);
    c->queues_count++;
    return queue;
}

/* The name of a model's queue: "digits" for the version served by default, "digits:1"
 * for another. */
static void list_queues(struct compute *c)
{
    const struct model_repository *repository = c->config.repository;
    for (size_t i = 0; i < model_repository_count(repository); i++) {
        const struct model_entry *entry = model_repository_entry(repository, i);
        if (entry->model == NULL)
            continue;
        char name[160];
        int bytes = snprintf(name, sizeof name, "%s", entry->name);
        if (!entry->is_default)
            snprintf(name + bytes, sizeof name - (size_t)bytes, ":%s", entry->version);
        const struct compute_queue *queue = add_queue(c, COMPUTE_PREDICT, name, entry->model);
        if (verifies(c))
            model_keep_weights(entry->model);
        model_choose_kernels(entry->model, c->config.kernels, queue->limits.batch_rows_max);
    }
    add_queue(c, COMPUTE_SMA, "sma", NULL);
    add_queue(c, COMPUTE_EMA, "ema", NULL);
    add_queue(c, COMPUTE_RSI, "rsi", NULL);
}

/* Floats that the largest batch of any model takes, of at most so many rows. */
static size_t memory_size(const struct compute *c, size_t rows_max)
{
    size_t size = 1;
    for (size_t i = 0; i < c->queues_count; i++) {
        const struct compute_queue *queue = &c->queues[i];
        if (queue->kind != COMPUTE_PREDICT)
            continue;
        size_t rows = queue->limits.batch_rows_max;
        size_t needed = compute_memory_floats(queue->model, rows < rows_max ? rows : rows_max);
        size = needed > size ? needed : size;
    }
    return size;
}

static int create_workers(struct compute *c)
{
    size_t floats_of_worker = memory_size(c, SIZE_MAX), floats_of_loop = memory_size(c, 1);
    /* calloc does not know of the alignment that keeps workers off each other's cache lines. */
    c->workers = aligned_alloc(_Alignof(struct worker), runners(c) * sizeof *c->workers);
    if (c->workers == NULL)
        return -1;
    memset(c->workers, 0, runners(c) * sizeof *c->workers);
    for (unsigned i = 0; i < runners(c); i++) {
        size_t floats = i < c->workers_count ? floats_of_worker : floats_of_loop;
        if (compute_memory_init(&c->workers[i].memory, floats) != 0)
            return -1;
    }
    return 0;
}

/* --- before the first request: pages, BLAS buffers, and what batches cost */

static uint64_t time_model(struct compute *c, unsigned worker, const struct compute_queue *queue,
                           size_t rows)
{
    float *in = c->workers[worker].memory.floats;
    float *out = in + rows * model_input_size(queue->model);
    uint64_t start_ns = clock_now_ns();
    model_run(queue->model, c->config.kernels, in, rows, out,
              out + rows * model_output_size(queue->model));
    return clock_now_ns() - start_ns;
}

/* The rows of a large batch that should not take too long for a start. */
static size_t rows_to_try(struct compute *c, const struct compute_queue *queue)
{
    (void)time_model(c, 0, queue, 1); /* costs more than the next: pages, BLAS buffers */
    uint64_t rows = TRY_NS_MAX / (time_model(c, 0, queue, 1) + 1);
    if (rows > queue->limits.batch_rows_max)
        return queue->limits.batch_rows_max;
    return rows > 1 ? (size_t)rows : 1;
}

/* The first product of a shape costs milliseconds: not the first client's. */
static void warm_up(struct compute *c)
{
    for (size_t i = 0; i < c->queues_count; i++) {
        const struct compute_queue *queue = &c->queues[i];
        if (queue->kind != COMPUTE_PREDICT)
            continue;
        size_t rows = rows_to_try(c, queue);
        for (unsigned w = 0; w < c->workers_count; w++) {
            (void)time_model(c, w, queue, 1);
            (void)time_model(c, w, queue, rows);
        }
    }
}

/* Limits may be raised so far while it runs. */
static size_t largest_batch(const struct compute *c)
{
    size_t rows = CONFIG_BATCH_ROWS_CEILING;
    for (size_t i = 0; i < c->queues_count; i++)
        if (c->queues[i].limits.batch_rows_max > rows)
            rows = c->queues[i].limits.batch_rows_max;
    return rows;
}

static struct batcher_shares shares_for(const struct compute *c)
{
    const struct tenants *tenants = c->config.tenants;
    unsigned percent = (unsigned)c->config.config->batch_class_percent;
    struct batcher_shares shares = {
        .tenants = tenants->count,
        .class_weights = {
            [BATCHER_CLASS_INTERACTIVE] = 100 - percent, [BATCHER_CLASS_BATCH] = percent}};
    for (unsigned i = 0; i < tenants->count; i++)
        shares.tenant_weights[i] = tenants->of[i].weight;
    return shares;
}

uint64_t compute_brief_ns_max(const struct compute *c)
{
    switch (c->config.config->execution) {
    case CONFIG_EXECUTION_WORKERS:
        return 0;
    case CONFIG_EXECUTION_LOOPS:
        return UINT64_MAX;
    case CONFIG_EXECUTION_AUTO:
        break;
    }
    uint64_t twice_ns = 2 * c->hand_over_ns;
    if (twice_ns < BRIEF_NS_MIN)
        return BRIEF_NS_MIN;
    return twice_ns < BRIEF_NS_MAX ? twice_ns : BRIEF_NS_MAX;
}

/* One that spins must have a processor that no loop and no other worker wants. */
static void set_spinning(const struct compute *c, struct batcher_config *config)
{
    size_t cores = c->config.config->cores;
    if (cores <= c->loops_count)
        return;
    config->spin_ns = c->hand_over_ns < SPIN_NS_MAX ? c->hand_over_ns : SPIN_NS_MAX;
    config->spin_busy_max = (unsigned)cores - c->loops_count - 1;
}

static enum batcher_status create_batcher(struct compute *c)
{
    struct batcher_config config = {.workers = c->workers_count,
                                    .processors = (unsigned)c->config.config->cores,
                                    .callers = c->loops_count,
                                    .brief_ns_max = compute_brief_ns_max(c),
                                    .queues_max = c->queues_count,
                                    .batch_jobs_max = largest_batch(c),
                                    .thread_stack_bytes = WORKER_STACK_BYTES,
                                    .shares = shares_for(c),
                                    .ctx = c,
                                    .run = run,
                                    .done = done,
                                    .observe = observe};
    set_spinning(c, &config);
    enum batcher_status status = batcher_create(&config, &c->batcher);
    for (size_t i = 0; i < c->queues_count && status == BATCHER_OK; i++) {
        struct compute_queue *queue = &c->queues[i];
        struct batcher_queue_config queue_config = {
            .name = queue->name,
            .ctx = queue,
            .limits = queue->limits,
            .full_work = queue->kind == COMPUTE_PREDICT ? 0 : SEED_POINTS};
        status = batcher_add_queue(c->batcher, &queue_config, &queue->batcher_queue);
    }
    return status;
}

static uint64_t time_series(struct compute *c, const struct compute_queue *queue, size_t points)
{
    static const size_t period = 14;
    double *memory = c->seed_memory;
    size_t offsets[] = {0, points};
    struct job job = {.base.rows = 1,
                      .in_f64 = memory,
                      .out_f64 = memory + SEED_POINTS,
                      .offsets = offsets,
                      .period = period};
    uint64_t start_ns = clock_now_ns();
    compute_run_series(c->config.kernels, queue->kind, &job);
    return clock_now_ns() - start_ns;
}

/* The best of a few: what disturbs a run is not the kernel's cost. */
static uint64_t time_batch(struct compute *c, const struct compute_queue *queue, size_t work)
{
    uint64_t best_ns = UINT64_MAX;
    for (size_t round = 0; round < SEED_ROUNDS; round++) {
        uint64_t ns = queue->kind == COMPUTE_PREDICT ? time_model(c, 0, queue, work)
                                                     : time_series(c, queue, work);
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

/* So that the cost models know something when the first request comes. The workers are idle, and
 * worker 0's memory is free. */
static int seed_costs(struct compute *c)
{
    c->seed_memory = calloc(2 * (size_t)SEED_POINTS, sizeof *c->seed_memory);
    if (c->seed_memory == NULL)
        return -1;
    for (size_t i = 0; i < c->queues_count; i++) {
        const struct compute_queue *queue = &c->queues[i];
        struct batcher_cost_seed seed = {.small_work = 1, .large_work = SEED_POINTS};
        if (queue->kind == COMPUTE_PREDICT)
            seed.large_work = rows_to_try(c, queue);
        seed.small_ns = time_batch(c, queue, seed.small_work);
        seed.large_ns = time_batch(c, queue, seed.large_work);
        batcher_seed_cost(c->batcher, queue->batcher_queue, &seed);
    }
    free(c->seed_memory);
    c->seed_memory = NULL;
    return 0;
}

int compute_create(const struct compute_config *config, struct compute **out, const char **why)
{
    *why = "out of memory";
    struct compute *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -1;
    c->config = *config;
    c->workers_count = (unsigned)config->config->workers;
    c->loops_count = (unsigned)config->config->io_threads;
    c->hand_over_ns = hand_over_measure_ns();
    for (size_t i = 0; i < METRICS_INDICATOR_COUNT; i++)
        atomic_init(&c->kernels[i], config->kernels);
    size_t queues_max = model_repository_count(config->repository) + INDICATORS;
    c->queues = calloc(queues_max, sizeof *c->queues);
    if (c->queues == NULL)
        goto fail;
    list_queues(c);
    if (create_workers(c) != 0)
        goto fail;
    warm_up(c);
    if (create_verifier(c) != 0)
        goto fail;
    enum batcher_status status = create_batcher(c);
    if (status != BATCHER_OK) {
        *why = batcher_status_str(status);
        goto fail;
    }
    if (seed_costs(c) != 0)
        goto fail;
    *out = c;
    return 0;

fail:
    compute_destroy(c);
    return -1;
}

void compute_set_metrics(struct compute *c, struct metrics *metrics)
{
    for (unsigned i = 0; i < c->workers_count; i++)
        c->workers[i].shard = metrics_shard(metrics, c->loops_count + i);
    for (unsigned i = 0; i < c->loops_count; i++)
        c->workers[c->workers_count + i].shard = metrics_shard(metrics, i);
    if (c->verifier != NULL)
        verifier_set_metrics(c->verifier, metrics_shard(metrics, runners(c)));
}

void compute_destroy(struct compute *c)
{
    if (c == NULL)
        return;
    batcher_destroy(c->batcher);
    verifier_destroy(c->verifier);
    for (unsigned i = 0; c->workers != NULL && i < runners(c); i++)
        compute_memory_deinit(&c->workers[i].memory);
    free(c->workers);
    for (size_t i = 0; i < c->queues_count; i++)
        recent_batches_deinit(&c->queues[i].recent);
    free(c->queues);
    free(c);
}

/* --- changing it */

void compute_set_batching(struct compute *c, struct compute_queue *queue,
                          const struct config_batching *batching)
{
    struct batcher_queue_limits limits = limits_of(c, batching);
    atomic_store_explicit(&queue->batch_rows_max, limits.batch_rows_max, memory_order_relaxed);
    enum batcher_status status = batcher_set_limits(c->batcher, queue->batcher_queue, &limits);
    assert(status == BATCHER_OK); /* the configuration's ranges are narrower than the batcher's */
    (void)status;
}

/* --- looking at it */

struct batcher *compute_batcher(struct compute *c)
{
    return c->batcher;
}

const struct kernels *compute_kernels(const struct compute *c)
{
    return c->config.kernels;
}

const struct kernels *compute_kernels_of(const struct compute *c, enum metrics_indicator indicator)
{
    return atomic_load_explicit(&c->kernels[indicator], memory_order_relaxed);
}

size_t compute_workers_busy(const struct compute *c)
{
    return atomic_load_explicit(&c->busy, memory_order_relaxed);
}

size_t compute_queue_count(const struct compute *c)
{
    return c->queues_count;
}

struct compute_queue *compute_queue_at(struct compute *c, size_t index)
{
    return &c->queues[index];
}

struct compute_queue *compute_queue_find(struct compute *c, const char *name, size_t bytes)
{
    for (size_t i = 0; i < c->queues_count; i++)
        if (strlen(c->queues[i].name) == bytes && memcmp(c->queues[i].name, name, bytes) == 0)
            return &c->queues[i];
    return NULL;
}

struct compute_queue *compute_queue_of_model(struct compute *c, const struct model *model)
{
    for (size_t i = 0; i < c->queues_count; i++)
        if (c->queues[i].kind == COMPUTE_PREDICT && c->queues[i].model == model)
            return &c->queues[i];
    return NULL;
}

struct compute_queue *compute_queue_of_indicator(struct compute *c, enum compute_kind kind)
{
    for (size_t i = 0; i < c->queues_count; i++)
        if (c->queues[i].kind == kind)
            return &c->queues[i];
    return NULL;
}
