#include "routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"

static struct http_slice slice_of(const char *text)
{
    return (struct http_slice){.at = text, .bytes = strlen(text)};
}

static void expect_slice(struct http_slice slice, const char *expected)
{
    if (expected == NULL) {
        assert_null(slice.at);
        return;
    }
    assert_non_null(slice.at);
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)slice.bytes, slice.at);
    assert_string_equal(text, expected);
}

static void fixed_paths_have_their_routes(void **state)
{
    static const struct {
        const char *path;
        enum route_id id;
        enum metrics_route metrics_route;
        const char *allow;
    } rows[] = {
        {"/", ROUTE_PAGE, METRICS_ROUTE_PAGE, "GET, HEAD"},
        {"/health", ROUTE_HEALTH, METRICS_ROUTE_HEALTH, "GET, HEAD"},
        {"/v2/health/live", ROUTE_LIVE, METRICS_ROUTE_LIVE, "GET, HEAD"},
        {"/v2/health/ready", ROUTE_READY, METRICS_ROUTE_READY, "GET, HEAD"},
        {"/metrics", ROUTE_METRICS, METRICS_ROUTE_METRICS, "GET, HEAD"},
        {"/v1/models", ROUTE_MODELS, METRICS_ROUTE_MODELS, "GET, HEAD"},
        {"/v1/indicators/sma", ROUTE_SMA, METRICS_ROUTE_INDICATOR, "POST"},
        {"/v1/indicators/ema", ROUTE_EMA, METRICS_ROUTE_INDICATOR, "POST"},
        {"/v1/indicators/rsi", ROUTE_RSI, METRICS_ROUTE_INDICATOR, "POST"},
        {"/v1/config", ROUTE_CONFIG, METRICS_ROUTE_CONFIG, "GET, HEAD"},
        {"/v1/batching", ROUTE_BATCHING, METRICS_ROUTE_BATCHING, "GET, HEAD"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct route route = route_find(slice_of(rows[i].path));
        assert_int_equal(route.id, rows[i].id);
        assert_int_equal(route.metrics_route, rows[i].metrics_route);
        assert_string_equal(route.allow, rows[i].allow);
        assert_int_equal(route.admin_only,
                         rows[i].id == ROUTE_CONFIG || rows[i].id == ROUTE_BATCHING);
    }
}

static void model_paths_name_a_model_and_perhaps_a_version(void **state)
{
    static const struct {
        const char *path;
        enum route_id id;
        const char *model;
        const char *version;
    } rows[] = {
        {"/v1/models/digits", ROUTE_MODEL, "digits", NULL},
        {"/v1/models/digits:predict", ROUTE_PREDICT, "digits", NULL},
        {"/v1/models/digits/versions/12", ROUTE_MODEL, "digits", "12"},
        {"/v1/models/digits/versions/12:predict", ROUTE_PREDICT, "digits", "12"},
        {"/v1/models/a%2eb:predict", ROUTE_PREDICT, "a%2eb", NULL},
        {"/v1/models/versions", ROUTE_MODEL, "versions", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct route route = route_find(slice_of(rows[i].path));
        assert_int_equal(route.id, rows[i].id);
        expect_slice(route.model, rows[i].model);
        expect_slice(route.version, rows[i].version);
        assert_string_equal(route.allow, rows[i].id == ROUTE_PREDICT ? "POST" : "GET, HEAD");
    }
}

static void batching_paths_name_a_queue(void **state)
{
    static const struct {
        const char *path;
        enum route_id id;
        const char *queue;
        const char *allow;
    } rows[] = {
        {"/v1/batching/digits", ROUTE_QUEUE, "digits", "GET, HEAD, PATCH"},
        {"/v1/batching/digits:1", ROUTE_QUEUE, "digits:1", "GET, HEAD, PATCH"},
        {"/v1/batching/recent", ROUTE_QUEUE, "recent", "GET, HEAD, PATCH"},
        {"/v1/batching/digits/recent", ROUTE_RECENT, "digits", "GET, HEAD"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct route route = route_find(slice_of(rows[i].path));
        assert_int_equal(route.id, rows[i].id);
        assert_true(route.admin_only);
        expect_slice(route.queue, rows[i].queue);
        assert_string_equal(route.allow, rows[i].allow);
        assert_int_equal(route_allows(&route, HTTP_METHOD_PATCH), rows[i].id == ROUTE_QUEUE);
    }
}

static void a_quoted_name_is_decoded(void **state)
{
    static const struct {
        const char *raw;
        const char *name; /* NULL: it is malformed, or too long */
    } rows[] = {
        {"digits", "digits"}, {"a%3A1", "a:1"}, {"a%3a1", "a:1"}, {"", ""},
        {"a%3", NULL},        {"a%", NULL},     {"%zz", NULL},    {"123456789", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char name[8];
        size_t bytes = 0;
        bool ok = route_decode_name(slice_of(rows[i].raw), name, sizeof name, &bytes);
        assert_int_equal(ok, rows[i].name != NULL);
        if (ok)
            expect_slice((struct http_slice){name, bytes}, rows[i].name);
    }
}

static void other_paths_have_none(void **state)
{
    static const char *const paths[] = {
        "//",
        "/healthz",
        "/health/",
        "/Health",
        "/v1",
        "/v1/models/",
        "/v1/models/:predict",
        "/v1/models/a/",
        "/v1/models//versions/1",
        "/v1/models/a/versions",
        "/v1/models/a/versions/",
        "/v1/models/a/versions/:predict",
        "/v1/models/a/versions/1/",
        "/v1/models/a/versions/1/2",
        "/v1/models/a/b/versions/1",
        "/v1/models/a:explain",
        "/v1/models/a:predict:predict",
        "/v1/models/a:predict/versions/1",
        "/v1/indicators",
        "/v1/indicators/macd",
        "/v1/indicators/sma/",
        "/v1/batching/",
        "/v1/batching//recent",
        "/v1/batching/a/",
        "/v1/batching/a/b",
        "/v1/batching/a/recent/",
        "/%68ealth",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct route route = route_find(slice_of(paths[i]));
        if (route.id != ROUTE_NONE)
            fail_msg("%s has route %d", paths[i], (int)route.id);
        assert_int_equal(route.metrics_route, METRICS_ROUTE_OTHER);
    }
}

static void a_route_takes_its_methods_only(void **state)
{
    (void)state;
    struct route health = route_find(slice_of("/health"));
    struct route sma = route_find(slice_of("/v1/indicators/sma"));
    for (enum http_method method = HTTP_METHOD_GET; method <= HTTP_METHOD_OTHER; method++) {
        bool reads = method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD;
        assert_int_equal(route_allows(&health, method), reads);
        assert_int_equal(route_allows(&sma, method), method == HTTP_METHOD_POST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_paths_have_their_routes),
        cmocka_unit_test(model_paths_name_a_model_and_perhaps_a_version),
        cmocka_unit_test(batching_paths_name_a_queue),
        cmocka_unit_test(a_quoted_name_is_decoded),
        cmocka_unit_test(other_paths_have_none),
        cmocka_unit_test(a_route_takes_its_methods_only),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
