/*
 * model_compile.h - turns a validated graph into a plan.
 *
 * Between its input and its output a graph may hold constants and one chain of
 * computed values; nodes beside that chain are not compiled. Batches are rows,
 * so every operator must treat each row by itself.
 *
 *   Threads    pure function.
 */
#ifndef MODEL_COMPILE_H
#define MODEL_COMPILE_H

#include "model_plan.h"
#include "onnx_graph.h"

/* On success *out is for model_plan_deinit() and does not need the graph any
 * more; on failure it is untouched. */
enum model_status model_compile(const struct onnx_graph *graph, const struct model_limits *limits,
                                struct model_plan *out, struct model_error *error)
    __attribute__((warn_unused_result));

#endif
