/*
 * test_admin.c - how a queue batches, as the server says it, and patches of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin.h"

static const char QUEUE[] =
    "{\"queue\":\"wide\",\"etag\":\"\\\"18e9-1\\\"\",\"settings\":{"
    "\"max_batch_rows\":{\"value\":64,\"source\":\"api\"},"
    "\"max_queue_bytes\":{\"value\":268435456,\"source\":\"default\",\"unit\":\"bytes\"},"
    "\"max_delay\":{\"value\":0.0005,\"source\":\"file\",\"unit\":\"seconds\"}},"
    "\"plan\":{\"decided_by\":\"limits\"}}";

static struct admin_queue parsed(void)
{
    struct admin_queue queue;
    assert_true(admin_queue_parse(QUEUE, strlen(QUEUE), &queue));
    return queue;
}

static void a_queue_is_read_with_who_said_what(void **state)
{
    (void)state;
    const struct admin_queue queue = parsed();
    assert_string_equal(queue.name, "wide");
    assert_string_equal(queue.etag, "\"18e9-1\"");
    assert_int_equal(queue.setting_count, 3);
    assert_string_equal(admin_queue_setting(&queue, "max_batch_rows")->value, "64");
    assert_true(admin_queue_setting(&queue, "max_batch_rows")->by_api);
    assert_string_equal(admin_queue_setting(&queue, "max_delay")->value, "0.0005");
    assert_false(admin_queue_setting(&queue, "max_delay")->by_api);
    assert_null(admin_queue_setting(&queue, "max_speed"));
}

static void what_is_no_queue_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"queue\":\"wide\",\"etag\":\"x\"}",
        "{\"queue\":\"wide\",\"etag\":\"x\",\"settings\":{}}",
        "{\"queue\":\"wide\",\"etag\":\"x\",\"settings\":{\"max_delay\":5}}",
        "{\"queue\":\"wide\",\"etag\":1,\"settings\":{\"a\":{\"value\":1,\"source\":\"api\"}}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct admin_queue queue = {.name = "untouched"};
        if (admin_queue_parse(cases[i], strlen(cases[i]), &queue))
            fail_msg("%s was taken", cases[i]);
        assert_string_equal(queue.name, "untouched");
    }
}

static void assert_patch(const struct admin_patch *patch, const char *expected)
{
    char text[512];
    assert_string_equal(admin_patch_write(patch, text, sizeof text), expected);
}

static void settings_become_a_merge_patch(void **state)
{
    (void)state;
    struct admin_patch patch = {0};
    struct load_error error = {0};
    assert_patch(&patch, "{}");
    if (!admin_patch_parse("max_batch_rows=8,max_delay=1.5ms,target_p99=null", &patch, &error))
        fail_msg("%s", error.text);
    assert_patch(&patch, "{\"max_batch_rows\":8,\"max_delay\":\"1.5ms\",\"target_p99\":null}");
    assert_true(admin_patch_parse("max_batch_rows=16", &patch, &error));
    assert_patch(&patch, "{\"max_batch_rows\":16,\"max_delay\":\"1.5ms\",\"target_p99\":null}");
}

static void settings_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",       "max_delay",      "max_delay=", "=8",       "a=1,",
        "a=1,,b", "max delay=1",    "A=1",        "a=\"1\"",  "a={}",
        "a=1 ms", "a=1\nX-Evil: 1", "a=b\"c",     "a=[1,2]x", "a=12345678901234567890123456789012",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct admin_patch patch = {0};
        struct load_error error = {0};
        if (admin_patch_parse(cases[i], &patch, &error))
            fail_msg("\"%s\" was taken", cases[i]);
        assert_true(error.text[0] != '\0');
    }
}

static void the_other_side_is_taken_back_to_what_was(void **state)
{
    (void)state;
    const struct admin_queue before = parsed();
    struct admin_patch a = {0}, b = {0};
    struct load_error error;
    assert_true(admin_patch_parse("max_inflight_batches=1", &a, &error));
    assert_true(admin_patch_parse("max_batch_rows=8,max_delay=1ms", &b, &error));
    assert_true(admin_patch_add_back(&a, &b, &before));
    /* The API had set the first, file or defaults spoke for the others. */
    assert_patch(&a, "{\"max_inflight_batches\":1,\"max_batch_rows\":64,\"max_delay\":null}");
    assert_true(admin_patch_add_back(&b, &a, &before));
    assert_patch(&b, "{\"max_batch_rows\":8,\"max_delay\":\"1ms\",\"max_inflight_batches\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_is_read_with_who_said_what),
        cmocka_unit_test(what_is_no_queue_is_refused),
        cmocka_unit_test(settings_become_a_merge_patch),
        cmocka_unit_test(settings_that_are_none_are_refused),
        cmocka_unit_test(the_other_side_is_taken_back_to_what_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
