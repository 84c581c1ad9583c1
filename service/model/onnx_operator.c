#include "onnx_operator.h"

#include <stdio.h>
#include <string.h>

#include "model_error.h"
#include "onnx_subset.pb-c.h"

struct operator
{
    const char *name;
    size_t inputs_min;
    size_t inputs_max;
    const char *attributes;
};

static const struct operator operators[ONNX_OPERATOR_COUNT] = {
#define X(op, text, least, most, known) \
    [ONNX_##op] = {.name = text, .inputs_min = least, .inputs_max = most, .attributes = known},
    ONNX_OPERATOR_MAP(X)
#undef X
};

const char *onnx_operator_str(enum onnx_operator op)
{
    return operators[op].name;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* The empty domain is ai.onnx by another name. */
static const char *domain_of(const Onnx__NodeProto *node)
{
    const char *domain = or_empty(node->domain);
    return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

/* ONNX_OPERATOR_COUNT: jitney does not run it. */
static enum onnx_operator operator_of(const Onnx__NodeProto *node)
{
    enum onnx_operator op = 0;
    if (domain_of(node)[0] != '\0')
        return ONNX_OPERATOR_COUNT;
    while (op < ONNX_OPERATOR_COUNT && strcmp(operators[op].name, or_empty(node->op_type)) != 0)
        op++;
    return op;
}

static bool same_operator(const Onnx__NodeProto *a, const Onnx__NodeProto *b)
{
    return strcmp(or_empty(a->op_type), or_empty(b->op_type)) == 0 &&
           strcmp(domain_of(a), domain_of(b)) == 0;
}

/* How often the operator of node `index` occurs; 0 when an earlier node had it already. */
static size_t count_first(const Onnx__GraphProto *graph, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->n_node; i++) {
        if (!same_operator(graph->node[i], graph->node[index]))
            continue;
        if (i < index)
            return 0;
        count++;
    }
    return count;
}

/* "Conv (2), com.example::Thing (1)" in a fixed room; what does not fit is counted. */
struct list {
    char text[800];
    size_t used;
    size_t left_off;
};

static void list_add(struct list *list, const Onnx__NodeProto *node, size_t count)
{
    const char *domain = domain_of(node);
    char item[2 * sizeof(struct model_quoted) + 32];
    snprintf(item, sizeof item, "%s%s%s%s (%zu)", list->used > 0 ? ", " : "",
             domain[0] != '\0' ? model_quote(domain).text : "", domain[0] != '\0' ? "::" : "",
             model_quote(node->op_type).text, count);
    size_t bytes = strlen(item);
    if (list->left_off > 0 || list->used + bytes >= sizeof list->text) {
        list->left_off++;
        return;
    }
    memcpy(list->text + list->used, item, bytes + 1);
    list->used += bytes;
}

enum model_status onnx_operators_check(const Onnx__GraphProto *graph, struct model_error *error)
{
    struct list list = {0};
    for (size_t i = 0; i < graph->n_node; i++) {
        if (operator_of(graph->node[i]) != ONNX_OPERATOR_COUNT)
            continue;
        size_t count = count_first(graph, i);
        if (count > 0)
            list_add(&list, graph->node[i], count);
    }
    if (list.used == 0)
        return MODEL_OK;
    if (list.left_off > 0)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "jitney does not run these operators: %s and %zu more", list.text,
                          list.left_off);
    return model_fail(error, MODEL_UNSUPPORTED, "jitney does not run these operators: %s",
                      list.text);
}

/* The type letter of an attribute in a list like "axis:i to:i"; '\0': it is not there. */
static char attribute_type(const char *list, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *at = list; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " "))
        if (bytes > 0 && strncmp(at, name, bytes) == 0 && at[bytes] == ':')
            return at[bytes + 1];
    return '\0';
}

/* ONNX's number for a type letter. */
static int32_t type_number(char letter)
{
    switch (letter) {
    case 'f':
        return 1;
    case 'i':
        return 2;
    case 't':
        return 4;
    case 'F':
        return 6;
    default: /* 'I' */
        return 7;
    }
}

static enum model_status check_attribute(enum onnx_operator op, const Onnx__NodeProto *node,
                                         const Onnx__AttributeProto *attribute,
                                         struct model_error *error)
{
    char letter = attribute_type(operators[op].attributes, or_empty(attribute->name));
    if (letter == '\0')
        return model_fail(error, MODEL_UNSUPPORTED,
                          "the %s node %s has the attribute %s, which jitney does not know",
                          operators[op].name, model_quote(node->name).text,
                          model_quote(attribute->name).text);
    if (attribute->has_type && attribute->type != type_number(letter))
        return model_fail(
            error, MODEL_MALFORMED, "the attribute %s of the %s node %s has the wrong type",
            model_quote(attribute->name).text, operators[op].name, model_quote(node->name).text);
    if (onnx_attribute(node, attribute->name) != attribute)
        return model_fail(error, MODEL_MALFORMED, "the %s node %s has the attribute %s twice",
                          operators[op].name, model_quote(node->name).text,
                          model_quote(attribute->name).text);
    return MODEL_OK;
}

enum model_status onnx_node_check(const Onnx__NodeProto *node, enum onnx_operator *out,
                                  struct model_error *error)
{
    enum onnx_operator op = operator_of(node);
    if (node->n_input < operators[op].inputs_min || node->n_input > operators[op].inputs_max)
        return model_fail(error, MODEL_UNSUPPORTED,
                          "the %s node %s has %zu inputs; jitney runs it with %zu to %zu",
                          operators[op].name, model_quote(node->name).text, node->n_input,
                          operators[op].inputs_min, operators[op].inputs_max);
    if (node->n_output < 1 || node->n_output > ONNX_OUTPUTS_MAX || node->output[0][0] == '\0')
        return model_fail(error, MODEL_MALFORMED, "the %s node %s has no output, or too many",
                          operators[op].name, model_quote(node->name).text);
    if (node->n_attribute > ONNX_ATTRIBUTES_MAX)
        return model_fail(error, MODEL_MALFORMED, "the %s node %s has %zu attributes",
                          operators[op].name, model_quote(node->name).text, node->n_attribute);
    for (size_t i = 0; i < node->n_attribute; i++) {
        enum model_status status = check_attribute(op, node, node->attribute[i], error);
        if (status != MODEL_OK)
            return status;
    }
    *out = op;
    return MODEL_OK;
}

const Onnx__AttributeProto *onnx_attribute(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (strcmp(or_empty(node->attribute[i]->name), name) == 0)
            return node->attribute[i];
    return NULL;
}

int64_t onnx_attribute_int(const Onnx__NodeProto *node, const char *name, int64_t fallback)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    return attribute == NULL ? fallback : attribute->i;
}

float onnx_attribute_float(const Onnx__NodeProto *node, const char *name, float fallback)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    return attribute == NULL ? fallback : attribute->f;
}
