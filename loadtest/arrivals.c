/*
 * arrivals.c - see arrivals.h.
 */
#include "arrivals.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRACE_TIMES_MAX = 10 * 1000 * 1000, /* 80 MB */
    TRACE_LINE_BYTES_MAX = 256,
};

/* A day: what is beyond is a mistake of units. */
static const double TRACE_SECONDS_MAX = 86400;

void arrivals_init_uniform(struct arrivals *a, double rate)
{
    assert(rate > 0);
    *a = (struct arrivals){.kind = ARRIVALS_UNIFORM, .rate = rate};
}

void arrivals_init_poisson(struct arrivals *a, double rate, uint64_t seed)
{
    assert(rate > 0);
    *a = (struct arrivals){.kind = ARRIVALS_POISSON, .rate = rate, ._random = {.state = seed}};
}

void arrivals_init_trace(struct arrivals *a, const uint64_t *times_ns, size_t count)
{
    const double seconds = count > 0 ? (double)times_ns[count - 1] / 1e9 : 0;
    *a = (struct arrivals){
        .kind = ARRIVALS_TRACE,
        .rate = seconds > 0 ? (double)count / seconds : 0,
        ._trace = times_ns,
        ._trace_count = count,
    };
}

/* From the index, not by adding gaps: rounding does not pile up. */
static uint64_t next_uniform(struct arrivals *a)
{
    return (uint64_t)((double)a->_index++ * 1e9 / a->rate);
}

static uint64_t next_poisson(struct arrivals *a)
{
    /* 1 - u is in (0, 1], so the logarithm is finite. */
    a->_at_ns += -log(1 - load_random_unit(&a->_random)) * 1e9 / a->rate;
    return (uint64_t)a->_at_ns;
}

static uint64_t next_of_trace(struct arrivals *a)
{
    return a->_index < a->_trace_count ? a->_trace[a->_index++] : ARRIVALS_NONE;
}

uint64_t arrivals_next_ns(struct arrivals *a)
{
    switch (a->kind) {
    case ARRIVALS_UNIFORM:
        return next_uniform(a);
    case ARRIVALS_POISSON:
        return next_poisson(a);
    case ARRIVALS_TRACE:
        return next_of_trace(a);
    }
    return ARRIVALS_NONE;
}

/* --- The file. */

struct trace {
    uint64_t *times_ns;
    size_t count;
    size_t capacity;
};

static bool trace_append(struct trace *trace, uint64_t time_ns)
{
    if (trace->count == trace->capacity) {
        const size_t capacity = trace->capacity == 0 ? 1024 : trace->capacity * 2;
        uint64_t *times = realloc(trace->times_ns, capacity * sizeof *times);
        if (times == NULL)
            return false;
        trace->times_ns = times;
        trace->capacity = capacity;
    }
    trace->times_ns[trace->count++] = time_ns;
    return true;
}

static bool is_blank(const char *line)
{
    line += strspn(line, " \t\r\n");
    return *line == '\0' || *line == '#';
}

/* Why the line is wrong; NULL when its time was taken. */
static const char *take_line(struct trace *trace, const char *line)
{
    char *end;
    const double seconds = strtod(line, &end);
    if (end == line || !is_blank(end))
        return "is not a time in seconds";
    if (!(seconds >= 0 && seconds <= TRACE_SECONDS_MAX))
        return "is not a time from 0 to 86400 s";
    const uint64_t time_ns = (uint64_t)(seconds * 1e9);
    if (trace->count > 0 && time_ns < trace->times_ns[trace->count - 1])
        return "is before the line above it";
    if (trace->count == TRACE_TIMES_MAX)
        return "is more than ten million times";
    return trace_append(trace, time_ns) ? NULL : "does not fit in memory";
}

static bool read_lines(FILE *file, const char *path, struct trace *trace, struct load_error *error)
{
    char line[TRACE_LINE_BYTES_MAX];
    for (size_t number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        const char *wrong = is_blank(line) ? NULL : take_line(trace, line);
        if (wrong != NULL)
            return load_fail(error, "%s:%zu %s", path, number, wrong);
    }
    if (ferror(file))
        return load_fail(error, "%s cannot be read: %s", path, strerror(errno));
    return trace->count > 0 || load_fail(error, "%s holds no time", path);
}

bool arrivals_read_trace(const char *path, uint64_t **out_times, size_t *out_count,
                         struct load_error *error)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return load_fail(error, "%s cannot be opened: %s", path, strerror(errno));
    struct trace trace = {0};
    const bool ok = read_lines(file, path, &trace, error);
    fclose(file);
    if (!ok) {
        free(trace.times_ns);
        return false;
    }
    *out_times = trace.times_ns;
    *out_count = trace.count;
    return true;
}
