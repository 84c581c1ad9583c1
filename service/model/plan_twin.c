#include "plan_twin.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    ALIGNMENT_BYTES = 64
};

/* What one rounding to float32 takes at most, as a part of the number. */
static const double unit = FLT_EPSILON / 2;
/* How far two computations of one activation may be apart, each within its error in kernels.h. */
static const double activation_apart = 2 * 2e-7;
static const double softmax_apart = 2 * 3e-7;
/* Rows without a number of this size may count as zeros in one run only. */
static const double counts_as_zero = 2e-30;

/* Where the row stands: its numbers, and how far those of another run may be from each. */
struct twin {
    float *x;
    double *apart;
};

struct scratch {
    struct twin rows[2];
    double *weighed; /* of a dense step: what each input brings to the difference */
    void *i8;
};

static size_t padded(size_t bytes)
{
    return (bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
}

/* The numbers of the widest row on the way. */
static size_t widest(const struct model_plan *plan)
{
    size_t size = plan->in_size;
    for (size_t i = 0; i < plan->steps_count; i++) {
        const size_t row = plan->steps[i].repeat * plan->steps[i].out_size;
        size = row > size ? row : size;
    }
    return size;
}

static size_t i8_scratch_bytes(const struct model_plan *plan)
{
    size_t bytes_max = 0;
    for (size_t i = 0; i < plan->steps_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->packed_i8 == NULL)
            continue;
        const size_t bytes =
            kernels_for(KERNELS_SCALAR)->dense_i8_scratch(step->repeat, step->in_size);
        bytes_max = bytes > bytes_max ? bytes : bytes_max;
    }
    return padded(bytes_max);
}

size_t plan_twin_scratch_bytes(const struct model_plan *plan)
{
    const size_t size = widest(plan);
    return 2 * padded(size * sizeof(float)) + 3 * padded(size * sizeof(double)) +
           i8_scratch_bytes(plan);
}

static struct scratch lay_out(const struct model_plan *plan, void *memory)
{
    const size_t size = widest(plan);
    char *at = memory;
    struct scratch s;
    for (size_t i = 0; i < 2; i++) {
        s.rows[i].x = (float *)(void *)at;
        at += padded(size * sizeof(float));
        s.rows[i].apart = (double *)(void *)at;
        at += padded(size * sizeof(double));
    }
    s.weighed = (double *)(void *)at;
    s.i8 = at + padded(size * sizeof(double));
    return s;
}

/* --- operations: from what the inputs are apart to what the outputs are */

/* Both runs round the result once more: y here, and what is `apart` from it there. */
static double rounded_twice(double apart, double y)
{
    return apart + unit * (2 * fabs(y) + apart) + FLT_MIN * unit;
}

/* One vector. */
static void dense_apart(const struct plan_step *step, const struct twin *from, double *weighed,
                        double *apart)
{
    const size_t n = step->in_size, m = step->out_size;
    const double g = ((double)n + 2) * unit / (1 - ((double)n + 2) * unit);
    for (size_t i = 0; i < n; i++)
        weighed[i] = (1 + g) * from->apart[i] + 2 * g * fabs((double)from->x[i]);
    for (size_t col = 0; col < m; col++) {
        const double bias = step->values != NULL ? fabs((double)step->values[col]) : 0;
        apart[col] = 2 * g * bias + ((double)n + 2) * FLT_MIN * unit;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t col = 0; col < m; col++)
            apart[col] += weighed[i] * fabs((double)step->weights[i * m + col]);
}

/* One vector of which the same bits give the same bits. */
static void int8_apart(const struct plan_step *step, const struct twin *from, const float *y,
                       double *apart)
{
    double apart_max = 0, lowest = 0, highest = 0;
    for (size_t i = 0; i < step->in_size; i++) {
        apart_max = fmax(apart_max, from->apart[i]);
        lowest = fmin(lowest, (double)from->x[i]);
        highest = fmax(highest, (double)from->x[i]);
    }
    /* Two roundings to half a step; the other run's steps may be wider, its ends are apart too. */
    const double steps = 1.01 * (highest - lowest + 2 * apart_max) / 254;
    const double inputs = apart_max > 0 ? 1.01 * (apart_max + steps) + counts_as_zero : 0;
    for (size_t col = 0; col < step->out_size; col++) {
        const double bias = step->values != NULL ? fabs((double)step->values[col]) : 0;
        apart[col] = inputs * step->i8_gain;
        if (inputs > 0)
            apart[col] = rounded_twice(apart[col], 2 * (fabs((double)y[col]) + 2 * bias));
    }
}

/* `x` is what a dense step computed, before its activation. */
static void dense_step_apart(const struct plan_step *step, const struct twin *from,
                             const struct scratch *s, const struct twin *to)
{
    for (size_t k = 0; k < step->repeat; k++) {
        const struct twin vector = {from->x + k * step->in_size, from->apart + k * step->in_size};
        double *apart = to->apart + k * step->out_size;
        if (step->packed_i8 != NULL)
            int8_apart(step, &vector, to->x + k * step->out_size, apart);
        else
            dense_apart(step, &vector, s->weighed, apart);
    }
}

static double quotient_apart(double v, double x, double apart)
{
    const double nearest = fabs(x) - apart;
    return nearest > 0 ? fabs(v) * apart / (fabs(x) * nearest) : INFINITY;
}

static void elementwise_apart(const struct plan_step *step, const struct twin *from,
                              const struct twin *to)
{
    for (size_t i = 0; i < step->out_size; i++) {
        const double apart = from->apart[i];
        const double y = (double)to->x[i];
        const double v = step->values != NULL ? (double)step->values[i] : 0;
        switch (step->op) {
        case PLAN_KEEP:
        case PLAN_DENSE:
            to->apart[i] = apart;
            break;
        case PLAN_ADD:
        case PLAN_SUBTRACT_BY:
            to->apart[i] = rounded_twice(apart, y);
            break;
        case PLAN_MULTIPLY:
            to->apart[i] = rounded_twice(apart * fabs(v), y);
            break;
        case PLAN_DIVIDE:
            to->apart[i] = rounded_twice(apart / fabs(v), y);
            break;
        case PLAN_DIVIDE_BY:
            to->apart[i] = rounded_twice(quotient_apart(v, (double)from->x[i], apart), y);
            break;
        }
    }
}

/* --- activations: y here, after it */

static double curve_apart(double slope_max, double range, double apart, double y)
{
    apart *= slope_max;
    apart += activation_apart * (fabs(y) + apart) + FLT_MIN;
    return fmin(apart, range);
}

/*
 * Each output is e^x by a sum of them: with every x off by d at most, off by a factor e^(2 d) at
 * most. What is subtracted from x to keep e^x small is rounded too, and x minus the largest is no
 * further from 0 than the logarithm of the output.
 */
static void softmax_apart_row(const float *y, size_t n, double *apart)
{
    double apart_max = 0;
    for (size_t i = 0; i < n; i++)
        apart_max = fmax(apart_max, apart[i]);
    for (size_t i = 0; i < n; i++) {
        const double size = (double)y[i] + FLT_MIN;
        const double rounding = softmax_apart + 4 * unit * (1 + fabs(log(size)) + log((double)n));
        apart[i] = fmin(size * (expm1(2 * apart_max) * (1 + rounding) + rounding), 1);
    }
}

static void activation_step_apart(const struct plan_step *step, const struct twin *to)
{
    const size_t n = step->repeat * step->out_size;
    switch (step->activation) {
    case PLAN_NONE:
    case PLAN_RELU:
        return;
    case PLAN_SIGMOID:
        for (size_t i = 0; i < n; i++)
            to->apart[i] = curve_apart(0.25, 1, to->apart[i], (double)to->x[i]);
        return;
    case PLAN_TANH:
        for (size_t i = 0; i < n; i++)
            to->apart[i] = curve_apart(1, 2, to->apart[i], (double)to->x[i]);
        return;
    case PLAN_SOFTMAX:
        for (size_t i = 0; i < n; i += step->softmax_size)
            softmax_apart_row(to->x + i, step->softmax_size, to->apart + i);
        return;
    }
}

/* --- the row */

/* Whether neither run can have overflowed. */
static bool is_finite_row(const struct twin *row, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)row->x[i]) + row->apart[i] < FLT_MAX))
            return false;
    return true;
}

/* Whether both runs got through it with numbers. */
static bool run_step(const struct plan_step *step, const struct scratch *s, const struct twin *from,
                     const struct twin *to)
{
    const size_t n = step->repeat * step->out_size;
    const struct kernels *plain = kernels_for(KERNELS_SCALAR);
    struct plan_step operation = *step;
    struct plan_step activation = *step;
    operation.activation = PLAN_NONE;
    activation.op = PLAN_KEEP;
    activation.packed = NULL;
    activation.packed_i8 = NULL;
    activation.in_size = activation.out_size;
    plan_step_run(&operation, plain, from->x, 1, s->i8, to->x);
    if (step->op == PLAN_DENSE)
        dense_step_apart(step, from, s, to);
    else
        elementwise_apart(step, from, to);
    if (step->activation == PLAN_NONE || !is_finite_row(to, n))
        return is_finite_row(to, n);
    activation.out_size = n;
    activation.repeat = 1;
    plan_step_run(&activation, plain, to->x, 1, NULL, to->x);
    activation_step_apart(step, to);
    return true;
}

void plan_twin_run(const struct model_plan *plan, const float *in, float *out, double *bounds,
                   void *scratch)
{
    const struct scratch s = lay_out(plan, scratch);
    memcpy(s.rows[0].x, in, plan->in_size * sizeof *in);
    memset(s.rows[0].apart, 0, plan->in_size * sizeof *s.rows[0].apart);
    bool bounded = true;
    size_t done = 0;
    for (; bounded && done < plan->steps_count; done++)
        bounded = run_step(&plan->steps[done], &s, &s.rows[done % 2], &s.rows[(done + 1) % 2]);
    const struct twin *last = &s.rows[done % 2];
    for (size_t i = 0; i < plan->out_size; i++) {
        out[i] = bounded ? last->x[i] : NAN;
        bounds[i] = bounded ? last->apart[i] : INFINITY;
    }
}
