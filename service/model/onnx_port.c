#include "onnx_port.h"

#include <stdio.h>
#include <string.h>

#include "model_error.h"
#include "onnx_subset.pb-c.h"

/* Room for "the output 'name'". */
struct owner {
    char text[sizeof(struct model_quoted) + 16];
};

static struct owner owner_of(const char *kind, const char *name)
{
    struct owner owner;
    snprintf(owner.text, sizeof owner.text, "the %s %s", kind, model_quote(name).text);
    return owner;
}

static enum model_status check_batch(const Onnx__TensorShapeProto *shape, const char *owner,
                                     struct model_error *error)
{
    if (shape->n_dim < 2)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "%s has %zu dimensions; jitney needs the batch and at least one more",
                          owner, shape->n_dim);
    const Onnx__TensorShapeProto__Dimension *batch = shape->dim[0];
    if (batch->has_dim_value && batch->dim_value != 1 && batch->dim_value != -1)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "%s has a batch of fixed size %lld; it must be free, or 1", owner,
                          (long long)batch->dim_value);
    return MODEL_OK;
}

/* Dimensions after the first; false in *out_known when one of them is free. */
static enum model_status read_row(const Onnx__TensorShapeProto *shape, const char *owner,
                                  const struct model_limits *limits, struct onnx_shape *out,
                                  bool *out_known, struct model_error *error)
{
    struct onnx_shape row = onnx_shape_scalar();
    for (size_t i = 1; i < shape->n_dim; i++) {
        if (!shape->dim[i]->has_dim_value || shape->dim[i]->dim_value == -1) {
            *out_known = false;
            return MODEL_OK;
        }
        enum model_status status =
            onnx_shape_append(&row, shape->dim[i]->dim_value, owner, limits, error);
        if (status != MODEL_OK)
            return status;
    }
    *out_known = true;
    *out = row;
    return MODEL_OK;
}

enum model_status onnx_port_read(const Onnx__ValueInfoProto *info, const char *kind,
                                 const struct model_limits *limits, struct onnx_port *out,
                                 struct model_error *error)
{
    struct owner owner = owner_of(kind, info->name);
    if (info->name == NULL || info->name[0] == '\0')
        return model_fail(error, MODEL_MALFORMED, "the graph has an %s without a name", kind);
    struct onnx_port port = {.name = info->name};
    const Onnx__TypeProto__Tensor *type = info->type == NULL ? NULL : info->type->tensor_type;
    if (type == NULL || type->elem_type != ONNX_FLOAT)
        return model_fail(error, MODEL_UNSUPPORTED, "%s is no tensor of float32", owner.text);
    enum model_status status = MODEL_OK;
    if (type->shape != NULL)
        status = check_batch(type->shape, owner.text, error);
    if (type->shape != NULL && status == MODEL_OK) {
        port.batch_is_one =
            type->shape->dim[0]->has_dim_value && type->shape->dim[0]->dim_value == 1;
        status = read_row(type->shape, owner.text, limits, &port.row, &port.has_shape, error);
    }
    if (status == MODEL_OK)
        *out = port;
    return status;
}
