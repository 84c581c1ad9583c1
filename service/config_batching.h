/*
 * config_batching.h - the batching of one queue, field by field: value and source.
 *
 * Who speaks for a queue, from the last word to the first: the API, the file's
 * "queues", the model's config.json, and "batching" from wherever that came.
 *
 *   Threads    pure functions, but for config_adopt_batching().
 *   Errors     false, and a sentence in struct config_error that begins with the
 *              field's name.
 */
#ifndef CONFIG_BATCHING_H
#define CONFIG_BATCHING_H

#include "config.h"

/* Field i has bit 1 << i in config_queue.given. */
enum config_field {
    CONFIG_FIELD_BATCH_ROWS,
    CONFIG_FIELD_QUEUE_ROWS,
    CONFIG_FIELD_QUEUE_BYTES,
    CONFIG_FIELD_INFLIGHT,
    CONFIG_FIELD_DELAY,
    CONFIG_FIELD_IDLE_DELAY,
    CONFIG_FIELD_TARGET,
    CONFIG_FIELDS
};

/* Static: "max_batch_rows". */
const char *config_field_name(enum config_field field);

enum config_unit {
    CONFIG_UNIT_NONE, /* a count: only numbers will do */
    CONFIG_UNIT_BYTES,
    CONFIG_UNIT_SECONDS
};
enum config_unit config_field_unit(enum config_field field);

/* Rows, bytes or ns. */
uint64_t config_field_get(enum config_field field, const struct config_batching *batching);

/* Takes what the file would take ("32", "64KiB", "1.5ms"), within the same range. */
bool config_field_set(enum config_field field, const char *text, struct config_batching *batching,
                      struct config_error *error);

/* The other way; not terminated. */
void config_field_format(enum config_field field, uint64_t value, struct buffer *out);

/* Takes over the fields in `which`, as bits. */
void config_batching_copy(struct config_batching *to, const struct config_batching *from,
                          unsigned which);

struct config_effective {
    struct config_batching batching;
    enum config_origin origins[CONFIG_FIELDS];
};

/* `model` and `api` say what they have `given`; NULL: nothing. */
struct config_effective config_batching_explain(const struct config *config, const char *queue,
                                                const struct config_queue *model,
                                                const struct config_queue *api);

/* Fields of which value or source differ, as bits. */
unsigned config_effective_changes(const struct config_effective *a,
                                  const struct config_effective *b);

/* What only several fields together can break. */
bool config_batching_check(const struct config_batching *batching, struct config_error *error);

/* {"max_batch_rows": {"value": 32, "source": "default"}, ...}, with "unit" as in config_to_json().
 */
void config_effective_to_json(const struct config_effective *effective, struct buffer *out);

const char *config_origin_str(enum config_origin origin);

/* Moves "batching" and "queues" of `fresh` into `running`, where they replace what was there. */
void config_adopt_batching(struct config *running, struct config *fresh);

/* Calls `differs` for each setting outside "batching" and "queues" that is not the same in both. */
void config_each_difference(const struct config *running, const struct config *fresh,
                            void (*differs)(void *ctx, const char *key), void *ctx);

#endif
