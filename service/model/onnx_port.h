/*
 * onnx_port.h - what an ONNX graph declares of its input or its output.
 *
 * jitney serves graphs with one float32 input and one float32 output, whose
 * first dimension is the batch: free (a name, -1, or nothing) or 1.
 *
 *   Threads    pure functions.
 */
#ifndef ONNX_PORT_H
#define ONNX_PORT_H

#include "model.h"
#include "onnx_tensor.h"

struct Onnx__ValueInfoProto;

struct onnx_port {
    const char *name;
    bool has_shape;        /* every dimension but the batch is known */
    bool batch_is_one;     /* declared as 1, not free */
    struct onnx_shape row; /* without the batch; only with has_shape */
};

/* `kind` is "input" or "output", for the error. */
enum model_status onnx_port_read(const struct Onnx__ValueInfoProto *info, const char *kind,
                                 const struct model_limits *limits, struct onnx_port *out,
                                 struct model_error *error) __attribute__((warn_unused_result));

#endif
