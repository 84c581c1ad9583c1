#include "batching_routes.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base.h"
#include "exchange.h"
#include "number_write.h"

enum {
    QUEUE_NAME_BYTES_MAX = 160
};

static const char json_type[] = "application/json";

/* --- the head */

bool batching_find_queue(struct api_loop *loop, struct http_exchange *ex, struct http_slice name)
{
    char text[QUEUE_NAME_BYTES_MAX];
    size_t bytes;
    if (route_decode_name(name, text, sizeof text, &bytes))
        ex->user = compute_queue_find(loop->api->compute, text, bytes);
    if (ex->user != NULL)
        return true;
    exchange_fail(loop, ex, API_QUEUE_NOT_FOUND, "no queue \"%.*s\" is here; see GET /v1/batching",
                  (int)(name.bytes < 128 ? name.bytes : 128), name.at);
    return false;
}

bool batching_check_media_type(struct api_loop *loop, struct http_exchange *ex)
{
    struct http_slice type = ex->request->headers[HTTP_HEADER_CONTENT_TYPE];
    if (type.at == NULL || exchange_media_type_is(type, json_type) ||
        exchange_media_type_is(type, "application/merge-patch+json"))
        return true;
    http_answer_header(ex, "Accept-Patch: application/merge-patch+json, application/json");
    exchange_fail(loop, ex, API_UNSUPPORTED_MEDIA_TYPE,
                  "the body must be application/merge-patch+json or application/json");
    return false;
}

/* The value of the one parameter that this route has; its `at` is NULL when it was not given.
 * Any other is refused: a misspelt "validate" must not change anything. */
static bool read_parameter(struct api_loop *loop, struct http_exchange *ex, const char *name,
                           struct http_slice *value)
{
    struct http_slice rest = ex->request->query;
    size_t name_bytes = strlen(name);
    *value = (struct http_slice){0};
    while (rest.bytes > 0) {
        const char *end = memchr(rest.at, '&', rest.bytes);
        size_t bytes = end != NULL ? (size_t)(end - rest.at) : rest.bytes;
        bool known = bytes > name_bytes && memcmp(rest.at, name, name_bytes) == 0 &&
                     rest.at[name_bytes] == '=';
        if (!known || value->at != NULL) {
            exchange_fail(loop, ex, API_INVALID_PARAMETER,
                          "the query may have \"%s\" once, and nothing else", name);
            return false;
        }
        *value = (struct http_slice){rest.at + name_bytes + 1, bytes - name_bytes - 1};
        bytes += end != NULL;
        rest = (struct http_slice){rest.at + bytes, rest.bytes - bytes};
    }
    return true;
}

/* --- numbers, whatever the locale */

static void append_number(struct buffer *out, const char *key, double value)
{
    char text[NUMBER_F64_BYTES_MAX];
    buffer_append_format(out, "\"%s\":", key);
    buffer_append(out, text, number_write_f64(text, value));
}

/* No finer than a nanosecond. */
static void append_us(struct buffer *out, const char *key, double ns)
{
    append_number(out, key, round(ns) / 1e3);
}

/* --- one queue as JSON */

static void append_plan(struct buffer *out, const struct batcher_queue_stats *stats)
{
    bool by_target = stats->limits.target_p99_ns > 0 && stats->cost_is_sure;
    buffer_append_format(out, ",\"plan\":{\"decided_by\":\"%s\",\"batch_rows\":%zu,",
                         by_target ? "target" : "limits", stats->batch_rows);
    append_us(out, "delay_us", (double)stats->delay_ns);
    buffer_append_str(out, "}");
}

static void append_cost(struct buffer *out, const struct compute_queue *queue,
                        const struct batcher_queue_stats *stats)
{
    buffer_append_format(out, ",\"cost\":{\"unit\":\"%s\",",
                         queue->kind == COMPUTE_PREDICT ? "row" : "value");
    append_us(out, "fixed_us", stats->cost_fixed_ns);
    buffer_append_str(out, ",");
    append_number(out, "per_unit_us", round(stats->cost_unit_ns * 1e3) / 1e6);
    buffer_append_str(out, ",");
    append_number(out, "usual_error", round(stats->cost_error * 1e3) / 1e3);
    buffer_append_format(out, ",\"sure\":%s}", stats->cost_is_sure ? "true" : "false");
}

static void append_now(struct buffer *out, const struct batcher_queue_stats *stats, double drained)
{
    uint64_t oldest_ns =
        stats->oldest_ns != 0 ? exchange_since(clock_now_ns(), stats->oldest_ns) : 0;
    buffer_append_format(out, ",\"now\":{\"jobs\":%zu,\"rows\":%zu,\"bytes\":%zu,", stats->jobs,
                         stats->rows, stats->bytes);
    append_us(out, "oldest_us", (double)oldest_ns);
    buffer_append_format(out, ",\"inflight_batches\":%zu,", stats->inflight_batches);
    append_number(out, "arrivals_per_second", round(stats->arrivals_per_s * 10) / 10);
    buffer_append_str(out, ",");
    append_number(out, "drained_per_second", round(drained * 10) / 10);
    buffer_append_str(out, "}");
}

/* Its members, without the braces. */
static void append_queue(struct api *api, const struct compute_queue *queue,
                         const struct config_effective *effective, struct buffer *out)
{
    struct batcher_queue_stats stats;
    struct batcher *batcher = compute_batcher(api->compute);
    batcher_queue_stats(batcher, queue->batcher_queue, &stats);
    char etag[BATCHING_ETAG_BYTES_MAX];
    batching_etag(api->batching, queue, etag);
    buffer_append_str(out, "\"queue\":");
    buffer_append_json_string(out, queue->name, strlen(queue->name));
    buffer_append_str(out, ",\"etag\":");
    buffer_append_json_string(out, etag, strlen(etag));
    buffer_append_str(out, ",\"settings\":");
    config_effective_to_json(effective, out);
    append_plan(out, &stats);
    append_cost(out, queue, &stats);
    append_now(out, &stats, batcher_queue_drain_rate(batcher, queue->batcher_queue));
}

void batching_show_all(struct api_loop *loop, struct http_exchange *ex)
{
    struct api *api = loop->api;
    buffer_append_str(&ex->answer, "{\"queues\":[");
    for (size_t i = 0; i < compute_queue_count(api->compute); i++) {
        const struct compute_queue *queue = compute_queue_at(api->compute, i);
        buffer_append_str(&ex->answer, i > 0 ? ",{" : "{");
        append_queue(api, queue, batching_of(api->batching, queue), &ex->answer);
        buffer_append_str(&ex->answer, "}");
    }
    buffer_append_str(&ex->answer, "]}\n");
    http_answer(ex, 200, json_type);
}

static void add_etag(struct api *api, struct http_exchange *ex, const struct compute_queue *queue)
{
    char etag[BATCHING_ETAG_BYTES_MAX];
    batching_etag(api->batching, queue, etag);
    http_answer_header(ex, "ETag: %s", etag);
}

static void show_queue(struct api_loop *loop, struct http_exchange *ex,
                       const struct compute_queue *queue)
{
    buffer_append_str(&ex->answer, "{");
    append_queue(loop->api, queue, batching_of(loop->api->batching, queue), &ex->answer);
    buffer_append_str(&ex->answer, "}\n");
    add_etag(loop->api, ex, queue);
    http_answer(ex, 200, json_type);
}

/* --- PATCH: what is wanted */

/* Of a list of entity tags, or "*". A weak one never matches, nor does what is none. */
static bool etag_matches(struct http_slice list, const char *etag)
{
    const char *at = list.at, *end = list.at + list.bytes;
    if (http_slice_equals(list, "*"))
        return true;
    while (at < end) {
        bool weak = end - at > 2 && at[0] == 'W' && at[1] == '/';
        const char *open = at + (weak ? 2 : 0);
        const char *close = *open == '"' ? memchr(open + 1, '"', (size_t)(end - open) - 1) : NULL;
        if (close == NULL)
            return false;
        if (!weak && http_slice_equals((struct http_slice){open, (size_t)(close + 1 - open)}, etag))
            return true;
        at = close + 1;
        while (at < end && (*at == ',' || *at == ' ' || *at == '\t'))
            at++;
    }
    return false;
}

static bool check_if_match(struct api_loop *loop, struct http_exchange *ex,
                           const struct compute_queue *queue)
{
    struct http_slice list = ex->request->headers[HTTP_HEADER_IF_MATCH];
    char etag[BATCHING_ETAG_BYTES_MAX];
    batching_etag(loop->api->batching, queue, etag);
    if (list.at == NULL || etag_matches(list, etag))
        return true;
    add_etag(loop->api, ex, queue);
    exchange_fail(loop, ex, API_PRECONDITION_FAILED,
                  "%s was changed since: its ETag is not the one in If-Match", queue->name);
    return false;
}

static bool read_validate(struct api_loop *loop, struct http_exchange *ex, bool *validate)
{
    struct http_slice value;
    if (!read_parameter(loop, ex, "validate", &value))
        return false;
    *validate = value.at != NULL && http_slice_equals(value, "true");
    if (value.at == NULL || *validate || http_slice_equals(value, "false"))
        return true;
    exchange_fail(loop, ex, API_INVALID_PARAMETER, "validate is neither true nor false");
    return false;
}

/* A number as the configuration reads it; of a duration, seconds. */
static const char *number_text(yyjson_val *value, bool seconds, char text[64])
{
    struct buffer out = {.data = text, .capacity_bytes = 63, .bytes_max = 63};
    char real[NUMBER_F64_BYTES_MAX];
    if (yyjson_is_uint(value))
        buffer_append_format(&out, "%" PRIu64, yyjson_get_uint(value));
    else if (yyjson_is_sint(value))
        buffer_append_format(&out, "%" PRId64, yyjson_get_sint(value));
    else
        buffer_append(&out, real, number_write_f64(real, yyjson_get_real(value)));
    buffer_append_str(&out, seconds ? "s" : "");
    text[out.bytes] = '\0';
    return text;
}

static bool fail_type(enum config_field field, yyjson_val *value, struct api_error *error)
{
    static const char *const wanted[] = {
        [CONFIG_UNIT_NONE] = "a number",
        [CONFIG_UNIT_BYTES] = "a number of bytes, a string such as \"16MiB\",",
        [CONFIG_UNIT_SECONDS] = "a number of seconds, a string such as \"5ms\","};
    return api_fail(error, API_WRONG_TYPE, "%s is %s; it must be %s or null",
                    config_field_name(field), json_kind(value), wanted[config_field_unit(field)]);
}

static bool read_field(enum config_field field, yyjson_val *value, struct batching_patch *patch,
                       struct api_error *error)
{
    enum config_unit unit = config_field_unit(field);
    char number[64];
    const char *text = NULL;
    if (yyjson_is_null(value)) {
        patch->reset |= 1u << field;
        return true;
    }
    if (yyjson_is_num(value))
        text = number_text(value, unit == CONFIG_UNIT_SECONDS, number);
    else if (yyjson_is_str(value) && unit != CONFIG_UNIT_NONE)
        text = yyjson_get_str(value);
    else
        return fail_type(field, value, error);
    struct config_error why;
    if (yyjson_is_str(value) && strlen(text) != yyjson_get_len(value))
        return api_fail(error, API_INVALID_PARAMETER, "%s must not contain a NUL character",
                        config_field_name(field));
    if (!config_field_set(field, text, &patch->batching, &why))
        return api_fail(error, API_INVALID_PARAMETER, "%.250s", why.text);
    patch->set |= 1u << field;
    return true;
}

static bool read_patch(struct json_reader *reader, struct buffer *body,
                       struct batching_patch *patch, struct api_error *error)
{
    yyjson_val *root;
    struct json_field fields[CONFIG_FIELDS];
    for (unsigned i = 0; i < CONFIG_FIELDS; i++)
        fields[i].name = config_field_name((enum config_field)i);
    if (!json_read_object(reader, body, &root, error) ||
        !json_fields(root, fields, CONFIG_FIELDS, error))
        return false;
    *patch = (struct batching_patch){0};
    for (unsigned i = 0; i < CONFIG_FIELDS; i++)
        if (fields[i].value != NULL &&
            !read_field((enum config_field)i, fields[i].value, patch, error))
            return false;
    return true;
}

/* --- PATCH: what becomes of it */

static void append_changed(struct buffer *out, unsigned changes)
{
    const char *separator = "";
    buffer_append_str(out, ",\"changed\":[");
    for (unsigned i = 0; i < CONFIG_FIELDS; i++) {
        if ((changes & 1u << i) == 0)
            continue;
        buffer_append_format(out, "%s\"%s\"", separator, config_field_name((enum config_field)i));
        separator = ",";
    }
    buffer_append_str(out, "]");
}

static bool apply(struct api *api, struct compute_queue *queue, const struct batching_patch *patch,
                  bool validate, struct config_effective *after, struct api_error *error)
{
    struct config_error why;
    bool ok = validate ? batching_check(api->batching, queue, patch, after, &why)
                       : batching_apply(api->batching, queue, patch, &why);
    if (!ok)
        return api_fail(error, API_INVALID_PARAMETER, "%.250s", why.text);
    if (!validate)
        *after = *batching_of(api->batching, queue);
    return true;
}

static void answer_patch(struct api_loop *loop, struct http_exchange *ex,
                         struct compute_queue *queue, const struct batching_patch *patch,
                         bool validate)
{
    struct api *api = loop->api;
    struct config_effective before = *batching_of(api->batching, queue), after;
    struct api_error error;
    if (!apply(api, queue, patch, validate, &after, &error)) {
        exchange_answer_error(loop, ex, &error);
        return;
    }
    buffer_append_format(&ex->answer, "{\"applied\":%s", validate ? "false" : "true");
    append_changed(&ex->answer, config_effective_changes(&before, &after));
    buffer_append_str(&ex->answer, ",");
    append_queue(api, queue, &after, &ex->answer);
    buffer_append_str(&ex->answer, "}\n");
    add_etag(api, ex, queue);
    http_answer(ex, 200, json_type);
}

static void patch_queue(struct api_loop *loop, struct http_exchange *ex,
                        struct compute_queue *queue)
{
    struct batching_patch patch;
    struct api_error error;
    bool validate;
    if (!read_validate(loop, ex, &validate) || !check_if_match(loop, ex, queue))
        return;
    bool ok = read_patch(&loop->reader, ex->body, &patch, &error);
    json_reader_release(&loop->reader);
    if (ok)
        answer_patch(loop, ex, queue, &patch, validate);
    else
        exchange_answer_error(loop, ex, &error);
}

void batching_show_or_patch(struct api_loop *loop, struct http_exchange *ex)
{
    if (ex->request->method == HTTP_METHOD_PATCH)
        patch_queue(loop, ex, ex->user);
    else
        show_queue(loop, ex, ex->user);
}

/* --- the last batches */

static bool read_limit(struct api_loop *loop, struct http_exchange *ex, size_t *limit)
{
    struct http_slice value;
    if (!read_parameter(loop, ex, "limit", &value))
        return false;
    *limit = value.at == NULL ? RECENT_BATCHES_MAX : 0;
    bool ok = value.bytes <= 3;
    for (size_t i = 0; ok && i < value.bytes; i++) {
        ok = value.at[i] >= '0' && value.at[i] <= '9';
        *limit = *limit * 10 + (size_t)(value.at[i] - '0');
    }
    if (ok && *limit >= 1 && *limit <= RECENT_BATCHES_MAX)
        return true;
    exchange_fail(loop, ex, API_INVALID_PARAMETER, "limit must be a whole number from 1 to %d",
                  RECENT_BATCHES_MAX);
    return false;
}

/* "2026-11-21T02:20:00.123456Z" */
static void append_time(struct buffer *out, uint64_t monotonic_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t wall_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec -
                       exchange_since(clock_now_ns(), monotonic_ns);
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm utc;
    char text[32];
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buffer_append_format(out, "{\"time\":\"%s.%06uZ\"", text,
                         (unsigned)(wall_ns % NS_PER_S / NS_PER_US));
}

static void append_batch(struct buffer *out, const struct recent_batch *batch)
{
    const char *place = batch->on_loop ? "loop" : "worker";
    append_time(out, batch->finished_ns);
    buffer_append_format(out,
                         ",\"reason\":\"%s\",\"rows\":%zu,\"jobs\":%zu,\"failed\":%zu,"
                         "\"work\":%" PRIu64 ",\"place\":\"%s\",\"%s\":%u,",
                         batcher_reason_str(batch->reason), batch->rows, batch->jobs, batch->failed,
                         batch->work, place, place, batch->runner);
    append_us(out, "oldest_wait_us", (double)batch->wait_ns_max);
    buffer_append_str(out, ",");
    append_us(out, "predicted_us", (double)batch->predicted_ns);
    buffer_append_str(out, ",");
    append_us(out, "actual_us", (double)batch->run_ns);
    buffer_append_str(out, "}");
}

void batching_show_recent(struct api_loop *loop, struct http_exchange *ex)
{
    struct compute_queue *queue = ex->user;
    struct recent_batch batches[RECENT_BATCHES_MAX];
    size_t limit;
    if (!read_limit(loop, ex, &limit))
        return;
    size_t count = recent_batches_copy(&queue->recent, batches, limit);
    buffer_append_str(&ex->answer, "{\"queue\":");
    buffer_append_json_string(&ex->answer, queue->name, strlen(queue->name));
    buffer_append_str(&ex->answer, ",\"batches\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_str(&ex->answer, i > 0 ? "," : "");
        append_batch(&ex->answer, &batches[i]);
    }
    buffer_append_str(&ex->answer, "]}\n");
    http_answer(ex, 200, json_type);
}
