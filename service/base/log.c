/*
 * log.c - a ring of finished lines between those who log and one slow file.
 *
 *   caller:  format on the stack --> [lock] copy into the ring, or count a drop
 *   writer:  [lock] copy whole lines out of the ring --> write(), which may block
 *
 * The lock is held for two memcpy() at most, never across a system call. While
 * a loss waits to be said, every further line is dropped too, so that the line
 * that says it stands where the gap is.
 */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "buffer.h"

enum {
    RING_BYTES = 1024 * 1024,
    /* Pipes keep writes of up to so many bytes whole when several processes share one. */
    LINE_BYTES_MAX = PIPE_BUF,
    /* Longer texts are cut. Even when every byte is escaped, a message fits in a line. */
    TEXT_BYTES_MAX = 512,
    /* Kept free behind the fields of a line for what end_line() may add. */
    END_BYTES_MAX = 32,
    /* A loss is said once so much is free, not before: announcing it for the sake of three
     * more lines would fill a slow pipe with announcements. */
    ANNOUNCE_BYTES_MIN = RING_BYTES / 4,
};
#define FLUSH_NS_MAX NS_PER_S
/* How often the writer looks whether anybody still waits for a blocked file, and how long it may
 * take to have noticed. */
#define POLL_MS 100
#define GIVE_UP_NS_MAX (5 * POLL_MS * NS_PER_MS)

struct log {
    enum log_level level;
    enum log_format format;
    int fd;
    locale_t c_locale;
    pthread_t writer;

    pthread_mutex_t lock;   /* guards the fields down to the blank line */
    pthread_cond_t changed; /* lines came, stop was asked, or the writer has ended */
    size_t ring_start;
    size_t ring_bytes;
    uint64_t unsaid; /* dropped since the last announcement */
    bool stopping;
    bool ended;

    atomic_bool given_up; /* what is still in the ring is lost */
    atomic_uint_fast64_t lines[LOG_LEVEL_COUNT];
    atomic_uint_fast64_t dropped;
    char ring[RING_BYTES];
};

const char *log_level_str(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARN:
        return "warn";
    case LOG_ERROR:
        return "error";
    case LOG_LEVEL_COUNT:
        break;
    }
    return "?";
}

/* --- One line, formatted on the caller's stack. */

struct line {
    struct buffer text; /* over `bytes`: born full-grown, so it never allocates */
    char bytes[LINE_BYTES_MAX];
};

static void line_init(struct line *line)
{
    const size_t room = sizeof line->bytes - END_BYTES_MAX;
    line->text = (struct buffer){.data = line->bytes, .capacity_bytes = room, .bytes_max = room};
}

/* The access log comes through here for every request, so what is simple is not left to printf. */
static void append_key(struct buffer *text, enum log_format format, const char *key)
{
    if (format == LOG_JSON)
        buffer_append_str(text, text->bytes == 0 ? "{\"" : ",\"");
    else if (text->bytes > 0)
        buffer_append(text, " ", 1);
    buffer_append_str(text, key);
    buffer_append_str(text, format == LOG_JSON ? "\":" : "=");
}

/* How much of `text` is kept: all, or what fits without cutting a UTF-8 sequence. */
static size_t clipped_bytes(const char *text, size_t bytes)
{
    if (bytes <= TEXT_BYTES_MAX)
        return bytes;
    size_t kept = TEXT_BYTES_MAX;
    for (size_t back = 0; back < 3 && ((unsigned char)text[kept] & 0xc0) == 0x80; back++)
        kept--;
    return kept;
}

static bool needs_quotes(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\=", text[i]) != NULL)
            return true;
    return bytes == 0;
}

static void append_text(struct buffer *line, enum log_format format, const char *text)
{
    char cut[TEXT_BYTES_MAX + sizeof "..."];
    size_t bytes = text != NULL ? strnlen(text, TEXT_BYTES_MAX + 1) : 0;
    const size_t kept = clipped_bytes(text, bytes);
    if (kept < bytes) {
        memcpy(cut, text, kept);
        memcpy(cut + kept, "...", 3);
        text = cut;
        bytes = kept + 3;
    }
    if (format == LOG_LOGFMT && !needs_quotes(text, bytes))
        buffer_append(line, text, bytes);
    else
        buffer_append_json_string(line, text, bytes);
}

static void append_integer(struct buffer *line, int64_t integer)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)integer);
    buffer_append_str(line, digits);
}

static void append_number(const struct log *log, struct buffer *line, double number)
{
    char digits[32];
    if (!isfinite(number)) {
        const char *name = isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf";
        buffer_append_str(line, log->format == LOG_JSON ? "null" : name);
        return;
    }
    /* The process may live in a locale that writes 0,5. */
    locale_t before = uselocale(log->c_locale);
    snprintf(digits, sizeof digits, "%.15g", number);
    uselocale(before);
    buffer_append_str(line, digits);
}

static void append_field(const struct log *log, struct buffer *line, const struct log_field *field)
{
    append_key(line, log->format, field->key);
    switch (field->kind) {
    case LOG_FIELD_STR:
        append_text(line, log->format, field->str);
        break;
    case LOG_FIELD_INT:
        append_integer(line, field->integer);
        break;
    case LOG_FIELD_FLOAT:
        append_number(log, line, field->number);
        break;
    }
}

/* The last `count` digits of `number` behind *at, and `end` behind them. */
static void put_digits(char **at, unsigned number, size_t count, char end)
{
    for (size_t i = count; i > 0; i--, number /= 10)
        (*at)[i - 1] = (char)('0' + number % 10);
    (*at)[count] = end;
    *at += count + 1;
}

/* 2026-11-21T02:20:00.123Z */
static void append_time(struct buffer *line, enum log_format format)
{
    struct timespec now;
    struct tm utc;
    char text[32], *at = text;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    put_digits(&at, (unsigned)utc.tm_year + 1900, 4, '-');
    put_digits(&at, (unsigned)utc.tm_mon + 1, 2, '-');
    put_digits(&at, (unsigned)utc.tm_mday, 2, 'T');
    put_digits(&at, (unsigned)utc.tm_hour, 2, ':');
    put_digits(&at, (unsigned)utc.tm_min, 2, ':');
    put_digits(&at, (unsigned)utc.tm_sec, 2, '.');
    put_digits(&at, (unsigned)((uint64_t)now.tv_nsec / NS_PER_MS), 3, 'Z');
    append_key(line, format, "ts");
    buffer_append_str(line, format == LOG_JSON ? "\"" : "");
    buffer_append(line, text, (size_t)(at - text));
    buffer_append_str(line, format == LOG_JSON ? "\"" : "");
}

/* A field that no longer fits takes the rest with it, and the line says so. */
static void append_fields(const struct log *log, struct line *line, const struct log_field *fields)
{
    for (const struct log_field *field = fields; field->key != NULL; field++) {
        const size_t before = line->text.bytes;
        append_field(log, &line->text, field);
        if (!line->text.failed)
            continue;
        line->text.failed = false;
        line->text.bytes = before;
        line->text.capacity_bytes = line->text.bytes_max = sizeof line->bytes;
        append_key(&line->text, log->format, "truncated");
        buffer_append_str(&line->text, "true");
        return;
    }
}

static void end_line(const struct log *log, struct line *line)
{
    line->text.capacity_bytes = line->text.bytes_max = sizeof line->bytes;
    buffer_append_str(&line->text, log->format == LOG_JSON ? "}\n" : "\n");
    assert(!line->text.failed);
}

static void format_line(const struct log *log, enum log_level level, const char *text,
                        const struct log_field *fields, struct line *line)
{
    line_init(line);
    append_time(&line->text, log->format);
    append_field(log, &line->text, &LOG_STR("level", log_level_str(level)));
    append_field(log, &line->text, &LOG_STR("msg", text));
    append_fields(log, line, fields);
    end_line(log, line);
}

/* --- The ring. All of it with the lock held. */

static void ring_push(struct log *log, const char *data, size_t bytes)
{
    const size_t end = (log->ring_start + log->ring_bytes) % RING_BYTES;
    const size_t first = bytes < RING_BYTES - end ? bytes : RING_BYTES - end;
    memcpy(log->ring + end, data, first);
    memcpy(log->ring, data + first, bytes - first);
    log->ring_bytes += bytes;
}

/* As many whole lines as `out` (LINE_BYTES_MAX) holds; how many bytes they are. */
static size_t ring_pop_lines(struct log *log, char *out)
{
    size_t bytes = log->ring_bytes < LINE_BYTES_MAX ? log->ring_bytes : LINE_BYTES_MAX;
    const size_t before_wrap = RING_BYTES - log->ring_start;
    const size_t first = bytes < before_wrap ? bytes : before_wrap;
    memcpy(out, log->ring + log->ring_start, first);
    memcpy(out + first, log->ring, bytes - first);
    while (bytes > 0 && out[bytes - 1] != '\n')
        bytes--;
    log->ring_start = (log->ring_start + bytes) % RING_BYTES;
    log->ring_bytes -= bytes;
    return bytes;
}

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void announce_drops(struct log *log)
{
    if (log->unsaid == 0 || RING_BYTES - log->ring_bytes < ANNOUNCE_BYTES_MIN)
        return;
    const struct log_field fields[] = {LOG_INT("dropped", log->unsaid), {.key = NULL}};
    struct line line;
    format_line(log, LOG_WARN, "log lines lost: whoever reads the log is too slow", fields, &line);
    ring_push(log, line.bytes, line.text.bytes);
    count(&log->lines[LOG_WARN]);
    log->unsaid = 0;
}

/* --- The writer's thread. */

static size_t wait_for_lines(struct log *log, char *out)
{
    pthread_mutex_lock(&log->lock);
    while (log->ring_bytes == 0 && !log->stopping)
        pthread_cond_wait(&log->changed, &log->lock);
    const size_t bytes = ring_pop_lines(log, out);
    announce_drops(log);
    pthread_mutex_unlock(&log->lock);
    return bytes;
}

/* Whether the file takes more, waiting for as long as nobody gives up on it. */
static bool wait_until_writable(const struct log *log)
{
    struct pollfd file = {.fd = log->fd, .events = POLLOUT};
    int rc;
    /* EINTR comes even with all signals blocked: SIGSTOP and SIGCONT. */
    while ((rc = poll(&file, 1, POLL_MS)) == 0 || (rc < 0 && errno == EINTR))
        if (atomic_load(&log->given_up))
            return false;
    return true;
}

/*
 * The file stays in the mode we were given it in, as it is shared with others; so
 * poll first: a pipe that is ready takes PIPE_BUF bytes without blocking. A file
 * that cannot be written any more swallows its lines, as there is nobody to tell.
 */
static void write_lines(const struct log *log, const char *lines, size_t bytes)
{
    for (size_t written = 0; written < bytes && wait_until_writable(log);) {
        const ssize_t rc = write(log->fd, lines + written, bytes - written);
        if (rc >= 0)
            written += (size_t)rc;
        else if (errno != EAGAIN && errno != EINTR)
            return;
    }
}

static void *writer_run(void *arg)
{
    struct log *log = arg;
    char lines[LINE_BYTES_MAX];
    pthread_setname_np(pthread_self(), "jitney-log");
    /* No lines means that stop was asked and the ring is empty. */
    for (size_t bytes; !atomic_load(&log->given_up) && (bytes = wait_for_lines(log, lines)) > 0;)
        write_lines(log, lines, bytes);

    pthread_mutex_lock(&log->lock);
    log->ended = true;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* --- Life cycle. */

/* Signals are for the main thread; a SIGPIPE that write() raises stays pending here. */
static int start_writer(struct log *log)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&log->writer, NULL, writer_run, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : -1;
}

static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return -1;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    const int rc = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return rc == 0 ? 0 : -1;
}

int log_create(const struct log_config *config, struct log **out)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return -1;
    log->level = config->level;
    log->format = config->format;
    log->fd = config->fd;
    log->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (log->c_locale == (locale_t)0)
        goto fail_log;
    if (pthread_mutex_init(&log->lock, NULL) != 0)
        goto fail_locale;
    if (init_condition(&log->changed) != 0)
        goto fail_lock;
    if (start_writer(log) != 0)
        goto fail_condition;
    *out = log;
    return 0;

fail_condition:
    pthread_cond_destroy(&log->changed);
fail_lock:
    pthread_mutex_destroy(&log->lock);
fail_locale:
    freelocale(log->c_locale);
fail_log:
    free(log);
    return -1;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

static bool wait_for_end(struct log *log, uint64_t ns_max)
{
    const struct timespec deadline = timespec_of(clock_now_ns() + ns_max);
    int rc = 0;
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_broadcast(&log->changed);
    while (!log->ended && rc == 0)
        rc = pthread_cond_timedwait(&log->changed, &log->lock, &deadline);
    const bool ended = log->ended;
    pthread_mutex_unlock(&log->lock);
    return ended;
}

static bool stop_writer(struct log *log)
{
    if (wait_for_end(log, FLUSH_NS_MAX))
        return true;
    atomic_store(&log->given_up, true);
    return wait_for_end(log, GIVE_UP_NS_MAX);
}

void log_destroy(struct log *log)
{
    if (log == NULL)
        return;
    if (!stop_writer(log)) {
        /* It hangs in write(): a terminal, or somebody filled the pipe between poll() and there.
         * Better to leave it the memory it uses than to hang, too. */
        pthread_detach(log->writer);
        return;
    }
    pthread_join(log->writer, NULL);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->lock);
    freelocale(log->c_locale);
    free(log);
}

/* --- Writing. */

bool log_enabled(const struct log *log, enum log_level level)
{
    return log != NULL && level >= log->level;
}

void log_write_fields(struct log *log, enum log_level level, const char *text,
                      const struct log_field *fields)
{
    if (!log_enabled(log, level))
        return;
    struct line line;
    format_line(log, level, text, fields, &line);

    pthread_mutex_lock(&log->lock);
    const bool kept = log->unsaid == 0 && line.text.bytes <= RING_BYTES - log->ring_bytes;
    if (kept)
        ring_push(log, line.bytes, line.text.bytes);
    else
        log->unsaid++;
    pthread_cond_signal(&log->changed);
    pthread_mutex_unlock(&log->lock);
    count(kept ? &log->lines[level] : &log->dropped);
}

uint64_t log_lines(const struct log *log, enum log_level level)
{
    return atomic_load_explicit(&log->lines[level], memory_order_relaxed);
}

uint64_t log_dropped(const struct log *log)
{
    return atomic_load_explicit(&log->dropped, memory_order_relaxed);
}
