/*
 * sim_world.c - time, and what happens in it.
 */
#include "sim_world.h"
#include "sim_shadow.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9

/* Not zero, so that a time of 0 stays special. */
#define START_NS UINT64_C(1000000000)

/* Streams of chance; flows have those from FLOWS on. */
enum {
    STREAM_SERVICE,
    STREAM_CHANGES,
    STREAM_FLOWS
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL)
        abort();
    return memory;
}

/* --- What batches take. */

static double exact_ns(const struct sim_curve *curve, uint64_t work)
{
    return curve->fixed_ns + curve->unit_ns * (double)work;
}

static uint64_t draw_run_ns(struct sim_world *w, const struct sim_curve *curve, uint64_t work)
{
    double factor = 1 + curve->noise * sim_draw_normal(&w->service);
    if (curve->outlier_chance > 0 && sim_draw_chance(&w->service, curve->outlier_chance))
        factor *= curve->outlier_factor;
    return 1 + (uint64_t)(exact_ns(curve, work) * factor);
}

/* As a server at its start, which times a batch of one and a full one. */
static void warm_up(struct sim_world *w, size_t at)
{
    const struct sim_queue_setup *setup = &w->queue_setups[at];
    const uint64_t full = setup->full_work > 0 ? setup->full_work : setup->limits.batch_rows_max;
    const struct batcher_cost_seed seed = {.small_work = 1,
                                           .small_ns = draw_run_ns(w, &setup->curve, 1),
                                           .large_work = full,
                                           .large_ns = draw_run_ns(w, &setup->curve, full)};
    batch_queue_seed_cost(&w->queues[at], &seed);
}

/* --- Making one. */

static size_t lanes_per_queue(const struct sim_setup *setup)
{
    return (size_t)BATCHER_CLASS_COUNT * setup->shares.tenants;
}

static void make_queues(struct sim_world *w)
{
    const struct sim_setup *setup = &w->setup;
    for (size_t at = 0; at < setup->queues_count; at++) {
        const struct batch_queue_setup queue = {.limits = w->queue_setups[at].limits,
                                                .shares = setup->shares,
                                                .batch_jobs_max = setup->batch_jobs_max,
                                                .full_work = w->queue_setups[at].full_work,
                                                .workers = setup->workers,
                                                .lanes = w->lanes + at * lanes_per_queue(setup)};
        batch_queue_init(&w->queues[at], &queue);
        batch_policy_add(&w->policy, &w->queues[at]);
        if (setup->warm)
            warm_up(w, at);
    }
}

static void make_workers(struct sim_world *w)
{
    for (unsigned i = 0; i < w->setup.workers; i++)
        w->workers[i].jobs = zeroed(w->setup.batch_jobs_max, sizeof(struct batcher_job *));
}

/* Every job has a row, so no more can wait than rows. */
static void make_jobs(struct sim_world *w)
{
    size_t count = 1 + w->setup.workers * w->setup.batch_jobs_max;
    for (size_t at = 0; at < w->setup.queues_count; at++)
        count += w->queue_setups[at].queue_rows_most;
    w->pool = zeroed(count, sizeof(*w->pool));
    for (size_t i = count; i-- > 0;) {
        w->pool[i].free_next = w->pool_free;
        w->pool_free = &w->pool[i];
    }
}

static void schedule_arrival(struct sim_world *w, unsigned flow)
{
    struct sim_flow *from = &w->flows[flow];
    const struct sim_event event = {.at_ns = sim_flow_next_ns(from, w->start_ns, w->now_ns),
                                    .life = from->life,
                                    .kind = SIM_EVENT_ARRIVAL,
                                    .index = flow};
    if (event.at_ns != UINT64_MAX)
        sim_events_add(&w->events, &event);
}

static void schedule_change(struct sim_world *w)
{
    if (w->setup.changes_per_s <= 0)
        return;
    const double gap_s = sim_draw_exponential(&w->changes, 1 / w->setup.changes_per_s);
    const struct sim_event event = {.at_ns = w->now_ns + 1 + (uint64_t)(gap_s * NS_PER_S),
                                    .kind = SIM_EVENT_LIMITS};
    sim_events_add(&w->events, &event);
}

static void make_flows(struct sim_world *w)
{
    for (unsigned i = 0; i < w->setup.flows_count; i++) {
        w->flows[i] = sim_flow_from(&w->setup.flows[i], w->setup.seed, STREAM_FLOWS + i);
        schedule_arrival(w, i);
    }
    schedule_change(w);
}

struct sim_world *sim_world_create(const struct sim_setup *setup)
{
    struct sim_world *w = zeroed(1, sizeof(*w));
    const size_t queues = setup->queues_count;
    w->setup = *setup;
    w->queue_setups = zeroed(queues, sizeof(*w->queue_setups));
    memcpy(w->queue_setups, setup->queues, queues * sizeof(*w->queue_setups));
    w->queues = zeroed(queues, sizeof(*w->queues));
    w->pointers = zeroed(queues, sizeof(*w->pointers));
    w->queue_stats = zeroed(queues, sizeof(*w->queue_stats));
    w->lanes = zeroed(queues * lanes_per_queue(setup), sizeof(*w->lanes));
    w->runs = zeroed(setup->workers, sizeof(*w->runs));
    w->workers = zeroed(setup->workers, sizeof(*w->workers));
    w->flows = zeroed(setup->flows_count, sizeof(*w->flows));
    w->flow_stats = zeroed(setup->flows_count, sizeof(*w->flow_stats));
    w->service = sim_random_from(setup->seed, STREAM_SERVICE);
    w->changes = sim_random_from(setup->seed, STREAM_CHANGES);
    w->start_ns = w->now_ns = w->measured_ns = START_NS;
    batch_policy_init(&w->policy, w->pointers, w->runs, setup->workers);
    make_queues(w);
    make_workers(w);
    make_jobs(w);
    make_flows(w);
    w->shadow = setup->checked ? sim_shadow_create(w) : NULL;
    return w;
}

void sim_world_destroy(struct sim_world *w)
{
    if (w == NULL)
        return;
    sim_shadow_destroy(w->shadow);
    sim_events_free(&w->events);
    for (unsigned i = 0; i < w->setup.workers; i++)
        free(w->workers[i].jobs);
    free(w->pool);
    free(w->flow_stats);
    free(w->flows);
    free(w->workers);
    free(w->runs);
    free(w->lanes);
    free(w->queue_stats);
    free(w->pointers);
    free(w->queues);
    free(w->queue_setups);
    free(w);
}

/* --- Lives begin and end. */

static bool is_measured(const struct sim_world *w, const struct batcher_job *job)
{
    return job->submitted_ns >= w->measured_ns;
}

static void begin_life(struct sim_world *w, struct sim_job *job)
{
    w->pool_free = job->free_next;
    job->life++;
    w->alive++;
    const uint64_t after_ns = sim_flow_cancel_after_ns(&w->flows[job->flow]);
    if (after_ns == 0)
        return;
    const struct sim_event event = {.at_ns = w->now_ns + after_ns,
                                    .life = job->life,
                                    .kind = SIM_EVENT_CANCEL,
                                    .index = (unsigned)(job - w->pool)};
    sim_events_add(&w->events, &event);
}

static void end_life(struct sim_world *w, struct sim_job *job)
{
    if (w->shadow != NULL)
        sim_shadow_ended(w->shadow, job);
    job->life++;
    job->free_next = w->pool_free;
    w->pool_free = job;
    w->alive--;
}

static void arrive_one(struct sim_world *w, unsigned flow)
{
    struct sim_job *job = w->pool_free;
    struct batcher_job *base = &job->base;
    job->flow = flow;
    job->queue = sim_flow_draw(&w->flows[flow], w->now_ns, base);
    if (w->shadow != NULL)
        sim_shadow_asked(w->shadow, job);
    const enum batcher_status st =
        batch_policy_admit(&w->policy, &w->queues[job->queue], base, w->now_ns);
    if (w->shadow != NULL)
        sim_shadow_answered(w->shadow, job, st);
    w->outcomes.tried++;
    w->flow_stats[flow].outcomes.tried++;
    if (st == BATCHER_OK) {
        begin_life(w, job);
    } else {
        w->outcomes.refused[st]++;
        w->flow_stats[flow].outcomes.refused[st]++;
    }
}

static void arrive(struct sim_world *w, const struct sim_event *event)
{
    struct sim_flow *flow = &w->flows[event->index];
    if (event->life != flow->life)
        return;
    for (size_t left = sim_flow_count(flow); left > 0; left--)
        arrive_one(w, event->index);
    schedule_arrival(w, event->index);
}

static void cancel(struct sim_world *w, const struct sim_event *event)
{
    struct sim_job *job = &w->pool[event->index];
    if (event->life != job->life || job->base._state != BATCH_JOB_QUEUED)
        return;
    batch_queue_remove(&w->queues[job->queue], &job->base);
    if (w->shadow != NULL)
        sim_shadow_removed(w->shadow, job);
    w->outcomes.cancelled++;
    w->flow_stats[job->flow].outcomes.cancelled += is_measured(w, &job->base);
    end_life(w, job);
}

static void expire_list(struct sim_world *w, struct batcher_job *list)
{
    while (list != NULL) {
        struct sim_job *job = (struct sim_job *)list;
        list = list->next;
        if (w->shadow != NULL)
            sim_shadow_given_up(w->shadow, job, BATCHER_EXPIRED);
        w->outcomes.expired++;
        w->flow_stats[job->flow].outcomes.expired += is_measured(w, &job->base);
        end_life(w, job);
    }
}

static void abandon_list(struct sim_world *w, struct batcher_job *list)
{
    while (list != NULL) {
        struct sim_job *job = (struct sim_job *)list;
        list = list->next;
        if (w->shadow != NULL)
            sim_shadow_given_up(w->shadow, job, BATCHER_STOPPING);
        w->outcomes.stopped++;
        w->flow_stats[job->flow].outcomes.stopped += is_measured(w, &job->base);
        end_life(w, job);
    }
}

static void expire(struct sim_world *w)
{
    for (size_t at = 0; at < w->setup.queues_count; at++)
        expire_list(w, batch_queue_expire(&w->queues[at], w->now_ns));
}

static void change_limits(struct sim_world *w)
{
    const size_t at = sim_draw(&w->changes, w->setup.queues_count);
    const struct batcher_queue_limits limits = w->setup.draw_limits(&w->changes);
    batch_queue_set_limits(&w->queues[at], &limits, w->now_ns);
    schedule_change(w);
}

/* --- Workers. */

static void count_result(struct sim_world *w, const struct sim_job *job)
{
    struct sim_flow_stats *stats = &w->flow_stats[job->flow];
    w->outcomes.finished++;
    stats->rows += job->base.rows;
    if (!is_measured(w, &job->base))
        return;
    const uint64_t latency_ns = w->now_ns - job->base.submitted_ns;
    sim_histogram_add(&stats->latency, latency_ns);
    stats->outcomes.finished++;
    stats->in_time += latency_ns <= w->in_time_ns;
}

static void finish(struct sim_world *w, unsigned index)
{
    struct sim_worker *worker = &w->workers[index];
    batch_policy_finish(&w->policy, index, w->now_ns, 0);
    if (w->shadow != NULL)
        sim_shadow_finished(w->shadow, worker->queue, index);
    for (size_t i = 0; i < worker->count; i++) {
        struct sim_job *job = (struct sim_job *)worker->jobs[i];
        count_result(w, job);
        end_life(w, job);
    }
    worker->count = 0;
}

static void count_batch(struct sim_world *w, const struct batch_run *run, size_t at,
                        uint64_t run_ns)
{
    struct sim_queue_stats *stats = &w->queue_stats[at];
    stats->batches++;
    stats->rows += run->load.rows;
    stats->reasons[run->reason]++;
    stats->run_ns += (double)run_ns;
}

static void start_batch(struct sim_world *w, unsigned index, const struct batch_choice *choice)
{
    struct sim_worker *worker = &w->workers[index];
    const size_t at = (size_t)(choice->queue - w->queues);
    if (w->shadow != NULL)
        sim_shadow_chosen(w->shadow, choice);
    const struct batch_run run =
        batch_policy_seal(&w->policy, choice, index, w->now_ns, worker->jobs);
    const uint64_t run_ns = draw_run_ns(w, &w->queue_setups[at].curve, run.load.work);
    worker->count = run.load.jobs;
    worker->queue = (unsigned)at;
    if (w->shadow != NULL)
        sim_shadow_sealed(w->shadow, index, &run, run_ns);
    count_batch(w, &run, at, run_ns);
    const struct sim_event event = {
        .at_ns = w->now_ns + run_ns, .kind = SIM_EVENT_FINISH, .index = index};
    sim_events_add(&w->events, &event);
}

static bool find_free_worker(const struct sim_world *w, unsigned *index)
{
    for (unsigned i = 0; i < w->setup.workers; i++) {
        if (w->workers[i].count == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static void start_batches(struct sim_world *w)
{
    unsigned index;
    w->linger_ns = 0;
    while (find_free_worker(w, &index)) {
        const struct batch_choice choice =
            batch_policy_choose(&w->policy, BATCH_SCOPE_ALL, w->now_ns);
        w->linger_ns = choice.at_ns;
        if (choice.queue == NULL)
            return;
        start_batch(w, index, &choice);
    }
    w->linger_ns = 0; /* Nobody is free to take what would be ready then. */
}

/* --- Time. */

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return b_ns != 0 && b_ns < a_ns ? b_ns : a_ns;
}

/* UINT64_MAX: nothing will happen any more. */
static uint64_t next_ns(const struct sim_world *w)
{
    uint64_t at_ns = earlier(sim_events_next_ns(&w->events), w->linger_ns);
    for (size_t at = 0; at < w->setup.queues_count; at++)
        at_ns = earlier(at_ns, batch_queue_deadline_ns(&w->queues[at]));
    return at_ns;
}

static void happen(struct sim_world *w, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_EVENT_ARRIVAL:
        arrive(w, event);
        break;
    case SIM_EVENT_FINISH:
        finish(w, event->index);
        break;
    case SIM_EVENT_CANCEL:
        cancel(w, event);
        break;
    case SIM_EVENT_LIMITS:
        change_limits(w);
        break;
    }
}

static void step(struct sim_world *w, uint64_t now_ns)
{
    struct sim_event event;
    w->now_ns = now_ns;
    w->steps++;
    while (sim_events_take(&w->events, now_ns, &event))
        happen(w, &event);
    expire(w);
    start_batches(w);
    if (w->shadow != NULL)
        sim_shadow_check(w->shadow);
}

void sim_world_run_until(struct sim_world *w, uint64_t after_ns)
{
    const uint64_t until_ns = w->start_ns + after_ns;
    for (uint64_t at_ns = next_ns(w); at_ns <= until_ns; at_ns = next_ns(w))
        step(w, at_ns);
    w->now_ns = until_ns;
}

void sim_world_run_jobs(struct sim_world *w, uint64_t tried)
{
    for (uint64_t at_ns = next_ns(w); w->outcomes.tried < tried && at_ns != UINT64_MAX;
         at_ns = next_ns(w))
        step(w, at_ns);
}

void sim_world_end(struct sim_world *w, bool abandon)
{
    for (unsigned i = 0; i < w->setup.flows_count; i++)
        w->flows[i].life++;
    w->setup.changes_per_s = 0;
    w->policy.hurrying = true;
    for (size_t at = 0; abandon && at < w->setup.queues_count; at++)
        abandon_list(w, batch_queue_abandon(&w->queues[at], w->now_ns));
    step(w, w->now_ns);
    for (uint64_t at_ns = next_ns(w); w->alive > 0 && at_ns != UINT64_MAX; at_ns = next_ns(w))
        step(w, at_ns);
    if (w->shadow != NULL)
        sim_shadow_check_end(w->shadow);
}

/* --- Measuring. */

void sim_world_measure(struct sim_world *w)
{
    w->measured_ns = w->now_ns;
    memset(w->flow_stats, 0, w->setup.flows_count * sizeof(*w->flow_stats));
    memset(w->queue_stats, 0, w->setup.queues_count * sizeof(*w->queue_stats));
}

double sim_world_measured_s(const struct sim_world *w)
{
    return (double)(w->now_ns - w->measured_ns) / NS_PER_S;
}

void sim_world_set_rate(struct sim_world *w, unsigned flow, double jobs_per_s)
{
    w->flows[flow].setup.jobs_per_s = jobs_per_s;
    w->flows[flow].life++;
    schedule_arrival(w, flow);
}
