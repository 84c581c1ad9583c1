/*
 * json_text.c - the strict pass over a body: is it JSON, and which numbers are in it.
 */
#include "json_text.h"

#include <stdint.h>
#include <string.h>

#include "json_chars.h"
#include "number_read.h"
#include "number_scan.h"

enum {
    DEPTH_MAX = 256 /* the most that can be configured */
};

/* --- characters */

static size_t count_hex(const char *at)
{
    size_t count = 0;
    while (count < 4 && hex_value(at[count]) >= 0)
        count++;
    return count;
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
    const char *array;   /* the innermost level, as long as it is an array of numbers, or NULL */
    size_t array_number; /* how many numbers there were before it */
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
    w->array = is_object ? NULL : w->at;
    w->array_number = w->numbers->count;
    w->depth++;
    w->at++;
    return is_object ? FIRST_KEY : FIRST_ELEMENT;
}

/* The array of numbers that ends here. At the top they are not counted. */
static void note_array(struct walk *w)
{
    if (w->depth > 1 && w->out->notes_count < JSON_NOTES_MAX)
        w->out->notes[w->out->notes_count++] = (struct json_note){
            .array = w->array, .end = w->at + 1, .count = w->numbers->count - w->array_number};
    w->array = NULL;
}

static enum step close_level(struct walk *w)
{
    if (w->array != NULL)
        note_array(w);
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
    if (starts_number(*w->at))
        return walk_number(w);
    w->array = NULL;
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
        return fail_character(w);
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
    out->notes_count = 0;
    out->_note = 0;
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

/* A number and its comma are two bytes. */
size_t json_text_numbers_max(const struct json_reader *reader, const struct buffer *body)
{
    if (body->bytes == 0)
        return 1; /* there may be no memory to look at */
    size_t commas = reader->numbers->commas(body->data, body->bytes), most = body->bytes / 2;
    return (commas < most ? commas : most) + 1;
}
