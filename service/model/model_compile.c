#include "model_compile.h"

#include <stdlib.h>

#include "model_error.h"
#include "model_operators.h"

static bool takes_either_order(enum onnx_operator op)
{
    return op == ONNX_ADD || op == ONNX_SUB || op == ONNX_MUL || op == ONNX_DIV;
}

/* The one input of a node that is computed; NULL unless there is exactly one and
 * the operator takes it in that position. */
static const struct onnx_value *computed_input(const struct onnx_node *node)
{
    const struct onnx_value *found = NULL;
    for (size_t i = 0; i < node->inputs_count; i++) {
        if (node->inputs[i] == NULL || node->inputs[i]->source == ONNX_FROM_TENSOR)
            continue;
        if (found != NULL || (i > 0 && !takes_either_order(node->op)))
            return NULL;
        found = node->inputs[i];
    }
    return found;
}

/* Marks the nodes between the graph's input and its output. */
static enum model_status mark_chain(struct compiler *c, bool *in_chain)
{
    const struct onnx_value *value = c->graph->result;
    while (value->source == ONNX_FROM_NODE) {
        const struct onnx_node *node = &c->graph->nodes[value->index];
        const struct onnx_value *input = computed_input(node);
        if (value->output != 0)
            return compiler_fail(c, node, "is asked for more than its first output");
        if (input == NULL)
            return compiler_fail(
                c, node, "must have one computed input, in its first place, and constants else");
        in_chain[value->index] = true;
        value = input;
    }
    if (value->source == ONNX_FROM_INPUT)
        return MODEL_OK;
    return model_fail(c->error, MODEL_UNSUPPORTED, "the output %s does not depend on the input",
                      model_quote(c->graph->output.name).text);
}

static enum model_status compile_chain(struct compiler *c)
{
    const struct onnx_graph *graph = c->graph;
    bool *in_chain = calloc(graph->nodes_count + 1, sizeof *in_chain);
    if (in_chain == NULL)
        return model_fail_nomem(c->error);
    enum model_status status = mark_chain(c, in_chain);
    for (size_t i = 0; i < graph->nodes_count && status == MODEL_OK; i++)
        if (in_chain[graph->order[i]])
            status = compiler_add_node(c, &graph->nodes[graph->order[i]]);
    free(in_chain);
    return status;
}

static enum model_status check_output(struct compiler *c)
{
    const struct onnx_port *output = &c->graph->output;
    if (!output->has_shape || output->row.elements == c->row.elements)
        return MODEL_OK;
    return model_fail(c->error, MODEL_MALFORMED,
                      "the output %s is declared with %zu numbers per row, but %zu are computed",
                      model_quote(output->name).text, output->row.elements, c->row.elements);
}

enum model_status model_compile(const struct onnx_graph *graph, const struct model_limits *limits,
                                struct model_plan *out, struct model_error *error)
{
    struct compiler c = {.graph = graph, .limits = limits, .error = error, .row = graph->input.row};
    if (c.row.elements > limits->row_elements_max)
        return model_fail(error, MODEL_TOO_LARGE,
                          "the input has rows of %zu numbers; the limit is %zu", c.row.elements,
                          limits->row_elements_max);
    model_plan_init(&c.plan, c.row.elements, limits->file_bytes_max / sizeof(float));
    enum model_status status = compile_chain(&c);
    if (status == MODEL_OK)
        status = check_output(&c);
    if (status != MODEL_OK) {
        model_plan_deinit(&c.plan);
        return status;
    }
    model_plan_finish(&c.plan);
    *out = c.plan;
    return MODEL_OK;
}
