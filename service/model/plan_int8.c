#include "plan_int8.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum {
    ALIGNMENT_BYTES = 64,
    /* Of the widest row that the samples have on their way through the plan. */
    NUMBERS_MAX = 4 * 1024 * 1024
};

static void *allocate(size_t bytes)
{
    return aligned_alloc(ALIGNMENT_BYTES,
                         (bytes + ALIGNMENT_BYTES) / ALIGNMENT_BYTES * ALIGNMENT_BYTES);
}

/*
 * By how much a difference of every input grows at most: the largest sum of a column's magnitudes,
 * each by half a step of the column's more than it is.
 */
static double largest_gain(const struct plan_step *step)
{
    double gain = 0;
    for (size_t col = 0; col < step->out_size; col++) {
        double sum = 0, largest = 0;
        for (size_t i = 0; i < step->in_size; i++) {
            const double magnitude = fabs((double)step->weights[i * step->out_size + col]);
            sum += magnitude;
            largest = fmax(largest, magnitude);
        }
        gain = fmax(gain, sum + (double)step->in_size * largest / 254);
    }
    return gain;
}

static bool step_to_int8(struct plan_step *step, const struct kernels *kernels)
{
    const size_t bytes = kernels->dense_i8_size(step->in_size, step->out_size);
    if (bytes == 0)
        return true;
    step->packed_i8 = allocate(bytes);
    if (step->packed_i8 == NULL)
        return false;
    step->i8_gain = largest_gain(step);
    kernels->dense_i8_pack(step->weights, step->in_size, step->out_size, step->packed_i8);
    free(step->weights);
    step->weights = NULL;
    return true;
}

static bool steps_to_int8(struct model_plan *plan, const struct kernels *kernels)
{
    assert(plan->kernels == NULL);
    plan->kernels = kernels;
    for (size_t i = 0; i < plan->steps_count; i++)
        if (plan->steps[i].op == PLAN_DENSE && !step_to_int8(&plan->steps[i], kernels))
            return false;
    return true;
}

static bool run_samples(const struct model_plan *plan, const struct kernels *kernels,
                        const struct model_samples *samples, size_t rows, float *out)
{
    float *scratch = allocate(model_plan_scratch_size(plan, rows) * sizeof *scratch);
    if (scratch == NULL)
        return false;
    model_plan_run(plan, kernels, samples->rows, rows, out, scratch);
    free(scratch);
    return true;
}

static double compare(const float *got, const float *want, size_t n)
{
    double difference = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(got[i]) || !isfinite(want[i]))
            return INFINITY;
        difference = fmax(difference, fabs((double)got[i] - (double)want[i]));
        largest = fmax(largest, fabs((double)want[i]));
    }
    return difference > 0 ? difference / largest : 0;
}

static size_t rows_that_fit(const struct model_plan *plan, size_t count)
{
    size_t widest = plan->in_size > plan->out_size ? plan->in_size : plan->out_size;
    widest = plan->scratch_size > widest ? plan->scratch_size : widest;
    const size_t rows = NUMBERS_MAX / widest;
    return rows >= count ? count : rows > 0 ? rows : 1;
}

/* The activation behind the last step, if it makes probabilities; NULL: there is none such. */
static enum plan_activation *last_probabilities(struct model_plan *plan)
{
    if (plan->steps_count == 0)
        return NULL;
    enum plan_activation *last = &plan->steps[plan->steps_count - 1].activation;
    return *last == PLAN_SOFTMAX || *last == PLAN_SIGMOID ? last : NULL;
}

static bool convert_and_compare(struct model_plan *plan, const struct kernels *kernels,
                                const struct model_samples *samples, double *error, size_t *rows)
{
    const size_t fit = rows_that_fit(plan, samples->count);
    const size_t n = fit * plan->out_size;
    float *want = allocate(n * sizeof *want);
    float *got = allocate(n * sizeof *got);
    const bool ok = want != NULL && got != NULL && run_samples(plan, kernels, samples, fit, want) &&
                    steps_to_int8(plan, kernels) && run_samples(plan, kernels, samples, fit, got);
    if (ok) {
        *error = compare(got, want, n);
        *rows = fit;
    }
    free(want);
    free(got);
    return ok;
}

bool model_plan_to_int8(struct model_plan *plan, const struct kernels *kernels,
                        const struct model_samples *samples, double *error, size_t *rows)
{
    enum plan_activation *last = last_probabilities(plan);
    if (last == NULL)
        return convert_and_compare(plan, kernels, samples, error, rows);
    const enum plan_activation activation = *last;
    *last = PLAN_NONE;
    const bool ok = convert_and_compare(plan, kernels, samples, error, rows);
    *last = activation;
    return ok;
}
