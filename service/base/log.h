/*
 * log.h - one line per event on standard error, for an operator.
 *
 *   Threads    any thread may write. A line is formatted by the caller, put
 *              into a bounded ring and written by a thread of the log's own,
 *              so a blocked pipe never blocks an event loop: lines that find
 *              the ring full are dropped, counted, and the loss is said once
 *              there is room.
 *   Ownership  log_create() to log_destroy(); destroy writes what is queued,
 *              waiting at most a second for a blocked pipe.
 *   Safety     values are escaped; never pass request bodies.
 *
 * A line is an event and its fields, in logfmt or JSON:
 *   ts=2026-11-21T02:20:00.123Z level=warn msg="queue full, answering 503" model=digits queued=4096
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
    LOG_LEVEL_COUNT
};
enum log_format {
    LOG_LOGFMT,
    LOG_JSON
};

const char *log_level_str(enum log_level level);

/* One key and its value; made by the functions below, good until the call ends. */
struct log_field {
    const char *key; /* [a-z_]+; NULL ends a list */
    enum {
        LOG_FIELD_STR,
        LOG_FIELD_INT,
        LOG_FIELD_FLOAT
    } kind;
    const char *str; /* NULL is written as an empty string */
    int64_t integer;
    double number;
};
#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_STR, .str = (v)})
#define LOG_INT(k, v) \
    ((struct log_field){.key = (k), .kind = LOG_FIELD_INT, .integer = (int64_t)(v)})
#define LOG_NUM(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_FLOAT, .number = (v)})

struct log;

struct log_config {
    enum log_level level; /* quieter lines are not written, nor counted */
    enum log_format format;
    int fd; /* usually STDERR_FILENO; borrowed */
};

/* 0, or -1 without memory or a thread; *out is then untouched. */
int log_create(const struct log_config *config, struct log **out)
    __attribute__((warn_unused_result));
void log_destroy(struct log *log);

bool log_enabled(const struct log *log, enum log_level level);

/* log_write(log, LOG_WARN, "queue full", LOG_STR("model", name), LOG_INT("queued", n)); */
#define log_write(log, level, ...) \
    LOG_WRITE_(log, level, __VA_ARGS__, ((struct log_field){.key = NULL}))
#define LOG_WRITE_(log, level, text, ...) \
    log_write_fields((log), (level), (text), (const struct log_field[]){__VA_ARGS__})

/* Fields end with one whose key is NULL. A NULL log is silent. */
void log_write_fields(struct log *log, enum log_level level, const char *text,
                      const struct log_field *fields);

/* Lines written at a level so far, and lines dropped because the ring was full. */
uint64_t log_lines(const struct log *log, enum log_level level);
uint64_t log_dropped(const struct log *log);

#endif
