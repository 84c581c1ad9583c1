/*
 * test_thresholds.c - --fail-if: what is understood, what is refused, what fails.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "thresholds.h"

struct parsed {
    const char *text;
    enum threshold_figure figure;
    double quantile;
    enum threshold_op op;
    double value;
};

static void what_people_write_is_understood(void **state)
{
    (void)state;
    static const struct parsed cases[] = {
        {"p99>5ms", THRESHOLD_QUANTILE, 0.99, THRESHOLD_ABOVE, 5e6},
        {"p99.9 >= 250us", THRESHOLD_QUANTILE, 0.999, THRESHOLD_AT_LEAST, 250e3},
        {" p50<1.5s ", THRESHOLD_QUANTILE, 0.5, THRESHOLD_BELOW, 1.5e9},
        {"mean > 2 ms", THRESHOLD_MEAN, 0, THRESHOLD_ABOVE, 2e6},
        {"errors>1%", THRESHOLD_ERRORS, 0, THRESHOLD_ABOVE, 0.01},
        {"errors>0.02", THRESHOLD_ERRORS, 0, THRESHOLD_ABOVE, 0.02},
        {"goodput<=4.5k", THRESHOLD_GOODPUT, 0, THRESHOLD_AT_MOST, 4500},
        {"throughput<1000/s", THRESHOLD_THROUGHPUT, 0, THRESHOLD_BELOW, 1000},
        {"lost>0", THRESHOLD_LOST, 0, THRESHOLD_ABOVE, 0},
        {"cpu>90%", THRESHOLD_CPU, 0, THRESHOLD_ABOVE, 0.9},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct threshold t;
        struct load_error error = {0};
        if (!threshold_parse(cases[i].text, &t, &error))
            fail_msg("%s", error.text);
        assert_string_equal(t.text, cases[i].text);
        assert_int_equal(t.figure, cases[i].figure);
        assert_int_equal(t.op, cases[i].op);
        assert_true(fabs(t.quantile - cases[i].quantile) < 1e-12);
        assert_true(fabs(t.value - cases[i].value) <= 1e-12 * cases[i].value);
    }
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",           "p99",         "p99=5ms",   "p99>",     "p99>5",    "p99>5 parsecs",
        "p100>5ms",   "p>5ms",       "pp>5ms",    "p99x>5ms", "p0x1>5ms", "p1e1>5ms",
        ">5ms",       "errors>101%", "p99>-1ms",  "lost>1ms", "speed>1",  "p99>>5ms",
        "errors>nan", "goodput<inf", "p99>0x5ms",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct threshold t = {.text = "untouched"};
        struct load_error error = {0};
        if (threshold_parse(cases[i], &t, &error))
            fail_msg("\"%s\" was taken", cases[i]);
        assert_string_equal(t.text, "untouched");
        assert_true(error.text[0] != '\0');
    }
}

static bool crosses(const char *text, const struct summary *summary, double *actual)
{
    struct threshold t;
    struct load_error error;
    assert_true(threshold_parse(text, &t, &error));
    return threshold_is_crossed(&t, summary, actual);
}

static void assert_crossed(const char *text, const struct summary *summary, bool expected)
{
    double actual;
    if (crosses(text, summary, &actual) != expected)
        fail_msg("%s: %g was %s", text, actual, expected ? "let through" : "failed");
}

static struct load_result *hundred_answers(void)
{
    struct load_result *result = calloc(1, sizeof *result);
    assert_non_null(result);
    recorder_reset(&result->measured);
    for (uint64_t i = 1; i <= 100; i++)
        histogram_record(&result->measured.latency, i * NS_PER_MS);
    result->measured.due = 110;
    result->measured.ok = 100;
    result->measured.ok_within_slo = 50;
    result->measured.lost = 4;
    result->measured.abandoned = 6;
    result->ok_came = 100;
    result->seconds = 2;
    return result;
}

static void a_run_fails_by_what_it_crosses(void **state)
{
    (void)state;
    struct load_result *result = hundred_answers();
    const struct load_config config = {.slo_ns = 1};
    struct summary summary;
    summary_make(&config, result, &summary);
    assert_crossed("p99>95ms", &summary, true);
    assert_crossed("p99>105ms", &summary, false);
    assert_crossed("max>=100ms", &summary, true);
    assert_crossed("max>100ms", &summary, false);
    assert_crossed("min<1ms", &summary, false);
    assert_crossed("min<=1ms", &summary, true);
    assert_crossed("throughput<50", &summary, false);
    assert_crossed("throughput<51", &summary, true);
    assert_crossed("goodput<25.1", &summary, true);
    assert_crossed("goodput<25", &summary, false);
    assert_crossed("failed>3", &summary, true);
    assert_crossed("failed>4", &summary, false);
    assert_crossed("errors>3%", &summary, true);
    assert_crossed("errors>4%", &summary, false);
    free(result);
}

static void no_answer_is_no_success(void **state)
{
    (void)state;
    struct load_result *result = calloc(1, sizeof *result);
    const struct load_config config = {0};
    struct summary summary;
    recorder_reset(&result->measured);
    summary_make(&config, result, &summary);
    assert_crossed("p99>1s", &summary, true);
    assert_crossed("mean>1s", &summary, true);
    assert_crossed("lost>0", &summary, false);
    free(result);
}

static void an_invalid_request_that_is_refused_is_no_failure(void **state)
{
    (void)state;
    struct load_result *result = hundred_answers();
    const struct load_config config = {0};
    struct summary summary;
    result->measured.due += 10;
    result->measured.invalid = 10;
    result->measured.invalid_refused = 9; /* the tenth was let through, or broke the server */
    summary_make(&config, result, &summary);
    assert_int_equal(summary.failed, 5);
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_is_understood),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_run_fails_by_what_it_crosses),
        cmocka_unit_test(no_answer_is_no_success),
        cmocka_unit_test(an_invalid_request_that_is_refused_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
