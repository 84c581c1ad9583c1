/*
 * Bodies of numbers: read and refused as yyjson does, byte for byte, and walked afterwards.
 *
 * JSON_TEXT_SEED chooses other changes, JSON_TEXT_COUNT how many.
 */
#include "json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"
#include "decimals.h"
#include "json_compare.h"

static const struct json_limits limits = {.depth_max = 8, .number_bytes_max = 32};

enum {
    NUMBERS_MAX = 64
};

struct fixture {
    struct json_reader reader;
    struct buffer body;
    struct api_error error;
    struct json_text text;
    struct json_numbers numbers;
    double f64[NUMBERS_MAX];
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

static bool read_text(struct fixture *f, const char *text)
{
    buffer_reset(&f->body, 0);
    buffer_append_str(&f->body, text);
    f->error = (struct api_error){0};
    f->numbers = (struct json_numbers){.f64 = f->f64, .max = NUMBERS_MAX};
    return json_text_read(&f->reader, &f->body, &f->numbers, &f->text, &f->error);
}

static void expect_error(const struct api_error *error, enum api_error_id id, const char *text)
{
    assert_string_equal(api_error_code(error->id), api_error_code(id));
    assert_string_equal(error->text, text);
}

/* --- verdicts */

static const char *const bodies[] = {
    "",
    " \n",
    "{}",
    "[]",
    "null",
    "true",
    "1",
    "\"a\"",
    "nul",
    "-",
    "1.5.5",
    "01",
    " {} ",
    "{} x",
    "{\"a\":1",
    "{\"a\":1}}",
    "{\"a\":1} x",
    "{\"a\":1,}",
    "{\"a\":[1,]}",
    "{\"a\":[1 , ] }",
    "{\"a\" 1}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":1}//",
    "{/**/\"a\":1}",
    "\xef\xbb\xbf{}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"a\":\"\\ud83d\\ude00\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\\u12",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\x80\"}",
    "{\"a\":\"\xe2\x82\xac\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"a\":\"\xf0\x9f\x98\x80\"}",
    "{\"a\":\"\xe2\x82",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":nul}",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":1e}",
    "{\"a\":-}",
    "{\"a\":.5}",
    "{\"a\":+1}",
    "{\"a\":1e999}",
    "{\"a\":-1e999}",
    "{\"a\":[1,2,3e999]}",
    "{\"a\":[1,2,3.]}",
    "{\"a\":[1,2,03]}",
    "{\"a\":[1,2,-]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1,,2]}",
    "{\"a\":[,1]}",
    "{\"a\":[1,2",
    "{\"a\":[1,2,",
    "{\"a\":[1.",
    "{\"a\":[1e",
    "{\"a\":[-",
    "{\"a\":[1,2}",
    "{\"a\":{\"b\":1]}",
    "{\"a\":[1,[2,[3,{\"b\":[4,5]}],6],7],\"c\":[8]}",
    "{\"a\":[true,false,null,\"x\",1]}",
    "{\"a\":[1,2,3],\"b\":[-4.5,6e7,8E-9 , 10\n,\t11]}",
    "[1,2,3]",
    "[[[[[[[[[[[[[[[[[[1]]",
    "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}",
    "{\"a\":[0.1,0.30000000000000004,1e-7,12345678901234567890,-0.5,7,8,9,10,11,12,13,14]}",
    "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9}",
    "{\"a\":[12345678901234567890.]}",
    "{\"a\":[1234567890123456789.]}",
    "{\"a\":[0.e5]}",
};

static void expect_same(const char *body, size_t bytes)
{
    struct json_difference difference = json_compare(body, bytes);
    if (difference.text[0] != '\0')
        fail_msg("%.*s\n%s", (int)bytes, body, difference.text);
}

static void verdicts_are_those_of_yyjson(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
        for (size_t bytes = 0; bytes <= strlen(bodies[i]); bytes++)
            expect_same(bodies[i], bytes);
}

/* One to four bytes are other ones, more or fewer. */
static size_t change(char *body, size_t bytes, size_t bytes_max, uint64_t *random)
{
    static const char alphabet[] = "0123456789..--++eE,,,[[]]{}:\"\" \n\\untrf/\0\xc3\xa9\x80";
    for (size_t n = 1 + decimals_random(random) % 4; n > 0; n--) {
        size_t at = decimals_random(random) % (bytes + 1);
        char c = alphabet[decimals_random(random) % (sizeof alphabet - 1)];
        switch (decimals_random(random) % 3) {
        case 0:
            if (at < bytes)
                body[at] = c;
            break;
        case 1:
            if (bytes < bytes_max) {
                memmove(body + at + 1, body + at, bytes - at);
                body[at] = c;
                bytes++;
            }
            break;
        default:
            if (at < bytes) {
                memmove(body + at, body + at + 1, bytes - at - 1);
                bytes--;
            }
        }
    }
    return bytes;
}

static void verdicts_on_changed_bodies_are_those_of_yyjson(void **state)
{
    (void)state;
    const char *seed = getenv("JSON_TEXT_SEED"), *count = getenv("JSON_TEXT_COUNT");
    uint64_t random = seed != NULL ? strtoull(seed, NULL, 10) : 20261121;
    size_t left = count != NULL ? strtoull(count, NULL, 10) : 100000;
    for (; left > 0; left--) {
        char body[512];
        const char *from = bodies[decimals_random(&random) % ARRAY_SIZE(bodies)];
        size_t bytes = strlen(from);
        memcpy(body, from, bytes);
        expect_same(body, change(body, bytes, sizeof body, &random));
    }
}

static void everything_but_an_object_is_refused(void **state)
{
    static const struct {
        const char *body, *text;
        enum api_error_id id;
    } rows[] = {
        {"", "the body is empty; it must be a JSON object", API_INVALID_JSON},
        {"[1]", "the body is an array; it must be an object", API_WRONG_TYPE},
        {"\"a\"", "the body is a string; it must be an object", API_WRONG_TYPE},
        {"{\"a\":[1,2}", "the body is not valid JSON: unexpected character at byte 9",
         API_INVALID_JSON},
        {"{\"a\":[1,2", "the body is not valid JSON: unexpected end of data at byte 9",
         API_INVALID_JSON},
        {"{\"a\":[1,02]}", "the body is not valid JSON: invalid number at byte 8",
         API_INVALID_NUMBER},
        {"{\"a\":[[[[[[[[1]]]]]]]]}", "the body nests deeper than 8", API_TOO_DEEP},
        {"{\"a\":0.1234567890123456789012345678901}", "a number has more than 32 characters",
         API_NUMBER_TOO_LONG},
    };
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_false(read_text(&f, rows[i].body));
        expect_error(&f.error, rows[i].id, rows[i].text);
    }
    finish(&f);
}

static void a_megabyte_of_brackets_is_refused_quickly(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    buffer_append_str(&f.body, "{\"a\":");
    memset(buffer_reserve(&f.body, MIB), '[', MIB);
    buffer_commit(&f.body, MIB);
    f.numbers = (struct json_numbers){.f64 = f.f64, .max = NUMBERS_MAX};
    assert_false(json_text_read(&f.reader, &f.body, &f.numbers, &f.text, &f.error));
    expect_error(&f.error, API_TOO_DEEP, "the body nests deeper than 8");
    finish(&f);
}

/* --- numbers */

static void numbers_below_the_members_are_kept_in_their_order(void **state)
{
    static const double expected[] = {1, 2, -3.5, 4e5, 6};
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(
        read_text(&f, "{\"n\":7,\"a\":[1,[2,{\"b\":-3.5}],\"8,9\"],\"c\":8,\"d\":[4e5,6]}"));
    assert_int_equal(f.numbers.count, ARRAY_SIZE(expected));
    assert_memory_equal(f.f64, expected, sizeof expected);
    finish(&f);
}

static void numbers_without_room_are_counted_and_not_kept(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    buffer_append_str(&f.body, "{\"a\":[1,2,3,4,5,6,7,8,9]}");
    for (size_t max = 0; max < 12; max++) {
        for (size_t i = 0; i < NUMBERS_MAX; i++)
            f.f64[i] = -1;
        f.numbers = (struct json_numbers){.f64 = f.f64, .max = max};
        assert_true(json_text_read(&f.reader, &f.body, &f.numbers, &f.text, &f.error));
        assert_int_equal(f.numbers.count, 9);
        for (size_t i = 0; i < NUMBERS_MAX; i++)
            assert_true(f.f64[i] == (i < max && i < 9 ? (double)i + 1 : -1));
    }
    finish(&f);
}

static void commas_bound_the_numbers(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t commas = 0; commas < 300; commas++) {
        buffer_reset(&f.body, MIB);
        for (size_t i = 0; i < commas; i++)
            buffer_append_str(&f.body, i % 3 == 0 ? "1," : "12,");
        assert_int_equal(json_text_numbers_max(&f.reader, &f.body), commas + 1);
    }
    finish(&f);
}

static void a_body_of_commas_has_room_for_a_number_each_two_bytes(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t bytes = 0; bytes < 300; bytes++) {
        assert_int_equal(json_text_numbers_max(&f.reader, &f.body), bytes / 2 + 1);
        buffer_append(&f.body, ",", 1);
    }
    finish(&f);
}

/* --- walking */

static void values_end_where_they_end(void **state)
{
    static const char *const values[] = {
        "1",
        "-2.5e+7",
        "true",
        "null",
        "\"\"",
        "\"a\\\"]\\\\\"",
        "[]",
        "[ ]",
        "[1,2]",
        "{}",
        "[1,\"]\",[2,{\"a]\":[3]}],4]",
        "{\"a\":[1,2],\"b\":{\"c\":\"}\"}}",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27]",
    };
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"a\":%s , \"b\":[ %s,1,[2]]}", values[i], values[i]);
        if (!read_text(&f, body))
            fail_msg("%s: %s", body, f.error.text);
        assert_int_equal(f.text.members_count, 2);
        const char *value = f.text.members[0].value, *array = f.text.members[1].value;
        assert_int_equal(json_value_end(value) - value, strlen(values[i]));
        struct json_elements elements = json_array_elements(&f.text, array);
        assert_int_equal(elements.count, 3);
        assert_false(elements.are_numbers);
        assert_int_equal(*elements.end, '}');
    }
    finish(&f);
}

static void elements_are_counted(void **state)
{
    static const struct {
        const char *array;
        size_t count;
        bool are_numbers;
    } rows[] = {
        {"[]", 0, true},
        {"[ \n ]", 0, true},
        {"[1]", 1, true},
        {"[ 1 , -2e5 ]", 2, true},
        {"[[]]", 1, false},
        {"[1,[2,3],4]", 3, false},
        {"[\"1,2\"]", 1, false},
        {"[null,1]", 2, false},
        {"[1,2,true]", 3, false},
        {"[{\"a\":1,\"b\":2},3]", 2, false},
        {"[[1,2],[3,4] ] ", 2, false},
    };
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"a\":%s}", rows[i].array);
        assert_true(read_text(&f, body));
        struct json_elements elements = json_array_elements(&f.text, f.text.members[0].value);
        assert_int_equal(elements.count, rows[i].count);
        assert_int_equal(elements.are_numbers, rows[i].are_numbers);
        assert_int_equal(elements.end[-1], ']');
    }
    finish(&f);
}

/* {"a":[[],[1],[1,1],[],...],...}: array number i has i % 3 elements. */
static void put_arrays(struct buffer *body, size_t count)
{
    static const char *const arrays[] = {"[]", " [1 ]", "[1,1]"};
    buffer_reset(body, MIB);
    buffer_append_str(body, "{\"a\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_str(body, i > 0 ? "," : "");
        buffer_append_str(body, arrays[i % 3]);
    }
    buffer_append_str(body, "]}");
}

static void expect_arrays(struct fixture *f, const char *outer, size_t count)
{
    struct json_elements elements = json_array_elements(&f->text, outer);
    assert_int_equal(elements.count, count);
    assert_false(elements.are_numbers);
    const char *array = json_array_first(outer);
    for (size_t i = 0; i < count; i++, array = json_array_next(elements.end)) {
        elements = json_array_elements(&f->text, array);
        assert_int_equal(elements.count, i % 3);
        assert_true(elements.are_numbers);
        assert_ptr_equal(elements.end, json_value_end(array));
    }
    assert_null(array);
}

static void arrays_are_found_with_their_notes_and_beyond_them(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t count = 1; count <= 2 * JSON_NOTES_MAX; count += count < 4 ? 1 : 63) {
        put_arrays(&f.body, count);
        f.numbers = (struct json_numbers){.f64 = f.f64, .max = NUMBERS_MAX};
        assert_true(json_text_read(&f.reader, &f.body, &f.numbers, &f.text, &f.error));
        assert_int_equal(f.text.notes_count, count < JSON_NOTES_MAX ? count : JSON_NOTES_MAX);
        for (int again = 0; again < 2; again++)
            expect_arrays(&f, f.text.members[0].value, count);
    }
    finish(&f);
}

static void only_arrays_of_nothing_but_numbers_are_noted(void **state)
{
    static const struct {
        const char *array;
        size_t notes_count;
    } rows[] = {
        {"[]", 1},
        {"[1,2]", 1},
        {"[1,[2],3]", 1},
        {"[[1],[2,3]]", 2},
        {"[1,\"a\"]", 0},
        {"[\"a\",1]", 0},
        {"[1,null,2]", 0},
        {"[true]", 0},
        {"[1,{},2]", 0},
        {"[{\"b\":1}]", 0},
        {"{\"b\":[1,2],\"c\":3}", 1},
    };
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"a\":%s}", rows[i].array);
        assert_true(read_text(&f, body));
        if (f.text.notes_count != rows[i].notes_count)
            fail_msg("%s: %zu notes", body, f.text.notes_count);
    }
    finish(&f);
}

static bool fields_of(struct fixture *f, const char *text, struct json_text_field *fields)
{
    assert_true(read_text(f, text));
    return json_text_fields(&f->text, fields, 2, &f->error);
}

static void fields_are_known_and_stand_once(void **state)
{
    (void)state;
    struct fixture f;
    struct json_text_field fields[] = {{.name = "one"}, {.name = "tw\xc3\xb6"}};
    setup(&f);
    assert_true(fields_of(&f, "{\"tw\\u00f6\" : 2}", fields));
    assert_null(fields[0].value);
    assert_int_equal(*fields[1].value, '2');
    assert_true(fields_of(&f, "{}", fields));
    assert_null(fields[1].value);
    assert_false(fields_of(&f, "{\"one\":1,\"one\":1}", fields));
    expect_error(&f.error, API_DUPLICATE_FIELD, "field \"one\" stands twice");
    assert_false(fields_of(&f, "{\"one\":null,\"\\u006fne\":1}", fields));
    expect_error(&f.error, API_DUPLICATE_FIELD, "field \"one\" stands twice");
    assert_false(fields_of(&f, "{\"One\":1}", fields));
    expect_error(&f.error, API_UNKNOWN_FIELD, "unknown field \"One\"");
    assert_false(fields_of(&f, "{\"one\\u0000\":1}", fields));
    expect_error(&f.error, API_UNKNOWN_FIELD, "unknown field \"one\"");
    assert_false(fields_of(&f, "{\"\":1}", fields));
    expect_error(&f.error, API_UNKNOWN_FIELD, "unknown field \"\"");
    assert_false(fields_of(&f, "{\"on\":1}", fields));
    assert_false(fields_of(&f, "{\"\\ud83d\\ude00\\n\":1}", fields));
    expect_error(&f.error, API_UNKNOWN_FIELD, "unknown field \"\xf0\x9f\x98\x80\n\"");
    assert_false(fields_of(&f,
                           "{\"one\":1,\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,"
                           "\"h\":8,\"i\":9}",
                           fields));
    expect_error(&f.error, API_UNKNOWN_FIELD, "unknown field \"a\"");
    finish(&f);
}

static void a_long_unknown_name_is_cut(void **state)
{
    (void)state;
    struct fixture f;
    struct json_text_field fields[] = {{.name = "one"}, {.name = "two"}};
    char body[2048] = "{\"";
    memset(body + 2, 'n', 2000);
    memcpy(body + 2002, "\":1}", 5);
    setup(&f);
    assert_false(fields_of(&f, body, fields));
    assert_in_range(strlen(f.error.text), 64, 100);
    finish(&f);
}

static void sizes_are_whole_numbers_from_one(void **state)
{
    static const struct {
        const char *body;
        enum api_error_id id;
        size_t value;
    } rows[] = {
        {"{\"a\":1}", API_OK, 1},
        {"{\"a\":20}", API_OK, 20},
        {"{\"a\":2e1}", API_OK, 20},
        {"{\"a\":20.0}", API_OK, 20},
        {"{\"a\":9007199254740992}", API_OK, 9007199254740992},
        {"{\"a\":0}", API_INVALID_PARAMETER, 0},
        {"{\"a\":-0.0}", API_INVALID_PARAMETER, 0},
        {"{\"a\":-1}", API_INVALID_PARAMETER, 0},
        {"{\"a\":1.5}", API_INVALID_PARAMETER, 0},
        {"{\"a\":9007199254740994}", API_INVALID_PARAMETER, 0},
        {"{\"a\":18446744073709551615}", API_INVALID_PARAMETER, 0},
        {"{\"a\":1e300}", API_INVALID_PARAMETER, 0},
        {"{\"a\":\"1\"}", API_WRONG_TYPE, 0},
        {"{\"a\":null}", API_WRONG_TYPE, 0},
        {"{\"a\":[1]}", API_WRONG_TYPE, 0},
    };
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t value = 0;
        assert_true(read_text(&f, rows[i].body));
        const char *at = f.text.members[0].value;
        bool ok = json_value_positive_size(at, "period", &value, &f.error);
        assert_int_equal(ok, rows[i].id == API_OK);
        assert_int_equal(value, rows[i].value);
        if (!ok)
            assert_int_equal(f.error.id, rows[i].id);
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_those_of_yyjson),
        cmocka_unit_test(verdicts_on_changed_bodies_are_those_of_yyjson),
        cmocka_unit_test(everything_but_an_object_is_refused),
        cmocka_unit_test(a_megabyte_of_brackets_is_refused_quickly),
        cmocka_unit_test(numbers_below_the_members_are_kept_in_their_order),
        cmocka_unit_test(numbers_without_room_are_counted_and_not_kept),
        cmocka_unit_test(commas_bound_the_numbers),
        cmocka_unit_test(a_body_of_commas_has_room_for_a_number_each_two_bytes),
        cmocka_unit_test(values_end_where_they_end),
        cmocka_unit_test(elements_are_counted),
        cmocka_unit_test(arrays_are_found_with_their_notes_and_beyond_them),
        cmocka_unit_test(only_arrays_of_nothing_but_numbers_are_noted),
        cmocka_unit_test(fields_are_known_and_stand_once),
        cmocka_unit_test(a_long_unknown_name_is_cut),
        cmocka_unit_test(sizes_are_whole_numbers_from_one),
    };
    return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}
