#include "indicators.h"

#include <stdint.h>

#include "number_write.h"

enum {
    VECTOR_BYTES = 64,
    PAGE_BYTES = 4096
};

static bool read_number(yyjson_val *value, double *out)
{
    if (!yyjson_is_num(value))
        return false;
    *out = yyjson_get_num(value); /* finite: yyjson reads no NaN, and refuses what overflows */
    return true;
}

static bool read_prices(yyjson_val *array, const char *path, double *out, struct api_error *error)
{
    size_t n = yyjson_arr_size(array);
    yyjson_val *value = yyjson_arr_get_first(array);
    for (size_t i = 0; i < n; i++, value = unsafe_yyjson_get_next(value))
        if (!read_number(value, &out[i]))
            return api_fail(error, API_WRONG_TYPE, "%s[%zu] is %s; it must be a number", path, i,
                            json_kind(value));
    return true;
}

/* How many numbers a series has, checked against the period. */
static bool check_series(yyjson_val *array, const char *path, size_t period, size_t *points,
                         struct api_error *error)
{
    if (!yyjson_is_arr(array))
        return api_fail(error, API_WRONG_TYPE, "%s is %s; it must be an array of numbers", path,
                        json_kind(array));
    size_t n = yyjson_arr_size(array);
    if (n == 0)
        return api_fail(error, API_EMPTY_INPUT, "%s is empty", path);
    if (period > n)
        return api_fail(error, API_INVALID_PARAMETER, "period is %zu, but %s has only %zu numbers",
                        period, path, n);
    *points += n;
    return true;
}

/*
 * One block: offsets, inputs, outputs. The outputs start so that (out - in) mod 4096 is
 * about half a page: when it is small, the processor takes loads for aliases of earlier
 * stores, which costs up to a factor of three.
 */
static bool reserve(struct job *job, size_t rows, size_t points, struct api_error *error)
{
    size_t offsets_bytes = (rows + 1) * sizeof(size_t);
    size_t in_at = (offsets_bytes + VECTOR_BYTES - 1) & ~(size_t)(VECTOR_BYTES - 1);
    size_t in_bytes = points * sizeof(double); /* bounded by the limit of points */
    size_t distance = (in_bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
    distance += PAGE_BYTES / 2;
    size_t bytes = in_at + distance + in_bytes;
    char *memory = job_reserve(job, bytes);
    if (memory == NULL)
        return api_fail(error, API_OUT_OF_MEMORY, "out of memory for %zu numbers", points);
    job->offsets = (size_t *)(void *)memory;
    job->in_f64 = (double *)(void *)(memory + in_at);
    job->out_f64 = (double *)(void *)(memory + in_at + distance);
    job->base.rows = rows;
    job->base.bytes = bytes;
    return true;
}

static bool decode_one(yyjson_val *prices, const struct indicator_limits *limits, struct job *job,
                       struct api_error *error)
{
    size_t points = 0;
    if (!check_series(prices, "prices", job->period, &points, error))
        return false;
    if (points > limits->points_max)
        return api_fail(error, API_TOO_MANY_POINTS, "%zu prices; at most %zu in one request",
                        points, limits->points_max);
    if (!reserve(job, 1, points, error))
        return false;
    job->offsets[0] = 0;
    job->offsets[1] = points;
    return read_prices(prices, "prices", job->in_f64, error);
}

static bool decode_many(yyjson_val *series, const struct indicator_limits *limits, struct job *job,
                        struct api_error *error)
{
    if (!yyjson_is_arr(series))
        return api_fail(error, API_WRONG_TYPE, "series is %s; it must be an array of arrays",
                        json_kind(series));
    size_t rows = yyjson_arr_size(series), points = 0, i;
    if (rows == 0)
        return api_fail(error, API_EMPTY_INPUT, "series is empty");
    if (rows > limits->series_max)
        return api_fail(error, API_TOO_MANY_ROWS, "%zu series; at most %zu in one request", rows,
                        limits->series_max);
    char path[32];
    yyjson_val *one = yyjson_arr_get_first(series);
    for (i = 0; i < rows; i++, one = unsafe_yyjson_get_next(one)) {
        snprintf(path, sizeof path, "series[%zu]", i);
        if (!check_series(one, path, job->period, &points, error))
            return false;
    }
    if (points > limits->points_max)
        return api_fail(error, API_TOO_MANY_POINTS, "%zu prices; at most %zu in one request",
                        points, limits->points_max);
    if (!reserve(job, rows, points, error))
        return false;
    job->offsets[0] = 0;
    one = yyjson_arr_get_first(series);
    for (i = 0; i < rows; i++, one = unsafe_yyjson_get_next(one)) {
        snprintf(path, sizeof path, "series[%zu]", i);
        if (!read_prices(one, path, job->in_f64 + job->offsets[i], error))
            return false;
        job->offsets[i + 1] = job->offsets[i] + yyjson_arr_size(one);
    }
    job->is_series = true;
    return true;
}

static bool decode(yyjson_val *root, const struct indicator_limits *limits, struct job *job,
                   struct api_error *error)
{
    struct json_field fields[] = {{.name = "prices"}, {.name = "series"}, {.name = "period"}};
    if (!json_fields(root, fields, 3, error))
        return false;
    yyjson_val *prices = fields[0].value, *series = fields[1].value, *period = fields[2].value;
    if ((prices == NULL) == (series == NULL))
        return api_fail(error, prices == NULL ? API_MISSING_FIELD : API_INVALID_PARAMETER,
                        "exactly one of \"prices\" and \"series\" must be there");
    if (period == NULL)
        return api_fail(error, API_MISSING_FIELD, "\"period\" is missing");
    if (!json_positive_size(period, "period", &job->period, error))
        return false;
    return prices != NULL ? decode_one(prices, limits, job, error)
                          : decode_many(series, limits, job, error);
}

bool indicator_decode(struct json_reader *reader, const struct indicator_limits *limits,
                      struct buffer *body, struct job *job, struct api_error *error)
{
    yyjson_val *root;
    if (!json_read_object(reader, body, &root, error))
        return false;
    if (decode(root, limits, job, error))
        return true;
    if (json_is_deeper(root, reader->limits.depth_max))
        return api_fail(error, API_TOO_DEEP, "the body nests deeper than %zu",
                        reader->limits.depth_max);
    return false;
}

/* In pieces, so that a long series does not reserve its longest possible text at once. */
static void encode_values(const double *values, size_t n, struct buffer *answer)
{
    enum {
        PIECE = 256
    };
    buffer_append(answer, "[", 1);
    for (size_t first = 0; first < n; first += PIECE) {
        size_t last = n - first < PIECE ? n : first + PIECE;
        char *room = buffer_reserve(answer, (size_t)PIECE * (NUMBER_F64_BYTES_MAX + 1));
        if (room == NULL)
            return;
        char *at = room;
        for (size_t i = first; i < last; i++) {
            if (i > 0)
                *at++ = ',';
            at += number_write_f64(at, values[i]);
        }
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
        encode_values(job->out_f64, job->offsets[1], answer);
    } else {
        for (size_t i = 0; i < job->base.rows; i++) {
            buffer_append(answer, i == 0 ? "[" : ",", 1);
            encode_values(job->out_f64 + job->offsets[i], job->offsets[i + 1] - job->offsets[i],
                          answer);
        }
        buffer_append(answer, "]", 1);
    }
    buffer_append_str(answer, "}\n");
}
