/*
 * test_workload.c - the bytes that are sent, and the choice among them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "workload.h"
#include "workload_prepare.h"

static struct workload_spec digits(void)
{
    return (struct workload_spec){
        .kinds = {{.what = WORKLOAD_MODEL, .name = "digits", .weight = 1, .row_elements = 64}},
        .kind_count = 1,
        .rows = 1,
        .points = 10,
        .period = 3,
        .host = "localhost:1",
        .seed = 1,
    };
}

static struct workload *create(const struct workload_spec *spec)
{
    struct workload *w = NULL;
    struct load_error error = {0};
    if (!workload_create(spec, &w, &error))
        fail_msg("%s", error.text);
    return w;
}

static void a_given_body_is_sent_behind_its_head(void **state)
{
    (void)state;
    char body[] = "{\"instances\":[[1]]}";
    char *texts[] = {body};
    struct workload_spec spec = digits();
    spec.kinds[0].bodies = (struct workload_bodies){.texts = texts, .count = 1};
    spec.timeout_ms = 250;
    spec.priority = "batch";
    spec.tenant = "acme";
    static const char expected[] = "POST /v1/models/digits:predict HTTP/1.1\r\n"
                                   "Host: localhost:1\r\n"
                                   "Content-Type: application/json\r\n"
                                   "Content-Length: 19\r\n"
                                   "X-Request-Timeout-Ms: 250\r\n"
                                   "X-Priority: batch\r\n"
                                   "X-Tenant: acme\r\n"
                                   "\r\n"
                                   "{\"instances\":[[1]]}";
    struct workload *w = create(&spec);
    bool abandoned;
    const struct workload_request *request = workload_pick(w, &abandoned);
    assert_int_equal(request->bytes, sizeof expected - 1);
    assert_memory_equal(request->data, expected, sizeof expected - 1);
    assert_false(abandoned);
    workload_destroy(w);
}

static size_t count_char(const struct workload_request *request, char wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < request->bytes; i++)
        count += request->data[i] == wanted;
    return count;
}

static const char *body_of(const struct workload_request *request)
{
    const char *at = memmem(request->data, request->bytes, "\r\n\r\n", 4);
    assert_non_null(at);
    return at + 4;
}

static void assert_length_is_told(const struct workload_request *request)
{
    static const char name[] = "Content-Length: ";
    const char *at = memmem(request->data, request->bytes, name, sizeof name - 1);
    assert_non_null(at);
    const size_t told = strtoul(at + sizeof name - 1, NULL, 10);
    assert_int_equal(told, request->data + request->bytes - body_of(request));
}

static void a_generated_prediction_has_the_shape_of_the_model(void **state)
{
    (void)state;
    struct workload_spec spec = digits();
    spec.rows = 3;
    struct workload *w = create(&spec);
    bool abandoned;
    const struct workload_request *request = workload_pick(w, &abandoned);
    assert_length_is_told(request);
    assert_memory_equal(body_of(request), "{\"instances\":[[0.", 17);
    assert_int_equal(count_char(request, ','), 3 * 63 + 2);
    assert_int_equal(count_char(request, '['), 4);
    assert_int_equal(count_char(request, ']'), 4);
    workload_destroy(w);
}

static void an_indicator_gets_a_series_and_a_period(void **state)
{
    (void)state;
    struct workload_spec spec = digits();
    spec.kinds[0] = (struct workload_kind){.what = WORKLOAD_INDICATOR, .name = "rsi", .weight = 1};
    struct workload *w = create(&spec);
    bool abandoned;
    const struct workload_request *request = workload_pick(w, &abandoned);
    assert_length_is_told(request);
    assert_memory_equal(request->data, "POST /v1/indicators/rsi HTTP/1.1\r\n", 34);
    assert_int_equal(count_char(request, ','), 10);
    assert_memory_equal(request->data + request->bytes - 13, "],\"period\":3}", 13);
    workload_destroy(w);
}

static void a_get_is_a_path_and_no_body(void **state)
{
    (void)state;
    static const char expected[] =
        "GET /health HTTP/1.1\r\nHost: localhost:1\r\nX-Tenant: acme\r\n\r\n";
    struct workload_spec spec = digits();
    spec.kinds[0] = (struct workload_kind){.what = WORKLOAD_GET, .name = "/health", .weight = 1};
    spec.tenant = "acme";
    struct workload *w = create(&spec);
    bool abandoned;
    const struct workload_request *request = workload_pick(w, &abandoned);
    assert_int_equal(request->bytes, sizeof expected - 1);
    assert_memory_equal(request->data, expected, sizeof expected - 1);
    workload_destroy(w);
}

static void the_seed_decides_what_is_sent(void **state)
{
    (void)state;
    struct workload_spec spec = digits();
    struct workload *one = create(&spec), *same = create(&spec);
    spec.seed = 2;
    struct workload *other = create(&spec);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        bool abandoned;
        const struct workload_request *request = workload_pick(one, &abandoned);
        const struct workload_request *again = workload_pick(same, &abandoned);
        assert_int_equal(request->bytes, again->bytes);
        assert_memory_equal(request->data, again->data, request->bytes);
        differs |=
            memcmp(request->data, workload_pick(other, &abandoned)->data, request->bytes) != 0;
    }
    assert_true(differs);
    workload_destroy(one);
    workload_destroy(same);
    workload_destroy(other);
}

static void assert_share(const char *what, size_t count, size_t of, double expected)
{
    const double deviation = sqrt(expected * (1 - expected) / (double)of);
    const double share = (double)count / (double)of;
    if (fabs(share - expected) > 5 * deviation)
        fail_msg("%s: %g of %zu, not %g", what, share, of, expected);
}

static void weights_and_shares_are_kept(void **state)
{
    (void)state;
    enum {
        COUNT = 200000
    };
    struct workload_spec spec = digits();
    spec.kinds[0].weight = 7;
    spec.kinds[1] = (struct workload_kind){.what = WORKLOAD_INDICATOR, .name = "sma", .weight = 2};
    spec.kinds[2] = (struct workload_kind){.what = WORKLOAD_INDICATOR, .name = "ema", .weight = 1};
    spec.kind_count = 3;
    spec.invalid_share = 0.05;
    spec.abandoned_share = 0.01;
    struct workload *w = create(&spec);
    size_t kinds[3] = {0}, invalid = 0, abandoned = 0;
    for (int i = 0; i < COUNT; i++) {
        bool leaves;
        const struct workload_request *request = workload_pick(w, &leaves);
        kinds[request->kind]++;
        invalid += request->invalid;
        abandoned += leaves;
    }
    assert_share("digits", kinds[0], COUNT, 0.7);
    assert_share("sma", kinds[1], COUNT, 0.2);
    assert_share("ema", kinds[2], COUNT, 0.1);
    assert_share("invalid", invalid, COUNT, 0.05);
    assert_share("abandoned", abandoned, COUNT, 0.01);
    workload_destroy(w);
}

static void assert_refused(const struct workload_spec *spec, const char *expected)
{
    struct workload *w = NULL;
    struct load_error error = {0};
    assert_false(workload_create(spec, &w, &error));
    assert_null(w);
    if (strstr(error.text, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, expected);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    struct workload_spec spec = digits();
    spec.tenant = "a\r\nX-Evil: 1";
    assert_refused(&spec, "tenant");
    spec = digits();
    spec.period = 11;
    assert_refused(&spec, "period");
    spec = digits();
    spec.kinds[0].row_elements = SIZE_MAX / 2;
    assert_refused(&spec, "too large");
    spec = digits();
    strcpy(spec.kinds[0].name, "two words");
    assert_refused(&spec, "not a name");
    spec = digits();
    spec.kinds[0].what = WORKLOAD_GET;
    assert_refused(&spec, "not a path");
    strcpy(spec.kinds[0].name, "/health");
    spec.invalid_share = 0.5;
    assert_refused(&spec, "no body that could be wrong");
    spec = digits();
    spec.kind_count = 0;
    assert_refused(&spec, "nothing to send");
}

static void the_shape_is_the_product_of_all_but_the_batch(void **state)
{
    (void)state;
    static const char json[] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[-1,3,32,32]}]}";
    size_t elements = 0;
    assert_true(workload_parse_shape(json, sizeof json - 1, &elements));
    assert_int_equal(elements, 3 * 32 * 32);
}

static void a_shape_that_is_not_told_is_not_guessed(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"inputs\":[]}",
        "{\"inputs\":[{\"shape\":[-1,-1]}]}",
        "{\"inputs\":[{\"shape\":[-1,4]},{\"shape\":[-1,4]}]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t elements = 42;
        assert_false(workload_parse_shape(cases[i], strlen(cases[i]), &elements));
        assert_int_equal(elements, 42);
    }
}

static struct workload_bodies read_bodies(const char *text, size_t rows)
{
    char path[] = "/tmp/test_workload_XXXXXX";
    struct workload_bodies bodies = {0};
    struct load_error error = {0};
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const bool ok = workload_read_bodies(path, rows, &bodies, &error);
    unlink(path);
    if (!ok)
        fail_msg("%s", error.text);
    return bodies;
}

static void rows_of_a_file_are_dealt_out(void **state)
{
    (void)state;
    struct workload_bodies bodies =
        read_bodies("{\"instances\": [[1, 2], [3, 4.5],\n [5, 6]]}\n", 2);
    assert_int_equal(bodies.count, 3);
    assert_string_equal(bodies.texts[0], "{\"instances\":[[1,2],[3,4.5]]}");
    assert_string_equal(bodies.texts[1], "{\"instances\":[[3,4.5],[5,6]]}");
    assert_string_equal(bodies.texts[2], "{\"instances\":[[5,6],[1,2]]}");
    workload_bodies_destroy(&bodies);
}

static void lines_of_a_file_are_sent_as_they_are(void **state)
{
    (void)state;
    struct workload_bodies bodies =
        read_bodies("{\"instances\": [[1]]}\n\n{\"instances\": [[2]], \"extra\": 1}\n", 1);
    assert_int_equal(bodies.count, 2);
    assert_string_equal(bodies.texts[0], "{\"instances\": [[1]]}");
    assert_string_equal(bodies.texts[1], "{\"instances\": [[2]], \"extra\": 1}");
    workload_bodies_destroy(&bodies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_given_body_is_sent_behind_its_head),
        cmocka_unit_test(a_generated_prediction_has_the_shape_of_the_model),
        cmocka_unit_test(an_indicator_gets_a_series_and_a_period),
        cmocka_unit_test(a_get_is_a_path_and_no_body),
        cmocka_unit_test(the_seed_decides_what_is_sent),
        cmocka_unit_test(weights_and_shares_are_kept),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(the_shape_is_the_product_of_all_but_the_batch),
        cmocka_unit_test(a_shape_that_is_not_told_is_not_guessed),
        cmocka_unit_test(rows_of_a_file_are_dealt_out),
        cmocka_unit_test(lines_of_a_file_are_sent_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
