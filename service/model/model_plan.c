#include "model_plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

/* One cache line, and one AVX-512 register. */
enum {
    ALIGNMENT_BYTES = 64,
    ALIGNMENT_FLOATS = ALIGNMENT_BYTES / sizeof(float)
};

void model_plan_init(struct model_plan *plan, size_t in_size, size_t elements_max)
{
    *plan = (struct model_plan){
        .in_size = in_size, .out_size = in_size, ._elements_left = elements_max};
}

void model_plan_deinit(struct model_plan *plan)
{
    for (size_t i = 0; i < plan->steps_count; i++) {
        free(plan->steps[i].weights);
        free(plan->steps[i].packed);
        free(plan->steps[i].packed_i8);
        free(plan->steps[i].values);
    }
    free(plan->steps);
    *plan = (struct model_plan){0};
}

static size_t round_up(size_t n)
{
    return (n + ALIGNMENT_FLOATS - 1) / ALIGNMENT_FLOATS * ALIGNMENT_FLOATS;
}

float *model_plan_alloc(struct model_plan *plan, size_t elements)
{
    assert(elements > 0);
    if (elements > plan->_elements_left)
        return NULL;
    plan->_elements_left -= elements;
    return aligned_alloc(ALIGNMENT_BYTES, round_up(elements) * sizeof(float));
}

static bool reserve_step(struct model_plan *plan)
{
    if (plan->steps_count < plan->_steps_capacity)
        return true;
    size_t capacity = plan->_steps_capacity > 0 ? 2 * plan->_steps_capacity : 8;
    struct plan_step *steps = realloc(plan->steps, capacity * sizeof *steps);
    if (steps == NULL)
        return false;
    plan->steps = steps;
    plan->_steps_capacity = capacity;
    return true;
}

enum model_status model_plan_add(struct model_plan *plan, struct plan_step step)
{
    assert(step.repeat * step.in_size == plan->out_size);
    if (!reserve_step(plan)) {
        free(step.weights);
        free(step.values);
        return MODEL_NOMEM;
    }
    plan->steps[plan->steps_count++] = step;
    plan->out_size = step.repeat * step.out_size;
    return MODEL_OK;
}

enum model_status model_plan_add_activation(struct model_plan *plan,
                                            enum plan_activation activation, size_t softmax_size)
{
    struct plan_step *last = plan->steps_count > 0 ? &plan->steps[plan->steps_count - 1] : NULL;
    if (last != NULL && last->activation == PLAN_NONE) {
        last->activation = activation;
        last->softmax_size = softmax_size;
        return MODEL_OK;
    }
    return model_plan_add(plan, (struct plan_step){.op = PLAN_KEEP,
                                                   .activation = activation,
                                                   .softmax_size = softmax_size,
                                                   .repeat = 1,
                                                   .in_size = plan->out_size,
                                                   .out_size = plan->out_size});
}

struct plan_step *model_plan_open_dense(struct model_plan *plan)
{
    struct plan_step *last = plan->steps_count > 0 ? &plan->steps[plan->steps_count - 1] : NULL;
    if (last == NULL || last->op != PLAN_DENSE || last->activation != PLAN_NONE ||
        last->values != NULL)
        return NULL;
    return last;
}

/* Steps that cannot work in place: the first, whose source is the input, and dense ones. */
static bool step_moves(const struct model_plan *plan, size_t index)
{
    return index == 0 || plan->steps[index].op == PLAN_DENSE;
}

static void count_step(struct model_plan *plan, const struct plan_step *step)
{
    size_t row = step->repeat * step->out_size;
    if (step->op == PLAN_DENSE) {
        plan->parameters += step->in_size * step->out_size;
        plan->flops_per_row += (uint64_t)2 * step->in_size * row;
    }
    if (step->values != NULL) {
        plan->parameters += step->out_size;
        plan->flops_per_row += row;
    }
    if (step->activation != PLAN_NONE)
        plan->flops_per_row += row;
}

void model_plan_finish(struct model_plan *plan)
{
    size_t last_move = 0;
    for (size_t i = 0; i < plan->steps_count; i++)
        if (step_moves(plan, i))
            last_move = i;
    enum plan_place next = PLAN_SCRATCH_A;
    for (size_t i = 0; i < plan->steps_count; i++) {
        struct plan_step *step = &plan->steps[i];
        size_t row = step->repeat * step->out_size;
        count_step(plan, step);
        if (!step_moves(plan, i))
            continue;
        step->place = i == last_move ? PLAN_OUTPUT : next;
        next = next == PLAN_SCRATCH_A ? PLAN_SCRATCH_B : PLAN_SCRATCH_A;
        if (i != last_move && row > plan->scratch_size)
            plan->scratch_size = row;
    }
}

/* The halves start on the same alignment as the scratch itself. */
static size_t half_size(const struct model_plan *plan, size_t rows)
{
    return round_up(plan->scratch_size * rows);
}

/* Behind both halves: what the int8 layer that needs most of it needs. */
static size_t i8_scratch_size(const struct model_plan *plan, size_t rows)
{
    size_t bytes_max = 0;
    for (size_t i = 0; i < plan->steps_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->packed_i8 == NULL)
            continue;
        const struct kernels *tables[] = {plan->kernels, kernels_for(KERNELS_SCALAR)};
        for (size_t k = 0; k < ARRAY_SIZE(tables); k++) {
            const size_t bytes = tables[k]->dense_i8_scratch(rows * step->repeat, step->in_size);
            bytes_max = bytes > bytes_max ? bytes : bytes_max;
        }
    }
    return round_up((bytes_max + sizeof(float) - 1) / sizeof(float));
}

size_t model_plan_scratch_size(const struct model_plan *plan, size_t rows)
{
    return 2 * half_size(plan, rows) + i8_scratch_size(plan, rows);
}

/* Each elementwise operation is a loop of its own, so that it becomes vector instructions.
 * x is the row's number and v the step's; `to` may be `from`. */
#define EACH_NUMBER(left, operation, right)            \
    for (size_t row = 0; row < rows; row++)            \
        for (size_t i = 0; i < size; i++) {            \
            float x = from[row * size + i];            \
            float v = step->values[i];                 \
            to[row * size + i] = left operation right; \
        }

/* Packed float32 weights are of use to the table alone that they were packed for. */
static bool runs_packed(const struct plan_step *step, const struct kernels *kernels)
{
    return step->packed_i8 != NULL || (step->packed != NULL && step->packed_for == kernels);
}

/* What a packed layer does on the way. Softmax is none of it: it needs the whole row. */
static enum kernels_activation fused_activation(enum plan_activation activation)
{
    switch (activation) {
    case PLAN_RELU:
        return KERNELS_RELU;
    case PLAN_SIGMOID:
        return KERNELS_SIGMOID;
    case PLAN_TANH:
        return KERNELS_TANH;
    case PLAN_NONE:
    case PLAN_SOFTMAX:
        break;
    }
    return KERNELS_NO_ACTIVATION;
}

static void run_dense(const struct plan_step *step, const struct kernels *kernels,
                      const float *from, size_t rows, void *scratch, float *to)
{
    if (step->packed_i8 != NULL)
        kernels->dense_i8_f32(from, step->packed_i8, step->values,
                              fused_activation(step->activation), rows * step->repeat,
                              step->in_size, step->out_size, scratch, to);
    else if (runs_packed(step, kernels))
        kernels->dense_packed_f32(from, step->packed, step->values,
                                  fused_activation(step->activation), rows * step->repeat,
                                  step->in_size, step->out_size, to);
    else
        kernels->dense_f32(from, step->weights, step->values, rows * step->repeat, step->in_size,
                           step->out_size, to);
}

static void run_op(const struct plan_step *step, const struct kernels *kernels, const float *from,
                   size_t rows, void *scratch, float *to)
{
    size_t size = step->out_size;
    switch (step->op) {
    case PLAN_KEEP:
        if (to != from)
            memcpy(to, from, rows * size * sizeof *to);
        return;
    case PLAN_DENSE:
        run_dense(step, kernels, from, rows, scratch, to);
        return;
    case PLAN_ADD:
        EACH_NUMBER(x, +, v)
        return;
    case PLAN_SUBTRACT_BY:
        EACH_NUMBER(v, -, x)
        return;
    case PLAN_MULTIPLY:
        EACH_NUMBER(x, *, v)
        return;
    case PLAN_DIVIDE:
        EACH_NUMBER(x, /, v)
        return;
    case PLAN_DIVIDE_BY:
        EACH_NUMBER(v, /, x)
        return;
    }
}

static void run_activation(const struct plan_step *step, const struct kernels *kernels, size_t rows,
                           float *x)
{
    size_t n = rows * step->repeat * step->out_size;
    switch (step->activation) {
    case PLAN_NONE:
        return;
    case PLAN_RELU:
        kernels->relu_f32(x, n);
        return;
    case PLAN_SIGMOID:
        kernels->sigmoid_f32(x, n);
        return;
    case PLAN_TANH:
        kernels->tanh_f32(x, n);
        return;
    case PLAN_SOFTMAX:
        kernels->softmax_f32(x, n / step->softmax_size, step->softmax_size);
        return;
    }
}

void plan_step_run(const struct plan_step *step, const struct kernels *kernels, const float *from,
                   size_t rows, void *scratch, float *to)
{
    assert(step->op != PLAN_DENSE || step->weights != NULL || runs_packed(step, kernels));
    run_op(step, kernels, from, rows, scratch, to);
    if (!runs_packed(step, kernels) || fused_activation(step->activation) == KERNELS_NO_ACTIVATION)
        run_activation(step, kernels, rows, to);
}

void model_plan_run(const struct model_plan *plan, const struct kernels *kernels, const float *in,
                    size_t rows, float *out, float *scratch)
{
    size_t half = half_size(plan, rows);
    float *places[] = {[PLAN_SCRATCH_A] = scratch,
                       [PLAN_SCRATCH_B] = half > 0 ? scratch + half : scratch,
                       [PLAN_OUTPUT] = out};
    const float *from = in;
    float *to = out;
    for (size_t i = 0; i < plan->steps_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->place != PLAN_IN_PLACE)
            to = places[step->place];
        plan_step_run(step, kernels, from, rows, half > 0 ? scratch + 2 * half : scratch, to);
        from = to;
    }
    if (plan->steps_count == 0)
        memcpy(out, in, rows * plan->in_size * sizeof *out);
}
