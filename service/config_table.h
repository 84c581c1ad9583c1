/*
 * config_table.h - the table of settings, and texts to values and back.
 *
 * Shared inside the configuration only: config_table.c holds the table,
 * config_value.c reads and writes values, config_listener.c addresses,
 * config_file.c the file, config_args.c flags and variables, config_show.c
 * whatever is shown, config.c what puts them together.
 *
 *   Threads  any; nothing here keeps state.
 *   Errors   functions that return bool say what is wrong through config_fail()
 *            and return false.
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "config.h"
#include "config_batching.h"

enum setting_kind {
    SETTING_LISTENERS, /* struct config_listener[], followed by its size_t count */
    SETTING_TEXT,      /* char *, owned; NULL when empty */
    SETTING_COUNT,     /* size_t */
    SETTING_BYTES,     /* size_t; "16MiB" */
    SETTING_DURATION,  /* uint64_t, ns; "250ms" */
    SETTING_BOOL,      /* bool */
    SETTING_CHOICE,    /* an enum whose values are the choices in their order */
};

struct setting {
    const char *key;  /* "http.body_bytes_max" */
    const char *flag; /* "--workers"; NULL: none */
    enum setting_kind kind;
    size_t offset;      /* in struct config */
    unsigned queue_bit; /* CONFIG_BATCH_ROWS...; 0: not a setting of a queue */
    const char *preset; /* the default, as text */
    uint64_t min;       /* of counts, bytes and durations */
    uint64_t max;
    const char *choices; /* "debug|info|warn|error"; NULL: anything */
    const char *help;    /* half a sentence */
};

/* In the order in which they are shown; NULL past the end. */
const struct setting *setting_at(size_t index);
size_t setting_index(const struct setting *setting);
/* The setting whose whole key is `prefix` and `key` joined; NULL: none. */
const struct setting *setting_find(const char *prefix, const char *key);
/* What can be said of a tenant, at offsets in struct config_tenant; NULL past the end. */
const struct setting *tenant_setting_at(size_t index);
/* Whether keys begin with `name` and a dot. */
bool setting_is_section(const char *name);
/* "JITNEY_HTTP_BODY_BYTES_MAX" */
void setting_variable(const struct setting *setting, struct buffer *out);

/* What was meant by an unknown name: the closest of those that are at most two edits away. */
struct suggestion {
    const char *wanted;
    char best[128]; /* "" while there is none */
    size_t edits;
};
void suggest(struct suggestion *suggestion, const char *name);

/* Where a value comes from, for error messages; without a line when that is 0. */
struct config_place {
    const char *file; /* NULL for a flag or variable */
    size_t line;
    const char *name; /* "http.body_bytes_max", "--workers", "JITNEY_WORKERS" */
};

/* What is being loaded. */
struct config_loader {
    struct config *config;
    struct config_error *error;
    const char *file;                  /* NULL: none */
    size_t lines[CONFIG_SETTINGS_MAX]; /* of each key in the file; 0: not there */
};

/* Always false. */
bool config_fail(struct config_loader *loader, const struct config_place *place, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));

/* Reads `text` as a value of `setting` into `object`, the struct that the
 * setting's offset is of. Frees what it replaces. */
bool config_set(struct config_loader *loader, const struct setting *setting, void *object,
                const char *text, const struct config_place *place);

/* Puts another address behind those that the same origin gave, after dropping
 * those of a lower one; with a NULL `text` it only drops. */
bool config_add_listener(struct config_loader *loader, const struct setting *setting,
                         enum config_origin origin, const char *text,
                         const struct config_place *place);

/* config_set() or config_add_listener(), and the origin is noted. */
bool config_set_from(struct config_loader *loader, const struct setting *setting,
                     enum config_origin origin, const char *text, const struct config_place *place);

/* --- config_file.c */

/* Takes every setting from the text of the file. */
bool config_read_file(struct config_loader *loader, const char *text, size_t bytes);

/* --- config_args.c */

/* What the flags that are no settings said. */
struct config_commands {
    const char *file;
    bool check_only;
    bool check_health;
    bool help;
    bool version;
};

/* Takes the flags; the last of several wins, except that addresses add up. Stops
 * at --help and --version. Without loader->config it only looks for commands. */
bool config_load_flags(struct config_loader *loader, int argc, char *const *argv,
                       struct config_commands *commands);

bool config_load_environment(struct config_loader *loader, char *const *environment);

/* The value of one variable, or NULL when it is not there or empty. */
const char *config_find_variable(char *const *environment, const char *name);

/* setting_variable() into `name`, which has `bytes` of room, terminated; returns `name`. */
const char *config_variable_name(const struct setting *setting, char *name, size_t bytes);

/* --- config_value.c */

/* A number of the setting's kind (or the index of a choice); NULL, or what is wrong with `text`. */
const char *setting_parse_number(const struct setting *setting, const char *text, uint64_t *out);
void setting_format_number(const struct setting *setting, uint64_t number, struct buffer *out);
/* The choice at `index`, or NULL: its start, with *bytes set. */
const char *setting_choice(const struct setting *setting, size_t index, size_t *bytes);
uint64_t setting_load(const struct setting *setting, const void *object);
void setting_store(const struct setting *setting, void *object, uint64_t number);

/* --- config_batching.c */

/* The field's setting; *own is the same with its offset in struct config_batching. */
const struct setting *config_field_setting(enum config_field field, struct setting *own);

/* --- config_listener.c */

/* NULL, or what is wrong with `text`. On success *out owns its strings. */
const char *listener_parse(const char *text, struct config_listener *out);
void listener_deinit(struct config_listener *listener);
bool listener_equals(const struct config_listener *a, const struct config_listener *b);

#endif
