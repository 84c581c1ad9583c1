/*
 * exchange.h - what the parts of api/ know about one exchange: its route, its errors.
 *
 *   Threads    the loop's thread.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "api.h"
#include "routes.h"

/* An exchange's tag is its route + 1; 0 is a request that was refused before it had one. */
enum {
    EXCHANGE_TAG_ROUTE = 0xff,
    EXCHANGE_TAG_IN_FLIGHT = 0x100, /* counted in api.in_flight */
};

void exchange_set_route(struct http_exchange *ex, enum route_id id);
enum route_id exchange_route(const struct http_exchange *ex);

/* Predictions and indicators. */
bool exchange_is_compute(const struct http_exchange *ex);

/* Whether a Content-Type names this type, whatever its parameters. */
bool exchange_media_type_is(struct http_slice type, const char *name);

/* Answers the error and counts it. */
void exchange_fail(struct api_loop *loop, struct http_exchange *ex, enum api_error_id id,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
void exchange_answer_error(struct api_loop *loop, struct http_exchange *ex,
                           const struct api_error *error);

/* For a histogram: the request's trace id, else its request id. */
struct metrics_exemplar exchange_exemplar(const struct http_exchange *ex, uint64_t at_ns);

/* later - earlier, or 0 when a clock that was read on another thread is a little behind. */
static inline uint64_t exchange_since(uint64_t later_ns, uint64_t earlier_ns)
{
    return later_ns > earlier_ns ? later_ns - earlier_ns : 0;
}

#endif
