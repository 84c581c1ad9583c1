/*
 * test_metrics.c - what is counted is what is shown, exactly, while others count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "metrics_registry.h"

enum {
    EXPOSITION_BYTES_MAX = 64 << 20
};

static const char *const two_models[] = {"digits", "wide"};

static struct metrics *create(unsigned shards)
{
    const struct metrics_config config = {
        .shards = shards, .models = two_models, .models_count = ARRAY_SIZE(two_models)};
    struct metrics *m = NULL;
    assert_int_equal(metrics_create(&config, &m), 0);
    return m;
}

/* The exposition as a string; free() it. */
static char *render(struct metrics *m)
{
    struct buffer out;
    buffer_init(&out, EXPOSITION_BYTES_MAX);
    metrics_render(m, METRICS_TEXT, &out);
    buffer_append(&out, "", 1);
    assert_false(out.failed);
    return out.data;
}

/* The text behind "SERIES " at the start of a line; fails when it is not there. */
static const char *find_sample(const char *text, const char *series)
{
    char line[512];
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(text, line);
    if (at == NULL)
        fail_msg("no sample %s", series);
    return at + strlen(line);
}

static uint64_t sample(const char *text, const char *series)
{
    return strtoull(find_sample(text, series), NULL, 10);
}

static void assert_sample(const char *text, const char *series, const char *expected)
{
    const char *at = find_sample(text, series);
    char value[64] = "";
    memcpy(value, at, strcspn(at, "\n") < 63 ? strcspn(at, "\n") : 63);
    assert_string_equal(value, expected);
}

static void counts_of_all_shards_are_added(void **state)
{
    (void)state;
    struct metrics *m = create(3);
    unsigned labels =
        metrics_labels(METRICS_BATCHER_REQUESTS_TOTAL, 1, METRICS_REQUEST_STATUS_TIMEOUT, 0);
    metrics_add(metrics_shard(m, 0), METRICS_BATCHER_REQUESTS_TOTAL, labels, 1);
    metrics_add(metrics_shard(m, 1), METRICS_BATCHER_REQUESTS_TOTAL, labels, 20);
    metrics_add(metrics_shard(m, 2), METRICS_BATCHER_REQUESTS_TOTAL, labels, 300);
    assert_int_equal(metrics_total(m, METRICS_BATCHER_REQUESTS_TOTAL, labels), 321);
    char *text = render(m);
    assert_sample(text, "batcher_requests_total{model=\"wide\",status=\"timeout\"}", "321");
    assert_sample(text, "batcher_requests_total{model=\"digits\",status=\"timeout\"}", "0");
    free(text);
    metrics_destroy(m);
}

/* Which bucket of a fresh registry one observation falls in. */
static unsigned bucket_of(enum metrics_family family, uint64_t value)
{
    struct metrics *m = create(1);
    metrics_observe(metrics_shard(m, 0), family, 0, value);
    unsigned bucket = 0;
    while (metrics_sum_cells(m, m->first[family] + bucket) == 0)
        bucket++;
    assert_int_equal(metrics_total(m, family, 0), 1);
    metrics_destroy(m);
    return bucket;
}

static void a_value_on_a_bound_falls_in_the_bucket_of_that_bound(void **state)
{
    (void)state;
    static const enum metrics_family families[] = {METRICS_HTTP_REQUEST_DURATION_SECONDS,
                                                   METRICS_BATCHER_BATCH_WAIT_TIME_SECONDS,
                                                   METRICS_BATCHER_INFERENCE_TIME_SECONDS,
                                                   METRICS_COMPUTE_INDICATOR_TIME_SECONDS,
                                                   METRICS_BATCHER_BATCH_SIZE,
                                                   METRICS_HTTP_REQUEST_SIZE_BYTES};
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        const struct metrics_buckets_row *set =
            &metrics_bucket_rows[metrics_families[families[f]].buckets];
        assert_int_equal(bucket_of(families[f], 0), 0);
        for (unsigned i = 0; i + 1 < set->count; i++) {
            assert_int_equal(bucket_of(families[f], set->bounds[i]), i);
            assert_int_equal(bucket_of(families[f], set->bounds[i] + 1), i + 1);
        }
        assert_int_equal(bucket_of(families[f], UINT64_MAX), set->count - 1);
    }
}

static void buckets_are_shown_cumulated(void **state)
{
    (void)state;
    struct metrics *m = create(2);
    metrics_observe(metrics_shard(m, 0), METRICS_BATCHER_BATCH_SIZE, 0, 1);
    metrics_observe(metrics_shard(m, 1), METRICS_BATCHER_BATCH_SIZE, 0, 3);
    metrics_observe(metrics_shard(m, 0), METRICS_BATCHER_BATCH_SIZE, 0, 1000);
    char *text = render(m);
    assert_sample(text, "batcher_batch_size_bucket{model=\"digits\",le=\"1.0\"}", "1");
    assert_sample(text, "batcher_batch_size_bucket{model=\"digits\",le=\"2.0\"}", "1");
    assert_sample(text, "batcher_batch_size_bucket{model=\"digits\",le=\"3.0\"}", "2");
    assert_sample(text, "batcher_batch_size_bucket{model=\"digits\",le=\"256.0\"}", "2");
    assert_sample(text, "batcher_batch_size_bucket{model=\"digits\",le=\"+Inf\"}", "3");
    assert_sample(text, "batcher_batch_size_sum{model=\"digits\"}", "1004");
    assert_sample(text, "batcher_batch_size_count{model=\"digits\"}", "3");
    free(text);
    metrics_destroy(m);
}

/* As doubles, a thousand hours and one nanosecond would lose the nanosecond. */
static void sums_of_durations_are_exact_to_the_nanosecond(void **state)
{
    (void)state;
    struct metrics *m = create(1);
    struct metrics_shard *shard = metrics_shard(m, 0);
    metrics_observe(shard, METRICS_COMPUTE_TASK_WAIT_SECONDS, 0, 360000000 * NS_PER_S);
    metrics_observe(shard, METRICS_COMPUTE_TASK_WAIT_SECONDS, 0, 1);
    metrics_add(shard, METRICS_COMPUTE_WORKER_BUSY_SECONDS_TOTAL, 0, 1500 * NS_PER_MS);
    char *text = render(m);
    assert_sample(text, "compute_task_wait_seconds_sum", "360000000.000000001");
    assert_sample(text, "compute_worker_busy_seconds_total", "1.5");
    free(text);
    metrics_add(shard, METRICS_COMPUTE_WORKER_BUSY_SECONDS_TOTAL, 0, 500 * NS_PER_MS + 20);
    text = render(m);
    assert_sample(text, "compute_worker_busy_seconds_total", "2.00000002");
    free(text);
    metrics_destroy(m);
}

static void a_summary_has_a_count_and_a_sum(void **state)
{
    (void)state;
    struct metrics *m = create(2);
    unsigned rsi =
        metrics_labels(METRICS_COMPUTE_INDICATOR_DATA_POINTS, METRICS_INDICATOR_RSI, 0, 0);
    metrics_observe(metrics_shard(m, 0), METRICS_COMPUTE_INDICATOR_DATA_POINTS, rsi, 10000);
    metrics_observe(metrics_shard(m, 1), METRICS_COMPUTE_INDICATOR_DATA_POINTS, rsi, 7);
    assert_int_equal(metrics_total(m, METRICS_COMPUTE_INDICATOR_DATA_POINTS, rsi), 2);
    char *text = render(m);
    assert_sample(text, "compute_indicator_data_points_count{indicator=\"rsi\"}", "2");
    assert_sample(text, "compute_indicator_data_points_sum{indicator=\"rsi\"}", "10007");
    assert_sample(text, "compute_indicator_data_points_count{indicator=\"sma\"}", "0");
    assert_null(strstr(text, "compute_indicator_data_points_bucket"));
    free(text);
    metrics_destroy(m);
}

static void the_last_value_set_is_shown(void **state)
{
    (void)state;
    struct metrics *m = create(1);
    metrics_set(m, METRICS_BATCHER_MAX_WAIT_SECONDS, 1, 7);
    metrics_set(m, METRICS_BATCHER_MAX_WAIT_SECONDS, 1, 0.005);
    assert_true(metrics_value(m, METRICS_BATCHER_MAX_WAIT_SECONDS, 1) == 0.005);
    char *text = render(m);
    assert_sample(text, "batcher_max_wait_seconds{model=\"wide\"}", "0.005");
    assert_sample(text, "batcher_max_wait_seconds{model=\"digits\"}", "0");
    free(text);
    metrics_destroy(m);
}

/* Every combination of values has an index of its own, and none is left over. */
static void label_sets_number_all_combinations(void **state)
{
    (void)state;
    static bool seen[METRICS_ROUTE_COUNT * METRICS_METHOD_COUNT * METRICS_CODE_COUNT];
    for (unsigned route = 0; route < METRICS_ROUTE_COUNT; route++)
        for (unsigned method = 0; method < METRICS_METHOD_COUNT; method++)
            for (unsigned code = 0; code < METRICS_CODE_COUNT; code++) {
                unsigned set = metrics_labels(METRICS_HTTP_REQUESTS_TOTAL, route, method, code);
                assert_true(set < ARRAY_SIZE(seen));
                assert_false(seen[set]);
                seen[set] = true;
            }
}

static void labels_stand_in_the_order_of_the_table(void **state)
{
    (void)state;
    struct metrics *m = create(1);
    unsigned set = metrics_labels(METRICS_HTTP_REQUESTS_TOTAL, METRICS_ROUTE_READY,
                                  METRICS_METHOD_GET, metrics_code_index(503));
    metrics_add(metrics_shard(m, 0), METRICS_HTTP_REQUESTS_TOTAL, set, 5);
    char *text = render(m);
    assert_sample(
        text, "http_requests_total{route=\"/v2/health/ready\",method=\"GET\",code=\"503\"}", "5");
    free(text);
    metrics_destroy(m);
}

static void unknown_statuses_and_error_codes_are_other(void **state)
{
    (void)state;
    assert_int_equal(metrics_code_index(200), METRICS_CODE_200);
    assert_int_equal(metrics_code_index(505), METRICS_CODE_505);
    assert_int_equal(metrics_code_index(418), METRICS_CODE_OTHER);
    assert_int_equal(metrics_code_index(0), METRICS_CODE_OTHER);
    assert_int_equal(metrics_error_index("invalid_json"), METRICS_ERROR_INVALID_JSON);
    assert_int_equal(metrics_error_index("out_of_memory"), METRICS_ERROR_OUT_OF_MEMORY);
    assert_int_equal(metrics_error_index("no_such_code"), METRICS_ERROR_OTHER);
    assert_int_equal(metrics_error_index("other"), METRICS_ERROR_OTHER);
}

static void an_enumerator_is_the_name_in_capitals(void **state)
{
    (void)state;
    static const char *const enumerators[] = {
#define X(enumerator, ...) #enumerator,
        METRICS_FAMILY_MAP(X)
#undef X
    };
    for (size_t i = 0; i < METRICS_FAMILY_COUNT; i++) {
        char capitals[128] = "";
        for (size_t c = 0; metrics_families[i].name[c] != '\0'; c++)
            capitals[c] = (char)toupper(metrics_families[i].name[c]);
        assert_string_equal(enumerators[i], capitals);
    }
}

/* Models "0", "1", ... in *texts; a registry for as many as asked. */
static struct metrics *create_with_models(size_t count)
{
    char(*texts)[8] = calloc(count, sizeof(*texts));
    const char **models = calloc(count, sizeof(*models));
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%u", (unsigned)i);
        models[i] = texts[i];
    }
    const struct metrics_config config = {.shards = 1, .models = models, .models_count = count};
    struct metrics *m = NULL;
    assert_int_equal(metrics_create(&config, &m), 0);
    free(models);
    free(texts);
    return m;
}

static void models_past_the_cap_share_one_value_and_are_counted(void **state)
{
    (void)state;
    struct metrics *m = create_with_models(METRICS_MODELS_MAX + 2);
    for (unsigned model = METRICS_MODELS_MAX - 1; model < METRICS_MODELS_MAX + 2; model++)
        metrics_add(metrics_shard(m, 0), METRICS_BATCHER_SUBMITTED_TOTAL,
                    metrics_labels(METRICS_BATCHER_SUBMITTED_TOTAL, model, 0, 0), 1);
    char *text = render(m);
    assert_sample(text, "batcher_submitted_total{model=\"511\"}", "1");
    assert_sample(text, "batcher_submitted_total{model=\"other\"}", "2");
    assert_null(strstr(text, "model=\"512\""));
    assert_true(sample(text, "metrics_dropped_labelsets_total") > 0);
    free(text);
    metrics_destroy(m);
}

static void at_the_cap_no_model_is_lost(void **state)
{
    (void)state;
    struct metrics *m = create_with_models(METRICS_MODELS_MAX);
    char *text = render(m);
    assert_sample(text, "batcher_submitted_total{model=\"511\"}", "0");
    assert_null(strstr(text, "model=\"other\""));
    assert_sample(text, "metrics_dropped_labelsets_total", "0");
    free(text);
    metrics_destroy(m);
}

static void broken_bounds_are_refused(void **state)
{
    (void)state;
    struct metrics *m = NULL;
    struct metrics_config config = {.shards = 0, .models = two_models, .models_count = 2};
    assert_int_equal(metrics_create(&config, &m), -1);
    config.shards = METRICS_SHARDS_MAX + 1;
    assert_int_equal(metrics_create(&config, &m), -1);
    config.shards = 1;
    config.models_count = 0;
    assert_int_equal(metrics_create(&config, &m), -1);
    assert_null(m);
    metrics_destroy(NULL);
}

/* --- Without memory --- */

/* The linker sends the registry's allocations here (--wrap in tests/CMakeLists.txt). */
static size_t allocations_left = SIZE_MAX;

void *__real_calloc(size_t count, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);

static bool may_allocate(void)
{
    if (allocations_left == 0)
        return false;
    allocations_left--;
    return true;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return may_allocate() ? __real_calloc(count, bytes) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return may_allocate() ? __real_aligned_alloc(alignment, bytes) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return may_allocate() ? __real_strdup(text) : NULL;
}

/* Whatever allocation fails, nothing is returned and (says the leak checker) nothing kept. */
static void creation_fails_whole_whichever_allocation_fails(void **state)
{
    (void)state;
    const struct metrics_config config = {
        .shards = 2, .models = two_models, .models_count = ARRAY_SIZE(two_models)};
    struct metrics *m = NULL;
    size_t allowed = 0;
    int status = -1;
    for (; status != 0 && allowed < 100; allowed++) {
        assert_null(m);
        allocations_left = allowed;
        status = metrics_create(&config, &m);
        allocations_left = SIZE_MAX;
    }
    assert_int_equal(status, 0);
    /* The registry, its models and their names, the one tenant and its name, the values, the
     * shards, their cells and their exemplars. */
    assert_int_equal(allowed - 1, 1 + 1 + 2 + 1 + 1 + 1 + 1 + 2 + 2);
    metrics_destroy(m);
}

/* --- Two threads count, a third renders --- */

enum {
    COUNTERS = 2,
    ROUNDS = 20000
};

struct counting {
    struct metrics_shard *shard;
    atomic_uint *running;
};

static void *count_rounds(void *arg)
{
    struct counting *counting = arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        metrics_add(counting->shard, METRICS_COMPUTE_TASKS_TOTAL, 0, 1);
        metrics_observe(counting->shard, METRICS_COMPUTE_TASK_WAIT_SECONDS, 0, i * NS_PER_US);
    }
    atomic_fetch_sub(counting->running, 1);
    return NULL;
}

/* Buckets never fall from one to the next, and the last is the count. Returns it. */
static uint64_t check_histogram(const char *text)
{
    static const char start[] = "\ncompute_task_wait_seconds_bucket{le=";
    uint64_t below = 0;
    for (const char *at = strstr(text, start); at != NULL; at = strstr(at + 1, start)) {
        uint64_t here = strtoull(strchr(at, '}') + 2, NULL, 10);
        assert_true(here >= below);
        below = here;
    }
    assert_int_equal(sample(text, "compute_task_wait_seconds_count"), below);
    return below;
}

static void a_render_amid_counting_is_consistent_and_never_goes_back(void **state)
{
    (void)state;
    struct metrics *m = create(COUNTERS);
    atomic_uint running = COUNTERS;
    pthread_t threads[COUNTERS];
    struct counting counting[COUNTERS];
    for (unsigned i = 0; i < COUNTERS; i++) {
        counting[i] = (struct counting){metrics_shard(m, i), &running};
        assert_int_equal(pthread_create(&threads[i], NULL, count_rounds, &counting[i]), 0);
    }
    uint64_t observed = 0, tasks = 0;
    while (atomic_load(&running) > 0) {
        char *text = render(m);
        uint64_t observed_now = check_histogram(text);
        uint64_t tasks_now = sample(text, "compute_tasks_total");
        assert_true(observed_now >= observed);
        assert_true(tasks_now >= tasks);
        observed = observed_now;
        tasks = tasks_now;
        free(text);
    }
    for (unsigned i = 0; i < COUNTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_total(m, METRICS_COMPUTE_TASKS_TOTAL, 0), COUNTERS * ROUNDS);
    assert_int_equal(metrics_total(m, METRICS_COMPUTE_TASK_WAIT_SECONDS, 0), COUNTERS * ROUNDS);
    char *text = render(m);
    assert_int_equal(check_histogram(text), COUNTERS * ROUNDS);
    /* Twice 0 + 1 + ... + 19999 us. */
    assert_sample(text, "compute_task_wait_seconds_sum", "399.98");
    free(text);
    metrics_destroy(m);
}

/* --- Exemplars --- */

static const enum metrics_family with_exemplars = METRICS_HTTP_REQUEST_DURATION_SECONDS;

static void observe_of(struct metrics_shard *shard, uint64_t value, const char *id, uint64_t at_ns)
{
    const struct metrics_exemplar exemplar = {id, strlen(id), at_ns};
    metrics_observe_exemplar(shard, with_exemplars, METRICS_ROUTE_PREDICT, value, &exemplar);
}

/* The bucket's exemplar is `id`; NULL: it has none. */
static void assert_exemplar(const struct metrics *m, unsigned bucket, const char *id,
                            uint64_t value)
{
    struct metrics_exemplar_copy last;
    const bool found =
        metrics_exemplar_last(m, with_exemplars, METRICS_ROUTE_PREDICT, bucket, &last);
    assert_int_equal(found, id != NULL);
    if (!found)
        return;
    assert_string_equal(last.trace_id, id);
    assert_int_equal(last.value, value);
}

static void a_bucket_keeps_its_last_exemplar_of_all_shards(void **state)
{
    (void)state;
    struct metrics *m = create(2);
    struct metrics_shard *first = metrics_shard(m, 0), *second = metrics_shard(m, 1);
    assert_exemplar(m, 0, NULL, 0);
    observe_of(first, 50 * NS_PER_US, "one", 1000);
    observe_of(second, 60 * NS_PER_US, "another", 2000);
    assert_exemplar(m, 0, "another", 60 * NS_PER_US);
    observe_of(first, 70 * NS_PER_US, "the third", 3000);
    assert_exemplar(m, 0, "the third", 70 * NS_PER_US);
    assert_exemplar(m, 1, NULL, 0);
    observe_of(second, 500 * NS_PER_S, "slow", 3000);
    assert_exemplar(m, 20, "slow", 500 * NS_PER_S);
    assert_int_equal(metrics_total(m, with_exemplars, METRICS_ROUTE_PREDICT), 4);
    metrics_destroy(m);
}

static void a_long_trace_id_is_cut(void **state)
{
    (void)state;
    char longest[METRICS_EXEMPLAR_BYTES_MAX + 9];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct metrics *m = create(1);
    observe_of(metrics_shard(m, 0), 1, longest, 1);
    longest[METRICS_EXEMPLAR_BYTES_MAX] = '\0';
    assert_exemplar(m, 0, longest, 1);
    metrics_destroy(m);
}

/* As many times the same letter as the value says. */
static void *write_exemplars(void *arg)
{
    struct counting *counting = arg;
    char id[METRICS_EXEMPLAR_BYTES_MAX];
    for (uint64_t i = 0; i < 10 * ROUNDS; i++) {
        const uint64_t bytes = i % sizeof id + 1;
        memset(id, (int)('a' + i % 26), bytes);
        const struct metrics_exemplar exemplar = {id, bytes, i};
        metrics_observe_exemplar(counting->shard, with_exemplars, METRICS_ROUTE_PREDICT, bytes,
                                 &exemplar);
    }
    atomic_fetch_sub(counting->running, 1);
    return NULL;
}

static void an_exemplar_read_amid_writing_is_never_a_mixture(void **state)
{
    (void)state;
    struct metrics *m = create(1);
    atomic_uint running = 1;
    struct counting counting = {metrics_shard(m, 0), &running};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_exemplars, &counting), 0);
    size_t seen = 0;
    while (atomic_load(&running) > 0) {
        struct metrics_exemplar_copy last;
        if (!metrics_exemplar_last(m, with_exemplars, METRICS_ROUTE_PREDICT, 0, &last))
            continue;
        seen++;
        assert_int_equal(strlen(last.trace_id), last.value);
        assert_int_equal(last.at_ns % METRICS_EXEMPLAR_BYTES_MAX + 1, last.value);
        for (size_t i = 0; i < last.value; i++)
            assert_int_equal(last.trace_id[i], 'a' + last.at_ns % 26);
    }
    pthread_join(thread, NULL);
    print_message("%zu exemplars read\n", seen);
    metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_all_shards_are_added),
        cmocka_unit_test(a_value_on_a_bound_falls_in_the_bucket_of_that_bound),
        cmocka_unit_test(buckets_are_shown_cumulated),
        cmocka_unit_test(sums_of_durations_are_exact_to_the_nanosecond),
        cmocka_unit_test(a_summary_has_a_count_and_a_sum),
        cmocka_unit_test(the_last_value_set_is_shown),
        cmocka_unit_test(label_sets_number_all_combinations),
        cmocka_unit_test(labels_stand_in_the_order_of_the_table),
        cmocka_unit_test(unknown_statuses_and_error_codes_are_other),
        cmocka_unit_test(an_enumerator_is_the_name_in_capitals),
        cmocka_unit_test(models_past_the_cap_share_one_value_and_are_counted),
        cmocka_unit_test(at_the_cap_no_model_is_lost),
        cmocka_unit_test(broken_bounds_are_refused),
        cmocka_unit_test(creation_fails_whole_whichever_allocation_fails),
        cmocka_unit_test(a_render_amid_counting_is_consistent_and_never_goes_back),
        cmocka_unit_test(a_bucket_keeps_its_last_exemplar_of_all_shards),
        cmocka_unit_test(a_long_trace_id_is_cut),
        cmocka_unit_test(an_exemplar_read_amid_writing_is_never_a_mixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
