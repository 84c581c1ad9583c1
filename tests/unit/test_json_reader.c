#include "json_reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"

static const struct json_limits limits = {.depth_max = 8, .number_bytes_max = 32};

struct fixture {
    struct json_reader reader;
    struct buffer body;
    struct api_error error;
    yyjson_val *root;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    json_reader_init(&f->reader, &limits);
    buffer_init(&f->body, 32 * MIB);
}

static void finish(struct fixture *f)
{
    buffer_deinit(&f->body);
    json_reader_deinit(&f->reader);
}

static bool read_bytes(struct fixture *f, const char *text, size_t bytes)
{
    buffer_reset(&f->body, 0);
    buffer_append(&f->body, text, bytes);
    f->error = (struct api_error){0};
    return json_read_object(&f->reader, &f->body, &f->root, &f->error);
}

static bool read_text(struct fixture *f, const char *text)
{
    return read_bytes(f, text, strlen(text));
}

static void expect_error(const struct api_error *error, enum api_error_id id, const char *part)
{
    if (error->id != id || strstr(error->text, part) == NULL)
        fail_msg("\"%s\" (%s) should be %s and hold \"%s\"", error->text, api_error_code(error->id),
                 api_error_code(id), part);
}

static void an_object_is_read(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(read_text(&f, " {\"a\": [1, -2.5e3, \"\\u00e9\", null, true]}\r\n\t"));
    yyjson_val *array = yyjson_obj_get(f.root, "a");
    assert_int_equal(yyjson_arr_size(array), 5);
    assert_true(yyjson_get_num(yyjson_arr_get(array, 1)) == -2500);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(array, 2)), "\xc3\xa9");
    json_reader_release(&f.reader);
    finish(&f);
}

static void everything_else_is_refused(void **state)
{
    static const struct {
        const char *body;
        enum api_error_id id;
        const char *part;
    } rows[] = {
        {"", API_INVALID_JSON, "empty"},
        {" \n", API_INVALID_JSON, "not valid JSON"},
        {"[]", API_WRONG_TYPE, "the body is an array; it must be an object"},
        {"null", API_WRONG_TYPE, "null"},
        {"true", API_WRONG_TYPE, "a boolean"},
        {"1", API_WRONG_TYPE, "a number"},
        {"\"a\"", API_WRONG_TYPE, "a string"},
        {"{\"a\":1", API_INVALID_JSON, "at byte 6"},
        {"{\"a\":1}}", API_INVALID_JSON, "at byte 7"},
        {"{\"a\":1} x", API_INVALID_JSON, "at byte 8"},
        {"{\"a\":1,}", API_INVALID_JSON, "at byte"},
        {"{\"a\":[1,]}", API_INVALID_JSON, "at byte"},
        {"{\"a\" 1}", API_INVALID_JSON, "at byte 5"},
        {"{a:1}", API_INVALID_JSON, "at byte 1"},
        {"{'a':1}", API_INVALID_JSON, "at byte 1"},
        {"{\"a\":1}//", API_INVALID_JSON, "at byte 7"},
        {"{/**/\"a\":1}", API_INVALID_JSON, "at byte 1"},
        {"\xef\xbb\xbf{}", API_INVALID_JSON, "at byte 0"},
        {"{\"a\":\"\\ud800\"}", API_INVALID_JSON, "at byte"},
        {"{\"a\":\"\\x\"}", API_INVALID_JSON, "at byte"},
        {"{\"a\":\"\n\"}", API_INVALID_JSON, "at byte 6"},
        {"{\"a\":\"\xff\"}", API_INVALID_JSON, "at byte 6"},
        {"{\"a\":\"\xc0\x80\"}", API_INVALID_JSON, "at byte 6"},
        {"{\"a\":NaN}", API_INVALID_JSON, "at byte 5"},
        {"{\"a\":Infinity}", API_INVALID_JSON, "at byte 5"},
        {"{\"a\":nul}", API_INVALID_JSON, "at byte 5"},
        {"{\"a\":01}", API_INVALID_NUMBER, "at byte"},
        {"{\"a\":1.}", API_INVALID_NUMBER, "at byte"},
        {"{\"a\":1e}", API_INVALID_NUMBER, "at byte"},
        {"{\"a\":-}", API_INVALID_NUMBER, "at byte"},
        {"{\"a\":.5}", API_INVALID_JSON, "at byte 5"},
        {"{\"a\":+1}", API_INVALID_JSON, "at byte 5"},
        {"{\"a\":1e999}", API_NUMBER_OUT_OF_RANGE, "at byte 5"},
        {"{\"a\":-1e999}", API_NUMBER_OUT_OF_RANGE, "at byte 5"},
    };
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (read_text(&f, rows[i].body))
            fail_msg("%s was read", rows[i].body);
        expect_error(&f.error, rows[i].id, rows[i].part);
    }
    assert_false(read_bytes(&f, "{\0\"\0a\0\"\0:\0001\0}\0", 14)); /* UTF-16 */
    expect_error(&f.error, API_INVALID_JSON, "at byte 1");
    assert_false(read_bytes(&f, "{}\0", 3));
    expect_error(&f.error, API_INVALID_JSON, "at byte 2");
    finish(&f);
}

/* The buffer is used again and again: what an earlier body left behind the text is not read. */
static void a_body_ends_where_it_ends(void **state)
{
    static const char earlier[] = "{\"a\":123456789}                  ";
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t bytes = 1; bytes < strlen("{\"a\":123456789}"); bytes++) {
        assert_true(read_text(&f, earlier));
        buffer_reset(&f.body, MIB);
        f.body.bytes = bytes; /* the same bytes, but fewer */
        memcpy(f.body.data, earlier, sizeof earlier);
        assert_false(json_read_object(&f.reader, &f.body, &f.root, &f.error));
        expect_error(&f.error, API_INVALID_JSON, "not valid JSON");
    }
    finish(&f);
}

static void numbers_below_the_smallest_are_zero(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(read_text(&f, "{\"a\":1e-400}"));
    assert_true(yyjson_get_num(yyjson_obj_get(f.root, "a")) == 0);
    finish(&f);
}

/* The check looks at every 17th byte only, so the number stands at every place in turn. */
static void a_number_longer_than_the_limit_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t spaces = 0; spaces < 80; spaces++) {
        char body[256];
        for (size_t digits = 31; digits <= 34; digits++) {
            snprintf(body, sizeof body, "{\"a\":%*s[1,0.%0*d , 2]}", (int)spaces, "",
                     (int)digits - 2, 5);
            bool ok = read_text(&f, body);
            if (ok != (digits <= limits.number_bytes_max))
                fail_msg("%zu characters behind %zu spaces: %s", digits, spaces, f.error.text);
            if (!ok)
                expect_error(&f.error, API_NUMBER_TOO_LONG, "more than 32 characters");
        }
    }
    finish(&f);
}

static uint64_t refuse_many(struct fixture *f, char byte, size_t bytes, enum api_error_id id)
{
    buffer_reset(&f->body, 32 * MIB);
    buffer_append_str(&f->body, "{\"a\":");
    memset(buffer_reserve(&f->body, bytes), byte, bytes);
    buffer_commit(&f->body, bytes);
    uint64_t started_ns = clock_now_ns();
    bool ok = json_read_object(&f->reader, &f->body, &f->root, &f->error);
    uint64_t took_ns = clock_now_ns() - started_ns;
    json_reader_release(&f->reader);
    assert_false(ok);
    expect_error(&f->error, id, "");
    return took_ns;
}

/* Promised are 20 ms and 1 ms; a sanitizer on a busy machine gets more, and the figures are
 * printed. */
static void bombs_are_refused_quickly(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    uint64_t brackets_ns = refuse_many(&f, '[', MIB, API_INVALID_JSON);
    uint64_t digits_ns = refuse_many(&f, '7', MIB, API_NUMBER_TOO_LONG);
    print_message("1 MiB of '[': %.3f ms, of '7': %.3f ms\n", (double)brackets_ns / 1e6,
                  (double)digits_ns / 1e6);
    assert_in_range(brackets_ns, 0, 2 * NS_PER_S);
    assert_in_range(digits_ns, 0, NS_PER_S);
    finish(&f);
}

static void memory_for_a_large_body_is_given_back(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(read_text(&f, "{}"));
    json_reader_release(&f.reader);
    assert_non_null(f.reader._arena);
    refuse_many(&f, '[', MIB, API_INVALID_JSON);
    assert_null(f.reader._arena);
    assert_true(read_text(&f, "{}"));
    finish(&f);
}

static bool fields_of(struct fixture *f, const char *text, struct json_field *fields, size_t count)
{
    assert_true(read_text(f, text));
    f->error = (struct api_error){0};
    return json_fields(f->root, fields, count, &f->error);
}

static void fields_are_known_and_stand_once(void **state)
{
    (void)state;
    struct fixture f;
    struct json_field fields[] = {{.name = "one"}, {.name = "two"}};
    setup(&f);
    assert_true(fields_of(&f, "{\"two\":2}", fields, 2));
    assert_null(fields[0].value);
    assert_int_equal(yyjson_get_int(fields[1].value), 2);
    assert_true(fields_of(&f, "{}", fields, 2));
    assert_null(fields[1].value);
    assert_false(fields_of(&f, "{\"one\":1,\"one\":1}", fields, 2));
    expect_error(&f.error, API_DUPLICATE_FIELD, "\"one\" stands twice");
    assert_false(fields_of(&f, "{\"one\":null,\"\\u006fne\":1}", fields, 2));
    expect_error(&f.error, API_DUPLICATE_FIELD, "\"one\" stands twice");
    assert_false(fields_of(&f, "{\"One\":1}", fields, 2));
    expect_error(&f.error, API_UNKNOWN_FIELD, "\"One\"");
    assert_false(fields_of(&f, "{\"one\\u0000\":1}", fields, 2));
    expect_error(&f.error, API_UNKNOWN_FIELD, "\"one\"");
    assert_false(fields_of(&f, "{\"\":1}", fields, 2));
    expect_error(&f.error, API_UNKNOWN_FIELD, "\"\"");
    finish(&f);
}

/* A name is a client's, and may be of any length. */
static void a_long_unknown_name_is_cut(void **state)
{
    (void)state;
    struct fixture f;
    struct json_field fields[] = {{.name = "one"}};
    char body[2048] = "{\"";
    memset(body + 2, 'n', 2000);
    memcpy(body + 2002, "\":1}", 5);
    setup(&f);
    assert_false(fields_of(&f, body, fields, 1));
    assert_in_range(strlen(f.error.text), 64, 100);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_read),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_body_ends_where_it_ends),
        cmocka_unit_test(numbers_below_the_smallest_are_zero),
        cmocka_unit_test(a_number_longer_than_the_limit_is_refused_wherever_it_stands),
        cmocka_unit_test(bombs_are_refused_quickly),
        cmocka_unit_test(memory_for_a_large_body_is_given_back),
        cmocka_unit_test(fields_are_known_and_stand_once),
        cmocka_unit_test(a_long_unknown_name_is_cut),
    };
    return cmocka_run_group_tests_name("json_reader", tests, NULL, NULL);
}
