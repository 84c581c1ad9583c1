/*
 * model_plan.h - a model as a short list of steps over rows of numbers.
 *
 *   Threads    one owner while it grows; after model_plan_finish() and, if
 *              they are called, model_plan_to_int8() and model_plan_choose() it
 *              is immutable and model_plan_run() may run on many threads at once.
 *   Ownership  the plan owns its weights.
 *   Buffers    a step reads from the input, from one of two halves of the
 *              scratch, or from the output, and writes in place or to the next
 *              of them; which one is settled once, in model_plan_finish().
 */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include "model.h"

/* What a step does to a row x, with its values v. */
enum plan_op {
    PLAN_KEEP,        /* x; there for its activation */
    PLAN_DENSE,       /* x * weights, plus v unless that is NULL */
    PLAN_ADD,         /* x + v */
    PLAN_SUBTRACT_BY, /* v - x */
    PLAN_MULTIPLY,    /* x * v */
    PLAN_DIVIDE,      /* x / v */
    PLAN_DIVIDE_BY    /* v / x */
};

enum plan_activation {
    PLAN_NONE,
    PLAN_RELU,
    PLAN_SIGMOID,
    PLAN_TANH,
    PLAN_SOFTMAX
};

enum plan_place {
    PLAN_IN_PLACE,
    PLAN_SCRATCH_A,
    PLAN_SCRATCH_B,
    PLAN_OUTPUT
};

struct plan_step {
    enum plan_op op;
    enum plan_activation activation; /* after the operation */
    size_t softmax_size;             /* numbers in one softmax */
    /* A dense step multiplies `repeat` vectors of in_size per row (1 for plain
     * vectors, more when a row is a matrix); others have repeat 1. */
    size_t repeat;
    size_t in_size;
    size_t out_size;
    float *weights; /* [in_size][out_size]; NULL once they are packed, unless the plan keeps them */
    float *packed;  /* as `packed_for` wants them, or NULL */
    const struct kernels *packed_for;
    void *packed_i8; /* the same in int8, or NULL */
    float *values;   /* out_size of them, or NULL */
    double i8_gain;  /* in int8: by how much a difference of all inputs grows at most */
    enum plan_place place;
};

struct model_plan {
    struct plan_step *steps;
    size_t steps_count;
    size_t in_size;      /* numbers in one row */
    size_t out_size;     /* after the last step so far */
    size_t scratch_size; /* numbers that one half of the scratch holds per row */
    size_t parameters;
    uint64_t flops_per_row;
    const struct kernels *kernels; /* those that weights are packed for, or NULL */
    bool keeps_weights;            /* those that are packed, so that KERNELS_SCALAR will do too */
    size_t _steps_capacity;
    size_t _elements_left; /* that weights and values may still have */
};

/* `elements_max` bounds all weights and values together, however often the
 * steps share what the file says once. */
void model_plan_init(struct model_plan *plan, size_t in_size, size_t elements_max);
void model_plan_deinit(struct model_plan *plan);

/* Uninitialised room for weights or values, for model_plan_add(); free() it when
 * it is not added. NULL: out of memory, or more than the plan may have. */
float *model_plan_alloc(struct model_plan *plan, size_t elements);

/* Takes over weights and values, also on failure. */
enum model_status model_plan_add(struct model_plan *plan, struct plan_step step)
    __attribute__((warn_unused_result));

/* Becomes part of the last step if that has none yet. */
enum model_status model_plan_add_activation(struct model_plan *plan,
                                            enum plan_activation activation, size_t softmax_size)
    __attribute__((warn_unused_result));

/* The last step, if it is a dense one still without bias and activation; else NULL. */
struct plan_step *model_plan_open_dense(struct model_plan *plan);

void model_plan_finish(struct model_plan *plan);

/* One step by itself, for measuring it: `from` and `to` hold rows of its sizes. Only int8 steps
 * need `scratch`. */
void plan_step_run(const struct plan_step *step, const struct kernels *kernels, const float *from,
                   size_t rows, void *scratch, float *to);

/* See model_scratch_size() and model_run(). */
size_t model_plan_scratch_size(const struct model_plan *plan, size_t rows);
void model_plan_run(const struct model_plan *plan, const struct kernels *kernels, const float *in,
                    size_t rows, float *out, float *scratch);

#endif
