#include "json_text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "number_read.h"
#include "number_scan.h"
#include "number_write.h"

enum {
    DEPTH_MAX = 256, /* the most that can be configured */
    NAME_SHOWN_MAX = 64
};

/* --- characters */

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

static inline bool starts_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static size_t count_hex(const char *at)
{
    size_t count = 0;
    while (count < 4 && hex_value(at[count]) >= 0)
        count++;
    return count;
}

/* Four hexadecimal digits. */
static int read_hex(const char *at)
{
    int value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | hex_value(at[i]);
    return value;
}

/* How many bytes the UTF-8 sequence at `at` has, which is not ASCII; 0: it is none. */
static size_t utf8_bytes(const char *at)
{
    const unsigned char *c = (const unsigned char *)at;
    size_t bytes = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    if (c[0] < 0xc2 || c[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xf0 && c[1] < 0x90);
    bool is_surrogate = c[0] == 0xed && c[1] >= 0xa0;
    bool is_beyond = c[0] == 0xf4 && c[1] >= 0x90;
    return is_overlong || is_surrogate || is_beyond ? 0 : bytes;
}

/* --- the strict pass */

struct walk {
    const char *at;
    const char *text, *end;
    const char *comma; /* the last one */
    const struct json_reader *reader;
    struct json_numbers *numbers;
    struct json_text *out;
    struct api_error *error;
    size_t depth;
    uint64_t is_object[DEPTH_MAX / 64]; /* of each level that is open */
};

/* What comes next. */
enum step {
    FIRST_ELEMENT, /* or the array's end */
    ELEMENT,
    FIRST_KEY, /* or the object's end */
    KEY,
    VALUE, /* of a key, or at the top */
    BEHIND_VALUE,
    DONE,
    FAILED
};

static enum step fail_at(struct walk *w, const char *at, enum api_error_id id, const char *what)
{
    size_t offset = (size_t)(at - w->text), bytes = (size_t)(w->end - w->text);
    if (at >= w->end) {
        id = API_INVALID_JSON;
        what = "unexpected end of data";
        offset = bytes;
    }
    api_fail(w->error, id, "the body is not valid JSON: %s at byte %zu", what, offset);
    return FAILED;
}

static enum step fail_json(struct walk *w, const char *at, const char *what)
{
    return fail_at(w, at, API_INVALID_JSON, what);
}

static enum step fail_character(struct walk *w)
{
    return fail_json(w, w->at, "unexpected character");
}

static bool in_object(const struct walk *w)
{
    size_t level = w->depth - 1;
    return w->is_object[level / 64] >> (level % 64) & 1;
}

static enum step open_level(struct walk *w, bool is_object)
{
    size_t max = w->reader->limits.depth_max;
    if (w->depth >= max || w->depth >= DEPTH_MAX) {
        api_fail(w->error, API_TOO_DEEP, "the body nests deeper than %zu", max);
        return FAILED;
    }
    uint64_t bit = UINT64_C(1) << (w->depth % 64), *word = &w->is_object[w->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    w->depth++;
    w->at++;
    return is_object ? FIRST_KEY : FIRST_ELEMENT;
}

static enum step close_level(struct walk *w)
{
    w->depth--;
    w->at++;
    return BEHIND_VALUE;
}

/* Whether only the end of the text is wrong with the UTF-8 sequence at `at`. */
static bool is_cut_utf8(const struct walk *w, const char *at)
{
    char whole[4];
    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = at + i < w->end ? at[i] : (char)0x80;
    if (at + 1 == w->end) /* then any second byte would do */
        whole[1] = *at == (char)0xe0 ? (char)0xa0 : *at == (char)0xf0 ? (char)0x90 : (char)0x80;
    size_t bytes = utf8_bytes(whole);
    return bytes != 0 && at + bytes > w->end;
}

static void fail_string(struct walk *w, const char *at, const char *what)
{
    fail_json(w, is_cut_utf8(w, at) ? w->end : at, what);
}

/* A \u escape: its four digits, or -1, which is an error at `wrong`. */
static int walk_hex(struct walk *w, const char *escape, const char *wrong)
{
    size_t count = count_hex(escape + 2);
    if (count == 4)
        return read_hex(escape + 2);
    if (escape + 2 + count >= w->end)
        wrong = w->end;
    fail_json(w, wrong, "invalid \\u escape in a string");
    return -1;
}

/* Behind a surrogate pair whose first half is at `at`, or NULL when the second is wrong. */
static const char *walk_second_half(struct walk *w, const char *at)
{
    const char *second = at + 6;
    if (second[0] != '\\' || second[1] != 'u') {
        bool is_cut = second >= w->end || (second[0] == '\\' && second + 1 >= w->end);
        fail_string(w, is_cut ? w->end : second, "no second half of a surrogate pair in a string");
        return NULL;
    }
    int half = walk_hex(w, second, second);
    if (half < 0)
        return NULL;
    if ((half & 0xfc00) == 0xdc00)
        return second + 6;
    fail_json(w, second, "no second half of a surrogate pair in a string");
    return NULL;
}

/* Behind the escape at `at`, or NULL when it is wrong. */
static const char *walk_escape(struct walk *w, const char *at)
{
    if (at[1] != 'u') {
        if (at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL)
            return at + 2;
        fail_string(w, at + 1, "invalid escape in a string");
        return NULL;
    }
    int code = walk_hex(w, at, at);
    if (code < 0)
        return NULL;
    if ((code & 0xfc00) == 0xd800)
        return walk_second_half(w, at);
    if ((code & 0xfc00) != 0xdc00)
        return at + 6;
    fail_json(w, at, "no first half of a surrogate pair in a string");
    return NULL;
}

/* False when it is wrong. */
static bool walk_string(struct walk *w)
{
    const char *at = w->at + 1;
    for (;;) {
        unsigned char c = (unsigned char)*at;
        if (c == '"') {
            w->at = at + 1;
            return true;
        }
        if (c == '\\') {
            at = walk_escape(w, at);
            if (at == NULL)
                return false;
        } else if (c < 0x20) {
            fail_json(w, at, "control character in a string");
            return false;
        } else if (c < 0x80) {
            at++;
        } else {
            size_t bytes = utf8_bytes(at);
            if (bytes == 0) {
                fail_string(w, at, "invalid UTF-8 in a string");
                return false;
            }
            at += bytes;
        }
    }
}

static enum step walk_literal(struct walk *w, const char *literal)
{
    size_t same = 0;
    while (literal[same] != '\0' && w->at[same] == literal[same])
        same++;
    if (literal[same] != '\0')
        return fail_json(w, w->at + same >= w->end ? w->end : w->at, "invalid literal");
    w->at += same;
    return BEHIND_VALUE;
}

static enum number_status read_number(struct walk *w, const char **end)
{
    struct json_numbers *n = w->numbers;
    double f64;
    float f32;
    bool is_kept = w->depth > 1, has_room = is_kept && n->count < n->max;
    n->count += is_kept;
    if (n->f32 != NULL && is_kept)
        return number_read_f32(w->at, end, has_room ? &n->f32[n->count - 1] : &f32);
    return number_read_f64(w->at, end, has_room ? &n->f64[n->count - 1] : &f64);
}

static enum step walk_number(struct walk *w)
{
    const char *end;
    switch (read_number(w, &end)) {
    case NUMBER_OK:
        w->at = end;
        return BEHIND_VALUE;
    case NUMBER_INVALID:
        return fail_at(w, end, API_INVALID_NUMBER, "invalid number");
    case NUMBER_OUT_OF_RANGE:
        break;
    }
    return fail_at(w, end, API_NUMBER_OUT_OF_RANGE, "number is infinity when parsed as double");
}

static enum step walk_value(struct walk *w)
{
    switch (*w->at) {
    case '{':
        return open_level(w, true);
    case '[':
        return open_level(w, false);
    case '"':
        return walk_string(w) ? BEHIND_VALUE : FAILED;
    case 't':
        return walk_literal(w, "true");
    case 'f':
        return walk_literal(w, "false");
    case 'n':
        return walk_literal(w, "null");
    default:
        return starts_number(*w->at) ? walk_number(w) : fail_character(w);
    }
}

/* As many elements as are numbers; false when there was none, or it must be looked at alone. */
static bool scan_numbers(struct walk *w)
{
    struct json_numbers *n = w->numbers;
    if (w->depth <= 1 || n->count >= n->max)
        return false;
    const struct number_scan *scan = w->reader->numbers;
    size_t room = n->max - n->count;
    size_t count = n->f64 != NULL ? scan->f64(w->text, &w->at, n->f64 + n->count, room)
                                  : scan->f32(w->text, &w->at, n->f32 + n->count, room);
    n->count += count;
    return count > 0;
}

static enum step walk_element(struct walk *w, bool is_first)
{
    if (*w->at == ']') {
        if (is_first)
            return close_level(w);
        return fail_json(w, w->comma, "trailing comma");
    }
    if (starts_number(*w->at) && scan_numbers(w)) {
        w->comma = w->at - 1;
        w->at = skip_space(w->at);
        if (*w->at == ']')
            return fail_json(w, w->comma, "trailing comma");
    }
    return walk_value(w);
}

static enum step walk_key(struct walk *w, bool is_first)
{
    if (*w->at == '}')
        return is_first ? close_level(w) : fail_json(w, w->comma, "trailing comma");
    if (*w->at != '"')
        return fail_character(w);
    const char *key = w->at;
    if (!walk_string(w))
        return FAILED;
    w->at = skip_space(w->at);
    if (*w->at != ':')
        return fail_character(w);
    w->at = skip_space(w->at + 1);
    if (w->depth == 1 && w->out->members_count < JSON_MEMBERS_MAX)
        w->out->members[w->out->members_count++] = (struct json_member){key, w->at};
    return VALUE;
}

static enum step walk_on(struct walk *w)
{
    if (w->depth == 0)
        return w->at == w->end ? DONE
                               : fail_json(w, w->at, "unexpected content after the document");
    if (*w->at == ',') {
        w->comma = w->at++;
        return in_object(w) ? KEY : ELEMENT;
    }
    if (*w->at == (in_object(w) ? '}' : ']'))
        return close_level(w);
    return fail_character(w);
}

static enum step take_step(struct walk *w, enum step step)
{
    w->at = skip_space(w->at);
    switch (step) {
    case FIRST_ELEMENT:
    case ELEMENT:
        return walk_element(w, step == FIRST_ELEMENT);
    case FIRST_KEY:
    case KEY:
        return walk_key(w, step == FIRST_KEY);
    case VALUE:
        return walk_value(w);
    case BEHIND_VALUE:
        return walk_on(w);
    case DONE:
    case FAILED:
        break;
    }
    return step;
}

static bool walk(struct walk *w)
{
    enum step step = VALUE;
    while (step != DONE && step != FAILED)
        step = take_step(w, step);
    return step == DONE;
}

bool json_text_read(const struct json_reader *reader, struct buffer *body,
                    struct json_numbers *numbers, struct json_text *out, struct api_error *error)
{
    if (!json_check_size(reader, body, error))
        return false;
    char *padding = buffer_reserve(body, NUMBER_READ_PADDING);
    if (padding == NULL)
        return api_fail(error, API_OUT_OF_MEMORY, "out of memory while reading the body");
    memset(padding, 0, NUMBER_READ_PADDING);
    struct walk w = {
        .at = body->data,
        .text = body->data,
        .end = body->data + body->bytes,
        .reader = reader,
        .numbers = numbers,
        .out = out,
        .error = error,
    };
    out->members_count = 0;
    const char *root = skip_space(w.text);
    if (root == w.end)
        return api_fail(error, API_INVALID_JSON,
                        "the body is not valid JSON: there is nothing "
                        "but space at byte 0");
    if (!walk(&w))
        return false;
    if (*root != '{')
        return api_fail(error, API_WRONG_TYPE, "the body is %s; it must be an object",
                        json_value_kind(root));
    return true;
}

size_t json_text_numbers_max(const struct buffer *body)
{
    size_t commas = 0, i = 0;
#ifdef __SSE2__
    const __m128i comma = _mm_set1_epi8(',');
    while (body->bytes - i >= 64) {
        __m128i lanes = _mm_setzero_si128();
        for (size_t end = i + 64; i < end; i += 16) {
            __m128i text = _mm_loadu_si128((const __m128i *)(const void *)(body->data + i));
            lanes = _mm_sub_epi8(lanes, _mm_cmpeq_epi8(text, comma));
        }
        __m128i sums = _mm_sad_epu8(lanes, _mm_setzero_si128());
        commas += (size_t)_mm_cvtsi128_si64(_mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums)));
    }
#endif
    for (; i < body->bytes; i++)
        commas += body->data[i] == ',';
    return commas + 1;
}

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
    for (;; at += 16) {
        __m128i text = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i lower = _mm_or_si128(text, _mm_set1_epi8(0x20));
        __m128i stop = _mm_andnot_si128(_mm_cmpeq_epi8(lower, _mm_set1_epi8('e')),
                                        _mm_cmpgt_epi8(text, _mm_set1_epi8('9')));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
        unsigned stops = (unsigned)_mm_movemask_epi8(stop);
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(',')));
        *commas += (size_t)__builtin_popcount(found & (stops - 1) & ~stops);
        if (stops != 0)
            return at + __builtin_ctz(stops);
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

struct json_elements json_array_elements(const char *array)
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
