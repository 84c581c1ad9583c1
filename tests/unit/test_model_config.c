/* config.json beside a model: what is accepted, and how the rest is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model_config.h"

static enum model_status parse(const char *json, struct model_config *out,
                               struct model_error *error)
{
    return model_config_parse(json, strlen(json), out, error);
}

static void everything_may_be_left_out(void **state)
{
    (void)state;
    struct model_config config;
    struct model_error error;
    assert_int_equal(parse("{}", &config, &error), MODEL_OK);
    assert_int_equal(config.labels_count, 0);
    assert_int_equal(config.batching.batch_rows_max, 0);
    assert_int_equal(config.batching.queue_rows_max, 0);
    assert_true(config.batching.delay_ns_max == UINT64_MAX);
    assert_int_equal(config.precision, MODEL_FLOAT32);
    assert_true(config.int8_error_max == 0.01);
    assert_true(config.batching.target_p99_ns == UINT64_MAX);
    model_config_deinit(&config);
}

static void settings_and_comments_are_read(void **state)
{
    (void)state;
    struct model_config config;
    struct model_error error;
    const char *json = "// a comment\n{\"batching\": {\"max_queue_rows\": 512, /* and */\n"
                       "\"max_batch_rows\": 32, \"max_delay_us\": 250, "
                       "\"target_p99_us\": 5000},\n\"precision\": \"int8\", "
                       "\"int8_max_error\": 0.25,\n"
                       "\"labels\": [\"\\u00e9\"]}";
    if (parse(json, &config, &error) != MODEL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(config.batching.batch_rows_max, 32);
    assert_int_equal(config.batching.queue_rows_max, 512);
    assert_int_equal(config.batching.delay_ns_max, 250000);
    assert_int_equal(config.precision, MODEL_INT8);
    assert_true(config.int8_error_max == 0.25);
    assert_int_equal(config.batching.target_p99_ns, 5000000);
    assert_int_equal(config.labels_count, 1);
    assert_string_equal(config.labels[0], "\xc3\xa9");
    model_config_deinit(&config);
}

static void mistakes_are_named_with_key_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *reason;
    } cases[] = {
        {"", "config.json:1: is not JSON"},
        {"[]", "config.json:1: must be an object"},
        {"{\n\n\"labels\" [\"a\"]}", "config.json:3: is not JSON"},
        {"{\n\"lables\": []}", "config.json:2: 'lables' is unknown; there are labels, batching, "
                               "precision and int8_max_error"},
        {"{\"labels\":\n \"a\"}", "config.json:1: 'labels' must be an array of strings"},
        {"{\"labels\": []}", "config.json:1: 'labels' must be an array of strings"},
        {"{\"labels\": [\"a\", 2]}", "config.json:1: 'labels' must be an array of strings"},
        {"{\"labels\": [\"a\\u0000b\"]}", "config.json:1: 'labels' must be an array of strings"},
        {"{\"labels\": [\"\\n\\n\"],\n\"labels\": [\"b\"]}",
         "config.json:2: 'labels' occurs twice"},
        {"{\n\"precision\": \"int4\"}",
         "config.json:2: 'precision' must be \"float32\" or \"int8\""},
        {"{\"precision\": 8}", "'precision' must be \"float32\" or \"int8\""},
        {"{\"int8_max_error\": 0}", "'int8_max_error' must be a number above 0, and 1 at most"},
        {"{\"int8_max_error\": 1.5}", "'int8_max_error' must be a number above 0, and 1 at most"},
        {"{\"int8_max_error\": \"1\"}", "'int8_max_error' must be a number above 0"},
        {"{\n\"batching\": 3}", "config.json:2: 'batching' must be an object"},
        {"{\"batching\": {\n\"max_rows\": 3}}", "config.json:2: 'max_rows' is unknown"},
        {"{\"batching\": {\"max_batch_rows\": 0}}", "must be a whole number from 1 to 65536"},
        {"{\"batching\": {\"max_batch_rows\": -1}}", "must be a whole number from 1 to 65536"},
        {"{\"batching\": {\"max_batch_rows\": 1.5}}", "must be a whole number from 1 to 65536"},
        {"{\"batching\": {\"max_batch_rows\": \"8\"}}", "must be a whole number from 1 to 65536"},
        {"{\"batching\": {\"max_queue_rows\": 16777217}}", "a whole number from 1 to 16777216"},
        {"{\"batching\": {\"max_delay_us\": 10000001}}", "a whole number from 0 to 10000000"},
        {"{\"batching\": {\"target_p99_us\": 60000001}}", "a whole number from 0 to 60000000"},
        {"{\"batching\": {\"max_delay_us\": 1,\n\"max_delay_us\": 1}}",
         "config.json:2: 'max_delay_us' occurs twice"},
        {"{\"batching\": {\"max_batch_rows\": 9, \"max_queue_rows\": 8}}",
         "below its max_batch_rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_config config;
        struct model_error error = {""};
        enum model_status status = parse(cases[i].json, &config, &error);
        if (status != MODEL_BAD_CONFIG || strstr(error.text, cases[i].reason) == NULL)
            fail_msg("%s: %s '%s', expected '%s'", cases[i].json, model_status_str(status),
                     error.text, cases[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_may_be_left_out),
        cmocka_unit_test(settings_and_comments_are_read),
        cmocka_unit_test(mistakes_are_named_with_key_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
