/*
 * batch_plan.c - from a target to rows and linger.
 */
#include "batch_plan.h"

#define NS_PER_S 1e9
#define BUSY_SHARE_WANTED 0.5
#define FIXED_SHARE_LEAST 0.25

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* The largest work whose batch takes no longer; 0 when even a batch of nothing would. */
static double work_within(const struct cost_model *cost, double run_ns)
{
    const double unit_ns = cost->unit_ns;
    const double left_ns = run_ns - cost->fixed_ns;
    if (left_ns <= 0)
        return 0;
    return unit_ns > 0 ? left_ns / unit_ns : 1e18;
}

static size_t rows_within(const struct batch_plan_basis *basis, double run_ns, size_t rows_max)
{
    const double rows = work_within(basis->cost, run_ns) / basis->work_per_row;
    if (rows < 1)
        return 1;
    return rows < (double)rows_max ? (size_t)rows : rows_max;
}

/*
 * With batches of n rows workers are busy for this share of the time, where r rows come a second:
 *     r / batches_max * (fixed / n + work_per_row * unit)
 * Solved for n.
 */
static double rows_for_busy_share(const struct batch_plan_basis *basis, double busy_share)
{
    const double rows_per_ns = basis->work_per_s / basis->work_per_row / NS_PER_S;
    const double row_ns = basis->cost->unit_ns * basis->work_per_row;
    const double fixed_ns_per_row = busy_share * (double)basis->batches_max / rows_per_ns - row_ns;
    if (fixed_ns_per_row <= 0)
        return 1e18;
    return basis->cost->fixed_ns / fixed_ns_per_row;
}

/* A batch of more rows spends less than FIXED_SHARE_LEAST of its time on its fixed part. */
static double rows_worth_it(const struct batch_plan_basis *basis)
{
    const double row_ns = basis->cost->unit_ns * basis->work_per_row;
    const double fixed_ns = basis->cost->fixed_ns * (1 / FIXED_SHARE_LEAST - 1);
    return fixed_ns < row_ns * 1e18 ? fixed_ns / row_ns : 1e18;
}

static uint64_t linger_ns(const struct batch_plan_basis *basis, size_t rows_max,
                          double delay_ns_max)
{
    const double rows_per_ns = basis->work_per_s / basis->work_per_row / NS_PER_S;
    if (rows_per_ns <= 0)
        return 0;
    const double rows_wanted =
        smaller(rows_for_busy_share(basis, BUSY_SHARE_WANTED), rows_worth_it(basis));
    const double rows = smaller(rows_wanted, (double)rows_max);
    /* The first row is there already. */
    return rows > 1 ? (uint64_t)smaller((rows - 1) / rows_per_ns, delay_ns_max) : 0;
}

static struct batch_plan plan_for_target(const struct batcher_queue_limits *limits,
                                         const struct batch_plan_basis *basis)
{
    const double target_ns = (double)limits->target_p99_ns;
    const double run_ns = target_ns / (2 + 2 * basis->cost->error);
    const size_t rows_max = rows_within(basis, run_ns, limits->batch_rows_max);
    return (struct batch_plan){.rows_max = rows_max,
                               .run_ns_max = (uint64_t)run_ns,
                               .delay_ns = linger_ns(basis, rows_max, target_ns / 4)};
}

struct batch_plan batch_plan_for(const struct batcher_queue_limits *limits,
                                 const struct batch_plan_basis *basis)
{
    if (limits->target_p99_ns != 0 && cost_model_is_sure(basis->cost))
        return plan_for_target(limits, basis);
    return (struct batch_plan){.rows_max = limits->batch_rows_max,
                               .delay_ns = limits->delay_ns_max,
                               .idle_delay_ns = limits->idle_delay_ns_max};
}
