/*
 * sweep_plan.h - which rate comes next, and where the knee is.
 *
 *   Purity     no I/O and no clock: rates go out, verdicts come in.
 *
 * A sweep without bounds knows the throughput of a closed loop, the capacity. Its rates go
 * from a tenth of that upwards, closer to each other towards the end, and on by tenths
 * beyond it, as batching servers do more in an open loop. Moments of noise are no verdict:
 * a step that fails is repeated once, and it takes two rates in a row that failed twice to
 * end the climb; a rate that follows clears those below it. Then what lies between the best
 * rate and the lowest above it that failed is halved until the knee is known to 5 %.
 *
 * A sweep with bounds has even steps between them, and ends with them or with the climb.
 */
#ifndef SWEEP_PLAN_H
#define SWEEP_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "measure.h"

enum sweep_verdict {
    SWEEP_FOLLOWS, /* the server does what is asked of it */
    SWEEP_SLOW,    /* so it does, but latencies are no longer those of an idle server */
    SWEEP_BEHIND,  /* its throughput no longer follows the rate */
};

enum {
    SWEEP_STEPS_MAX = 200,
    SWEEP_STEPS_DEFAULT = 11,
};

/* How a step is judged.
 *
 *   with an SLO     it follows when at least 99 % of what was due was answered 2xx within it
 *   without one     when throughput is at least 98 % of what was due (or lacks but three
 *                   requests, which may still be under way), and p99 is at most ten
 *                   times the lowest of the steps before; the p99 of a step in which the client
 *                   itself was late says nothing of the server, and is not looked at
 */
struct sweep_rules {
    bool slo;
    double lowest_p99_ns; /* NAN: none yet */
};

enum sweep_verdict sweep_judge(const struct sweep_rules *rules, const struct measurement *figures);

struct sweep_bounds {
    double capacity; /* of the closed loop; 0: from and to are given */
    double from;
    double to;
    size_t steps; /* 0: SWEEP_STEPS_DEFAULT */
};

struct sweep_plan {
    double knee; /* the highest rate that was followed; 0: none */

    struct sweep_bounds _bounds;
    double _rate;   /* of the step under way */
    double _failed; /* the lowest rate above the knee that failed twice; 0: none */
    size_t _failed_in_a_row;
    size_t _step;
    size_t _halvings;
    bool _repeating;
    bool _over;
};

void sweep_plan_init(struct sweep_plan *plan, const struct sweep_bounds *bounds);
/* False when the sweep is over. */
bool sweep_plan_next(struct sweep_plan *plan, double *out_rate);
/* What the step came to that sweep_plan_next() told. */
void sweep_plan_note(struct sweep_plan *plan, enum sweep_verdict verdict);
/* Whether the step under way is one that failed before. */
bool sweep_plan_repeats(const struct sweep_plan *plan);
/* Whether a rate above the knee has failed: else the knee is but a lower bound. */
bool sweep_plan_has_failed(const struct sweep_plan *plan);

/* The knee of closed loops: the fewest connections (an index) whose throughput is at least 95 % of
 * the highest, of those that keep an SLO if there is one; `count` when none does. */
size_t sweep_knee_of_connections(const struct measurement *steps, size_t count, bool slo);

#endif
