/*
 * onnx_graph.h - a validated view of an ONNX graph.
 *
 *   Threads    one owner while it is made; afterwards read-only.
 *   Ownership  the graph owns the unpacked file and its own arrays; what it
 *              points to lives until onnx_graph_deinit().
 *   Promise    every operator is one that jitney runs, every name is defined
 *              once, every input has a definition, and the nodes are ordered so
 *              that each comes after those it reads from.
 */
#ifndef ONNX_GRAPH_H
#define ONNX_GRAPH_H

#include "model.h"
#include "onnx_operator.h"
#include "onnx_port.h"
#include "onnx_tensor.h"

struct Onnx__ModelProto;

/* Where a value comes from. Outputs of Constant, and of Identity or Cast over a
 * constant, count as tensors. */
enum onnx_source {
    ONNX_FROM_INPUT,
    ONNX_FROM_TENSOR,
    ONNX_FROM_NODE
};

struct onnx_value {
    const char *name;
    enum onnx_source source;
    size_t index;  /* of the tensor or node */
    size_t output; /* which of the node's outputs */
};

struct onnx_node {
    const struct Onnx__NodeProto *proto;
    enum onnx_operator op;
    size_t inputs_count;
    const struct onnx_value *inputs[ONNX_INPUTS_MAX]; /* NULL: left out */
};

struct onnx_graph {
    int64_t opset;
    struct onnx_port input;
    struct onnx_port output;
    const struct onnx_value *result; /* the output's value */
    struct onnx_node *nodes;
    size_t nodes_count;
    struct onnx_tensor *tensors;
    size_t tensors_count;
    size_t *order; /* node indices */
    struct onnx_value *_values;
    size_t _values_count;
    struct Onnx__ModelProto *_file;
};

/* Unpacks and validates. On failure *out is untouched. The bytes may be freed
 * afterwards: nothing points into them. */
enum model_status onnx_graph_init(struct onnx_graph *out, const void *onnx, size_t onnx_bytes,
                                  const struct model_limits *limits, struct model_error *error)
    __attribute__((warn_unused_result));
void onnx_graph_deinit(struct onnx_graph *graph);

#endif
