/*
 * onnx_writer.h - writes small ONNX files for tests, right ones and wrong ones.
 *
 *   struct onnx_writer w = {0};
 *   onnx_write_port(&w, ONNX_INPUT, "x", "N 3");
 *   onnx_write_floats(&w, "w", "3 2", weights);
 *   onnx_write_node(&w, "MatMul", "x w", "y", "");
 *   onnx_write_port(&w, ONNX_OUTPUT, "y", "N 2");
 *   onnx_write_file(&w);              w.file holds the bytes
 *   onnx_writer_free(&w);
 *
 * Lists are words in one string. Out of memory ends the test program.
 */
#ifndef ONNX_WRITER_H
#define ONNX_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct onnx_bytes {
    unsigned char *data;
    size_t bytes;
    size_t _capacity;
};

struct onnx_writer {
    struct onnx_bytes graph;
    struct onnx_bytes file;
    int64_t opset;      /* 0: 13 */
    int64_t ir_version; /* 0: 8 */
};

enum onnx_port_kind {
    ONNX_INPUT = 11,
    ONNX_OUTPUT = 12
};

void onnx_writer_free(struct onnx_writer *w);

/* "N 3 4": a word that is no number is a free dimension. */
void onnx_write_port(struct onnx_writer *w, enum onnx_port_kind kind, const char *name,
                     const char *dims);

/* `inputs` and `outputs` are names, "-" a left-out one. `attributes` is like
 * "transB:i=1 alpha:f=0.5". "domain/Type" as the operator sets the domain. */
void onnx_write_node(struct onnx_writer *w, const char *op, const char *inputs, const char *outputs,
                     const char *attributes);

/* Initializers in raw_data, as many numbers as the dimensions say. */
void onnx_write_floats(struct onnx_writer *w, const char *name, const char *dims,
                       const float *numbers);
void onnx_write_ints(struct onnx_writer *w, const char *name, const char *dims,
                     const int64_t *numbers);

/* A Constant node whose value is a float tensor. */
void onnx_write_constant(struct onnx_writer *w, const char *name, const char *dims,
                         const float *numbers);

/* A tensor in every detail, for wrong ones. */
struct onnx_tensor_text {
    const char *name;
    const char *dims;
    int type; /* 1 float32, 7 int64, 11 double */
    const void *raw;
    size_t raw_bytes;
    const float *floats; /* float_data */
    size_t floats_count;
    const char *location; /* external data */
};
void onnx_write_tensor(struct onnx_writer *w, const struct onnx_tensor_text *tensor);

/* Puts the graph into w->file. */
void onnx_write_file(struct onnx_writer *w);

/* The wire format itself. */
void onnx_put_varint(struct onnx_bytes *to, uint64_t value);
void onnx_put_number(struct onnx_bytes *to, unsigned field, uint64_t value);
void onnx_put_bytes(struct onnx_bytes *to, unsigned field, const void *data, size_t bytes);
void onnx_put_text(struct onnx_bytes *to, unsigned field, const char *text);
/* Frees the inner one. */
void onnx_put_message(struct onnx_bytes *to, unsigned field, struct onnx_bytes *inner);

#endif
