/* test_buffer.c - bytes that grow up to a maximum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"
#include "buffer.h"

static void assert_text(const struct buffer *buf, const char *expected)
{
    assert_false(buf->failed);
    assert_int_equal(buf->bytes, strlen(expected));
    assert_memory_equal(buf->data, expected, buf->bytes);
}

static void appended_bytes_stand_behind_each_other(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, 100);
    buffer_append(&buf, "ab", 2);
    buffer_append_str(&buf, "cd");
    buffer_append_format(&buf, "%d%s", 12, "x");
    buffer_append(&buf, NULL, 0);
    assert_text(&buf, "abcd12x");
    buffer_deinit(&buf);
}

static void contents_survive_growing(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, MIB);
    for (unsigned i = 0; i < 100000; i++)
        buffer_append(&buf, &(char){(char)('a' + i % 26)}, 1);
    assert_false(buf.failed);
    assert_int_equal(buf.bytes, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    buffer_deinit(&buf);
}

static void exactly_the_maximum_fits_and_one_byte_more_fails(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, 5);
    buffer_append_str(&buf, "12345");
    assert_text(&buf, "12345");
    assert_true(buf.capacity_bytes <= 5);
    buffer_append_str(&buf, "6");
    assert_true(buf.failed);
    assert_int_equal(buf.bytes, 5);
    assert_memory_equal(buf.data, "12345", 5);
    buffer_deinit(&buf);
}

static void after_a_failure_later_appends_are_ignored_until_reset(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, 4);
    buffer_append_str(&buf, "ab");
    buffer_append_str(&buf, "too long");
    buffer_append_str(&buf, "c");
    assert_true(buf.failed);
    assert_int_equal(buf.bytes, 2);
    assert_null(buffer_reserve(&buf, 1));
    buffer_reset(&buf, 4);
    buffer_append_str(&buf, "c");
    assert_text(&buf, "c");
    buffer_deinit(&buf);
}

static void a_size_that_overflows_fails(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, SIZE_MAX / 2);
    buffer_append_str(&buf, "a");
    assert_null(buffer_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    buffer_deinit(&buf);
}

static void reserved_bytes_count_once_committed(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, 100);
    char *room = buffer_reserve(&buf, 50);
    assert_non_null(room);
    assert_int_equal(buf.bytes, 0);
    memcpy(room, "abc", 3);
    buffer_commit(&buf, 3);
    assert_text(&buf, "abc");
    buffer_deinit(&buf);
}

static void reset_keeps_small_memory_and_frees_large(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, MIB);
    buffer_append_str(&buf, "abc");
    const size_t capacity = buf.capacity_bytes;
    buffer_reset(&buf, capacity);
    assert_int_equal(buf.capacity_bytes, capacity);
    buffer_reset(&buf, capacity - 1);
    assert_int_equal(buf.capacity_bytes, 0);
    assert_null(buf.data);
    buffer_append_str(&buf, "again");
    assert_text(&buf, "again");
    buffer_deinit(&buf);
}

static void consume_drops_the_front(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, 100);
    buffer_append_str(&buf, "abcdef");
    buffer_consume(&buf, 2);
    assert_text(&buf, "cdef");
    buffer_consume(&buf, 4);
    assert_int_equal(buf.bytes, 0);
    buffer_deinit(&buf);
}

static void json_strings_escape_what_json_and_terminals_demand(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        const char *expected;
    } cases[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\n\0\x1b\x7f", 4, "\"\\u000a\\u0000\\u001b\\u007f\""},
        {"\xc2\x9b", 2, "\"\\u009b\""}, /* CSI in UTF-8 */
        {"\xc2\xa0", 2, "\"\xc2\xa0\""},
        {"gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xf0\x9f\x9a\x90", 4, "\"\xf0\x9f\x9a\x90\""},
        {"\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\""},
        {"\xff", 1, "\"\xef\xbf\xbd\""},
        {"\xc3", 1, "\"\xef\xbf\xbd\""},                                 /* cut short */
        {"\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
        {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buffer buf;
        buffer_init(&buf, 100);
        buffer_append_json_string(&buf, cases[i].text, cases[i].bytes);
        assert_text(&buf, cases[i].expected);
        buffer_deinit(&buf);
    }
}

static void memory_moves_to_one_that_has_none(void **state)
{
    (void)state;
    struct buffer from, to, small;
    buffer_init(&from, 1000);
    buffer_init(&to, 1000);
    buffer_init(&small, 8);
    buffer_append_str(&from, "abc");
    const char *memory = from.data;
    buffer_move(&small, &from); /* it may not have so much */
    assert_null(small.data);
    buffer_move(&to, &from);
    assert_ptr_equal(to.data, memory);
    assert_int_equal(to.bytes, 3);
    assert_null(from.data);
    assert_int_equal(from.bytes, 0);
    buffer_append_str(&from, "d");
    buffer_move(&to, &from); /* it has its own */
    assert_ptr_equal(to.data, memory);
    assert_int_equal(from.bytes, 1);
    buffer_deinit(&from);
    buffer_deinit(&to);
    buffer_deinit(&small);
}

static void counts_are_appended_in_decimal(void **state)
{
    (void)state;
    struct buffer buf;
    buffer_init(&buf, 1000);
    buffer_append_count(&buf, 0);
    buffer_append_str(&buf, ",");
    buffer_append_count(&buf, UINT64_MAX);
    assert_int_equal(buf.bytes, strlen("0,18446744073709551615"));
    assert_memory_equal(buf.data, "0,18446744073709551615", buf.bytes);
    buffer_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_stand_behind_each_other),
        cmocka_unit_test(contents_survive_growing),
        cmocka_unit_test(exactly_the_maximum_fits_and_one_byte_more_fails),
        cmocka_unit_test(after_a_failure_later_appends_are_ignored_until_reset),
        cmocka_unit_test(a_size_that_overflows_fails),
        cmocka_unit_test(reserved_bytes_count_once_committed),
        cmocka_unit_test(reset_keeps_small_memory_and_frees_large),
        cmocka_unit_test(consume_drops_the_front),
        cmocka_unit_test(json_strings_escape_what_json_and_terminals_demand),
        cmocka_unit_test(memory_moves_to_one_that_has_none),
        cmocka_unit_test(counts_are_appended_in_decimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
