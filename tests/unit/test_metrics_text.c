/*
 * test_metrics_text.c - the exposition as text: golden families in both formats,
 * escaping, negotiation, and the judgement of two independent parsers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics.h"
#include "metrics_registry.h"

enum {
    EXPOSITION_BYTES_MAX = 16 << 20
};

static struct metrics *create(const char *const *models, size_t count)
{
    const struct metrics_config config = {.shards = 1, .models = models, .models_count = count};
    struct metrics *m = NULL;
    assert_int_equal(metrics_create(&config, &m), 0);
    return m;
}

static struct metrics *create_digits(void)
{
    static const char *const models[] = {"digits"};
    return create(models, 1);
}

/* The exposition as a string; free() it. */
static char *render(struct metrics *m, enum metrics_format format)
{
    struct buffer out;
    buffer_init(&out, EXPOSITION_BYTES_MAX);
    metrics_render(m, format, &out);
    buffer_append(&out, "", 1);
    assert_false(out.failed);
    return out.data;
}

/* Whether the block, whole lines of it, stands in the exposition. */
static void assert_has(const char *text, const char *block)
{
    const char *at = strstr(text, block);
    if (at == NULL || (at != text && at[-1] != '\n'))
        fail_msg("not there:\n%s\nin:\n%s", block, text);
}

static void assert_renders(struct metrics *m, enum metrics_format format, const char *block)
{
    char *text = render(m, format);
    assert_has(text, block);
    free(text);
}

/* --- Golden families --- */

static void a_counter_loses_total_in_the_head_of_openmetrics_alone(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    struct metrics_shard *shard = metrics_shard(m, 0);
    metrics_add(shard, METRICS_BATCHER_BATCHES_TOTAL,
                metrics_labels(METRICS_BATCHER_BATCHES_TOTAL, 0, METRICS_OUTCOME_SUCCESS,
                               METRICS_PLACE_WORKER),
                12);
    metrics_add(shard, METRICS_COMPUTE_WORKER_BUSY_SECONDS_TOTAL, 0, 1250 * NS_PER_US);
    assert_renders(
        m, METRICS_TEXT,
        "# HELP batcher_batches_total Batches executed, and on what thread.\n"
        "# TYPE batcher_batches_total counter\n"
        "batcher_batches_total{model=\"digits\",status=\"success\",place=\"worker\"} 12\n"
        "batcher_batches_total{model=\"digits\",status=\"success\",place=\"loop\"} 0\n"
        "batcher_batches_total{model=\"digits\",status=\"error\",place=\"worker\"} 0\n"
        "batcher_batches_total{model=\"digits\",status=\"error\",place=\"loop\"} 0\n"
        "# HELP ");
    assert_renders(
        m, METRICS_OPENMETRICS,
        "# HELP batcher_batches Batches executed, and on what thread.\n"
        "# TYPE batcher_batches counter\n"
        "batcher_batches_total{model=\"digits\",status=\"success\",place=\"worker\"} 12\n"
        "batcher_batches_total{model=\"digits\",status=\"success\",place=\"loop\"} 0\n"
        "batcher_batches_total{model=\"digits\",status=\"error\",place=\"worker\"} 0\n"
        "batcher_batches_total{model=\"digits\",status=\"error\",place=\"loop\"} 0\n"
        "# HELP ");
    assert_renders(m, METRICS_TEXT,
                   "# HELP compute_worker_busy_seconds_total Summed busy time of all workers.\n"
                   "# TYPE compute_worker_busy_seconds_total counter\n"
                   "compute_worker_busy_seconds_total 0.00125\n"
                   "# HELP ");
    assert_renders(m, METRICS_OPENMETRICS,
                   "# HELP compute_worker_busy_seconds Summed busy time of all workers.\n"
                   "# TYPE compute_worker_busy_seconds counter\n"
                   "# UNIT compute_worker_busy_seconds seconds\n"
                   "compute_worker_busy_seconds_total 0.00125\n"
                   "# HELP ");
    metrics_destroy(m);
}

static void a_gauge_has_a_unit_only_when_its_name_ends_in_it(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    metrics_set(m, METRICS_BATCHER_QUEUE_SIZE, 0, 3);
    metrics_set(m, METRICS_BATCHER_QUEUE_OLDEST_AGE_SECONDS, 0, 0.0125);
    assert_renders(m, METRICS_OPENMETRICS,
                   "# HELP batcher_queue_size Requests waiting to be batched.\n"
                   "# TYPE batcher_queue_size gauge\n"
                   "batcher_queue_size{model=\"digits\"} 3\n"
                   "# HELP ");
    assert_renders(m, METRICS_OPENMETRICS,
                   "# TYPE batcher_queue_oldest_age_seconds gauge\n"
                   "# UNIT batcher_queue_oldest_age_seconds seconds\n"
                   "batcher_queue_oldest_age_seconds{model=\"digits\"} 0.0125\n"
                   "# HELP ");
    assert_renders(m, METRICS_TEXT,
                   "# TYPE batcher_queue_oldest_age_seconds gauge\n"
                   "batcher_queue_oldest_age_seconds{model=\"digits\"} 0.0125\n"
                   "# HELP ");
    metrics_destroy(m);
}

static void a_histogram_is_the_same_in_both_formats(void **state)
{
    (void)state;
    static const char samples[] = "http_request_size_bytes_bucket{le=\"64.0\"} 1\n"
                                  "http_request_size_bytes_bucket{le=\"256.0\"} 1\n"
                                  "http_request_size_bytes_bucket{le=\"1024.0\"} 1\n"
                                  "http_request_size_bytes_bucket{le=\"4096.0\"} 2\n"
                                  "http_request_size_bytes_bucket{le=\"16384.0\"} 2\n"
                                  "http_request_size_bytes_bucket{le=\"65536.0\"} 2\n"
                                  "http_request_size_bytes_bucket{le=\"262144.0\"} 2\n"
                                  "http_request_size_bytes_bucket{le=\"1.048576e+06\"} 2\n"
                                  "http_request_size_bytes_bucket{le=\"4.194304e+06\"} 2\n"
                                  "http_request_size_bytes_bucket{le=\"1.6777216e+07\"} 2\n"
                                  "http_request_size_bytes_bucket{le=\"+Inf\"} 3\n"
                                  "http_request_size_bytes_sum 20001064\n"
                                  "http_request_size_bytes_count 3\n"
                                  "# HELP ";
    struct metrics *m = create_digits();
    struct metrics_shard *shard = metrics_shard(m, 0);
    metrics_observe(shard, METRICS_HTTP_REQUEST_SIZE_BYTES, 0, 64);
    metrics_observe(shard, METRICS_HTTP_REQUEST_SIZE_BYTES, 0, 1000 + 2000);
    metrics_observe(shard, METRICS_HTTP_REQUEST_SIZE_BYTES, 0, 19998000);
    assert_renders(m, METRICS_TEXT, samples);
    assert_renders(m, METRICS_OPENMETRICS, samples);
    assert_renders(m, METRICS_TEXT,
                   "# HELP http_request_size_bytes Request body size.\n"
                   "# TYPE http_request_size_bytes histogram\n"
                   "http_request_size_bytes_bucket");
    assert_renders(m, METRICS_OPENMETRICS,
                   "# HELP http_request_size_bytes Request body size.\n"
                   "# TYPE http_request_size_bytes histogram\n"
                   "# UNIT http_request_size_bytes bytes\n"
                   "http_request_size_bytes_bucket");
    metrics_destroy(m);
}

/* The digits of a Unix time now, but for the last three before the point and the milliseconds. */
static void append_time_start(char *to, size_t size)
{
    snprintf(to, size, "%lld", (long long)time(NULL) / 1000);
}

static void an_exemplar_stands_behind_its_bucket_in_openmetrics_alone(void **state)
{
    (void)state;
    static const char plain[] =
        "batcher_request_latency_seconds_bucket{model=\"digits\",le=\"0.001\"} 1\n";
    struct metrics *m = create_digits();
    const struct metrics_exemplar exemplar = {"4bf92f35 and more", 8, clock_now_ns()};
    metrics_observe_exemplar(metrics_shard(m, 0), METRICS_BATCHER_REQUEST_LATENCY_SECONDS, 0,
                             670 * NS_PER_US, &exemplar);
    assert_renders(m, METRICS_TEXT, plain);
    char line[256], start[32];
    append_time_start(start, sizeof start);
    snprintf(line, sizeof line, "%.*s # {trace_id=\"4bf92f35\"} 0.00067 %s", (int)strlen(plain) - 1,
             plain, start);
    assert_renders(m, METRICS_OPENMETRICS, line);
    char *text = render(m, METRICS_OPENMETRICS);
    const char *first = strstr(text, " # {");
    assert_non_null(first);
    assert_null(strstr(first + 1, " # {")); /* no other bucket has one */
    free(text);
    metrics_destroy(m);
}

static void a_ratio_has_seventeen_decimals(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    struct metrics_shard *shard = metrics_shard(m, 0);
    metrics_observe(shard, METRICS_VERIFICATION_RELATIVE_ERROR, METRICS_INDICATOR_EMA, 22);
    metrics_observe(shard, METRICS_VERIFICATION_RELATIVE_ERROR, METRICS_INDICATOR_EMA,
                    METRICS_RATIO_ONE);
    assert_renders(m, METRICS_TEXT,
                   "verification_relative_error_sum{indicator=\"ema\"} 1.00000000000000022\n");
    assert_renders(m, METRICS_TEXT,
                   "verification_relative_error_bucket{indicator=\"ema\",le=\"1e-15\"} 1\n");
    metrics_destroy(m);
}

static void an_info_is_a_gauge_in_the_text_format(void **state)
{
    (void)state;
    static const char sample[] =
        "compute_info{version=\"0.1.0\",commit=\"\",compiler=\"gcc \\\"12\\\"\","
        "simd_enabled=\"true\",simd_isa=\"avx2\",simd_width=\"256\",blas=\"\"} 1\n"
        "# HELP ";
    struct metrics *m = create_digits();
    metrics_set_info(m, METRICS_COMPUTE_INFO, "version", "0.1.0");
    metrics_set_info(m, METRICS_COMPUTE_INFO, "compiler", "gcc \"12\"");
    metrics_set_info(m, METRICS_COMPUTE_INFO, "simd_enabled", "true");
    metrics_set_info(m, METRICS_COMPUTE_INFO, "simd_isa", "avx2");
    metrics_set_info(m, METRICS_COMPUTE_INFO, "simd_width", "256");
    assert_renders(m, METRICS_TEXT, sample);
    assert_renders(m, METRICS_OPENMETRICS, sample);
    assert_renders(m, METRICS_TEXT, "# TYPE compute_info gauge\n");
    assert_renders(m, METRICS_OPENMETRICS, "# TYPE compute info\n");
    metrics_destroy(m);
}

static void a_text_too_long_for_an_info_label_is_cut(void **state)
{
    (void)state;
    char value[METRICS_INFO_BYTES + 10];
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    struct metrics *m = create_digits();
    metrics_set_info(m, METRICS_COMPUTE_INFO, "blas", value);
    char *text = render(m, METRICS_TEXT);
    const char *at = strstr(text, "blas=\"");
    assert_non_null(at);
    assert_int_equal(strspn(at + strlen("blas=\""), "x"), METRICS_INFO_BYTES - 1);
    free(text);
    metrics_destroy(m);
}

static void gauges_are_written_so_that_they_read_back_the_same(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-1, "-1"},
        {0.1, "0.1"},
        {1.0 / 3, "0.33333333333333331"},
        {1795226860.12, "1795226860.12"},
        {123456789012345, "123456789012345"},
        {18446744073709551615.0, "1.8446744073709552e+19"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    struct metrics *m = create_digits();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char line[64];
        snprintf(line, sizeof(line), "service_ready %s\n", cases[i].text);
        metrics_set(m, METRICS_SERVICE_READY, 0, cases[i].value);
        assert_renders(m, METRICS_TEXT, line);
    }
    metrics_destroy(m);
}

static void openmetrics_alone_ends_with_eof(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    char *text = render(m, METRICS_TEXT);
    char *openmetrics = render(m, METRICS_OPENMETRICS);
    assert_null(strstr(text, "# EOF"));
    assert_string_equal(openmetrics + strlen(openmetrics) - strlen("\n# EOF\n"), "\n# EOF\n");
    free(text);
    free(openmetrics);
    metrics_destroy(m);
}

/* --- Families, label sets, self-metrics --- */

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

static bool has_sample(const char *text, const struct metrics_family_row *row)
{
    bool counts = row->type == METRICS_HISTOGRAM || row->type == METRICS_SUMMARY;
    char start[2][160];
    snprintf(start[0], sizeof(start[0]), "\n%s%s ", row->name, counts ? "_count" : "");
    snprintf(start[1], sizeof(start[1]), "\n%s%s{", row->name, counts ? "_count" : "");
    return strstr(text, start[0]) != NULL || strstr(text, start[1]) != NULL;
}

static void every_family_is_there_once_before_anything_happened(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    char *text = render(m, METRICS_TEXT);
    for (size_t i = 0; i < METRICS_FAMILY_COUNT; i++) {
        char head[160];
        snprintf(head, sizeof(head), "# HELP %s ", metrics_families[i].name);
        assert_int_equal(count_of(text, head), 1);
        snprintf(head, sizeof(head), "# TYPE %s ", metrics_families[i].name);
        assert_int_equal(count_of(text, head), 1);
        assert_true(has_sample(text, &metrics_families[i]));
    }
    free(text);
    metrics_destroy(m);
}

static void http_requests_start_with_the_label_sets_of_alerts_alone(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    assert_renders(
        m, METRICS_TEXT,
        "# TYPE http_requests_total counter\n"
        "http_requests_total{route=\"/v1/models/{model}:predict\",method=\"POST\",code=\"200\"} 0\n"
        "http_requests_total{route=\"/v1/models/{model}:predict\",method=\"POST\",code=\"400\"} 0\n"
        "http_requests_total{route=\"/v1/models/{model}:predict\",method=\"POST\",code=\"429\"} 0\n"
        "http_requests_total{route=\"/v1/models/{model}:predict\",method=\"POST\",code=\"500\"} 0\n"
        "http_requests_total{route=\"/v1/models/{model}:predict\",method=\"POST\",code=\"503\"} 0\n"
        "http_requests_total{route=\"/v1/indicators/{indicator}\",method=\"POST\",code=\"200\"} 0\n"
        "http_requests_total{route=\"/v1/indicators/{indicator}\",method=\"POST\",code=\"400\"} 0\n"
        "http_requests_total{route=\"/v1/indicators/{indicator}\",method=\"POST\",code=\"429\"} 0\n"
        "http_requests_total{route=\"/v1/indicators/{indicator}\",method=\"POST\",code=\"500\"} 0\n"
        "http_requests_total{route=\"/v1/indicators/{indicator}\",method=\"POST\",code=\"503\"} 0\n"
        "# HELP ");
    unsigned set = metrics_labels(METRICS_HTTP_REQUESTS_TOTAL, METRICS_ROUTE_OTHER,
                                  METRICS_METHOD_OTHER, metrics_code_index(404));
    metrics_add(metrics_shard(m, 0), METRICS_HTTP_REQUESTS_TOTAL, set, 2);
    assert_renders(m, METRICS_TEXT,
                   "http_requests_total{route=\"other\",method=\"other\",code=\"404\"} 2\n# HELP ");
    metrics_destroy(m);
}

static size_t samples_in(const char *text)
{
    size_t count = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        count += *line != '#';
    return count;
}

static void the_exposition_tells_its_own_size(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    char *text = render(m, METRICS_TEXT);
    char line[64];
    snprintf(line, sizeof(line), "metrics_series %zu\n", samples_in(text));
    assert_has(text, line);
    assert_true((size_t)metrics_value(m, METRICS_METRICS_EXPOSITION_BYTES, 0) == strlen(text));
    double seconds = metrics_value(m, METRICS_METRICS_SCRAPE_DURATION_SECONDS, 0);
    assert_true(seconds > 0 && seconds < 60);
    free(text);
    metrics_destroy(m);
}

static void an_exposition_that_does_not_fit_fails_the_buffer(void **state)
{
    (void)state;
    struct metrics *m = create_digits();
    struct buffer out;
    buffer_init(&out, 1024);
    metrics_render(m, METRICS_TEXT, &out);
    assert_true(out.failed);
    buffer_deinit(&out);
    metrics_destroy(m);
}

/* --- Escaping --- */

static void label_values_are_escaped(void **state)
{
    (void)state;
    static const char *const models[] = {"a\"b\\c\nd\xc3\xa9"};
    struct metrics *m = create(models, 1);
    assert_renders(m, METRICS_TEXT, "batcher_queue_size{model=\"a\\\"b\\\\c\\nd\xc3\xa9\"} 0\n");
    metrics_destroy(m);
}

static void help_keeps_its_quotes_in_the_text_format(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    metrics_append_escaped(&out, "a\"b\\c\n", false);
    assert_int_equal(out.bytes, strlen("a\"b\\\\c\\n"));
    assert_memory_equal(out.data, "a\"b\\\\c\\n", out.bytes);
    buffer_deinit(&out);
}

/* --- Bounds --- */

static void bounds_are_written_as_prometheus_stores_them(void **state)
{
    (void)state;
    static const char *const golden[METRICS_BUCKETS_COUNT] = {
        [METRICS_BUCKETS_LAT] =
            "0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.2 0.25 0.5 "
            "1.0 2.5 5.0 10.0 30.0 60.0 120.0 +Inf ",
        [METRICS_BUCKETS_WAIT] =
            "1e-05 5e-05 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 "
            "1.0 5.0 +Inf ",
        [METRICS_BUCKETS_INFER] =
            "1e-05 2.5e-05 5e-05 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 "
            "0.25 0.5 1.0 2.5 10.0 +Inf ",
        [METRICS_BUCKETS_KERN] =
            "1e-06 2.5e-06 5e-06 1e-05 2.5e-05 5e-05 0.0001 0.00025 0.0005 0.001 0.0025 0.005 "
            "0.01 0.025 0.05 0.1 0.5 1.0 +Inf ",
        [METRICS_BUCKETS_BATCH] =
            "1.0 2.0 3.0 4.0 6.0 8.0 12.0 16.0 24.0 32.0 48.0 64.0 96.0 128.0 256.0 +Inf ",
        [METRICS_BUCKETS_BYTES] = "64.0 256.0 1024.0 4096.0 16384.0 65536.0 262144.0 1.048576e+06 "
                                  "4.194304e+06 1.6777216e+07 +Inf ",
        [METRICS_BUCKETS_RELERR] = "1e-16 1e-15 1e-14 1e-13 1e-12 1e-11 1e-10 1e-09 1e-08 1e-07 "
                                   "1e-06 1e-05 0.0001 0.01 +Inf ",
        [METRICS_BUCKETS_SUM] = "+Inf ",
    };
    for (size_t set = METRICS_BUCKETS_NONE + 1; set < METRICS_BUCKETS_COUNT; set++) {
        struct buffer texts;
        buffer_init(&texts, 4096);
        for (unsigned i = 0; i < metrics_bucket_rows[set].count; i++)
            buffer_append_format(&texts, "%s ", metrics_bucket_rows[set].texts[i]);
        buffer_append(&texts, "", 1);
        assert_string_equal(texts.data, golden[set]);
        buffer_deinit(&texts);
    }
}

static void the_text_of_a_bound_is_its_value(void **state)
{
    (void)state;
    for (size_t family = 0; family < METRICS_FAMILY_COUNT; family++) {
        if (metrics_families[family].type != METRICS_HISTOGRAM)
            continue;
        const struct metrics_buckets_row *set =
            &metrics_bucket_rows[metrics_families[family].buckets];
        const enum metrics_unit unit = metrics_families[family].unit;
        const double scale = unit == METRICS_UNIT_SECONDS ? 1e9
                             : unit == METRICS_UNIT_RATIO ? (double)METRICS_RATIO_ONE
                                                          : 1;
        for (unsigned i = 0; i + 1 < set->count; i++) {
            uint64_t value = (uint64_t)(strtod(set->texts[i], NULL) * scale + 0.5);
            assert_int_equal(set->bounds[i], value);
            assert_true(set->bounds[i] < set->bounds[i + 1]);
        }
    }
}

/* --- Negotiation --- */

#define OPENMETRICS "application/openmetrics-text"

static void the_accept_header_chooses_the_format(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum metrics_format format;
    } cases[] = {
        {"", METRICS_TEXT},
        {"*/*", METRICS_TEXT},
        {"text/plain", METRICS_TEXT},
        {"application/json", METRICS_TEXT},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", METRICS_TEXT},
        {OPENMETRICS, METRICS_OPENMETRICS},
        {"Application/OpenMetrics-Text", METRICS_OPENMETRICS},
        {OPENMETRICS ";version=1.0.0", METRICS_OPENMETRICS},
        {OPENMETRICS ";version=\"1.0.0\"", METRICS_OPENMETRICS},
        {OPENMETRICS ";version=2.0.0", METRICS_TEXT},
        {OPENMETRICS ";version=0.0.1", METRICS_TEXT},
        {OPENMETRICS ";q=0", METRICS_TEXT},
        {OPENMETRICS ";q=1.5", METRICS_TEXT},
        {OPENMETRICS ";q=x", METRICS_TEXT},
        {OPENMETRICS ";q=0.001", METRICS_OPENMETRICS},
        {OPENMETRICS ", text/plain", METRICS_TEXT},
        {OPENMETRICS ", text/plain;q=0.999", METRICS_OPENMETRICS},
        {OPENMETRICS ";q=0.5, text/plain;q=0.4", METRICS_OPENMETRICS},
        {OPENMETRICS ";q=0.4, text/plain;q=0.5", METRICS_TEXT},
        {"text/plain;q=0.4 , " OPENMETRICS " ; q=0.5", METRICS_OPENMETRICS},
        {OPENMETRICS ";q=0.4, text/plain;version=1.0.0;q=0.5", METRICS_OPENMETRICS},
        {OPENMETRICS ";q=0.4, text/*;q=0.5", METRICS_TEXT},
        {OPENMETRICS ";q=0.4, */*;q=0.5", METRICS_TEXT},
        /* The closest range decides, wherever it stands. */
        {"text/plain;q=0.1, " OPENMETRICS ";q=0.4, text/*;q=0.5", METRICS_OPENMETRICS},
        {"text/plain;version=0.0.4;q=0.1, " OPENMETRICS ";q=0.4, text/plain", METRICS_OPENMETRICS},
        /* A comma inside quotes separates nothing. */
        {"text/plain;a=\"," OPENMETRICS ",\"", METRICS_TEXT},
        {"text/plain;a=\"\\\"," OPENMETRICS ";q=1", METRICS_TEXT},
        /* Prometheus 2.42 and 3.5. */
        {OPENMETRICS ";version=1.0.0," OPENMETRICS ";version=0.0.1;q=0.75,"
                     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRICS_OPENMETRICS},
        {OPENMETRICS ";version=1.0.0;escaping=allow-utf-8;q=0.6," OPENMETRICS
                     ";version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                     "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         METRICS_OPENMETRICS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum metrics_format format = metrics_negotiate(cases[i].accept, strlen(cases[i].accept));
        if (format != cases[i].format)
            fail_msg("%s: got %d, expected %d", cases[i].accept, (int)format, (int)cases[i].format);
    }
    assert_int_equal(metrics_negotiate(NULL, 0), METRICS_TEXT);
}

static void the_content_type_names_format_and_version(void **state)
{
    (void)state;
    assert_string_equal(metrics_content_type(METRICS_TEXT),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(metrics_content_type(METRICS_OPENMETRICS),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

/* --- Other programs' opinion --- */

/* A registry in which something of everything has happened. */
static struct metrics *create_lively(void)
{
    static const char *const models[] = {"digits", "we\"ird\\name"};
    struct metrics *m = create(models, ARRAY_SIZE(models));
    struct metrics_shard *shard = metrics_shard(m, 0);
    for (enum metrics_family family = 0; family < METRICS_FAMILY_COUNT; family++) {
        for (unsigned set = 0; set < m->sets[family]; set++) {
            if (metrics_families[family].type == METRICS_COUNTER)
                metrics_add(shard, family, set, set * 7 + 1);
            else if (metrics_is_sharded(metrics_families[family].type))
                metrics_observe(shard, family, set, (set + 1) * NS_PER_MS);
            else
                metrics_set(m, family, set, set + 0.5);
        }
    }
    return m;
}

/* Runs a shell command with the exposition on its standard input; whatever it
 * says is said again when it fails. */
static void assert_accepted(const char *command, enum metrics_format format)
{
    char path[] = "/tmp/jitney_metrics_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct metrics *m = create_lively();
    char *text = render(m, format);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    char line[1024], said[4096] = "";
    snprintf(line, sizeof(line), "%s <%s 2>&1", command, path);
    FILE *program = popen(line, "r");
    assert_non_null(program);
    said[fread(said, 1, sizeof(said) - 1, program)] = '\0';
    int status = pclose(program);
    unlink(path);
    free(text);
    metrics_destroy(m);
    if (status != 0 || said[0] != '\0')
        fail_msg("%s: status %d: %s", command, status, said);
}

#define UNPACKED JITNEY_SOURCE_DIR "/build/tools/usr/bin/promtool"

static void promtool_finds_nothing_to_criticise(void **state)
{
    (void)state;
    bool is_unpacked = access(UNPACKED, X_OK) == 0;
    if (!is_unpacked && system("command -v promtool >/dev/null") != 0) {
        print_message("no promtool: run script/setup test\n");
        skip();
    }
    assert_accepted(is_unpacked ? UNPACKED " check metrics" : "promtool check metrics",
                    METRICS_TEXT);
}

static void the_python_client_parses_openmetrics(void **state)
{
    (void)state;
    if (system("/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null") != 0) {
        print_message("no prometheus_client for /usr/bin/python3: run script/setup test\n");
        skip();
    }
    assert_accepted("/usr/bin/python3 -c 'import sys\n"
                    "from prometheus_client.openmetrics import parser\n"
                    "assert len(list(parser.text_fd_to_metric_families(sys.stdin))) > 50'",
                    METRICS_OPENMETRICS);
}

/* --- docs/metrics.md --- */

static char *read_file(const char *path)
{
    char *text = calloc(1, EXPOSITION_BYTES_MAX);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        size_t bytes = fread(text, 1, EXPOSITION_BYTES_MAX - 1, file);
        text[bytes] = '\0';
        fclose(file);
    }
    return text;
}

static void update_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* JITNEY_UPDATE=1 writes the file instead of finding it old. */
static void the_page_in_docs_is_current(void **state)
{
    (void)state;
    static const char path[] = JITNEY_SOURCE_DIR "/docs/metrics.md";
    struct buffer document;
    buffer_init(&document, EXPOSITION_BYTES_MAX);
    metrics_document(&document);
    buffer_append(&document, "", 1);
    assert_false(document.failed);
    if (getenv("JITNEY_UPDATE") != NULL)
        update_file(path, document.data);
    char *kept = read_file(path);
    if (strcmp(kept, document.data) != 0)
        print_message("docs/metrics.md is old: run this test with JITNEY_UPDATE=1\n");
    assert_string_equal(kept, document.data);
    free(kept);
    buffer_deinit(&document);
}

static void every_family_is_in_the_document_once(void **state)
{
    (void)state;
    struct buffer document;
    buffer_init(&document, EXPOSITION_BYTES_MAX);
    metrics_document(&document);
    buffer_append(&document, "", 1);
    for (size_t i = 0; i < METRICS_FAMILY_COUNT; i++) {
        char row[160];
        snprintf(row, sizeof(row), "\n| `%s` | ", metrics_families[i].name);
        assert_int_equal(count_of(document.data, row), 1);
    }
    buffer_deinit(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_loses_total_in_the_head_of_openmetrics_alone),
        cmocka_unit_test(a_gauge_has_a_unit_only_when_its_name_ends_in_it),
        cmocka_unit_test(a_histogram_is_the_same_in_both_formats),
        cmocka_unit_test(an_exemplar_stands_behind_its_bucket_in_openmetrics_alone),
        cmocka_unit_test(a_ratio_has_seventeen_decimals),
        cmocka_unit_test(an_info_is_a_gauge_in_the_text_format),
        cmocka_unit_test(a_text_too_long_for_an_info_label_is_cut),
        cmocka_unit_test(gauges_are_written_so_that_they_read_back_the_same),
        cmocka_unit_test(openmetrics_alone_ends_with_eof),
        cmocka_unit_test(every_family_is_there_once_before_anything_happened),
        cmocka_unit_test(http_requests_start_with_the_label_sets_of_alerts_alone),
        cmocka_unit_test(the_exposition_tells_its_own_size),
        cmocka_unit_test(an_exposition_that_does_not_fit_fails_the_buffer),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(help_keeps_its_quotes_in_the_text_format),
        cmocka_unit_test(bounds_are_written_as_prometheus_stores_them),
        cmocka_unit_test(the_text_of_a_bound_is_its_value),
        cmocka_unit_test(the_accept_header_chooses_the_format),
        cmocka_unit_test(the_content_type_names_format_and_version),
        cmocka_unit_test(promtool_finds_nothing_to_criticise),
        cmocka_unit_test(the_python_client_parses_openmetrics),
        cmocka_unit_test(the_page_in_docs_is_current),
        cmocka_unit_test(every_family_is_in_the_document_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
