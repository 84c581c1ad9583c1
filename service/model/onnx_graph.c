#include "onnx_graph.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_error.h"
#include "onnx_subset.pb-c.h"
#include "protobuf_scan.h"

/* ONNX 1.2 (2018) to 1.18 (2025). Older editions give Add and others another
 * meaning; newer ones may. */
enum {
    OPSET_MIN = 7,
    OPSET_MAX = 23,
    IR_VERSION_MIN = 3,
    IR_VERSION_MAX = 12
};

/* Fields per node that a file may have: far above what exporters write, far
 * below what would make unpacking costly. */
enum {
    FIELDS_PER_NODE = 256,
    STRING_BYTES_MAX = 4096
};

/* malloc() and free() as protobuf-c's own, but called from this program, where a test can
 * make them fail. */
static void *allocate_message(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}

static void free_message(void *ctx, void *message)
{
    (void)ctx;
    free(message);
}

static ProtobufCAllocator message_allocator(void)
{
    return (ProtobufCAllocator){.alloc = allocate_message, .free = free_message};
}

static enum model_status unpack(const void *onnx, size_t bytes, const struct model_limits *limits,
                                Onnx__ModelProto **out, struct model_error *error)
{
    struct protobuf_scan_limits scan_limits = {.nesting_max = limits->nesting_max,
                                               .string_bytes_max = STRING_BYTES_MAX,
                                               .fields_max = limits->nodes_max * FIELDS_PER_NODE};
    enum model_status status =
        protobuf_scan(&onnx__model_proto__descriptor, onnx, bytes, &scan_limits, error);
    if (status != MODEL_OK)
        return status;
    ProtobufCAllocator allocator = message_allocator();
    *out = onnx__model_proto__unpack(&allocator, bytes, onnx);
    if (*out == NULL) /* After the scan, hardly anything but memory is left. */
        return model_fail(error, MODEL_NOMEM,
                          "the ONNX file cannot be unpacked: most likely out of memory");
    return MODEL_OK;
}

static enum model_status read_opset(struct onnx_graph *graph, struct model_error *error)
{
    size_t found = 0;
    for (size_t i = 0; i < graph->_file->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *opset = graph->_file->opset_import[i];
        const char *domain = opset->domain == NULL ? "" : opset->domain;
        if (domain[0] != '\0' && strcmp(domain, "ai.onnx") != 0)
            continue; /* Harmless as long as no node uses it, which is checked. */
        graph->opset = opset->version;
        found++;
    }
    if (found != 1)
        return model_fail(error, MODEL_MALFORMED,
                          "the file must import one edition (opset) of ai.onnx; it imports %zu",
                          found);
    if (graph->opset < OPSET_MIN || graph->opset > OPSET_MAX)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "the file uses opset %lld; jitney reads opsets %d to %d",
                          (long long)graph->opset, OPSET_MIN, OPSET_MAX);
    return MODEL_OK;
}

static enum model_status check_header(struct onnx_graph *graph, const struct model_limits *limits,
                                      struct model_error *error)
{
    const Onnx__ModelProto *file = graph->_file;
    if (!file->has_ir_version || file->graph == NULL)
        return model_fail(error, MODEL_MALFORMED, "this is no ONNX model: it has no %s",
                          file->has_ir_version ? "graph" : "IR version");
    if (file->ir_version < IR_VERSION_MIN || file->ir_version > IR_VERSION_MAX)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "the file has IR version %lld; jitney reads %d to %d",
                          (long long)file->ir_version, IR_VERSION_MIN, IR_VERSION_MAX);
    if (file->graph->n_node > limits->nodes_max)
        return model_fail(error, MODEL_TOO_LARGE, "the graph has %zu nodes; the limit is %zu",
                          file->graph->n_node, limits->nodes_max);
    if (file->graph->n_sparse_initializer > 0)
        return model_fail(error, MODEL_UNSUPPORTED, "the graph has sparse tensors");
    return read_opset(graph, error);
}

/* calloc(0) may be NULL, which is not out of memory. */
static void *allocate(size_t count, size_t bytes)
{
    return calloc(count > 0 ? count : 1, bytes);
}

static enum model_status allocate_arrays(struct onnx_graph *graph, struct model_error *error)
{
    const Onnx__GraphProto *proto = graph->_file->graph;
    size_t values = proto->n_initializer + 1; /* and the input */
    for (size_t i = 0; i < proto->n_node; i++)
        values += proto->node[i]->n_output;
    graph->nodes = allocate(proto->n_node, sizeof *graph->nodes);
    graph->order = allocate(proto->n_node, sizeof *graph->order);
    /* Each node may be a Constant. */
    graph->tensors = allocate(proto->n_initializer + proto->n_node, sizeof *graph->tensors);
    graph->_values = allocate(values, sizeof *graph->_values);
    if (graph->nodes == NULL || graph->order == NULL || graph->tensors == NULL ||
        graph->_values == NULL)
        return model_fail_nomem(error);
    return MODEL_OK;
}

static void define(struct onnx_graph *graph, struct onnx_value value)
{
    graph->_values[graph->_values_count++] = value;
}

static enum model_status read_initializers(struct onnx_graph *graph,
                                           const struct model_limits *limits,
                                           struct model_error *error)
{
    const Onnx__GraphProto *proto = graph->_file->graph;
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const char *name = proto->initializer[i]->name;
        if (name == NULL || name[0] == '\0')
            return model_fail(error, MODEL_MALFORMED, "an initializer has no name");
        enum model_status status = onnx_tensor_from_proto(
            proto->initializer[i], name, limits, &graph->tensors[graph->tensors_count], error);
        if (status != MODEL_OK)
            return status;
        define(graph, (struct onnx_value){name, ONNX_FROM_TENSOR, graph->tensors_count++, 0});
    }
    return MODEL_OK;
}

static enum model_status read_constant(struct onnx_graph *graph, const struct onnx_node *node,
                                       const struct model_limits *limits, struct model_error *error)
{
    const char *name = node->proto->output[0];
    if (node->proto->n_attribute != 1)
        return model_fail(error, MODEL_MALFORMED, "the constant %s must have one value",
                          model_quote(name).text);
    enum model_status status = onnx_tensor_from_attribute(
        node->proto->attribute[0], name, limits, &graph->tensors[graph->tensors_count], error);
    if (status == MODEL_OK)
        define(graph, (struct onnx_value){name, ONNX_FROM_TENSOR, graph->tensors_count++, 0});
    return status;
}

static enum model_status read_nodes(struct onnx_graph *graph, const struct model_limits *limits,
                                    struct model_error *error)
{
    const Onnx__GraphProto *proto = graph->_file->graph;
    enum model_status status = onnx_operators_check(proto, error);
    for (size_t i = 0; i < proto->n_node && status == MODEL_OK; i++) {
        struct onnx_node *node = &graph->nodes[i];
        node->proto = proto->node[i];
        node->inputs_count = node->proto->n_input;
        graph->nodes_count = i + 1;
        status = onnx_node_check(node->proto, &node->op, error);
        if (status != MODEL_OK)
            break;
        if (node->op == ONNX_CONSTANT) {
            status = read_constant(graph, node, limits, error);
            continue;
        }
        for (size_t k = 0; k < node->proto->n_output; k++)
            if (node->proto->output[k][0] != '\0') /* An output that nobody wants has no name. */
                define(graph, (struct onnx_value){node->proto->output[k], ONNX_FROM_NODE, i, k});
    }
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct onnx_value *)a)->name, ((const struct onnx_value *)b)->name);
}

static struct onnx_value *find_value(const struct onnx_graph *graph, const char *name)
{
    struct onnx_value key = {.name = name};
    return bsearch(&key, graph->_values, graph->_values_count, sizeof key, compare_names);
}

static enum model_status index_names(struct onnx_graph *graph, struct model_error *error)
{
    qsort(graph->_values, graph->_values_count, sizeof *graph->_values, compare_names);
    for (size_t i = 1; i < graph->_values_count; i++)
        if (compare_names(&graph->_values[i - 1], &graph->_values[i]) == 0)
            return model_fail(error, MODEL_MALFORMED, "the name %s is defined twice",
                              model_quote(graph->_values[i].name).text);
    return MODEL_OK;
}

/* An input that an initializer of the same name gives a value to is a constant. */
static enum model_status read_ports(struct onnx_graph *graph, const struct model_limits *limits,
                                    struct model_error *error)
{
    const Onnx__GraphProto *proto = graph->_file->graph;
    const Onnx__ValueInfoProto *input = NULL;
    size_t inputs = 0;
    for (size_t i = 0; i < proto->n_input; i++) {
        const char *name = proto->input[i]->name;
        const struct onnx_value *value = name == NULL ? NULL : find_value(graph, name);
        if (value != NULL && value->source == ONNX_FROM_TENSOR)
            continue;
        input = proto->input[i];
        inputs++;
    }
    if (inputs != 1 || proto->n_output != 1)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "the graph has %zu inputs and %zu outputs; jitney serves one of each",
                          inputs, proto->n_output);
    enum model_status status = onnx_port_read(input, "input", limits, &graph->input, error);
    if (status == MODEL_OK)
        status = onnx_port_read(proto->output[0], "output", limits, &graph->output, error);
    if (status != MODEL_OK)
        return status;
    define(graph, (struct onnx_value){graph->input.name, ONNX_FROM_INPUT, 0, 0});
    if (graph->input.has_shape)
        return MODEL_OK;
    return model_fail(error, MODEL_UNSUPPORTED,
                      "the input %s must have a fixed size in every dimension but the batch",
                      model_quote(graph->input.name).text);
}

static enum model_status connect_node(const struct onnx_graph *graph, struct onnx_node *node,
                                      struct model_error *error)
{
    for (size_t k = 0; k < node->inputs_count; k++) {
        const char *name = node->proto->input[k];
        node->inputs[k] = name[0] == '\0' ? NULL : find_value(graph, name);
        if (node->inputs[k] == NULL && name[0] != '\0')
            return model_fail(error, MODEL_MALFORMED,
                              "the %s node %s reads %s, which nothing defines",
                              onnx_operator_str(node->op), model_quote(node->proto->name).text,
                              model_quote(name).text);
    }
    return MODEL_OK;
}

static enum model_status connect(struct onnx_graph *graph, struct model_error *error)
{
    enum model_status status = MODEL_OK;
    for (size_t i = 0; i < graph->nodes_count && status == MODEL_OK; i++)
        status = connect_node(graph, &graph->nodes[i], error);
    if (status != MODEL_OK)
        return status;
    graph->result = find_value(graph, graph->output.name);
    if (graph->result == NULL)
        return model_fail(error, MODEL_MALFORMED, "nothing computes the output %s",
                          model_quote(graph->output.name).text);
    return MODEL_OK;
}

static bool node_is_ready(const struct onnx_node *node, const bool *ordered)
{
    for (size_t k = 0; k < node->inputs_count; k++)
        if (node->inputs[k] != NULL && node->inputs[k]->source == ONNX_FROM_NODE &&
            !ordered[node->inputs[k]->index])
            return false;
    return true;
}

/* ONNX asks for sorted nodes, and for those one pass is enough; others take more
 * passes. A pass that finds no node leaves those that wait for each other. */
static enum model_status order_nodes(struct onnx_graph *graph, struct model_error *error)
{
    bool *ordered = allocate(graph->nodes_count, sizeof *ordered);
    if (ordered == NULL)
        return model_fail_nomem(error);
    size_t count = 0, waiting = 0;
    for (size_t before = SIZE_MAX; count != before && count < graph->nodes_count;) {
        before = count;
        for (size_t i = 0; i < graph->nodes_count; i++) {
            if (ordered[i])
                continue;
            waiting = i;
            ordered[i] = node_is_ready(&graph->nodes[i], ordered);
            if (ordered[i])
                graph->order[count++] = i;
        }
    }
    free(ordered);
    if (count == graph->nodes_count)
        return MODEL_OK;
    const struct onnx_node *node = &graph->nodes[waiting];
    return model_fail(error, MODEL_MALFORMED, "the nodes form a cycle, with the %s node %s in it",
                      onnx_operator_str(node->op), model_quote(node->proto->name).text);
}

/* The first output of an Identity (or Cast) over a constant is that constant. */
static void carry_constants(struct onnx_graph *graph)
{
    for (size_t i = 0; i < graph->nodes_count; i++) {
        const struct onnx_node *node = &graph->nodes[graph->order[i]];
        if ((node->op != ONNX_IDENTITY && node->op != ONNX_CAST) || node->inputs[0] == NULL ||
            node->inputs[0]->source != ONNX_FROM_TENSOR)
            continue;
        const struct onnx_tensor *tensor = &graph->tensors[node->inputs[0]->index];
        int64_t to = onnx_attribute_int(node->proto, "to", tensor->type);
        struct onnx_value *output = find_value(graph, node->proto->output[0]);
        if (to != (int64_t)tensor->type)
            continue; /* It stays a node, and whoever needs it as a constant refuses it. */
        output->source = ONNX_FROM_TENSOR;
        output->index = node->inputs[0]->index;
    }
}

static enum model_status build(struct onnx_graph *graph, const struct model_limits *limits,
                               struct model_error *error)
{
    enum model_status status = check_header(graph, limits, error);
    if (status == MODEL_OK)
        status = allocate_arrays(graph, error);
    if (status == MODEL_OK)
        status = read_initializers(graph, limits, error);
    if (status == MODEL_OK)
        status = read_nodes(graph, limits, error);
    if (status == MODEL_OK)
        status = index_names(graph, error);
    if (status == MODEL_OK)
        status = read_ports(graph, limits, error);
    if (status == MODEL_OK)
        status = index_names(graph, error);
    if (status == MODEL_OK)
        status = connect(graph, error);
    if (status == MODEL_OK)
        status = order_nodes(graph, error);
    if (status == MODEL_OK)
        carry_constants(graph);
    return status;
}

enum model_status onnx_graph_init(struct onnx_graph *out, const void *onnx, size_t onnx_bytes,
                                  const struct model_limits *limits, struct model_error *error)
{
    struct onnx_graph graph = {0};
    enum model_status status = unpack(onnx, onnx_bytes, limits, &graph._file, error);
    if (status == MODEL_OK)
        status = build(&graph, limits, error);
    if (status == MODEL_OK)
        *out = graph;
    else
        onnx_graph_deinit(&graph);
    return status;
}

void onnx_graph_deinit(struct onnx_graph *graph)
{
    free(graph->nodes);
    free(graph->order);
    free(graph->tensors);
    free(graph->_values);
    ProtobufCAllocator allocator = message_allocator();
    if (graph->_file != NULL)
        onnx__model_proto__free_unpacked(graph->_file, &allocator);
    *graph = (struct onnx_graph){0};
}
