/* test_log.c - the log, seen from the other end of a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "log.h"

struct pipe_log {
    struct log *log;
    int read_fd;
    int write_fd;
};

static void open_pipe_log(struct pipe_log *p, enum log_level level, enum log_format format)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    p->read_fd = fds[0];
    p->write_fd = fds[1];
    const struct log_config config = {.level = level, .format = format, .fd = p->write_fd};
    assert_int_equal(log_create(&config, &p->log), 0);
}

/* Everything that is left once the log is gone; to be freed. */
static char *finish(struct pipe_log *p)
{
    log_destroy(p->log);
    close(p->write_fd);
    char *text = calloc(1, 64 * KIB);
    assert_non_null(text);
    size_t bytes = 0;
    for (ssize_t rc; (rc = read(p->read_fd, text + bytes, 64 * KIB - 1 - bytes)) > 0;)
        bytes += (size_t)rc;
    close(p->read_fd);
    return text;
}

/* ts=2026-11-21T02:20:00.123Z */
static void assert_time(const char *at)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; shape[i] != '\0'; i++) {
        if (shape[i] == 'd')
            assert_in_range(at[i], '0', '9');
        else
            assert_int_equal(at[i], shape[i]);
    }
}

/* What one line says behind its time stamp; `expected` without the newline. */
static void assert_line(enum log_format format, const char *text, const char *expected)
{
    const size_t before = strlen(format == LOG_JSON ? "{\"ts\":\"" : "ts=");
    const size_t after = format == LOG_JSON ? 2 : 1;
    assert_memory_equal(text, format == LOG_JSON ? "{\"ts\":\"" : "ts=", before);
    assert_time(text + before);
    char wanted[8192];
    snprintf(wanted, sizeof wanted, "%s\n", expected);
    assert_string_equal(text + before + strlen("2026-11-21T02:20:00.123Z") + after, wanted);
}

static void a_line_has_time_level_message_and_fields(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    log_write(p.log, LOG_WARN, "queue full, answering 503", LOG_STR("model", "digits"),
              LOG_INT("queued", 4096), LOG_NUM("seconds", 0.25));
    assert_int_equal(log_lines(p.log, LOG_WARN), 1);
    char *text = finish(&p);
    assert_line(LOG_LOGFMT, text,
                "level=warn msg=\"queue full, answering 503\" model=digits queued=4096 "
                "seconds=0.25");
    free(text);
}

static void a_json_line_is_an_object(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_JSON);
    log_write(p.log, LOG_ERROR, "started", LOG_STR("model", "digits"), LOG_INT("queued", -1),
              LOG_NUM("seconds", 1e-9));
    char *text = finish(&p);
    assert_line(LOG_JSON, text,
                "\"level\":\"error\",\"msg\":\"started\",\"model\":\"digits\",\"queued\":-1,"
                "\"seconds\":1e-09}");
    free(text);
}

static void a_line_without_fields_is_complete(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    log_write(p.log, LOG_INFO, "ready");
    char *text = finish(&p);
    assert_line(LOG_LOGFMT, text, "level=info msg=ready");
    free(text);
}

static void logfmt_quotes_only_what_needs_it(void **state)
{
    (void)state;
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"plain-1.2/3", "v=plain-1.2/3"},
        {"", "v=\"\""},
        {NULL, "v=\"\""},
        {"two words", "v=\"two words\""},
        {"a=b", "v=\"a=b\""},
        {"say \"hi\"", "v=\"say \\\"hi\\\"\""},
        {"back\\slash", "v=\"back\\\\slash\""},
        {"x\nlevel=error", "v=\"x\\u000alevel=error\""},
        {"\x1b[31mred", "v=\"\\u001b[31mred\""},
        {"\xc2\x9b"
         "31m",
         "v=\"\\u009b31m\""},
        {"gr\xc3\xbc\xc3\x9f", "v=\"gr\xc3\xbc\xc3\x9f\""},
        {"\xff\xfe", "v=\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pipe_log p;
        char expected[256];
        open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
        log_write(p.log, LOG_INFO, "m", LOG_STR("v", cases[i].value));
        char *text = finish(&p);
        snprintf(expected, sizeof expected, "level=info msg=m %s", cases[i].expected);
        assert_line(LOG_LOGFMT, text, expected);
        free(text);
    }
}

static void numbers_that_are_not_finite_are_named_or_null(void **state)
{
    (void)state;
    struct pipe_log p;
    const double zero = 0;
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    log_write(p.log, LOG_INFO, "m", LOG_NUM("a", zero / zero), LOG_NUM("b", 1 / zero),
              LOG_NUM("c", -1 / zero));
    char *text = finish(&p);
    assert_line(LOG_LOGFMT, text, "level=info msg=m a=NaN b=+Inf c=-Inf");
    free(text);

    open_pipe_log(&p, LOG_INFO, LOG_JSON);
    log_write(p.log, LOG_INFO, "m", LOG_NUM("a", zero / zero));
    text = finish(&p);
    assert_line(LOG_JSON, text, "\"level\":\"info\",\"msg\":\"m\",\"a\":null}");
    free(text);
}

static void a_locale_with_decimal_commas_changes_nothing(void **state)
{
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL && setlocale(LC_NUMERIC, "de_DE") == NULL)
        skip();
    char comma[8];
    snprintf(comma, sizeof comma, "%.1f", 0.5);
    assert_string_equal(comma, "0,5");
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_JSON);
    log_write(p.log, LOG_INFO, "m", LOG_NUM("a", 0.5), LOG_INT("b", 1234567));
    char *text = finish(&p);
    snprintf(comma, sizeof comma, "%.1f", 0.5);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(comma, "0,5");
    assert_line(LOG_JSON, text, "\"level\":\"info\",\"msg\":\"m\",\"a\":0.5,\"b\":1234567}");
    free(text);
}

static void quieter_levels_are_neither_written_nor_counted(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_WARN, LOG_LOGFMT);
    assert_false(log_enabled(p.log, LOG_INFO));
    assert_true(log_enabled(p.log, LOG_WARN));
    log_write(p.log, LOG_DEBUG, "no");
    log_write(p.log, LOG_INFO, "no");
    log_write(p.log, LOG_ERROR, "yes");
    assert_int_equal(log_lines(p.log, LOG_DEBUG), 0);
    assert_int_equal(log_lines(p.log, LOG_INFO), 0);
    assert_int_equal(log_lines(p.log, LOG_ERROR), 1);
    char *text = finish(&p);
    assert_line(LOG_LOGFMT, text, "level=error msg=yes");
    free(text);
}

static void no_log_at_all_is_silent(void **state)
{
    (void)state;
    assert_false(log_enabled(NULL, LOG_ERROR));
    log_write(NULL, LOG_ERROR, "nobody hears", LOG_INT("a", 1));
    log_destroy(NULL);
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    struct pipe_log p;
    char value[1025], expected[1024];
    /* 511 bytes, then characters of two: the 512th byte is the first half of one. */
    memset(value, 'x', 511);
    for (size_t i = 511; i + 1 < sizeof value - 1; i += 2)
        memcpy(value + i, "\xc3\xbc", 3);
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    log_write(p.log, LOG_INFO, "m", LOG_STR("v", value));
    char *text = finish(&p);
    snprintf(expected, sizeof expected, "level=info msg=m v=%.511s...", value);
    assert_line(LOG_LOGFMT, text, expected);
    free(text);
}

static void fields_that_do_not_fit_are_left_out_and_the_line_says_so(void **state)
{
    (void)state;
    struct pipe_log p;
    char value[513] = "", expected[8192];
    memset(value, '\x01', 512); /* each becomes six bytes */
    open_pipe_log(&p, LOG_INFO, LOG_JSON);
    log_write(p.log, LOG_INFO, "m", LOG_STR("a", value), LOG_STR("b", value), LOG_INT("c", 1));
    char *text = finish(&p);
    size_t used = (size_t)snprintf(expected, sizeof expected, "%s",
                                   "\"level\":\"info\",\"msg\":\"m\",\"a\":\"");
    for (size_t i = 0; i < 512; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "\\u0001");
    snprintf(expected + used, sizeof expected - used, "\",\"truncated\":true}");
    assert_line(LOG_JSON, text, expected);
    assert_true(strlen(text) <= 4096);
    free(text);
}

static void a_message_of_the_worst_bytes_still_fits(void **state)
{
    (void)state;
    struct pipe_log p;
    char message[2001] = "";
    memset(message, '\x02', 2000);
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    log_write(p.log, LOG_INFO, message, LOG_INT("c", 1));
    char *text = finish(&p);
    assert_non_null(strstr(text, "\\u0002...\" c=1\n"));
    free(text);
}

/* --- A reader that does not read. */

struct tally {
    uint64_t lines;     /* of ours */
    uint64_t announced; /* drops, as the log says */
    bool announced_last;
};

/* Reads whole lines until the end and checks that ours are in order. */
static struct tally read_to_the_end(int fd)
{
    struct tally tally = {0};
    FILE *file = fdopen(fd, "r");
    assert_non_null(file);
    char line[8192];
    unsigned long long next = 0, number;
    while (fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, " n=");
        assert_int_equal(line[strlen(line) - 1], '\n');
        if (at != NULL && sscanf(at, " n=%llu", &number) == 1) {
            assert_true(number >= next);
            next = number + 1;
            tally.lines++;
            tally.announced_last = false;
        } else {
            at = strstr(line, " dropped=");
            assert_non_null(at);
            assert_int_equal(sscanf(at, " dropped=%llu", &number), 1);
            tally.announced += number;
            tally.announced_last = true;
        }
    }
    fclose(file);
    return tally;
}

static void *read_to_the_end_in_thread(void *arg)
{
    struct tally *tally = arg;
    *tally = read_to_the_end((int)tally->lines);
    return NULL;
}

static void a_blocked_pipe_costs_lines_that_are_counted_and_announced(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    uint64_t written = 0;
    /* Would not end if a full pipe blocked us. */
    while (log_dropped(p.log) < 1000)
        log_write(p.log, LOG_INFO, "blocked", LOG_INT("n", written++));
    assert_int_equal(log_lines(p.log, LOG_INFO) + log_dropped(p.log), written);
    const uint64_t dropped = log_dropped(p.log);

    struct tally tally = {.lines = (uint64_t)p.read_fd};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_to_the_end_in_thread, &tally), 0);
    /* The announcement comes without another line being written. */
    while (log_lines(p.log, LOG_WARN) == 0)
        sched_yield();
    assert_int_equal(log_dropped(p.log), dropped);
    log_write(p.log, LOG_INFO, "again", LOG_INT("n", written++));
    log_destroy(p.log);
    close(p.write_fd);
    pthread_join(reader, NULL);
    assert_int_equal(tally.announced, dropped);
    assert_int_equal(tally.lines + tally.announced, written);
    assert_false(tally.announced_last);
}

static void destroy_gives_a_blocked_pipe_one_second(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    while (log_dropped(p.log) == 0)
        log_write(p.log, LOG_INFO, "blocked");
    const uint64_t start_ns = clock_now_ns();
    log_destroy(p.log);
    const uint64_t took_ns = clock_now_ns() - start_ns;
    assert_true(took_ns >= 900 * NS_PER_MS);
    assert_true(took_ns < 10 * NS_PER_S);
    close(p.read_fd);
    close(p.write_fd);
}

static void a_non_blocking_pipe_gets_every_line(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    assert_int_equal(fcntl(p.write_fd, F_SETFL, O_NONBLOCK), 0);
    enum {
        LINES = 3000
    }; /* more than a pipe holds, less than the ring */
    for (int i = 0; i < LINES; i++)
        log_write(p.log, LOG_INFO, "a line of some length, so that the pipe fills",
                  LOG_INT("n", i));
    assert_int_equal(log_dropped(p.log), 0);
    struct tally tally = {.lines = (uint64_t)p.read_fd};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_to_the_end_in_thread, &tally), 0);
    log_destroy(p.log);
    close(p.write_fd);
    pthread_join(reader, NULL);
    assert_int_equal(tally.lines, LINES);
}

static void a_reader_that_left_neither_kills_nor_blocks(void **state)
{
    (void)state;
    struct pipe_log p;
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    /* The test does not ignore SIGPIPE: it would die here. */
    close(p.read_fd);
    for (int i = 0; i < 1000; i++)
        log_write(p.log, LOG_INFO, "into the void");
    log_destroy(p.log);
    close(p.write_fd);
}

/* --- Many threads. */

enum {
    THREADS = 8,
    LINES_EACH = 500
};

struct writer {
    struct log *log;
    int number;
};

static void *write_lines(void *arg)
{
    const struct writer *writer = arg;
    for (int i = 0; i < LINES_EACH; i++)
        log_write(writer->log, LOG_INFO, "from a thread", LOG_INT("thread", writer->number),
                  LOG_INT("line", i), LOG_STR("end", "here"));
    return NULL;
}

static void many_threads_write_whole_lines_each_in_its_order(void **state)
{
    (void)state;
    struct pipe_log p;
    struct writer writers[THREADS];
    pthread_t threads[THREADS];
    open_pipe_log(&p, LOG_INFO, LOG_LOGFMT);
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){p.log, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &writers[i]), 0);
    }
    FILE *file = fdopen(p.read_fd, "r");
    assert_non_null(file);
    int next[THREADS] = {0};
    char line[8192];
    for (int i = 0; i < THREADS * LINES_EACH; i++) {
        int thread, number, end = 0;
        assert_non_null(fgets(line, sizeof line, file));
        assert_int_equal(
            sscanf(line, "ts=%*s level=info msg=\"from a thread\" thread=%d line=%d end=here%n",
                   &thread, &number, &end),
            2);
        assert_true(thread >= 0 && thread < THREADS);
        assert_int_equal(number, next[thread]++);
        assert_string_equal(line + end, "\n");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(log_lines(p.log, LOG_INFO), THREADS * LINES_EACH);
    log_destroy(p.log);
    close(p.write_fd);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_message_and_fields),
        cmocka_unit_test(a_json_line_is_an_object),
        cmocka_unit_test(a_line_without_fields_is_complete),
        cmocka_unit_test(logfmt_quotes_only_what_needs_it),
        cmocka_unit_test(numbers_that_are_not_finite_are_named_or_null),
        cmocka_unit_test(a_locale_with_decimal_commas_changes_nothing),
        cmocka_unit_test(quieter_levels_are_neither_written_nor_counted),
        cmocka_unit_test(no_log_at_all_is_silent),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(fields_that_do_not_fit_are_left_out_and_the_line_says_so),
        cmocka_unit_test(a_message_of_the_worst_bytes_still_fits),
        cmocka_unit_test(a_blocked_pipe_costs_lines_that_are_counted_and_announced),
        cmocka_unit_test(destroy_gives_a_blocked_pipe_one_second),
        cmocka_unit_test(a_non_blocking_pipe_gets_every_line),
        cmocka_unit_test(a_reader_that_left_neither_kills_nor_blocks),
        cmocka_unit_test(many_threads_write_whole_lines_each_in_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
