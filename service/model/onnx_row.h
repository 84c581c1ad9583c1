/*
 * onnx_row.h - what ONNX's operators do to the shape of one row.
 *
 * jitney runs batches whose size the file does not know, so it follows the shape
 * of one row: the value's dimensions without the first, which is the batch.
 *
 *   Threads    pure functions.
 */
#ifndef ONNX_ROW_H
#define ONNX_ROW_H

#include "onnx_graph.h"

/* Whether a constant broadcasts over each row in the same way, leaving the row's
 * shape as it is. */
bool onnx_row_broadcasts(const struct onnx_shape *row, const struct onnx_tensor *constant);

/* The number of such a constant that meets number `index` of a row. */
float onnx_row_broadcast_at(const struct onnx_shape *row, const struct onnx_tensor *constant,
                            size_t index);

/* The row after a Reshape to the numbers of `tensor`; false unless it keeps rows apart.
 * `batch_is_one`: the file calls the batch 1, and may say so in the target. */
bool onnx_row_reshape(const struct onnx_shape *row, const struct onnx_tensor *tensor,
                      bool zero_is_zero, bool batch_is_one, struct onnx_shape *out);

#endif
