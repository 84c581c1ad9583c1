/*
 * response.c - see response.h.
 *
 * llhttp's callbacks only record. It pauses at the end of each message.
 */
#include "response.h"

#include <string.h>

const char *timing_part_name(enum timing_part part)
{
    static const char *const names[] = {
#define X(id, name) name,
        TIMING_PART_MAP(X)
#undef X
    };
    return names[part];
}

/* --- Server-Timing. */

struct text {
    const char *at;
    const char *end;
};

static void skip(struct text *text, const char *among)
{
    while (text->at < text->end && strchr(among, *text->at) != NULL)
        text->at++;
}

static size_t word_bytes(const struct text *text)
{
    const char *at = text->at;
    while (at < text->end && *at != ';' && *at != ',' && *at != '=' && *at != ' ')
        at++;
    return (size_t)(at - text->at);
}

static bool take(struct text *text, const char *word)
{
    const size_t bytes = strlen(word);
    if ((size_t)(text->end - text->at) < bytes || memcmp(text->at, word, bytes) != 0)
        return false;
    text->at += bytes;
    return true;
}

/* Milliseconds with decimals; digits behind the nanosecond are dropped. */
static uint64_t take_duration_ns(struct text *text)
{
    uint64_t value_ns = 0;
    uint64_t unit_ns = 1000 * 1000;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++)
        if (value_ns < UINT64_MAX / 100)
            value_ns = value_ns * 10 + (uint64_t)(*text->at - '0') * unit_ns;
    if (!take(text, "."))
        return value_ns;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        unit_ns /= 10;
        value_ns += (uint64_t)(*text->at - '0') * unit_ns;
    }
    return value_ns;
}

static enum timing_part part_named(const char *name, size_t bytes)
{
    for (unsigned i = 0; i < TIMING_PARTS; i++) {
        const char *known = timing_part_name((enum timing_part)i);
        if (strlen(known) == bytes && memcmp(known, name, bytes) == 0)
            return (enum timing_part)i;
    }
    return TIMING_PARTS;
}

static void skip_to_comma(struct text *text)
{
    const char *comma = memchr(text->at, ',', (size_t)(text->end - text->at));
    text->at = comma != NULL ? comma + 1 : text->end;
}

void server_timing_parse(const char *text, size_t bytes, struct server_timing *out)
{
    for (struct text rest = {text, text + bytes}; rest.at < rest.end; skip_to_comma(&rest)) {
        skip(&rest, " ");
        const size_t name_bytes = word_bytes(&rest);
        const enum timing_part part = part_named(rest.at, name_bytes);
        rest.at += name_bytes;
        if (part == TIMING_PARTS || !take(&rest, ";dur="))
            continue;
        out->part_ns[part] = take_duration_ns(&rest);
        out->known = true;
    }
}

/* --- Header fields. */

static struct response_parser *parser_of(llhttp_t *llhttp)
{
    return llhttp->data;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct response_parser *p = parser_of(llhttp);
    for (size_t i = 0; i < bytes; i++, p->_name_bytes++)
        if (p->_name_bytes < sizeof p->_name)
            p->_name[p->_name_bytes] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]);
    return 0;
}

static bool name_is(const struct response_parser *p, const char *name)
{
    return p->_name_bytes == strlen(name) && memcmp(p->_name, name, p->_name_bytes) == 0;
}

static int on_header_field_complete(llhttp_t *llhttp)
{
    struct response_parser *p = parser_of(llhttp);
    p->_field = name_is(p, "server-timing")  ? RESPONSE_FIELD_SERVER_TIMING
                : name_is(p, "x-batch-size") ? RESPONSE_FIELD_BATCH_SIZE
                                             : RESPONSE_FIELD_OTHER;
    p->_name_bytes = 0;
    p->_value_bytes = 0;
    return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct response_parser *p = parser_of(llhttp);
    const size_t room = sizeof p->_value - p->_value_bytes;
    if (p->_field == RESPONSE_FIELD_OTHER)
        return 0;
    if (bytes > room)
        bytes = room;
    memcpy(p->_value + p->_value_bytes, at, bytes);
    p->_value_bytes += bytes;
    return 0;
}

static unsigned small_number(const char *text, size_t bytes)
{
    unsigned value = 0;
    for (size_t i = 0; i < bytes && i < 9 && text[i] >= '0' && text[i] <= '9'; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    return value;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
    struct response_parser *p = parser_of(llhttp);
    switch (p->_field) {
    case RESPONSE_FIELD_OTHER:
        break;
    case RESPONSE_FIELD_SERVER_TIMING:
        server_timing_parse(p->_value, p->_value_bytes, &p->answer.timing);
        break;
    case RESPONSE_FIELD_BATCH_SIZE:
        p->answer.batch_size = small_number(p->_value, p->_value_bytes);
        break;
    }
    return 0;
}

/* --- Body and end. */

static int on_body(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct response_parser *p = parser_of(llhttp);
    const size_t room = p->_body_capacity - p->answer.body_bytes;
    p->answer.body_bytes_total += bytes;
    if (bytes > room)
        bytes = room;
    memcpy(p->_body + p->answer.body_bytes, at, bytes);
    p->answer.body_bytes += bytes;
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct response_parser *p = parser_of(llhttp);
    p->answer.status = llhttp->status_code;
    p->answer.keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    p->answer.body = p->_body;
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void response_parser_init(struct response_parser *p, char *body, size_t body_capacity)
{
    memset(p, 0, sizeof *p);
    p->_body = body;
    p->_body_capacity = body_capacity;
    response_parser_reset(p);
}

void response_parser_reset(struct response_parser *p)
{
    p->answer = (struct answer){0};
    p->begun = false;
    p->_name_bytes = 0;
    llhttp_init(&p->_llhttp, HTTP_RESPONSE, &SETTINGS);
    p->_llhttp.data = p;
}

/* An answer of 1xx only announces the one that counts. */
static bool is_interim(const struct response_parser *p)
{
    return p->answer.status >= 100 && p->answer.status < 200 && p->answer.status != 101;
}

enum response_result response_parser_feed(struct response_parser *p, const char *data, size_t bytes,
                                          size_t *used)
{
    for (*used = 0; *used < bytes;) {
        p->begun = true;
        const llhttp_errno_t error = llhttp_execute(&p->_llhttp, data + *used, bytes - *used);
        if (error == HPE_OK) {
            *used = bytes;
            return RESPONSE_MORE;
        }
        if (error != HPE_PAUSED)
            return RESPONSE_BROKEN;
        *used = (size_t)(llhttp_get_error_pos(&p->_llhttp) - data);
        if (!is_interim(p))
            return RESPONSE_DONE;
        response_parser_reset(p);
    }
    return RESPONSE_MORE;
}

enum response_result response_parser_end(struct response_parser *p)
{
    if (!p->begun)
        return RESPONSE_BROKEN;
    const llhttp_errno_t error = llhttp_finish(&p->_llhttp);
    return error == HPE_PAUSED ? RESPONSE_DONE : RESPONSE_BROKEN;
}

bool response_error_code(const char *body, size_t bytes, char *out, size_t out_bytes)
{
    static const char key[] = "\"code\":";
    const char *at = memmem(body, bytes, key, sizeof key - 1);
    if (at == NULL)
        return false;
    struct text rest = {at + sizeof key - 1, body + bytes};
    skip(&rest, " ");
    if (!take(&rest, "\""))
        return false;
    const char *quote = memchr(rest.at, '"', (size_t)(rest.end - rest.at));
    if (quote == NULL || (size_t)(quote - rest.at) >= out_bytes)
        return false;
    memcpy(out, rest.at, (size_t)(quote - rest.at));
    out[quote - rest.at] = '\0';
    return true;
}
