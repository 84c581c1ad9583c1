/*
 * config.h - what the operator chose, and where each choice came from.
 *
 * Flags beat environment beats file beats default. The file is JSON with
 * comments. Every setting, its default and its range stands once, in
 * config_table.c; an unknown key, a wrong type or a value out of range is an
 * error that names file, line and key, flag, or variable.
 *
 * A variable is JITNEY_ and the key in capitals: JITNEY_HTTP_BODY_BYTES_MAX. One
 * that is empty counts as not given, one that is unknown is an error, except
 * JITNEY_TEST_* (for tests) and what Kubernetes sets in every pod beside a
 * service called jitney: JITNEY_SERVICE_* and JITNEY_PORT*.
 *
 *   Threads    loaded once at start, read-only afterwards; but what concerns
 *              batching changes on the thread that calls config_adopt_batching()
 *              (config_batching.h), and no other may look at that.
 *   Ownership  struct config owns its strings; config_destroy() frees them.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "http_limits.h"
#include "log.h"

enum {
    CONFIG_LISTENERS_MAX = 16,
    CONFIG_QUEUES_MAX = 256,
    CONFIG_TENANTS_MAX = 63,
    CONFIG_SETTINGS_MAX = 64,
    CONFIG_BATCH_ROWS_CEILING = 4096 /* max_batch_rows; the batcher's arrays have room for it */
};

enum config_origin {
    CONFIG_DEFAULT,
    CONFIG_FILE,
    CONFIG_ENVIRONMENT,
    CONFIG_FLAG,
    CONFIG_MODEL, /* the model's config.json; only of a queue's batching, as is */
    CONFIG_API    /* PATCH /v1/batching/{queue} */
};

/* "127.0.0.1:8001", "[::1]:8001" or "unix:/run/jitney.sock". Port 0: any free one. */
struct config_listener {
    char *text; /* as given */
    char *host; /* numeric and canonical, without brackets; NULL for a Unix socket */
    unsigned port;
    char *unix_path; /* NULL for TCP */
};

/* Batching of one queue. */
struct config_batching {
    size_t batch_rows_max;
    size_t queue_rows_max;
    size_t queue_bytes_max;
    size_t inflight_batches_max; /* 0: as many as there are workers */
    uint64_t delay_ns_max;
    uint64_t idle_delay_ns_max;
    uint64_t target_p99_ns; /* 0: none, the limits alone decide */
};

/* "queues": {"digits": {"max_batch_rows": 64}}: what the file says of one queue;
 * only the fields whose bit is set in `given`. */
enum {
    CONFIG_BATCH_ROWS = 1,
    CONFIG_QUEUE_ROWS = 2,
    CONFIG_QUEUE_BYTES = 4,
    CONFIG_INFLIGHT = 8,
    CONFIG_DELAY = 16,
    CONFIG_IDLE_DELAY = 32,
    CONFIG_TARGET = 64,
};
struct config_queue {
    char *name;
    unsigned given;
    struct config_batching batching;
};

/* "tenants": {"acme": {"weight": 2, "api_key_file": "/run/secrets/acme"}} */
struct config_tenant {
    char *name;
    size_t weight;      /* of its share of a busy queue; 1 */
    char *api_key_file; /* NULL: whoever says X-Tenant with its name is it */
};

/* "execution": where batches run. */
enum config_execution {
    CONFIG_EXECUTION_AUTO,   /* those on the loop that are over sooner than they are handed over */
    CONFIG_EXECUTION_LOOPS,  /* all on the loops, but for those that linger */
    CONFIG_EXECUTION_WORKERS /* all on the workers */
};

struct config {
    struct config_listener listen[CONFIG_LISTENERS_MAX]; /* default 127.0.0.1:8001 */
    size_t listen_count;
    struct config_listener admin_listen[CONFIG_LISTENERS_MAX]; /* default 127.0.0.1:8002 */
    size_t admin_listen_count;
    char *admin_token_file; /* NULL: none; needed when an admin listener is not loopback or Unix */
    char *models_dir;       /* "models" */
    size_t models_max;      /* 256 */
    size_t io_threads;      /* 1 */
    size_t workers;         /* resolved: the number of online cores when 0 was given */
    size_t cores;           /* that this process may use; not a setting */
    char *python_baseline;  /* NULL: none; a program like tests/bench/baselines.py */
    enum config_execution execution;
    char *isa;                 /* "auto", "scalar", "avx2", ...: which kernels */
    uint64_t drain_delay_ns;   /* 5 s */
    uint64_t drain_timeout_ns; /* 25 s */
    enum log_level log_level;
    enum log_format log_format;
    bool access_log;

    struct http_limits http;

    size_t json_depth_max;        /* 64 */
    size_t json_number_bytes_max; /* 1024 */
    size_t tensor_rank_max;       /* 8 */
    size_t series_max;            /* series in one indicator request, 1024 */
    size_t points_max;            /* prices in one indicator request, 2^20 */
    size_t instances_max;         /* rows in one predict request, 4096 */

    struct config_batching batching; /* for every queue that says nothing else */
    struct config_queue queues[CONFIG_QUEUES_MAX];
    size_t queues_count;

    bool refuse_late;           /* requests whose deadlines are not expected to be met; true */
    size_t batch_class_percent; /* of a busy queue, for X-Priority: batch; 10 */
    struct config_tenant tenants[CONFIG_TENANTS_MAX];
    size_t tenants_count;

    size_t verify_one_in;      /* batches; 1000; 0: none is recomputed */
    size_t verify_cpu_percent; /* of one core; 1 */

    bool check_only;   /* --check-config */
    bool check_health; /* --check-health */

    unsigned char _origins[CONFIG_SETTINGS_MAX]; /* enum config_origin of each setting */
};

struct config_error {
    char text[512]; /* "jitney.json:12: http.body_bytes_max: ..." */
};

enum config_result {
    CONFIG_OK,
    CONFIG_BAD,          /* error says what; exit 2 */
    CONFIG_SHOW_HELP,    /* --help was given: config_help() has the text */
    CONFIG_SHOW_VERSION, /* --version was given */
};

/*
 * Reads flags, environment and file. `environment` is a NULL-terminated list of
 * NAME=VALUE (the process's environ). On CONFIG_OK *out is for config_destroy();
 * otherwise *out is untouched.
 */
enum config_result config_load(int argc, char *const *argv, char *const *environment,
                               struct config **out, struct config_error *error)
    __attribute__((warn_unused_result));
void config_destroy(struct config *config);

/* Where a configuration is read from; enough to read it again. */
struct config_source {
    int argc;
    char *const *argv;
    char *const *environment;
};

/* The same without flags and environment, as if `text` were the file `name`: for
 * tests and fuzzing. */
enum config_result config_load_text(const char *name, const char *text, size_t bytes,
                                    struct config **out, struct config_error *error)
    __attribute__((warn_unused_result));

/* The text of --help, and docs/configuration.md. */
void config_help(struct buffer *out);
void config_markdown(struct buffer *out);

/* GET /v1/config: {"settings": {key: {"value": ..., "source": "file"|..., "default": ...}}}.
 * Sizes and durations also have a "unit", "bytes" or "seconds". The default of
 * a key under "queues." is what all queues have. Secrets (the token itself) are
 * never in it. */
void config_to_json(const struct config *config, struct buffer *out);

/* Calls `line` for each setting with its effective value and source ("default",
 * "file", "environment", "flag"), for the log at start. */
void config_each(const struct config *config,
                 void (*line)(void *ctx, const char *key, const char *value, const char *source),
                 void *ctx);

/* The limits of one queue: queues.NAME from the file beats `own` (the model's
 * config.json; NULL: none) beats `batching`. */
struct config_batching config_batching_for(const struct config *config, const char *queue,
                                           const struct config_queue *own);

/* Whether a listener reaches only this machine. */
bool config_listener_is_local(const struct config_listener *listener);

#endif
