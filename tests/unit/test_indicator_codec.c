#include "indicators.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"

static const struct indicator_limits limits = {.series_max = 4, .points_max = 4000};

struct fixture {
    struct json_reader reader;
    struct job_pool pool;
    struct job *job;
    struct buffer body;
    struct buffer answer;
    struct api_error error;
};

static void setup(struct fixture *f)
{
    const struct json_limits json_limits = {.depth_max = 16, .number_bytes_max = 512};
    *f = (struct fixture){0};
    json_reader_init(&f->reader, &json_limits);
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
}

static bool decode_body(struct fixture *f)
{
    f->error = (struct api_error){0};
    bool ok = indicator_decode(&f->reader, &limits, &f->body, f->job, &f->error);
    json_reader_release(&f->reader);
    return ok;
}

static bool decode(struct fixture *f, const char *body)
{
    job_recycle(&f->pool, f->job);
    f->job = job_take(&f->pool);
    buffer_reset(&f->body, 0);
    buffer_append_str(&f->body, body);
    return decode_body(f);
}

static void expect_answer(struct fixture *f, enum compute_kind kind, const char *expected)
{
    buffer_reset(&f->answer, 0);
    indicator_encode(kind, f->job, &f->answer);
    buffer_append(&f->answer, "", 1);
    assert_false(f->answer.failed);
    assert_string_equal(f->answer.data, expected);
}

static void prices_become_one_series(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(decode(&f, "{\"prices\":[1,-2.5,18446744073709551615,1e300,0.1],\"period\":2}"));
    assert_int_equal(f.job->base.rows, 1);
    assert_int_equal(f.job->period, 2);
    assert_false(f.job->is_series);
    assert_int_equal(f.job->offsets[0], 0);
    assert_int_equal(f.job->offsets[1], 5);
    static const double expected[] = {1, -2.5, 18446744073709551615.0, 1e300, 0.1};
    assert_memory_equal(f.job->in_f64, expected, sizeof expected);
    finish(&f);
}

static void several_series_lie_one_behind_the_other(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(decode(&f, "{\"period\":2,\"series\":[[1,2],[3,4,5],[6,7]]}"));
    static const size_t offsets[] = {0, 2, 5, 7};
    static const double expected[] = {1, 2, 3, 4, 5, 6, 7};
    assert_int_equal(f.job->base.rows, 3);
    assert_true(f.job->is_series);
    assert_memory_equal(f.job->offsets, offsets, sizeof offsets);
    assert_memory_equal(f.job->in_f64, expected, sizeof expected);
    finish(&f);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    static const struct {
        const char *body;
        enum api_error_id id;
        const char *text;
    } rows[] = {
        {"{\"period\":2}", API_MISSING_FIELD,
         "exactly one of \"prices\" and \"series\" must be there"},
        {"{\"prices\":[1],\"series\":[[1]],\"period\":1}", API_INVALID_PARAMETER,
         "exactly one of \"prices\" and \"series\" must be there"},
        {"{\"prices\":[1]}", API_MISSING_FIELD, "\"period\" is missing"},
        {"{\"prices\":[1],\"period\":1,\"x\":1}", API_UNKNOWN_FIELD, "unknown field \"x\""},
        {"{\"prices\":[1],\"period\":1,\"period\":1}", API_DUPLICATE_FIELD,
         "field \"period\" stands twice"},
        {"{\"prices\":[1],\"period\":0}", API_INVALID_PARAMETER,
         "period is 0; it must be a whole number >= 1"},
        {"{\"prices\":[1],\"period\":-3}", API_INVALID_PARAMETER,
         "period is -3; it must be a whole number >= 1"},
        {"{\"prices\":[1],\"period\":1.5}", API_INVALID_PARAMETER,
         "period is 1.5; it must be a whole number >= 1"},
        {"{\"prices\":[1],\"period\":\"1\"}", API_WRONG_TYPE,
         "period is a string; it must be a whole number"},
        {"{\"prices\":[1,2],\"period\":3}", API_INVALID_PARAMETER,
         "period is 3, but prices has only 2 numbers"},
        {"{\"prices\":[],\"period\":1}", API_EMPTY_INPUT, "prices is empty"},
        {"{\"prices\":1,\"period\":1}", API_WRONG_TYPE,
         "prices is a number; it must be an array of numbers"},
        {"{\"prices\":null,\"period\":1}", API_WRONG_TYPE,
         "prices is null; it must be an array of numbers"},
        {"{\"prices\":[1,null],\"period\":1}", API_WRONG_TYPE,
         "prices[1] is null; it must be a number"},
        {"{\"prices\":[[1]],\"period\":1}", API_WRONG_TYPE,
         "prices[0] is an array; it must be a number"},
        {"{\"series\":[],\"period\":1}", API_EMPTY_INPUT, "series is empty"},
        {"{\"series\":{},\"period\":1}", API_WRONG_TYPE,
         "series is an object; it must be an array of arrays"},
        {"{\"series\":[[1],[]],\"period\":1}", API_EMPTY_INPUT, "series[1] is empty"},
        {"{\"series\":[[1],2],\"period\":1}", API_WRONG_TYPE,
         "series[1] is a number; it must be an array of numbers"},
        {"{\"series\":[[1,2],[1]],\"period\":2}", API_INVALID_PARAMETER,
         "period is 2, but series[1] has only 1 numbers"},
        {"{\"series\":[[1],[1,\"2\"]],\"period\":1}", API_WRONG_TYPE,
         "series[1][1] is a string; it must be a number"},
        {"{\"series\":[[1],[1],[1],[1],[1]],\"period\":1}", API_TOO_MANY_ROWS,
         "5 series; at most 4 in one request"},
        {"{\"prices\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],\"period\":1}", API_TOO_DEEP,
         "the body nests deeper than 16"},
    };
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (decode(&f, rows[i].body))
            fail_msg("%s was decoded", rows[i].body);
        if (f.error.id != rows[i].id)
            print_error("%s: %s\n", rows[i].body, f.error.text);
        assert_string_equal(api_error_code(f.error.id), api_error_code(rows[i].id));
        assert_string_equal(f.error.text, rows[i].text);
    }
    finish(&f);
}

/* So many ones, in a plain array or as two series. */
static bool decode_ones(struct fixture *f, size_t points, bool as_series)
{
    job_recycle(&f->pool, f->job);
    f->job = job_take(&f->pool);
    buffer_reset(&f->body, 32 * MIB);
    buffer_append_str(&f->body, as_series ? "{\"series\":[[1],[" : "{\"prices\":[");
    for (size_t i = as_series; i < points; i++)
        buffer_append_str(&f->body, i > as_series ? ",1" : "1");
    buffer_append_str(&f->body, as_series ? "]],\"period\":1}" : "],\"period\":1}");
    return decode_body(f);
}

static void points_of_all_series_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (int as_series = 0; as_series < 2; as_series++) {
        assert_true(decode_ones(&f, limits.points_max, as_series));
        assert_false(decode_ones(&f, limits.points_max + 1, as_series));
        assert_int_equal(f.error.id, API_TOO_MANY_POINTS);
        assert_string_equal(f.error.text, "4001 prices; at most 4000 in one request");
    }
    finish(&f);
}

/* Else loads would be taken for aliases of the stores before them, see indicators.c. */
static void inputs_and_outputs_are_half_a_page_apart(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t points = 2; points <= limits.points_max; points += points < 600 ? 1 : 97) {
        assert_true(decode_ones(&f, points, points % 2 == 0));
        uintptr_t in = (uintptr_t)f.job->in_f64, out = (uintptr_t)f.job->out_f64;
        assert_in_range((out - in) % 4096, 1024, 3968);
        assert_true(out >= in + points * sizeof(double));
        assert_int_equal(in % 64, 0);
        assert_int_equal(out % 64, 0);
        assert_true((uintptr_t)(f.job->offsets + f.job->base.rows + 1) <= in);
        memset(f.job->out_f64, 0, points * sizeof(double)); /* a sanitizer looks on */
    }
    finish(&f);
}

/* Input and output are 16 bytes for each number, which has two bytes of text at least; and a series
 * has four. What is not there is not paid for. */
static void memory_is_bounded_by_the_body(void **state)
{
    static const struct {
        const char *head, *element, *tail;
        size_t times; /* the body */
    } rows[] = {
        {"{\"period\":2,\"prices\":[", "1,", "1]}", 8},
        {"{\"period\":2,\"prices\":[", ",", "]}", 8},
        {"{\"period\":2,\"prices\":[", "12.50,", "1]}", 3},
        {"{\"period\":2,\"prices\":[", "101.25,", "1]}", 3},
        {"{\"period\":2,\"prices\":[", "[],", "1]}", 8},
        {"{\"period\":1,\"series\":[", "[1],", "[1]]}", 6},
        {"{\"period\":1,\"series\":[", "[123.25],", "[1]]}", 3},
    };
    static const struct indicator_limits wide = {.series_max = 65536, .points_max = 1 << 20};
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        job_recycle(&f.pool, f.job);
        job_pool_deinit(&f.pool);
        f.job = job_take(&f.pool);
        buffer_reset(&f.body, MIB);
        buffer_append_str(&f.body, rows[i].head);
        while (f.body.bytes < MIB)
            buffer_append_str(&f.body, rows[i].element);
        buffer_append_str(&f.body, rows[i].tail);
        f.error = (struct api_error){0};
        (void)indicator_decode(&f.reader, &wide, &f.body, f.job, &f.error);
        size_t offsets_bytes = (wide.series_max + 1) * sizeof(size_t);
        size_t most = rows[i].times * f.body.bytes + 8 * KIB;
        most += strstr(rows[i].head, "prices") != NULL ? offsets_bytes : 0;
        if (f.job->_memory_bytes > most)
            fail_msg("%s...: %zu bytes, at most %zu", rows[i].element, f.job->_memory_bytes, most);
    }
    finish(&f);
}

static void the_warm_up_is_null(void **state)
{
    static const double outputs[] = {NAN, NAN, 2, 0.1, 1e300, -0.0, INFINITY};
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(decode(&f, "{\"prices\":[1,2,3,4,5,6,7],\"period\":3}"));
    memcpy(f.job->out_f64, outputs, sizeof outputs);
    expect_answer(&f, COMPUTE_SMA,
                  "{\"indicator\":\"sma\",\"period\":3,"
                  "\"values\":[null,null,2,0.1,1e300,-0,null]}\n");
    expect_answer(&f, COMPUTE_EMA,
                  "{\"indicator\":\"ema\",\"period\":3,"
                  "\"values\":[null,null,2,0.1,1e300,-0,null]}\n");
    finish(&f);
}

static void decimals_are_as_many_as_were_asked_for(void **state)
{
    static const double outputs[] = {NAN, 101.0666, 2};
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(decode(&f, "{\"prices\":[1,2,3],\"period\":2,\"decimals\":2}"));
    memcpy(f.job->out_f64, outputs, sizeof outputs);
    expect_answer(&f, COMPUTE_SMA,
                  "{\"indicator\":\"sma\",\"period\":2,\"values\":[null,101.07,2]}\n");
    assert_false(decode(&f, "{\"prices\":[1,2,3],\"period\":2,\"decimals\":99}"));
    assert_string_equal(f.error.text, "decimals is 99; it must be a whole number from 0 to 9");
    finish(&f);
}

static void series_are_answered_as_series_even_one(void **state)
{
    static const double outputs[] = {NAN, 1, NAN, 2, 3};
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(decode(&f, "{\"series\":[[1,2],[1,2,3]],\"period\":2}"));
    memcpy(f.job->out_f64, outputs, sizeof outputs);
    expect_answer(&f, COMPUTE_RSI,
                  "{\"indicator\":\"rsi\",\"period\":2,\"values\":[[null,1],[null,2,3]]}\n");
    assert_true(decode(&f, "{\"series\":[[1,2]],\"period\":1}"));
    memcpy(f.job->out_f64, outputs, sizeof outputs);
    expect_answer(&f, COMPUTE_SMA, "{\"indicator\":\"sma\",\"period\":1,\"values\":[[null,1]]}\n");
    finish(&f);
}

/* Values are written 256 at a time. */
static void long_answers_have_every_value(void **state)
{
    static const size_t lengths[] = {1, 255, 256, 257, 511, 512, 513, 4000};
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
        assert_true(decode_ones(&f, lengths[k], false));
        for (size_t i = 0; i < lengths[k]; i++)
            f.job->out_f64[i] = (double)i;
        buffer_reset(&f.answer, 0);
        indicator_encode(COMPUTE_SMA, f.job, &f.answer);
        buffer_append(&f.answer, "", 1);
        const char *at = strchr(f.answer.data, '[');
        for (size_t i = 0; i < lengths[k]; i++) {
            char *end;
            assert_int_equal(strtoul(at + 1, &end, 10), i);
            assert_int_equal(*end, i + 1 < lengths[k] ? ',' : ']');
            at = end;
        }
        assert_string_equal(at, "]}\n");
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prices_become_one_series),
        cmocka_unit_test(several_series_lie_one_behind_the_other),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(points_of_all_series_are_bounded),
        cmocka_unit_test(inputs_and_outputs_are_half_a_page_apart),
        cmocka_unit_test(memory_is_bounded_by_the_body),
        cmocka_unit_test(the_warm_up_is_null),
        cmocka_unit_test(decimals_are_as_many_as_were_asked_for),
        cmocka_unit_test(series_are_answered_as_series_even_one),
        cmocka_unit_test(long_answers_have_every_value),
    };
    return cmocka_run_group_tests_name("indicator_codec", tests, NULL, NULL);
}
