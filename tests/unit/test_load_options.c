/*
 * test_load_options.c - the command line that subcommands share, and make their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load_options.h"

enum {
    ARGUMENTS_MAX = 16,
    OWN_STEPS = LOAD_OPTION_OWN,
    OWN_RATE,
};

/* What a made-up subcommand took of its own. */
struct taken {
    const char *steps;
    const char *rate;
};

static bool take(void *ctx, int id, const char *text, struct load_error *error)
{
    struct taken *taken = ctx;
    if (strcmp(text, "wrong") == 0)
        return load_fail(error, "that is wrong");
    *(id == OWN_STEPS ? &taken->steps : &taken->rate) = text;
    return true;
}

static const struct option OWN[] = {
    {"steps", required_argument, NULL, OWN_STEPS},
    {"rate", required_argument, NULL, OWN_RATE},
    {NULL, 0, NULL, 0},
};

static const char *const LEFT_OUT[] = {"rate", "csv", NULL};

static const struct load_command MADE_UP = {
    .name = "made-up",
    .options = OWN,
    .left_out = LEFT_OUT,
    .take = take,
    .targets_max = 2,
    .has_rates = true,
    .no_trace = true,
    .duration_ns = 3,
    .warmup_ns = 2,
    .grace_ns = 1,
};

/* `line` is cut at its spaces, behind the subcommand's name. */
static enum load_options_result parse(const struct load_command *command, const char *line,
                                      struct load_options *options, struct taken *taken,
                                      struct load_error *error)
{
    static char words[512]; /* options point into it */
    char *arguments[ARGUMENTS_MAX + 1] = {(char[]){"command"}};
    int count = 1;
    strcpy(words, line);
    char *rest = words;
    for (char *word; (word = strsep(&rest, " ")) != NULL && count < ARGUMENTS_MAX;)
        if (*word != '\0')
            arguments[count++] = word;
    return load_options_parse(command, count, arguments, options, taken, error);
}

static void assert_wrong(const struct load_command *command, const char *line,
                         const char *complaint)
{
    struct load_options options;
    struct taken taken = {0};
    struct load_error error = {0};
    if (parse(command, line, &options, &taken, &error) != LOAD_OPTIONS_WRONG)
        fail_msg("\"%s\" was taken", line);
    if (strstr(error.text, complaint) == NULL)
        fail_msg("\"%s\" of \"%s\" does not say \"%s\"", error.text, line, complaint);
}

static void run_has_its_defaults(void **state)
{
    (void)state;
    struct load_options options;
    struct load_error error;
    assert_int_equal(parse(&LOAD_COMMAND_RUN, "", &options, NULL, &error), LOAD_OPTIONS_OK);
    assert_string_equal(options.target, "http://127.0.0.1:8001");
    assert_null(options.other_target);
    assert_string_equal(options.workload.kinds[0].name, "digits");
    assert_int_equal(options.load.connections, 64);
    assert_int_equal(options.load.duration_ns, 10 * NS_PER_S);
    assert_true(options.rate == 0);
}

static void a_subcommand_shares_options_and_has_its_own(void **state)
{
    (void)state;
    struct load_options options;
    struct taken taken = {0};
    struct load_error error;
    assert_int_equal(
        parse(&MADE_UP, "a:1 --steps 5 --rate x b:2 --slo 5ms", &options, &taken, &error),
        LOAD_OPTIONS_OK);
    assert_string_equal(taken.steps, "5");
    assert_string_equal(taken.rate, "x"); /* its own --rate, not that of run */
    assert_true(options.rate == 0);
    assert_int_equal(options.load.slo_ns, 5 * NS_PER_MS);
    assert_string_equal(options.target, "a:1");
    assert_string_equal(options.other_target, "b:2");
    assert_int_equal(options.load.duration_ns, 3);
    assert_int_equal(options.load.warmup_ns, 2);
    assert_int_equal(options.load.grace_ns, 1);
}

static void what_it_leaves_out_is_unknown(void **state)
{
    (void)state;
    assert_wrong(&MADE_UP, "--csv x", "--csv: no such option");
    assert_wrong(&MADE_UP, "--arrivals trace x", "only `run` plays one");
    assert_wrong(&MADE_UP, "--steps wrong", "that is wrong");
    assert_wrong(&MADE_UP, "--steps", "--steps: no value");
    assert_wrong(&MADE_UP, "a:1 b:2 c:3", "c:3: two targets are enough");
    assert_wrong(&LOAD_COMMAND_RUN, "a:1 b:2", "b:2: one target is enough");
    assert_wrong(&LOAD_COMMAND_RUN, "--steps 5", "--steps: no such option");
}

static void arrivals_need_rates_where_there_are_none(void **state)
{
    (void)state;
    struct load_options options;
    struct taken taken;
    struct load_error error;
    assert_wrong(&LOAD_COMMAND_RUN, "--arrivals uniform", "--arrivals needs --rate");
    assert_int_equal(parse(&MADE_UP, "--arrivals uniform", &options, &taken, &error),
                     LOAD_OPTIONS_OK);
    assert_int_equal(options.arrivals, ARRIVALS_UNIFORM);
}

static void assert_inputs_are_of(const char *line, const char *name)
{
    struct load_options options;
    struct load_error error = {0};
    if (parse(&LOAD_COMMAND_RUN, line, &options, NULL, &error) != LOAD_OPTIONS_OK)
        fail_msg("\"%s\": %s", line, error.text);
    assert_string_equal(load_options_inputs_kind(&options.workload)->name, name);
}

static void inputs_are_of_the_only_model_or_indicator(void **state)
{
    (void)state;
    static const char complaint[] = "--inputs needs exactly one";
    assert_inputs_are_of("--inputs x", "digits");
    assert_inputs_are_of("--inputs x --model wide --indicator rsi --get /health", "wide");
    assert_inputs_are_of("--inputs x --indicator ema", "ema");
    assert_wrong(&LOAD_COMMAND_RUN, "--inputs x --model digits --model wide", complaint);
    assert_wrong(&LOAD_COMMAND_RUN, "--inputs x --model digits --model wide --indicator rsi",
                 complaint);
    assert_wrong(&LOAD_COMMAND_RUN, "--inputs x --indicator sma --indicator rsi", complaint);
    assert_wrong(&LOAD_COMMAND_RUN, "--inputs x --get /health", complaint);
}

static void a_get_names_a_path(void **state)
{
    (void)state;
    struct load_options options;
    struct load_error error;
    assert_int_equal(parse(&LOAD_COMMAND_RUN, "--get /health=3", &options, NULL, &error),
                     LOAD_OPTIONS_OK);
    assert_int_equal(options.workload.kind_count, 1);
    assert_int_equal(options.workload.kinds[0].what, WORKLOAD_GET);
    assert_string_equal(options.workload.kinds[0].name, "/health");
    assert_true(options.workload.kinds[0].weight == 3);
    assert_wrong(&LOAD_COMMAND_RUN, "--get health", "not a path");
    assert_wrong(&LOAD_COMMAND_RUN, "--get /a?b", "without a query");
}

static void help_is_asked_for(void **state)
{
    (void)state;
    struct load_options options;
    struct taken taken;
    struct load_error error;
    assert_int_equal(parse(&MADE_UP, "--help", &options, &taken, &error), LOAD_OPTIONS_HELP);
    assert_int_equal(parse(&MADE_UP, "-h", &options, &taken, &error), LOAD_OPTIONS_HELP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_has_its_defaults),
        cmocka_unit_test(a_subcommand_shares_options_and_has_its_own),
        cmocka_unit_test(what_it_leaves_out_is_unknown),
        cmocka_unit_test(arrivals_need_rates_where_there_are_none),
        cmocka_unit_test(inputs_are_of_the_only_model_or_indicator),
        cmocka_unit_test(a_get_names_a_path),
        cmocka_unit_test(help_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
