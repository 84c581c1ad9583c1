/*
 * config_file.c - the configuration file: JSON with comments, and nothing unknown.
 *
 * Numbers are read as text, so that file, environment and flags share one way
 * of reading values. Keys and strings point into the parsed copy of the text at
 * the place where they stood in the original, which tells their line.
 */
#include "config_table.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum {
    PATH_BYTES_MAX = 256,
    QUEUE_NAME_BYTES_MAX = 128
};

struct reader {
    struct config_loader *loader;
    const char *original;
    const char *parsed; /* as long; yyjson has put terminators into it */
};

static size_t line_of(const struct reader *reader, const char *at)
{
    size_t line = 1;
    const char *end = reader->original + (at - reader->parsed);
    for (const char *newline = reader->original;
         (newline = memchr(newline, '\n', (size_t)(end - newline))) != NULL; newline++)
        line++;
    return line;
}

/* The line of a key, or of a value that is text; else of what is around it. */
static struct config_place place_of(const struct reader *reader, yyjson_val *text, const char *name)
{
    return (struct config_place){reader->loader->file, line_of(reader, yyjson_get_str(text)), name};
}

/* Without that, a value or key that was cut short by a NUL would pass for another. */
static bool is_terminated(yyjson_val *text)
{
    return strlen(yyjson_get_str(text)) == yyjson_get_len(text);
}

/* --- Values. */

/* What the file must have there; NULL when it has it. */
static const char *wrong_type(const struct setting *setting, yyjson_val *value)
{
    const bool number = yyjson_is_raw(value);
    const bool string = yyjson_is_str(value);
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_CHOICE:
        return string ? NULL : "must be a string";
    case SETTING_COUNT:
        return number ? NULL : "must be a number";
    case SETTING_BYTES:
        return number || string ? NULL : "must be a number of bytes, or a string such as \"16MiB\"";
    case SETTING_DURATION:
        return number || string ? NULL : "must be a number of seconds, or a string such as \"5s\"";
    case SETTING_BOOL:
        return yyjson_is_bool(value) ? NULL : "must be true or false";
    case SETTING_LISTENERS:
        return yyjson_is_arr(value) ? NULL : "must be an array of strings";
    }
    return NULL;
}

/* A number of seconds gets its unit here. */
static bool set_seconds(struct reader *reader, const struct setting *setting, void *object,
                        const char *number, const struct config_place *place)
{
    char text[64];
    const size_t bytes = strlen(number);
    if (bytes + sizeof "s" > sizeof text)
        return config_fail(reader->loader, place, "\"%.40s...\" has too many digits", number);
    memcpy(text, number, bytes);
    memcpy(text + bytes, "s", sizeof "s");
    return config_set(reader->loader, setting, object, text, place);
}

static bool set_value(struct reader *reader, const struct setting *setting, void *object,
                      yyjson_val *value, const struct config_place *place)
{
    struct config_loader *loader = reader->loader;
    const char *wrong = wrong_type(setting, value);
    if (wrong != NULL)
        return config_fail(loader, place, "%s", wrong);
    if (yyjson_is_bool(value))
        return config_set(loader, setting, object, yyjson_get_bool(value) ? "true" : "false",
                          place);
    if (yyjson_is_raw(value) && setting->kind == SETTING_DURATION)
        return set_seconds(reader, setting, object, yyjson_get_raw(value), place);
    if (yyjson_is_raw(value))
        return config_set(loader, setting, object, yyjson_get_raw(value), place);
    if (!is_terminated(value))
        return config_fail(loader, place, "must not contain a NUL character");
    return config_set(loader, setting, object, yyjson_get_str(value), place);
}

static bool set_listeners(struct reader *reader, const struct setting *setting, yyjson_val *array,
                          const struct config_place *place)
{
    if (!yyjson_is_arr(array))
        return config_fail(reader->loader, place, "%s", wrong_type(setting, array));
    /* An empty array is an answer, too. */
    if (!config_add_listener(reader->loader, setting, CONFIG_FILE, NULL, place))
        return false;
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    for (yyjson_val *value; (value = yyjson_arr_iter_next(&iter)) != NULL;) {
        if (!yyjson_is_str(value) || !is_terminated(value))
            return config_fail(reader->loader, place, "must be an array of strings");
        const struct config_place at = place_of(reader, value, place->name);
        if (!config_add_listener(reader->loader, setting, CONFIG_FILE, yyjson_get_str(value), &at))
            return false;
    }
    return true;
}

static bool set_setting(struct reader *reader, const struct setting *setting, yyjson_val *value,
                        const struct config_place *place)
{
    struct config_loader *loader = reader->loader;
    loader->lines[setting_index(setting)] = place->line;
    if (setting->kind == SETTING_LISTENERS)
        return set_listeners(reader, setting, value, place);
    loader->config->_origins[setting_index(setting)] = CONFIG_FILE;
    return set_value(reader, setting, loader->config, value, place);
}

/* --- Keys. */

/* The key's path as errors name it. */
static void join_path(char *path, const char *prefix, const char *key)
{
    struct buffer text = {
        .data = path, .capacity_bytes = PATH_BYTES_MAX - 1, .bytes_max = PATH_BYTES_MAX - 1};
    buffer_append(&text, prefix, strnlen(prefix, PATH_BYTES_MAX / 2));
    buffer_append(&text, key, strnlen(key, PATH_BYTES_MAX / 2 - 1));
    path[text.bytes] = '\0';
}

/* The key that stands before `key` in the object and equals it. There are never
 * more to look through than there are keys we know: others have failed before. */
static yyjson_val *find_earlier(yyjson_val *object, yyjson_val *key)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *earlier; (earlier = yyjson_obj_iter_next(&iter)) != key;)
        if (yyjson_equals_strn(earlier, yyjson_get_str(key), yyjson_get_len(key)))
            return earlier;
    return NULL;
}

static bool check_key(struct reader *reader, yyjson_val *object, yyjson_val *key,
                      const struct config_place *place)
{
    if (!is_terminated(key))
        return config_fail(reader->loader, place, "must not contain a NUL character");
    yyjson_val *earlier = find_earlier(object, key);
    if (earlier != NULL)
        return config_fail(reader->loader, place, "is given twice, first in line %zu",
                           line_of(reader, yyjson_get_str(earlier)));
    return true;
}

static bool fail_unknown(struct reader *reader, const char *prefix, const char *key,
                         const struct config_place *place)
{
    struct suggestion meant = {.wanted = key};
    const struct setting *setting;
    const size_t bytes = strlen(prefix);
    if (strchr(key, '.') != NULL && setting_find("", key) != NULL)
        return config_fail(reader->loader, place,
                           "is written as an object in an object: {\"%.*s\": {\"%s\": ...}}",
                           (int)strcspn(key, "."), key, strchr(key, '.') + 1);
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++)
        if (strncmp(setting->key, prefix, bytes) == 0)
            suggest(&meant, setting->key + bytes);
    if (meant.best[0] == '\0')
        return config_fail(reader->loader, place, "unknown key");
    return config_fail(reader->loader, place, "unknown key; did you mean \"%s\"?", meant.best);
}

/* --- "queues": {"digits": {"max_batch_rows": 64}}, "tenants": {"acme": {"weight": 2}} */

/* As for models: ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ */
static bool is_name(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    const size_t bytes = strlen(name);
    return bytes >= 1 && bytes <= QUEUE_NAME_BYTES_MAX && strspn(name, letters) == bytes &&
           name[0] != '.' && name[0] != '-';
}

static bool set_queue_value(struct reader *reader, struct config_queue *queue, yyjson_val *key,
                            yyjson_val *value, const struct config_place *place)
{
    const struct setting *setting = setting_find("batching.", yyjson_get_str(key));
    if (setting == NULL)
        return fail_unknown(reader, "batching.", yyjson_get_str(key), place);
    struct setting own = *setting;
    own.offset -= offsetof(struct config, batching);
    queue->given |= setting->queue_bit;
    return set_value(reader, &own, &queue->batching, value, place);
}

static bool read_queue(struct reader *reader, struct config_queue *queue, yyjson_val *object,
                       const char *prefix)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        char path[PATH_BYTES_MAX];
        join_path(path, prefix, yyjson_get_str(key));
        const struct config_place place = place_of(reader, key, path);
        if (!check_key(reader, object, key, &place) ||
            !set_queue_value(reader, queue, key, yyjson_obj_iter_get_val(key), &place))
            return false;
    }
    return true;
}

static bool add_queue(struct reader *reader, yyjson_val *key, yyjson_val *value,
                      const struct config_place *place)
{
    struct config *config = reader->loader->config;
    if (config->queues_count == CONFIG_QUEUES_MAX)
        return config_fail(reader->loader, place, "more than %d queues", CONFIG_QUEUES_MAX);
    struct config_queue *queue = &config->queues[config->queues_count];
    queue->name = strdup(yyjson_get_str(key));
    if (queue->name == NULL)
        return config_fail(reader->loader, place, "does not fit in memory");
    config->queues_count++;
    char prefix[PATH_BYTES_MAX];
    join_path(prefix, place->name, ".");
    return read_queue(reader, queue, value, prefix);
}

static const struct setting *find_tenant_setting(const char *key)
{
    const struct setting *setting;
    for (size_t i = 0; (setting = tenant_setting_at(i)) != NULL; i++)
        if (strcmp(setting->key, key) == 0)
            return setting;
    return NULL;
}

static bool read_tenant(struct reader *reader, struct config_tenant *tenant, yyjson_val *object,
                        const char *prefix)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        char path[PATH_BYTES_MAX];
        join_path(path, prefix, yyjson_get_str(key));
        const struct config_place place = place_of(reader, key, path);
        if (!check_key(reader, object, key, &place))
            return false;
        const struct setting *setting = find_tenant_setting(yyjson_get_str(key));
        if (setting == NULL)
            return config_fail(reader->loader, &place,
                               "unknown key; a tenant has \"weight\" and \"api_key_file\"");
        if (!set_value(reader, setting, tenant, yyjson_obj_iter_get_val(key), &place))
            return false;
    }
    return true;
}

static bool add_tenant(struct reader *reader, yyjson_val *key, yyjson_val *value,
                       const struct config_place *place)
{
    struct config *config = reader->loader->config;
    if (strcmp(yyjson_get_str(key), "shared") == 0)
        return config_fail(reader->loader, place, "\"shared\" is whoever is no other tenant");
    if (config->tenants_count == CONFIG_TENANTS_MAX)
        return config_fail(reader->loader, place, "more than %d tenants", CONFIG_TENANTS_MAX);
    struct config_tenant *tenant = &config->tenants[config->tenants_count];
    *tenant = (struct config_tenant){.name = strdup(yyjson_get_str(key)), .weight = 1};
    if (tenant->name == NULL)
        return config_fail(reader->loader, place, "does not fit in memory");
    config->tenants_count++;
    char prefix[PATH_BYTES_MAX];
    join_path(prefix, place->name, ".");
    return read_tenant(reader, tenant, value, prefix);
}

typedef bool add_fn(struct reader *reader, yyjson_val *key, yyjson_val *value,
                    const struct config_place *place);

/* An object of objects, each called by a name of the operator's. */
static bool read_named(struct reader *reader, yyjson_val *object, const char *prefix, add_fn *add)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        char path[PATH_BYTES_MAX];
        join_path(path, prefix, yyjson_get_str(key));
        const struct config_place place = place_of(reader, key, path);
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (!check_key(reader, object, key, &place))
            return false;
        if (!is_name(yyjson_get_str(key)))
            return config_fail(reader->loader, &place, "no %.*s can have this name",
                               (int)strcspn(prefix, "s."), prefix);
        if (!yyjson_is_obj(value))
            return config_fail(reader->loader, &place, "must be an object");
        if (!add(reader, key, value, &place))
            return false;
    }
    return true;
}

/* --- Objects. */

static bool read_section(struct reader *reader, yyjson_val *object, const char *prefix)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        char path[PATH_BYTES_MAX];
        join_path(path, prefix, yyjson_get_str(key));
        const struct config_place place = place_of(reader, key, path);
        if (!check_key(reader, object, key, &place))
            return false;
        const struct setting *setting = setting_find(prefix, yyjson_get_str(key));
        if (setting == NULL)
            return fail_unknown(reader, prefix, yyjson_get_str(key), &place);
        if (!set_setting(reader, setting, yyjson_obj_iter_get_val(key), &place))
            return false;
    }
    return true;
}

static bool read_root_key(struct reader *reader, yyjson_val *key, yyjson_val *value,
                          const struct config_place *place)
{
    const char *name = yyjson_get_str(key);
    add_fn *add = strcmp(name, "queues") == 0    ? add_queue
                  : strcmp(name, "tenants") == 0 ? add_tenant
                                                 : NULL;
    const struct setting *setting = strchr(name, '.') == NULL ? setting_find("", name) : NULL;
    if (setting != NULL)
        return set_setting(reader, setting, value, place);
    if (add == NULL && !setting_is_section(name))
        return fail_unknown(reader, "", name, place);
    if (!yyjson_is_obj(value))
        return config_fail(reader->loader, place, "must be an object");
    char prefix[PATH_BYTES_MAX];
    join_path(prefix, name, ".");
    return add != NULL ? read_named(reader, value, prefix, add)
                       : read_section(reader, value, prefix);
}

static bool read_root(struct reader *reader, yyjson_val *root)
{
    if (!yyjson_is_obj(root)) {
        const struct config_place place = {.file = reader->loader->file};
        return config_fail(reader->loader, &place, "must be a JSON object");
    }
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        char path[PATH_BYTES_MAX];
        join_path(path, "", yyjson_get_str(key));
        const struct config_place place = place_of(reader, key, path);
        if (!check_key(reader, root, key, &place) ||
            !read_root_key(reader, key, yyjson_obj_iter_get_val(key), &place))
            return false;
    }
    return true;
}

static bool fail_parse(struct config_loader *loader, const char *text, size_t bytes,
                       const yyjson_read_err *error)
{
    size_t line = 1, column = 1, unused;
    const size_t at = error->pos < bytes ? error->pos : bytes;
    yyjson_locate_pos(text, bytes, at, &line, &column, &unused);
    const struct config_place place = {.file = loader->file, .line = line};
    return config_fail(loader, &place, "not JSON: %s, at column %zu", error->msg, column);
}

bool config_read_file(struct config_loader *loader, const char *text, size_t bytes)
{
    const struct config_place place = {.file = loader->file};
    if (bytes == 0)
        return config_fail(loader, &place, "is empty");
    char *parsed = calloc(1, bytes + YYJSON_PADDING_SIZE);
    if (parsed == NULL)
        return config_fail(loader, &place, "does not fit in memory");
    memcpy(parsed, text, bytes);
    const yyjson_read_flag flags =
        YYJSON_READ_INSITU | YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_NUMBER_AS_RAW;
    yyjson_read_err error;
    yyjson_doc *doc = yyjson_read_opts(parsed, bytes, flags, NULL, &error);
    struct reader reader = {.loader = loader, .original = text, .parsed = parsed};
    const bool ok = doc != NULL ? read_root(&reader, yyjson_doc_get_root(doc))
                                : fail_parse(loader, text, bytes, &error);
    yyjson_doc_free(doc);
    free(parsed);
    return ok;
}
