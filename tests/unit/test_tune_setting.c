/*
 * test_tune_setting.c - which settings are tried, and how they are written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tune_setting.h"

static const struct tune_space SPACE = {
    .rows_min = 1, .rows_max = 64, .workers = 4, .slo_ns = 10 * NS_PER_MS};

static bool has(const struct tune_setting *settings, size_t count, struct tune_setting wanted)
{
    for (size_t i = 0; i < count; i++)
        if (tune_setting_equals(&settings[i], &wanted))
            return true;
    return false;
}

static void rows_workers_lingers_and_targets_are_tried(void **state)
{
    (void)state;
    struct tune_setting settings[TUNE_SETTINGS_MAX];
    const size_t count = tune_space_fill(&SPACE, TUNE_SETTINGS_MAX, settings);
    for (size_t rows = 1; rows <= 64; rows *= 2)
        for (size_t inflight = 1; inflight <= 4; inflight *= 2)
            assert_true(has(settings, count, (struct tune_setting){rows, inflight, 0, 0}));
    assert_true(has(settings, count, (struct tune_setting){32, 2, NS_PER_MS, 0}));
    assert_true(has(settings, count, (struct tune_setting){64, 4, 0, 5 * NS_PER_MS}));
}

static void none_is_tried_twice_or_goes_beyond_the_space(void **state)
{
    (void)state;
    struct tune_setting settings[TUNE_SETTINGS_MAX];
    const struct tune_space odd = {
        .rows_min = 1, .rows_max = 100, .workers = 3, .slo_ns = 7 * NS_PER_US};
    const size_t count = tune_space_fill(&odd, TUNE_SETTINGS_MAX, settings);
    assert_true(has(settings, count, (struct tune_setting){100, 3, 0, 0}));
    for (size_t i = 0; i < count; i++) {
        assert_in_range(settings[i].batch_rows, 1, 100);
        assert_in_range(settings[i].inflight, 1, 3);
        assert_false(has(settings, i, settings[i]));
    }
}

static void with_one_worker_there_is_no_linger(void **state)
{
    (void)state;
    struct tune_setting settings[TUNE_SETTINGS_MAX];
    struct tune_space space = SPACE;
    space.workers = 1;
    const size_t count = tune_space_fill(&space, TUNE_SETTINGS_MAX, settings);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(settings[i].delay_ns, 0);
    assert_int_equal(count, 7 + 3);
}

static void fewer_are_tried_in_wider_steps(void **state)
{
    (void)state;
    struct tune_setting settings[TUNE_SETTINGS_MAX];
    size_t before = tune_space_fill(&SPACE, TUNE_SETTINGS_MAX, settings);
    for (size_t most = before - 1; most >= 20; most -= 5) {
        const size_t count = tune_space_fill(&SPACE, most, settings);
        assert_in_range(count, 8, most);
        assert_true(has(settings, count, (struct tune_setting){64, 4, 0, 0}));
        assert_true(has(settings, count, (struct tune_setting){1, 1, 0, 0}));
    }
    assert_in_range(tune_space_fill(&SPACE, 1, settings), 2, 20);
}

static void the_largest_space_fits(void **state)
{
    (void)state;
    struct tune_setting settings[TUNE_SETTINGS_MAX];
    const struct tune_space space = {
        .rows_min = 1, .rows_max = 4096, .workers = 1024, .slo_ns = NS_PER_S};
    assert_in_range(tune_space_fill(&space, SIZE_MAX, settings), 50, TUNE_SETTINGS_MAX);
}

static void a_setting_is_written_for_server_and_people(void **state)
{
    (void)state;
    static const struct {
        struct tune_setting setting;
        const char *patch;
        const char *text;
    } cases[] = {
        {{32, 2, 300 * NS_PER_US, 0},
         "{\"max_batch_rows\": 32, \"max_delay\": \"300us\", \"max_inflight_batches\": 2, "
         "\"target_p99\": 0}",
         "32 rows, linger 300 us, 2 workers"},
        {{64, 1, 0, 10 * NS_PER_MS},
         "{\"max_batch_rows\": 64, \"max_delay\": 0, \"max_inflight_batches\": 1, "
         "\"target_p99\": \"10ms\"}",
         "64 rows, target 10.0 ms, 1 worker"},
        {{1, 2, 1500, 0},
         "{\"max_batch_rows\": 1, \"max_delay\": 0.000001500, \"max_inflight_batches\": 2, "
         "\"target_p99\": 0}",
         "1 row, linger 1.50 us, 2 workers"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char patch[TUNE_PATCH_BYTES_MAX], text[TUNE_NAME_BYTES_MAX];
        assert_string_equal(tune_setting_print_patch(&cases[i].setting, patch), cases[i].patch);
        assert_string_equal(tune_setting_print(&cases[i].setting, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_workers_lingers_and_targets_are_tried),
        cmocka_unit_test(none_is_tried_twice_or_goes_beyond_the_space),
        cmocka_unit_test(with_one_worker_there_is_no_linger),
        cmocka_unit_test(fewer_are_tried_in_wider_steps),
        cmocka_unit_test(the_largest_space_fits),
        cmocka_unit_test(a_setting_is_written_for_server_and_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
