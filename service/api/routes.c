#include "routes.h"

#include <string.h>

#define GET_METHODS (1u << HTTP_METHOD_GET | 1u << HTTP_METHOD_HEAD)
#define POST_METHODS (1u << HTTP_METHOD_POST)
#define PATCH_METHODS (1u << HTTP_METHOD_PATCH)

struct fixed_route {
    const char *path;
    enum route_id id;
    enum metrics_route metrics_route;
    unsigned methods;
    bool admin_only;
};

static const struct fixed_route fixed_routes[] = {
    {"/", ROUTE_PAGE, METRICS_ROUTE_PAGE, GET_METHODS, false},
    {"/health", ROUTE_HEALTH, METRICS_ROUTE_HEALTH, GET_METHODS, false},
    {"/v2/health/live", ROUTE_LIVE, METRICS_ROUTE_LIVE, GET_METHODS, false},
    {"/v2/health/ready", ROUTE_READY, METRICS_ROUTE_READY, GET_METHODS, false},
    {"/metrics", ROUTE_METRICS, METRICS_ROUTE_METRICS, GET_METHODS, false},
    {"/v1/models", ROUTE_MODELS, METRICS_ROUTE_MODELS, GET_METHODS, false},
    {"/v1/indicators/sma", ROUTE_SMA, METRICS_ROUTE_INDICATOR, POST_METHODS, false},
    {"/v1/indicators/ema", ROUTE_EMA, METRICS_ROUTE_INDICATOR, POST_METHODS, false},
    {"/v1/indicators/rsi", ROUTE_RSI, METRICS_ROUTE_INDICATOR, POST_METHODS, false},
    {"/v1/config", ROUTE_CONFIG, METRICS_ROUTE_CONFIG, GET_METHODS, true},
    {"/v1/batching", ROUTE_BATCHING, METRICS_ROUTE_BATCHING, GET_METHODS, true},
    {"/v1/selftest", ROUTE_SELFTEST, METRICS_ROUTE_SELFTEST, GET_METHODS | POST_METHODS, true},
};

static const char *allow_of(unsigned methods)
{
    if ((methods & PATCH_METHODS) != 0)
        return "GET, HEAD, PATCH";
    if (methods == POST_METHODS)
        return "POST";
    return (methods & POST_METHODS) != 0 ? "GET, HEAD, POST" : "GET, HEAD";
}

static bool strip_prefix(struct http_slice *text, const char *prefix)
{
    size_t bytes = strlen(prefix);
    if (text->bytes < bytes || memcmp(text->at, prefix, bytes) != 0)
        return false;
    text->at += bytes;
    text->bytes -= bytes;
    return true;
}

static bool strip_suffix(struct http_slice *text, const char *suffix)
{
    size_t bytes = strlen(suffix);
    if (text->bytes < bytes || memcmp(text->at + text->bytes - bytes, suffix, bytes) != 0)
        return false;
    text->bytes -= bytes;
    return true;
}

/* NAME, NAME/versions/V, and either with ":predict" behind it. */
static struct route model_route(struct http_slice rest)
{
    struct route route = {
        .id = ROUTE_MODEL, .metrics_route = METRICS_ROUTE_MODEL, .methods = GET_METHODS};
    if (strip_suffix(&rest, ":predict")) {
        route.id = ROUTE_PREDICT;
        route.metrics_route = METRICS_ROUTE_PREDICT;
        route.methods = POST_METHODS;
    }
    route.allow = allow_of(route.methods);
    const char *slash = memchr(rest.at, '/', rest.bytes);
    route.model =
        (struct http_slice){rest.at, slash != NULL ? (size_t)(slash - rest.at) : rest.bytes};
    if (slash != NULL) {
        struct http_slice version = {slash, rest.bytes - route.model.bytes};
        if (!strip_prefix(&version, "/versions/") || version.bytes == 0 ||
            memchr(version.at, '/', version.bytes) != NULL)
            route.id = ROUTE_NONE;
        route.version = version;
    }
    /* No name or version holds a colon: what is behind one is a verb that does not exist. */
    if (route.model.bytes == 0 || memchr(rest.at, ':', rest.bytes) != NULL)
        route.id = ROUTE_NONE;
    return route;
}

/* NAME, and NAME/recent. */
static struct route queue_route(struct http_slice rest)
{
    struct route route = {.id = ROUTE_QUEUE,
                          .metrics_route = METRICS_ROUTE_QUEUE,
                          .methods = GET_METHODS | PATCH_METHODS,
                          .admin_only = true};
    if (strip_suffix(&rest, "/recent")) {
        route.id = ROUTE_RECENT;
        route.metrics_route = METRICS_ROUTE_RECENT;
        route.methods = GET_METHODS;
    }
    route.allow = allow_of(route.methods);
    route.queue = rest;
    if (rest.bytes == 0 || memchr(rest.at, '/', rest.bytes) != NULL)
        route.id = ROUTE_NONE;
    return route;
}

struct route route_find(struct http_slice path)
{
    struct route none = {.id = ROUTE_NONE, .metrics_route = METRICS_ROUTE_OTHER};
    struct http_slice rest = path;
    if (strip_prefix(&rest, "/v1/models/")) {
        struct route route = model_route(rest);
        return route.id == ROUTE_NONE ? none : route;
    }
    if (strip_prefix(&rest, "/v1/batching/")) {
        struct route route = queue_route(rest);
        return route.id == ROUTE_NONE ? none : route;
    }
    for (size_t i = 0; i < sizeof fixed_routes / sizeof fixed_routes[0]; i++) {
        const struct fixed_route *fixed = &fixed_routes[i];
        if (http_slice_equals(path, fixed->path))
            return (struct route){.id = fixed->id,
                                  .metrics_route = fixed->metrics_route,
                                  .methods = fixed->methods,
                                  .allow = allow_of(fixed->methods),
                                  .admin_only = fixed->admin_only};
    }
    return none;
}

bool route_allows(const struct route *route, enum http_method method)
{
    return (route->methods & 1u << method) != 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Clients quote names of models; only names that need no quoting exist. */
bool route_decode_name(struct http_slice raw, char *name, size_t size, size_t *bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.bytes; i++, n++) {
        if (n == size)
            return false;
        name[n] = raw.at[i];
        if (raw.at[i] != '%')
            continue;
        int high = i + 2 < raw.bytes ? hex_value(raw.at[i + 1]) : -1;
        int low = i + 2 < raw.bytes ? hex_value(raw.at[i + 2]) : -1;
        if (high < 0 || low < 0)
            return false;
        name[n] = (char)(high << 4 | low);
        i += 2;
    }
    *bytes = n;
    return true;
}
