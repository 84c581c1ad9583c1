/*
 * experiment_batches.c - whether batches are full when there is enough to fill them.
 */
#include "experiment.h"

#include <stdio.h>

#define WARM_S 1.0
#define OVERLOAD 1.5

/* One queue with always more waiting than a batch takes. */
static double mean_at_saturation(const struct experiment *e)
{
    const struct one_queue one = experiment_one_queue(e, OVERLOAD * experiment_capacity(e));
    const struct sim_setup setup = experiment_setup(e, &one.queue, 1, &one.flow, 1);
    return experiment_run(e, &setup, WARM_S).batch_rows;
}

/* Jobs of two shapes come in turns, A, B, A, B: two queues that each get half of them. */
static double mean_of_alternating(const struct experiment *e)
{
    const struct one_queue one = experiment_one_queue(e, OVERLOAD * experiment_capacity(e) / 2);
    const struct sim_queue_setup queues[2] = {one.queue, one.queue};
    struct sim_flow_setup flows[2] = {one.flow, one.flow};
    flows[1].queue = 1;
    const struct sim_setup setup = experiment_setup(e, queues, 2, flows, 2);
    return experiment_run(e, &setup, WARM_S).batch_rows;
}

static bool report(const char *what, double mean, double most, double goal)
{
    printf("| %-24s | %6.2f | %.3f | %.2f | %s |\n", what, mean, mean / most, goal,
           mean >= goal * most ? "met" : "MISSED");
    return mean >= goal * most;
}

bool experiment_batches(const struct experiment *e)
{
    const double most = (double)e->batch_rows_max;
    printf("\n## Batches while there is enough for them (%.1f times the capacity, maximum %zu)\n\n"
           "| | mean | of the maximum | goal | |\n|---|---|---|---|---|\n",
           OVERLOAD, e->batch_rows_max);
    const bool saturated = report("one queue", mean_at_saturation(e), most, 0.95);
    return report("two shapes in turns", mean_of_alternating(e), most, 0.9) && saturated;
}
