/*
 * cost_model.c - moving the line towards a measurement, no further than it deserves.
 */
#include "cost_model.h"

#include <math.h>

#define NS_UNKNOWN 1e6

/* A measurement moves the line by this part of its error, and the usual error by this part of
 * what it differs from it: a lasting change lets it grow by 3 / 8 a batch, an outlier once. */
#define GAIN 0.125
#define ERROR_GAIN 0.125
#define ERROR_FIRST 0.25
#define ERROR_LEAST 0.02
#define OUTLIER 4.0

#define SEEN_MIN 8
#define ERROR_MAX 0.5

void cost_model_init(struct cost_model *model, size_t full_work)
{
    *model = (struct cost_model){.fixed_ns = NS_UNKNOWN,
                                 .one_ns = NS_UNKNOWN,
                                 .full_ns = NS_UNKNOWN,
                                 .full = full_work > 1 ? (double)full_work : 2,
                                 .error = ERROR_FIRST};
}

/* Where between the anchors: 0 is one unit, 1 a full batch, more is beyond it. */
static double place(const struct cost_model *model, double work)
{
    return (work - 1) / (model->full - 1);
}

static double time_ns(const struct cost_model *model, double work)
{
    return model->fixed_ns + model->unit_ns * (work < 1 ? 1 : work);
}

static void draw_line(struct cost_model *model)
{
    model->unit_ns = (model->full_ns - model->one_ns) / (model->full - 1);
    /* Rounding may leave a little less than nothing. */
    model->fixed_ns = fmax(0, model->one_ns - model->unit_ns);
}

/* The anchor that learned less gives way to the other. */
static void keep_in_bounds(struct cost_model *model, bool full_is_right)
{
    const double full_most = model->one_ns * model->full;
    if (full_is_right && model->full_ns < model->one_ns)
        model->one_ns = model->full_ns;
    else if (full_is_right && model->full_ns > full_most)
        model->one_ns = model->full_ns / model->full;
    else if (model->full_ns < model->one_ns)
        model->full_ns = model->one_ns;
    else if (model->full_ns > full_most)
        model->full_ns = full_most;
}

/* Half of it fixed: the next batch of another size will tell. */
static void learn_first(struct cost_model *model, double work, double run_ns)
{
    const double half_ns = run_ns / 2;
    model->one_ns = fmax(1, half_ns + half_ns / work);
    model->full_ns = fmax(1, half_ns + half_ns / work * model->full);
    keep_in_bounds(model, false);
    draw_line(model);
}

void cost_model_seed(struct cost_model *model, const struct batcher_cost_seed *seed)
{
    const double small = fmax(1, (double)seed->small_work);
    const double large = (double)seed->large_work;
    model->seen = SEEN_MIN;
    model->error = ERROR_FIRST;
    if (large <= small) {
        learn_first(model, small, fmax(1, (double)seed->small_ns));
        return;
    }
    const double more_ns = fmax(0, (double)seed->large_ns - (double)seed->small_ns);
    const double unit_ns = more_ns / (large - small);
    model->one_ns = fmax(1, (double)seed->small_ns - unit_ns * (small - 1));
    model->full_ns = model->one_ns + unit_ns * (model->full - 1);
    keep_in_bounds(model, true);
    draw_line(model);
}

static double within(double x, double bound)
{
    return fmax(-bound, fmin(bound, x));
}

static void move_anchors(struct cost_model *model, double work, double error_ns)
{
    const double at = place(model, work);
    const double one_part = (1 - at) * model->one_ns * model->one_ns;
    const double full_part = at * model->full_ns * model->full_ns;
    const double norm = (1 - at) * one_part + at * full_part;
    model->one_ns = fmax(1, model->one_ns + GAIN * error_ns * one_part / norm);
    model->full_ns = fmax(1, model->full_ns + GAIN * error_ns * full_part / norm);
    keep_in_bounds(model, at * full_part > (1 - at) * one_part);
    draw_line(model);
}

void cost_model_learn(struct cost_model *model, uint64_t work, uint64_t run_ns)
{
    const double units = work > 0 ? (double)work : 1;
    /* A clock's step or a stopped virtual machine is no news about a kernel. */
    const double taken_ns = fmax(1, fmin(COST_NS_MAX, (double)run_ns));
    model->seen++;
    if (model->seen == 1) {
        learn_first(model, units, taken_ns);
        return;
    }
    const double expected_ns = time_ns(model, units);
    const double error = within((taken_ns - expected_ns) / expected_ns, OUTLIER * model->error);
    move_anchors(model, units, error * expected_ns);
    model->error = fmax(ERROR_LEAST, model->error + (fabs(error) - model->error) * ERROR_GAIN);
}

uint64_t cost_model_ns(const struct cost_model *model, uint64_t work)
{
    return (uint64_t)fmin(COST_NS_MAX, time_ns(model, (double)work));
}

uint64_t cost_model_reserve_ns(const struct cost_model *model, uint64_t work)
{
    return (uint64_t)fmin(COST_NS_MAX, time_ns(model, (double)work) * (1 + 2 * model->error));
}

bool cost_model_is_sure(const struct cost_model *model)
{
    return model->seen >= SEEN_MIN && model->error <= ERROR_MAX;
}
