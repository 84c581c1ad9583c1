/*
 * routes.h - which handler serves a path, decided by the head alone.
 *
 *   Threads    any; pure.
 */
#ifndef ROUTES_H
#define ROUTES_H

#include "http_parser.h"
#include "metrics.h"

enum route_id {
    ROUTE_PAGE,
    ROUTE_HEALTH,
    ROUTE_LIVE,
    ROUTE_READY,
    ROUTE_METRICS,
    ROUTE_MODELS,
    ROUTE_MODEL,
    ROUTE_PREDICT,
    ROUTE_SMA,
    ROUTE_EMA,
    ROUTE_RSI,
    ROUTE_CONFIG,
    ROUTE_BATCHING,
    ROUTE_QUEUE,
    ROUTE_RECENT,
    ROUTE_SELFTEST,
    ROUTE_NONE,
};

struct route {
    enum route_id id;
    enum metrics_route metrics_route;
    unsigned methods;  /* bits 1 << enum http_method */
    const char *allow; /* the same as a header value */
    bool admin_only;
    struct http_slice model;   /* from the path, still percent-encoded */
    struct http_slice version; /* at == NULL: none was given */
    struct http_slice queue;   /* like model */
};

/* ROUTE_NONE when no route has this path. */
struct route route_find(struct http_slice path);

/* The name that a slice of the path stands for; false when it is malformed or longer than `size`.
 * Not terminated. */
bool route_decode_name(struct http_slice raw, char *name, size_t size, size_t *bytes);

bool route_allows(const struct route *route, enum http_method method);

#endif
