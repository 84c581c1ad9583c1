/*
 * config_table.c - every setting, its default and its range, once.
 *
 * Flags, environment, file, --help, docs/configuration.md, GET /v1/config and
 * the log at start all follow from here.
 */
#include "config_table.h"

#include <string.h>

#include "base.h"
#include "kernels.h"

#define AT(field) offsetof(struct config, field)
#define MINUTE (60 * NS_PER_S)
#define HOUR (60 * MINUTE)
#define GIB (1024 * MIB)
#define CHOICE(name, text) "|" text

/* clang-format off */
static const struct setting settings[] = {
    {.key = "listen", .flag = "--listen", .kind = SETTING_LISTENERS, .offset = AT(listen),
     .preset = "127.0.0.1:8001",
     .help = "where requests are taken: IP:PORT or unix:PATH"},
    {.key = "admin_listen", .flag = "--admin-listen", .kind = SETTING_LISTENERS,
     .offset = AT(admin_listen), .preset = "127.0.0.1:8002",
     .help = "where operators look and tune"},
    {.key = "admin_token_file", .kind = SETTING_TEXT, .offset = AT(admin_token_file),
     .preset = "",
     .help = "holds the token that admin requests must carry"},
    {.key = "models", .flag = "--models", .kind = SETTING_TEXT, .offset = AT(models_dir),
     .preset = "models",
     .help = "folder of NAME/VERSION/model.onnx"},
    {.key = "models_max", .kind = SETTING_COUNT, .offset = AT(models_max),
     .preset = "256", .min = 1, .max = 4096,
     .help = "models that folder may hold"},
    {.key = "io_threads", .flag = "--io-threads", .kind = SETTING_COUNT, .offset = AT(io_threads),
     .preset = "1", .min = 1, .max = 64,
     .help = "event loops"},
    {.key = "workers", .flag = "--workers", .kind = SETTING_COUNT, .offset = AT(workers),
     .preset = "0", .min = 0, .max = 1024,
     .help = "threads that compute; 0: one per core"},
    {.key = "execution", .flag = "--execution", .kind = SETTING_CHOICE, .offset = AT(execution),
     .preset = "auto", .choices = "auto|loops|workers",
     .help = "where batches run; auto: brief ones on the loop"},
    {.key = "isa", .kind = SETTING_TEXT, .offset = AT(isa),
     .preset = "auto", .choices = "auto" KERNELS_ISA_MAP(CHOICE),
     .help = "kernels to compute with; auto: the best here"},
    {.key = "python_baseline", .flag = "--python-baseline", .kind = SETTING_TEXT,
     .offset = AT(python_baseline), .preset = "",
     .help = "plain-Python loops to compare the kernels with"},

    {.key = "drain.delay", .flag = "--drain-delay", .kind = SETTING_DURATION,
     .offset = AT(drain_delay_ns), .preset = "5s", .min = 0, .max = HOUR,
     .help = "from SIGTERM until listeners close"},
    {.key = "drain.timeout", .flag = "--drain-timeout", .kind = SETTING_DURATION,
     .offset = AT(drain_timeout_ns), .preset = "25s", .min = 0, .max = HOUR,
     .help = "how long requests under way may take after it"},

    {.key = "log.level", .flag = "--log-level", .kind = SETTING_CHOICE, .offset = AT(log_level),
     .preset = "info", .choices = "debug|info|warn|error",
     .help = "the quietest lines to write"},
    {.key = "log.format", .flag = "--log-format", .kind = SETTING_CHOICE,
     .offset = AT(log_format), .preset = "logfmt", .choices = "logfmt|json",
     .help = "how a line is written"},
    {.key = "log.access", .kind = SETTING_BOOL, .offset = AT(access_log),
     .preset = "false",
     .help = "a line for every request"},

    {.key = "http.connections_max", .kind = SETTING_COUNT, .offset = AT(http.connections_max),
     .preset = "1024", .min = 1, .max = 1048576,
     .help = "open connections; beyond: 503"},
    {.key = "http.request_line_bytes_max", .kind = SETTING_BYTES,
     .offset = AT(http.request_line_bytes_max), .preset = "16KiB", .min = 256, .max = MIB,
     .help = "method, target and version; beyond: 414"},
    {.key = "http.headers_bytes_max", .kind = SETTING_BYTES, .offset = AT(http.headers_bytes_max),
     .preset = "16KiB", .min = 256, .max = MIB,
     .help = "names and values, trailers too; beyond: 431"},
    {.key = "http.headers_max", .kind = SETTING_COUNT, .offset = AT(http.headers_max),
     .preset = "100", .min = 1, .max = 10000,
     .help = "fields, trailers too; beyond: 431"},
    {.key = "http.chunk_extension_bytes_max", .kind = SETTING_BYTES,
     .offset = AT(http.chunk_extension_bytes_max), .preset = "16KiB", .min = 0, .max = MIB,
     .help = "chunk extensions of a request; beyond: 413"},
    {.key = "http.chunks_max", .kind = SETTING_COUNT, .offset = AT(http.chunks_max),
     .preset = "65536", .min = 1, .max = 16777216,
     .help = "chunks of a request; beyond: 413"},
    {.key = "http.body_bytes_max", .kind = SETTING_BYTES, .offset = AT(http.body_bytes_max),
     .preset = "16MiB", .min = 1024, .max = GIB,
     .help = "body of a request; beyond: 413"},
    {.key = "http.pipelined_bytes_max", .kind = SETTING_BYTES,
     .offset = AT(http.pipelined_bytes_max), .preset = "64KiB", .min = 1024, .max = 16 * MIB,
     .help = "kept of further requests while one is handled"},
    {.key = "http.header_timeout", .kind = SETTING_DURATION, .offset = AT(http.header_ns_max),
     .preset = "10s", .min = 10 * NS_PER_MS, .max = HOUR,
     .help = "until line and headers are there; beyond: 408"},
    {.key = "http.body_timeout", .kind = SETTING_DURATION, .offset = AT(http.body_ns_max),
     .preset = "60s", .min = 10 * NS_PER_MS, .max = HOUR,
     .help = "until the body is there; beyond: 408"},
    {.key = "http.body_rate_min", .kind = SETTING_BYTES, .offset = AT(http.body_rate_min),
     .preset = "1024", .min = 0, .max = GIB,
     .help = "bytes a second after 5 s; below: 408; 0: any"},
    {.key = "http.keep_alive_timeout", .kind = SETTING_DURATION,
     .offset = AT(http.keep_alive_ns_max), .preset = "75s", .min = 10 * NS_PER_MS,
     .max = 24 * HOUR,
     .help = "how long an idle connection stays open"},
    {.key = "http.write_stall_timeout", .kind = SETTING_DURATION,
     .offset = AT(http.write_stall_ns_max), .preset = "30s", .min = 10 * NS_PER_MS, .max = HOUR,
     .help = "a client that reads nothing so long is dropped"},
    {.key = "http.request_timeout", .kind = SETTING_DURATION, .offset = AT(http.request_ns_max),
     .preset = "30s", .min = NS_PER_MS, .max = HOUR,
     .help = "from complete request to answer; beyond: 504"},
    {.key = "http.linger_bytes_max", .kind = SETTING_BYTES, .offset = AT(http.linger_bytes_max),
     .preset = "256KiB", .min = 0, .max = 16 * MIB,
     .help = "unread input discarded before a close"},
    {.key = "http.linger_timeout", .kind = SETTING_DURATION, .offset = AT(http.linger_ns_max),
     .preset = "2s", .min = 0, .max = MINUTE,
     .help = "how long that takes at most"},

    {.key = "limits.json_depth_max", .kind = SETTING_COUNT, .offset = AT(json_depth_max),
     .preset = "64", .min = 4, .max = 256,
     .help = "nesting of a JSON body"},
    {.key = "limits.json_number_bytes_max", .kind = SETTING_COUNT,
     .offset = AT(json_number_bytes_max), .preset = "1024", .min = 32, .max = MIB,
     .help = "digits and signs of a number"},
    {.key = "limits.tensor_rank_max", .kind = SETTING_COUNT, .offset = AT(tensor_rank_max),
     .preset = "8", .min = 1, .max = 8,
     .help = "dimensions of a tensor"},
    {.key = "limits.series_max", .kind = SETTING_COUNT, .offset = AT(series_max),
     .preset = "1024", .min = 1, .max = 65536,
     .help = "series in an indicator request"},
    {.key = "limits.points_max", .kind = SETTING_COUNT, .offset = AT(points_max),
     .preset = "1048576", .min = 1, .max = 67108864,
     .help = "prices in an indicator request"},
    {.key = "limits.instances_max", .kind = SETTING_COUNT, .offset = AT(instances_max),
     .preset = "4096", .min = 1, .max = 65536,
     .help = "rows in a predict request"},

    {.key = "batching.max_batch_rows", .kind = SETTING_COUNT, .offset = AT(batching.batch_rows_max),
     .queue_bit = CONFIG_BATCH_ROWS, .preset = "32", .min = 1,
     .max = CONFIG_BATCH_ROWS_CEILING,
     .help = "rows computed at once"},
    {.key = "batching.max_queue_rows", .kind = SETTING_COUNT, .offset = AT(batching.queue_rows_max),
     .queue_bit = CONFIG_QUEUE_ROWS, .preset = "4096", .min = 1, .max = 1048576,
     .help = "rows that may wait; beyond: 503"},
    {.key = "batching.max_queue_bytes", .kind = SETTING_BYTES,
     .offset = AT(batching.queue_bytes_max), .queue_bit = CONFIG_QUEUE_BYTES,
     .preset = "256MiB", .min = 1024, .max = 64 * GIB,
     .help = "memory of what waits; beyond: 503"},
    {.key = "batching.max_inflight_batches", .kind = SETTING_COUNT,
     .offset = AT(batching.inflight_batches_max), .queue_bit = CONFIG_INFLIGHT,
     .preset = "0", .min = 0, .max = 1024,
     .help = "batches computed together; 0: as workers"},
    {.key = "batching.max_delay", .kind = SETTING_DURATION, .offset = AT(batching.delay_ns_max),
     .queue_bit = CONFIG_DELAY, .preset = "0", .min = 0, .max = 10 * NS_PER_S,
     .help = "linger for more rows while a batch runs"},
    {.key = "batching.max_idle_delay", .kind = SETTING_DURATION,
     .offset = AT(batching.idle_delay_ns_max), .queue_bit = CONFIG_IDLE_DELAY,
     .preset = "0", .min = 0, .max = 10 * NS_PER_S,
     .help = "linger while none runs"},
    {.key = "batching.target_p99", .kind = SETTING_DURATION, .offset = AT(batching.target_p99_ns),
     .queue_bit = CONFIG_TARGET, .preset = "0", .min = 0, .max = MINUTE,
     .help = "latency to batch for; 0: none, the limits decide"},

    {.key = "scheduling.refuse_late", .kind = SETTING_BOOL, .offset = AT(refuse_late),
     .preset = "true",
     .help = "refuse what is expected to miss its deadline"},
    {.key = "scheduling.batch_class_percent", .kind = SETTING_COUNT,
     .offset = AT(batch_class_percent), .preset = "10", .min = 1, .max = 50,
     .help = "share of a busy queue for X-Priority: batch"},

    {.key = "verification.one_in", .kind = SETTING_COUNT, .offset = AT(verify_one_in),
     .preset = "1000", .min = 0, .max = 1000000000,
     .help = "one of so many batches is recomputed; 0: none"},
    {.key = "verification.cpu_percent", .kind = SETTING_COUNT, .offset = AT(verify_cpu_percent),
     .preset = "1", .min = 1, .max = 100,
     .help = "of one core for that, at most"},
};

static const struct setting tenant_settings[] = {
    {.key = "weight", .kind = SETTING_COUNT, .offset = offsetof(struct config_tenant, weight),
     .preset = "1", .min = 1, .max = 1000,
     .help = "its part of a busy queue, next to others' weights"},
    {.key = "api_key_file", .kind = SETTING_TEXT,
     .offset = offsetof(struct config_tenant, api_key_file), .preset = "",
     .help = "holds the key that its requests must carry"},
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(settings) <= CONFIG_SETTINGS_MAX, "an origin for each setting");

const struct setting *setting_at(size_t index)
{
    return index < ARRAY_SIZE(settings) ? &settings[index] : NULL;
}

size_t setting_index(const struct setting *setting)
{
    return (size_t)(setting - settings);
}

const struct setting *setting_find(const char *prefix, const char *key)
{
    const size_t prefix_bytes = strlen(prefix);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (strncmp(settings[i].key, prefix, prefix_bytes) == 0 &&
            strcmp(settings[i].key + prefix_bytes, key) == 0)
            return &settings[i];
    return NULL;
}

const struct setting *tenant_setting_at(size_t index)
{
    return index < ARRAY_SIZE(tenant_settings) ? &tenant_settings[index] : NULL;
}

bool setting_is_section(const char *name)
{
    const size_t bytes = strlen(name);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (strncmp(settings[i].key, name, bytes) == 0 && settings[i].key[bytes] == '.')
            return true;
    return false;
}

void setting_variable(const struct setting *setting, struct buffer *out)
{
    buffer_append_str(out, "JITNEY_");
    for (const char *at = setting->key; *at != '\0'; at++) {
        /* Not toupper(), which has its own idea of i in Turkish. */
        const bool lower = *at >= 'a' && *at <= 'z';
        buffer_append_format(out, "%c", *at == '.' ? '_' : lower ? *at - 'a' + 'A' : *at);
    }
}

/* --- Suggestions. */

enum {
    SUGGEST_EDITS_MAX = 2,
    SUGGEST_NAME_MAX = 64
};

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, one row at a time. */
static size_t edits_between(const char *a, const char *b)
{
    const size_t columns = strlen(b);
    size_t row[SUGGEST_NAME_MAX + 1];
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_of(replaced, min_of(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns];
}

void suggest(struct suggestion *suggestion, const char *name)
{
    if (strlen(name) > SUGGEST_NAME_MAX ||
        strnlen(suggestion->wanted, SUGGEST_NAME_MAX + 1) > SUGGEST_NAME_MAX)
        return;
    const size_t edits = edits_between(suggestion->wanted, name);
    if (edits > SUGGEST_EDITS_MAX || (suggestion->best[0] != '\0' && edits >= suggestion->edits))
        return;
    suggestion->edits = edits;
    strcpy(suggestion->best, name);
}
