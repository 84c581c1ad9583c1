/*
 * sweep_plan.c - see sweep_plan.h.
 */
#include "sweep_plan.h"

#include <math.h>

/* Of the capacity. */
static const double FIRST_SHARE = 0.1;
static const double LAST_SHARE = 1.05;
/* Above 1: the closer to the end, the closer to each other. */
static const double EASING = 1.5;
/* A step beyond the last. */
static const double BEYOND_FACTOR = 1.1;
/* Closed loops find at least a tenth of what an open one does: 1.1^25 is that. */
enum {
    BEYOND_MAX = 25,
    HALVINGS_MAX = 5,
    FAILED_IN_A_ROW_MAX = 2,
};
static const double KNEE_PRECISION = 0.05;

static const double GOODPUT_SHARE_MIN = 0.99;
static const double THROUGHPUT_SHARE_MIN = 0.98;
static const double LACKING_MIN = 3; /* requests */
static const double P99_FACTOR_MAX = 10;
static const double PLATEAU_SHARE = 0.95;

/* --- Verdicts. */

static bool keeps_up(const struct measurement *figures)
{
    const double due = figures->due_rate * figures->seconds;
    const double lacking = due - figures->throughput * figures->seconds;
    return figures->throughput > 0 &&
           lacking <= fmax(LACKING_MIN, (1 - THROUGHPUT_SHARE_MIN) * due);
}

static bool keeps_slo(const struct measurement *figures)
{
    return figures->due_rate > 0 && figures->goodput >= GOODPUT_SHARE_MIN * figures->due_rate;
}

enum sweep_verdict sweep_judge(const struct sweep_rules *rules, const struct measurement *figures)
{
    if (rules->slo && keeps_slo(figures))
        return SWEEP_FOLLOWS;
    if (!keeps_up(figures))
        return SWEEP_BEHIND;
    if (rules->slo)
        return SWEEP_SLOW;
    const bool exploded = figures->p99_ns > P99_FACTOR_MAX * rules->lowest_p99_ns;
    return exploded && !figures->client_is_slow ? SWEEP_SLOW : SWEEP_FOLLOWS;
}

size_t sweep_knee_of_connections(const struct measurement *steps, size_t count, bool slo)
{
    double highest = 0;
    for (size_t i = 0; i < count; i++)
        if ((!slo || keeps_slo(&steps[i])))
            highest = fmax(highest, steps[i].throughput);
    for (size_t i = 0; i < count && highest > 0; i++)
        if ((!slo || keeps_slo(&steps[i])) && steps[i].throughput >= PLATEAU_SHARE * highest)
            return i;
    return count;
}

/* --- Rates. */

void sweep_plan_init(struct sweep_plan *plan, const struct sweep_bounds *bounds)
{
    *plan = (struct sweep_plan){._bounds = *bounds};
    if (bounds->steps == 0)
        plan->_bounds.steps = SWEEP_STEPS_DEFAULT;
}

static bool is_bounded(const struct sweep_plan *plan)
{
    return plan->_bounds.capacity <= 0;
}

/* Three digits: what was found is easier to say, and to ask for again. */
static double rounded(double rate)
{
    const double unit = pow(10, floor(log10(rate)) - 2);
    return round(rate / unit) * unit;
}

/* From 0 to 1 along the steps. */
static double way(const struct sweep_plan *plan)
{
    const size_t steps = plan->_bounds.steps;
    return steps > 1 ? (double)plan->_step / (double)(steps - 1) : 1;
}

static double ladder_rate(const struct sweep_plan *plan)
{
    const struct sweep_bounds *bounds = &plan->_bounds;
    if (is_bounded(plan))
        return bounds->from + way(plan) * (bounds->to - bounds->from);
    if (plan->_step >= bounds->steps)
        return rounded(plan->_rate * BEYOND_FACTOR);
    const double eased = 1 - pow(1 - way(plan), EASING);
    return rounded(bounds->capacity * (FIRST_SHARE + eased * (LAST_SHARE - FIRST_SHARE)));
}

static bool climb(struct sweep_plan *plan, double *out_rate)
{
    const size_t beyond = is_bounded(plan) ? 0 : BEYOND_MAX;
    if (plan->_step >= plan->_bounds.steps + beyond)
        return false;
    *out_rate = plan->_rate = ladder_rate(plan);
    plan->_step++;
    return true;
}

static bool halve(struct sweep_plan *plan, double *out_rate)
{
    if (is_bounded(plan) || plan->_failed <= 0 || plan->_halvings == HALVINGS_MAX ||
        plan->_failed - plan->knee <= KNEE_PRECISION * plan->_failed)
        return false;
    plan->_halvings++;
    *out_rate = plan->_rate = rounded((plan->knee + plan->_failed) / 2);
    return true;
}

bool sweep_plan_next(struct sweep_plan *plan, double *out_rate)
{
    if (plan->_repeating) {
        *out_rate = plan->_rate;
        return true;
    }
    if (!plan->_over && plan->_halvings == 0 && plan->_failed_in_a_row < FAILED_IN_A_ROW_MAX &&
        climb(plan, out_rate))
        return true;
    plan->_over = plan->_over || !halve(plan, out_rate);
    return !plan->_over;
}

static void note_followed(struct sweep_plan *plan)
{
    plan->_repeating = false;
    plan->_failed_in_a_row = 0;
    plan->knee = fmax(plan->knee, plan->_rate);
    if (plan->_failed < plan->knee)
        plan->_failed = 0;
}

static void note_failed_twice(struct sweep_plan *plan)
{
    plan->_repeating = false;
    plan->_failed_in_a_row++;
    if (plan->_failed <= 0 || plan->_rate < plan->_failed)
        plan->_failed = plan->_rate;
}

void sweep_plan_note(struct sweep_plan *plan, enum sweep_verdict verdict)
{
    if (verdict == SWEEP_FOLLOWS)
        note_followed(plan);
    else if (plan->_repeating)
        note_failed_twice(plan);
    else
        plan->_repeating = true;
}

bool sweep_plan_repeats(const struct sweep_plan *plan)
{
    return plan->_repeating;
}

bool sweep_plan_has_failed(const struct sweep_plan *plan)
{
    return plan->_failed > 0;
}
