#include "onnx_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_BYTES_MAX = 256
};

static void append(struct onnx_bytes *to, const void *data, size_t bytes)
{
    if (to->bytes + bytes > to->_capacity) {
        to->_capacity = 2 * (to->bytes + bytes) + 64;
        to->data = realloc(to->data, to->_capacity);
        if (to->data == NULL)
            abort();
    }
    if (bytes > 0)
        memcpy(to->data + to->bytes, data, bytes);
    to->bytes += bytes;
}

void onnx_put_varint(struct onnx_bytes *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        append(to, &(unsigned char){(unsigned char)(value | 0x80)}, 1);
    append(to, &(unsigned char){(unsigned char)value}, 1);
}

void onnx_put_number(struct onnx_bytes *to, unsigned field, uint64_t value)
{
    onnx_put_varint(to, (uint64_t)field << 3);
    onnx_put_varint(to, value);
}

void onnx_put_bytes(struct onnx_bytes *to, unsigned field, const void *data, size_t bytes)
{
    onnx_put_varint(to, (uint64_t)field << 3 | 2);
    onnx_put_varint(to, bytes);
    append(to, data, bytes);
}

void onnx_put_text(struct onnx_bytes *to, unsigned field, const char *text)
{
    onnx_put_bytes(to, field, text, strlen(text));
}

void onnx_put_message(struct onnx_bytes *to, unsigned field, struct onnx_bytes *inner)
{
    onnx_put_bytes(to, field, inner->data, inner->bytes);
    free(inner->data);
    *inner = (struct onnx_bytes){0};
}

static void put_float(struct onnx_bytes *to, unsigned field, float value)
{
    onnx_put_varint(to, (uint64_t)field << 3 | 5);
    append(to, &value, sizeof value);
}

/* Copies the next word to `word` and returns what follows it; NULL: there is none. */
static const char *next_word(const char *text, char word[WORD_BYTES_MAX])
{
    text += strspn(text, " ");
    size_t bytes = strcspn(text, " ");
    if (bytes == 0)
        return NULL;
    if (bytes >= WORD_BYTES_MAX)
        abort();
    memcpy(word, text, bytes);
    word[bytes] = '\0';
    return text + bytes;
}

void onnx_writer_free(struct onnx_writer *w)
{
    free(w->graph.data);
    free(w->file.data);
    *w = (struct onnx_writer){0};
}

void onnx_write_port(struct onnx_writer *w, enum onnx_port_kind kind, const char *name,
                     const char *dims)
{
    struct onnx_bytes port = {0}, type = {0}, tensor = {0}, shape = {0};
    char word[WORD_BYTES_MAX];
    for (const char *at = dims; (at = next_word(at, word)) != NULL;) {
        struct onnx_bytes dim = {0};
        char *end;
        long long value = strtoll(word, &end, 10);
        if (*end == '\0')
            onnx_put_number(&dim, 1, (uint64_t)value);
        else
            onnx_put_text(&dim, 2, word);
        onnx_put_message(&shape, 1, &dim);
    }
    onnx_put_number(&tensor, 1, 1);
    onnx_put_message(&tensor, 2, &shape);
    onnx_put_message(&type, 1, &tensor);
    onnx_put_text(&port, 1, name);
    onnx_put_message(&port, 2, &type);
    onnx_put_message(&w->graph, kind, &port);
}

/* "name:type=value" */
static void put_attribute(struct onnx_bytes *node, char *word)
{
    struct onnx_bytes attribute = {0};
    char *colon = strchr(word, ':'), *equals = strchr(word, '=');
    if (colon == NULL || equals != colon + 2)
        abort();
    *colon = '\0';
    onnx_put_text(&attribute, 1, word);
    if (colon[1] == 'f')
        put_float(&attribute, 2, strtof(equals + 1, NULL));
    else
        onnx_put_number(&attribute, 3, (uint64_t)strtoll(equals + 1, NULL, 10));
    onnx_put_number(&attribute, 20, colon[1] == 'f' ? 1 : 2);
    onnx_put_message(node, 5, &attribute);
}

static void put_names(struct onnx_bytes *node, unsigned field, const char *names)
{
    char word[WORD_BYTES_MAX];
    for (const char *at = names; (at = next_word(at, word)) != NULL;)
        onnx_put_text(node, field, strcmp(word, "-") == 0 ? "" : word);
}

void onnx_write_node(struct onnx_writer *w, const char *op, const char *inputs, const char *outputs,
                     const char *attributes)
{
    struct onnx_bytes node = {0};
    char word[WORD_BYTES_MAX];
    const char *slash = strchr(op, '/');
    put_names(&node, 1, inputs);
    put_names(&node, 2, outputs);
    onnx_put_text(&node, 3, outputs);
    onnx_put_text(&node, 4, slash != NULL ? slash + 1 : op);
    for (const char *at = attributes; (at = next_word(at, word)) != NULL;)
        put_attribute(&node, word);
    if (slash != NULL)
        onnx_put_bytes(&node, 7, op, (size_t)(slash - op));
    onnx_put_message(&w->graph, 1, &node);
}

/* Appends the dimensions and returns their product. */
static size_t put_dims(struct onnx_bytes *tensor, const char *dims)
{
    char word[WORD_BYTES_MAX];
    size_t elements = 1;
    for (const char *at = dims; (at = next_word(at, word)) != NULL;) {
        long long dim = strtoll(word, NULL, 10);
        onnx_put_number(tensor, 1, (uint64_t)dim);
        elements *= (size_t)dim;
    }
    return elements;
}

static struct onnx_bytes make_tensor(const struct onnx_tensor_text *text)
{
    struct onnx_bytes tensor = {0}, entry = {0};
    put_dims(&tensor, text->dims);
    onnx_put_number(&tensor, 2, (uint64_t)text->type);
    if (text->floats_count > 0)
        onnx_put_bytes(&tensor, 4, text->floats, text->floats_count * sizeof *text->floats);
    onnx_put_text(&tensor, 8, text->name);
    if (text->raw != NULL)
        onnx_put_bytes(&tensor, 9, text->raw, text->raw_bytes);
    if (text->location != NULL) {
        onnx_put_text(&entry, 1, "location");
        onnx_put_text(&entry, 2, text->location);
        onnx_put_message(&tensor, 13, &entry);
        onnx_put_number(&tensor, 14, 1);
    }
    return tensor;
}

void onnx_write_tensor(struct onnx_writer *w, const struct onnx_tensor_text *text)
{
    struct onnx_bytes tensor = make_tensor(text);
    onnx_put_message(&w->graph, 5, &tensor);
}

static size_t count_elements(const char *dims)
{
    struct onnx_bytes ignored = {0};
    size_t elements = put_dims(&ignored, dims);
    free(ignored.data);
    return elements;
}

void onnx_write_floats(struct onnx_writer *w, const char *name, const char *dims,
                       const float *numbers)
{
    onnx_write_tensor(
        w, &(struct onnx_tensor_text){.name = name,
                                      .dims = dims,
                                      .type = 1,
                                      .raw = numbers,
                                      .raw_bytes = count_elements(dims) * sizeof *numbers});
}

void onnx_write_ints(struct onnx_writer *w, const char *name, const char *dims,
                     const int64_t *numbers)
{
    onnx_write_tensor(
        w, &(struct onnx_tensor_text){.name = name,
                                      .dims = dims,
                                      .type = 7,
                                      .raw = numbers,
                                      .raw_bytes = count_elements(dims) * sizeof *numbers});
}

void onnx_write_constant(struct onnx_writer *w, const char *name, const char *dims,
                         const float *numbers)
{
    struct onnx_bytes node = {0}, attribute = {0};
    struct onnx_bytes tensor =
        make_tensor(&(struct onnx_tensor_text){.name = "",
                                               .dims = dims,
                                               .type = 1,
                                               .floats = numbers,
                                               .floats_count = count_elements(dims)});
    onnx_put_text(&attribute, 1, "value");
    onnx_put_message(&attribute, 5, &tensor);
    onnx_put_number(&attribute, 20, 4);
    onnx_put_text(&node, 2, name);
    onnx_put_text(&node, 4, "Constant");
    onnx_put_message(&node, 5, &attribute);
    onnx_put_message(&w->graph, 1, &node);
}

void onnx_write_file(struct onnx_writer *w)
{
    struct onnx_bytes opset = {0};
    onnx_put_text(&opset, 1, "");
    onnx_put_number(&opset, 2, (uint64_t)(w->opset != 0 ? w->opset : 13));
    w->file.bytes = 0;
    onnx_put_number(&w->file, 1, (uint64_t)(w->ir_version != 0 ? w->ir_version : 8));
    onnx_put_bytes(&w->file, 7, w->graph.data, w->graph.bytes);
    onnx_put_message(&w->file, 8, &opset);
}
