/*
 * config_show.c - the settings for people: --help, the manual's table, the log
 * at start and GET /v1/config.
 */
#include "config_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

const char *config_origin_str(enum config_origin origin)
{
    switch (origin) {
    case CONFIG_DEFAULT:
        return "default";
    case CONFIG_FILE:
        return "file";
    case CONFIG_ENVIRONMENT:
        return "environment";
    case CONFIG_FLAG:
        return "flag";
    case CONFIG_MODEL:
        return "model";
    case CONFIG_API:
        return "api";
    }
    return "?";
}

static const char *origin_of(const struct config *config, const struct setting *setting)
{
    return config_origin_str((enum config_origin)config->_origins[setting_index(setting)]);
}

static const struct config_listener *listeners_of(const struct config *config,
                                                  const struct setting *setting, size_t *out_count)
{
    const bool admin = setting->offset == offsetof(struct config, admin_listen);
    *out_count = admin ? config->admin_listen_count : config->listen_count;
    return admin ? config->admin_listen : config->listen;
}

static const char *text_of(const struct setting *setting, const void *object)
{
    return *(char *const *)(const void *)((const char *)object + setting->offset);
}

/* --- The log at start. */

/* As it would be written in the environment. */
static void append_value(const struct config *config, const struct setting *setting,
                         struct buffer *out)
{
    size_t count = 0;
    if (setting->kind == SETTING_TEXT) {
        const char *text = text_of(setting, config);
        buffer_append_str(out, text != NULL ? text : "");
    } else if (setting->kind == SETTING_LISTENERS) {
        const struct config_listener *listeners = listeners_of(config, setting, &count);
        for (size_t i = 0; i < count; i++)
            buffer_append_format(out, "%s%s", i > 0 ? "," : "", listeners[i].text);
    } else {
        setting_format_number(setting, setting_load(setting, config), out);
    }
}

/* The settings of one queue that the file gives. */
static const struct setting *queue_setting(const struct config_queue *queue, size_t index,
                                           struct setting *own)
{
    const struct setting *setting = setting_at(index);
    if ((setting->queue_bit & queue->given) == 0)
        return NULL;
    *own = *setting;
    own->offset -= offsetof(struct config, batching);
    return own;
}

static const char *last_of(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot != NULL ? dot + 1 : key;
}

void config_each(const struct config *config,
                 void (*line)(void *ctx, const char *key, const char *value, const char *source),
                 void *ctx)
{
    const struct setting *setting;
    struct setting own;
    struct buffer value, key;
    buffer_init(&value, MIB);
    buffer_init(&key, 4 * KIB);
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        buffer_reset(&value, MIB);
        append_value(config, setting, &value);
        buffer_append(&value, "", 1);
        line(ctx, setting->key, value.failed ? "" : value.data, origin_of(config, setting));
    }
    for (size_t q = 0; q < config->queues_count; q++) {
        const struct config_queue *queue = &config->queues[q];
        for (size_t i = 0; setting_at(i) != NULL; i++) {
            if ((setting = queue_setting(queue, i, &own)) == NULL)
                continue;
            buffer_reset(&value, MIB);
            buffer_reset(&key, MIB);
            buffer_append_format(&key, "queues.%s.%s", queue->name, last_of(setting->key));
            buffer_append(&key, "", 1);
            setting_format_number(setting, setting_load(setting, &queue->batching), &value);
            buffer_append(&value, "", 1);
            if (!key.failed && !value.failed)
                line(ctx, key.data, value.data, config_origin_str(CONFIG_FILE));
        }
    }
    buffer_deinit(&value);
    buffer_deinit(&key);
}

/* --- GET /v1/config. */

static void json_text(const char *text, struct buffer *out)
{
    if (text == NULL || *text == '\0')
        buffer_append_str(out, "null");
    else
        buffer_append_json_string(out, text, strlen(text));
}

/* Exact, whatever the locale: 0.00025. */
static void json_seconds(uint64_t ns, struct buffer *out)
{
    char digits[16];
    buffer_append_format(out, "%" PRIu64, ns / NS_PER_S);
    uint64_t rest = ns % NS_PER_S;
    if (rest == 0)
        return;
    size_t count = 9;
    for (size_t i = count; i > 0; i--, rest /= 10)
        digits[i - 1] = (char)('0' + rest % 10);
    while (digits[count - 1] == '0')
        count--;
    buffer_append_format(out, ".%.*s", (int)count, digits);
}

static void json_number(const struct setting *setting, uint64_t number, struct buffer *out)
{
    switch (setting->kind) {
    case SETTING_COUNT:
    case SETTING_BYTES:
        buffer_append_format(out, "%" PRIu64, number);
        break;
    case SETTING_DURATION:
        json_seconds(number, out);
        break;
    case SETTING_BOOL:
        setting_format_number(setting, number, out);
        break;
    case SETTING_CHOICE:
        buffer_append_str(out, "\"");
        setting_format_number(setting, number, out);
        buffer_append_str(out, "\"");
        break;
    case SETTING_TEXT:
    case SETTING_LISTENERS:
        break;
    }
}

static void json_value(const struct config *config, const struct setting *setting,
                       struct buffer *out)
{
    size_t count;
    if (setting->kind == SETTING_TEXT) {
        json_text(text_of(setting, config), out);
        return;
    }
    if (setting->kind != SETTING_LISTENERS) {
        json_number(setting, setting_load(setting, config), out);
        return;
    }
    const struct config_listener *listeners = listeners_of(config, setting, &count);
    buffer_append_str(out, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_str(out, i > 0 ? "," : "");
        json_text(listeners[i].text, out);
    }
    buffer_append_str(out, "]");
}

static void json_default(const struct setting *setting, struct buffer *out)
{
    uint64_t number = 0;
    if (setting->kind == SETTING_TEXT) {
        json_text(setting->preset, out);
    } else if (setting->kind == SETTING_LISTENERS) {
        buffer_append_str(out, "[");
        json_text(setting->preset, out);
        buffer_append_str(out, "]");
    } else {
        setting_parse_number(setting, setting->preset, &number);
        json_number(setting, number, out);
    }
}

static void json_unit(const struct setting *setting, struct buffer *out)
{
    if (setting->kind == SETTING_BYTES)
        buffer_append_str(out, ",\"unit\":\"bytes\"");
    if (setting->kind == SETTING_DURATION)
        buffer_append_str(out, ",\"unit\":\"seconds\"");
    buffer_append_str(out, "}");
}

static void json_queue(const struct config *config, const struct config_queue *queue,
                       struct buffer *out)
{
    const struct setting *setting;
    struct setting own;
    for (size_t i = 0; setting_at(i) != NULL; i++) {
        if ((setting = queue_setting(queue, i, &own)) == NULL)
            continue;
        buffer_append_format(out, ",\"queues.%s.%s\":{\"value\":", queue->name,
                             last_of(setting->key));
        json_number(setting, setting_load(setting, &queue->batching), out);
        buffer_append_str(out, ",\"source\":\"file\",\"default\":");
        json_number(setting, setting_load(setting, &config->batching), out);
        json_unit(setting, out);
    }
}

void config_effective_to_json(const struct config_effective *effective, struct buffer *out)
{
    struct setting own;
    buffer_append_str(out, "{");
    for (unsigned i = 0; i < CONFIG_FIELDS; i++) {
        config_field_setting((enum config_field)i, &own);
        buffer_append_format(out, "%s\"%s\":{\"value\":", i > 0 ? "," : "", last_of(own.key));
        json_number(&own, setting_load(&own, &effective->batching), out);
        buffer_append_format(out, ",\"source\":\"%s\"", config_origin_str(effective->origins[i]));
        json_unit(&own, out);
    }
    buffer_append_str(out, "}");
}

static void json_tenant(const struct config_tenant *tenant, struct buffer *out)
{
    buffer_append_format(out,
                         ",\"tenants.%s.weight\":{\"value\":%zu,\"source\":\"file\","
                         "\"default\":1}",
                         tenant->name, tenant->weight);
    if (tenant->api_key_file == NULL)
        return;
    buffer_append_format(out, ",\"tenants.%s.api_key_file\":{\"value\":", tenant->name);
    json_text(tenant->api_key_file, out);
    buffer_append_str(out, ",\"source\":\"file\",\"default\":null}");
}

void config_to_json(const struct config *config, struct buffer *out)
{
    const struct setting *setting;
    buffer_append_str(out, "{\"settings\":{");
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        buffer_append_format(out, "%s\"%s\":{\"value\":", i > 0 ? "," : "", setting->key);
        json_value(config, setting, out);
        buffer_append_format(out, ",\"source\":\"%s\",\"default\":", origin_of(config, setting));
        json_default(setting, out);
        json_unit(setting, out);
    }
    for (size_t i = 0; i < config->queues_count; i++)
        json_queue(config, &config->queues[i], out);
    for (size_t i = 0; i < config->tenants_count; i++)
        json_tenant(&config->tenants[i], out);
    buffer_append_str(out, "}}");
}

/* --- --help. */

static const char *argument_of(const struct setting *setting)
{
    switch (setting->kind) {
    case SETTING_LISTENERS:
        return "ADDRESS";
    case SETTING_TEXT:
        return setting->choices != NULL ? "NAME" : "PATH";
    case SETTING_COUNT:
        return "N";
    case SETTING_BYTES:
        return "SIZE";
    case SETTING_DURATION:
        return "TIME";
    case SETTING_BOOL:
        return "true|false";
    case SETTING_CHOICE:
        return setting->choices;
    }
    return "";
}

static void help_flag(const char *flag, const char *argument, const char *help, struct buffer *out)
{
    const int used = 3 + (int)strlen(flag);
    const int padding = 40 - used > 1 ? 40 - used : 1;
    buffer_append_format(out, "  %s %-*s%s\n", flag, padding, argument, help);
}

static void help_flags(struct buffer *out)
{
    const struct setting *setting;
    buffer_append_str(out, "Flags (--flag VALUE or --flag=VALUE):\n");
    help_flag("--config", "PATH", "read settings from this file", out);
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++)
        if (setting->flag != NULL)
            help_flag(setting->flag, argument_of(setting), setting->help, out);
    help_flag("--check-config", "", "check flags, environment and file, then exit", out);
    help_flag("--check-health", "", "ask the server that runs with these whether it is ready", out);
    help_flag("--version", "", "print the version and exit", out);
    help_flag("--help", "", "print this and exit", out);
}

/* Whether a setting begins a section: its key up to the dot is another than the one before. */
static bool begins_section(size_t index)
{
    const char *key = setting_at(index)->key;
    const char *dot = strchr(key, '.');
    return index > 0 && dot != NULL &&
           strncmp(setting_at(index - 1)->key, key, (size_t)(dot - key) + 1) != 0;
}

static void help_keys(struct buffer *out)
{
    const struct setting *setting;
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        if (begins_section(i))
            buffer_append_str(out, "\n");
        const char *preset = setting->preset[0] != '\0' ? setting->preset : "none";
        buffer_append_format(out, "  %-32s%-16s%s\n", setting->key, preset, setting->help);
    }
}

void config_help(struct buffer *out)
{
    buffer_append_str(out,
                      "Usage: jitney [FLAGS]\n\n"
                      "Serves models and indicators over HTTP, many requests in one batch.\n\n");
    help_flags(out);
    buffer_append_str(
        out,
        "\n"
        "Settings: key in the file, default, meaning. Flags beat the environment, which beats\n"
        "the file. The file is JSON with comments, where drain.delay is {\"drain\": {\"delay\": "
        "\"5s\"}};\n"
        "the environment's name for it is JITNEY_DRAIN_DELAY, and JITNEY_CONFIG names the "
        "file.\n"
        "A TIME is 5s, 250ms, 100us; a SIZE 4096, 64KiB, 16MiB; an ADDRESS 127.0.0.1:8001,\n"
        "[::1]:8001, unix:/run/jitney.sock: repeat the flag, or put commas between them in the\n"
        "environment.\n\n");
    help_keys(out);
    buffer_append_str(
        out,
        "\n  queues.NAME.max_batch_rows, ...: any key of batching, for one queue; only in the "
        "file.\n  tenants.NAME.weight, .api_key_file: who shares the queues; only in the file.\n");
}

/* --- docs/configuration.md */

static void markdown_range(const struct setting *setting, struct buffer *out)
{
    switch (setting->kind) {
    case SETTING_COUNT:
    case SETTING_BYTES:
    case SETTING_DURATION:
        setting_format_number(setting, setting->min, out);
        buffer_append_str(out, " to ");
        setting_format_number(setting, setting->max, out);
        break;
    case SETTING_LISTENERS:
        buffer_append_format(out, "up to %d addresses", CONFIG_LISTENERS_MAX);
        break;
    case SETTING_TEXT:
    case SETTING_CHOICE:
    case SETTING_BOOL: {
        const char *at = setting->choices != NULL ? setting->choices : argument_of(setting);
        /* A bar would end the cell. */
        for (; *at != '\0'; at++)
            buffer_append_format(out, "%s%c", *at == '|' ? "," : "", *at == '|' ? ' ' : *at);
        break;
    }
    }
}

static void markdown_row(const struct setting *setting, struct buffer *out)
{
    buffer_append_format(out, "| `%s` | ", setting->key);
    buffer_append_format(out, setting->preset[0] != '\0' ? "`%s` | " : "%snone | ",
                         setting->preset);
    markdown_range(setting, out);
    buffer_append_str(out, " | `");
    setting_variable(setting, out);
    buffer_append_str(out, "`");
    if (setting->flag != NULL)
        buffer_append_format(out, ", `%s`", setting->flag);
    buffer_append_format(out, " | %s |\n", setting->help);
}

static void markdown_table(struct buffer *out)
{
    static const char head[] = "| key in the file | default | values | variable, flag | what |\n"
                               "|---|---|---|---|---|\n";
    const struct setting *setting;
    buffer_append_str(out, head);
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        if (begins_section(i))
            buffer_append_format(out, "\n## %.*s\n\n%s", (int)strcspn(setting->key, "."),
                                 setting->key, head);
        markdown_row(setting, out);
    }
}

static void markdown_tenants(struct buffer *out)
{
    buffer_append_format(
        out,
        "\n## tenants\n\n"
        "`tenants.NAME` names up to %d who share the queues by weight. A request is a tenant's "
        "when it\nsays `X-Tenant: NAME`, or, if the tenant has a key, `Authorization: Bearer KEY`. "
        "All others are\none tenant, `shared`, of weight 1. Only in the file.\n\n"
        "| key | default | values | what |\n|---|---|---|---|\n",
        CONFIG_TENANTS_MAX);
    const struct setting *setting;
    for (size_t i = 0; (setting = tenant_setting_at(i)) != NULL; i++) {
        buffer_append_format(out, "| `%s` | %s | ", setting->key,
                             setting->preset[0] != '\0' ? setting->preset : "none");
        markdown_range(setting, out);
        buffer_append_format(out, " | %s |\n", setting->help);
    }
}

void config_markdown(struct buffer *out)
{
    buffer_append_str(
        out,
        "# Configuration\n\n"
        "This file is written from the table in `service/config_table.c`: change that, then run\n"
        "the unit tests with `JITNEY_UPDATE=1`.\n\n"
        "Flags beat environment variables, these beat the file (`--config PATH` or\n"
        "`JITNEY_CONFIG`), and the file beats the defaults. A list of addresses is replaced as a\n"
        "whole. `jitney --check-config` says whether all is well and exits; `GET /v1/config` on\n"
        "the admin listener shows every setting and where it came from. `jitney --check-health`\n"
        "with the same flags, variables and file asks the server that runs with them whether it "
        "is\n"
        "ready, at its first address, and exits with 0 if it is: for containers without a "
        "shell.\n\n"
        "The file is JSON; `//` and `/* */` comments are allowed. An unknown key, one that is\n"
        "given twice, a value of the wrong type or out of range ends the start with file, line\n"
        "and key. Dots are objects in objects:\n\n"
        "```json\n"
        "{\n"
        "  \"listen\": [\"0.0.0.0:8001\", \"unix:/run/jitney/jitney.sock\"],\n"
        "  \"drain\": {\"delay\": \"5s\", \"timeout\": \"25s\"},\n"
        "  \"http\": {\"body_bytes_max\": \"16MiB\"}, // or 16777216\n"
        "  \"batching\": {\"max_batch_rows\": 32},\n"
        "  \"queues\": {\"digits\": {\"max_batch_rows\": 64, \"max_delay\": 0.0005}} // seconds\n"
        "}\n"
        "```\n\n"
        "Durations are `5s`, `250ms`, `100us`, `1.5s`, `2m`, `1h`; a number in the file is\n"
        "seconds. Sizes are bytes, or `64KiB`, `16MiB`, `1GiB`. Addresses are `IP:PORT`,\n"
        "`[IPv6]:PORT` (port 0: any free one) or `unix:PATH`; `--listen` is repeated for several,\n"
        "the variable takes commas between them. `\"admin_listen\": []` turns the admin listener\n"
        "off.\n\n"
        "A variable that is empty counts as not given. One that begins with `JITNEY_` and is\n"
        "unknown is an error, except `JITNEY_TEST_*`, which is kept for tests, and what "
        "Kubernetes\n"
        "sets in every pod beside a service called jitney: `JITNEY_SERVICE_*` and `JITNEY_PORT*`.\n"
        "\n");
    markdown_table(out);
    buffer_append_str(out,
                      "\n## queues\n\n"
                      "`queues.NAME` takes any key of `batching`, for the queue of the model "
                      "or indicator `NAME`\nalone, and beats what the model's own "
                      "`config.json` says. Only in the file.\n\n"
                      "`batching` and `queues` can change while the server runs: SIGHUP reads the "
                      "file again, and\n`PATCH /v1/batching/{queue}` on the admin listener changes "
                      "one queue; see [api.md](api.md#batching).\n");
    buffer_append_str(
        out,
        "\n## A model's config.json\n\n"
        "Beside the versions of a model, `NAME/config.json` may say, with the same kinds of "
        "mistakes\n"
        "refused (the model is, the server starts):\n\n"
        "| key | default | values | what |\n|---|---|---|---|\n"
        "| `labels` | none | strings | the class of each output |\n"
        "| `batching` | none | `max_batch_rows`, `max_queue_rows`, `max_delay_us`, `target_p99_us` "
        "| the model's "
        "own; "
        "`queues.NAME` beats them |\n"
        "| `precision` | `float32` | float32, int8 | what its dense layers compute in |\n"
        "| `int8_max_error` | `0.01` | above 0, to 1 | how far int8 outputs may be from float32, "
        "as a "
        "part of the largest |\n\n"
        "With `\"precision\": \"int8\"` the load packs the weights of all dense layers as whole\n"
        "numbers of 8 bits, and computes sample inputs before and after: the rows of\n"
        "`NAME/samples.json` (`{\"instances\": [[...], ...]}`, up to 256, as in a predict "
        "request),\n"
        "else 32 made-up rows of normal numbers. The largest difference of an output, as a part "
        "of\n"
        "the largest output over all samples, is in the log and at `GET /v1/models/{model}`; "
        "outputs\n"
        "are compared before a softmax or sigmoid at the end, which hides errors where the answer "
        "is\n"
        "certain. Beyond `int8_max_error` the model is refused. Samples that look like real "
        "requests\n"
        "are worth their file: made-up ones may be far from what a model was trained on.\n");
    markdown_tenants(out);
}
