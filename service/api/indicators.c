#include "indicators.h"

#include <stdint.h>

#include "json_text.h"
#include "number_write.h"

enum {
    VECTOR_BYTES = 64,
    PAGE_BYTES = 4096
};

/* What is left to see when the numbers have been read: that there was nothing else. */
static bool check_numbers(const char *array, struct json_elements elements, const char *path,
                          struct api_error *error)
{
    if (elements.are_numbers)
        return true;
    size_t i = 0;
    const char *value = json_array_first(array);
    for (; json_value_is_number(value); i++)
        value = json_array_next(json_value_end(value));
    return api_fail(error, API_WRONG_TYPE, "%s[%zu] is %s; it must be a number", path, i,
                    json_value_kind(value));
}

/* How many numbers a series has, checked against the period. */
static bool check_series(struct json_text *text, const char *array, const char *path, size_t period,
                         struct json_elements *elements, struct api_error *error)
{
    if (!json_value_is_array(array))
        return api_fail(error, API_WRONG_TYPE, "%s is %s; it must be an array of numbers", path,
                        json_value_kind(array));
    *elements = json_array_elements(text, array);
    size_t n = elements->count;
    if (n == 0)
        return api_fail(error, API_EMPTY_INPUT, "%s is empty", path);
    if (period > n)
        return api_fail(error, API_INVALID_PARAMETER, "period is %zu, but %s has only %zu numbers",
                        period, path, n);
    return true;
}

static bool check_points(size_t points, const struct indicator_limits *limits,
                         struct api_error *error)
{
    if (points <= limits->points_max)
        return true;
    return api_fail(error, API_TOO_MANY_POINTS, "%zu prices; at most %zu in one request", points,
                    limits->points_max);
}

/* The most that a request can be, of its numbers and of the limits. */
struct room {
    size_t rows, points;
};

/*
 * One block: offsets, inputs, outputs. The outputs start so that (out - in) mod 4096 is
 * about half a page: when it is small, the processor takes loads for aliases of earlier
 * stores, which costs up to a factor of three.
 */
static bool reserve(struct job *job, struct room room, struct api_error *error)
{
    size_t offsets_bytes = (room.rows + 1) * sizeof(size_t);
    size_t in_at = (offsets_bytes + VECTOR_BYTES - 1) & ~(size_t)(VECTOR_BYTES - 1);
    size_t in_bytes = room.points * sizeof(double); /* bounded by the limit of points */
    size_t distance = (in_bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    distance += PAGE_BYTES / 2;
    size_t bytes = in_at + distance + in_bytes;
    char *memory = job_reserve(job, bytes);
    if (memory == NULL)
        return api_fail(error, API_OUT_OF_MEMORY, "out of memory for %zu numbers", room.points);
    job->offsets = (size_t *)(void *)memory;
    job->in_f64 = (double *)(void *)(memory + in_at);
    job->out_f64 = (double *)(void *)(memory + in_at + distance);
    job->base.bytes = bytes;
    return true;
}

static bool decode_one(struct json_text *text, const char *prices,
                       const struct indicator_limits *limits, struct job *job,
                       struct api_error *error)
{
    struct json_elements elements;
    if (!check_series(text, prices, "prices", job->period, &elements, error) ||
        !check_points(elements.count, limits, error) ||
        !check_numbers(prices, elements, "prices", error))
        return false;
    job->base.rows = 1;
    job->offsets[0] = 0;
    job->offsets[1] = elements.count;
    return true;
}

/* The first series that holds something else: there is one. */
static bool fail_series(struct json_text *text, const char *series, struct api_error *error)
{
    char path[32];
    const char *one = json_array_first(series);
    for (size_t i = 0;; i++) {
        struct json_elements elements = json_array_elements(text, one);
        snprintf(path, sizeof path, "series[%zu]", i);
        if (!check_numbers(one, elements, path, error))
            return false;
        one = json_array_next(elements.end);
    }
}

/* All lengths are looked at before any number is. */
static bool decode_series(struct json_text *text, const char *series,
                          const struct indicator_limits *limits, struct job *job,
                          struct api_error *error)
{
    char path[32];
    bool are_numbers = true;
    struct json_elements elements;
    const char *one = json_array_first(series);
    job->offsets[0] = 0;
    for (size_t i = 0; i < job->base.rows; i++, one = json_array_next(elements.end)) {
        snprintf(path, sizeof path, "series[%zu]", i);
        if (!check_series(text, one, path, job->period, &elements, error))
            return false;
        are_numbers &= elements.are_numbers;
        job->offsets[i + 1] = job->offsets[i] + elements.count;
    }
    return check_points(job->offsets[job->base.rows], limits, error) &&
           (are_numbers || fail_series(text, series, error));
}

static bool decode_many(struct json_text *text, const char *series,
                        const struct indicator_limits *limits, struct job *job,
                        struct api_error *error)
{
    if (!json_value_is_array(series))
        return api_fail(error, API_WRONG_TYPE, "series is %s; it must be an array of arrays",
                        json_value_kind(series));
    size_t rows = json_array_elements(text, series).count;
    if (rows == 0)
        return api_fail(error, API_EMPTY_INPUT, "series is empty");
    if (rows > limits->series_max)
        return api_fail(error, API_TOO_MANY_ROWS, "%zu series; at most %zu in one request", rows,
                        limits->series_max);
    job->base.rows = rows;
    job->is_series = true;
    return decode_series(text, series, limits, job, error);
}

static bool decode(struct json_text *text, const struct indicator_limits *limits, struct job *job,
                   struct api_error *error)
{
    struct json_text_field fields[] = {
        {.name = "prices"}, {.name = "series"}, {.name = "period"}, {.name = "decimals"}};
    if (!json_text_fields(text, fields, 4, error))
        return false;
    const char *prices = fields[0].value, *series = fields[1].value, *period = fields[2].value;
    if ((prices == NULL) == (series == NULL))
        return api_fail(error, prices == NULL ? API_MISSING_FIELD : API_INVALID_PARAMETER,
                        "exactly one of \"prices\" and \"series\" must be there");
    if (period == NULL)
        return api_fail(error, API_MISSING_FIELD, "\"period\" is missing");
    if (!json_value_positive_size(period, "period", &job->period, error))
        return false;
    job->has_decimals = fields[3].value != NULL;
    if (job->has_decimals && !json_value_decimals(fields[3].value, &job->decimals, error))
        return false;
    return prices != NULL ? decode_one(text, prices, limits, job, error)
                          : decode_many(text, series, limits, job, error);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool indicator_decode(struct json_reader *reader, const struct indicator_limits *limits,
                      struct buffer *body, struct job *job, struct api_error *error)
{
    size_t numbers_max = json_text_numbers_max(reader, body);
    size_t rows_max = body->bytes / 4 + 1; /* "[1]," */
    struct room room = {.rows = smaller(smaller(numbers_max, rows_max), limits->series_max),
                        .points = smaller(numbers_max, limits->points_max)};
    if (!reserve(job, room, error))
        return false;
    struct json_numbers numbers = {.f64 = job->in_f64, .max = room.points};
    __attribute__((uninitialized)) struct json_text text;
    return json_text_read(reader, body, &numbers, &text, error) &&
           decode(&text, limits, job, error);
}

static size_t write_numbers(char *out, const double *values, size_t count, const struct job *job)
{
    if (job->has_decimals)
        return number_write_array_decimals(out, values, count, job->decimals);
    return number_write_array_f64(out, values, count);
}

/* In pieces, so that a long series does not reserve its longest possible text at once. */
static void encode_values(const struct job *job, const double *values, size_t n,
                          struct buffer *answer)
{
    enum {
        PIECE = 256
    };
    buffer_append(answer, "[", 1);
    for (size_t first = 0; first < n; first += PIECE) {
        char *room = buffer_reserve(answer, 1 + (size_t)PIECE * (NUMBER_F64_BYTES_MAX + 1));
        if (room == NULL)
            return;
        char *at = room;
        if (first > 0)
            *at++ = ',';
        at += write_numbers(at, values + first, smaller(n - first, PIECE), job);
        buffer_commit(answer, (size_t)(at - room));
    }
    buffer_append(answer, "]", 1);
}

static const char *indicator_name(enum compute_kind kind)
{
    switch (kind) {
    case COMPUTE_SMA:
        return "sma";
    case COMPUTE_EMA:
        return "ema";
    case COMPUTE_RSI:
        return "rsi";
    case COMPUTE_PREDICT:
        break;
    }
    return "";
}

void indicator_encode(enum compute_kind kind, const struct job *job, struct buffer *answer)
{
    buffer_append_format(answer,
                         "{\"indicator\":\"%s\",\"period\":%zu,\"values\":", indicator_name(kind),
                         job->period);
    if (!job->is_series) {
        encode_values(job, job->out_f64, job->offsets[1], answer);
    } else {
        for (size_t i = 0; i < job->base.rows; i++) {
            buffer_append(answer, i == 0 ? "[" : ",", 1);
            encode_values(job, job->out_f64 + job->offsets[i],
                          job->offsets[i + 1] - job->offsets[i], answer);
        }
        buffer_append(answer, "]", 1);
    }
    buffer_append_str(answer, "}\n");
}
