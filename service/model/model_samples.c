#include "model_samples.h"

#include <math.h>
#include <stdlib.h>

#include <yyjson.h>

#include "model_error.h"

enum {
    MADE_ROWS = 32,
    MADE_NUMBERS_MAX = 4 * 1024 * 1024,
    NESTING_MAX = 16 /* of arrays in a row; a tensor has fewer dimensions */
};

/* --- samples.json ------------------------------------------------------------- */

/* Appends the numbers of a row, however its arrays nest; false when there are too many, or
 * something else. */
static bool read_numbers(yyjson_val *value, unsigned nesting, float *row, size_t row_size,
                         size_t *count)
{
    if (yyjson_is_num(value)) {
        const float number = (float)yyjson_get_num(value);
        if (*count == row_size || !isfinite(number))
            return false;
        row[(*count)++] = number;
        return true;
    }
    if (!yyjson_is_arr(value) || nesting == 0)
        return false;
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter)) != NULL;)
        if (!read_numbers(item, nesting - 1, row, row_size, count))
            return false;
    return true;
}

static enum model_status read_rows(yyjson_val *instances, size_t row_size,
                                   struct model_samples *samples, struct model_error *error)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(instances);
    for (yyjson_val *row; (row = yyjson_arr_iter_next(&iter)) != NULL; samples->count++) {
        size_t count = 0;
        if (!read_numbers(row, NESTING_MAX, samples->rows + samples->count * row_size, row_size,
                          &count) ||
            count != row_size)
            return model_fail(error, MODEL_BAD_SAMPLES,
                              "samples.json: instances[%zu] must be %zu numbers", samples->count,
                              row_size);
    }
    return MODEL_OK;
}

static enum model_status read_root(yyjson_val *root, size_t row_size, struct model_samples *out,
                                   struct model_error *error)
{
    yyjson_val *instances = yyjson_obj_get(root, "instances");
    const size_t rows = yyjson_arr_size(instances);
    if (rows == 0 || rows > MODEL_SAMPLES_ROWS_MAX)
        return model_fail(error, MODEL_BAD_SAMPLES,
                          "samples.json: must be {\"instances\": [...]} with 1 to %d rows",
                          MODEL_SAMPLES_ROWS_MAX);
    struct model_samples samples = {.given = true};
    samples.rows = calloc(rows * row_size, sizeof *samples.rows);
    if (samples.rows == NULL)
        return model_fail_nomem(error);
    enum model_status status = read_rows(instances, row_size, &samples, error);
    if (status == MODEL_OK)
        *out = samples;
    else
        model_samples_deinit(&samples);
    return status;
}

enum model_status model_samples_parse(const char *json, size_t bytes, size_t row_size,
                                      struct model_samples *out, struct model_error *error)
{
    yyjson_read_err why;
    /* Without YYJSON_READ_INSITU the text is only read. */
    yyjson_doc *doc = yyjson_read_opts((char *)json, bytes, YYJSON_READ_ALLOW_COMMENTS, NULL, &why);
    if (doc == NULL && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return model_fail_nomem(error);
    if (doc == NULL)
        return model_fail(error, MODEL_BAD_SAMPLES, "samples.json: is not JSON: %s at byte %zu",
                          why.msg, why.pos);
    enum model_status status = read_root(yyjson_doc_get_root(doc), row_size, out, error);
    yyjson_doc_free(doc);
    return status;
}

/* --- made up ------------------------------------------------------------------ */

/* A small generator of our own: the same numbers everywhere. In (0, 1). */
static double next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 11) + 0.5) * 0x1p-53;
}

/* The sum of twelve even numbers: near enough to normal, and without libm's last bits. */
static float next_normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += next_random(state);
    return (float)sum;
}

bool model_samples_make(size_t row_size, struct model_samples *out)
{
    size_t rows = MADE_NUMBERS_MAX / row_size;
    rows = rows > MADE_ROWS ? MADE_ROWS : rows > 0 ? rows : 1;
    struct model_samples samples = {.count = rows};
    samples.rows = malloc(rows * row_size * sizeof *samples.rows);
    if (samples.rows == NULL)
        return false;
    uint64_t state = 1;
    for (size_t i = 0; i < rows * row_size; i++)
        samples.rows[i] = next_normal(&state);
    *out = samples;
    return true;
}

void model_samples_deinit(struct model_samples *samples)
{
    free(samples->rows);
    *samples = (struct model_samples){0};
}
