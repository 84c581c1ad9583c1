/*
 * workload.c - see workload.h.
 */
#include "workload.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD_BYTES_MAX = 1024,
    NUMBER_BYTES_MAX = 16,
};

struct requests {
    struct workload_request *items;
    size_t count;
};

struct kind {
    char name[WORKLOAD_NAME_BYTES_MAX];
    double weight_to; /* of this and all kinds before it; the last one's is 1 */
    struct requests valid;
    struct workload_request invalid;
};

struct workload {
    struct kind kinds[WORKLOAD_KINDS_MAX];
    size_t kind_count;
    double invalid_share;
    double abandoned_share;
    struct load_random random;
};

/* --- Text that grows up to a size that was worked out before. */

struct text {
    char *data;
    size_t bytes;
    size_t capacity;
};

static bool text_init(struct text *text, size_t capacity)
{
    *text = (struct text){.data = malloc(capacity), .capacity = capacity};
    return text->data != NULL;
}

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format,
                                                           ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int bytes =
        vsnprintf(text->data + text->bytes, text->capacity - text->bytes, format, arguments);
    va_end(arguments);
    assert(bytes >= 0);
    assert((size_t)bytes < text->capacity - text->bytes);
    text->bytes += (size_t)bytes;
}

/* --- Bodies. */

/* Numbers from 0 to 1 with three decimals: what most models were trained on after
 * scaling, and as long as people's numbers are. */
static char *predict_body(const struct workload_spec *spec, size_t row_elements,
                          struct load_random *random)
{
    struct text body;
    if (!text_init(&body, 64 + spec->rows * (row_elements * NUMBER_BYTES_MAX + 4)))
        return NULL;
    text_add(&body, "{\"instances\":[");
    for (size_t row = 0; row < spec->rows; row++) {
        text_add(&body, row == 0 ? "[" : ",[");
        for (size_t i = 0; i < row_elements; i++)
            text_add(&body, i == 0 ? "%.3f" : ",%.3f", load_random_unit(random));
        text_add(&body, "]");
    }
    text_add(&body, "]}");
    return body.data;
}

/* Prices that walk at random around 100 and stay positive. */
static char *indicator_body(const struct workload_spec *spec, struct load_random *random)
{
    struct text body;
    if (!text_init(&body, 128 + spec->points * NUMBER_BYTES_MAX))
        return NULL;
    double price = 100;
    text_add(&body, "{\"prices\":[");
    for (size_t i = 0; i < spec->points; i++) {
        price += (load_random_unit(random) - 0.5) * 2 + (100 - price) * 0.01;
        text_add(&body, i == 0 ? "%.2f" : ",%.2f", price);
    }
    text_add(&body, "],\"period\":%zu}", spec->period);
    return body.data;
}

static char *generate_body(const struct workload_spec *spec, const struct workload_kind *kind,
                           struct load_random *random)
{
    switch (kind->what) {
    case WORKLOAD_MODEL:
        return predict_body(spec, kind->row_elements, random);
    case WORKLOAD_INDICATOR:
        return indicator_body(spec, random);
    case WORKLOAD_GET:
        return strdup("");
    }
    return NULL;
}

/* JSON, but not what the route wants: answered 400, and the connection goes on. */
static const char *invalid_body(enum workload_what what)
{
    switch (what) {
    case WORKLOAD_MODEL:
        return "{\"instances\":[[\"not a number\"]]}";
    case WORKLOAD_INDICATOR:
        return "{\"prices\":[\"not a number\"],\"period\":1}";
    case WORKLOAD_GET:
        return "";
    }
    return NULL;
}

/* --- Requests. */

static void add_path(struct text *text, const struct workload_kind *kind)
{
    switch (kind->what) {
    case WORKLOAD_MODEL:
        return text_add(text, "POST /v1/models/%s:predict HTTP/1.1\r\n", kind->name);
    case WORKLOAD_INDICATOR:
        return text_add(text, "POST /v1/indicators/%s HTTP/1.1\r\n", kind->name);
    case WORKLOAD_GET:
        return text_add(text, "GET %s HTTP/1.1\r\n", kind->name);
    }
}

static void add_head(struct text *text, const struct workload_spec *spec,
                     const struct workload_kind *kind, size_t body_bytes)
{
    add_path(text, kind);
    text_add(text, "Host: %s\r\n", spec->host);
    if (kind->what != WORKLOAD_GET)
        text_add(text, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_bytes);
    if (spec->timeout_ms > 0)
        text_add(text, "X-Request-Timeout-Ms: %u\r\n", spec->timeout_ms);
    if (spec->priority != NULL)
        text_add(text, "X-Priority: %s\r\n", spec->priority);
    if (spec->tenant != NULL)
        text_add(text, "X-Tenant: %s\r\n", spec->tenant);
    text_add(text, "\r\n");
}

static bool build_request(const struct workload_spec *spec, size_t kind, const char *body,
                          bool invalid, struct workload_request *out)
{
    struct text text;
    const size_t body_bytes = strlen(body);
    if (!text_init(&text, HEAD_BYTES_MAX + body_bytes + 1))
        return false;
    add_head(&text, spec, &spec->kinds[kind], body_bytes);
    memcpy(text.data + text.bytes, body, body_bytes);
    *out = (struct workload_request){
        .data = text.data, .bytes = text.bytes + body_bytes, .kind = kind, .invalid = invalid};
    return true;
}

static bool build_generated(const struct workload_spec *spec, size_t index,
                            struct load_random *random, struct workload_request *out)
{
    char *body = generate_body(spec, &spec->kinds[index], random);
    const bool ok = body != NULL && build_request(spec, index, body, false, out);
    free(body);
    return ok;
}

static bool build_valid(const struct workload_spec *spec, size_t index, struct load_random *random,
                        struct requests *valid)
{
    const struct workload_bodies *given = &spec->kinds[index].bodies;
    const size_t count = given->count > 0 ? given->count : WORKLOAD_VARIANTS;
    valid->items = calloc(count, sizeof *valid->items);
    if (valid->items == NULL)
        return false;
    for (; valid->count < count; valid->count++) {
        struct workload_request *out = &valid->items[valid->count];
        const bool ok = given->count > 0
                            ? build_request(spec, index, given->texts[valid->count], false, out)
                            : build_generated(spec, index, random, out);
        if (!ok)
            return false;
    }
    return true;
}

static bool build_kind(const struct workload_spec *spec, size_t index, struct load_random *random,
                       struct kind *out)
{
    strcpy(out->name, spec->kinds[index].name);
    return build_valid(spec, index, random, &out->valid) &&
           build_request(spec, index, invalid_body(spec->kinds[index].what), true, &out->invalid);
}

static bool build_kinds(const struct workload_spec *spec, struct workload *w)
{
    double sum = 0;
    double weight_to = 0;
    for (size_t i = 0; i < spec->kind_count; i++)
        sum += spec->kinds[i].weight;
    for (size_t i = 0; i < spec->kind_count; i++) {
        weight_to += spec->kinds[i].weight;
        w->kinds[i].weight_to = weight_to / sum;
        w->kind_count = i + 1;
        if (!build_kind(spec, i, &w->random, &w->kinds[i]))
            return false;
    }
    return true;
}

/* --- The spec. */

/* A name stands in a path, and a tenant in a head: nothing there may end it early. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

static bool check_kind(const struct workload_spec *spec, const struct workload_kind *kind,
                       struct load_error *error)
{
    size_t bytes;
    if (kind->name[0] == '\0' || !is_plain(kind->name))
        return load_fail(error, "\"%s\" is not a name", kind->name);
    if (!(kind->weight > 0))
        return load_fail(error, "the weight of %s is not positive", kind->name);
    if (kind->what == WORKLOAD_GET && kind->name[0] != '/')
        return load_fail(error, "\"%s\" is not a path: it begins with a slash", kind->name);
    if (kind->what == WORKLOAD_GET && spec->invalid_share > 0)
        return load_fail(error, "GET %s has no body that could be wrong", kind->name);
    if (kind->what != WORKLOAD_MODEL || kind->bodies.count > 0)
        return true;
    if (kind->row_elements == 0 ||
        __builtin_mul_overflow(kind->row_elements, spec->rows * NUMBER_BYTES_MAX, &bytes) ||
        bytes > WORKLOAD_BODY_BYTES_MAX / WORKLOAD_VARIANTS)
        return load_fail(error, "%zu rows of %s with %zu numbers each are too large a request",
                         spec->rows, kind->name, kind->row_elements);
    return true;
}

static bool check_header(const char *name, const char *value, struct load_error *error)
{
    if (value == NULL || (value[0] != '\0' && strlen(value) <= 128 && is_plain(value)))
        return true;
    return load_fail(error, "the %s is not 1 to 128 printable characters without spaces", name);
}

static bool check(const struct workload_spec *spec, struct load_error *error)
{
    assert(spec->kind_count <= WORKLOAD_KINDS_MAX);
    if (spec->kind_count == 0)
        return load_fail(error, "nothing to send: name a model or an indicator");
    if (spec->rows == 0 || spec->rows > WORKLOAD_ROWS_MAX)
        return load_fail(error, "rows are not 1 to %d", WORKLOAD_ROWS_MAX);
    if (spec->points == 0 || spec->points > WORKLOAD_POINTS_MAX)
        return load_fail(error, "points are not 1 to %d", WORKLOAD_POINTS_MAX);
    if (spec->period == 0 || spec->period > spec->points)
        return load_fail(error, "the period is not 1 to the number of points, %zu", spec->points);
    for (size_t i = 0; i < spec->kind_count; i++)
        if (!check_kind(spec, &spec->kinds[i], error))
            return false;
    return check_header("tenant", spec->tenant, error) &&
           check_header("priority", spec->priority, error);
}

bool workload_create(const struct workload_spec *spec, struct workload **out,
                     struct load_error *error)
{
    if (!check(spec, error))
        return false;
    struct workload *w = calloc(1, sizeof *w);
    if (w == NULL)
        return load_fail(error, "out of memory");
    w->invalid_share = spec->invalid_share;
    w->abandoned_share = spec->abandoned_share;
    w->random.state = spec->seed;
    if (!build_kinds(spec, w)) {
        workload_destroy(w);
        return load_fail(error, "the requests do not fit in memory");
    }
    *out = w;
    return true;
}

static void free_request(const struct workload_request *request)
{
    free((char *)(uintptr_t)request->data);
}

void workload_destroy(struct workload *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->kind_count; i++) {
        for (size_t j = 0; j < w->kinds[i].valid.count; j++)
            free_request(&w->kinds[i].valid.items[j]);
        free(w->kinds[i].valid.items);
        free_request(&w->kinds[i].invalid);
    }
    free(w);
}

/* --- The choice. */

static const struct kind *pick_kind(struct workload *w)
{
    if (w->kind_count == 1)
        return &w->kinds[0];
    const double at = load_random_unit(&w->random);
    size_t i = 0;
    while (i + 1 < w->kind_count && at >= w->kinds[i].weight_to)
        i++;
    return &w->kinds[i];
}

static bool happens(struct workload *w, double share)
{
    return share > 0 && load_random_unit(&w->random) < share;
}

const struct workload_request *workload_pick(struct workload *w, bool *out_abandoned)
{
    const struct kind *kind = pick_kind(w);
    *out_abandoned = happens(w, w->abandoned_share);
    if (happens(w, w->invalid_share))
        return &kind->invalid;
    return &kind->valid.items[load_random_next(&w->random) % kind->valid.count];
}

size_t workload_kind_count(const struct workload *w)
{
    return w->kind_count;
}

const char *workload_kind_name(const struct workload *w, size_t kind)
{
    assert(kind < w->kind_count);
    return w->kinds[kind].name;
}

void workload_bodies_destroy(struct workload_bodies *bodies)
{
    for (size_t i = 0; i < bodies->count; i++)
        free(bodies->texts[i]);
    free(bodies->texts);
    *bodies = (struct workload_bodies){0};
}
