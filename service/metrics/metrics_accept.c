/*
 * metrics_accept.c - which exposition format an Accept header asks for (RFC 9110, 12.5.1).
 *
 * OpenMetrics is for those who name it and prefer it to text/plain; everyone
 * else, also with a header that allows neither, gets the text format. Versions
 * that we do not write (text/plain;version=1.0.0) count as not listed.
 */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "metrics.h"

/* A part of the header; spaces at both ends removed. */
struct slice {
    const char *at;
    size_t bytes;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.bytes > 0 && is_space(text.at[0])) {
        text.at++;
        text.bytes--;
    }
    while (text.bytes > 0 && is_space(text.at[text.bytes - 1]))
        text.bytes--;
    return text;
}

/* Takes what stands before the next separator that is not inside quotes. */
static struct slice take_until(struct slice *rest, char separator)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->bytes && (quoted || rest->at[i] != separator); i++) {
        if (rest->at[i] == '"')
            quoted = !quoted;
        else if (rest->at[i] == '\\' && quoted && i + 1 < rest->bytes)
            i++;
    }
    struct slice taken = {rest->at, i};
    size_t used = i < rest->bytes ? i + 1 : i;
    rest->at += used;
    rest->bytes -= used;
    return trim(taken);
}

static bool slice_is(struct slice text, const char *word)
{
    return text.bytes == strlen(word) && strncasecmp(text.at, word, text.bytes) == 0;
}

/* "0.25" is 250. What is no weight is 0: the range does not count. */
static unsigned parse_weight(struct slice text)
{
    if (text.bytes == 0 || text.bytes > 5 || (text.at[0] != '0' && text.at[0] != '1'))
        return 0;
    if (text.bytes > 1 && text.at[1] != '.')
        return 0;
    unsigned weight = (unsigned)(text.at[0] - '0') * 1000;
    unsigned step = 100;
    for (size_t i = 2; i < text.bytes; i++, step /= 10) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
        weight += (unsigned)(text.at[i] - '0') * step;
    }
    return weight <= 1000 ? weight : 0;
}

struct media_range {
    struct slice type;
    struct slice version; /* empty: any */
    unsigned weight;      /* of 1000 */
};

static struct slice unquote(struct slice text)
{
    if (text.bytes < 2 || text.at[0] != '"' || text.at[text.bytes - 1] != '"')
        return text;
    return (struct slice){text.at + 1, text.bytes - 2};
}

static struct media_range parse_range(struct slice text)
{
    struct media_range range = {.type = take_until(&text, ';'), .weight = 1000};
    while (text.bytes > 0) {
        struct slice value = take_until(&text, ';');
        struct slice name = take_until(&value, '=');
        value = unquote(trim(value));
        if (slice_is(name, "q"))
            range.weight = parse_weight(value);
        else if (slice_is(name, "version"))
            range.version = value;
    }
    return range;
}

static bool range_is(const struct media_range *range, const char *type, const char *version)
{
    return slice_is(range->type, type) &&
           (range->version.bytes == 0 || slice_is(range->version, version));
}

/* How closely a range names text/plain; 0: not at all. */
static int text_closeness(const struct media_range *range)
{
    if (range_is(range, "text/plain", "0.0.4"))
        return range->version.bytes > 0 ? 4 : 3;
    if (slice_is(range->type, "text/*"))
        return 2;
    return slice_is(range->type, "*/*") ? 1 : 0;
}

enum metrics_format metrics_negotiate(const char *accept, size_t bytes)
{
    struct slice rest = {accept, accept == NULL ? 0 : bytes};
    unsigned openmetrics = 0, text = 0;
    int closest = 0;
    while (rest.bytes > 0) {
        struct media_range range = parse_range(take_until(&rest, ','));
        int closeness = text_closeness(&range);
        if (range_is(&range, "application/openmetrics-text", "1.0.0") && range.weight > openmetrics)
            openmetrics = range.weight;
        if (closeness > 0 && closeness >= closest) {
            closest = closeness;
            text = range.weight;
        }
    }
    return openmetrics > text ? METRICS_OPENMETRICS : METRICS_TEXT;
}
