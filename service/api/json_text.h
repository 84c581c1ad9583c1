/*
 * json_text.h - request bodies that are numbers for the most part: one strict pass over the
 * text, which reads the numbers on its way, and then walks without a document in memory.
 *
 *   Threads    any; the text belongs to the caller and is not changed.
 *   Memory     none but the caller's. A value is the place in the text where it starts, good
 *              as long as the text.
 *   Arrays     of nothing but numbers are noted on the way, with their length and their end,
 *              as long as there is room for notes: nobody has to look at them again. Others
 *              are walked when they are asked for.
 *   Numbers    those inside the members of the object at the top (but not those that are
 *              members themselves) go to the caller's array, in the order of the text.
 *   Errors     as in json_reader.h, with the same codes at the same bytes; only nesting that
 *              is too deep ends the reading at once.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "api_error.h"
#include "buffer.h"
#include "json_reader.h"

/* Where a body's numbers go: one of f64 and f32. */
struct json_numbers {
    double *f64;
    float *f32; /* infinite: beyond float32, but not beyond float64 */
    size_t max;
    size_t count; /* how many there are, also those that had no room */
};

enum {
    JSON_MEMBERS_MAX = 8,
    JSON_NOTES_MAX = 256
};

struct json_member {
    const char *key, *value;
};

/* An array of numbers, or an empty one. */
struct json_note {
    const char *array, *end;
    size_t count;
};

/* A body that is an object, with its first members. Not worth clearing: json_text_read() says
 * how much of it there is. */
struct json_text {
    struct json_member members[JSON_MEMBERS_MAX];
    size_t members_count; /* of those that are above */
    struct json_note notes[JSON_NOTES_MAX];
    size_t notes_count;
    size_t _note; /* where the next search begins */
};

/* Not less than the numbers of the text: its commas and one, but never more than half its bytes
 * and one. */
size_t json_text_numbers_max(const struct json_reader *reader, const struct buffer *body);

/* Checks the body and wants an object at the top. The body stays what it is, but for zeros that
 * are put behind it. */
bool json_text_read(const struct json_reader *reader, struct buffer *body,
                    struct json_numbers *numbers, struct json_text *out, struct api_error *error);

/* One known key; fewer of them than JSON_MEMBERS_MAX in an object at the top. */
struct json_text_field {
    const char *name;
    const char *value; /* NULL when it was not there */
};

/* Unknown and repeated keys are errors. */
bool json_text_fields(const struct json_text *text, struct json_text_field *fields, size_t count,
                      struct api_error *error);

/* The same for the object that is `value`, of one field. */
bool json_value_field(const char *value, struct json_text_field *field, struct api_error *error);

bool json_value_is_array(const char *value);
bool json_value_is_object(const char *value);
bool json_value_is_number(const char *value);
bool json_value_is_string(const char *value);
bool json_value_equals(const char *string, const char *text);

/* "an array", "a string", ... */
const char *json_value_kind(const char *value);

/* The number as float64, whatever it was read as. */
double json_value_number(const char *value);

/* Behind the value. */
const char *json_value_end(const char *value);

/* The first element of an array, the one behind the element that ends at `end`; NULL: none. */
const char *json_array_first(const char *array);
const char *json_array_next(const char *end);

struct json_elements {
    size_t count;
    bool are_numbers; /* or there are none */
    const char *end;  /* behind the array */
};

/* What an array of the text holds; quickest when arrays are asked for in their order. */
struct json_elements json_array_elements(struct json_text *text, const char *array);

/* How many decimals the answer's numbers are to have: a whole number up to NUMBER_DECIMALS_MAX. */
bool json_value_decimals(const char *value, unsigned *out, struct api_error *error);

/* A whole number from 1 on. */
bool json_value_positive_size(const char *value, const char *path, size_t *out,
                              struct api_error *error);

#endif
