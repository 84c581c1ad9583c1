/* Batches of a queue whose limits change while it runs, and a worker's memory that has to grow. */
#include "compute.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"
#include "job.h"
#include "small_compute.h"

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

/* The linker gives a wrapped function no argument to carry these in. */
static atomic_bool no_memory;
static atomic_size_t allocations;

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    atomic_fetch_add(&allocations, 1);
    return atomic_load(&no_memory) ? NULL : __real_aligned_alloc(alignment, bytes);
}

enum {
    JOBS_MAX = 300
};

struct bench {
    struct small_compute small;
    struct compute_queue *queue;
    pthread_mutex_t mutex; /* guards done */
    pthread_cond_t changed;
    size_t done;
    struct job jobs[JOBS_MAX];
    float in[JOBS_MAX][SMALL_COMPUTE_INPUTS];
    float out[JOBS_MAX][SMALL_COMPUTE_OUTPUTS];
};

static void on_done(void *ctx, struct batcher_job *list)
{
    struct bench *bench = ctx;
    pthread_mutex_lock(&bench->mutex);
    for (; list != NULL; list = list->next)
        bench->done++;
    pthread_cond_signal(&bench->changed);
    pthread_mutex_unlock(&bench->mutex);
}

static struct bench *create(const char *config)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    pthread_mutex_init(&bench->mutex, NULL);
    pthread_cond_init(&bench->changed, NULL);
    small_compute_create(&bench->small, config, NULL, on_done, bench);
    bench->queue = compute_queue_find(bench->small.compute, "sum", 3);
    assert_non_null(bench->queue);
    atomic_store(&allocations, 0);
    return bench;
}

static void destroy(struct bench *bench)
{
    atomic_store(&no_memory, false);
    small_compute_destroy(&bench->small);
    pthread_cond_destroy(&bench->changed);
    pthread_mutex_destroy(&bench->mutex);
    free(bench);
}

static void set_rows(struct bench *bench, size_t rows)
{
    struct config_queue api = {.given = CONFIG_BATCH_ROWS, .batching = {.batch_rows_max = rows}};
    struct config_effective effective =
        compute_batching(bench->small.compute, bench->queue, bench->small.config, &api);
    compute_set_batching(bench->small.compute, bench->queue, &effective.batching);
}

/* Jobs of one row each; job i's numbers are i, so its sum is 4 i. */
static void run_jobs(struct bench *bench, size_t count)
{
    struct batcher *batcher = compute_batcher(bench->small.compute);
    bench->done = 0;
    memset(bench->jobs, 0, sizeof bench->jobs);
    memset(bench->out, 0, sizeof bench->out);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < SMALL_COMPUTE_INPUTS; k++)
            bench->in[i][k] = (float)i;
        bench->jobs[i].base.rows = 1;
        bench->jobs[i].queue = bench->queue;
        bench->jobs[i].in_f32 = bench->in[i];
        bench->jobs[i].out_f32 = bench->out[i];
        assert_int_equal(batcher_submit(batcher, bench->queue->batcher_queue, &bench->jobs[i].base,
                                        clock_now_ns()),
                         BATCHER_OK);
    }
    batcher_wake(batcher);
    pthread_mutex_lock(&bench->mutex);
    while (bench->done < count)
        pthread_cond_wait(&bench->changed, &bench->mutex);
    pthread_mutex_unlock(&bench->mutex);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < SMALL_COMPUTE_OUTPUTS; k++)
            assert_true(bench->out[i][k] == (float)(SMALL_COMPUTE_INPUTS * i));
}

static size_t last_batch_rows(struct bench *bench)
{
    struct recent_batch last;
    assert_int_equal(recent_batches_copy(&bench->queue->recent, &last, 1), 1);
    return last.rows;
}

static const char two_rows[] = "{\"workers\": 1, \"batching\": {\"max_batch_rows\": 2,"
                               " \"max_delay\": 10, \"max_idle_delay\": 10}}";

static void a_raised_limit_makes_larger_batches_and_memory_grows_once(void **state)
{
    (void)state;
    struct bench *bench = create(two_rows);
    run_jobs(bench, 2);
    assert_int_equal(last_batch_rows(bench), 2);
    assert_int_equal(atomic_load(&allocations), 0);
    set_rows(bench, JOBS_MAX);
    for (size_t round = 0; round < 3; round++) {
        run_jobs(bench, JOBS_MAX);
        assert_int_equal(last_batch_rows(bench), JOBS_MAX);
        assert_int_equal(atomic_load(&allocations), 1);
    }
    destroy(bench);
}

static void without_memory_to_grow_a_batch_runs_in_pieces_and_nothing_is_lost(void **state)
{
    (void)state;
    struct bench *bench = create(two_rows);
    atomic_store(&no_memory, true);
    set_rows(bench, JOBS_MAX);
    for (size_t round = 0; round < 3; round++) {
        run_jobs(bench, JOBS_MAX);
        assert_int_equal(last_batch_rows(bench), JOBS_MAX);
        assert_int_equal(atomic_load(&allocations), 1); /* it is not tried again */
    }
    destroy(bench);
}

static void a_smaller_raise_is_tried_after_a_larger_one_failed(void **state)
{
    (void)state;
    struct bench *bench = create(two_rows);
    atomic_store(&no_memory, true);
    set_rows(bench, JOBS_MAX);
    run_jobs(bench, JOBS_MAX);
    atomic_store(&no_memory, false);
    set_rows(bench, 100);
    run_jobs(bench, 100);
    assert_int_equal(atomic_load(&allocations), 2);
    destroy(bench);
}

static void a_lowered_limit_holds_for_the_next_batches(void **state)
{
    (void)state;
    struct bench *bench = create("{\"workers\": 1, \"batching\": {\"max_batch_rows\": 64,"
                                 " \"max_delay\": 10, \"max_idle_delay\": 10}}");
    run_jobs(bench, 64);
    assert_int_equal(last_batch_rows(bench), 64);
    set_rows(bench, 4);
    run_jobs(bench, 64);
    struct recent_batch batches[16];
    assert_int_equal(recent_batches_copy(&bench->queue->recent, batches, 16), 16);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(batches[i].rows, 4);
    destroy(bench);
}

static void a_queue_is_found_by_its_whole_name(void **state)
{
    (void)state;
    struct bench *bench = create("{\"workers\": 1}");
    struct compute *compute = bench->small.compute;
    assert_non_null(compute_queue_find(compute, "rsi", 3));
    assert_null(compute_queue_find(compute, "rs", 2));
    assert_null(compute_queue_find(compute, "summa", 5));
    assert_null(compute_queue_find(compute, "", 0));
    destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_raised_limit_makes_larger_batches_and_memory_grows_once),
        cmocka_unit_test(without_memory_to_grow_a_batch_runs_in_pieces_and_nothing_is_lost),
        cmocka_unit_test(a_smaller_raise_is_tried_after_a_larger_one_failed),
        cmocka_unit_test(a_lowered_limit_holds_for_the_next_batches),
        cmocka_unit_test(a_queue_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
