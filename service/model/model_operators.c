#include "model_operators.h"

#include <math.h>
#include <stdlib.h>

#include "model_error.h"
#include "onnx_row.h"
#include "onnx_subset.pb-c.h"

enum model_status compiler_fail(struct compiler *c, const struct onnx_node *node, const char *why)
{
    return model_fail(c->error, MODEL_UNSUPPORTED, "the %s node %s %s", onnx_operator_str(node->op),
                      model_quote(node->proto->name).text, why);
}

/* Room for weights; says why when there is none. */
static float *allocate(struct compiler *c, size_t elements, enum model_status *status)
{
    float *room = model_plan_alloc(&c->plan, elements);
    if (room == NULL)
        *status = model_fail(c->error, MODEL_NOMEM,
                             "out of memory, or more weights in use than the file may have");
    return room;
}

static enum model_status checked(struct compiler *c, enum model_status status)
{
    return status == MODEL_OK ? MODEL_OK : model_fail_nomem(c->error);
}

/* The constant that is input `index` of a node; NULL: it is computed, or left out. */
static const struct onnx_tensor *constant_input(const struct compiler *c,
                                                const struct onnx_node *node, size_t index)
{
    if (index >= node->inputs_count || node->inputs[index] == NULL ||
        node->inputs[index]->source != ONNX_FROM_TENSOR)
        return NULL;
    return &c->graph->tensors[node->inputs[index]->index];
}

/* --- Steps ------------------------------------------------------------------ */

/* Weights as the file has them, in ONNX's order or transposed, to [in][out]. */
static bool pack_weights(const struct onnx_tensor *tensor, bool transposed, float factor,
                         size_t in_size, size_t out_size, float *out)
{
    bool finite = true;
    for (size_t i = 0; i < in_size; i++)
        for (size_t o = 0; o < out_size; o++) {
            size_t index = transposed ? o * in_size + i : i * out_size + o;
            float weight = factor * onnx_tensor_float(tensor, index);
            finite = finite && isfinite(weight);
            out[i * out_size + o] = weight;
        }
    return finite;
}

static enum model_status add_dense(struct compiler *c, const struct onnx_node *node,
                                   const struct onnx_tensor *tensor, bool transposed, float factor)
{
    if (tensor == NULL || tensor->type != ONNX_FLOAT || tensor->shape.rank != 2)
        return compiler_fail(c, node, "needs a constant float32 matrix as its second input");
    size_t in_size = tensor->shape.dims[transposed ? 1 : 0];
    size_t out_size = tensor->shape.dims[transposed ? 0 : 1];
    size_t *last = &c->row.dims[c->row.rank - 1];
    if (*last != in_size)
        return model_fail(
            c->error, MODEL_MALFORMED, "the %s node %s has weights for %zu inputs, and gets %zu",
            onnx_operator_str(node->op), model_quote(node->proto->name).text, in_size, *last);
    size_t repeat = c->row.elements / in_size;
    if (out_size > c->limits->row_elements_max / repeat)
        return model_fail(c->error, MODEL_TOO_LARGE, "the %s node %s makes rows of more than %zu",
                          onnx_operator_str(node->op), model_quote(node->proto->name).text,
                          c->limits->row_elements_max);
    enum model_status status = MODEL_OK;
    float *weights = allocate(c, in_size * out_size, &status);
    if (weights == NULL)
        return status;
    if (!pack_weights(tensor, transposed, factor, in_size, out_size, weights)) {
        free(weights);
        return compiler_fail(c, node, "scales its weights beyond float32");
    }
    *last = out_size;
    c->row.elements = repeat * out_size;
    return checked(c, model_plan_add(&c->plan, (struct plan_step){.op = PLAN_DENSE,
                                                                  .repeat = repeat,
                                                                  .in_size = in_size,
                                                                  .out_size = out_size,
                                                                  .weights = weights}));
}

/* factor * constant, spread over `shape`. */
static float *spread(struct compiler *c, const struct onnx_node *node,
                     const struct onnx_tensor *constant, const struct onnx_shape *shape,
                     float factor, enum model_status *status)
{
    float *values = allocate(c, shape->elements, status);
    for (size_t i = 0; values != NULL && i < shape->elements; i++) {
        values[i] = factor * onnx_row_broadcast_at(shape, constant, i);
        if (isfinite(values[i]))
            continue;
        free(values);
        *status = compiler_fail(c, node, "scales its constant beyond float32");
        return NULL;
    }
    return values;
}

/* Takes over `values`, one per number of the row. */
static enum model_status add_values(struct compiler *c, enum plan_op op, float *values)
{
    return checked(c, model_plan_add(&c->plan, (struct plan_step){.op = op,
                                                                  .repeat = 1,
                                                                  .in_size = c->row.elements,
                                                                  .out_size = c->row.elements,
                                                                  .values = values}));
}

/* Whether the constant is the same for each vector inside a row. */
static bool is_bias(const struct compiler *c, const struct onnx_tensor *constant)
{
    size_t last = c->row.dims[c->row.rank - 1];
    const struct onnx_shape *shape = &constant->shape;
    return shape->elements == 1 ||
           (shape->elements == last && shape->dims[shape->rank - 1] == last);
}

static enum model_status add_constant(struct compiler *c, const struct onnx_node *node,
                                      const struct onnx_tensor *constant, enum plan_op op,
                                      float factor)
{
    if (constant == NULL || !onnx_row_broadcasts(&c->row, constant))
        return compiler_fail(c, node,
                             "needs a float32 constant that fits one row as its other input");
    struct plan_step *dense = op == PLAN_ADD ? model_plan_open_dense(&c->plan) : NULL;
    bool bias = dense != NULL && is_bias(c, constant);
    struct onnx_shape vector = {.rank = 1, .dims = {c->row.dims[c->row.rank - 1]}};
    vector.elements = vector.dims[0];
    enum model_status status = MODEL_OK;
    float *values = spread(c, node, constant, bias ? &vector : &c->row, factor, &status);
    if (values == NULL)
        return status;
    if (!bias)
        return add_values(c, op, values);
    dense->values = values;
    return MODEL_OK;
}

/* --- Operators -------------------------------------------------------------- */

static enum model_status compile_gemm(struct compiler *c, const struct onnx_node *node)
{
    if (onnx_attribute_int(node->proto, "transA", 0) != 0 || c->row.rank != 1)
        return compiler_fail(c, node, "transposes its input, or gets one that is no plain vector");
    float alpha = onnx_attribute_float(node->proto, "alpha", 1);
    float beta = onnx_attribute_float(node->proto, "beta", 1);
    bool transposed = onnx_attribute_int(node->proto, "transB", 0) != 0;
    enum model_status status = add_dense(c, node, constant_input(c, node, 1), transposed, alpha);
    bool has_bias = node->inputs_count == 3 && node->inputs[2] != NULL && beta != 0;
    if (status != MODEL_OK || !has_bias)
        return status;
    return add_constant(c, node, constant_input(c, node, 2), PLAN_ADD, beta);
}

static enum model_status compile_divide(struct compiler *c, const struct onnx_node *node)
{
    const struct onnx_tensor *divisor = constant_input(c, node, 1);
    if (divisor == NULL)
        return add_constant(c, node, constant_input(c, node, 0), PLAN_DIVIDE_BY, 1);
    for (size_t i = 0; divisor->type == ONNX_FLOAT && i < divisor->shape.elements; i++)
        if (onnx_tensor_float(divisor, i) == 0)
            return compiler_fail(c, node, "divides by zero");
    return add_constant(c, node, divisor, PLAN_DIVIDE, 1);
}

static enum model_status compile_subtract(struct compiler *c, const struct onnx_node *node)
{
    const struct onnx_tensor *subtrahend = constant_input(c, node, 1);
    if (subtrahend != NULL) /* x - v is x + (-v), exactly. */
        return add_constant(c, node, subtrahend, PLAN_ADD, -1);
    return add_constant(c, node, constant_input(c, node, 0), PLAN_SUBTRACT_BY, 1);
}

static enum model_status compile_commutative(struct compiler *c, const struct onnx_node *node,
                                             enum plan_op op)
{
    const struct onnx_tensor *constant = constant_input(c, node, 1);
    return add_constant(c, node, constant != NULL ? constant : constant_input(c, node, 0), op, 1);
}

/* The four constants of a BatchNormalization: one number per channel each. */
static bool normalization_fits(const struct compiler *c, const struct onnx_node *node)
{
    for (size_t i = 1; i < ONNX_INPUTS_MAX; i++) {
        const struct onnx_tensor *constant = constant_input(c, node, i);
        if (constant == NULL || constant->type != ONNX_FLOAT || constant->shape.rank != 1 ||
            constant->shape.elements != c->row.dims[0])
            return false;
    }
    return onnx_attribute_int(node->proto, "spatial", 1) == 1 &&
           onnx_attribute_int(node->proto, "training_mode", 0) == 0;
}

/* (x - mean) / sqrt(variance + epsilon) * scale + bias, as x * factors + offsets. */
static bool normalization_numbers(const struct compiler *c, const struct onnx_node *node,
                                  float *factors, float *offsets)
{
    double epsilon = (double)onnx_attribute_float(node->proto, "epsilon", 1e-5F);
    size_t channel_size = c->row.elements / c->row.dims[0];
    for (size_t i = 0; i < c->row.elements; i++) {
        double input[ONNX_INPUTS_MAX];
        for (size_t k = 1; k < ONNX_INPUTS_MAX; k++)
            input[k] = (double)onnx_tensor_float(constant_input(c, node, k), i / channel_size);
        double factor = input[1] / sqrt(input[4] + epsilon);
        factors[i] = (float)factor;
        offsets[i] = (float)(input[2] - input[3] * factor);
        if (!isfinite(factors[i]) || !isfinite(offsets[i]))
            return false;
    }
    return true;
}

static enum model_status compile_normalization(struct compiler *c, const struct onnx_node *node)
{
    if (!normalization_fits(c, node))
        return compiler_fail(c, node,
                             "needs four constant float32 vectors, one number per channel");
    enum model_status status = MODEL_OK;
    float *factors = allocate(c, c->row.elements, &status);
    float *offsets = factors == NULL ? NULL : allocate(c, c->row.elements, &status);
    if (offsets == NULL || !normalization_numbers(c, node, factors, offsets)) {
        free(factors);
        free(offsets);
        return status != MODEL_OK ? status : compiler_fail(c, node, "scales beyond float32");
    }
    status = add_values(c, PLAN_MULTIPLY, factors);
    if (status == MODEL_OK)
        return add_values(c, PLAN_ADD, offsets);
    free(offsets);
    return status;
}

/* Edition 13 changed Softmax from "all dimensions from the axis on" to "along the axis". */
static enum model_status compile_softmax(struct compiler *c, const struct onnx_node *node)
{
    enum {
        ALONG_AXIS_SINCE = 13
    };
    bool along = c->graph->opset >= ALONG_AXIS_SINCE;
    int64_t rank = (int64_t)c->row.rank + 1;
    int64_t axis = onnx_attribute_int(node->proto, "axis", along ? -1 : 1);
    axis += axis < 0 ? rank : 0;
    if (axis < 1 || axis >= rank || (along && axis != rank - 1))
        return compiler_fail(c, node, "works along another axis than the last");
    size_t size = 1;
    for (size_t i = (size_t)axis - 1; i < c->row.rank; i++)
        size *= c->row.dims[i];
    return checked(c, model_plan_add_activation(&c->plan, PLAN_SOFTMAX, size));
}

static enum model_status compile_flatten(struct compiler *c, const struct onnx_node *node)
{
    int64_t axis = onnx_attribute_int(node->proto, "axis", 1);
    if (axis != 1 && axis != -(int64_t)c->row.rank)
        return compiler_fail(c, node, "flattens across the batch");
    c->row = (struct onnx_shape){.rank = 1, .dims = {c->row.elements}, .elements = c->row.elements};
    return MODEL_OK;
}

static enum model_status compile_reshape(struct compiler *c, const struct onnx_node *node)
{
    const struct onnx_tensor *target = constant_input(c, node, 1);
    bool zero_is_zero = onnx_attribute_int(node->proto, "allowzero", 0) != 0;
    if (target == NULL ||
        !onnx_row_reshape(&c->row, target, zero_is_zero, c->graph->input.batch_is_one, &c->row))
        return compiler_fail(c, node,
                             "does not keep the batch and regroup each row to a constant shape");
    return MODEL_OK;
}

static enum model_status compile_cast(struct compiler *c, const struct onnx_node *node)
{
    if (onnx_attribute_int(node->proto, "to", 0) != ONNX_FLOAT)
        return compiler_fail(c, node, "casts to something else than float32");
    return MODEL_OK;
}

enum model_status compiler_add_node(struct compiler *c, const struct onnx_node *node)
{
    switch (node->op) {
    case ONNX_GEMM:
        return compile_gemm(c, node);
    case ONNX_MATMUL:
        return add_dense(c, node, constant_input(c, node, 1), false, 1);
    case ONNX_ADD:
        return compile_commutative(c, node, PLAN_ADD);
    case ONNX_MUL:
        return compile_commutative(c, node, PLAN_MULTIPLY);
    case ONNX_SUB:
        return compile_subtract(c, node);
    case ONNX_DIV:
        return compile_divide(c, node);
    case ONNX_BATCH_NORMALIZATION:
        return compile_normalization(c, node);
    case ONNX_RELU:
        return checked(c, model_plan_add_activation(&c->plan, PLAN_RELU, 0));
    case ONNX_SIGMOID:
        return checked(c, model_plan_add_activation(&c->plan, PLAN_SIGMOID, 0));
    case ONNX_TANH:
        return checked(c, model_plan_add_activation(&c->plan, PLAN_TANH, 0));
    case ONNX_SOFTMAX:
        return compile_softmax(c, node);
    case ONNX_FLATTEN:
        return compile_flatten(c, node);
    case ONNX_RESHAPE:
        return compile_reshape(c, node);
    case ONNX_CAST:
        return compile_cast(c, node);
    case ONNX_IDENTITY:
    case ONNX_DROPOUT: /* Drops nothing outside training. */
        return MODEL_OK;
    case ONNX_CONSTANT:
    case ONNX_OPERATOR_COUNT:
        break;
    }
    return compiler_fail(c, node, "has no computed input");
}
