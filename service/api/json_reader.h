/*
 * json_reader.h - small request bodies: yyjson, with the checks that it leaves to us. Bodies
 * that are full of numbers are json_text.h's.
 *
 *   Threads    one reader per loop; its values are good until the next read.
 *   Memory     the document lives in an arena that is kept between requests, up
 *              to a bound; a larger one is freed by json_reader_release().
 *   Errors     false, and a struct api_error with the place in the body: a byte
 *              offset for syntax, a path ("instances[3][0]") for everything else.
 */
#ifndef JSON_READER_H
#define JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "api_error.h"
#include "buffer.h"
#include "number_scan.h"

struct json_limits {
    size_t depth_max;
    size_t number_bytes_max;
};

struct json_reader {
    struct json_limits limits;
    const struct number_scan *numbers; /* for json_text.h; the best of this processor at first */
    void *_arena;
    size_t _arena_bytes;
};

void json_reader_init(struct json_reader *reader, const struct json_limits *limits);
void json_reader_deinit(struct json_reader *reader);

/* What is checked before a body is parsed: it is not empty, and no number is longer than the limit.
 */
bool json_check_size(const struct json_reader *reader, const struct buffer *body,
                     struct api_error *error);

/* Parses the body in place (it is changed) and wants an object at the top. */
bool json_read_object(struct json_reader *reader, struct buffer *body, yyjson_val **out,
                      struct api_error *error);

/* After the values were used: gives back what is larger than usual. */
void json_reader_release(struct json_reader *reader);

/* One known key of an object. */
struct json_field {
    const char *name;
    yyjson_val *value; /* NULL when it was not there */
};

/* One pass over the object: unknown and repeated keys are errors. */
bool json_fields(yyjson_val *object, struct json_field *fields, size_t count,
                 struct api_error *error);

/* "an array", "a string", ...: for error texts. */
const char *json_kind(yyjson_val *value);

#endif
