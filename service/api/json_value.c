/*
 * json_value.c - walks over a text that json_text_read() has found to be JSON; see json_text.h.
 */
#include "json_text.h"

#include <math.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "json_chars.h"
#include "number_read.h"
#include "number_write.h"

enum {
    NAME_SHOWN_MAX = 64
};

/* --- values of a text that was checked */

bool json_value_is_array(const char *value)
{
    return *value == '[';
}

bool json_value_is_object(const char *value)
{
    return *value == '{';
}

bool json_value_is_number(const char *value)
{
    return starts_number(*value);
}

bool json_value_is_string(const char *value)
{
    return *value == '"';
}

const char *json_value_kind(const char *value)
{
    switch (*value) {
    case 'n':
        return "null";
    case 't':
    case 'f':
        return "a boolean";
    case '"':
        return "a string";
    case '[':
        return "an array";
    case '{':
        return "an object";
    default:
        return "a number";
    }
}

double json_value_number(const char *value)
{
    const char *end;
    double number = 0;
    number_read_f64(value, &end, &number);
    return number;
}

static const char *string_end(const char *string)
{
    const char *at = string + 1;
    while (*at != '"')
        at += *at == '\\' ? 2 : 1;
    return at + 1;
}

static const char *scalar_end(const char *value)
{
    while (*value != ',' && *value != ']' && *value != '}' && *value != '\0' && !is_space(*value))
        value++;
    return value;
}

/*
 * The first byte from `at` on that is not of an array of numbers, and how many commas there are
 * before it.
 */
static const char *skip_numbers(const char *at, size_t *commas)
{
#ifdef __SSE2__
    const __m128i positions = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i zero = _mm_setzero_si128();
    for (__m128i sums = zero;; at += 16) {
        __m128i text = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i lower = _mm_or_si128(text, _mm_set1_epi8(0x20));
        __m128i stop = _mm_andnot_si128(_mm_cmpeq_epi8(lower, _mm_set1_epi8('e')),
                                        _mm_cmpgt_epi8(text, _mm_set1_epi8('9')));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
        unsigned stops = (unsigned)_mm_movemask_epi8(stop);
        int bytes = stops != 0 ? __builtin_ctz(stops) : 16;
        __m128i found = _mm_cmpeq_epi8(text, _mm_set1_epi8(','));
        found = _mm_and_si128(found, _mm_cmpgt_epi8(_mm_set1_epi8((char)bytes), positions));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(_mm_sub_epi8(zero, found), zero));
        if (stops != 0) {
            sums = _mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums));
            *commas += (size_t)_mm_cvtsi128_si64(sums);
            return at + bytes;
        }
    }
#else
    for (; (*at <= '9' && *at != '"') || *at == 'e' || *at == 'E'; at++)
        *commas += *at == ',';
    return at;
#endif
}

const char *json_value_end(const char *value)
{
    if (*value != '[' && *value != '{')
        return *value == '"' ? string_end(value) : scalar_end(value);
    size_t depth = 0, commas = 0;
    for (const char *at = value;;) {
        at = skip_numbers(at, &commas);
        if (*at == '"') {
            at = string_end(at);
            continue;
        }
        depth += *at == '[' || *at == '{';
        depth -= *at == ']' || *at == '}';
        at++;
        if (depth == 0)
            return at;
    }
}

const char *json_array_first(const char *array)
{
    const char *at = skip_space(array + 1);
    return *at == ']' ? NULL : at;
}

const char *json_array_next(const char *end)
{
    end = skip_space(end);
    return *end == ',' ? skip_space(end + 1) : NULL;
}

/* NULL: there is none. */
static const struct json_note *find_note(struct json_text *text, const char *array)
{
    size_t i = text->_note;
    if (i > 0 && text->notes[i - 1].array >= array)
        i = 0;
    while (i < text->notes_count && text->notes[i].array < array)
        i++;
    text->_note = i;
    return i < text->notes_count && text->notes[i].array == array ? &text->notes[i] : NULL;
}

static struct json_elements walk_elements(const char *array)
{
    struct json_elements e = {.count = 0, .are_numbers = true};
    const char *first = json_array_first(array);
    e.end = skip_numbers(array + 1, &e.count) + 1;
    e.count += first != NULL;
    if (e.end[-1] == ']')
        return e;
    e.are_numbers = false;
    e.count = 0;
    for (const char *at = first; at != NULL; at = json_array_next(e.end)) {
        e.end = json_value_end(at);
        e.count++;
    }
    e.end = skip_space(e.end) + 1;
    return e;
}

struct json_elements json_array_elements(struct json_text *text, const char *array)
{
    const struct json_note *note = find_note(text, array);
    if (note == NULL)
        return walk_elements(array);
    return (struct json_elements){.count = note->count, .are_numbers = true, .end = note->end};
}

/* --- names */

static size_t put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t bytes = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = bytes - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(leads[bytes] | code);
    return bytes;
}

/* The next character of a string, which is 1 to 4 bytes; *at stands behind it then. */
static size_t next_character(const char **at, char *out)
{
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char *from = *at;
    if (*from != '\\') {
        *out = *from;
        *at = from + 1;
        return 1;
    }
    if (from[1] != 'u') {
        *out = strchr(escapes, from[1])[1];
        *at = from + 2;
        return 1;
    }
    unsigned code = (unsigned)read_hex(from + 2);
    *at = from + 6;
    if ((code & 0xfc00) == 0xd800) {
        code = 0x10000 + ((code & 0x3ff) << 10) + ((unsigned)read_hex(from + 8) & 0x3ff);
        *at = from + 12;
    }
    return put_utf8(out, code);
}

bool json_value_equals(const char *string, const char *text)
{
    const char *at = string + 1;
    while (*at != '"') {
        char c[4];
        size_t bytes = next_character(&at, c);
        if (strncmp(text, c, bytes) != 0 || (bytes == 1 && *c == '\0'))
            return false;
        text += bytes;
    }
    return *text == '\0';
}

struct shown {
    char text[NAME_SHOWN_MAX + 1];
};

/* As much of a name as an error tells. */
static struct shown shown_of(const char *string)
{
    struct shown shown;
    size_t bytes = 0;
    for (const char *at = string + 1; *at != '"' && bytes < NAME_SHOWN_MAX;) {
        char c[4];
        size_t more = next_character(&at, c);
        for (size_t i = 0; i < more && bytes < NAME_SHOWN_MAX; i++)
            shown.text[bytes++] = c[i];
    }
    shown.text[bytes] = '\0';
    return shown;
}

static bool take_field(const char *key, const char *value, struct json_text_field *fields,
                       size_t count, struct api_error *error)
{
    size_t i = 0;
    while (i < count && !json_value_equals(key, fields[i].name))
        i++;
    if (i == count)
        return api_fail(error, API_UNKNOWN_FIELD, "unknown field \"%s\"", shown_of(key).text);
    if (fields[i].value != NULL)
        return api_fail(error, API_DUPLICATE_FIELD, "field \"%s\" stands twice", fields[i].name);
    fields[i].value = value;
    return true;
}

/* With more members than are kept one of those is wrong already. */
bool json_text_fields(const struct json_text *text, struct json_text_field *fields, size_t count,
                      struct api_error *error)
{
    for (size_t i = 0; i < count; i++)
        fields[i].value = NULL;
    for (size_t i = 0; i < text->members_count; i++)
        if (!take_field(text->members[i].key, text->members[i].value, fields, count, error))
            return false;
    return true;
}

bool json_value_field(const char *value, struct json_text_field *field, struct api_error *error)
{
    field->value = NULL;
    const char *key = skip_space(value + 1);
    while (key != NULL && *key != '}') {
        const char *member = skip_space(skip_space(string_end(key)) + 1);
        if (!take_field(key, member, field, 1, error))
            return false;
        key = json_array_next(json_value_end(member));
    }
    return true;
}

bool json_value_decimals(const char *value, unsigned *out, struct api_error *error)
{
    if (!json_value_is_number(value))
        return api_fail(error, API_WRONG_TYPE, "decimals is %s; it must be a whole number",
                        json_value_kind(value));
    double number = json_value_number(value);
    if (!(number >= 0 && number <= NUMBER_DECIMALS_MAX) || number != floor(number))
        return api_fail(error, API_INVALID_PARAMETER,
                        "decimals is %.17g; it must be a whole number from 0 to %d", number,
                        NUMBER_DECIMALS_MAX);
    *out = (unsigned)number;
    return true;
}

bool json_value_positive_size(const char *value, const char *path, size_t *out,
                              struct api_error *error)
{
    if (!json_value_is_number(value))
        return api_fail(error, API_WRONG_TYPE, "%s is %s; it must be a whole number", path,
                        json_value_kind(value));
    double number = json_value_number(value);
    if (!(number >= 1) || number != floor(number) || number > 9007199254740992.0)
        return api_fail(error, API_INVALID_PARAMETER, "%s is %.17g; it must be a whole number >= 1",
                        path, number);
    *out = (size_t)number;
    return true;
}
