#include "onnx_tensor.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model_error.h"
#include "onnx_subset.pb-c.h"

enum {
    DATA_LOCATION_EXTERNAL = 1
};

struct onnx_shape onnx_shape_scalar(void)
{
    return (struct onnx_shape){.elements = 1};
}

enum model_status onnx_shape_append(struct onnx_shape *shape, int64_t dim, const char *owner,
                                    const struct model_limits *limits, struct model_error *error)
{
    size_t rank_max = limits->rank_max < ONNX_RANK_MAX ? limits->rank_max : ONNX_RANK_MAX;
    if (shape->rank >= rank_max)
        return model_fail(error, MODEL_TOO_LARGE, "%s has more than %zu dimensions", owner,
                          rank_max);
    if (dim < 1)
        return model_fail(error, MODEL_MALFORMED, "%s has a dimension of %lld; it must be positive",
                          owner, (long long)dim);
    size_t elements;
    if (__builtin_mul_overflow(shape->elements, (size_t)dim, &elements) ||
        elements > limits->elements_max)
        return model_fail(error, MODEL_TOO_LARGE, "the dimensions of %s make more than %zu numbers",
                          owner, limits->elements_max);
    shape->dims[shape->rank++] = (size_t)dim;
    shape->elements = elements;
    return MODEL_OK;
}

static enum model_status fail_external(const Onnx__TensorProto *proto, const char *name,
                                       struct model_error *error)
{
    const char *location = "";
    for (size_t i = 0; i < proto->n_external_data; i++)
        if (proto->external_data[i]->key != NULL &&
            strcmp(proto->external_data[i]->key, "location") == 0)
            location = proto->external_data[i]->value;
    return model_fail(error, MODEL_UNSUPPORTED,
                      "the tensor %s keeps its numbers in another file (%s); jitney reads only "
                      "model.onnx itself",
                      model_quote(name).text, model_quote(location).text);
}

static enum model_status fail_count(const struct onnx_tensor *tensor, const char *where,
                                    size_t found, size_t expected, struct model_error *error)
{
    return model_fail(error, MODEL_MALFORMED, "the tensor %s has %zu %s where its shape needs %zu",
                      model_quote(tensor->name).text, found, where, expected);
}

/* Where the numbers are, and whether they are as many as the shape says. */
static enum model_status find_numbers(const Onnx__TensorProto *proto, struct onnx_tensor *tensor,
                                      struct model_error *error)
{
    size_t typed = tensor->type == ONNX_FLOAT ? proto->n_float_data : proto->n_int64_data;
    size_t other = tensor->type == ONNX_FLOAT ? proto->n_int64_data : proto->n_float_data;
    if (other > 0 || (proto->has_raw_data && typed > 0))
        return model_fail(error, MODEL_MALFORMED, "the tensor %s has its numbers in two places",
                          model_quote(tensor->name).text);
    if (proto->has_raw_data) {
        size_t width = tensor->type == ONNX_FLOAT ? sizeof(float) : sizeof(int64_t);
        if (proto->raw_data.len % width != 0 ||
            proto->raw_data.len / width != tensor->shape.elements)
            return fail_count(tensor, "bytes", proto->raw_data.len, tensor->shape.elements * width,
                              error);
        tensor->_raw = proto->raw_data.data;
        return MODEL_OK;
    }
    if (typed != tensor->shape.elements)
        return fail_count(tensor, "numbers", typed, tensor->shape.elements, error);
    tensor->_floats = proto->float_data;
    tensor->_ints = proto->int64_data;
    return MODEL_OK;
}

static enum model_status check_finite(const struct onnx_tensor *tensor, struct model_error *error)
{
    if (tensor->type != ONNX_FLOAT)
        return MODEL_OK;
    for (size_t i = 0; i < tensor->shape.elements; i++)
        if (!isfinite(onnx_tensor_float(tensor, i)))
            return model_fail(error, MODEL_MALFORMED,
                              "the tensor %s has a number that is not finite (index %zu)",
                              model_quote(tensor->name).text, i);
    return MODEL_OK;
}

enum model_status onnx_tensor_from_proto(const Onnx__TensorProto *proto, const char *name,
                                         const struct model_limits *limits, struct onnx_tensor *out,
                                         struct model_error *error)
{
    char owner[sizeof(struct model_quoted) + 16];
    snprintf(owner, sizeof owner, "the tensor %s", model_quote(name).text);
    if (proto->data_location == DATA_LOCATION_EXTERNAL || proto->n_external_data > 0)
        return fail_external(proto, name, error);
    if (proto->data_type != ONNX_FLOAT && proto->data_type != ONNX_INT64)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "%s has the ONNX data type %d; jitney reads float32 (1), and int64 (7) "
                          "for shapes",
                          owner, (int)proto->data_type);
    struct onnx_tensor tensor = {
        .name = name, .type = (enum onnx_type)proto->data_type, .shape = onnx_shape_scalar()};
    for (size_t i = 0; i < proto->n_dims; i++) {
        enum model_status status =
            onnx_shape_append(&tensor.shape, proto->dims[i], owner, limits, error);
        if (status != MODEL_OK)
            return status;
    }
    enum model_status status = find_numbers(proto, &tensor, error);
    if (status == MODEL_OK)
        status = check_finite(&tensor, error);
    if (status == MODEL_OK)
        *out = tensor;
    return status;
}

static void view_floats(struct onnx_tensor *tensor, const float *numbers, size_t rank, size_t count)
{
    tensor->type = ONNX_FLOAT;
    tensor->_floats = numbers;
    tensor->shape = (struct onnx_shape){.rank = rank, .dims = {count}, .elements = count};
}

static void view_ints(struct onnx_tensor *tensor, const int64_t *numbers, size_t rank, size_t count)
{
    tensor->type = ONNX_INT64;
    tensor->_ints = numbers;
    tensor->shape = (struct onnx_shape){.rank = rank, .dims = {count}, .elements = count};
}

enum model_status onnx_tensor_from_attribute(const Onnx__AttributeProto *attribute,
                                             const char *name, const struct model_limits *limits,
                                             struct onnx_tensor *out, struct model_error *error)
{
    struct onnx_tensor tensor = {.name = name};
    if (strcmp(attribute->name, "value") == 0 && attribute->t != NULL)
        return onnx_tensor_from_proto(attribute->t, name, limits, out, error);
    if (strcmp(attribute->name, "value_float") == 0)
        view_floats(&tensor, &attribute->f, 0, 1);
    else if (strcmp(attribute->name, "value_floats") == 0)
        view_floats(&tensor, attribute->floats, 1, attribute->n_floats);
    else if (strcmp(attribute->name, "value_int") == 0)
        view_ints(&tensor, &attribute->i, 0, 1);
    else if (strcmp(attribute->name, "value_ints") == 0)
        view_ints(&tensor, attribute->ints, 1, attribute->n_ints);
    if (tensor.shape.elements == 0 || tensor.shape.elements > limits->elements_max)
        return model_fail(error, MODEL_UNSUPPORTED, "the constant %s has no numbers, or too many",
                          model_quote(name).text);
    enum model_status status = check_finite(&tensor, error);
    if (status == MODEL_OK)
        *out = tensor;
    return status;
}

float onnx_tensor_float(const struct onnx_tensor *tensor, size_t index)
{
    assert(tensor->type == ONNX_FLOAT);
    assert(index < tensor->shape.elements);
    if (tensor->_raw == NULL)
        return tensor->_floats[index];
    uint32_t bits;
    memcpy(&bits, tensor->_raw + index * sizeof bits, sizeof bits);
    bits = le32toh(bits);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int64_t onnx_tensor_int(const struct onnx_tensor *tensor, size_t index)
{
    assert(tensor->type == ONNX_INT64);
    assert(index < tensor->shape.elements);
    if (tensor->_raw == NULL)
        return tensor->_ints[index];
    uint64_t bits;
    memcpy(&bits, tensor->_raw + index * sizeof bits, sizeof bits);
    return (int64_t)le64toh(bits);
}
