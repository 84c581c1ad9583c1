/*
 * test_verifier.c - a wrong kernel among the right ones: it is found from what it served, given up
 * for its plain twin, counted and logged; and workers never wait for that.
 */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base.h"
#include "compute.h"
#include "job.h"

enum {
    POINTS = 64,
    PERIOD = 5,
    BATCHES_MAX = 2000,
    WAIT_S_MAX = 30,
};

/* --- kernels that are wrong in one place */

static void wrong_sma_batch(const struct kernels_series *series, size_t count, size_t period)
{
    kernels_best()->sma_batch_f64(series, count, period);
    for (size_t i = 0; i < count; i++)
        if (series[i].n > period)
            series[i].out[series[i].n - 1] += 1e-6;
}

static void spoil(float *out, size_t n)
{
    out[n / 2] = out[n / 2] * 1.01F + 0.01F;
}

static void wrong_dense(const float *restrict in, const float *restrict weights,
                        const float *restrict bias, size_t rows, size_t in_size, size_t out_size,
                        float *restrict out)
{
    kernels_best()->dense_f32(in, weights, bias, rows, in_size, out_size, out);
    spoil(out, rows * out_size);
}

static void wrong_dense_packed(const float *restrict in, const float *restrict packed,
                               const float *restrict bias, enum kernels_activation activation,
                               size_t rows, size_t in_size, size_t out_size, float *restrict out)
{
    kernels_best()->dense_packed_f32(in, packed, bias, activation, rows, in_size, out_size, out);
    spoil(out, rows * out_size);
}

/* A table of its own, so that not even a processor without SIMD takes it for the plain one. */
static struct kernels right_table(void)
{
    return *kernels_best();
}

/* --- a compute to give jobs to */

struct setup {
    struct kernels table;
    struct config *config;
    struct model_repository *repository;
    struct tenants tenants;
    struct log *log;
    int log_pipe[2];
    struct compute *compute;
    struct metrics *metrics;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t finished; /* jobs that came back */
};

static void on_done(void *ctx, struct batcher_job *list)
{
    struct setup *s = ctx;
    pthread_mutex_lock(&s->mutex);
    for (; list != NULL; list = list->next)
        s->finished++;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void create_log(struct setup *s)
{
    assert_int_equal(pipe(s->log_pipe), 0);
    const struct log_config config = {
        .level = LOG_INFO, .format = LOG_LOGFMT, .fd = s->log_pipe[1]};
    assert_int_equal(log_create(&config, &s->log), 0);
}

static void create_metrics(struct setup *s)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    const struct metrics_config config = {
        .shards = 3, .models = names, .models_count = compute_queue_count(s->compute)};
    assert_in_range(config.models_count, 1, ARRAY_SIZE(names));
    assert_int_equal(metrics_create(&config, &s->metrics), 0);
    compute_set_metrics(s->compute, s->metrics);
}

/* With the table's kernels, over the bundled models. */
static void setup_create(struct setup *s, const struct kernels *table, const char *config)
{
    *s = (struct setup){.table = *table};
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    kernels_blas_single_thread();
    struct config_error config_error;
    if (config_load_text("test.json", config, strlen(config), &s->config, &config_error) !=
        CONFIG_OK)
        fail_msg("%s", config_error.text);
    const struct model_limits limits = model_limits_default();
    struct model_error error;
    assert_int_equal(model_repository_load(JITNEY_MODELS_DIR, 16, &limits, &s->repository, &error),
                     MODEL_OK);
    assert_null(tenants_load(&s->tenants, s->config));
    create_log(s);
    const struct compute_config compute_config = {.config = s->config,
                                                  .repository = s->repository,
                                                  .kernels = &s->table,
                                                  .tenants = &s->tenants,
                                                  .log = s->log,
                                                  .done = on_done,
                                                  .done_ctx = s};
    const char *why = "";
    if (compute_create(&compute_config, &s->compute, &why) != 0)
        fail_msg("compute_create: %s", why);
    create_metrics(s);
}

static void setup_destroy(struct setup *s)
{
    compute_destroy(s->compute);
    metrics_destroy(s->metrics);
    log_destroy(s->log);
    close(s->log_pipe[0]);
    close(s->log_pipe[1]);
    model_repository_destroy(s->repository);
    config_destroy(s->config);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
}

static void run_job(struct setup *s, struct compute_queue *queue, struct job *job)
{
    struct batcher *batcher = compute_batcher(s->compute);
    pthread_mutex_lock(&s->mutex);
    const size_t before = s->finished;
    pthread_mutex_unlock(&s->mutex);
    assert_int_equal(batcher_submit(batcher, queue->batcher_queue, &job->base, clock_now_ns()),
                     BATCHER_OK);
    batcher_wake(batcher);
    pthread_mutex_lock(&s->mutex);
    while (s->finished == before)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    assert_int_equal(job->base.status, BATCHER_OK);
}

/* One batch of one series; its outputs. */
static void run_series_job(struct setup *s, enum compute_kind kind, double *out)
{
    double in[POINTS];
    size_t offsets[] = {0, POINTS};
    for (size_t i = 0; i < POINTS; i++)
        in[i] = 100 + (double)(i * 7 % 13);
    struct compute_queue *queue = compute_queue_of_indicator(s->compute, kind);
    struct job job = {.base = {.rows = 1},
                      .queue = queue,
                      .in_f64 = in,
                      .out_f64 = out,
                      .offsets = offsets,
                      .period = PERIOD};
    run_job(s, queue, &job);
}

static void run_digit_job(struct setup *s, float *out)
{
    float in[64];
    for (size_t i = 0; i < ARRAY_SIZE(in); i++)
        in[i] = (float)(i * 7 % 17) / 16.0F;
    const struct model_entry *entry = model_repository_find(s->repository, "digits", 6, NULL, 0);
    assert_non_null(entry);
    assert_non_null(entry->model);
    struct compute_queue *queue = compute_queue_of_model(s->compute, entry->model);
    struct job job = {.base = {.rows = 1}, .queue = queue, .in_f32 = in, .out_f32 = out};
    run_job(s, queue, &job);
}

static uint64_t checks(const struct setup *s, enum metrics_indicator indicator,
                       enum metrics_check result)
{
    return metrics_total(s->metrics, METRICS_VERIFICATION_CHECKS_TOTAL,
                         metrics_labels(METRICS_VERIFICATION_CHECKS_TOTAL, indicator, result, 0));
}

static uint64_t skipped(const struct setup *s, enum metrics_indicator indicator,
                        enum metrics_unchecked why)
{
    return metrics_total(s->metrics, METRICS_VERIFICATION_SKIPPED_TOTAL,
                         metrics_labels(METRICS_VERIFICATION_SKIPPED_TOTAL, indicator, why, 0));
}

static uint64_t rollbacks(const struct setup *s, enum metrics_indicator indicator)
{
    return metrics_total(s->metrics, METRICS_COMPUTE_ROLLBACKS_TOTAL,
                         metrics_labels(METRICS_COMPUTE_ROLLBACKS_TOTAL, indicator,
                                        METRICS_ROLLBACK_VERIFICATION, 0));
}

/* Until the verifier has counted it: it runs when nobody else wants the processor. */
static void wait_for_checks(const struct setup *s, enum metrics_indicator indicator,
                            enum metrics_check result, uint64_t count)
{
    const uint64_t until_ns = clock_now_ns() + WAIT_S_MAX * NS_PER_S;
    while (checks(s, indicator, result) < count) {
        if (clock_now_ns() > until_ns)
            fail_msg("%lu checks after %d s, want %lu", checks(s, indicator, result), WAIT_S_MAX,
                     count);
        usleep(500);
    }
}

/* Without rest between checks. */
static const char every_batch[] = "{\"workers\": 1, \"verification\": "
                                  "{\"one_in\": 1, \"cpu_percent\": 100}}";

/* --- what it does */

static void right_kernels_pass_and_stay(void **state)
{
    (void)state;
    struct setup s;
    const struct kernels table = right_table();
    setup_create(&s, &table, every_batch);
    double out[POINTS];
    float probabilities[10];
    static const struct {
        enum compute_kind kind;
        enum metrics_indicator indicator;
    } kinds[] = {{COMPUTE_SMA, METRICS_INDICATOR_SMA},
                 {COMPUTE_EMA, METRICS_INDICATOR_EMA},
                 {COMPUTE_RSI, METRICS_INDICATOR_RSI}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        /* As long as the verifier has an earlier sample, others are passed over. */
        while (checks(&s, kinds[i].indicator, METRICS_CHECK_PASS) < 2)
            run_series_job(&s, kinds[i].kind, out);
    }
    while (checks(&s, METRICS_INDICATOR_MATMUL, METRICS_CHECK_PASS) == 0)
        run_digit_job(&s, probabilities);
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
        assert_int_equal(checks(&s, i, METRICS_CHECK_FAIL), 0);
        assert_int_equal(rollbacks(&s, i), 0);
        assert_ptr_equal(compute_kernels_of(s.compute, i), &s.table);
    }
    setup_destroy(&s);
}

static char *read_log(struct setup *s, char *text, size_t size)
{
    log_destroy(s->log); /* writes what is left */
    s->log = NULL;
    const ssize_t bytes = read(s->log_pipe[0], text, size - 1);
    assert_true(bytes > 0);
    text[bytes] = '\0';
    return text;
}

static void a_wrong_indicator_is_given_up_alone(void **state)
{
    (void)state;
    struct setup s;
    struct kernels table = right_table();
    table.sma_batch_f64 = wrong_sma_batch;
    setup_create(&s, &table, every_batch);
    double out[POINTS], want[POINTS], in[POINTS];
    for (size_t i = 0; i < POINTS; i++)
        in[i] = 100 + (double)(i * 7 % 13);
    kernels_for(KERNELS_SCALAR)->sma_f64(in, POINTS, PERIOD, want);

    run_series_job(&s, COMPUTE_SMA, out);
    assert_true(out[POINTS - 1] != want[POINTS - 1]);
    wait_for_checks(&s, METRICS_INDICATOR_SMA, METRICS_CHECK_FAIL, 1);
    assert_ptr_equal(compute_kernels_of(s.compute, METRICS_INDICATOR_SMA),
                     kernels_for(KERNELS_SCALAR));
    assert_ptr_equal(compute_kernels_of(s.compute, METRICS_INDICATOR_EMA), &s.table);
    assert_int_equal(rollbacks(&s, METRICS_INDICATOR_SMA), 1);

    run_series_job(&s, COMPUTE_SMA, out);
    for (size_t i = 0; i < POINTS; i++)
        assert_true(out[i] == want[i] || (isnan(out[i]) && isnan(want[i])));
    assert_int_equal(
        metrics_total(s.metrics, METRICS_COMPUTE_KERNEL_DISPATCH_TOTAL, METRICS_ISA_SCALAR), 1);

    char text[2048];
    compute_destroy(s.compute);
    s.compute = NULL;
    read_log(&s, text, sizeof text);
    assert_non_null(strstr(text, "level=error"));
    assert_non_null(strstr(text, "indicator=sma"));
    assert_non_null(strstr(text, "at=63"));
    setup_destroy(&s);
}

static void a_wrong_dense_layer_gives_way_to_the_kept_weights(void **state)
{
    (void)state;
    struct setup s;
    struct kernels table = right_table();
    table.dense_f32 = wrong_dense;
    table.dense_packed_f32 = wrong_dense_packed;
    setup_create(&s, &table, every_batch);
    float wrong[10], right[10];
    run_digit_job(&s, wrong);
    wait_for_checks(&s, METRICS_INDICATOR_MATMUL, METRICS_CHECK_FAIL, 1);
    assert_int_equal(rollbacks(&s, METRICS_INDICATOR_MATMUL), 1);
    run_digit_job(&s, right);
    float sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(right); i++)
        sum += right[i];
    assert_true(fabsf(sum - 1) <= 1e-5F);
    assert_true(memcmp(right, wrong, sizeof right) != 0);
    /* The plain twin is right by definition, and is not compared with itself. */
    for (size_t i = 0; i < 10; i++)
        run_digit_job(&s, right);
    assert_int_equal(checks(&s, METRICS_INDICATOR_MATMUL, METRICS_CHECK_PASS), 0);
    assert_int_equal(skipped(&s, METRICS_INDICATOR_MATMUL, METRICS_UNCHECKED_BUSY), 0);
    setup_destroy(&s);
}

/* At most one sample at a time, and then a rest: the others are passed over, never waited for. */
static void what_finds_the_verifier_busy_is_counted(void **state)
{
    (void)state;
    struct setup s;
    const struct kernels table = right_table();
    setup_create(&s, &table, "{\"workers\": 1, \"verification\": {\"one_in\": 1}}");
    double out[POINTS];
    size_t batches = 0;
    for (; batches < BATCHES_MAX; batches++)
        run_series_job(&s, COMPUTE_EMA, out);
    wait_for_checks(&s, METRICS_INDICATOR_EMA, METRICS_CHECK_PASS, 1);
    const uint64_t busy = skipped(&s, METRICS_INDICATOR_EMA, METRICS_UNCHECKED_BUSY);
    assert_true(busy > 0);
    compute_destroy(s.compute); /* ends the check under way, if there is one */
    s.compute = NULL;
    const uint64_t done = checks(&s, METRICS_INDICATOR_EMA, METRICS_CHECK_PASS);
    /* One that was filled as it ended may not have been looked at. */
    assert_in_range(busy + done, batches - 1, batches);
    setup_destroy(&s);
}

static void one_in_so_many_is_sampled_in_the_mean(void **state)
{
    (void)state;
    struct setup s;
    const struct kernels table = right_table();
    setup_create(&s, &table,
                 "{\"workers\": 1, \"verification\": {\"one_in\": 50, \"cpu_percent\": 100}}");
    double out[POINTS];
    for (size_t i = 0; i < BATCHES_MAX; i++)
        run_series_job(&s, COMPUTE_RSI, out);
    compute_destroy(s.compute);
    s.compute = NULL;
    const uint64_t sampled = checks(&s, METRICS_INDICATOR_RSI, METRICS_CHECK_PASS) +
                             skipped(&s, METRICS_INDICATOR_RSI, METRICS_UNCHECKED_BUSY);
    /* 40, and a standard deviation of 4. */
    assert_in_range(sampled, 16, 64);
    setup_destroy(&s);
}

static void nothing_is_sampled_when_it_is_turned_off(void **state)
{
    (void)state;
    struct setup s;
    struct kernels table = right_table();
    table.sma_batch_f64 = wrong_sma_batch;
    setup_create(&s, &table, "{\"workers\": 1, \"verification\": {\"one_in\": 0}}");
    double out[POINTS];
    for (size_t i = 0; i < 20; i++)
        run_series_job(&s, COMPUTE_SMA, out);
    compute_destroy(s.compute);
    s.compute = NULL;
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
        assert_int_equal(checks(&s, i, METRICS_CHECK_PASS) + checks(&s, i, METRICS_CHECK_FAIL), 0);
        assert_int_equal(skipped(&s, i, METRICS_UNCHECKED_BUSY), 0);
    }
    setup_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_kernels_pass_and_stay),
        cmocka_unit_test(a_wrong_indicator_is_given_up_alone),
        cmocka_unit_test(a_wrong_dense_layer_gives_way_to_the_kept_weights),
        cmocka_unit_test(what_finds_the_verifier_busy_is_counted),
        cmocka_unit_test(one_in_so_many_is_sampled_in_the_mean),
        cmocka_unit_test(nothing_is_sampled_when_it_is_turned_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
