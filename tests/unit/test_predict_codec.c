/*
 * Bodies to jobs and jobs to answers, without a batcher: the test writes the outputs itself.
 */
#include "predict.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"
#include "small_model.h"

enum {
    INSTANCES_MAX = 8
};

struct fixture {
    struct json_reader reader;
    struct job_pool pool;
    struct job *job;
    struct buffer body;
    struct buffer answer;
    struct api_error error;
    struct model *model;
};

static void setup(struct fixture *f, const char *dims, size_t outputs, const char *config)
{
    const struct json_limits limits = {.depth_max = 16, .number_bytes_max = 512};
    *f = (struct fixture){.model = small_model(dims, outputs, config)};
    json_reader_init(&f->reader, &limits);
    job_pool_init(&f->pool);
    f->job = job_take(&f->pool);
    buffer_init(&f->body, 32 * MIB);
    buffer_init(&f->answer, 32 * MIB);
}

static void finish(struct fixture *f)
{
    job_recycle(&f->pool, f->job);
    job_pool_deinit(&f->pool);
    json_reader_deinit(&f->reader);
    buffer_deinit(&f->body);
    buffer_deinit(&f->answer);
    model_destroy(f->model);
}

static bool decode(struct fixture *f, const char *body)
{
    buffer_reset(&f->body, 0);
    buffer_append_str(&f->body, body);
    f->error = (struct api_error){0};
    return predict_decode(&f->reader, f->model, INSTANCES_MAX, &f->body, f->job, &f->error);
}

static void expect_input(struct fixture *f, const char *body, size_t rows, const float *expected)
{
    if (!decode(f, body))
        fail_msg("%s: %s", body, f->error.text);
    assert_int_equal(f->job->base.rows, rows);
    size_t n = rows * model_input_size(f->model);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&f->job->in_f32[i], &expected[i], sizeof(float)) != 0)
            fail_msg("%s: number %zu is %.9g, not %.9g", body, i, (double)f->job->in_f32[i],
                     (double)expected[i]);
    assert_ptr_equal(f->job->out_f32, f->job->in_f32 + n);
    assert_int_equal(f->job->base.bytes, (n + rows * model_output_size(f->model)) * sizeof(float));
}

struct refusal {
    const char *body;
    enum api_error_id id;
    const char *text;
};

static void expect_refusals(struct fixture *f, const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (decode(f, rows[i].body))
            fail_msg("%s was decoded", rows[i].body);
        if (f->error.id != rows[i].id)
            print_error("%s: %s\n", rows[i].body, f->error.text);
        assert_string_equal(api_error_code(f->error.id), api_error_code(rows[i].id));
        assert_string_equal(f->error.text, rows[i].text);
    }
}

static void rows_may_be_flat_or_objects(void **state)
{
    static const float expected[] = {1, 2, 3, 4.5f, -5, 6e3f};
    (void)state;
    struct fixture f;
    setup(&f, "N 3", 2, NULL);
    expect_input(&f, "{\"instances\":[[1,2,3],[4.5,-5,6e3]]}", 2, expected);
    expect_input(&f, "{\"instances\":[{\"x\":[1,2,3]},[4.5,-5,6e3]]}", 2, expected);
    expect_input(&f, "{\"signature_name\":\"serving_default\",\"instances\":[[1,2,3]]}", 1,
                 expected);
    finish(&f);
}

static void rows_may_be_nested_as_the_shape_says(void **state)
{
    static const float expected[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    (void)state;
    struct fixture f;
    setup(&f, "N 2 3 2", 1, NULL);
    expect_input(&f, "{\"instances\":[[[[1,2],[3,4],[5,6]],[[7,8],[9,10],[11,12]]]]}", 1, expected);
    expect_input(&f, "{\"instances\":[[1,2,3,4,5,6,7,8,9,10,11,12]]}", 1, expected);
    expect_input(&f, "{\"instances\":[{\"x\":[[[1,2],[3,4],[5,6]],[[7,8],[9,10],[11,12]]]}]}", 1,
                 expected);
    finish(&f);
}

static void a_model_with_one_input_takes_bare_numbers(void **state)
{
    static const float expected[] = {1, 2, 3};
    (void)state;
    struct fixture f;
    setup(&f, "N 1", 1, NULL);
    expect_input(&f, "{\"instances\":[1,[2],{\"x\":3}]}", 3, expected);
    expect_input(&f, "{\"instances\":[{\"x\":[1]}]}", 1, expected);
    const struct refusal rows[] = {
        {"{\"instances\":[1,null]}", API_INVALID_SHAPE,
         "instances[1] is null; it must be an array of 1"},
        {"{\"instances\":[1e39]}", API_NUMBER_OUT_OF_RANGE,
         "instances[0]: 1e+39 does not fit float32"},
    };
    expect_refusals(&f, rows, ARRAY_SIZE(rows));
    finish(&f);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    static const struct refusal rows[] = {
        {"{}", API_MISSING_FIELD, "\"instances\" is missing"},
        {"{\"instances\":[[1,2,3]],\"more\":1}", API_UNKNOWN_FIELD, "unknown field \"more\""},
        {"{\"instances\":[],\"instances\":[]}", API_DUPLICATE_FIELD,
         "field \"instances\" stands twice"},
        {"{\"instances\":{}}", API_WRONG_TYPE,
         "instances is an object; it must be an array of rows"},
        {"{\"instances\":null}", API_WRONG_TYPE, "instances is null; it must be an array of rows"},
        {"{\"instances\":[]}", API_EMPTY_INPUT, "instances is empty"},
        {"{\"instances\":[1,1,1,1,1,1,1,1,1]}", API_TOO_MANY_ROWS,
         "9 instances; at most 8 in one request"},
        {"{\"instances\":[[1,2,3]],\"signature_name\":1}", API_WRONG_TYPE,
         "signature_name is a number; it must be a string"},
        {"{\"instances\":[[1,2,3]],\"signature_name\":\"other\"}", API_INVALID_PARAMETER,
         "the only signature_name is \"serving_default\""},
        {"{\"instances\":[[1,2,3],[1,2]]}", API_INVALID_SHAPE,
         "instances[1] has 2 elements; it must have 3"},
        {"{\"instances\":[[1,2,3,4]]}", API_INVALID_SHAPE,
         "instances[0] has 4 elements; it must have 3"},
        {"{\"instances\":[[]]}", API_INVALID_SHAPE, "instances[0] has 0 elements; it must have 3"},
        {"{\"instances\":[1]}", API_INVALID_SHAPE,
         "instances[0] is a number; it must be an array of 3"},
        {"{\"instances\":[[1,2,3],\"a\"]}", API_INVALID_SHAPE,
         "instances[1] is a string; it must be an array of 3"},
        {"{\"instances\":[[1,2,3],[1,null,3]]}", API_WRONG_TYPE,
         "instances[1][1] is null; it must be a number"},
        {"{\"instances\":[[1,2,\"3\"]]}", API_WRONG_TYPE,
         "instances[0][2] is a string; it must be a number"},
        {"{\"instances\":[[true,2,3]]}", API_WRONG_TYPE,
         "instances[0][0] is a boolean; it must be a number"},
        {"{\"instances\":[[1,[2],3]]}", API_WRONG_TYPE,
         "instances[0][1] is an array; it must be a number"},
        {"{\"instances\":[{}]}", API_MISSING_FIELD, "instances[0] lacks \"x\""},
        {"{\"instances\":[{\"y\":[1,2,3]}]}", API_UNKNOWN_FIELD, "unknown field \"y\""},
        {"{\"instances\":[{\"x\":{\"x\":1}}]}", API_INVALID_SHAPE,
         "instances[0] is an object; it must be an array of 3"},
        {"{\"instances\":[[1,2,3.5e38]]}", API_NUMBER_OUT_OF_RANGE,
         "instances[0][2]: 3.5e+38 does not fit float32"},
        {"{\"instances\":[[1,2,-3.5e38]]}", API_NUMBER_OUT_OF_RANGE,
         "instances[0][2]: -3.5e+38 does not fit float32"},
        {"{\"instances\":[[1,2,3e999]]}", API_NUMBER_OUT_OF_RANGE,
         "the body is not valid JSON: number is infinity when parsed as double at byte 19"},
    };
    (void)state;
    struct fixture f;
    setup(&f, "N 3", 2, NULL);
    expect_refusals(&f, rows, ARRAY_SIZE(rows));
    finish(&f);
}

static void nested_rows_are_refused_with_the_path(void **state)
{
    static const struct refusal rows[] = {
        {"{\"instances\":[[[1,2],[3,4],[5,6]],[[1,2],[3],[5,6]]]}", API_INVALID_SHAPE,
         "instances[1][1] has 1 elements; it must have 2"},
        {"{\"instances\":[[[1,2],[3,4]]]}", API_INVALID_SHAPE,
         "instances[0] has 2 elements; it must have 3"},
        {"{\"instances\":[[[1,2],[3,4],[5,null]]]}", API_WRONG_TYPE,
         "instances[0][2][1] is null; it must be a number"},
        {"{\"instances\":[[[1,2],3,[5,6]]]}", API_INVALID_SHAPE,
         "instances[0][1] is a number; it must be an array of 2"},
        {"{\"instances\":[[1,2,3,4,5]]}", API_INVALID_SHAPE,
         "instances[0] has 5 elements; it must have 6"},
        {"{\"instances\":[[1,[2],3,4,5,6]]}", API_WRONG_TYPE,
         "instances[0][1] is an array; it must be a number"},
        {"{\"instances\":[[[1,2],[3,4],[5,[6]]]]}", API_WRONG_TYPE,
         "instances[0][2][1] is an array; it must be a number"},
    };
    (void)state;
    struct fixture f;
    setup(&f, "N 3 2", 1, NULL);
    expect_refusals(&f, rows, ARRAY_SIZE(rows));
    finish(&f);
}

static void the_deepest_shape_has_its_path_told(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "N 1 1 1 1 1 1 2", 1, NULL);
    const struct refusal rows[] = {
        {"{\"instances\":[[[[[[[[1,null]]]]]]]]}", API_WRONG_TYPE,
         "instances[0][0][0][0][0][0][0][1] is null; it must be a number"},
    };
    expect_refusals(&f, rows, 1);
    finish(&f);
}

static void nesting_is_what_is_told_of_a_body_that_nests_too_deep(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, "N 3", 2, NULL);
    const struct refusal rows[] = {
        {"{\"instances\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", API_INVALID_SHAPE,
         "instances[0] has 1 elements; it must have 3"},
        {"{\"instances\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", API_TOO_DEEP,
         "the body nests deeper than 16"},
    };
    expect_refusals(&f, rows, ARRAY_SIZE(rows));
    finish(&f);
}

/* FLT_MAX is 3.40282347e38; what rounds to it fits, what would round to the next does not. */
static void floats_are_taken_up_to_their_largest(void **state)
{
    static const struct {
        const char *number;
        float value;
    } rows[] = {
        {"3.4028234e38", 3.4028234e38f},
        {"3.4028235e38", FLT_MAX},
        {"-3.4028235e38", -FLT_MAX},
        {"3.40282356e38", FLT_MAX},
        {"340282346638528859811704183484516925440", FLT_MAX},
        {"1e-45", 1.40129846e-45f},
        {"1e-46", 0.0f},
        {"1e-400", 0.0f},
        {"-0.0", -0.0f},
        {"-0", -0.0f},
        /* By way of float64 these would be rounded twice. */
        {"1.00000017881393432617187499", 1.00000011920928955078125f},
        {"16777217.0000000001", 16777218.0f},
        {"3.4028235677973366163e38", FLT_MAX},
        {"0", 0.0f},
        {"16777217", 16777216.0f},
        {"18446744073709551615", 18446744073709551616.0f},
        {"-9223372036854775808", -9223372036854775808.0f},
        {"0.1", 0.1f},
    };
    static const char *const refused[] = {"3.4028236e38", "3.5e38", "-3.5e38", "1e308"};
    (void)state;
    struct fixture f;
    char body[128];
    setup(&f, "N 1", 1, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        snprintf(body, sizeof body, "{\"instances\":[[%s]]}", rows[i].number);
        expect_input(&f, body, 1, &rows[i].value);
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        snprintf(body, sizeof body, "{\"instances\":[[%s]]}", refused[i]);
        if (decode(&f, body))
            fail_msg("%s was taken", refused[i]);
        assert_int_equal(f.error.id, API_NUMBER_OUT_OF_RANGE);
    }
    finish(&f);
}

static void an_infinite_number_is_found_wherever_it_stands(void **state)
{
    static const char *const dims[] = {"N 4", "N 5"};
    (void)state;
    for (size_t model = 0; model < ARRAY_SIZE(dims); model++) {
        struct fixture f;
        setup(&f, dims[model], 1, NULL);
        for (size_t at = 0; at < 4 + model; at++) {
            char body[128] = "{\"instances\":[[", path[64];
            for (size_t i = 0; i < 4 + model; i++)
                strcat(strcat(body, i > 0 ? "," : ""), i == at ? "-1e39" : "3.4028235e38");
            strcat(body, "]]}");
            snprintf(path, sizeof path, "instances[0][%zu]: -1e+39 does not fit float32", at);
            assert_false(decode(&f, body));
            assert_string_equal(f.error.text, path);
        }
        finish(&f);
    }
}

/* The numbers and the outputs of whole rows: half a body of numbers can be there, no more. */
static void memory_is_bounded_by_the_body(void **state)
{
    static const char *const elements[] = {",", "1,", "0.1234,", "[],", "\",,,\","};
    (void)state;
    struct fixture f;
    setup(&f, "N 784", 10, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
        job_recycle(&f.pool, f.job);
        job_pool_deinit(&f.pool);
        f.job = job_take(&f.pool);
        buffer_reset(&f.body, MIB);
        buffer_append_str(&f.body, "{\"instances\":[[");
        while (f.body.bytes < 4 * 784)
            buffer_append_str(&f.body, elements[i]);
        buffer_append_str(&f.body, "1]]}");
        f.error = (struct api_error){0};
        (void)predict_decode(&f.reader, f.model, INSTANCES_MAX, &f.body, f.job, &f.error);
        assert_in_range(f.job->_memory_bytes, 1, 2 * f.body.bytes + 10 * sizeof(float) * 3 + 128);
    }
    finish(&f);
}

static void expect_answer(struct fixture *f, const char *expected)
{
    buffer_reset(&f->answer, 0);
    predict_encode(f->model, f->job, &f->answer);
    buffer_append(&f->answer, "", 1);
    assert_false(f->answer.failed);
    assert_string_equal(f->answer.data, expected);
}

static void outputs_are_rows_of_shortest_numbers(void **state)
{
    static const float outputs[] = {0.1f, -0.0f, 1e30f, NAN, INFINITY, -INFINITY};
    (void)state;
    struct fixture f;
    setup(&f, "N 2", 3, NULL);
    assert_true(decode(&f, "{\"instances\":[[1,2],[3,4]]}"));
    memcpy(f.job->out_f32, outputs, sizeof outputs);
    expect_answer(&f, "{\"predictions\":[[0.1,-0,1e30],[null,null,null]]}\n");
    finish(&f);
}

static void decimals_are_as_many_as_were_asked_for(void **state)
{
    static const float outputs[] = {0.125f, -0.001f, 16777216.0f, NAN, 1e30f, 0.1f};
    static const struct refusal rows[] = {
        {"{\"instances\":[[1,2]],\"decimals\":10}", API_INVALID_PARAMETER,
         "decimals is 10; it must be a whole number from 0 to 9"},
        {"{\"instances\":[[1,2]],\"decimals\":-1}", API_INVALID_PARAMETER,
         "decimals is -1; it must be a whole number from 0 to 9"},
        {"{\"instances\":[[1,2]],\"decimals\":1.5}", API_INVALID_PARAMETER,
         "decimals is 1.5; it must be a whole number from 0 to 9"},
        {"{\"instances\":[[1,2]],\"decimals\":\"2\"}", API_WRONG_TYPE,
         "decimals is a string; it must be a whole number"},
        {"{\"instances\":[[1,2]],\"decimals\":null}", API_WRONG_TYPE,
         "decimals is null; it must be a whole number"},
    };
    (void)state;
    struct fixture f;
    setup(&f, "N 2", 3, NULL);
    assert_true(decode(&f, "{\"decimals\":2,\"instances\":[[1,2],[3,4]]}"));
    memcpy(f.job->out_f32, outputs, sizeof outputs);
    expect_answer(&f, "{\"predictions\":[[0.12,0,16777216],[null,1e30,0.1]]}\n");
    assert_true(decode(&f, "{\"instances\":[[1,2],[3,4]],\"decimals\":0}"));
    memcpy(f.job->out_f32, outputs, sizeof outputs);
    expect_answer(&f, "{\"predictions\":[[0,0,16777216],[null,1e30,0]]}\n");
    assert_true(decode(&f, "{\"instances\":[[1,2],[3,4]]}"));
    memcpy(f.job->out_f32, outputs, sizeof outputs);
    expect_answer(&f, "{\"predictions\":[[0.125,-0.001,16777216],[null,1e30,0.1]]}\n");
    expect_refusals(&f, rows, ARRAY_SIZE(rows));
    finish(&f);
}

static void labels_name_the_largest_output_of_each_row(void **state)
{
    static const float outputs[] = {1, 3, 2, 5, 5, 5, NAN, 1, 2};
    (void)state;
    struct fixture f;
    setup(&f, "N 2", 3, "{\"labels\":[\"a\",\"b \\\"q\\\"\",\"c\"]}");
    assert_true(decode(&f, "{\"instances\":[[1,2],[3,4],[5,6]]}"));
    memcpy(f.job->out_f32, outputs, sizeof outputs);
    expect_answer(&f, "{\"predictions\":[[1,3,2],[5,5,5],[null,1,2]],"
                      "\"labels\":[\"b \\\"q\\\"\",\"a\",\"a\"]}\n");
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_may_be_flat_or_objects),
        cmocka_unit_test(rows_may_be_nested_as_the_shape_says),
        cmocka_unit_test(a_model_with_one_input_takes_bare_numbers),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(nested_rows_are_refused_with_the_path),
        cmocka_unit_test(the_deepest_shape_has_its_path_told),
        cmocka_unit_test(nesting_is_what_is_told_of_a_body_that_nests_too_deep),
        cmocka_unit_test(floats_are_taken_up_to_their_largest),
        cmocka_unit_test(an_infinite_number_is_found_wherever_it_stands),
        cmocka_unit_test(memory_is_bounded_by_the_body),
        cmocka_unit_test(outputs_are_rows_of_shortest_numbers),
        cmocka_unit_test(decimals_are_as_many_as_were_asked_for),
        cmocka_unit_test(labels_name_the_largest_output_of_each_row),
    };
    return cmocka_run_group_tests_name("predict_codec", tests, NULL, NULL);
}
