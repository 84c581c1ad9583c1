#include "predict.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "number_write.h"

enum {
    DEPTH_MAX = 9,
    PATH_BYTES_MAX = 24 * DEPTH_MAX
};

/* Where in the body we are, for error texts: instances[index[0]][index[1]]... */
struct place {
    size_t index[DEPTH_MAX];
    size_t depth;
};

struct path {
    char text[PATH_BYTES_MAX];
};

static struct path path_of(const struct place *at)
{
    struct path path;
    size_t bytes = (size_t)snprintf(path.text, sizeof path.text, "instances");
    for (size_t i = 0; i < at->depth && bytes < sizeof path.text; i++)
        bytes +=
            (size_t)snprintf(path.text + bytes, sizeof path.text - bytes, "[%zu]", at->index[i]);
    return path;
}

static bool fail_number(yyjson_val *value, const struct place *at, struct api_error *error)
{
    if (yyjson_is_num(value))
        return api_fail(error, API_NUMBER_OUT_OF_RANGE, "%s: %.9g does not fit float32",
                        path_of(at).text, yyjson_get_num(value));
    return api_fail(error, API_WRONG_TYPE, "%s is %s; it must be a number", path_of(at).text,
                    json_kind(value));
}

/* False for what is not a number, or too large for a float. */
static bool to_float(yyjson_val *value, float *out)
{
    if (yyjson_is_real(value))
        *out = (float)unsafe_yyjson_get_real(value);
    else if (yyjson_is_uint(value))
        *out = (float)unsafe_yyjson_get_uint(value);
    else if (yyjson_is_sint(value))
        *out = (float)unsafe_yyjson_get_sint(value);
    else
        return false;
    return !isinf(*out);
}

static bool check_array(yyjson_val *value, size_t size, const struct place *at,
                        struct api_error *error)
{
    if (!yyjson_is_arr(value))
        return api_fail(error, API_INVALID_SHAPE, "%s is %s; it must be an array of %zu",
                        path_of(at).text, json_kind(value), size);
    if (yyjson_arr_size(value) != size)
        return api_fail(error, API_INVALID_SHAPE, "%s has %zu elements; it must have %zu",
                        path_of(at).text, yyjson_arr_size(value), size);
    return true;
}

/* One array of exactly `size` numbers. */
static bool read_numbers(yyjson_val *array, size_t size, struct place *at, float *out,
                         struct api_error *error)
{
    if (!check_array(array, size, at, error))
        return false;
    yyjson_val *value = yyjson_arr_get_first(array);
    for (size_t i = 0; i < size; i++, value = unsafe_yyjson_get_next(value)) {
        if (to_float(value, &out[i]))
            continue;
        at->index[at->depth++] = i;
        return fail_number(value, at, error);
    }
    return true;
}

/* An array nested as shape[0] x shape[1] x ... */
static bool read_nested(yyjson_val *value, const size_t *shape, size_t rank, struct place *at,
                        float *out, struct api_error *error)
{
    if (rank == 1)
        return read_numbers(value, shape[0], at, out, error);
    if (!check_array(value, shape[0], at, error))
        return false;
    size_t step = 1;
    for (size_t i = 1; i < rank; i++)
        step *= shape[i];
    yyjson_val *item = yyjson_arr_get_first(value);
    at->depth++;
    for (size_t i = 0; i < shape[0]; i++, item = unsafe_yyjson_get_next(item)) {
        at->index[at->depth - 1] = i;
        if (!read_nested(item, shape + 1, rank - 1, at, out + i * step, error))
            return false;
    }
    at->depth--;
    return true;
}

static bool read_row(const struct model *model, yyjson_val *row, struct place *at, float *out,
                     struct api_error *error)
{
    size_t size = model_input_size(model), rank = model_input_rank(model);
    if (yyjson_is_obj(row)) {
        struct json_field field = {.name = model_input_name(model)};
        if (!json_fields(row, &field, 1, error))
            return false;
        if (field.value == NULL)
            return api_fail(error, API_MISSING_FIELD, "%s lacks \"%.64s\"", path_of(at).text,
                            field.name);
        row = field.value;
    }
    if (size == 1 && yyjson_is_num(row))
        return to_float(row, out) || fail_number(row, at, error);
    /* A row may also be flat, whatever the rank. */
    bool flat = rank <= 1 || (yyjson_is_arr(row) && !yyjson_is_arr(yyjson_arr_get_first(row)));
    if (flat)
        return read_nested(row, &size, 1, at, out, error);
    return read_nested(row, model_input_shape(model), rank, at, out, error);
}

static bool reserve(const struct model *model, size_t rows, struct job *job,
                    struct api_error *error)
{
    size_t in_size, out_size, total, bytes;
    if (__builtin_mul_overflow(rows, model_input_size(model), &in_size) ||
        __builtin_mul_overflow(rows, model_output_size(model), &out_size) ||
        __builtin_add_overflow(in_size, out_size, &total) ||
        __builtin_mul_overflow(total, sizeof(float), &bytes))
        return api_fail(error, API_TOO_MANY_ROWS, "%zu instances are too many", rows);
    float *memory = job_reserve(job, bytes);
    if (memory == NULL)
        return api_fail(error, API_OUT_OF_MEMORY, "out of memory for %zu instances", rows);
    job->in_f32 = memory;
    job->out_f32 = memory + in_size;
    job->base.rows = rows;
    job->base.bytes = bytes;
    return true;
}

static bool check_fields(yyjson_val *root, yyjson_val **instances, struct api_error *error)
{
    struct json_field fields[] = {{.name = "instances"}, {.name = "signature_name"}};
    if (!json_fields(root, fields, 2, error))
        return false;
    yyjson_val *signature = fields[1].value;
    if (signature != NULL && !yyjson_is_str(signature))
        return api_fail(error, API_WRONG_TYPE, "signature_name is %s; it must be a string",
                        json_kind(signature));
    if (signature != NULL && !yyjson_equals_str(signature, "serving_default"))
        return api_fail(error, API_INVALID_PARAMETER,
                        "the only signature_name is \"serving_default\"");
    if (fields[0].value == NULL)
        return api_fail(error, API_MISSING_FIELD, "\"instances\" is missing");
    if (!yyjson_is_arr(fields[0].value))
        return api_fail(error, API_WRONG_TYPE, "instances is %s; it must be an array of rows",
                        json_kind(fields[0].value));
    *instances = fields[0].value;
    return true;
}

static bool decode(const struct model *model, size_t instances_max, yyjson_val *root,
                   struct job *job, struct api_error *error)
{
    yyjson_val *instances = NULL;
    if (!check_fields(root, &instances, error))
        return false;
    size_t rows = yyjson_arr_size(instances);
    if (rows == 0)
        return api_fail(error, API_EMPTY_INPUT, "instances is empty");
    if (rows > instances_max)
        return api_fail(error, API_TOO_MANY_ROWS, "%zu instances; at most %zu in one request", rows,
                        instances_max);
    if (!reserve(model, rows, job, error))
        return false;
    yyjson_val *row = yyjson_arr_get_first(instances);
    for (size_t i = 0; i < rows; i++, row = unsafe_yyjson_get_next(row)) {
        struct place at = {.index = {i}, .depth = 1};
        if (!read_row(model, row, &at, job->in_f32 + i * model_input_size(model), error))
            return false;
    }
    return true;
}

bool predict_decode(struct json_reader *reader, const struct model *model, size_t instances_max,
                    struct buffer *body, struct job *job, struct api_error *error)
{
    yyjson_val *root;
    if (!json_read_object(reader, body, &root, error))
        return false;
    if (decode(model, instances_max, root, job, error))
        return true;
    if (json_is_deeper(root, reader->limits.depth_max))
        return api_fail(error, API_TOO_DEEP, "the body nests deeper than %zu",
                        reader->limits.depth_max);
    return false;
}

static void encode_row(const float *row, size_t size, struct buffer *answer)
{
    char *room = buffer_reserve(answer, size * (NUMBER_F32_BYTES_MAX + 1) + 2);
    if (room == NULL)
        return;
    char *at = room;
    *at++ = '[';
    for (size_t i = 0; i < size; i++) {
        if (i > 0)
            *at++ = ',';
        at += number_write_f32(at, row[i]);
    }
    *at++ = ']';
    buffer_commit(answer, (size_t)(at - room));
}

static size_t largest(const float *row, size_t size)
{
    size_t best = 0;
    for (size_t i = 1; i < size; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

static void encode_labels(const struct model *model, const struct job *job, struct buffer *answer)
{
    size_t size = model_output_size(model);
    buffer_append_str(answer, ",\"labels\":[");
    for (size_t i = 0; i < job->base.rows; i++) {
        const char *label = model_label(model, largest(job->out_f32 + i * size, size));
        if (i > 0)
            buffer_append(answer, ",", 1);
        buffer_append_json_string(answer, label, strlen(label));
    }
    buffer_append(answer, "]", 1);
}

void predict_encode(const struct model *model, const struct job *job, struct buffer *answer)
{
    size_t size = model_output_size(model);
    buffer_append_str(answer, "{\"predictions\":[");
    for (size_t i = 0; i < job->base.rows; i++) {
        if (i > 0)
            buffer_append(answer, ",", 1);
        encode_row(job->out_f32 + i * size, size, answer);
    }
    buffer_append(answer, "]", 1);
    if (model_labels_count(model) > 0)
        encode_labels(model, job, answer);
    buffer_append_str(answer, "}\n");
}
