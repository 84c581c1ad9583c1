#include "predict.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json_text.h"
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

static bool fail_number(const char *value, const struct place *at, struct api_error *error)
{
    if (json_value_is_number(value))
        return api_fail(error, API_NUMBER_OUT_OF_RANGE, "%s: %.9g does not fit float32",
                        path_of(at).text, json_value_number(value));
    return api_fail(error, API_WRONG_TYPE, "%s is %s; it must be a number", path_of(at).text,
                    json_value_kind(value));
}

static bool check_size(size_t count, size_t size, const struct place *at, struct api_error *error)
{
    if (count == size)
        return true;
    return api_fail(error, API_INVALID_SHAPE, "%s has %zu elements; it must have %zu",
                    path_of(at).text, count, size);
}

static bool check_array(const char *value, size_t size, const struct place *at,
                        struct api_error *error)
{
    if (json_value_is_array(value))
        return true;
    return api_fail(error, API_INVALID_SHAPE, "%s is %s; it must be an array of %zu",
                    path_of(at).text, json_value_kind(value), size);
}

/* Two at a time: what is added to their magnitudes reaches the sign of an infinite one only. */
static bool any_infinite(const float *in, size_t size)
{
    const uint64_t magnitudes = UINT64_C(0x7fffffff7fffffff);
    const uint64_t one_exponent = UINT64_C(0x0080000000800000);
    uint64_t sums = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint64_t bits;
        memcpy(&bits, &in[i], sizeof bits);
        sums |= (bits & magnitudes) + one_exponent;
    }
    return (sums & ~magnitudes) != 0 || (size % 2 == 1 && isinf(in[size - 1]));
}

/* Finds the element that is wrong: there is one. */
static bool fail_element(const char *array, const float *in, struct place *at,
                         struct api_error *error)
{
    const char *value = json_array_first(array);
    size_t i = 0;
    for (; json_value_is_number(value) && !isinf(in[i]); i++)
        value = json_array_next(json_value_end(value));
    at->index[at->depth++] = i;
    return fail_number(value, at, error);
}

/*
 * The numbers have been read already, in the order of the text: what is left is to see that they
 * stood where they should. As long as that is so, those of a value are the next ones of `in`.
 * *end is behind the value then.
 */
static bool check_numbers(struct json_text *text, const char *array, size_t size, struct place *at,
                          const float *in, const char **end, struct api_error *error)
{
    if (!check_array(array, size, at, error))
        return false;
    struct json_elements elements = json_array_elements(text, array);
    if (!check_size(elements.count, size, at, error))
        return false;
    if (!elements.are_numbers || any_infinite(in, size))
        return fail_element(array, in, at, error);
    *end = elements.end;
    return true;
}

/* An array nested as shape[0] x shape[1] x ... */
static bool check_nested(struct json_text *text, const char *value, const size_t *shape,
                         size_t rank, struct place *at, const float *in, const char **end,
                         struct api_error *error)
{
    if (rank == 1)
        return check_numbers(text, value, shape[0], at, in, end, error);
    if (!check_array(value, shape[0], at, error))
        return false;
    struct json_elements elements = json_array_elements(text, value);
    if (!check_size(elements.count, shape[0], at, error))
        return false;
    size_t step = 1;
    for (size_t i = 1; i < rank; i++)
        step *= shape[i];
    const char *item = json_array_first(value);
    at->depth++;
    for (size_t i = 0; i < shape[0]; i++, item = json_array_next(*end)) {
        at->index[at->depth - 1] = i;
        if (!check_nested(text, item, shape + 1, rank - 1, at, in + i * step, end, error))
            return false;
    }
    at->depth--;
    *end = elements.end;
    return true;
}

static bool is_flat(const char *row)
{
    const char *first = json_value_is_array(row) ? json_array_first(row) : NULL;
    return first == NULL || !json_value_is_array(first);
}

static bool check_number(const char *row, const struct place *at, const float *in, const char **end,
                         struct api_error *error)
{
    *end = json_value_end(row);
    return !isinf(*in) || fail_number(row, at, error);
}

static bool check_plain_row(struct json_text *text, const struct model *model, const char *row,
                            struct place *at, const float *in, const char **end,
                            struct api_error *error)
{
    size_t size = model_input_size(model), rank = model_input_rank(model);
    if (size == 1 && json_value_is_number(row))
        return check_number(row, at, in, end, error);
    /* A row may also be flat, whatever the rank. */
    if (rank <= 1 || (json_value_is_array(row) && is_flat(row)))
        return check_numbers(text, row, size, at, in, end, error);
    return check_nested(text, row, model_input_shape(model), rank, at, in, end, error);
}

static bool check_row(struct json_text *text, const struct model *model, const char *row,
                      struct place *at, const float *in, const char **end, struct api_error *error)
{
    if (!json_value_is_object(row))
        return check_plain_row(text, model, row, at, in, end, error);
    struct json_text_field field = {.name = model_input_name(model)};
    if (!json_value_field(row, &field, error))
        return false;
    if (field.value == NULL)
        return api_fail(error, API_MISSING_FIELD, "%s lacks \"%.64s\"", path_of(at).text,
                        field.name);
    if (!check_plain_row(text, model, field.value, at, in, end, error))
        return false;
    *end = json_value_end(row);
    return true;
}

/* Too many rows are told before what is wrong with one of them. */
static bool check_rows(struct json_text *text, const struct model *model, size_t instances_max,
                       const char *instances, const float *in, size_t *rows,
                       struct api_error *error)
{
    bool ok = true;
    size_t i = 0;
    const char *end = NULL;
    for (const char *row = json_array_first(instances); row != NULL && ok && i < instances_max;
         row = ok ? json_array_next(end) : NULL, i++) {
        struct place at = {.index = {i}, .depth = 1};
        ok = check_row(text, model, row, &at, in + i * model_input_size(model), &end, error);
    }
    bool is_whole = ok && (i == 0 || json_array_next(end) == NULL);
    size_t count = is_whole ? i : json_array_elements(text, instances).count;
    if (count == 0)
        return api_fail(error, API_EMPTY_INPUT, "instances is empty");
    if (count > instances_max)
        return api_fail(error, API_TOO_MANY_ROWS, "%zu instances; at most %zu in one request",
                        count, instances_max);
    *rows = count;
    return ok;
}

static bool check_fields(const struct json_text *text, const char **instances, struct job *job,
                         struct api_error *error)
{
    struct json_text_field fields[] = {
        {.name = "instances"}, {.name = "signature_name"}, {.name = "decimals"}};
    if (!json_text_fields(text, fields, 3, error))
        return false;
    job->has_decimals = fields[2].value != NULL;
    if (job->has_decimals && !json_value_decimals(fields[2].value, &job->decimals, error))
        return false;
    const char *signature = fields[1].value;
    if (signature != NULL && !json_value_is_string(signature))
        return api_fail(error, API_WRONG_TYPE, "signature_name is %s; it must be a string",
                        json_value_kind(signature));
    if (signature != NULL && !json_value_equals(signature, "serving_default"))
        return api_fail(error, API_INVALID_PARAMETER,
                        "the only signature_name is \"serving_default\"");
    if (fields[0].value == NULL)
        return api_fail(error, API_MISSING_FIELD, "\"instances\" is missing");
    if (!json_value_is_array(fields[0].value))
        return api_fail(error, API_WRONG_TYPE, "instances is %s; it must be an array of rows",
                        json_value_kind(fields[0].value));
    *instances = fields[0].value;
    return true;
}

/* What a request may need, of its numbers and of the limits. */
struct room {
    size_t numbers, rows;
    size_t bytes;
};

static bool find_room(const struct json_reader *reader, const struct model *model,
                      size_t instances_max, const struct buffer *body, struct room *room)
{
    size_t in_size = model_input_size(model), out_size = model_output_size(model), outputs, total;
    room->numbers = json_text_numbers_max(reader, body);
    room->rows = room->numbers / in_size;
    if (room->rows > instances_max) {
        room->rows = instances_max;
        room->numbers = instances_max * in_size; /* less than there are */
    }
    return !__builtin_mul_overflow(room->rows, out_size, &outputs) &&
           !__builtin_add_overflow(room->numbers, outputs, &total) &&
           !__builtin_mul_overflow(total, sizeof(float), &room->bytes);
}

bool predict_decode(struct json_reader *reader, const struct model *model, size_t instances_max,
                    struct buffer *body, struct job *job, struct api_error *error)
{
    struct room room;
    float *in =
        find_room(reader, model, instances_max, body, &room) ? job_reserve(job, room.bytes) : NULL;
    if (in == NULL)
        return api_fail(error, API_OUT_OF_MEMORY, "out of memory for the instances");
    struct json_numbers numbers = {.f32 = in, .max = room.numbers};
    __attribute__((uninitialized)) struct json_text text;
    const char *instances;
    size_t rows = 0;
    if (!json_text_read(reader, body, &numbers, &text, error) ||
        !check_fields(&text, &instances, job, error) ||
        !check_rows(&text, model, instances_max, instances, in, &rows, error))
        return false;
    size_t in_size = rows * model_input_size(model), out_size = rows * model_output_size(model);
    job->in_f32 = in;
    job->out_f32 = in + in_size;
    job->base.rows = rows;
    job->base.bytes = (in_size + out_size) * sizeof(float);
    return true;
}

/* One from 2^53 on has no decimals, and would be written as the float64 that it is. */
static bool has_large(const float *values, size_t count)
{
    bool is_large = false;
    for (size_t i = 0; i < count; i++)
        is_large |= fabsf(values[i]) >= 0x1p53f;
    return is_large;
}

static size_t write_large(char *out, const float *values, size_t count, unsigned decimals)
{
    char *at = out;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = ',';
        at += has_large(values + i, 1) ? number_write_f32(at, values[i])
                                       : number_write_decimals(at, (double)values[i], decimals);
    }
    return (size_t)(at - out);
}

static size_t write_decimals(char *out, const float *values, size_t count, unsigned decimals)
{
    enum {
        PIECE = 64
    };
    __attribute__((uninitialized)) double piece[PIECE];
    char *at = out;
    for (size_t first = 0; first < count; first += PIECE) {
        size_t size = count - first < PIECE ? count - first : PIECE;
        for (size_t i = 0; i < size; i++)
            piece[i] = (double)values[first + i];
        if (first > 0)
            *at++ = ',';
        at += number_write_array_decimals(at, piece, size, decimals);
    }
    return (size_t)(at - out);
}

static size_t write_numbers(char *out, const float *values, size_t count, const struct job *job)
{
    if (!job->has_decimals)
        return number_write_array_f32(out, values, count);
    if (has_large(values, count))
        return write_large(out, values, count, job->decimals);
    return write_decimals(out, values, count, job->decimals);
}

static void encode_row(const struct job *job, const float *row, size_t size, struct buffer *answer)
{
    size_t number_bytes = job->has_decimals ? NUMBER_F64_BYTES_MAX : NUMBER_F32_BYTES_MAX;
    char *room = buffer_reserve(answer, size * (number_bytes + 1) + 2);
    if (room == NULL)
        return;
    room[0] = '[';
    size_t bytes = 1 + write_numbers(room + 1, row, size, job);
    room[bytes] = ']';
    buffer_commit(answer, bytes + 1);
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
        encode_row(job, job->out_f32 + i * size, size, answer);
    }
    buffer_append(answer, "]", 1);
    if (model_labels_count(model) > 0)
        encode_labels(model, job, answer);
    buffer_append_str(answer, "}\n");
}
