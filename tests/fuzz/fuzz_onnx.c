/* Any bytes as an ONNX file: refused with a reason, or loaded and then run on one row. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum {
    SCRATCH_MAX = 1 << 16
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_one_row(const struct model *m)
{
    size_t scratch_size = model_scratch_size(m, 1);
    if (scratch_size > SCRATCH_MAX)
        return;
    float *in = calloc(model_input_size(m), sizeof *in);
    float *out = calloc(model_output_size(m), sizeof *out);
    float *scratch = calloc(scratch_size + 1, sizeof *scratch);
    if (in != NULL && out != NULL && scratch != NULL)
        model_run(m, kernels_for(KERNELS_SCALAR), in, 1, out, scratch);
    free(in);
    free(out);
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_limits limits = model_limits_default();
    limits.file_bytes_max = (size_t)1 << 20;
    limits.elements_max = (size_t)1 << 16;
    limits.row_elements_max = (size_t)1 << 12;
    limits.nodes_max = 64;
    struct model *m = NULL;
    struct model_error error = {""};
    enum model_status status =
        model_load_memory("fuzz", "1", data, size, NULL, 0, &limits, &m, &error);
    assert((status == MODEL_OK) == (m != NULL));
    assert((status == MODEL_OK) == (error.text[0] == '\0'));
    if (m != NULL)
        run_one_row(m);
    model_destroy(m);
    return 0;
}
