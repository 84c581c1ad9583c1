#include "model.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_compile.h"
#include "model_config.h"
#include "model_error.h"
#include "model_file.h"
#include "model_samples.h"
#include "plan_choice.h"
#include "plan_int8.h"
#include "plan_twin.h"

enum {
    MODEL_NAME_BYTES_MAX = 128,
    MODEL_VERSION_DIGITS_MAX = 19
};

struct model {
    char *name;
    char *version;
    char *input_name;
    char *output_name;
    struct onnx_shape input_row;
    struct model_plan plan;
    struct model_config config;
    struct model_samples samples; /* until model_apply_precision() */
    struct model_accuracy accuracy;
};

struct model_limits model_limits_default(void)
{
    return (struct model_limits){.file_bytes_max = (size_t)2 << 30,
                                 .nesting_max = 64,
                                 .elements_max = (size_t)1 << 28,
                                 .row_elements_max = (size_t)1 << 22,
                                 .rank_max = ONNX_RANK_MAX,
                                 .nodes_max = 4096};
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool model_name_valid(const char *name, size_t bytes)
{
    if (bytes == 0 || bytes > MODEL_NAME_BYTES_MAX || !is_word(name[0]))
        return false;
    for (size_t i = 1; i < bytes; i++)
        if (!is_word(name[i]) && name[i] != '.' && name[i] != '-')
            return false;
    return true;
}

bool model_version_valid(const char *version, size_t bytes)
{
    if (bytes == 0 || bytes > MODEL_VERSION_DIGITS_MAX || version[0] == '0')
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (version[i] < '0' || version[i] > '9')
            return false;
    return true;
}

/* --- Loading ---------------------------------------------------------------- */

static enum model_status take_graph(struct model *m, const struct onnx_graph *graph,
                                    const struct model_limits *limits, struct model_error *error)
{
    m->input_row = graph->input.row;
    m->input_name = strdup(graph->input.name);
    m->output_name = strdup(graph->output.name);
    if (m->input_name == NULL || m->output_name == NULL)
        return model_fail_nomem(error);
    return model_compile(graph, limits, &m->plan, error);
}

static enum model_status take_onnx(struct model *m, const struct model_file *onnx,
                                   const struct model_limits *limits, struct model_error *error)
{
    struct onnx_graph graph;
    enum model_status status = onnx_graph_init(&graph, onnx->data, onnx->bytes, limits, error);
    if (status != MODEL_OK)
        return status;
    status = take_graph(m, &graph, limits, error);
    onnx_graph_deinit(&graph);
    return status;
}

/* `config` without data: there is no config.json. */
static enum model_status take_config(struct model *m, const struct model_file *config,
                                     struct model_error *error)
{
    m->config = model_config_default();
    if (config->data == NULL)
        return MODEL_OK;
    enum model_status status = model_config_parse(config->data, config->bytes, &m->config, error);
    if (status != MODEL_OK)
        return status;
    if (m->config.labels_count == 0 || m->config.labels_count == m->plan.out_size)
        return MODEL_OK;
    return model_fail(error, MODEL_BAD_CONFIG, "config.json: there are %zu labels for %zu outputs",
                      m->config.labels_count, m->plan.out_size);
}

static enum model_status check_address(const char *name, const char *version,
                                       struct model_error *error)
{
    if (!model_name_valid(name, strlen(name)))
        return model_fail(error, MODEL_UNSUPPORTED,
                          "%s is no model name: up to 128 letters, digits and ._-, the first a "
                          "letter, a digit or _",
                          model_quote(name).text);
    if (!model_version_valid(version, strlen(version)))
        return model_fail(error, MODEL_UNSUPPORTED,
                          "%s is no model version: a decimal number from 1, of up to 19 digits",
                          model_quote(version).text);
    return MODEL_OK;
}

static enum model_status create(const char *name, const char *version, struct model **out,
                                struct model_error *error)
{
    enum model_status status = check_address(name, version, error);
    if (status != MODEL_OK)
        return status;
    struct model *m = calloc(1, sizeof *m);
    if (m == NULL)
        return model_fail_nomem(error);
    m->name = strdup(name);
    m->version = strdup(version);
    if (m->name == NULL || m->version == NULL) {
        model_destroy(m);
        return model_fail_nomem(error);
    }
    *out = m;
    return MODEL_OK;
}

enum model_status model_load_memory(const char *name, const char *version, const void *onnx,
                                    size_t onnx_bytes, const char *config, size_t config_bytes,
                                    const struct model_limits *limits, struct model **out,
                                    struct model_error *error)
{
    /* The files are only read from here. */
    struct model_file onnx_file = {.data = (char *)onnx, .bytes = onnx_bytes};
    struct model_file config_file = {.data = (char *)config, .bytes = config_bytes};
    struct model *m = NULL;
    if (onnx_bytes > limits->file_bytes_max)
        return model_fail(error, MODEL_TOO_LARGE, "the ONNX file has %zu bytes; the limit is %zu",
                          onnx_bytes, limits->file_bytes_max);
    enum model_status status = create(name, version, &m, error);
    if (status != MODEL_OK)
        return status;
    status = take_onnx(m, &onnx_file, limits, error);
    if (status == MODEL_OK)
        status = take_config(m, &config_file, error);
    if (status == MODEL_OK)
        *out = m;
    else
        model_destroy(m);
    return status;
}

/* NAME/config.json; no data when there is none. */
static enum model_status read_config(const char *dir, const char *name, struct model_file *out,
                                     struct model_error *error)
{
    char path[MODEL_NAME_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/config.json", name);
    enum model_status status = model_file_read(dir, path, MODEL_CONFIG_BYTES_MAX, out, error);
    return status == MODEL_NOT_FOUND ? MODEL_OK : status;
}

/* NAME/samples.json, for a model that needs it. */
static enum model_status read_samples(const char *dir, struct model *m, struct model_error *error)
{
    char path[MODEL_NAME_BYTES_MAX + 32];
    struct model_file file;
    if (m->config.precision != MODEL_INT8)
        return MODEL_OK;
    snprintf(path, sizeof path, "%s/samples.json", m->name);
    enum model_status status = model_file_read(dir, path, MODEL_SAMPLES_BYTES_MAX, &file, error);
    if (status == MODEL_NOT_FOUND)
        return MODEL_OK;
    if (status != MODEL_OK)
        return status;
    status = model_samples_parse(file.data, file.bytes, m->plan.in_size, &m->samples, error);
    free(file.data);
    return status;
}

enum model_status model_load(const char *dir, const char *name, const char *version,
                             const struct model_limits *limits, struct model **out,
                             struct model_error *error)
{
    /* Names are checked before they become part of a path. */
    enum model_status status = check_address(name, version, error);
    if (status != MODEL_OK)
        return status;
    char path[MODEL_NAME_BYTES_MAX + MODEL_VERSION_DIGITS_MAX + 32];
    snprintf(path, sizeof path, "%s/%s/model.onnx", name, version);
    struct model_file config = {0}, onnx = {0};
    struct model *m = NULL;
    status = read_config(dir, name, &config, error);
    if (status == MODEL_OK)
        status = model_file_read(dir, path, limits->file_bytes_max, &onnx, error);
    if (status == MODEL_OK)
        status = model_load_memory(name, version, onnx.data, onnx.bytes, config.data, config.bytes,
                                   limits, &m, error);
    free(onnx.data);
    free(config.data);
    if (status == MODEL_OK)
        status = read_samples(dir, m, error);
    if (status == MODEL_OK)
        *out = m;
    else
        model_destroy(m);
    return status;
}

void model_destroy(struct model *m)
{
    if (m == NULL)
        return;
    free(m->name);
    free(m->version);
    free(m->input_name);
    free(m->output_name);
    model_plan_deinit(&m->plan);
    model_config_deinit(&m->config);
    model_samples_deinit(&m->samples);
    free(m);
}

/* --- What it is ------------------------------------------------------------- */

const char *model_name(const struct model *m)
{
    return m->name;
}

const char *model_version(const struct model *m)
{
    return m->version;
}

const char *model_input_name(const struct model *m)
{
    return m->input_name;
}

const char *model_output_name(const struct model *m)
{
    return m->output_name;
}

size_t model_input_size(const struct model *m)
{
    return m->plan.in_size;
}

size_t model_output_size(const struct model *m)
{
    return m->plan.out_size;
}

size_t model_input_rank(const struct model *m)
{
    return m->input_row.rank;
}

const size_t *model_input_shape(const struct model *m)
{
    return m->input_row.dims;
}

size_t model_parameters(const struct model *m)
{
    return m->plan.parameters;
}

uint64_t model_flops_per_row(const struct model *m)
{
    return m->plan.flops_per_row;
}

const struct model_batching *model_batching(const struct model *m)
{
    return &m->config.batching;
}

size_t model_labels_count(const struct model *m)
{
    return m->config.labels_count;
}

const char *model_label(const struct model *m, size_t index)
{
    return index < m->config.labels_count ? m->config.labels[index] : NULL;
}

/* --- Its precision ----------------------------------------------------------- */

const char *model_precision_str(enum model_precision precision)
{
    return precision == MODEL_INT8 ? "int8" : "float32";
}

const struct model_accuracy *model_accuracy(const struct model *m)
{
    return &m->accuracy;
}

static enum model_status to_int8(struct model *m, const struct kernels *kernels,
                                 struct model_error *error)
{
    struct model_accuracy a = {.precision = MODEL_INT8,
                               .error_max = m->config.int8_error_max,
                               .samples_given = m->samples.given};
    if (!model_plan_to_int8(&m->plan, kernels, &m->samples, &a.error, &a.samples))
        return model_fail_nomem(error);
    m->accuracy = a;
    if (a.error <= a.error_max)
        return MODEL_OK;
    return model_fail(error, MODEL_INACCURATE,
                      "in int8 outputs are off by up to %.3g of the largest for %zu rows %s; "
                      "int8_max_error in config.json is %.3g",
                      a.error, a.samples, a.samples_given ? "of samples.json" : "of normal numbers",
                      a.error_max);
}

enum model_status model_apply_precision(struct model *m, const struct kernels *kernels,
                                        struct model_error *error)
{
    if (m->config.precision != MODEL_INT8)
        return MODEL_OK;
    if (m->samples.rows == NULL && !model_samples_make(m->plan.in_size, &m->samples))
        return model_fail_nomem(error);
    enum model_status status = to_int8(m, kernels, error);
    model_samples_deinit(&m->samples);
    return status;
}

/* --- Its layers -------------------------------------------------------------- */

void model_choose_kernels(struct model *m, const struct kernels *kernels, size_t rows_max)
{
    model_plan_choose(&m->plan, kernels, rows_max);
}

void model_keep_weights(struct model *m)
{
    m->plan.keeps_weights = true;
}

size_t model_layers_count(const struct model *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->plan.steps_count; i++)
        count += m->plan.steps[i].op == PLAN_DENSE;
    return count;
}

static const char *unpacked_name(const struct kernels *kernels)
{
    if (kernels == NULL)
        return "unsettled";
    return kernels->dense_f32 == kernels_for(KERNELS_SCALAR)->dense_f32 ? "plain" : "openblas";
}

static struct model_layer describe_step(const struct plan_step *step, const struct kernels *kernels)
{
    struct model_layer layer = {.in_size = step->in_size, .out_size = step->out_size};
    if (step->packed_i8 != NULL)
        snprintf(layer.kernel, sizeof layer.kernel, "int8 %s", kernels->dense_i8_isa);
    else if (step->packed != NULL)
        snprintf(layer.kernel, sizeof layer.kernel, "packed %s", kernels_isa_str(kernels->isa));
    else
        snprintf(layer.kernel, sizeof layer.kernel, "%s", unpacked_name(kernels));
    return layer;
}

struct model_layer model_layer(const struct model *m, size_t index)
{
    const struct plan_step *step = m->plan.steps;
    for (;; step++) {
        assert(step < m->plan.steps + m->plan.steps_count);
        if (step->op == PLAN_DENSE && index-- == 0)
            return describe_step(step, m->plan.kernels);
    }
}

/* --- Running ---------------------------------------------------------------- */

size_t model_scratch_size(const struct model *m, size_t rows)
{
    return model_plan_scratch_size(&m->plan, rows);
}

void model_run(const struct model *m, const struct kernels *kernels, const float *in, size_t rows,
               float *out, float *scratch)
{
    model_plan_run(&m->plan, kernels, in, rows, out, scratch);
}

size_t model_twin_scratch_bytes(const struct model *m)
{
    return plan_twin_scratch_bytes(&m->plan);
}

void model_run_twin(const struct model *m, const float *in, float *out, double *bounds,
                    void *scratch)
{
    plan_twin_run(&m->plan, in, out, bounds, scratch);
}
