/* The batching of a queue field by field: who has said what, what a change changes, two files. */
#include "config_batching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"

static struct config *text_ok(const char *text)
{
    struct config *config = NULL;
    struct config_error error = {.text = ""};
    if (config_load_text("jitney.json", text, strlen(text), &config, &error) != CONFIG_OK)
        fail_msg("%s", error.text);
    return config;
}

static struct config_effective explain(const char *text, const struct config_queue *model,
                                       const struct config_queue *api)
{
    struct config *config = text_ok(text);
    struct config_effective effective = config_batching_explain(config, "digits", model, api);
    config_destroy(config);
    return effective;
}

static void assert_field(const struct config_effective *effective, enum config_field field,
                         uint64_t value, enum config_origin origin)
{
    assert_int_equal(config_field_get(field, &effective->batching), value);
    assert_string_equal(config_origin_str(effective->origins[field]), config_origin_str(origin));
}

static void each_field_has_the_name_that_the_file_uses(void **state)
{
    (void)state;
    static const char *const names[] = {
        [CONFIG_FIELD_BATCH_ROWS] = "max_batch_rows",
        [CONFIG_FIELD_QUEUE_ROWS] = "max_queue_rows",
        [CONFIG_FIELD_QUEUE_BYTES] = "max_queue_bytes",
        [CONFIG_FIELD_INFLIGHT] = "max_inflight_batches",
        [CONFIG_FIELD_DELAY] = "max_delay",
        [CONFIG_FIELD_IDLE_DELAY] = "max_idle_delay",
        [CONFIG_FIELD_TARGET] = "target_p99",
    };
    assert_int_equal(ARRAY_SIZE(names), CONFIG_FIELDS);
    for (unsigned i = 0; i < CONFIG_FIELDS; i++)
        assert_string_equal(config_field_name((enum config_field)i), names[i]);
    assert_int_equal(config_field_unit(CONFIG_FIELD_BATCH_ROWS), CONFIG_UNIT_NONE);
    assert_int_equal(config_field_unit(CONFIG_FIELD_QUEUE_BYTES), CONFIG_UNIT_BYTES);
    assert_int_equal(config_field_unit(CONFIG_FIELD_TARGET), CONFIG_UNIT_SECONDS);
}

static void the_last_word_is_the_apis_then_the_files_then_the_models(void **state)
{
    (void)state;
    const struct config_queue model = {
        .given = CONFIG_BATCH_ROWS | CONFIG_QUEUE_ROWS | CONFIG_DELAY,
        .batching = {.batch_rows_max = 5, .queue_rows_max = 50, .delay_ns_max = 99}};
    const struct config_queue api = {.given = CONFIG_BATCH_ROWS | CONFIG_TARGET,
                                     .batching = {.batch_rows_max = 7, .target_p99_ns = 1000}};
    const char *text = "{\"batching\": {\"max_queue_bytes\": \"1MiB\", \"max_delay\": 1},"
                       " \"queues\": {\"digits\": {\"max_batch_rows\": 6, \"max_queue_rows\": 60},"
                       " \"wide\": {\"max_delay\": 2}}}";

    struct config_effective all = explain(text, &model, &api);
    assert_field(&all, CONFIG_FIELD_BATCH_ROWS, 7, CONFIG_API);
    assert_field(&all, CONFIG_FIELD_QUEUE_ROWS, 60, CONFIG_FILE);
    assert_field(&all, CONFIG_FIELD_QUEUE_BYTES, MIB, CONFIG_FILE);
    assert_field(&all, CONFIG_FIELD_INFLIGHT, 0, CONFIG_DEFAULT);
    assert_field(&all, CONFIG_FIELD_DELAY, 99, CONFIG_MODEL);
    assert_field(&all, CONFIG_FIELD_TARGET, 1000, CONFIG_API);

    struct config_effective without_api = explain(text, &model, NULL);
    assert_field(&without_api, CONFIG_FIELD_BATCH_ROWS, 6, CONFIG_FILE);
    assert_field(&without_api, CONFIG_FIELD_TARGET, 0, CONFIG_DEFAULT);
    struct config_effective without_model = explain(text, NULL, NULL);
    assert_field(&without_model, CONFIG_FIELD_DELAY, NS_PER_S, CONFIG_FILE);
}

static void flags_and_environment_are_told_apart_from_the_file(void **state)
{
    (void)state;
    char name[] = "jitney", variable[] = "JITNEY_BATCHING_TARGET_P99=10ms";
    char *const argv[] = {name, NULL}, *const environment[] = {variable, NULL};
    struct config *config;
    struct config_error error;
    assert_int_equal(config_load(1, argv, environment, &config, &error), CONFIG_OK);
    struct config_effective effective = config_batching_explain(config, "digits", NULL, NULL);
    assert_field(&effective, CONFIG_FIELD_TARGET, 10 * NS_PER_MS, CONFIG_ENVIRONMENT);
    assert_field(&effective, CONFIG_FIELD_DELAY, 0, CONFIG_DEFAULT);
    config_destroy(config);
}

static void a_field_takes_what_the_file_takes(void **state)
{
    (void)state;
    static const struct {
        enum config_field field;
        const char *text;
        uint64_t value;
    } rows[] = {
        {CONFIG_FIELD_BATCH_ROWS, "1", 1},
        {CONFIG_FIELD_BATCH_ROWS, "4096", CONFIG_BATCH_ROWS_CEILING},
        {CONFIG_FIELD_QUEUE_BYTES, "64KiB", 65536},
        {CONFIG_FIELD_INFLIGHT, "0", 0},
        {CONFIG_FIELD_DELAY, "1.5ms", 1500 * NS_PER_US},
        {CONFIG_FIELD_TARGET, "0", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct config_batching batching = {0};
        struct config_error error = {.text = ""};
        if (!config_field_set(rows[i].field, rows[i].text, &batching, &error))
            fail_msg("%s: %s", rows[i].text, error.text);
        assert_int_equal(config_field_get(rows[i].field, &batching), rows[i].value);
    }
}

static void a_field_refuses_the_rest_by_name_and_keeps_its_value(void **state)
{
    (void)state;
    static const struct {
        enum config_field field;
        const char *text;
        const char *reason;
    } rows[] = {
        {CONFIG_FIELD_BATCH_ROWS, "0", "max_batch_rows: 0 is below the smallest allowed value 1"},
        {CONFIG_FIELD_BATCH_ROWS, "4097",
         "max_batch_rows: 4097 is above the largest allowed value 4096"},
        {CONFIG_FIELD_BATCH_ROWS, "1.5", "max_batch_rows: \"1.5\" is not a whole number"},
        {CONFIG_FIELD_QUEUE_ROWS, "-1", "max_queue_rows: -1 is below"},
        {CONFIG_FIELD_QUEUE_BYTES, "1024x", "max_queue_bytes: \"1024x\" is not a size"},
        {CONFIG_FIELD_DELAY, "11s", "max_delay: 11s is above the largest allowed value 10s"},
        {CONFIG_FIELD_DELAY, "5", "max_delay: \"5\" is not a duration"},
        {CONFIG_FIELD_TARGET, "61s", "target_p99: 61s is above the largest allowed value 60s"},
        {CONFIG_FIELD_TARGET, "1e-9s", "target_p99: \"1e-9s\" is not a duration"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct config_batching batching = {0}, untouched = {0};
        struct config_error error = {.text = ""};
        assert_false(config_field_set(rows[i].field, rows[i].text, &batching, &error));
        if (strstr(error.text, rows[i].reason) != error.text)
            fail_msg("'%s', expected '%s'", error.text, rows[i].reason);
        assert_memory_equal(&batching, &untouched, sizeof batching);
    }
}

static void a_change_is_of_value_or_of_source(void **state)
{
    (void)state;
    const struct config_queue same_value = {.given = CONFIG_DELAY, .batching = {.delay_ns_max = 0}};
    const struct config_queue other_value = {.given = CONFIG_TARGET | CONFIG_BATCH_ROWS,
                                             .batching = {.batch_rows_max = 8}};
    struct config_effective plain = explain("{}", NULL, NULL);
    struct config_effective said = explain("{}", NULL, &same_value);
    struct config_effective other = explain("{}", NULL, &other_value);
    assert_int_equal(config_effective_changes(&plain, &plain), 0);
    assert_int_equal(config_effective_changes(&plain, &said), CONFIG_DELAY);
    assert_int_equal(config_effective_changes(&other, &plain), CONFIG_TARGET | CONFIG_BATCH_ROWS);
}

static void a_queue_holds_at_least_one_batch(void **state)
{
    (void)state;
    struct config_error error = {.text = ""};
    struct config_batching batching = {.batch_rows_max = 32, .queue_rows_max = 32};
    assert_true(config_batching_check(&batching, &error));
    batching.queue_rows_max = 31;
    assert_false(config_batching_check(&batching, &error));
    assert_string_equal(error.text, "max_queue_rows 31 is below max_batch_rows 32");
}

static void the_json_has_value_unit_and_source_of_each_field(void **state)
{
    (void)state;
    const struct config_queue api = {.given = CONFIG_TARGET,
                                     .batching = {.target_p99_ns = 12500 * NS_PER_US}};
    struct config_effective effective =
        explain("{\"queues\": {\"digits\": {\"max_batch_rows\": 64}}}", NULL, &api);
    struct buffer text;
    buffer_init(&text, MIB);
    config_effective_to_json(&effective, &text);
    buffer_append(&text, "", 1);
    assert_string_equal(
        text.data,
        "{\"max_batch_rows\":{\"value\":64,\"source\":\"file\"},"
        "\"max_queue_rows\":{\"value\":4096,\"source\":\"default\"},"
        "\"max_queue_bytes\":{\"value\":268435456,\"source\":\"default\",\"unit\":\"bytes\"},"
        "\"max_inflight_batches\":{\"value\":0,\"source\":\"default\"},"
        "\"max_delay\":{\"value\":0,\"source\":\"default\",\"unit\":\"seconds\"},"
        "\"max_idle_delay\":{\"value\":0,\"source\":\"default\",\"unit\":\"seconds\"},"
        "\"target_p99\":{\"value\":0.0125,\"source\":\"api\",\"unit\":\"seconds\"}}");
    buffer_deinit(&text);
}

static void adopting_takes_batching_and_queues_and_nothing_else(void **state)
{
    (void)state;
    struct config *running = text_ok("{\"workers\": 2, \"batching\": {\"max_delay\": 1},"
                                     " \"queues\": {\"sma\": {\"max_batch_rows\": 3}}}");
    struct config *fresh = text_ok("{\"workers\": 3, \"batching\": {\"max_batch_rows\": 9},"
                                   " \"queues\": {\"digits\": {\"target_p99\": \"5ms\"}}}");
    config_adopt_batching(running, fresh);
    config_destroy(fresh);
    assert_int_equal(running->workers, 2);
    struct config_effective digits = config_batching_explain(running, "digits", NULL, NULL);
    assert_field(&digits, CONFIG_FIELD_BATCH_ROWS, 9, CONFIG_FILE);
    assert_field(&digits, CONFIG_FIELD_DELAY, 0, CONFIG_DEFAULT);
    assert_field(&digits, CONFIG_FIELD_TARGET, 5 * NS_PER_MS, CONFIG_FILE);
    struct config_effective sma = config_batching_explain(running, "sma", NULL, NULL);
    assert_field(&sma, CONFIG_FIELD_BATCH_ROWS, 9, CONFIG_FILE);
    config_destroy(running);
}

static void keep_key(void *ctx, const char *key)
{
    struct buffer *keys = ctx;
    buffer_append_format(keys, "%s ", key);
}

static void assert_differences(const char *a, const char *b, const char *expected)
{
    struct config *running = text_ok(a), *fresh = text_ok(b);
    struct buffer keys;
    buffer_init(&keys, MIB);
    config_each_difference(running, fresh, keep_key, &keys);
    buffer_append(&keys, "", 1);
    assert_string_equal(keys.data, expected);
    buffer_deinit(&keys);
    config_destroy(running);
    config_destroy(fresh);
}

static void differences_are_named_except_those_of_batching(void **state)
{
    (void)state;
    assert_differences("{}", "{}", "");
    assert_differences("{}", "{\"batching\": {\"max_delay\": 1}, \"queues\": {\"sma\": {}}}", "");
    assert_differences("{\"models\": \"a\", \"log\": {\"access\": true}}",
                       "{\"models\": \"b\", \"log\": {\"level\": \"warn\"}}",
                       "models log.level log.access ");
    assert_differences("{\"listen\": [\"127.0.0.1:1\"]}", "{\"listen\": [\"127.0.0.1:2\"]}",
                       "listen ");
    assert_differences("{}", "{\"admin_listen\": []}", "admin_listen ");
    assert_differences("{}", "{\"admin_token_file\": \"t\"}", "admin_token_file ");
    assert_differences("{\"tenants\": {\"a\": {}}}", "{\"tenants\": {\"a\": {\"weight\": 2}}}",
                       "tenants ");
    assert_differences("{\"tenants\": {\"a\": {}}}", "{\"tenants\": {\"a\": {\"weight\": 1}}}", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_has_the_name_that_the_file_uses),
        cmocka_unit_test(the_last_word_is_the_apis_then_the_files_then_the_models),
        cmocka_unit_test(flags_and_environment_are_told_apart_from_the_file),
        cmocka_unit_test(a_field_takes_what_the_file_takes),
        cmocka_unit_test(a_field_refuses_the_rest_by_name_and_keeps_its_value),
        cmocka_unit_test(a_change_is_of_value_or_of_source),
        cmocka_unit_test(a_queue_holds_at_least_one_batch),
        cmocka_unit_test(the_json_has_value_unit_and_source_of_each_field),
        cmocka_unit_test(adopting_takes_batching_and_queues_and_nothing_else),
        cmocka_unit_test(differences_are_named_except_those_of_batching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
