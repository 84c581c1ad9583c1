#include "small_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_writer.h"

static size_t elements_of(const char *dims)
{
    size_t elements = 1;
    const char *at = strchr(dims, ' ');
    while (at != NULL) {
        char *end;
        elements *= strtoul(at, &end, 10);
        at = *end == ' ' ? end : NULL;
    }
    return elements;
}

struct model *small_model(const char *dims, size_t outputs, const char *config)
{
    struct onnx_writer w = {0};
    size_t inputs = elements_of(dims);
    char shape[64], output[64];
    snprintf(shape, sizeof shape, "%zu %zu", inputs, outputs);
    snprintf(output, sizeof output, "N %zu", outputs);
    float *ones = calloc(inputs * outputs, sizeof *ones);
    for (size_t i = 0; ones != NULL && i < inputs * outputs; i++)
        ones[i] = 1;
    onnx_write_port(&w, ONNX_INPUT, "x", dims);
    onnx_write_port(&w, ONNX_OUTPUT, "y", output);
    onnx_write_floats(&w, "w", shape, ones);
    onnx_write_node(&w, "Flatten", "x", "flat", "");
    onnx_write_node(&w, "MatMul", "flat w", "y", "");
    onnx_write_file(&w);
    struct model_limits limits = model_limits_default();
    struct model *model = NULL;
    struct model_error error;
    if (model_load_memory("small", "1", w.file.data, w.file.bytes, config,
                          config != NULL ? strlen(config) : 0, &limits, &model,
                          &error) != MODEL_OK) {
        fprintf(stderr, "small_model(\"%s\", %zu): %s\n", dims, outputs, error.text);
        abort();
    }
    onnx_writer_free(&w);
    free(ones);
    return model;
}
