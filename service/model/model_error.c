#include "model_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *model_status_str(enum model_status status)
{
    switch (status) {
#define X(name, text)  \
    case MODEL_##name: \
        return text;
        MODEL_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

enum model_status model_fail(struct model_error *error, enum model_status status,
                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

enum model_status model_fail_nomem(struct model_error *error)
{
    return model_fail(error, MODEL_NOMEM, "out of memory");
}

/* One byte as it may stand in a log line: itself, or \xNN. */
static size_t escape_byte(char out[5], unsigned char byte)
{
    if (byte >= 0x20 && byte < 0x7f && byte != '\'' && byte != '\\') {
        out[0] = (char)byte;
        return 1;
    }
    return (size_t)snprintf(out, 5, "\\x%02x", byte);
}

struct model_quoted model_quote(const char *name)
{
    static const char cut[] = "...'";
    struct model_quoted quoted = {.text = "'"};
    size_t used = 1;
    for (const char *at = name == NULL ? "" : name; *at != '\0'; at++) {
        char escaped[5];
        size_t bytes = escape_byte(escaped, (unsigned char)*at);
        if (used + bytes + sizeof cut > sizeof quoted.text) {
            memcpy(quoted.text + used, cut, sizeof cut);
            return quoted;
        }
        memcpy(quoted.text + used, escaped, bytes);
        used += bytes;
    }
    memcpy(quoted.text + used, "'", 2);
    return quoted;
}
