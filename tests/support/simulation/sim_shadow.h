/*
 * sim_shadow.h - what the batcher promises, checked against plain arrays at every step.
 *
 * The shadow is told what is asked and what the policy does, keeps its own account of who waits,
 * and breaks off at the first thing that is not as the headers say:
 *
 *   lives      every job has exactly one outcome; who waits, by queue, class, tenant and in all:
 *              jobs, rows, bytes, work
 *   admission  refused for rows, bytes, a deadline that has passed or a tenant's share exactly when
 *              it must be; for the time only when the model is sure, and never by an idle server
 *              that has twice the time
 *   batches    rows, predicted time and jobs within the plan, unless it is a single job; nobody who
 *              would have fitted is left; batches in flight; the plan within the limits
 *   order      earliest due first in a lane; what backlogged classes and tenants took, by their
 *              weights, differs by no more than a serving of each, over any interval; and so for
 *              the time that queues had which were ready all the time (this bounds how long
 *              anybody waits, so nobody starves)
 *   reasons    each batch left for the reason it says
 *   time       nobody runs at or past his deadline, expires at another time, or waits while a
 *              worker is free, unless he lingers and the timer is set for it;
 *              no timer is set for what does not happen then
 *   cost       coefficients stay finite, positive and in proportion
 */
#ifndef SIM_SHADOW_H
#define SIM_SHADOW_H

#include "sim_world.h"

/* Ends the program when there is no memory. */
struct sim_shadow *sim_shadow_create(const struct sim_world *world);
void sim_shadow_destroy(struct sim_shadow *shadow);

/* Before and after a job asks to get in. */
void sim_shadow_asked(struct sim_shadow *shadow, const struct sim_job *job);
void sim_shadow_answered(struct sim_shadow *shadow, struct sim_job *job, enum batcher_status st);

/* It was cancelled; or it was given up. */
void sim_shadow_removed(struct sim_shadow *shadow, struct sim_job *job);
void sim_shadow_given_up(struct sim_shadow *shadow, struct sim_job *job, enum batcher_status st);

/* Before and after a batch is sealed. run_ns is what it will take. */
void sim_shadow_chosen(struct sim_shadow *shadow, const struct batch_choice *choice);
void sim_shadow_sealed(struct sim_shadow *shadow, unsigned worker, const struct batch_run *run,
                       uint64_t run_ns);
void sim_shadow_finished(struct sim_shadow *shadow, unsigned queue, unsigned worker);

/* A life is over, whatever its outcome. */
void sim_shadow_ended(struct sim_shadow *shadow, const struct sim_job *job);

/* After every step; and when nobody should be left. */
void sim_shadow_check(struct sim_shadow *shadow);
void sim_shadow_check_end(struct sim_shadow *shadow);

#endif
