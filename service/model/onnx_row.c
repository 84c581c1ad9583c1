#include "onnx_row.h"

#include <assert.h>

/* Dimension `from_last` of a shape, counted from the last; 1 beyond the first. */
static size_t dim_from_last(const struct onnx_shape *shape, size_t from_last)
{
    return from_last < shape->rank ? shape->dims[shape->rank - 1 - from_last] : 1;
}

bool onnx_row_broadcasts(const struct onnx_shape *row, const struct onnx_tensor *constant)
{
    if (constant->type != ONNX_FLOAT)
        return false;
    /* Dimensions before the row's own would tell batch entries apart. */
    for (size_t i = 0; i < constant->shape.rank; i++) {
        size_t dim = dim_from_last(&constant->shape, i);
        if (dim != 1 && (i >= row->rank || dim != dim_from_last(row, i)))
            return false;
    }
    return constant->shape.rank <= row->rank + 1;
}

float onnx_row_broadcast_at(const struct onnx_shape *row, const struct onnx_tensor *constant,
                            size_t index)
{
    size_t offset = 0, stride = 1;
    for (size_t i = 0; i < row->rank; i++) {
        size_t position = index % dim_from_last(row, i);
        size_t dim = dim_from_last(&constant->shape, i);
        index /= dim_from_last(row, i);
        offset += dim > 1 ? position * stride : 0;
        stride *= dim;
    }
    return onnx_tensor_float(constant, offset);
}

/* A Reshape's target: 0 (only for the batch), -1 (inferred, at most one), or a size. */
struct target {
    size_t rank;
    int64_t dims[ONNX_RANK_MAX];
    size_t inferred; /* which one is -1; rank: none */
};

/* Replaces zeros by what stands there now, unless they mean zero. */
static bool read_target(const struct onnx_shape *row, const struct onnx_tensor *tensor,
                        bool zero_is_zero, struct target *out)
{
    struct target target = {.rank = tensor->shape.elements};
    if (tensor->type != ONNX_INT64 || tensor->shape.rank != 1 || target.rank < 2 ||
        target.rank > ONNX_RANK_MAX)
        return false;
    target.inferred = target.rank;
    for (size_t i = 0; i < target.rank; i++) {
        int64_t dim = onnx_tensor_int(tensor, i);
        bool copies = dim == 0 && i > 0 && i <= row->rank;
        target.dims[i] = copies ? (int64_t)row->dims[i - 1] : dim;
        if (dim < -1 || (dim == 0 && zero_is_zero) || (dim == -1 && target.inferred < target.rank))
            return false;
        if (dim == -1)
            target.inferred = i;
    }
    *out = target;
    return true;
}

/* The row that the target describes, with 1 for an inferred dimension. */
static bool row_of_target(const struct target *target, size_t elements_max, struct onnx_shape *out)
{
    *out = (struct onnx_shape){.rank = target->rank - 1, .elements = 1};
    for (size_t i = 1; i < target->rank; i++) {
        size_t dim = i == target->inferred ? 1 : (size_t)target->dims[i];
        if (dim == 0 || dim > elements_max / out->elements)
            return false;
        out->dims[i - 1] = dim;
        out->elements *= dim;
    }
    return true;
}

bool onnx_row_reshape(const struct onnx_shape *row, const struct onnx_tensor *tensor,
                      bool zero_is_zero, bool batch_is_one, struct onnx_shape *out)
{
    struct target target;
    struct onnx_shape shape;
    if (!read_target(row, tensor, zero_is_zero, &target) ||
        !row_of_target(&target, row->elements, &shape))
        return false;
    bool keeps_batch =
        target.dims[0] == 0 || target.dims[0] == -1 || (target.dims[0] == 1 && batch_is_one);
    if (keeps_batch && target.inferred > 0 && target.inferred < target.rank) {
        shape.dims[target.inferred - 1] = row->elements / shape.elements;
        shape.elements *= row->elements / shape.elements;
    }
    /* An inferred batch is the batch only if each row keeps its numbers. */
    if (!keeps_batch || shape.elements != row->elements)
        return false;
    *out = shape;
    return true;
}
