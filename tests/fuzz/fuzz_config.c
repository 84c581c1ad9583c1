/*
 * fuzz_config.c - any text as a configuration file: it is taken, shown and let
 * go, or refused with a reason.
 */
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void count_line(void *ctx, const char *key, const char *value, const char *source)
{
    *(size_t *)ctx += strlen(key) + strlen(value) + strlen(source);
}

static void show(const struct config *config)
{
    struct buffer json;
    size_t bytes = 0;
    buffer_init(&json, 8 * MIB);
    config_to_json(config, &json);
    require(!json.failed);
    config_each(config, count_line, &bytes);
    require(bytes > 0);
    for (size_t i = 0; i < config->queues_count; i++)
        require(config_batching_for(config, config->queues[i].name, NULL).batch_rows_max > 0);
    buffer_deinit(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    struct config_error error = {.text = ""};
    const enum config_result rc =
        config_load_text("fuzz.json", (const char *)data, size, &config, &error);
    require(rc == CONFIG_OK || rc == CONFIG_BAD);
    require((rc == CONFIG_OK) == (config != NULL));
    require((rc == CONFIG_OK) == (error.text[0] == '\0'));
    if (config != NULL)
        show(config);
    config_destroy(config);
    return 0;
}
