/*
 * tune_plan.c - see tune_plan.h.
 */
#include "tune_plan.h"

#include "tune_search.h"
#include "tune_setting.h"

enum {
    SETTINGS_MIN = 12,
};

static const double REQUESTS_BEYOND = 5;
static const double WINDOW_NS_MIN = 150e6;
static const double WINDOW_NS_MAX = 1e9;
/* Connections, the PATCH, two looks at /metrics, the last answers. */
static const double OVERHEAD_NS = 40e6;
/* Until queue and cost model have seen the new setting. */
static const double WARMUP_PART = 0.25;
static const double WARMUP_NS_MIN = 60e6;
static const double WARMUP_NS_MAX = 200e6;

static double between(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static double warmup_of(double window_ns)
{
    return between(WARMUP_PART * window_ns, WARMUP_NS_MIN, WARMUP_NS_MAX);
}

/* The shortest window in which the percentile is one. */
static double window_wanted(const struct tune_basis *basis)
{
    const double requests = REQUESTS_BEYOND / (1 - basis->quantile);
    const double ns = basis->rate > 0 ? 1e9 * requests / basis->rate : WINDOW_NS_MAX;
    return ns > WINDOW_NS_MIN ? ns : WINDOW_NS_MIN;
}

size_t tune_plan_settings_max(const struct tune_basis *basis)
{
    const double window_ns = window_wanted(basis);
    const double one_ns = window_ns + warmup_of(window_ns) + OVERHEAD_NS;
    size_t count = TUNE_SETTINGS_MAX;
    while (count > SETTINGS_MIN &&
           (double)tune_search_measurements(count) * one_ns > (double)basis->budget_ns)
        count--;
    return count;
}

struct tune_plan tune_plan_make(const struct tune_basis *basis, size_t count)
{
    const double wanted_ns = window_wanted(basis);
    const double one_ns =
        (double)basis->budget_ns / (double)tune_search_measurements(count) - OVERHEAD_NS;
    /* The warm-up is a part of it, or at its bounds. */
    double window_ns = one_ns / (1 + WARMUP_PART);
    window_ns = one_ns - warmup_of(window_ns);
    window_ns = between(window_ns, WINDOW_NS_MIN / 2,
                        wanted_ns > WINDOW_NS_MAX ? wanted_ns : WINDOW_NS_MAX);
    return (struct tune_plan){
        .warmup_ns = (uint64_t)warmup_of(window_ns),
        .duration_ns = (uint64_t)window_ns,
        .is_short = window_ns < 0.9 * wanted_ns,
    };
}
