/*
 * model_operators.h - each ONNX operator as steps of a plan.
 *
 *   Threads    one owner.
 */
#ifndef MODEL_OPERATORS_H
#define MODEL_OPERATORS_H

#include "model_plan.h"
#include "onnx_graph.h"

/* A compilation under way: the nodes of the chain are added one after the other. */
struct compiler {
    const struct onnx_graph *graph;
    const struct model_limits *limits;
    struct model_error *error;
    struct model_plan plan;
    struct onnx_shape row; /* of the last value computed */
};

/* Appends what the node does to the last value computed. */
enum model_status compiler_add_node(struct compiler *c, const struct onnx_node *node)
    __attribute__((warn_unused_result));

/* "the Gemm node 'x' WHY", as unsupported. */
enum model_status compiler_fail(struct compiler *c, const struct onnx_node *node, const char *why);

#endif
