/*
 * yyjson_indicators.c - bodies of indicators as yyjson reads and writes them, for a server that is
 * linked with -Wl,--wrap= for both functions: what is between it and jitney is the price of a
 * document in memory. See script/bench service.
 *
 *   Memory     nothing is allocated per request: the reader keeps its document's, and each thread
 *              keeps one block for the documents that it writes, which grows with the largest.
 *   Reading    in place, into a document, as json_reader.h does.
 *   Writing    a document of the answer, whose text goes right into the answer's buffer. To give
 *              yyjson each number by itself takes a fifth longer. "decimals" is taken and not
 *              followed: yyjson 0.10 writes the shortest text of a number only.
 */
#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "indicators.h"

bool __wrap_indicator_decode(struct json_reader *reader, const struct indicator_limits *limits,
                             struct buffer *body, struct job *job, struct api_error *error);
void __wrap_indicator_encode(enum compute_kind kind, const struct job *job, struct buffer *answer);

/* --- reading */

enum {
    VECTOR_BYTES = 64,
    PAGE_BYTES = 4096
};

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* Offsets, inputs, outputs, as far from each other as jitney's own: kernels must cost the same. */
static bool reserve(struct job *job, size_t rows, size_t points, struct api_error *error)
{
    size_t in_at = round_up((rows + 1) * sizeof(size_t), VECTOR_BYTES);
    size_t in_bytes = points * sizeof(double);
    size_t out_at = in_at + round_up(in_bytes, PAGE_BYTES) + PAGE_BYTES / 2;
    char *memory = job_reserve(job, out_at + in_bytes);
    if (memory == NULL)
        return api_fail(error, API_OUT_OF_MEMORY, "out of memory for %zu numbers", points);
    job->offsets = (size_t *)(void *)memory;
    job->in_f64 = (double *)(void *)(memory + in_at);
    job->out_f64 = (double *)(void *)(memory + out_at);
    job->base.rows = rows;
    job->base.bytes = out_at + in_bytes;
    return true;
}

static bool check_series(yyjson_val *series, const struct job *job, struct api_error *error)
{
    if (!yyjson_is_arr(series))
        return api_fail(error, API_WRONG_TYPE, "%s for a series", json_kind(series));
    if (yyjson_arr_size(series) == 0)
        return api_fail(error, API_EMPTY_INPUT, "a series is empty");
    if (yyjson_arr_size(series) < job->period)
        return api_fail(error, API_INVALID_PARAMETER, "a series is shorter than the period");
    return true;
}

static bool read_series(yyjson_val *series, double *out, struct api_error *error)
{
    size_t i, count;
    yyjson_val *value;
    yyjson_arr_foreach(series, i, count, value)
    {
        if (!yyjson_is_num(value))
            return api_fail(error, API_WRONG_TYPE, "%s for a number", json_kind(value));
        out[i] = yyjson_get_num(value);
    }
    return true;
}

static bool reserve_points(struct job *job, size_t rows, size_t points,
                           const struct indicator_limits *limits, struct api_error *error)
{
    if (points > limits->points_max)
        return api_fail(error, API_TOO_MANY_POINTS, "%zu prices; at most %zu", points,
                        limits->points_max);
    return reserve(job, rows, points, error);
}

static bool decode_one(yyjson_val *prices, const struct indicator_limits *limits, struct job *job,
                       struct api_error *error)
{
    size_t points = yyjson_arr_size(prices);
    if (!check_series(prices, job, error) || !reserve_points(job, 1, points, limits, error))
        return false;
    job->offsets[0] = 0;
    job->offsets[1] = points;
    return read_series(prices, job->in_f64, error);
}

static bool decode_many(yyjson_val *all, const struct indicator_limits *limits, struct job *job,
                        struct api_error *error)
{
    size_t rows = yyjson_arr_size(all), points = 0, i, count;
    yyjson_val *series;
    if (rows == 0)
        return api_fail(error, API_EMPTY_INPUT, "there are no series");
    if (rows > limits->series_max)
        return api_fail(error, API_TOO_MANY_ROWS, "%zu series; at most %zu", rows,
                        limits->series_max);
    yyjson_arr_foreach(all, i, count, series)
    {
        if (!check_series(series, job, error))
            return false;
        points += yyjson_arr_size(series);
    }
    if (!reserve_points(job, rows, points, limits, error))
        return false;
    job->is_series = true;
    job->offsets[0] = 0;
    yyjson_arr_foreach(all, i, count, series)
    {
        job->offsets[i + 1] = job->offsets[i] + yyjson_arr_size(series);
        if (!read_series(series, job->in_f64 + job->offsets[i], error))
            return false;
    }
    return true;
}

bool __wrap_indicator_decode(struct json_reader *reader, const struct indicator_limits *limits,
                             struct buffer *body, struct job *job, struct api_error *error)
{
    struct json_field fields[] = {
        {.name = "prices"}, {.name = "series"}, {.name = "period"}, {.name = "decimals"}};
    yyjson_val *root;
    if (!json_read_object(reader, body, &root, error) || !json_fields(root, fields, 4, error))
        return false;
    yyjson_val *prices = fields[0].value, *series = fields[1].value;
    if ((prices == NULL) == (series == NULL))
        return api_fail(error, API_INVALID_PARAMETER, "one of \"prices\" and \"series\"");
    job->period = yyjson_get_uint(fields[2].value);
    if (job->period == 0)
        return api_fail(error, API_INVALID_PARAMETER, "\"period\" is not a positive number");
    return prices != NULL ? decode_one(prices, limits, job, error)
                          : decode_many(series, limits, job, error);
}

/* --- writing */

/* Of a thread, for the document that it writes. */
struct pool {
    size_t bytes;
    max_align_t memory[];
};

/* Written once, before main(). */
static pthread_key_t pool_key;

__attribute__((constructor)) static void make_pool_key(void)
{
    if (pthread_key_create(&pool_key, free) != 0)
        abort();
}

static struct pool *take_pool(size_t bytes)
{
    struct pool *pool = pthread_getspecific(pool_key);
    if (pool != NULL && pool->bytes >= bytes)
        return pool;
    free(pool);
    pool = malloc(sizeof *pool + bytes);
    if (pool != NULL)
        pool->bytes = bytes;
    if (pthread_setspecific(pool_key, pool) != 0)
        abort();
    return pool;
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

static yyjson_mut_val *make_series(yyjson_mut_doc *doc, const struct job *job, size_t i)
{
    size_t first = job->offsets[i];
    return yyjson_mut_arr_with_real(doc, job->out_f64 + first, job->offsets[i + 1] - first);
}

static yyjson_mut_val *make_values(yyjson_mut_doc *doc, const struct job *job)
{
    if (!job->is_series)
        return make_series(doc, job, 0);
    yyjson_mut_val *all = yyjson_mut_arr(doc);
    for (size_t i = 0; i < job->base.rows; i++)
        yyjson_mut_arr_append(all, make_series(doc, job, i));
    return all;
}

static yyjson_mut_doc *make_document(enum compute_kind kind, const struct job *job)
{
    enum {
        VALUES_BESIDE = 16,    /* the object, its keys, and what is no array */
        POOL_BYTES_MIN = 4096, /* the document and its lists of chunks */
    };
    size_t values = job->offsets[job->base.rows] + job->base.rows + VALUES_BESIDE;
    struct pool *pool = take_pool(POOL_BYTES_MIN + values * sizeof(yyjson_mut_val));
    yyjson_alc alc;
    if (pool == NULL || !yyjson_alc_pool_init(&alc, pool->memory, pool->bytes))
        return NULL;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&alc);
    yyjson_mut_doc_set_val_pool_size(doc, values);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "indicator", indicator_name(kind));
    yyjson_mut_obj_add_uint(doc, root, "period", job->period);
    bool whole = yyjson_mut_obj_add_val(doc, root, "values", make_values(doc, job));
    return whole ? doc : NULL;
}

/* An allocator of one block, which is the room behind an answer. */
static void *answer_malloc(void *answer, size_t bytes)
{
    return buffer_reserve(answer, bytes);
}

static void *answer_realloc(void *answer, void *text, size_t old_bytes, size_t bytes)
{
    (void)text, (void)old_bytes;
    return buffer_reserve(answer, bytes);
}

static void answer_free(void *answer, void *text)
{
    (void)answer, (void)text;
}

void __wrap_indicator_encode(enum compute_kind kind, const struct job *job, struct buffer *answer)
{
    assert(answer->bytes == 0); /* yyjson wants aligned memory */
    const yyjson_alc room = {
        .malloc = answer_malloc, .realloc = answer_realloc, .free = answer_free, .ctx = answer};
    const yyjson_write_flag flags = YYJSON_WRITE_INF_AND_NAN_AS_NULL | YYJSON_WRITE_NEWLINE_AT_END;
    yyjson_mut_doc *doc = make_document(kind, job);
    size_t bytes = 0;
    if (doc == NULL || yyjson_mut_write_opts(doc, flags, &room, &bytes, NULL) == NULL)
        answer->failed = true;
    buffer_commit(answer, bytes);
}
