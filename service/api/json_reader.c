#include "json_reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_KEEP_BYTES_MAX = 1024 * 1024
};

void json_reader_init(struct json_reader *reader, const struct json_limits *limits)
{
    *reader = (struct json_reader){.limits = *limits, .numbers = number_scan_best()};
}

void json_reader_deinit(struct json_reader *reader)
{
    free(reader->_arena);
    *reader = (struct json_reader){0};
}

void json_reader_release(struct json_reader *reader)
{
    if (reader->_arena_bytes <= ARENA_KEEP_BYTES_MAX)
        return;
    free(reader->_arena);
    reader->_arena = NULL;
    reader->_arena_bytes = 0;
}

static bool reserve_arena(struct json_reader *reader, size_t bytes)
{
    if (reader->_arena_bytes >= bytes)
        return true;
    free(reader->_arena);
    reader->_arena = malloc(bytes);
    reader->_arena_bytes = reader->_arena != NULL ? bytes : 0;
    return reader->_arena != NULL;
}

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
}

/*
 * Whether some number is longer than the limit, which would cost far more to convert
 * than its share of the body. A run of so many bytes covers one of the bytes looked at
 * here, so that almost all bodies cost one look per limit/2 bytes.
 */
static bool has_long_number(const char *text, size_t bytes, size_t bytes_max)
{
    size_t stride = bytes_max / 2 + 1;
    size_t checked = 0; /* runs before this are known */
    for (size_t at = stride - 1; at < bytes; at += stride) {
        if (at < checked || !is_number_byte(text[at]))
            continue;
        size_t first = at, last = at;
        while (first > checked && is_number_byte(text[first - 1]))
            first--;
        while (last + 1 < bytes && is_number_byte(text[last + 1]) && last - first < bytes_max)
            last++;
        if (last - first + 1 > bytes_max)
            return true;
        checked = last + 1;
    }
    return false;
}

static bool fail_syntax(const yyjson_read_err *err, struct api_error *error)
{
    enum api_error_id id = API_INVALID_JSON;
    /* The arena holds any valid document of this size; only brackets that never close need more. */
    if (err->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return api_fail(error, API_INVALID_JSON,
                        "the body is not valid JSON: brackets are left open");
    if (err->code == YYJSON_READ_ERROR_INVALID_NUMBER)
        id = strstr(err->msg, "infinity") != NULL ? API_NUMBER_OUT_OF_RANGE : API_INVALID_NUMBER;
    return api_fail(error, id, "the body is not valid JSON: %s at byte %zu", err->msg, err->pos);
}

bool json_check_size(const struct json_reader *reader, const struct buffer *body,
                     struct api_error *error)
{
    if (body->bytes == 0)
        return api_fail(error, API_INVALID_JSON, "the body is empty; it must be a JSON object");
    if (has_long_number(body->data, body->bytes, reader->limits.number_bytes_max))
        return api_fail(error, API_NUMBER_TOO_LONG, "a number has more than %zu characters",
                        reader->limits.number_bytes_max);
    return true;
}

bool json_read_object(struct json_reader *reader, struct buffer *body, yyjson_val **out,
                      struct api_error *error)
{
    if (!json_check_size(reader, body, error))
        return false;
    /* Reading in place spares a copy; it needs zeros behind the text. */
    char *padding = buffer_reserve(body, YYJSON_PADDING_SIZE);
    size_t arena_bytes = yyjson_read_max_memory_usage(body->bytes, YYJSON_READ_INSITU);
    yyjson_alc allocator;
    if (padding == NULL || !reserve_arena(reader, arena_bytes) ||
        !yyjson_alc_pool_init(&allocator, reader->_arena, reader->_arena_bytes))
        return api_fail(error, API_OUT_OF_MEMORY, "out of memory while reading the body");
    memset(padding, 0, YYJSON_PADDING_SIZE);
    yyjson_read_err err;
    yyjson_doc *doc =
        yyjson_read_opts(body->data, body->bytes, YYJSON_READ_INSITU, &allocator, &err);
    if (doc == NULL)
        return fail_syntax(&err, error);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root))
        return api_fail(error, API_WRONG_TYPE, "the body is %s; it must be an object",
                        json_kind(root));
    *out = root;
    return true;
}

bool json_fields(yyjson_val *object, struct json_field *fields, size_t count,
                 struct api_error *error)
{
    for (size_t i = 0; i < count; i++)
        fields[i].value = NULL;
    yyjson_obj_iter iter;
    yyjson_obj_iter_init(object, &iter);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        size_t i = 0;
        while (i < count && !yyjson_equals_str(key, fields[i].name))
            i++;
        if (i == count)
            return api_fail(error, API_UNKNOWN_FIELD, "unknown field \"%.64s\"",
                            yyjson_get_str(key));
        if (fields[i].value != NULL)
            return api_fail(error, API_DUPLICATE_FIELD, "field \"%s\" stands twice",
                            fields[i].name);
        fields[i].value = yyjson_obj_iter_get_val(key);
    }
    return true;
}

const char *json_kind(yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_BOOL:
        return "a boolean";
    case YYJSON_TYPE_NUM:
        return "a number";
    case YYJSON_TYPE_STR:
        return "a string";
    case YYJSON_TYPE_ARR:
        return "an array";
    case YYJSON_TYPE_OBJ:
        return "an object";
    default:
        return "nothing";
    }
}
