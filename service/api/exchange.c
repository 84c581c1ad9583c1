#include "exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void exchange_set_route(struct http_exchange *ex, enum route_id id)
{
    ex->tag = (unsigned)id + 1;
}

enum route_id exchange_route(const struct http_exchange *ex)
{
    unsigned route = ex->tag & EXCHANGE_TAG_ROUTE;
    return route == 0 ? ROUTE_NONE : (enum route_id)(route - 1);
}

bool exchange_is_compute(const struct http_exchange *ex)
{
    enum route_id id = exchange_route(ex);
    return id == ROUTE_PREDICT || id == ROUTE_SMA || id == ROUTE_EMA || id == ROUTE_RSI;
}

bool exchange_media_type_is(struct http_slice type, const char *name)
{
    const char *semicolon = memchr(type.at, ';', type.bytes);
    if (semicolon != NULL)
        type.bytes = (size_t)(semicolon - type.at);
    while (type.bytes > 0 && type.at[type.bytes - 1] == ' ')
        type.bytes--;
    return http_slice_equals_nocase(type, name);
}

struct metrics_exemplar exchange_exemplar(const struct http_exchange *ex, uint64_t at_ns)
{
    if (ex->trace_id[0] != '\0')
        return (struct metrics_exemplar){ex->trace_id, HTTP_TRACE_ID_BYTES, at_ns};
    return (struct metrics_exemplar){ex->request_id, ex->request_id_bytes, at_ns};
}

void exchange_answer_error(struct api_loop *loop, struct http_exchange *ex,
                           const struct api_error *error)
{
    const char *code = api_error_code(error->id);
    if (exchange_is_compute(ex))
        metrics_add(loop->shard, METRICS_COMPUTE_ERRORS_TOTAL, metrics_error_index(code), 1);
    http_answer_error(ex, api_error_status(error->id), code, error->text, strlen(error->text));
}

void exchange_fail(struct api_loop *loop, struct http_exchange *ex, enum api_error_id id,
                   const char *format, ...)
{
    struct api_error error = {.id = id};
    va_list args;
    va_start(args, format);
    vsnprintf(error.text, sizeof error.text, format, args);
    va_end(args);
    exchange_answer_error(loop, ex, &error);
}
