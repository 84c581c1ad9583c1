/*
 * admin.c - see admin.h.
 */
#include "admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "fetch.h"

enum {
    PATCH_BYTES_MAX = ADMIN_SETTINGS_MAX * (ADMIN_NAME_BYTES_MAX + ADMIN_VALUE_BYTES_MAX + 4) + 3,
    PATH_BYTES_MAX = ADMIN_QUEUE_BYTES_MAX + 48,
    HEADERS_BYTES_MAX = ADMIN_TOKEN_BYTES_MAX + ADMIN_ETAG_BYTES_MAX + 64,
};

enum load_exit admin_exit(enum admin_status status)
{
    switch (status) {
    case ADMIN_OK:
        return LOAD_EXIT_DONE;
    case ADMIN_UNREACHABLE:
    case ADMIN_NO_QUEUE:
    case ADMIN_FAILED:
        return LOAD_EXIT_UNREACHABLE;
    case ADMIN_REFUSED:
    case ADMIN_UNAUTHORIZED:
    case ADMIN_CONFLICT:
        return LOAD_EXIT_USAGE;
    }
    return LOAD_EXIT_USAGE;
}

/* --- The token. */

static bool read_token(const char *path, char *out, size_t out_bytes, struct load_error *error)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return load_fail(error, "%s cannot be opened: %s", path, strerror(errno));
    const bool any = fgets(out, (int)out_bytes, file) != NULL;
    fclose(file);
    if (!any)
        return load_fail(error, "%s has no token", path);
    out[strcspn(out, "\r\n")] = '\0';
    for (const char *at = out; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return load_fail(error, "%s: a token has no spaces and no special characters", path);
    return *out != '\0' || load_fail(error, "%s has no token", path);
}

bool admin_init(struct admin *admin, const char *url, const char *token_file,
                struct load_error *error)
{
    char token[ADMIN_TOKEN_BYTES_MAX];
    *admin = (struct admin){0};
    if (!target_parse(url, &admin->target, error))
        return false;
    if (token_file == NULL)
        return true;
    if (!read_token(token_file, token, sizeof token, error))
        return false;
    snprintf(admin->authorization, sizeof admin->authorization, "Authorization: Bearer %s\r\n",
             token);
    return true;
}

/* --- What a queue says. */

const struct admin_setting *admin_queue_setting(const struct admin_queue *queue, const char *name)
{
    for (size_t i = 0; i < queue->setting_count; i++)
        if (strcmp(queue->settings[i].name, name) == 0)
            return &queue->settings[i];
    return NULL;
}

static bool copy_text(const char *text, char *out, size_t out_bytes)
{
    if (text == NULL || strlen(text) >= out_bytes)
        return false;
    strcpy(out, text);
    return true;
}

static bool parse_setting(const char *name, yyjson_val *said, struct admin_setting *out)
{
    const char *source = yyjson_get_str(yyjson_obj_get(said, "source"));
    char *value = yyjson_val_write(yyjson_obj_get(said, "value"), 0, NULL);
    const bool ok = source != NULL && copy_text(name, out->name, sizeof out->name) &&
                    copy_text(value, out->value, sizeof out->value);
    free(value);
    out->by_api = ok && strcmp(source, "api") == 0;
    return ok;
}

static bool parse_queue(yyjson_val *root, struct admin_queue *queue)
{
    yyjson_val *settings = yyjson_obj_get(root, "settings");
    size_t index, max;
    yyjson_val *name, *said;
    if (!copy_text(yyjson_get_str(yyjson_obj_get(root, "queue")), queue->name,
                   sizeof queue->name) ||
        !copy_text(yyjson_get_str(yyjson_obj_get(root, "etag")), queue->etag, sizeof queue->etag) ||
        yyjson_obj_size(settings) > ADMIN_SETTINGS_MAX)
        return false;
    yyjson_obj_foreach(settings, index, max, name, said)
    {
        if (!parse_setting(yyjson_get_str(name), said, &queue->settings[queue->setting_count++]))
            return false;
    }
    return queue->setting_count > 0;
}

bool admin_queue_parse(const char *json, size_t bytes, struct admin_queue *out)
{
    struct admin_queue queue = {0};
    yyjson_doc *doc = yyjson_read(json, bytes, 0);
    const bool ok = parse_queue(yyjson_doc_get_root(doc), &queue);
    yyjson_doc_free(doc);
    if (ok)
        *out = queue;
    return ok;
}

/* --- Patches. */

static struct admin_setting *find(struct admin_patch *patch, const char *name)
{
    for (size_t i = 0; i < patch->setting_count; i++)
        if (strcmp(patch->settings[i].name, name) == 0)
            return &patch->settings[i];
    return NULL;
}

bool admin_patch_set(struct admin_patch *patch, const char *name, const char *value)
{
    struct admin_setting *setting = find(patch, name);
    if (setting != NULL)
        return copy_text(value, setting->value, sizeof setting->value);
    if (patch->setting_count == ADMIN_SETTINGS_MAX)
        return false;
    setting = &patch->settings[patch->setting_count];
    if (!copy_text(name, setting->name, sizeof setting->name) ||
        !copy_text(value, setting->value, sizeof setting->value))
        return false;
    patch->setting_count++;
    return true;
}

/* Numbers and null as they are, all else as a string: 5ms is "5ms". */
static bool value_to_json(const char *text, char *out, size_t out_bytes)
{
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const bool plain = yyjson_is_num(root) || yyjson_is_null(root);
    yyjson_doc_free(doc);
    const int bytes = snprintf(out, out_bytes, plain ? "%s" : "\"%s\"", text);
    return bytes > 0 && (size_t)bytes < out_bytes;
}

static bool is_name(const char *text)
{
    return *text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool is_value(const char *text)
{
    return *text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._")] == '\0';
}

static bool parse_one(char *text, struct admin_patch *patch, struct load_error *error)
{
    char value[ADMIN_VALUE_BYTES_MAX];
    char *equals = strchr(text, '=');
    if (equals == NULL)
        return load_fail(error, "\"%s\" is not SETTING=VALUE", text);
    *equals = '\0';
    if (!is_name(text) || !is_value(equals + 1) ||
        !value_to_json(equals + 1, value, sizeof value) || !admin_patch_set(patch, text, value))
        return load_fail(error, "\"%s=%s\" is not SETTING=VALUE, as max_batch_rows=8", text,
                         equals + 1);
    return true;
}

bool admin_patch_parse(const char *text, struct admin_patch *patch, struct load_error *error)
{
    char copy[PATCH_BYTES_MAX];
    if (!copy_text(text, copy, sizeof copy))
        return load_fail(error, "the settings are too long");
    char *rest = copy;
    for (char *one; (one = strsep(&rest, ",")) != NULL;)
        if (!parse_one(one, patch, error))
            return false;
    return true;
}

bool admin_patch_add_back(struct admin_patch *patch, const struct admin_patch *other,
                          const struct admin_queue *before)
{
    for (size_t i = 0; i < other->setting_count; i++) {
        const char *name = other->settings[i].name;
        const struct admin_setting *was = admin_queue_setting(before, name);
        const char *value = was != NULL && was->by_api ? was->value : "null";
        if (find(patch, name) == NULL && !admin_patch_set(patch, name, value))
            return false;
    }
    return true;
}

const char *admin_patch_write(const struct admin_patch *patch, char *out, size_t out_bytes)
{
    size_t used = (size_t)snprintf(out, out_bytes, "{");
    for (size_t i = 0; i < patch->setting_count && used < out_bytes; i++)
        used += (size_t)snprintf(out + used, out_bytes - used, "%s\"%s\":%s", i > 0 ? "," : "",
                                 patch->settings[i].name, patch->settings[i].value);
    if (used < out_bytes)
        snprintf(out + used, out_bytes - used, "}");
    return out;
}

/* --- Asking. */

static enum admin_status status_of(unsigned status)
{
    switch (status) {
    case 200:
        return ADMIN_OK;
    case 400:
        return ADMIN_REFUSED;
    case 401:
        return ADMIN_UNAUTHORIZED;
    case 404:
        return ADMIN_NO_QUEUE;
    case 412:
        return ADMIN_CONFLICT;
    default:
        return ADMIN_FAILED;
    }
}

/* The server's own sentence, when there is one. */
static void explain(const struct admin *admin, const char *queue, const struct fetch_answer *answer,
                    struct load_error *error)
{
    yyjson_doc *doc = yyjson_read(answer->body, answer->body_bytes, 0);
    const char *text = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "error"));
    if (status_of(answer->status) == ADMIN_UNAUTHORIZED)
        load_fail(error, "%s wants another token: --admin-token-file", admin->target.text);
    else if (status_of(answer->status) == ADMIN_CONFLICT)
        load_fail(error, "somebody else has changed the queue %s meanwhile", queue);
    else
        load_fail(error, "%s answers %u about the queue %s: %.150s", admin->target.text,
                  answer->status, queue, text != NULL ? text : answer->body);
    yyjson_doc_free(doc);
}

static enum admin_status judge(const struct admin *admin, const char *queue,
                               const struct fetch_answer *answer, struct admin_queue *out,
                               struct load_error *error)
{
    const enum admin_status status = status_of(answer->status);
    if (status != ADMIN_OK) {
        explain(admin, queue, answer, error);
        return status;
    }
    if (admin_queue_parse(answer->body, answer->body_bytes, out))
        return ADMIN_OK;
    load_fail(error, "%s does not tell how the queue %s batches", admin->target.text, queue);
    return ADMIN_FAILED;
}

static enum admin_status ask(const struct admin *admin, const char *queue,
                             const struct fetch_request *request, struct admin_queue *out,
                             struct load_error *error)
{
    struct fetch_answer *answer = malloc(sizeof *answer);
    if (answer == NULL) {
        load_fail(error, "out of memory");
        return ADMIN_FAILED;
    }
    const enum admin_status status = fetch(&admin->target, request, answer, error)
                                         ? judge(admin, queue, answer, out, error)
                                         : ADMIN_UNREACHABLE;
    free(answer);
    return status;
}

enum admin_status admin_read(const struct admin *admin, const char *queue,
                             struct admin_queue *out_queue, struct load_error *error)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "/v1/batching/%.*s", ADMIN_QUEUE_BYTES_MAX, queue);
    const struct fetch_request request = {
        .method = "GET", .path = path, .headers = admin->authorization};
    return ask(admin, queue, &request, out_queue, error);
}

static enum admin_status send_patch(const struct admin *admin, const struct admin_queue *queue,
                                    const char *query, const struct admin_patch *patch,
                                    struct admin_queue *out, struct load_error *error)
{
    char path[PATH_BYTES_MAX], headers[HEADERS_BYTES_MAX], body[PATCH_BYTES_MAX];
    snprintf(path, sizeof path, "/v1/batching/%s%s", queue->name, query);
    snprintf(headers, sizeof headers, "%sIf-Match: %s\r\n", admin->authorization, queue->etag);
    const struct fetch_request request = {
        .method = "PATCH",
        .path = path,
        .headers = headers,
        .body = admin_patch_write(patch, body, sizeof body),
    };
    return ask(admin, queue->name, &request, out, error);
}

enum admin_status admin_try(const struct admin *admin, const struct admin_queue *queue,
                            const struct admin_patch *patch, struct load_error *error)
{
    struct admin_queue would_be;
    return send_patch(admin, queue, "?validate=true", patch, &would_be, error);
}

enum admin_status admin_change(const struct admin *admin, struct admin_queue *queue,
                               const struct admin_patch *patch, struct load_error *error)
{
    return send_patch(admin, queue, "", patch, queue, error);
}

/* --- Putting back. */

static bool same(const struct admin_setting *a, const struct admin_setting *b)
{
    return a != NULL && b != NULL && a->by_api == b->by_api && strcmp(a->value, b->value) == 0;
}

/* Of each setting that is still as we made it, the way back; `*out_left` is one that somebody
 * else has set, or NULL. */
static struct admin_patch way_back(const struct admin_queue *before, const struct admin_queue *ours,
                                   const struct admin_queue *now, const char **out_left)
{
    struct admin_patch patch = {0};
    *out_left = NULL;
    for (size_t i = 0; i < ours->setting_count; i++) {
        const struct admin_setting *set = &ours->settings[i];
        const struct admin_setting *was = admin_queue_setting(before, set->name);
        const struct admin_setting *is = admin_queue_setting(now, set->name);
        if (was == NULL || is == NULL || same(was, set) || same(was, is))
            continue;
        if (!same(is, set))
            *out_left = set->name;
        else if (!admin_patch_set(&patch, set->name, was->by_api ? was->value : "null"))
            *out_left = set->name;
    }
    return patch;
}

enum admin_status admin_put_back(const struct admin *admin, const struct admin_queue *before,
                                 const struct admin_queue *ours, struct load_error *error)
{
    struct admin_queue now;
    const char *left;
    enum admin_status status = admin_read(admin, before->name, &now, error);
    if (status != ADMIN_OK)
        return status;
    const struct admin_patch patch = way_back(before, ours, &now, &left);
    if (patch.setting_count > 0)
        status = send_patch(admin, &now, "", &patch, &now, error);
    if (status == ADMIN_OK && left != NULL) {
        load_fail(error, "%s of the queue %s stays as somebody else has set it", left,
                  before->name);
        return ADMIN_CONFLICT;
    }
    return status;
}
