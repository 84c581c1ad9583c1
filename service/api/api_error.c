#include "api_error.h"

#include <stdarg.h>
#include <stdio.h>

int api_error_status(enum api_error_id id)
{
    static const int statuses[] = {[API_OK] = 200,
#define X(id, status, code) [API_##id] = status,
                                   API_ERROR_MAP(X)
#undef X
    };
    return statuses[id];
}

const char *api_error_code(enum api_error_id id)
{
    static const char *const codes[] = {[API_OK] = "ok",
#define X(id, status, code) [API_##id] = code,
                                        API_ERROR_MAP(X)
#undef X
    };
    return codes[id];
}

bool api_fail(struct api_error *error, enum api_error_id id, const char *format, ...)
{
    error->id = id;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}
