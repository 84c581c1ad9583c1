/*
 * admin.h - a server's admin listener: how a queue batches, changing that, and putting
 * it back.
 *
 *   Threads    any; each call asks once or twice and waits for the answer.
 *   Manners    a change is made only to what was seen (If-Match): when somebody else
 *              has changed the queue meanwhile, that is told and nothing is changed.
 *
 * See docs/api.md, Batching.
 */
#ifndef ADMIN_H
#define ADMIN_H

#include "target.h"

#define ADMIN_URL_DEFAULT "http://127.0.0.1:8002"

enum {
    ADMIN_QUEUE_BYTES_MAX = 128,
    ADMIN_ETAG_BYTES_MAX = 64,
    ADMIN_TOKEN_BYTES_MAX = 512,
    ADMIN_NAME_BYTES_MAX = 32,
    ADMIN_VALUE_BYTES_MAX = 32,
    ADMIN_SETTINGS_MAX = 16,
};

enum admin_status {
    ADMIN_OK,
    ADMIN_UNREACHABLE,
    ADMIN_NO_QUEUE,
    ADMIN_REFUSED,      /* a setting that there is not, or a value that cannot be */
    ADMIN_UNAUTHORIZED, /* it wants a token, or another one */
    ADMIN_CONFLICT,     /* somebody else has changed the queue */
    ADMIN_FAILED,       /* anything else */
};

/* What a subcommand ends with that could do nothing because of it. */
enum load_exit admin_exit(enum admin_status status);

struct admin {
    struct target target;
    char authorization[ADMIN_TOKEN_BYTES_MAX + 32]; /* a header line, or "" */
};

/* `token_file` may be NULL; its first line is the token. */
bool admin_init(struct admin *admin, const char *url, const char *token_file,
                struct load_error *error) __attribute__((warn_unused_result));

/* A value is JSON, as the server writes and reads it: 64, 0.0005, "5ms", null. */
struct admin_setting {
    char name[ADMIN_NAME_BYTES_MAX];
    char value[ADMIN_VALUE_BYTES_MAX];
    bool by_api; /* set by a PATCH, and not by file, flags or model */
};

struct admin_queue {
    char name[ADMIN_QUEUE_BYTES_MAX];
    char etag[ADMIN_ETAG_BYTES_MAX];
    struct admin_setting settings[ADMIN_SETTINGS_MAX];
    size_t setting_count;
};

/* NULL when it has none of this name. */
const struct admin_setting *admin_queue_setting(const struct admin_queue *queue, const char *name);

/* What GET /v1/batching/{queue} says; false when it is not that. */
bool admin_queue_parse(const char *json, size_t bytes, struct admin_queue *out)
    __attribute__((warn_unused_result));

/* A merge patch: by_api of these means nothing. */
struct admin_patch {
    struct admin_setting settings[ADMIN_SETTINGS_MAX];
    size_t setting_count;
};

/* Adds "max_batch_rows=8,max_delay=1ms"; of the same name the last one counts. */
bool admin_patch_parse(const char *text, struct admin_patch *patch, struct load_error *error)
    __attribute__((warn_unused_result));

/* Sets one; false when there is no room, or a text is too long. `value` is JSON. */
bool admin_patch_set(struct admin_patch *patch, const char *name, const char *value)
    __attribute__((warn_unused_result));

/* Adds what `other` names and `patch` does not, with the values that take it back to
 * `before`: the value that the API had set, else null. */
bool admin_patch_add_back(struct admin_patch *patch, const struct admin_patch *other,
                          const struct admin_queue *before) __attribute__((warn_unused_result));

/* {"max_batch_rows":8,"max_delay":"1ms"} */
const char *admin_patch_write(const struct admin_patch *patch, char *out, size_t out_bytes);

/* All of these: *out_queue is set on ADMIN_OK, else *error. */
enum admin_status admin_read(const struct admin *admin, const char *queue,
                             struct admin_queue *out_queue, struct load_error *error);
/* Says what admin_change() would, and changes nothing. */
enum admin_status admin_try(const struct admin *admin, const struct admin_queue *queue,
                            const struct admin_patch *patch, struct load_error *error);
/* `queue` is what was seen last, and becomes what is now. */
enum admin_status admin_change(const struct admin *admin, struct admin_queue *queue,
                               const struct admin_patch *patch, struct load_error *error);
/* Takes the queue from `ours`, the last that we made of it, back to `before`. What somebody
 * else has set meanwhile stays, and is ADMIN_CONFLICT when we had set it too. */
enum admin_status admin_put_back(const struct admin *admin, const struct admin_queue *before,
                                 const struct admin_queue *ours, struct load_error *error);

#endif
