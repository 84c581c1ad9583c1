/* Settings of a queue that the API and the file change by turns: whose word holds, what becomes of
 * the ETag, what is counted, and that the batcher knows. */
#include "batching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"
#include "small_compute.h"

struct bench {
    struct small_compute small;
    struct batching *batching;
    struct compute_queue *sum;
    struct compute_queue *sma;
};

static void on_done(void *ctx, struct batcher_job *list)
{
    (void)ctx;
    (void)list;
}

static const char start_config[] = "{\"workers\": 2, \"batching\": {\"max_delay\": \"1ms\"},"
                                   " \"queues\": {\"sum\": {\"max_queue_rows\": 100}}}";

static int create(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    small_compute_create(&bench->small, start_config,
                         "{\"batching\": {\"max_batch_rows\": 8, \"max_queue_rows\": 50}}", on_done,
                         NULL);
    bench->batching = batching_create(bench->small.compute, bench->small.config,
                                      metrics_shard(bench->small.metrics, 0), NULL);
    assert_non_null(bench->batching);
    bench->sum = compute_queue_find(bench->small.compute, "sum", 3);
    bench->sma = compute_queue_find(bench->small.compute, "sma", 3);
    *state = bench;
    return 0;
}

static int destroy(void **state)
{
    struct bench *bench = *state;
    batching_destroy(bench->batching);
    small_compute_destroy(&bench->small);
    free(bench);
    return 0;
}

/* Both the settings and the batcher must say so. */
static void assert_holds(struct bench *bench, const struct compute_queue *queue,
                         enum config_field field, uint64_t value, enum config_origin origin)
{
    const struct config_effective *effective = batching_of(bench->batching, queue);
    assert_int_equal(config_field_get(field, &effective->batching), value);
    assert_string_equal(config_origin_str(effective->origins[field]), config_origin_str(origin));
    struct batcher_queue_stats stats;
    batcher_queue_stats(compute_batcher(bench->small.compute), queue->batcher_queue, &stats);
    const uint64_t in_force[] = {
        [CONFIG_FIELD_BATCH_ROWS] = stats.limits.batch_rows_max,
        [CONFIG_FIELD_QUEUE_ROWS] = stats.limits.queue_rows_max,
        [CONFIG_FIELD_QUEUE_BYTES] = stats.limits.queue_bytes_max,
        [CONFIG_FIELD_INFLIGHT] = stats.limits.inflight_batches_max,
        [CONFIG_FIELD_DELAY] = stats.limits.delay_ns_max,
        [CONFIG_FIELD_TARGET] = stats.limits.target_p99_ns,
    };
    assert_int_equal(in_force[field], value);
}

static bool apply(struct bench *bench, struct compute_queue *queue,
                  const struct batching_patch *patch)
{
    struct config_error error = {.text = ""};
    return batching_apply(bench->batching, queue, patch, &error);
}

static void reload(struct bench *bench, const char *text)
{
    struct config *fresh = NULL;
    struct config_error error = {.text = ""};
    if (config_load_text("jitney.json", text, strlen(text), &fresh, &error) != CONFIG_OK)
        fail_msg("%s", error.text);
    batching_reload(bench->batching, fresh);
    config_destroy(fresh);
}

static uint64_t changes(struct bench *bench, const struct compute_queue *queue,
                        enum metrics_change by)
{
    return metrics_total(bench->small.metrics, METRICS_BATCHER_CONFIG_CHANGES_TOTAL,
                         metrics_labels(METRICS_BATCHER_CONFIG_CHANGES_TOTAL, queue->label, by, 0));
}

static const struct batching_patch delay_5ms = {.set = CONFIG_DELAY,
                                                .batching = {.delay_ns_max = 5 * NS_PER_MS}};

static void at_the_start_the_configuration_and_the_model_hold(void **state)
{
    struct bench *bench = *state;
    assert_holds(bench, bench->sum, CONFIG_FIELD_BATCH_ROWS, 8, CONFIG_MODEL);
    assert_holds(bench, bench->sum, CONFIG_FIELD_QUEUE_ROWS, 100, CONFIG_FILE);
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, NS_PER_MS, CONFIG_FILE);
    assert_holds(bench, bench->sum, CONFIG_FIELD_INFLIGHT, 2, CONFIG_DEFAULT);
    assert_holds(bench, bench->sma, CONFIG_FIELD_BATCH_ROWS, 32, CONFIG_DEFAULT);
}

static void a_patch_holds_until_it_is_given_up(void **state)
{
    struct bench *bench = *state;
    const struct batching_patch target = {
        .set = CONFIG_TARGET | CONFIG_BATCH_ROWS,
        .batching = {.target_p99_ns = 9 * NS_PER_MS, .batch_rows_max = 16}};
    assert_true(apply(bench, bench->sum, &delay_5ms));
    assert_true(apply(bench, bench->sum, &target));
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, 5 * NS_PER_MS, CONFIG_API);
    assert_holds(bench, bench->sum, CONFIG_FIELD_TARGET, 9 * NS_PER_MS, CONFIG_API);
    assert_holds(bench, bench->sum, CONFIG_FIELD_BATCH_ROWS, 16, CONFIG_API);
    assert_holds(bench, bench->sma, CONFIG_FIELD_DELAY, NS_PER_MS, CONFIG_FILE);

    const struct batching_patch give_up = {.reset = CONFIG_DELAY | CONFIG_BATCH_ROWS};
    assert_true(apply(bench, bench->sum, &give_up));
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, NS_PER_MS, CONFIG_FILE);
    assert_holds(bench, bench->sum, CONFIG_FIELD_BATCH_ROWS, 8, CONFIG_MODEL);
    assert_holds(bench, bench->sum, CONFIG_FIELD_TARGET, 9 * NS_PER_MS, CONFIG_API);
}

static void as_many_batches_as_workers_run_when_0_was_said(void **state)
{
    struct bench *bench = *state;
    struct batching_patch patch = {.set = CONFIG_INFLIGHT, .batching = {.inflight_batches_max = 1}};
    assert_true(apply(bench, bench->sum, &patch));
    assert_holds(bench, bench->sum, CONFIG_FIELD_INFLIGHT, 1, CONFIG_API);
    patch.batching.inflight_batches_max = 0;
    assert_true(apply(bench, bench->sum, &patch));
    assert_holds(bench, bench->sum, CONFIG_FIELD_INFLIGHT, 2, CONFIG_API);
}

static void what_does_not_go_together_is_refused_and_changes_nothing(void **state)
{
    struct bench *bench = *state;
    struct config_error error = {.text = ""};
    const struct batching_patch patch = {.set = CONFIG_BATCH_ROWS | CONFIG_DELAY,
                                         .batching = {.batch_rows_max = 101, .delay_ns_max = 7}};
    assert_false(batching_apply(bench->batching, bench->sum, &patch, &error));
    assert_string_equal(error.text, "max_queue_rows 100 is below max_batch_rows 101");
    assert_holds(bench, bench->sum, CONFIG_FIELD_BATCH_ROWS, 8, CONFIG_MODEL);
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, NS_PER_MS, CONFIG_FILE);
    assert_int_equal(changes(bench, bench->sum, METRICS_CHANGE_API), 0);

    /* A later patch does not inherit it. */
    assert_true(apply(bench, bench->sum, &delay_5ms));
    assert_holds(bench, bench->sum, CONFIG_FIELD_BATCH_ROWS, 8, CONFIG_MODEL);
}

static void a_check_shows_what_would_be_and_does_nothing(void **state)
{
    struct bench *bench = *state;
    char before[BATCHING_ETAG_BYTES_MAX], after[BATCHING_ETAG_BYTES_MAX];
    struct config_effective would_be;
    struct config_error error;
    batching_etag(bench->batching, bench->sum, before);
    assert_true(batching_check(bench->batching, bench->sum, &delay_5ms, &would_be, &error));
    assert_int_equal(would_be.batching.delay_ns_max, 5 * NS_PER_MS);
    assert_int_equal(would_be.origins[CONFIG_FIELD_DELAY], CONFIG_API);
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, NS_PER_MS, CONFIG_FILE);
    batching_etag(bench->batching, bench->sum, after);
    assert_string_equal(before, after);
}

static void every_change_of_a_queue_gives_it_another_etag_and_counts_once(void **state)
{
    struct bench *bench = *state;
    char etags[4][BATCHING_ETAG_BYTES_MAX], other[2][BATCHING_ETAG_BYTES_MAX];
    const struct batching_patch nothing = {0}, give_up = {.reset = CONFIG_DELAY};
    batching_etag(bench->batching, bench->sma, other[0]);
    batching_etag(bench->batching, bench->sum, etags[0]);
    assert_true(apply(bench, bench->sum, &delay_5ms));
    batching_etag(bench->batching, bench->sum, etags[1]);
    assert_true(apply(bench, bench->sum, &delay_5ms));
    assert_true(apply(bench, bench->sum, &nothing));
    batching_etag(bench->batching, bench->sum, etags[2]);
    assert_true(apply(bench, bench->sum, &give_up));
    batching_etag(bench->batching, bench->sum, etags[3]);

    assert_string_not_equal(etags[0], etags[1]);
    assert_string_equal(etags[1], etags[2]); /* nothing was changed */
    assert_string_not_equal(etags[2], etags[3]);
    assert_string_not_equal(etags[0], etags[3]); /* though all is as it was */
    batching_etag(bench->batching, bench->sma, other[1]);
    assert_string_equal(other[0], other[1]);
    assert_int_equal(etags[0][0], '"');
    assert_int_equal(changes(bench, bench->sum, METRICS_CHANGE_API), 2);
    assert_int_equal(changes(bench, bench->sma, METRICS_CHANGE_API), 0);
}

static void the_value_of_the_file_said_by_the_api_is_the_apis(void **state)
{
    struct bench *bench = *state;
    const struct batching_patch same = {.set = CONFIG_DELAY,
                                        .batching = {.delay_ns_max = NS_PER_MS}};
    assert_true(apply(bench, bench->sum, &same));
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, NS_PER_MS, CONFIG_API);
    reload(bench, "{\"batching\": {\"max_delay\": \"2ms\"}}");
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, NS_PER_MS, CONFIG_API);
    assert_holds(bench, bench->sma, CONFIG_FIELD_DELAY, 2 * NS_PER_MS, CONFIG_FILE);
}

static void a_new_file_holds_except_for_what_the_api_has_set(void **state)
{
    struct bench *bench = *state;
    assert_true(apply(bench, bench->sum, &delay_5ms));
    reload(bench, "{\"batching\": {\"max_delay\": \"3ms\", \"target_p99\": \"20ms\"},"
                  " \"queues\": {\"sma\": {\"max_batch_rows\": 99}}}");
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, 5 * NS_PER_MS, CONFIG_API);
    assert_holds(bench, bench->sum, CONFIG_FIELD_TARGET, 20 * NS_PER_MS, CONFIG_FILE);
    assert_holds(bench, bench->sum, CONFIG_FIELD_QUEUE_ROWS, 50, CONFIG_MODEL);
    assert_holds(bench, bench->sma, CONFIG_FIELD_BATCH_ROWS, 99, CONFIG_FILE);
    assert_int_equal(changes(bench, bench->sum, METRICS_CHANGE_FILE), 1);

    const struct batching_patch give_up = {.reset = CONFIG_DELAY};
    assert_true(apply(bench, bench->sum, &give_up));
    assert_holds(bench, bench->sum, CONFIG_FIELD_DELAY, 3 * NS_PER_MS, CONFIG_FILE);
}

static void the_same_file_again_changes_nothing(void **state)
{
    struct bench *bench = *state;
    char before[BATCHING_ETAG_BYTES_MAX], after[BATCHING_ETAG_BYTES_MAX];
    batching_etag(bench->batching, bench->sum, before);
    reload(bench, start_config);
    batching_etag(bench->batching, bench->sum, after);
    assert_string_equal(before, after);
    assert_int_equal(changes(bench, bench->sum, METRICS_CHANGE_FILE), 0);
}

static void a_file_that_contradicts_the_api_leaves_that_queue_alone(void **state)
{
    struct bench *bench = *state;
    const struct batching_patch rows_90 = {.set = CONFIG_BATCH_ROWS,
                                           .batching = {.batch_rows_max = 90}};
    assert_true(apply(bench, bench->sum, &rows_90));
    reload(bench, "{\"queues\": {\"sum\": {\"max_queue_rows\": 60}, \"sma\": {\"max_delay\": 1}}}");
    assert_holds(bench, bench->sum, CONFIG_FIELD_QUEUE_ROWS, 100, CONFIG_FILE);
    assert_holds(bench, bench->sum, CONFIG_FIELD_BATCH_ROWS, 90, CONFIG_API);
    assert_holds(bench, bench->sma, CONFIG_FIELD_DELAY, NS_PER_S, CONFIG_FILE);

    /* The file's word comes true once the API gives way. */
    const struct batching_patch give_up = {.reset = CONFIG_BATCH_ROWS};
    assert_true(apply(bench, bench->sum, &give_up));
    assert_holds(bench, bench->sum, CONFIG_FIELD_QUEUE_ROWS, 60, CONFIG_FILE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(at_the_start_the_configuration_and_the_model_hold),
        TEST(a_patch_holds_until_it_is_given_up),
        TEST(as_many_batches_as_workers_run_when_0_was_said),
        TEST(what_does_not_go_together_is_refused_and_changes_nothing),
        TEST(a_check_shows_what_would_be_and_does_nothing),
        TEST(every_change_of_a_queue_gives_it_another_etag_and_counts_once),
        TEST(the_value_of_the_file_said_by_the_api_is_the_apis),
        TEST(a_new_file_holds_except_for_what_the_api_has_set),
        TEST(the_same_file_again_changes_nothing),
        TEST(a_file_that_contradicts_the_api_leaves_that_queue_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
