/*
 * onnx_tensor.h - a checked view of the numbers in an ONNX file.
 *
 *   Threads    pure functions.
 *   Ownership  a view points into the unpacked file and lives as long as it.
 *   Promise    a view that was made has as many numbers as its shape says, all
 *              of them finite, in this file and nowhere else.
 */
#ifndef ONNX_TENSOR_H
#define ONNX_TENSOR_H

#include "model.h"

struct Onnx__TensorProto;
struct Onnx__AttributeProto;

enum {
    ONNX_RANK_MAX = 8
};

enum onnx_type {
    ONNX_FLOAT = 1,
    ONNX_INT64 = 7
}; /* ONNX's own numbers */

struct onnx_shape {
    size_t rank;
    size_t dims[ONNX_RANK_MAX]; /* each at least 1 */
    size_t elements;            /* their product; 1 for rank 0 */
};

/* Rank 0. */
struct onnx_shape onnx_shape_scalar(void);

/* Appends a dimension; `owner` (quoted) is whose shape it is. */
enum model_status onnx_shape_append(struct onnx_shape *shape, int64_t dim, const char *owner,
                                    const struct model_limits *limits, struct model_error *error)
    __attribute__((warn_unused_result));

struct onnx_tensor {
    const char *name;
    enum onnx_type type;
    struct onnx_shape shape;
    /* Where the numbers are: little-endian bytes, or else an array of the type. */
    const uint8_t *_raw;
    const float *_floats;
    const int64_t *_ints;
};

/* An initializer, or the tensor of a Constant (`name` is then the node's output). */
enum model_status onnx_tensor_from_proto(const struct Onnx__TensorProto *proto, const char *name,
                                         const struct model_limits *limits, struct onnx_tensor *out,
                                         struct model_error *error)
    __attribute__((warn_unused_result));

/* The value of a Constant's attribute: value, value_float(s) or value_int(s). */
enum model_status onnx_tensor_from_attribute(const struct Onnx__AttributeProto *attribute,
                                             const char *name, const struct model_limits *limits,
                                             struct onnx_tensor *out, struct model_error *error)
    __attribute__((warn_unused_result));

/* One number of a tensor of that type. */
float onnx_tensor_float(const struct onnx_tensor *tensor, size_t index);
int64_t onnx_tensor_int(const struct onnx_tensor *tensor, size_t index);

#endif
