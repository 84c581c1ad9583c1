/*
 * config.c - defaults, then file, then environment, then flags, then what only
 * the whole can tell: each step replaces what the one before it said.
 */
#include "config.h"
#include "config_table.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"

enum {
    FILE_BYTES_MAX = 1024 * 1024,
    TEXT_BYTES_MAX = 4096
};

bool config_fail(struct config_loader *loader, const struct config_place *place, const char *format,
                 ...)
{
    struct config_error *error = loader->error;
    char where[256] = "";
    if (place->file != NULL && place->line > 0)
        snprintf(where, sizeof where, "%.150s:%zu: ", place->file, place->line);
    else if (place->file != NULL)
        snprintf(where, sizeof where, "%.150s: ", place->file);

    int used = snprintf(error->text, sizeof error->text, "%s%.120s%s", where,
                        place->name != NULL ? place->name : "", place->name != NULL ? ": " : "");
    va_list args;
    va_start(args, format);
    vsnprintf(error->text + used, sizeof error->text - (size_t)used, format, args);
    va_end(args);
    /* It goes to a terminal. */
    for (char *at = error->text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return false;
}

/* --- One value. */

static bool set_text(struct config_loader *loader, const struct setting *setting, void *object,
                     const char *text, const struct config_place *place)
{
    char **at = (char **)(void *)((char *)object + setting->offset);
    uint64_t unused;
    if (setting->choices != NULL && setting_parse_number(setting, text, &unused) != NULL)
        return config_fail(loader, place, "\"%.60s\" is not one of %s", text, setting->choices);
    if (strlen(text) > TEXT_BYTES_MAX)
        return config_fail(loader, place, "is longer than %d bytes", TEXT_BYTES_MAX);
    char *copy = *text != '\0' ? strdup(text) : NULL;
    if (copy == NULL && *text != '\0')
        return config_fail(loader, place, "does not fit in memory");
    if (copy == NULL && setting->preset[0] != '\0')
        return config_fail(loader, place, "must not be empty");
    free(*at);
    *at = copy;
    return true;
}

static bool is_ranged(const struct setting *setting)
{
    return setting->kind == SETTING_COUNT || setting->kind == SETTING_BYTES ||
           setting->kind == SETTING_DURATION;
}

static bool out_of_range(struct config_loader *loader, const struct setting *setting,
                         const char *text, bool below, const struct config_place *place)
{
    char bytes[64] = "";
    struct buffer bound = {
        .data = bytes, .capacity_bytes = sizeof bytes, .bytes_max = sizeof bytes};
    setting_format_number(setting, below ? setting->min : setting->max, &bound);
    return config_fail(loader, place, "%.60s is %s allowed value %.*s", text,
                       below ? "below the smallest" : "above the largest", (int)bound.bytes, bytes);
}

static bool set_number(struct config_loader *loader, const struct setting *setting, void *object,
                       const char *text, const struct config_place *place)
{
    uint64_t number;
    const bool negative = is_ranged(setting) && text[0] == '-';
    const char *wrong = setting_parse_number(setting, text + negative, &number);
    if (wrong != NULL)
        return config_fail(loader, place, "\"%.60s\" %s%s%s", text, wrong,
                           setting->kind == SETTING_CHOICE ? " " : "",
                           setting->kind == SETTING_CHOICE ? setting->choices : "");
    if (is_ranged(setting) && (negative || number < setting->min))
        return out_of_range(loader, setting, text, true, place);
    if (is_ranged(setting) && number > setting->max)
        return out_of_range(loader, setting, text, false, place);
    setting_store(setting, object, number);
    return true;
}

bool config_set(struct config_loader *loader, const struct setting *setting, void *object,
                const char *text, const struct config_place *place)
{
    if (setting->kind == SETTING_TEXT)
        return set_text(loader, setting, object, text, place);
    return set_number(loader, setting, object, text, place);
}

static struct config_listener *listeners_of(struct config *config, const struct setting *setting,
                                            size_t **out_count)
{
    const bool admin = setting->offset == offsetof(struct config, admin_listen);
    *out_count = admin ? &config->admin_listen_count : &config->listen_count;
    return admin ? config->admin_listen : config->listen;
}

bool config_add_listener(struct config_loader *loader, const struct setting *setting,
                         enum config_origin origin, const char *text,
                         const struct config_place *place)
{
    size_t *count;
    struct config_listener *listeners = listeners_of(loader->config, setting, &count);
    unsigned char *last_origin = &loader->config->_origins[setting_index(setting)];
    if (*last_origin != origin)
        while (*count > 0)
            listener_deinit(&listeners[--*count]);
    *last_origin = (unsigned char)origin;
    if (text == NULL)
        return true;
    if (*count == CONFIG_LISTENERS_MAX)
        return config_fail(loader, place, "more than %d addresses", CONFIG_LISTENERS_MAX);
    const char *wrong = listener_parse(text, &listeners[*count]);
    if (wrong != NULL)
        return config_fail(loader, place, "\"%.120s\" %s", text, wrong);
    ++*count;
    return true;
}

/* --- The sources, lowest first. */

bool config_set_from(struct config_loader *loader, const struct setting *setting,
                     enum config_origin origin, const char *text, const struct config_place *place)
{
    if (setting->kind == SETTING_LISTENERS)
        return config_add_listener(loader, setting, origin, text, place);
    loader->config->_origins[setting_index(setting)] = (unsigned char)origin;
    return config_set(loader, setting, loader->config, text, place);
}

static bool load_defaults(struct config_loader *loader)
{
    const struct setting *setting;
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        const struct config_place place = {.name = setting->key};
        if (!config_set_from(loader, setting, CONFIG_DEFAULT, setting->preset, &place))
            return false;
    }
    return true;
}

/* Into `text`, which has room for one byte more than a file may have. */
static bool read_bytes(int fd, char *text, size_t *out_bytes)
{
    size_t bytes = 0;
    while (bytes <= FILE_BYTES_MAX) {
        const ssize_t rc = read(fd, text + bytes, FILE_BYTES_MAX + 1 - bytes);
        if (rc == 0)
            break;
        if (rc > 0)
            bytes += (size_t)rc;
        else if (errno != EINTR)
            return false;
    }
    *out_bytes = bytes;
    return true;
}

static bool load_open_file(struct config_loader *loader, int fd, char *text)
{
    const struct config_place place = {.file = loader->file};
    size_t bytes;
    if (!read_bytes(fd, text, &bytes))
        return config_fail(loader, &place, "cannot be read: %m");
    if (bytes > FILE_BYTES_MAX)
        return config_fail(loader, &place, "is larger than %d bytes", FILE_BYTES_MAX);
    return config_read_file(loader, text, bytes);
}

static bool load_file(struct config_loader *loader)
{
    const struct config_place place = {.file = loader->file};
    const int fd = open(loader->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return config_fail(loader, &place, "cannot be opened: %m");
    char *text = malloc(FILE_BYTES_MAX + 1);
    const bool ok = text != NULL ? load_open_file(loader, fd, text)
                                 : config_fail(loader, &place, "does not fit in memory");
    free(text);
    close(fd);
    return ok;
}

/* --- What only the whole can tell. */

/* Where the effective value of `key` was given. */
static struct config_place place_of(const struct config_loader *loader, const char *key, char *name,
                                    size_t name_bytes)
{
    const struct setting *setting = setting_find("", key);
    const size_t index = setting_index(setting);
    switch ((enum config_origin)loader->config->_origins[index]) {
    case CONFIG_FLAG:
        return (struct config_place){.name = setting->flag};
    case CONFIG_ENVIRONMENT:
        return (struct config_place){.name = config_variable_name(setting, name, name_bytes)};
    case CONFIG_FILE:
        return (struct config_place){loader->file, loader->lines[index], key};
    case CONFIG_DEFAULT:
    case CONFIG_MODEL:
    case CONFIG_API:
        break;
    }
    return (struct config_place){.name = key};
}

static bool check_duplicates(struct config_loader *loader)
{
    const struct config *config = loader->config;
    const struct config_listener *all[2 * CONFIG_LISTENERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < config->listen_count; i++)
        all[count++] = &config->listen[i];
    for (size_t i = 0; i < config->admin_listen_count; i++)
        all[count++] = &config->admin_listen[i];

    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!listener_equals(all[i], all[j]))
                continue;
            char name[128];
            const char *key = i < config->listen_count ? "listen" : "admin_listen";
            const struct config_place place = place_of(loader, key, name, sizeof name);
            return config_fail(loader, &place, "%.120s is given twice", all[i]->text);
        }
    }
    return true;
}

static bool check_admin(struct config_loader *loader)
{
    const struct config *config = loader->config;
    for (size_t i = 0; i < config->admin_listen_count; i++) {
        if (config->admin_token_file != NULL || config_listener_is_local(&config->admin_listen[i]))
            continue;
        char name[128];
        const struct config_place place = place_of(loader, "admin_listen", name, sizeof name);
        return config_fail(loader, &place,
                           "%.120s can be reached from other machines: set admin_token_file, or "
                           "listen on 127.0.0.1 or a Unix socket",
                           config->admin_listen[i].text);
    }
    return true;
}

static bool check_rows(struct config_loader *loader, const struct config_batching *batching,
                       const struct config_place *place)
{
    struct config_error error;
    return config_batching_check(batching, &error) || config_fail(loader, place, "%s", error.text);
}

static bool check_batching(struct config_loader *loader)
{
    const struct config *config = loader->config;
    const struct config_place place = {.name = "batching"};
    if (!check_rows(loader, &config->batching, &place))
        return false;
    for (size_t i = 0; i < config->queues_count; i++) {
        const char *queue = config->queues[i].name;
        char name[256];
        snprintf(name, sizeof name, "queues.%s", queue);
        const struct config_place at = {.file = loader->file, .name = name};
        const struct config_batching batching = config_batching_for(config, queue, NULL);
        if (!check_rows(loader, &batching, &at))
            return false;
    }
    return true;
}

static bool check_whole(struct config_loader *loader)
{
    char name[128];
    if (loader->config->listen_count == 0) {
        const struct config_place place = place_of(loader, "listen", name, sizeof name);
        return config_fail(loader, &place, "at least one address is needed");
    }
    return check_duplicates(loader) && check_admin(loader) && check_batching(loader);
}

/* The cores that this process may use. */
static size_t cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (size_t)CPU_COUNT(&set);
    /* More than CPU_SETSIZE of them. */
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

static void resolve(struct config *config)
{
    const size_t workers_max = (size_t)setting_find("", "workers")->max;
    config->cores = cores();
    if (config->workers == 0)
        config->workers = config->cores;
    if (config->workers > workers_max)
        config->workers = workers_max;
}

/* --- Entry points. */

static enum config_result finish(struct config_loader *loader, bool ok, struct config **out)
{
    if (!ok) {
        config_destroy(loader->config);
        return CONFIG_BAD;
    }
    resolve(loader->config);
    *out = loader->config;
    return CONFIG_OK;
}

enum config_result config_load(int argc, char *const *argv, char *const *environment,
                               struct config **out, struct config_error *error)
{
    /* Flags are read twice, as they name the file but beat it. */
    struct config_loader loader = {.error = error};
    struct config_commands commands = {.file = config_find_variable(environment, "JITNEY_CONFIG")};
    if (!config_load_flags(&loader, argc, argv, &commands))
        return CONFIG_BAD;
    if (commands.help || commands.version)
        return commands.help ? CONFIG_SHOW_HELP : CONFIG_SHOW_VERSION;

    loader.file = commands.file;
    loader.config = calloc(1, sizeof *loader.config);
    if (loader.config == NULL)
        return config_fail(&loader, &(struct config_place){0}, "out of memory"), CONFIG_BAD;
    loader.config->check_only = commands.check_only;
    loader.config->check_health = commands.check_health;
    const bool ok = load_defaults(&loader) && (loader.file == NULL || load_file(&loader)) &&
                    config_load_environment(&loader, environment) &&
                    config_load_flags(&loader, argc, argv, &commands) && check_whole(&loader);
    return finish(&loader, ok, out);
}

enum config_result config_load_text(const char *name, const char *text, size_t bytes,
                                    struct config **out, struct config_error *error)
{
    struct config_loader loader = {.error = error, .file = name};
    const struct config_place place = {.file = name};
    char *copy = malloc(bytes + 1);
    loader.config = calloc(1, sizeof *loader.config);
    bool ok = copy != NULL && loader.config != NULL;
    if (!ok)
        config_fail(&loader, &place, "does not fit in memory");
    else if (bytes > 0)
        memcpy(copy, text, bytes);
    ok = ok && load_defaults(&loader) && config_read_file(&loader, copy, bytes) &&
         check_whole(&loader);
    free(copy);
    return finish(&loader, ok, out);
}

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++) {
        listener_deinit(&config->listen[i]);
        listener_deinit(&config->admin_listen[i]);
    }
    for (size_t i = 0; i < config->queues_count; i++)
        free(config->queues[i].name);
    for (size_t i = 0; i < config->tenants_count; i++) {
        free(config->tenants[i].name);
        free(config->tenants[i].api_key_file);
    }
    free(config->admin_token_file);
    free(config->python_baseline);
    free(config->models_dir);
    free(config->isa);
    free(config);
}
