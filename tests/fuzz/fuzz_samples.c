/*
 * fuzz_samples.c - any text as samples.json, and as config.json, of a model of
 * three inputs: it is read and let go, or refused with a reason.
 */
#include <math.h>
#include <stdlib.h>

#include "model_config.h"
#include "model_samples.h"

enum {
    ROW_SIZE = 3
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void read_samples(const char *json, size_t bytes)
{
    struct model_samples samples;
    struct model_error error = {""};
    if (model_samples_parse(json, bytes, ROW_SIZE, &samples, &error) != MODEL_OK) {
        require(error.text[0] != '\0');
        return;
    }
    require(samples.count > 0 && samples.count <= MODEL_SAMPLES_ROWS_MAX);
    for (size_t i = 0; i < samples.count * ROW_SIZE; i++)
        require(isfinite(samples.rows[i]));
    model_samples_deinit(&samples);
}

static void read_config(const char *json, size_t bytes)
{
    struct model_config config;
    struct model_error error = {""};
    if (model_config_parse(json, bytes, &config, &error) != MODEL_OK) {
        require(error.text[0] != '\0');
        return;
    }
    require(config.int8_error_max > 0 && config.int8_error_max <= 1);
    model_config_deinit(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_samples((const char *)data, size);
    read_config((const char *)data, size);
    return 0;
}
