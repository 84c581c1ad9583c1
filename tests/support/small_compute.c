#include "small_compute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "onnx_writer.h"

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void write_model(const char *path)
{
    struct onnx_writer w = {0};
    float ones[SMALL_COMPUTE_INPUTS * SMALL_COMPUTE_OUTPUTS];
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
        ones[i] = 1;
    onnx_write_port(&w, ONNX_INPUT, "x", "N 4");
    onnx_write_port(&w, ONNX_OUTPUT, "y", "N 2");
    onnx_write_floats(&w, "w", "4 2", ones);
    onnx_write_node(&w, "MatMul", "x w", "y", "");
    onnx_write_file(&w);
    write_file(path, w.file.data, w.file.bytes);
    onnx_writer_free(&w);
}

/* The repository only needs its folder while it loads. */
static struct model_repository *load_model(const char *model_config)
{
    char root[] = "/tmp/jitney-compute-XXXXXX", name[64], version[128], model[256], config[256];
    assert_non_null(mkdtemp(root));
    snprintf(name, sizeof name, "%s/sum", root);
    snprintf(version, sizeof version, "%s/1", name);
    snprintf(model, sizeof model, "%s/model.onnx", version);
    snprintf(config, sizeof config, "%s/config.json", name);
    assert_int_equal(mkdir(name, 0777), 0);
    assert_int_equal(mkdir(version, 0777), 0);
    write_model(model);
    if (model_config != NULL)
        write_file(config, model_config, strlen(model_config));

    struct model_limits limits = model_limits_default();
    struct model_repository *repository = NULL;
    struct model_error error = {""};
    if (model_repository_load(root, 4, &limits, &repository, &error) != MODEL_OK)
        fail_msg("%s", error.text);
    unlink(config);
    unlink(model);
    rmdir(version);
    rmdir(name);
    rmdir(root);
    return repository;
}

void small_compute_create(struct small_compute *small, const char *config, const char *model_config,
                          batcher_done_fn *done, void *done_ctx)
{
    memset(small, 0, sizeof *small);
    struct config_error error = {.text = ""};
    if (config_load_text("jitney.json", config, strlen(config), &small->config, &error) !=
        CONFIG_OK)
        fail_msg("%s", error.text);
    assert_null(tenants_load(&small->tenants, small->config));
    small->repository = load_model(model_config);
    struct compute_config compute_config = {.config = small->config,
                                            .repository = small->repository,
                                            .kernels = kernels_best(),
                                            .tenants = &small->tenants,
                                            .done = done,
                                            .done_ctx = done_ctx};
    const char *why = "";
    if (compute_create(&compute_config, &small->compute, &why) != 0)
        fail_msg("%s", why);
    const char *models[] = {"sum", "sma", "ema", "rsi"};
    unsigned shards = 1 + (unsigned)small->config->workers + 1; /* a loop, workers, the verifier */
    struct metrics_config metrics_config = {.shards = shards, .models = models, .models_count = 4};
    assert_int_equal(metrics_create(&metrics_config, &small->metrics), 0);
    compute_set_metrics(small->compute, small->metrics);
}

void small_compute_destroy(struct small_compute *small)
{
    compute_destroy(small->compute);
    metrics_destroy(small->metrics);
    model_repository_destroy(small->repository);
    config_destroy(small->config);
}
