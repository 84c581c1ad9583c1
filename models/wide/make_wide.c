/*
 * make_wide.c - writes the wide model: large enough that batching shows.
 *
 *   make_wide model.onnx
 *
 * 1024 inputs, three layers of 1024 with ReLU, and a linear head of 16. The weights are random
 * numbers of a fixed seed, uniform with He's variance (2 / inputs), so that the size of the
 * numbers stays the same from layer to layer. The file is the same on every machine: no libm,
 * no Python, and only correctly rounded arithmetic. It is too large to keep in the repository,
 * so the build makes it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUTS = 1024,
    WIDTH = 1024,
    OUTPUTS = 16,
    LAYERS = 4
};

static const uint64_t seed = UINT64_C(0x6a69746e65790001);

/* A protobuf message that is being written. */
struct message {
    unsigned char *data;
    size_t bytes;
    size_t capacity;
};

static void append(struct message *m, const void *data, size_t bytes)
{
    if (m->bytes + bytes > m->capacity) {
        m->capacity = 2 * (m->bytes + bytes);
        m->data = realloc(m->data, m->capacity);
        if (m->data == NULL) {
            fputs("make_wide: out of memory\n", stderr);
            exit(1);
        }
    }
    memcpy(m->data + m->bytes, data, bytes);
    m->bytes += bytes;
}

static void put_varint(struct message *m, uint64_t value)
{
    unsigned char bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[count++] = (unsigned char)(value | 0x80);
    bytes[count++] = (unsigned char)value;
    append(m, bytes, count);
}

static void put_number(struct message *m, unsigned field, uint64_t value)
{
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, value);
}

static void put_bytes(struct message *m, unsigned field, const void *data, size_t bytes)
{
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, bytes);
    append(m, data, bytes);
}

static void put_text(struct message *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

/* Appends the inner message as a field, and empties it. */
static void put_message(struct message *m, unsigned field, struct message *inner)
{
    put_bytes(m, field, inner->data, inner->bytes);
    free(inner->data);
    *inner = (struct message){0};
}

/* splitmix64 of a counter: number n of the stream, without the ones before it. */
static uint64_t random_bits(uint64_t n)
{
    uint64_t x = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* In [-bound, bound). */
static float random_weight(uint64_t n, float bound)
{
    return ((float)(random_bits(n) >> 40) * 0x1p-23F - 1.0F) * bound;
}

/* A TensorProto of random float32 numbers; `columns` 0 makes a vector. */
static void put_tensor(struct message *graph, const char *name, size_t rows, size_t columns,
                       float bound, uint64_t *next)
{
    struct message tensor = {0}, numbers = {0};
    size_t count = columns == 0 ? rows : rows * columns;
    for (size_t i = 0; i < count; i++) {
        float weight = random_weight((*next)++, bound);
        uint32_t bits;
        memcpy(&bits, &weight, sizeof bits);
        unsigned char little[] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                  (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        append(&numbers, little, sizeof little);
    }
    put_number(&tensor, 1, rows);
    if (columns != 0)
        put_number(&tensor, 1, columns);
    put_number(&tensor, 2, 1); /* float32 */
    put_text(&tensor, 8, name);
    put_message(&tensor, 9, &numbers);
    put_message(graph, 5, &tensor);
}

static void put_node(struct message *graph, const char *operator, const char * const inputs[],
                     size_t inputs_count, const char *output)
{
    struct message node = {0};
    for (size_t i = 0; i < inputs_count; i++)
        put_text(&node, 1, inputs[i]);
    put_text(&node, 2, output);
    put_text(&node, 3, output);
    put_text(&node, 4, operator);
    put_message(graph, 1, &node);
}

/* x * weights + bias, with ReLU behind every layer but the last. */
static void put_layer(struct message *graph, size_t layer, uint64_t *next)
{
    /* sqrt(6 / 1024), the bound of a uniform distribution with He's variance. */
    const float weight_bound = 0.0765465545F, bias_bound = 0.03125F;
    size_t outputs = layer == LAYERS - 1 ? OUTPUTS : WIDTH;
    char input[16], weights[16], bias[16], sums[16], output[16];
    snprintf(input, sizeof input, layer == 0 ? "input" : "hidden%zu", layer);
    snprintf(weights, sizeof weights, "weights%zu", layer);
    snprintf(bias, sizeof bias, "bias%zu", layer);
    snprintf(sums, sizeof sums, layer == LAYERS - 1 ? "output" : "sums%zu", layer);
    snprintf(output, sizeof output, "hidden%zu", layer + 1);
    put_tensor(graph, weights, layer == 0 ? INPUTS : WIDTH, outputs, weight_bound, next);
    put_tensor(graph, bias, outputs, 0, bias_bound, next);
    put_node(graph, "Gemm", (const char *const[]){input, weights, bias}, 3, sums);
    if (layer < LAYERS - 1)
        put_node(graph, "Relu", (const char *const[]){sums}, 1, output);
}

/* A ValueInfoProto: a float32 tensor of [N, size]. */
static void put_port(struct message *graph, unsigned field, const char *name, size_t size)
{
    struct message port = {0}, type = {0}, tensor = {0}, shape = {0}, batch = {0}, row = {0};
    put_text(&batch, 2, "N");
    put_number(&row, 1, size);
    put_message(&shape, 1, &batch);
    put_message(&shape, 1, &row);
    put_number(&tensor, 1, 1); /* float32 */
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&port, 1, name);
    put_message(&port, 2, &type);
    put_message(graph, field, &port);
}

static struct message make_model(void)
{
    struct message model = {0}, graph = {0}, opset = {0};
    uint64_t next = 0;
    for (size_t layer = 0; layer < LAYERS; layer++)
        put_layer(&graph, layer, &next);
    put_text(&graph, 2, "wide");
    put_port(&graph, 11, "input", INPUTS);
    put_port(&graph, 12, "output", OUTPUTS);
    put_number(&opset, 2, 13);
    put_number(&model, 1, 8); /* IR version */
    put_text(&model, 2, "jitney");
    put_message(&model, 7, &graph);
    put_message(&model, 8, &opset);
    return model;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: make_wide model.onnx\n", stderr);
        return 2;
    }
    struct message model = make_model();
    FILE *file = fopen(argv[1], "wb");
    if (file == NULL) {
        perror(argv[1]);
        return 1;
    }
    size_t written = fwrite(model.data, 1, model.bytes, file);
    if (fclose(file) != 0 || written != model.bytes) {
        perror(argv[1]);
        remove(argv[1]);
        return 1;
    }
    free(model.data);
    return 0;
}
