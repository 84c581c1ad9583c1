/*
 * onnx_operator.h - the operators that jitney runs, and what their nodes may say.
 *
 *   Threads    pure functions.
 *   Source     the operator documentation of ONNX, editions (opsets) 7 to 23.
 *
 * Everything else is refused: a node with an attribute that is not in the table
 * may mean something else than what would be computed.
 */
#ifndef ONNX_OPERATOR_H
#define ONNX_OPERATOR_H

#include "model.h"

struct Onnx__GraphProto;
struct Onnx__NodeProto;
struct Onnx__AttributeProto;

/* Name, least and most inputs, attributes with their types: f float, i int,
 * t tensor, F floats, I ints. */
#define ONNX_OPERATOR_MAP(X)                                                                       \
    X(ADD, "Add", 2, 2, "")                                                                        \
    X(BATCH_NORMALIZATION, "BatchNormalization", 5, 5,                                             \
      "epsilon:f momentum:f spatial:i training_mode:i")                                            \
    X(CAST, "Cast", 1, 1, "to:i saturate:i")                                                       \
    X(CONSTANT, "Constant", 0, 0, "value:t value_float:f value_floats:F value_int:i value_ints:I") \
    X(DIV, "Div", 2, 2, "")                                                                        \
    X(DROPOUT, "Dropout", 1, 2, "ratio:f seed:i")                                                  \
    X(FLATTEN, "Flatten", 1, 1, "axis:i")                                                          \
    X(GEMM, "Gemm", 2, 3, "alpha:f beta:f transA:i transB:i")                                      \
    X(IDENTITY, "Identity", 1, 1, "")                                                              \
    X(MATMUL, "MatMul", 2, 2, "")                                                                  \
    X(MUL, "Mul", 2, 2, "")                                                                        \
    X(RELU, "Relu", 1, 1, "")                                                                      \
    X(RESHAPE, "Reshape", 2, 2, "allowzero:i")                                                     \
    X(SIGMOID, "Sigmoid", 1, 1, "")                                                                \
    X(SOFTMAX, "Softmax", 1, 1, "axis:i")                                                          \
    X(SUB, "Sub", 2, 2, "")                                                                        \
    X(TANH, "Tanh", 1, 1, "")

enum onnx_operator {
#define X(name, text, inputs_min, inputs_max, attributes) ONNX_##name,
    ONNX_OPERATOR_MAP(X)
#undef X
    ONNX_OPERATOR_COUNT
};

enum {
    ONNX_INPUTS_MAX = 5,
    ONNX_ATTRIBUTES_MAX = 5,
    ONNX_OUTPUTS_MAX = 5
};

const char *onnx_operator_str(enum onnx_operator op);

/* Refuses the graph if any operator in it is not in the table, naming all of
 * those and how often each occurs. */
enum model_status onnx_operators_check(const struct Onnx__GraphProto *graph,
                                       struct model_error *error)
    __attribute__((warn_unused_result));

/* Which operator a node of a graph that passed is; inputs, outputs and attributes
 * are then as many and of the types that the table says. */
enum model_status onnx_node_check(const struct Onnx__NodeProto *node, enum onnx_operator *out,
                                  struct model_error *error) __attribute__((warn_unused_result));

/* The attribute, or NULL; its number, or `fallback`. */
const struct Onnx__AttributeProto *onnx_attribute(const struct Onnx__NodeProto *node,
                                                  const char *name);
int64_t onnx_attribute_int(const struct Onnx__NodeProto *node, const char *name, int64_t fallback);
float onnx_attribute_float(const struct Onnx__NodeProto *node, const char *name, float fallback);

#endif
