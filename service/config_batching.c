#include "config_batching.h"
#include "config_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

/* --- One field. */

_Static_assert(1u << CONFIG_FIELD_BATCH_ROWS == CONFIG_BATCH_ROWS,
               "bits are in the order of fields");
_Static_assert(1u << CONFIG_FIELD_TARGET == CONFIG_TARGET, "bits are in the order of fields");

const struct setting *config_field_setting(enum config_field field, struct setting *own)
{
    const struct setting *setting;
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        if (setting->queue_bit != 1u << field)
            continue;
        *own = *setting;
        own->offset -= offsetof(struct config, batching);
        return setting;
    }
    assert(false); /* every field is in the table */
    return NULL;
}

const char *config_field_name(enum config_field field)
{
    struct setting own;
    return config_field_setting(field, &own)->key + sizeof "batching." - 1;
}

enum config_unit config_field_unit(enum config_field field)
{
    struct setting own;
    const enum setting_kind kind = config_field_setting(field, &own)->kind;
    return kind == SETTING_BYTES      ? CONFIG_UNIT_BYTES
           : kind == SETTING_DURATION ? CONFIG_UNIT_SECONDS
                                      : CONFIG_UNIT_NONE;
}

uint64_t config_field_get(enum config_field field, const struct config_batching *batching)
{
    struct setting own;
    config_field_setting(field, &own);
    return setting_load(&own, batching);
}

bool config_field_set(enum config_field field, const char *text, struct config_batching *batching,
                      struct config_error *error)
{
    struct setting own;
    config_field_setting(field, &own);
    struct config_loader loader = {.error = error};
    const struct config_place place = {.name = config_field_name(field)};
    return config_set(&loader, &own, batching, text, &place);
}

void config_field_format(enum config_field field, uint64_t value, struct buffer *out)
{
    struct setting own;
    config_field_setting(field, &own);
    setting_format_number(&own, value, out);
}

/* --- All of a queue. */

void config_batching_copy(struct config_batching *to, const struct config_batching *from,
                          unsigned which)
{
    for (unsigned i = 0; i < CONFIG_FIELDS; i++) {
        struct setting own;
        config_field_setting((enum config_field)i, &own);
        if ((which & 1u << i) != 0)
            setting_store(&own, to, setting_load(&own, from));
    }
}

static void override(struct config_effective *effective, const struct config_queue *queue,
                     enum config_origin origin)
{
    config_batching_copy(&effective->batching, &queue->batching, queue->given);
    for (unsigned i = 0; i < CONFIG_FIELDS; i++)
        if ((queue->given & 1u << i) != 0)
            effective->origins[i] = origin;
}

struct config_effective config_batching_explain(const struct config *config, const char *queue,
                                                const struct config_queue *model,
                                                const struct config_queue *api)
{
    struct config_effective effective = {.batching = config->batching};
    for (unsigned i = 0; i < CONFIG_FIELDS; i++) {
        struct setting own;
        const struct setting *setting = config_field_setting((enum config_field)i, &own);
        effective.origins[i] = (enum config_origin)config->_origins[setting_index(setting)];
    }
    if (model != NULL)
        override(&effective, model, CONFIG_MODEL);
    for (size_t i = 0; i < config->queues_count; i++)
        if (strcmp(config->queues[i].name, queue) == 0)
            override(&effective, &config->queues[i], CONFIG_FILE);
    if (api != NULL)
        override(&effective, api, CONFIG_API);
    return effective;
}

struct config_batching config_batching_for(const struct config *config, const char *queue,
                                           const struct config_queue *own)
{
    return config_batching_explain(config, queue, own, NULL).batching;
}

unsigned config_effective_changes(const struct config_effective *a,
                                  const struct config_effective *b)
{
    unsigned changes = 0;
    for (unsigned i = 0; i < CONFIG_FIELDS; i++) {
        const enum config_field field = (enum config_field)i;
        const bool same =
            config_field_get(field, &a->batching) == config_field_get(field, &b->batching) &&
            a->origins[i] == b->origins[i];
        changes |= same ? 0 : 1u << i;
    }
    return changes;
}

bool config_batching_check(const struct config_batching *batching, struct config_error *error)
{
    struct config_loader loader = {.error = error};
    const struct config_place place = {0};
    if (batching->queue_rows_max >= batching->batch_rows_max)
        return true;
    return config_fail(&loader, &place, "max_queue_rows %zu is below max_batch_rows %zu",
                       batching->queue_rows_max, batching->batch_rows_max);
}

/* --- Two configurations. */

static void free_queues(struct config *config)
{
    for (size_t i = 0; i < config->queues_count; i++)
        free(config->queues[i].name);
    config->queues_count = 0;
}

void config_adopt_batching(struct config *running, struct config *fresh)
{
    running->batching = fresh->batching;
    for (unsigned i = 0; i < CONFIG_FIELDS; i++) {
        struct setting own;
        const size_t index = setting_index(config_field_setting((enum config_field)i, &own));
        running->_origins[index] = fresh->_origins[index];
    }
    free_queues(running);
    memcpy(running->queues, fresh->queues, fresh->queues_count * sizeof fresh->queues[0]);
    running->queues_count = fresh->queues_count;
    fresh->queues_count = 0; /* their names have moved */
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_listeners(const struct config *a, const struct config *b, bool admin)
{
    const struct config_listener *a_list = admin ? a->admin_listen : a->listen;
    const struct config_listener *b_list = admin ? b->admin_listen : b->listen;
    const size_t count = admin ? a->admin_listen_count : a->listen_count;
    if (count != (admin ? b->admin_listen_count : b->listen_count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(a_list[i].text, b_list[i].text) != 0)
            return false;
    return true;
}

static bool same_setting(const struct setting *setting, const struct config *a,
                         const struct config *b)
{
    if (setting->kind == SETTING_LISTENERS)
        return same_listeners(a, b, setting->offset == offsetof(struct config, admin_listen));
    const char *a_at = (const char *)a + setting->offset, *b_at = (const char *)b + setting->offset;
    if (setting->kind == SETTING_TEXT)
        return same_text(*(char *const *)(const void *)a_at, *(char *const *)(const void *)b_at);
    return setting_load(setting, a) == setting_load(setting, b);
}

static bool same_tenants(const struct config *a, const struct config *b)
{
    if (a->tenants_count != b->tenants_count)
        return false;
    for (size_t i = 0; i < a->tenants_count; i++)
        if (strcmp(a->tenants[i].name, b->tenants[i].name) != 0 ||
            a->tenants[i].weight != b->tenants[i].weight ||
            !same_text(a->tenants[i].api_key_file, b->tenants[i].api_key_file))
            return false;
    return true;
}

void config_each_difference(const struct config *running, const struct config *fresh,
                            void (*differs)(void *ctx, const char *key), void *ctx)
{
    const struct setting *setting;
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++)
        if (setting->queue_bit == 0 && !same_setting(setting, running, fresh))
            differs(ctx, setting->key);
    if (!same_tenants(running, fresh))
        differs(ctx, "tenants");
}
