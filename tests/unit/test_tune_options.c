/*
 * test_tune_options.c - the command line of tune: what is understood, what is refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tune_options.h"

static void a_percentile_and_its_limit_are_understood(void **state)
{
    (void)state;
    static const struct tune_slo cases[] = {
        {"p99", 0.99, 10 * NS_PER_MS},
        {"p99.9", 0.999, NS_PER_S},
        {"p50", 0.5, 250 * NS_PER_US},
    };
    static const char *const texts[] = {"p99=10ms", "p99.9=1s", "p50=250us"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct tune_slo slo;
        struct load_error error = {0};
        if (!tune_slo_parse(texts[i], &slo, &error))
            fail_msg("%s", error.text);
        assert_string_equal(slo.name, cases[i].name);
        assert_true(fabs(slo.quantile - cases[i].quantile) < 1e-12);
        assert_int_equal(slo.limit_ns, cases[i].limit_ns);
    }
}

static void what_is_no_limit_of_a_percentile_is_refused_by_its_text(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        "10ms",    "p99",     "p99=",      "p99=10",   "p99=0",
        "p99>5ms", "p99=>5s", "p100=1s", "mean=5ms",  "lag=5ms",  "errors=1%",
        "p99==1s", "p 99=1s", "p99=-1s", "p99 = 5ms", "p99<=5ms", "p99.000000000000000001=5ms",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct tune_slo slo = {.limit_ns = 7};
        struct load_error error = {0};
        if (tune_slo_parse(texts[i], &slo, &error))
            fail_msg("\"%s\" was understood", texts[i]);
        assert_int_equal(slo.limit_ns, 7);
        assert_non_null(strstr(error.text, "not a percentile and its limit"));
    }
}

/* getopt() moves arguments, but leaves their texts as they are. */
static enum load_options_result parse(const char **argv, struct tune_options *tune,
                                      struct load_options *options)
{
    struct load_error error;
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    tune_options_init(tune);
    return load_options_parse(&LOAD_COMMAND_TUNE, argc, (char **)argv, options, tune, &error);
}

static void its_own_options_and_those_of_a_workload_are_taken(void **state)
{
    (void)state;
    const char *argv[] = {"tune",          "--slo",     "p99=10ms", "--model", "wide",
                          "--connections", "32",        "--budget", "20s",     "--keep",
                          "--admin",       "unix:/a",   "--rows",   "4",       "--admin-token-file",
                          "/token",        "unix:/jit", NULL};
    struct tune_options tune;
    struct load_options options;
    struct load_error error;
    assert_int_equal(parse(argv, &tune, &options), LOAD_OPTIONS_OK);
    assert_true(tune_options_check(&tune, &options, &error));
    assert_int_equal(tune.slo.limit_ns, 10 * NS_PER_MS);
    assert_int_equal(tune.budget_ns, 20 * NS_PER_S);
    assert_true(tune.keep);
    assert_string_equal(tune.admin, "unix:/a");
    assert_string_equal(tune.admin_token_file, "/token");
    assert_string_equal(options.target, "unix:/jit");
    assert_string_equal(options.workload.kinds[0].name, "wide");
    assert_int_equal(options.workload.rows, 4);
    assert_int_equal(options.load.connections, 32);
}

static void what_would_contradict_the_search_is_no_option(void **state)
{
    (void)state;
    static const char *const names[] = {"--rate", "--duration", "--warmup", "--fail-if",
                                        "--arrivals"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *argv[] = {"tune", "--slo", "p99=10ms", names[i], "1s", NULL};
        struct tune_options tune;
        struct load_options options;
        assert_int_equal(parse(argv, &tune, &options), LOAD_OPTIONS_WRONG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_percentile_and_its_limit_are_understood),
        cmocka_unit_test(what_is_no_limit_of_a_percentile_is_refused_by_its_text),
        cmocka_unit_test(its_own_options_and_those_of_a_workload_are_taken),
        cmocka_unit_test(what_would_contradict_the_search_is_no_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
