/* test_config.c - where settings come from, and what is said when they are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "config.h"

enum {
    ARGUMENTS_MAX = 16
};

/* A file of the name "jitney.json" in a folder of its own, which is where we are then. */
struct folder {
    char path[64];
    int before;
};

static void enter_folder(struct folder *folder)
{
    strcpy(folder->path, "/tmp/jitney-config-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder->before >= 0);
    assert_int_equal(chdir(folder->path), 0);
}

static void leave_folder(struct folder *folder)
{
    unlink("jitney.json");
    assert_int_equal(fchdir(folder->before), 0);
    close(folder->before);
    assert_int_equal(rmdir(folder->path), 0);
}

static void write_file(const char *text, size_t bytes)
{
    FILE *file = fopen("jitney.json", "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    fclose(file);
}

/* Words between blanks, as argv or environ; they point into `line`. */
static int split(char *line, char **words)
{
    int count = 0;
    for (char *word; (word = strsep(&line, " ")) != NULL;)
        if (*word != '\0')
            words[count++] = word;
    words[count] = NULL;
    return count;
}

/* Loads with flags and environment written on one line each. */
static enum config_result load(const char *flags, const char *environment, struct config **out,
                               struct config_error *error)
{
    char flag_line[1024], environment_line[1024];
    char *argv[ARGUMENTS_MAX], *environ_words[ARGUMENTS_MAX];
    snprintf(flag_line, sizeof flag_line, "jitney %s", flags);
    snprintf(environment_line, sizeof environment_line, "HOME=/ %s", environment);
    const int argc = split(flag_line, argv);
    split(environment_line, environ_words);
    return config_load(argc, argv, environ_words, out, error);
}

static struct config *load_ok(const char *flags, const char *environment)
{
    struct config *config = NULL;
    struct config_error error = {.text = ""};
    const enum config_result rc = load(flags, environment, &config, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, CONFIG_OK);
    return config;
}

static struct config *text_ok(const char *text)
{
    struct config *config = NULL;
    struct config_error error = {.text = ""};
    const enum config_result rc =
        config_load_text("jitney.json", text, strlen(text), &config, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, CONFIG_OK);
    return config;
}

static void assert_load_fails(const char *flags, const char *environment, const char *expected)
{
    struct config untouched, *config = &untouched;
    struct config_error error = {.text = ""};
    const enum config_result rc = load(flags, environment, &config, &error);
    assert_string_equal(error.text, expected);
    assert_int_equal(rc, CONFIG_BAD);
    assert_ptr_equal(config, &untouched);
}

static void assert_text_fails(const char *text, size_t bytes, const char *expected)
{
    struct config untouched, *config = &untouched;
    struct config_error error = {.text = ""};
    const enum config_result rc = config_load_text("jitney.json", text, bytes, &config, &error);
    assert_string_equal(error.text, expected);
    assert_int_equal(rc, CONFIG_BAD);
    assert_ptr_equal(config, &untouched);
}

/* What config_each says of one key. */
struct wanted {
    const char *key;
    char value[256];
    char source[32];
};

static void keep_wanted(void *ctx, const char *key, const char *value, const char *source)
{
    struct wanted *wanted = ctx;
    if (strcmp(key, wanted->key) != 0)
        return;
    snprintf(wanted->value, sizeof wanted->value, "%s", value);
    snprintf(wanted->source, sizeof wanted->source, "%s", source);
}

static void assert_setting(const struct config *config, const char *key, const char *value,
                           const char *source)
{
    struct wanted wanted = {.key = key};
    config_each(config, keep_wanted, &wanted);
    assert_string_equal(wanted.value, value);
    assert_string_equal(wanted.source, source);
}

/* --- Defaults and precedence. */

static void nothing_given_means_the_documented_defaults(void **state)
{
    (void)state;
    struct config *config = load_ok("", "");
    cpu_set_t cores;
    assert_int_equal(sched_getaffinity(0, sizeof cores, &cores), 0);
    assert_int_equal(config->listen_count, 1);
    assert_string_equal(config->listen[0].text, "127.0.0.1:8001");
    assert_int_equal(config->admin_listen_count, 1);
    assert_int_equal(config->admin_listen[0].port, 8002);
    assert_null(config->admin_token_file);
    assert_string_equal(config->models_dir, "models");
    assert_int_equal(config->models_max, 256);
    assert_int_equal(config->io_threads, 1);
    assert_int_equal(config->workers, CPU_COUNT(&cores));
    assert_string_equal(config->isa, "auto");
    assert_int_equal(config->drain_delay_ns, 5 * NS_PER_S);
    assert_int_equal(config->drain_timeout_ns, 25 * NS_PER_S);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->log_format, LOG_LOGFMT);
    assert_false(config->access_log);
    assert_int_equal(config->http.connections_max, 1024);
    assert_int_equal(config->http.request_line_bytes_max, 16 * KIB);
    assert_int_equal(config->http.headers_bytes_max, 16 * KIB);
    assert_int_equal(config->http.headers_max, 100);
    assert_int_equal(config->http.chunk_extension_bytes_max, 16 * KIB);
    assert_int_equal(config->http.chunks_max, 65536);
    assert_int_equal(config->http.body_bytes_max, 16 * MIB);
    assert_int_equal(config->http.pipelined_bytes_max, 64 * KIB);
    assert_int_equal(config->http.header_ns_max, 10 * NS_PER_S);
    assert_int_equal(config->http.body_ns_max, 60 * NS_PER_S);
    assert_int_equal(config->http.body_rate_min, KIB);
    assert_int_equal(config->http.keep_alive_ns_max, 75 * NS_PER_S);
    assert_int_equal(config->http.write_stall_ns_max, 30 * NS_PER_S);
    assert_int_equal(config->http.request_ns_max, 30 * NS_PER_S);
    assert_int_equal(config->http.linger_bytes_max, 256 * KIB);
    assert_int_equal(config->http.linger_ns_max, 2 * NS_PER_S);
    assert_int_equal(config->json_depth_max, 64);
    assert_int_equal(config->json_number_bytes_max, 1024);
    assert_int_equal(config->tensor_rank_max, 8);
    assert_int_equal(config->series_max, 1024);
    assert_int_equal(config->points_max, 1048576);
    assert_int_equal(config->instances_max, 4096);
    assert_int_equal(config->batching.batch_rows_max, 32);
    assert_int_equal(config->batching.queue_rows_max, 4096);
    assert_int_equal(config->batching.queue_bytes_max, 256 * MIB);
    assert_int_equal(config->batching.inflight_batches_max, 0);
    assert_int_equal(config->batching.delay_ns_max, 0);
    assert_int_equal(config->batching.target_p99_ns, 0);
    assert_false(config->check_only);
    config_destroy(config);
}

static void flags_beat_environment_beats_file_beats_default(void **state)
{
    (void)state;
    static const char file[] = "{\"workers\": 3, \"drain\": {\"delay\": 3}}";
    static const struct {
        const char *flags, *environment, *value, *source;
    } cases[] = {
        {"", "", "5s", "default"},
        {"--config jitney.json", "", "3s", "file"},
        {"", "JITNEY_CONFIG=jitney.json", "3s", "file"},
        {"--config jitney.json", "JITNEY_DRAIN_DELAY=4s", "4s", "environment"},
        {"--config jitney.json --drain-delay 6s", "JITNEY_DRAIN_DELAY=4s", "6s", "flag"},
        {"--drain-delay=6s --config=jitney.json", "", "6s", "flag"},
        {"--drain-delay 6s --drain-delay 7s", "", "7s", "flag"},
        {"--config jitney.json", "JITNEY_DRAIN_DELAY=", "3s", "file"},
    };
    struct folder folder;
    enter_folder(&folder);
    write_file(file, strlen(file));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct config *config = load_ok(cases[i].flags, cases[i].environment);
        assert_setting(config, "drain.delay", cases[i].value, cases[i].source);
        config_destroy(config);
    }
    leave_folder(&folder);
}

static void addresses_of_a_higher_source_replace_all_of_a_lower(void **state)
{
    (void)state;
    static const char file[] = "{\"listen\": [\"127.0.0.1:1\", \"127.0.0.1:2\"]}";
    struct folder folder;
    enter_folder(&folder);
    write_file(file, strlen(file));
    struct config *config = load_ok("--config jitney.json", "");
    assert_setting(config, "listen", "127.0.0.1:1,127.0.0.1:2", "file");
    config_destroy(config);
    config = load_ok("--config jitney.json", "JITNEY_LISTEN=127.0.0.1:3,unix:/run/x");
    assert_setting(config, "listen", "127.0.0.1:3,unix:/run/x", "environment");
    config_destroy(config);
    config = load_ok("--config jitney.json --listen 127.0.0.1:4 --listen=[::1]:5",
                     "JITNEY_LISTEN=127.0.0.1:3");
    assert_setting(config, "listen", "127.0.0.1:4,[::1]:5", "flag");
    assert_setting(config, "admin_listen", "127.0.0.1:8002", "default");
    config_destroy(config);
    leave_folder(&folder);
}

static void every_setting_has_a_variable(void **state)
{
    (void)state;
    struct config *config =
        load_ok("", "JITNEY_HTTP_BODY_BYTES_MAX=2MiB JITNEY_LOG_ACCESS=true JITNEY_ISA=scalar "
                    "JITNEY_LOG_FORMAT=json JITNEY_BATCHING_MAX_DELAY=250us "
                    "JITNEY_ADMIN_TOKEN_FILE=/run/token JITNEY_WORKERS=7");
    assert_int_equal(config->http.body_bytes_max, 2 * MIB);
    assert_true(config->access_log);
    assert_string_equal(config->isa, "scalar");
    assert_int_equal(config->log_format, LOG_JSON);
    assert_int_equal(config->batching.delay_ns_max, 250 * NS_PER_US);
    assert_string_equal(config->admin_token_file, "/run/token");
    assert_int_equal(config->workers, 7);
    config_destroy(config);
}

static void variables_that_are_not_ours_are_let_through(void **state)
{
    (void)state;
    config_destroy(load_ok("", "JITNEY_TEST_X=1 JITNEY_PORT=tcp://10.0.0.1:80 "
                               "JITNEY_SERVICE_HOST=10.0.0.1 JITNEY_PORT_80_TCP_ADDR=10.0.0.1 "
                               "OTHER=1"));
}

static void commands_are_told_apart(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct config_error error;
    assert_int_equal(load("--help", "JITNEY_BAD=1", &config, &error), CONFIG_SHOW_HELP);
    assert_int_equal(load("--version --bad", "", &config, &error), CONFIG_SHOW_VERSION);
    assert_null(config);
    config = load_ok("--check-config", "");
    assert_true(config->check_only);
    assert_false(config->check_health);
    config_destroy(config);
    config = load_ok("--check-health", "");
    assert_true(config->check_health);
    config_destroy(config);
}

/* --- The file. */

static void the_file_sets_everything_and_may_have_comments(void **state)
{
    (void)state;
    struct config *config =
        text_ok("// what we chose\n"
                "{\n"
                "  /* two\n     lines */\n"
                "  \"admin_listen\": [],\n"
                "  \"log\": {\"level\": \"debug\", \"access\": true},\n"
                "  \"http\": {\"header_timeout\": 0.25, \"body_bytes_max\": 2048},\n"
                "  \"limits\": {\"points_max\": 9},\n"
                "  \"models\": \"caf\\u00e9\"\n"
                "}\n");
    assert_int_equal(config->admin_listen_count, 0);
    assert_int_equal(config->log_level, LOG_DEBUG);
    assert_true(config->access_log);
    assert_int_equal(config->http.header_ns_max, 250 * NS_PER_MS);
    assert_int_equal(config->http.body_bytes_max, 2048);
    assert_int_equal(config->points_max, 9);
    assert_string_equal(config->models_dir, "caf\xc3\xa9");
    assert_setting(config, "admin_listen", "", "file");
    assert_setting(config, "http.body_bytes_max", "2048", "file");
    assert_setting(config, "http.headers_max", "100", "default");
    config_destroy(config);
}

static void a_queue_differs_only_in_what_is_given(void **state)
{
    (void)state;
    struct config *config =
        text_ok("{\"batching\": {\"max_batch_rows\": 16, \"max_queue_rows\": 100},"
                " \"queues\": {\"digits\": {\"max_batch_rows\": 64, \"max_delay\": \"1.5ms\"}, "
                "\"sma\": {}}}");
    struct config_batching digits = config_batching_for(config, "digits", NULL);
    assert_int_equal(digits.batch_rows_max, 64);
    assert_int_equal(digits.delay_ns_max, 1500 * NS_PER_US);
    assert_int_equal(digits.queue_rows_max, 100);
    assert_int_equal(digits.queue_bytes_max, 256 * MIB);
    assert_int_equal(config_batching_for(config, "sma", NULL).batch_rows_max, 16);
    assert_int_equal(config_batching_for(config, "unknown", NULL).batch_rows_max, 16);
    assert_setting(config, "queues.digits.max_batch_rows", "64", "file");
    assert_setting(config, "queues.digits.max_delay", "1500us", "file");
    config_destroy(config);
}

static void the_file_beats_the_models_own_words_beat_batching(void **state)
{
    (void)state;
    const struct config_queue own = {
        .given = CONFIG_BATCH_ROWS | CONFIG_QUEUE_ROWS,
        .batching = {.batch_rows_max = 5, .queue_rows_max = 50, .delay_ns_max = 99}};
    struct config *config = text_ok("{\"queues\": {\"digits\": {\"max_batch_rows\": 64}}}");
    const struct config_batching digits = config_batching_for(config, "digits", &own);
    assert_int_equal(digits.batch_rows_max, 64);
    assert_int_equal(digits.queue_rows_max, 50);
    assert_int_equal(digits.delay_ns_max, 0);
    assert_int_equal(config_batching_for(config, "wide", &own).batch_rows_max, 5);
    config_destroy(config);
}

static void wrong_files_are_refused_with_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "jitney.json: is empty"},
        {"[]", "jitney.json: must be a JSON object"},
        {"{\n\n\"http\": {\n\"body_bytes_max\": 99}}",
         "jitney.json:4: http.body_bytes_max: 99 is below the smallest allowed value 1024"},
        {"{\"http\": {\"body_bytes_max\": \"2GiB\"}}",
         "jitney.json:1: http.body_bytes_max: 2GiB is above the largest allowed value 1GiB"},
        {"{\"io_threads\": -1}",
         "jitney.json:1: io_threads: -1 is below the smallest allowed value 1"},
        {"{\"io_threads\": 99999999999999999999999}",
         "jitney.json:1: io_threads: 99999999999999999999999 is above the largest allowed value "
         "64"},
        {"{\"io_threads\": 1.5}", "jitney.json:1: io_threads: \"1.5\" is not a whole number"},
        {"{\"io_threads\": \"1\"}", "jitney.json:1: io_threads: must be a number"},
        {"{\"io_threads\": null}", "jitney.json:1: io_threads: must be a number"},
        {"{\"models\": 1}", "jitney.json:1: models: must be a string"},
        {"{\"models\": \"\"}", "jitney.json:1: models: must not be empty"},
        {"{\"models\": \"a\\u0000b\"}", "jitney.json:1: models: must not contain a NUL character"},
        {"{\"listen\": \"127.0.0.1:1\"}", "jitney.json:1: listen: must be an array of strings"},
        {"{\"listen\": [\n1]}", "jitney.json:1: listen: must be an array of strings"},
        {"{\"listen\": [\n\"127.0.0.1:1\",\n\"nowhere\"]}",
         "jitney.json:3: listen: \"nowhere\" is not IP:PORT, [IPv6]:PORT or unix:PATH"},
        {"{\"log\": {\"access\": 1}}", "jitney.json:1: log.access: must be true or false"},
        {"{\"log\": {\"level\": \"loud\"}}",
         "jitney.json:1: log.level: \"loud\" is not one of debug|info|warn|error"},
        {"{\"log\": 1}", "jitney.json:1: log: must be an object"},
        {"{\"drain\": {\"delay\": true}}",
         "jitney.json:1: drain.delay: must be a number of seconds, or a string such as \"5s\""},
        {"{\"drain\": {\"delay\": 1e3}}",
         "jitney.json:1: drain.delay: \"1e3s\" is not a duration, such as 5s, 250ms or 100us"},
        {"{\"drain\": {\"delay\": \"5\"}}",
         "jitney.json:1: drain.delay: \"5\" is not a duration, such as 5s, 250ms or 100us"},
        {"{\"http\": {\"body_bytes_max\": []}}",
         "jitney.json:1: http.body_bytes_max: must be a number of bytes, or a string such as "
         "\"16MiB\""},
        {"{\n\"worker\": 1}", "jitney.json:2: worker: unknown key; did you mean \"workers\"?"},
        {"{\"nonsense\": 1}", "jitney.json:1: nonsense: unknown key"},
        {"{\"http\": {\"nonsense\": {}}}", "jitney.json:1: http.nonsense: unknown key"},
        {"{\"http\": {\"body_byte_max\": 1}}",
         "jitney.json:1: http.body_byte_max: unknown key; did you mean \"body_bytes_max\"?"},
        {"{\"drain.delay\": 1}", "jitney.json:1: drain.delay: is written as an object in an "
                                 "object: {\"drain\": {\"delay\": ...}}"},
        {"{\"a\\nb\": 1}", "jitney.json:1: a?b: unknown key"},
        /* A line break made by an escape is none of the text. */
        {"{\"models\": \"a\\nb\",\n\"nonsense\": 1}", "jitney.json:2: nonsense: unknown key"},
        {"{\"workers\": 1,\n\n\"workers\": 1}",
         "jitney.json:3: workers: is given twice, first in line 1"},
        {"{\"http\": {},\n\"http\": {}}", "jitney.json:2: http: is given twice, first in line 1"},
        {"{\"queues\": {\"a\": {\"max_batch_rows\": 1, \"max_batch_rows\": 2}}}",
         "jitney.json:1: queues.a.max_batch_rows: is given twice, first in line 1"},
        {"{\"queues\": {\"a\": {}, \n\"a\": {}}}",
         "jitney.json:2: queues.a: is given twice, first in line 1"},
        {"{\"queues\": {\"../a\": {}}}", "jitney.json:1: queues.../a: no queue can have this name"},
        {"{\"queues\": {\"a\": 1}}", "jitney.json:1: queues.a: must be an object"},
        {"{\"queues\": []}", "jitney.json:1: queues: must be an object"},
        {"{\"queues\": {\"a\": {\n\"max_batch_row\": 1}}}",
         "jitney.json:2: queues.a.max_batch_row: unknown key; did you mean \"max_batch_rows\"?"},
        {"{\"queues\": {\"a\": {\"max_batch_rows\": 0}}}",
         "jitney.json:1: queues.a.max_batch_rows: 0 is below the smallest allowed value 1"},
        {"{\"listen\": []}", "jitney.json:1: listen: at least one address is needed"},
        {"{\n\"listen\": [\"[::1]:80\", \"[0:0::1]:80\"]}",
         "jitney.json:2: listen: [0:0::1]:80 is given twice"},
        {"{\n\"admin_listen\": [\"127.0.0.1:8001\"]}",
         "jitney.json:2: admin_listen: 127.0.0.1:8001 is given twice"},
        {"{\n\"admin_listen\": [\"0.0.0.0:1\"]}",
         "jitney.json:2: admin_listen: 0.0.0.0:1 can be reached from other machines: set "
         "admin_token_file, or listen on 127.0.0.1 or a Unix socket"},
        {"{\"batching\": {\"max_queue_rows\": 8}}",
         "batching: max_queue_rows 8 is below max_batch_rows 32"},
        {"{\"queues\": {\"a\": {\"max_queue_rows\": 8}}}",
         "jitney.json: queues.a: max_queue_rows 8 is below max_batch_rows 32"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_text_fails(cases[i].text, strlen(cases[i].text), cases[i].expected);
}

/* What stands between is the parser's, and differs between its versions. */
static void text_that_is_no_json_is_refused_with_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *start, *end;
    } cases[] = {
        {"{", "jitney.json:1: not JSON: ", ", at column 2"},
        {"{\n  \"workers\": x}", "jitney.json:2: not JSON: ", ", at column 14"},
        {"{\n\n  \"models\": \"\xc3\xbc\" x}", "jitney.json:3: not JSON: ", ", at column 17"},
        {"{} {}", "jitney.json:1: not JSON: ", ", at column 4"},
        {"{'workers': 1}", "jitney.json:1: not JSON: ", ", at column 2"},
        {"{\"workers\": 1,}", "jitney.json:1: not JSON: ", ""},
        {"/* for ever", "jitney.json:1: not JSON: ", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct config *config = NULL;
        struct config_error error;
        const char *text = cases[i].text, *end = cases[i].end;
        assert_int_equal(config_load_text("jitney.json", text, strlen(text), &config, &error),
                         CONFIG_BAD);
        const size_t bytes = strlen(error.text);
        assert_true(bytes > strlen(end));
        assert_string_equal(error.text + bytes - strlen(end), end);
        assert_memory_equal(error.text, cases[i].start, strlen(cases[i].start));
    }
}

static void a_file_that_is_missing_or_too_large_is_named(void **state)
{
    (void)state;
    struct folder folder;
    enter_folder(&folder);
    assert_load_fails("--config jitney.json", "",
                      "jitney.json: cannot be opened: No such file or directory");
    assert_load_fails("", "JITNEY_CONFIG=.", ".: cannot be read: Is a directory");
    char *text = malloc(MIB + 1);
    assert_non_null(text);
    memset(text, ' ', MIB + 1);
    memcpy(text, "{}", 2);
    write_file(text, MIB + 1);
    assert_load_fails("--config jitney.json", "", "jitney.json: is larger than 1048576 bytes");
    write_file(text, MIB);
    config_destroy(load_ok("--config jitney.json", ""));
    free(text);
    leave_folder(&folder);
}

static void wrong_flags_and_variables_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *flags, *environment, *expected;
    } cases[] = {
        {"--workers 0x2", "", "--workers: \"0x2\" is not a whole number"},
        {"--workers -1", "", "--workers: -1 is below the smallest allowed value 0"},
        {"--workers=1025", "", "--workers: 1025 is above the largest allowed value 1024"},
        {"--workers", "", "--workers: needs a value"},
        {"--workers=", "", "--workers: needs a value"},
        {"--workers --help", "", "--workers: needs a value"},
        {"--config", "", "--config: needs a value"},
        {"--help=yes", "", "--help: takes no value"},
        {"--worker 1", "", "--worker: unknown flag; did you mean --workers?"},
        {"--confg x", "", "--confg: unknown flag; did you mean --config?"},
        {"--nonsense", "", "--nonsense: unknown flag; --help shows those there are"},
        {"-h", "", "-h: is no flag; --help shows those there are"},
        {"models", "", "models: is no flag; --help shows those there are"},
        {"--drain-delay 5", "",
         "--drain-delay: \"5\" is not a duration, such as 5s, 250ms or 100us"},
        {"--log-level=INFO", "", "--log-level: \"INFO\" is not one of debug|info|warn|error"},
        {"--listen 127.0.0.1:1 --listen 127.0.0.1:1", "", "--listen: 127.0.0.1:1 is given twice"},
        {"--admin-listen [::]:1", "",
         "--admin-listen: [::]:1 can be reached from other machines: set admin_token_file, or "
         "listen on 127.0.0.1 or a Unix socket"},
        {"", "JITNEY_WORKERS=x", "JITNEY_WORKERS: \"x\" is not a whole number"},
        {"", "JITNEY_WORKER=1", "JITNEY_WORKER: unknown variable; did you mean JITNEY_WORKERS?"},
        {"", "JITNEY_NONSENSE=", "JITNEY_NONSENSE: unknown variable"},
        {"", "JITNEY_ISA=mmx", "JITNEY_ISA: \"mmx\" is not one of auto|scalar|avx2|avx512|neon"},
        {"", "JITNEY_LOG_ACCESS=yes", "JITNEY_LOG_ACCESS: \"yes\" is neither true nor false"},
        {"", "JITNEY_LISTEN=127.0.0.1:1,",
         "JITNEY_LISTEN: \"\" is not IP:PORT, [IPv6]:PORT or unix:PATH"},
        {"", "JITNEY_ADMIN_LISTEN=0.0.0.0:1",
         "JITNEY_ADMIN_LISTEN: 0.0.0.0:1 can be reached from other machines: set "
         "admin_token_file, or listen on 127.0.0.1 or a Unix socket"},
        /* A lower source is checked, even where a higher one has the say. */
        {"--workers 2", "JITNEY_WORKERS=x", "JITNEY_WORKERS: \"x\" is not a whole number"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_load_fails(cases[i].flags, cases[i].environment, cases[i].expected);
}

static void too_many_addresses_and_queues_are_refused(void **state)
{
    (void)state;
    char text[32768];
    size_t used = (size_t)snprintf(text, sizeof text, "{\"listen\": [");
    for (int i = 0; i < 17; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"127.0.0.1:%d\"",
                                 i > 0 ? "," : "", i + 1);
    snprintf(text + used, sizeof text - used, "]}");
    assert_text_fails(text, strlen(text), "jitney.json:1: listen: more than 16 addresses");

    used = (size_t)snprintf(text, sizeof text, "{\"queues\": {");
    for (int i = 0; i < 257; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"q%d\": {}",
                                 i > 0 ? ",\n" : "", i);
    snprintf(text + used, sizeof text - used, "}}");
    assert_text_fails(text, strlen(text), "jitney.json:257: queues.q256: more than 256 queues");
}

static void messages_stay_within_their_bounds(void **state)
{
    (void)state;
    char text[4096], value[2001] = "";
    struct config *config;
    struct config_error error;
    memset(value, 'x', sizeof value - 1);
    snprintf(text, sizeof text, "{\"%s\": 1}", value);
    assert_int_equal(config_load_text(value, text, strlen(text), &config, &error), CONFIG_BAD);
    assert_non_null(strstr(error.text, ": unknown key"));
    snprintf(text, sizeof text, "{\"workers\": 1%0500d}", 0);
    assert_int_equal(config_load_text(value, text, strlen(text), &config, &error), CONFIG_BAD);
    assert_non_null(strstr(error.text, "is above the largest allowed value 1024"));
    snprintf(text, sizeof text, "{\"listen\": [\"%s\"]}", value);
    assert_int_equal(config_load_text(value, text, strlen(text), &config, &error), CONFIG_BAD);
    assert_non_null(strstr(error.text, "is not IP:PORT"));
}

/* --- Values. */

static void durations_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
        const char *shown;
    } cases[] = {
        {"0", 0, "0"},
        {"0s", 0, "0"},
        {"5s", 5 * NS_PER_S, "5s"},
        {"250ms", 250 * NS_PER_MS, "250ms"},
        {"100us", 100 * NS_PER_US, "100us"},
        {"7ns", 7, "7ns"},
        {"1.5s", 1500 * NS_PER_MS, "1500ms"},
        {"0.1s", 100 * NS_PER_MS, "100ms"},
        {"0.000000001s", 1, "1ns"},
        {"0.0000000010000000000000000000000000s", 1, "1ns"},
        {"2m", 120 * NS_PER_S, "120s"},
        {"60s", 60 * NS_PER_S, "60s"},
        {"1h", 3600 * NS_PER_S, "1h"},
        {"60m", 3600 * NS_PER_S, "1h"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char flags[128];
        snprintf(flags, sizeof flags, "--drain-delay %s", cases[i].text);
        struct config *config = load_ok(flags, "");
        assert_int_equal(config->drain_delay_ns, cases[i].ns);
        assert_setting(config, "drain.delay", cases[i].shown, "flag");
        config_destroy(config);
    }
}

static void what_is_no_duration_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"s",    "5",    "5 s",  "5S",    ".5s", "1.s",
                                        "1,5s", "5sec", "1e3s", "1m30s", "+5s", "0x5s"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[64], expected[256];
        snprintf(text, sizeof text, "{\"drain\": {\"delay\": \"%s\"}}", cases[i]);
        snprintf(expected, sizeof expected,
                 "jitney.json:1: drain.delay: \"%s\" is not a duration, such as 5s, 250ms or 100us",
                 cases[i]);
        assert_text_fails(text, strlen(text), expected);
    }
    assert_load_fails("--drain-delay 0.0000000001s", "",
                      "--drain-delay: \"0.0000000001s\" is finer than a nanosecond");
    assert_load_fails("--drain-delay 99999999999999999999h", "",
                      "--drain-delay: 99999999999999999999h is above the largest allowed value 1h");
    assert_load_fails("--drain-delay -1s", "",
                      "--drain-delay: -1s is below the smallest allowed value 0");
}

static void sizes_are_bytes_or_powers_of_1024(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        const char *shown;
    } cases[] = {
        {"1024", 1024, "1024"},          {"2048B", 2048, "2048"},
        {"16KiB", 16 * KIB, "16KiB"},    {"16384", 16384, "16KiB"},
        {"16MiB", 16 * MIB, "16MiB"},    {"1GiB", 1024 * MIB, "1GiB"},
        {"1000000", 1000000, "1000000"}, {"1536KiB", 1536 * KIB, "1536KiB"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char environment[128];
        snprintf(environment, sizeof environment, "JITNEY_HTTP_BODY_BYTES_MAX=%s", cases[i].text);
        struct config *config = load_ok("", environment);
        assert_int_equal(config->http.body_bytes_max, cases[i].bytes);
        assert_setting(config, "http.body_bytes_max", cases[i].shown, "environment");
        config_destroy(config);
    }
    static const char *const wrong[] = {"16MB", "16M", "1.5MiB", "MiB", "16 MiB", "16mib"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char text[64], expected[256];
        snprintf(text, sizeof text, "{\"http\": {\"body_bytes_max\": \"%s\"}}", wrong[i]);
        snprintf(expected, sizeof expected,
                 "jitney.json:1: http.body_bytes_max: \"%s\" is not a size, such as 4096, 64KiB, "
                 "16MiB or 1GiB",
                 wrong[i]);
        assert_text_fails(text, strlen(text), expected);
    }
    assert_load_fails("", "JITNEY_HTTP_BODY_BYTES_MAX=99999999999999999GiB",
                      "JITNEY_HTTP_BODY_BYTES_MAX: 99999999999999999GiB is above the largest "
                      "allowed value 1GiB");
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        unsigned port;
        const char *unix_path;
        bool local;
    } cases[] = {
        {"127.0.0.1:8001", "127.0.0.1", 8001, NULL, true},
        {"127.9.9.9:0", "127.9.9.9", 0, NULL, true},
        {"localhost:80", "127.0.0.1", 80, NULL, true},
        {"0.0.0.0:65535", "0.0.0.0", 65535, NULL, false},
        {"10.1.2.3:1", "10.1.2.3", 1, NULL, false},
        {"[::1]:8001", "::1", 8001, NULL, true},
        {"[0:0:0:0:0:0:0:1]:8001", "::1", 8001, NULL, true},
        {"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, NULL, true},
        {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1, NULL, false},
        {"[::]:1", "::", 1, NULL, false},
        {"[2001:DB8::1]:1", "2001:db8::1", 1, NULL, false},
        {"unix:/run/jitney.sock", NULL, 0, "/run/jitney.sock", true},
        {"unix:relative:80", NULL, 0, "relative:80", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char flags[128];
        snprintf(flags, sizeof flags, "--listen %s", cases[i].text);
        struct config *config = load_ok(flags, "");
        const struct config_listener *listener = &config->listen[0];
        assert_string_equal(listener->text, cases[i].text);
        assert_int_equal(listener->port, cases[i].port);
        assert_int_equal(config_listener_is_local(listener), cases[i].local);
        if (cases[i].host != NULL) {
            assert_string_equal(listener->host, cases[i].host);
            assert_null(listener->unix_path);
        } else {
            assert_null(listener->host);
            assert_string_equal(listener->unix_path, cases[i].unix_path);
        }
        config_destroy(config);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char form[] = "is not IP:PORT, [IPv6]:PORT or unix:PATH";
    static const char port[] = "has no port from 0 to 65535";
    static const char host[] = "has no host: write 0.0.0.0:PORT or [::]:PORT for every interface";
    static const char brackets[] =
        "is not IP:PORT: an IPv6 address stands in brackets, as in [::1]:8001";
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"8001", form},
        {"", form},
        {"127.0.0.1", form},
        {"example.org:80", form},
        {"127.0.0.1.5:80", form},
        {"256.0.0.1:80", form},
        {"*:80", form},
        {"[127.0.0.1]:80", form},
        {"[localhost]:80", form},
        {"[::1:80", brackets},
        {"[fe80::1%eth0]:80", form},
        {"http://127.0.0.1:80", brackets},
        {":8001", host},
        {"[]:8001", host},
        {"::1:8001", brackets},
        {"127.0.0.1:", port},
        {"127.0.0.1:65536", port},
        {"127.0.0.1:-1", port},
        {"127.0.0.1:+1", port},
        {"127.0.0.1:80x", port},
        {"127.0.0.1:000080", port},
        {"[::1]", port},
        {"unix:", "has no path behind unix:"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[128], expected[256];
        snprintf(text, sizeof text, "{\"listen\": [\"%s\"]}", cases[i].text);
        snprintf(expected, sizeof expected, "jitney.json:1: listen: \"%s\" %s", cases[i].text,
                 cases[i].why);
        assert_text_fails(text, strlen(text), expected);
    }
}

static void a_unix_path_has_at_most_107_bytes(void **state)
{
    (void)state;
    char flags[160];
    snprintf(flags, sizeof flags, "--listen unix:/%0106d", 0);
    config_destroy(load_ok(flags, ""));
    snprintf(flags, sizeof flags, "--listen unix:/%0107d", 0);
    struct config *config = NULL;
    struct config_error error;
    assert_int_equal(load(flags, "", &config, &error), CONFIG_BAD);
    assert_non_null(strstr(error.text, "is too long: a Unix socket's path has at most 107 bytes"));
}

static void several_listeners_may_have_port_0(void **state)
{
    (void)state;
    config_destroy(
        load_ok("--listen 127.0.0.1:0 --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0", ""));
}

static void an_admin_listener_with_a_token_may_be_reachable(void **state)
{
    (void)state;
    config_destroy(
        load_ok("--admin-listen 0.0.0.0:8002", "JITNEY_ADMIN_TOKEN_FILE=/run/secrets/token"));
}

/* --- What is shown. */

static void assert_contains(const struct buffer *text, const char *wanted)
{
    if (memmem(text->data, text->bytes, wanted, strlen(wanted)) == NULL)
        fail_msg("\"%s\" is not in: %.*s", wanted, (int)text->bytes, text->data);
}

static void json_has_value_source_and_default_of_each_key(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, MIB);
    struct config *config =
        text_ok("{\"workers\": 3, \"models\": \"m\\\"x\", \"listen\": [\"127.0.0.1:1\", "
                "\"unix:/s\"], \"batching\": {\"max_delay\": \"250us\"}, \"log\": {\"level\": "
                "\"warn\"}, \"queues\": {\"digits\": {\"max_delay\": 2}}}");
    config_to_json(config, &text);
    assert_false(text.failed);
    static const char *const wanted[] = {
        "{\"settings\":{\"listen\":{\"value\":[\"127.0.0.1:1\",\"unix:/s\"],\"source\":\"file\","
        "\"default\":[\"127.0.0.1:8001\"]},",
        "\"workers\":{\"value\":3,\"source\":\"file\",\"default\":0}",
        "\"models\":{\"value\":\"m\\\"x\",\"source\":\"file\",\"default\":\"models\"}",
        "\"admin_token_file\":{\"value\":null,\"source\":\"default\",\"default\":null}",
        "\"log.level\":{\"value\":\"warn\",\"source\":\"file\",\"default\":\"info\"}",
        "\"log.access\":{\"value\":false,\"source\":\"default\",\"default\":false}",
        "\"http.body_bytes_max\":{\"value\":16777216,\"source\":\"default\",\"default\":16777216,"
        "\"unit\":\"bytes\"}",
        "\"batching.max_delay\":{\"value\":0.00025,\"source\":\"file\",\"default\":0,"
        "\"unit\":\"seconds\"}",
        "\"queues.digits.max_delay\":{\"value\":2,\"source\":\"file\",\"default\":0.00025,"
        "\"unit\":\"seconds\"}}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        assert_contains(&text, wanted[i]);
    config_destroy(config);
    buffer_deinit(&text);
}

static void keep_key(void *ctx, const char *key, const char *value, const char *source)
{
    (void)value;
    (void)source;
    assert_contains(ctx, key);
}

static void help_names_every_flag_and_key_within_100_columns(void **state)
{
    (void)state;
    static const char *const flags[] = {
        "--config",       "--listen",       "--admin-listen",  "--models",    "--io-threads",
        "--workers",      "--drain-delay",  "--drain-timeout", "--log-level", "--log-format",
        "--check-config", "--check-health", "--version",       "--help",
    };
    struct buffer text;
    buffer_init(&text, MIB);
    config_help(&text);
    assert_false(text.failed);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        assert_contains(&text, flags[i]);
    struct config *config = load_ok("", "");
    config_each(config, keep_key, &text);
    config_destroy(config);

    size_t columns = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        columns = text.data[i] == '\n' ? 0 : columns + 1;
        assert_true(columns <= 100);
    }
    buffer_deinit(&text);
}

/* With JITNEY_UPDATE=1 the file is written instead. */
static void the_manual_is_what_the_table_says(void **state)
{
    (void)state;
    static const char path[] = JITNEY_SOURCE_DIR "/docs/configuration.md";
    struct buffer wanted;
    buffer_init(&wanted, MIB);
    config_markdown(&wanted);
    assert_false(wanted.failed);
    FILE *file;
    if (getenv("JITNEY_UPDATE") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(wanted.data, 1, wanted.bytes, file), wanted.bytes);
        assert_int_equal(fclose(file), 0);
    }
    char *found = calloc(1, MIB);
    assert_non_null(found);
    file = fopen(path, "r");
    assert_non_null(file);
    const size_t bytes = fread(found, 1, MIB - 1, file);
    fclose(file);
    buffer_append(&wanted, "", 1);
    assert_string_equal(found, wanted.data);
    assert_int_equal(bytes, wanted.bytes - 1);
    free(found);
    buffer_deinit(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_means_the_documented_defaults),
        cmocka_unit_test(flags_beat_environment_beats_file_beats_default),
        cmocka_unit_test(addresses_of_a_higher_source_replace_all_of_a_lower),
        cmocka_unit_test(every_setting_has_a_variable),
        cmocka_unit_test(variables_that_are_not_ours_are_let_through),
        cmocka_unit_test(commands_are_told_apart),
        cmocka_unit_test(the_file_sets_everything_and_may_have_comments),
        cmocka_unit_test(a_queue_differs_only_in_what_is_given),
        cmocka_unit_test(the_file_beats_the_models_own_words_beat_batching),
        cmocka_unit_test(wrong_files_are_refused_with_line_and_key),
        cmocka_unit_test(text_that_is_no_json_is_refused_with_line_and_column),
        cmocka_unit_test(a_file_that_is_missing_or_too_large_is_named),
        cmocka_unit_test(wrong_flags_and_variables_are_refused_by_name),
        cmocka_unit_test(too_many_addresses_and_queues_are_refused),
        cmocka_unit_test(messages_stay_within_their_bounds),
        cmocka_unit_test(durations_are_exact),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(sizes_are_bytes_or_powers_of_1024),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_unix_path_has_at_most_107_bytes),
        cmocka_unit_test(several_listeners_may_have_port_0),
        cmocka_unit_test(an_admin_listener_with_a_token_may_be_reachable),
        cmocka_unit_test(json_has_value_source_and_default_of_each_key),
        cmocka_unit_test(help_names_every_flag_and_key_within_100_columns),
        cmocka_unit_test(the_manual_is_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
