/*
 * sim_shadow.c - the account, and what must hold.
 */
#include "sim_shadow.h"
#include "sim_sharers.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Walking everything costs more than a step. */
#define WALK_STEPS 64

/* One for what happens then, some for the end of a simulation. */
#define STEPS_AT_ONCE_MAX 4

/* A linger that is cut short for a deadline leaves at most this to spare beside the batch, or that
 * part of the time. */
#define LATE_NS_MOST UINT64_C(1000000)
#define LATE_PART_MOST 16

/* One tenant's waiting jobs of one class. */
struct shadow_lane {
    struct sim_job **jobs; /* the latest due first, so that the next one is last */
    size_t count;
    size_t rows;
    uint64_t work;
};

struct shadow_queue {
    struct shadow_lane *lanes; /* by class and tenant */
    struct sim_sharers classes;
    struct sim_sharers tenants[BATCHER_CLASS_COUNT];
    size_t lanes_busy[BATCHER_CLASS_COUNT]; /* how many have jobs */
    struct sim_job *oldest;
    struct sim_job *newest;
    size_t jobs;
    size_t rows;
    size_t bytes;
    uint64_t work;
    size_t inflight;
    double inflight_ns; /* what its batches in flight take, or are believed to */
};

struct shadow_run {
    double counted_ns; /* of inflight_ns */
    uint64_t run_ns;
};

struct sim_shadow {
    const struct sim_world *world;
    struct shadow_queue *queues;
    struct shadow_run *runs;      /* by worker */
    struct sim_sharers time;      /* the workers', among queues */
    enum batcher_status expected; /* of the job that asks */
    bool idle;                    /* nothing waits or runs */
    uint64_t alive;
    uint64_t last_ns; /* when the last step was, and how many there were at that time */
    unsigned at_once;
};

#define CHECK(s, condition, ...)                                 \
    do {                                                         \
        if (!(condition))                                        \
            shadow_fail((s), __LINE__, #condition, __VA_ARGS__); \
    } while (0)

__attribute__((format(printf, 4, 5), noreturn)) static void
shadow_fail(const struct sim_shadow *s, int line, const char *condition, const char *format, ...)
{
    char why[160];
    char what[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    (void)snprintf(what, sizeof(what),
                   "sim_shadow.c:%d: %s: %s (seed %" PRIu64 ", step %" PRIu64 ", at %" PRIu64
                   " ns)",
                   line, condition, why, s->world->setup.seed, s->world->steps,
                   s->world->now_ns - s->world->start_ns);
    s->world->setup.broken(s->world->setup.ctx, what);
}

/* --- The account. */

static size_t lane_at(const struct sim_shadow *s, const struct sim_job *job)
{
    return job->base.class * s->world->setup.shares.tenants + job->base.tenant;
}

static struct shadow_lane *lane_of(struct sim_shadow *s, const struct sim_job *job)
{
    return &s->queues[job->queue].lanes[lane_at(s, job)];
}

/* The place of the last job that is due no earlier, plus one. */
static size_t place_for(const struct shadow_lane *lane, uint64_t due_ns)
{
    size_t low = 0;
    size_t high = lane->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (job_due_ns(&lane->jobs[middle]->base) >= due_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t place_of(const struct sim_shadow *s, const struct shadow_lane *lane,
                       const struct sim_job *job)
{
    size_t at = place_for(lane, job_due_ns(&job->base));
    while (at > 0 && lane->jobs[at - 1] != job)
        at--;
    CHECK(s, at > 0, "job %td did not wait", job - s->world->pool);
    return at - 1;
}

static void lane_insert(struct shadow_lane *lane, struct sim_job *job)
{
    const size_t at = place_for(lane, job_due_ns(&job->base));
    memmove(&lane->jobs[at + 1], &lane->jobs[at], (lane->count - at) * sizeof(*lane->jobs));
    lane->jobs[at] = job;
    lane->count++;
    lane->rows += job->base.rows;
    lane->work += job_work(&job->base);
}

static void lane_take_out(struct shadow_lane *lane, size_t at)
{
    const struct sim_job *job = lane->jobs[at];
    lane->rows -= job->base.rows;
    lane->work -= job_work(&job->base);
    lane->count--;
    memmove(&lane->jobs[at], &lane->jobs[at + 1], (lane->count - at) * sizeof(*lane->jobs));
}

static void list_append(struct shadow_queue *queue, struct sim_job *job)
{
    job->newer = NULL;
    job->older = queue->newest;
    if (queue->newest != NULL)
        queue->newest->newer = job;
    else
        queue->oldest = job;
    queue->newest = job;
}

static void list_remove(struct shadow_queue *queue, struct sim_job *job)
{
    if (job->older != NULL)
        job->older->newer = job->newer;
    else
        queue->oldest = job->newer;
    if (job->newer != NULL)
        job->newer->older = job->older;
    else
        queue->newest = job->older;
}

/* Who wants something changes with the first and the last job of a lane, and of a class. */
static void lane_wants(struct sim_shadow *s, const struct sim_job *job, bool wants)
{
    struct shadow_queue *queue = &s->queues[job->queue];
    const enum batcher_class class = job->base.class;
    queue->lanes_busy[class] += wants ? 1 : (size_t)-1;
    sim_sharers_want(&queue->tenants[class], job->base.tenant, wants);
    sim_sharers_want(&queue->classes, class, queue->lanes_busy[class] > 0);
}

static void take_in(struct sim_shadow *s, struct sim_job *job)
{
    struct shadow_queue *queue = &s->queues[job->queue];
    struct shadow_lane *lane = lane_of(s, job);
    lane_insert(lane, job);
    list_append(queue, job);
    queue->jobs++;
    queue->rows += job->base.rows;
    queue->bytes += job->base.bytes;
    queue->work += job_work(&job->base);
    if (lane->count == 1)
        lane_wants(s, job, true);
}

static void take_out(struct sim_shadow *s, struct sim_job *job)
{
    struct shadow_queue *queue = &s->queues[job->queue];
    struct shadow_lane *lane = lane_of(s, job);
    lane_take_out(lane, place_of(s, lane, job));
    list_remove(queue, job);
    queue->jobs--;
    queue->rows -= job->base.rows;
    queue->bytes -= job->base.bytes;
    queue->work -= job_work(&job->base);
    if (lane->count == 0)
        lane_wants(s, job, false);
}

/* --- Making one. */

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        abort();
    return memory;
}

static void make_sharers(struct shadow_queue *queue, const struct batcher_shares *shares)
{
    sim_sharers_init(&queue->classes, BATCHER_CLASS_COUNT, 0);
    for (size_t class = 0; class < BATCHER_CLASS_COUNT; class ++) {
        queue->classes.of[class].weight = shares->class_weights[class];
        sim_sharers_init(&queue->tenants[class], shares->tenants, 0);
        for (size_t tenant = 0; tenant < shares->tenants; tenant++)
            queue->tenants[class].of[tenant].weight = shares->tenant_weights[tenant];
    }
}

struct sim_shadow *sim_shadow_create(const struct sim_world *world)
{
    const struct sim_setup *setup = &world->setup;
    const size_t lanes = (size_t)BATCHER_CLASS_COUNT * setup->shares.tenants;
    struct sim_shadow *s = zeroed(1, sizeof(*s));
    s->world = world;
    s->queues = zeroed(setup->queues_count, sizeof(*s->queues));
    s->runs = zeroed(setup->workers, sizeof(*s->runs));
    sim_sharers_init(&s->time, setup->queues_count, 2.0 * QUEUE_LEAD_NS);
    for (size_t at = 0; at < setup->queues_count; at++) {
        s->time.of[at].weight = 1;
        s->queues[at].lanes = zeroed(lanes, sizeof(struct shadow_lane));
        for (size_t i = 0; i < lanes; i++)
            s->queues[at].lanes[i].jobs =
                zeroed(world->queue_setups[at].queue_rows_most + 1, sizeof(struct sim_job *));
        make_sharers(&s->queues[at], &setup->shares);
    }
    return s;
}

static void destroy_queue(struct shadow_queue *queue, size_t lanes)
{
    for (size_t i = 0; i < lanes; i++)
        free(queue->lanes[i].jobs);
    free(queue->lanes);
    sim_sharers_free(&queue->classes);
    for (size_t class = 0; class < BATCHER_CLASS_COUNT; class ++)
        sim_sharers_free(&queue->tenants[class]);
}

void sim_shadow_destroy(struct sim_shadow *s)
{
    if (s == NULL)
        return;
    const struct sim_setup *setup = &s->world->setup;
    for (size_t at = 0; at < setup->queues_count; at++)
        destroy_queue(&s->queues[at], (size_t)BATCHER_CLASS_COUNT * setup->shares.tenants);
    sim_sharers_free(&s->time);
    free(s->queues);
    free(s->runs);
    free(s);
}

/* --- Admission. */

static size_t class_rows(const struct sim_shadow *s, const struct shadow_queue *queue,
                         enum batcher_class class)
{
    const unsigned tenants = s->world->setup.shares.tenants;
    size_t rows = 0;
    for (unsigned tenant = 0; tenant < tenants; tenant++)
        rows += queue->lanes[class * tenants + tenant].rows;
    return rows;
}

static size_t tenant_rows(const struct sim_shadow *s, const struct shadow_queue *queue,
                          unsigned tenant)
{
    size_t rows = 0;
    for (size_t class = 0; class < BATCHER_CLASS_COUNT; class ++)
        rows += queue->lanes[class * s->world->setup.shares.tenants + tenant].rows;
    return rows;
}

/* As long as only room and the time that has passed count. */
static enum batcher_status judge(const struct sim_shadow *s, const struct sim_job *job)
{
    const struct batcher_queue_limits *limits = &s->world->queues[job->queue].limits;
    const struct shadow_queue *queue = &s->queues[job->queue];
    const struct batcher_job *base = &job->base;
    if (base->rows > limits->queue_rows_max || base->bytes > limits->queue_bytes_max)
        return BATCHER_TOO_LARGE;
    if (base->deadline_ns != 0 && s->world->now_ns >= base->deadline_ns)
        return BATCHER_EXPIRED;
    if (queue->rows + base->rows > limits->queue_rows_max ||
        queue->bytes + base->bytes > limits->queue_bytes_max)
        return BATCHER_FULL;
    const size_t rows_for_one = 2 * (limits->queue_rows_max - queue->rows);
    if (base->class == BATCHER_CLASS_BATCH &&
        class_rows(s, queue, base->class) + base->rows > rows_for_one)
        return BATCHER_FULL;
    if (s->world->setup.shares.tenants > 1 &&
        tenant_rows(s, queue, base->tenant) + base->rows > rows_for_one)
        return BATCHER_TENANT_FULL;
    return BATCHER_OK;
}

static bool is_idle(const struct sim_shadow *s)
{
    size_t busy = 0;
    for (size_t at = 0; at < s->world->setup.queues_count; at++)
        busy += s->queues[at].jobs + s->queues[at].inflight;
    return busy == 0;
}

void sim_shadow_asked(struct sim_shadow *s, const struct sim_job *job)
{
    s->expected = judge(s, job);
    s->idle = is_idle(s);
}

/* It may be late for its deadline or for the target: nobody can know, but some things are sure. */
static void check_refused_for_time(const struct sim_shadow *s, const struct sim_job *job,
                                   enum batcher_status st)
{
    const struct batch_queue *queue = &s->world->queues[job->queue];
    const uint64_t run_ns = cost_model_ns(&queue->cost, job_work(&job->base));
    CHECK(s, cost_model_is_sure(&queue->cost), "%s by an unsure model", batcher_status_str(st));
    if (st == BATCHER_UNMEETABLE) {
        const uint64_t left_ns = job->base.deadline_ns - s->world->now_ns;
        CHECK(s, job->base.deadline_ns != 0, "it has no deadline");
        CHECK(s, !queue->limits.admits_late, "late jobs are welcome here");
        CHECK(s, !s->idle || left_ns <= 2 * run_ns, "%" PRIu64 " ns for one of %" PRIu64, left_ns,
              run_ns);
    } else {
        CHECK(s, queue->limits.target_p99_ns != 0, "there is no target");
        CHECK(s, job->base.class == BATCHER_CLASS_INTERACTIVE, "the target is not for its class");
        CHECK(s, !s->idle || queue->limits.target_p99_ns <= 2 * run_ns,
              "refused while idle, target %" PRIu64 ", alone %" PRIu64, queue->limits.target_p99_ns,
              run_ns);
    }
}

void sim_shadow_answered(struct sim_shadow *s, struct sim_job *job, enum batcher_status st)
{
    if (s->expected == BATCHER_OK && (st == BATCHER_UNMEETABLE || st == BATCHER_OVERLOADED)) {
        check_refused_for_time(s, job, st);
        return;
    }
    CHECK(s, st == s->expected, "%s, expected %s", batcher_status_str(st),
          batcher_status_str(s->expected));
    if (st != BATCHER_OK)
        return;
    CHECK(s, job->life % 2 == 0, "job %td is admitted twice", job - s->world->pool);
    take_in(s, job);
    s->alive++;
}

/* --- Out without having run. */

void sim_shadow_removed(struct sim_shadow *s, struct sim_job *job)
{
    CHECK(s, job->base._state == BATCH_JOB_IDLE, "state %d", job->base._state);
    take_out(s, job);
}

void sim_shadow_given_up(struct sim_shadow *s, struct sim_job *job, enum batcher_status st)
{
    const uint64_t now_ns = s->world->now_ns;
    CHECK(s, job->base.status == st, "%s, expected %s", batcher_status_str(job->base.status),
          batcher_status_str(st));
    CHECK(s, job->base.finished_ns == now_ns && job->base.sealed_ns == 0, "wrong times");
    if (st == BATCHER_EXPIRED)
        CHECK(s, job->base.deadline_ns == now_ns, "expired %" PRIu64 " ns late",
              now_ns - job->base.deadline_ns);
    take_out(s, job);
}

void sim_shadow_ended(struct sim_shadow *s, const struct sim_job *job)
{
    CHECK(s, job->life % 2 == 1, "job %td has a second outcome", job - s->world->pool);
    s->alive--;
}

/* --- When a batch leaves. */

static uint64_t earliest_deadline_ns(const struct sim_shadow *s, const struct shadow_queue *queue)
{
    uint64_t earliest_ns = UINT64_MAX;
    const size_t lanes = (size_t)BATCHER_CLASS_COUNT * s->world->setup.shares.tenants;
    for (size_t i = 0; i < lanes; i++) {
        const struct shadow_lane *lane = &queue->lanes[i];
        size_t at = lane->count;
        while (at > 0 && lane->jobs[at - 1]->base.deadline_ns == 0)
            at--;
        if (at > 0 && lane->jobs[at - 1]->base.deadline_ns < earliest_ns)
            earliest_ns = lane->jobs[at - 1]->base.deadline_ns;
    }
    return earliest_ns;
}

static bool is_full(const struct sim_shadow *s, size_t at)
{
    const struct shadow_queue *queue = &s->queues[at];
    const struct batch_queue *real = &s->world->queues[at];
    return queue->rows >= real->plan.rows_max || queue->jobs >= s->world->setup.batch_jobs_max ||
           (real->plan.run_ns_max != 0 &&
            cost_model_ns(&real->cost, queue->work) >= real->plan.run_ns_max);
}

/* How long its oldest job waits for others, as things stand. */
static uint64_t linger_ns(const struct sim_shadow *s, size_t at)
{
    const struct batch_plan *plan = &s->world->queues[at].plan;
    return s->queues[at].inflight > 0 ? plan->delay_ns : plan->idle_delay_ns;
}

static bool has_waited(const struct sim_shadow *s, size_t at)
{
    return s->world->now_ns - s->queues[at].oldest->base.submitted_ns >= linger_ns(s, at);
}

/* Has something, and may send it. */
static bool may_go(const struct sim_shadow *s, size_t at)
{
    return s->queues[at].jobs > 0 &&
           s->queues[at].inflight < s->world->queues[at].limits.inflight_batches_max;
}

/* A free worker has no excuse to leave it alone. */
static bool must_go(const struct sim_shadow *s, size_t at)
{
    return may_go(s, at) && (s->world->policy.hurrying || is_full(s, at) || has_waited(s, at));
}

/* Its earliest deadline leaves no time to linger. */
static bool is_pressed(const struct sim_shadow *s, size_t at)
{
    const struct batch_queue *real = &s->world->queues[at];
    const uint64_t deadline_ns = earliest_deadline_ns(s, &s->queues[at]);
    if (deadline_ns == UINT64_MAX)
        return false;
    const uint64_t part_ns =
        (deadline_ns - s->queues[at].oldest->base.submitted_ns) / LATE_PART_MOST;
    const uint64_t spare_ns = part_ns > LATE_NS_MOST ? part_ns : LATE_NS_MOST;
    return s->world->now_ns + cost_model_reserve_ns(&real->cost, s->queues[at].work) + spare_ns >=
           deadline_ns;
}

static void check_reason(const struct sim_shadow *s, size_t at, enum batcher_reason reason)
{
    const bool full = is_full(s, at);
    const bool hurrying = s->world->policy.hurrying;
    const bool lingers = !full && !hurrying && linger_ns(s, at) > 0;
    bool right = false;
    switch (reason) {
    case BATCHER_REASON_SIZE:
        right = full;
        break;
    case BATCHER_REASON_IDLE:
        right = !full && !hurrying && !lingers;
        break;
    case BATCHER_REASON_TIMEOUT:
        right = lingers && has_waited(s, at);
        break;
    case BATCHER_REASON_DEADLINE:
        right = lingers && is_pressed(s, at);
        break;
    case BATCHER_REASON_DRAIN:
        right = !full && hurrying;
        break;
    case BATCHER_REASON_COUNT:
        break;
    }
    CHECK(s, right, "queue %zu sealed for %s", at, batcher_reason_str(reason));
}

/* Which queues have been ready for a worker since they were asked last. */
static void note_ready(struct sim_shadow *s)
{
    for (size_t at = 0; at < s->world->setup.queues_count; at++)
        sim_sharers_want(&s->time, at, must_go(s, at));
}

void sim_shadow_chosen(struct sim_shadow *s, const struct batch_choice *choice)
{
    const size_t at = (size_t)(choice->queue - s->world->queues);
    CHECK(s, s->queues[at].jobs > 0, "queue %zu is empty", at);
    CHECK(s, choice->batches > 0, "none is ready");
    check_reason(s, at, choice->reason);
    note_ready(s);
}

/* --- Batches. */

static void check_share(const struct sim_shadow *s, const struct sim_sharers *sharers,
                        struct sim_unfair unfair, size_t queue, const char *whose)
{
    CHECK(s, unfair.apart <= unfair.allowed,
          "queue %zu, %s %zu (weight %g) and %zu (weight %g) are %g apart, allowed %g", queue,
          whose, unfair.who, sharers->of[unfair.who].weight, unfair.other,
          sharers->of[unfair.other].weight, unfair.apart, unfair.allowed);
}

static void check_taken(struct sim_shadow *s, struct sim_job *job)
{
    const struct batcher_job *base = &job->base;
    struct shadow_queue *queue = &s->queues[job->queue];
    const struct shadow_lane *lane = lane_of(s, job);
    CHECK(s, lane->count > 0, "job %td did not wait", job - s->world->pool);
    CHECK(s, job_due_ns(base) == job_due_ns(&lane->jobs[lane->count - 1]->base),
          "not the earliest of its lane");
    CHECK(s, base->deadline_ns == 0 || base->deadline_ns > s->world->now_ns, "an expired job runs");
    CHECK(s, base->sealed_ns == s->world->now_ns && base->status == BATCHER_OK, "wrong stamps");
    const double work = (double)job_work(base);
    struct sim_sharers *tenants = &queue->tenants[base->class];
    check_share(s, tenants, sim_sharers_take(tenants, base->tenant, work), job->queue, "tenant");
    check_share(s, &queue->classes, sim_sharers_take(&queue->classes, base->class, work),
                job->queue, "class");
    take_out(s, job);
}

static void check_load(const struct sim_shadow *s, const struct sim_worker *worker,
                       const struct batch_load *load)
{
    struct batch_load sum = {.jobs = worker->count, .oldest_ns = UINT64_MAX};
    for (size_t i = 0; i < worker->count; i++) {
        const struct batcher_job *job = worker->jobs[i];
        sum.rows += job->rows;
        sum.work += job_work(job);
        if (job->submitted_ns < sum.oldest_ns)
            sum.oldest_ns = job->submitted_ns;
        CHECK(s, job->batch_jobs == load->jobs && job->batch_rows == load->rows, "wrong stamps");
    }
    CHECK(s, sum.rows == load->rows && sum.work == load->work && sum.oldest_ns == load->oldest_ns,
          "%zu rows, expected %zu", load->rows, sum.rows);
}

/* As large as it may be, and no larger. */
static void check_size(const struct sim_shadow *s, size_t at, const struct batch_load *load)
{
    const struct batch_queue *real = &s->world->queues[at];
    const uint64_t run_ns_max = real->plan.run_ns_max != 0 ? real->plan.run_ns_max : UINT64_MAX;
    CHECK(s, load->jobs >= 1 && load->jobs <= s->world->setup.batch_jobs_max, "%zu jobs",
          load->jobs);
    if (load->jobs > 1) {
        CHECK(s, load->rows <= real->plan.rows_max, "%zu rows of %zu", load->rows,
              real->plan.rows_max);
        CHECK(s, cost_model_ns(&real->cost, load->work) <= run_ns_max, "it takes too long");
    }
    const struct batcher_job *next = job_order_next(&real->order);
    if (next != NULL && load->jobs < s->world->setup.batch_jobs_max)
        CHECK(s,
              load->rows + next->rows > real->plan.rows_max ||
                  cost_model_ns(&real->cost, load->work + job_work(next)) > run_ns_max,
              "one more would have fitted");
}

void sim_shadow_sealed(struct sim_shadow *s, unsigned index, const struct batch_run *run,
                       uint64_t run_ns)
{
    const struct sim_worker *worker = &s->world->workers[index];
    const size_t at = worker->queue;
    struct shadow_queue *queue = &s->queues[at];
    check_load(s, worker, &run->load);
    check_size(s, at, &run->load);
    for (size_t i = 0; i < worker->count; i++)
        check_taken(s, (struct sim_job *)worker->jobs[i]);
    queue->inflight++;
    CHECK(s, queue->inflight <= s->world->queues[at].limits.inflight_batches_max, "%zu in flight",
          queue->inflight);
    s->runs[index] = (struct shadow_run){
        .counted_ns = (double)(run->predicted_ns > run_ns ? run->predicted_ns : run_ns),
        .run_ns = run_ns};
    queue->inflight_ns += s->runs[index].counted_ns;
    /* Until they have run, what its batches take is known by prediction only. */
    if (4 * queue->inflight_ns > s->time.of[at].serving)
        s->time.of[at].serving = 4 * queue->inflight_ns;
    check_share(s, &s->time, sim_sharers_take(&s->time, at, (double)run_ns), at, "queue");
}

static void check_cost(const struct sim_shadow *s, const struct cost_model *cost)
{
    CHECK(s, isfinite(cost->one_ns) && cost->one_ns >= 1, "one takes %g", cost->one_ns);
    CHECK(s, cost->full_ns >= cost->one_ns, "%g for all, %g for one", cost->full_ns, cost->one_ns);
    CHECK(s, cost->full_ns <= cost->one_ns * cost->full * (1 + 1e-9), "%g for all, %g for one",
          cost->full_ns, cost->one_ns);
    CHECK(s, isfinite(cost->error) && cost->error > 0 && cost->error <= 8, "error %g", cost->error);
}

void sim_shadow_finished(struct sim_shadow *s, unsigned queue, unsigned worker)
{
    CHECK(s, s->queues[queue].inflight > 0, "nothing ran");
    s->queues[queue].inflight--;
    s->queues[queue].inflight_ns -= s->runs[worker].counted_ns;
    check_cost(s, &s->world->queues[queue].cost);
}

/* --- After every step. */

static bool is_job(const struct sim_job *mine, const struct batcher_job *real)
{
    return mine != NULL ? &mine->base == real : real == NULL;
}

static void check_counts(const struct sim_shadow *s, size_t at)
{
    const struct shadow_queue *queue = &s->queues[at];
    const struct batch_queue *real = &s->world->queues[at];
    CHECK(s, real->jobs == queue->jobs, "%zu, expected %zu", real->jobs, queue->jobs);
    CHECK(s, real->rows == queue->rows, "%zu, expected %zu", real->rows, queue->rows);
    CHECK(s, real->bytes == queue->bytes, "%zu, expected %zu", real->bytes, queue->bytes);
    CHECK(s, real->work == queue->work, "%" PRIu64 ", expected %" PRIu64, real->work, queue->work);
    CHECK(s, real->inflight_batches == queue->inflight, "%zu, expected %zu", real->inflight_batches,
          queue->inflight);
    CHECK(s, is_job(queue->oldest, real->oldest), "another is the oldest");
    CHECK(s, is_job(queue->newest, real->newest), "another is the newest");
}

static void check_plan(const struct sim_shadow *s, size_t at)
{
    const struct batch_queue *real = &s->world->queues[at];
    const struct batcher_queue_limits *limits = &real->limits;
    CHECK(s, real->plan.rows_max >= 1 && real->plan.rows_max <= limits->batch_rows_max,
          "%zu rows planned of %zu", real->plan.rows_max, limits->batch_rows_max);
    if (limits->target_p99_ns == 0)
        CHECK(s,
              real->plan.rows_max == limits->batch_rows_max &&
                  real->plan.delay_ns == limits->delay_ns_max &&
                  real->plan.idle_delay_ns == limits->idle_delay_ns_max &&
                  real->plan.run_ns_max == 0,
              "without a target the limits hold");
    else
        CHECK(s,
              real->plan.delay_ns <= limits->target_p99_ns ||
                  real->plan.delay_ns == limits->delay_ns_max,
              "lingers %" PRIu64 " ns", real->plan.delay_ns);
}

static void walk_lane(const struct sim_shadow *s, size_t at, size_t i)
{
    const unsigned tenants = s->world->setup.shares.tenants;
    const struct shadow_lane *lane = &s->queues[at].lanes[i];
    const struct job_lane *real =
        &s->world->queues[at].order.classes[i / tenants].lanes[i % tenants];
    CHECK(s, real->rows == lane->rows, "%zu rows, expected %zu", real->rows, lane->rows);
    CHECK(s, real->work == lane->work, "%" PRIu64 ", expected %" PRIu64, real->work, lane->work);
    for (size_t n = 0; n < lane->count; n++) {
        const struct sim_job *job = lane->jobs[n];
        CHECK(s, job->life % 2 == 1 && job->base._state == BATCH_JOB_QUEUED, "place %zu", n);
        CHECK(s, n == 0 || job_due_ns(&lane->jobs[n - 1]->base) >= job_due_ns(&job->base),
              "place %zu", n);
        CHECK(s, real->latest_ns >= job_due_ns(&job->base), "one is later than the latest");
    }
}

static void walk_queue(const struct sim_shadow *s, size_t at)
{
    const size_t lanes = (size_t)BATCHER_CLASS_COUNT * s->world->setup.shares.tenants;
    for (size_t i = 0; i < lanes; i++)
        walk_lane(s, at, i);
    const struct batcher_job *job = s->world->queues[at].oldest;
    for (const struct sim_job *mine = s->queues[at].oldest; mine != NULL; mine = mine->newer) {
        CHECK(s, job == &mine->base, "another order of arrival");
        job = job->_next;
    }
    CHECK(s, job == NULL, "more jobs than were admitted");
    const uint64_t told_ns = batch_queue_deadline_ns(&s->world->queues[at]);
    const uint64_t earliest_ns = earliest_deadline_ns(s, &s->queues[at]);
    CHECK(s, (told_ns != 0 ? told_ns : UINT64_MAX) == earliest_ns,
          "earliest deadline %" PRIu64 ", expected %" PRIu64, told_ns, earliest_ns);
}

/* A worker is free: nothing is ready, and what lingers has a timer that is not late. */
static void check_nobody_waits_for_nothing(const struct sim_shadow *s, size_t at)
{
    CHECK(s, !must_go(s, at), "queue %zu waits for a free worker", at);
    if (!may_go(s, at))
        return;
    const uint64_t begun_ns = s->queues[at].oldest->base.submitted_ns;
    const uint64_t timer_ns = s->world->linger_ns;
    CHECK(s, timer_ns > s->world->now_ns && timer_ns - begun_ns <= linger_ns(s, at),
          "queue %zu lingers for %" PRIu64 " from %" PRIu64 ", the timer is at %" PRIu64, at,
          linger_ns(s, at), begun_ns, timer_ns);
}

static bool has_free_worker(const struct sim_world *w)
{
    for (unsigned i = 0; i < w->setup.workers; i++)
        if (w->workers[i].count == 0)
            return true;
    return false;
}

/* Whoever asks to be called now and now again does not do what it is called for. */
static void check_time_passes(struct sim_shadow *s)
{
    s->at_once = s->world->now_ns == s->last_ns ? s->at_once + 1 : 1;
    s->last_ns = s->world->now_ns;
    CHECK(s, s->at_once <= STEPS_AT_ONCE_MAX, "time stands still");
}

static void check_outcomes(const struct sim_shadow *s)
{
    const struct sim_outcomes *o = &s->world->outcomes;
    uint64_t sum = o->finished + o->expired + o->cancelled + o->stopped + s->alive;
    for (size_t st = 0; st < BATCHER_STATUS_COUNT; st++)
        sum += o->refused[st];
    CHECK(s, sum == o->tried, "%" PRIu64 " tried, %" PRIu64 " are accounted for", o->tried, sum);
}

void sim_shadow_check(struct sim_shadow *s)
{
    const bool walk = s->world->steps % WALK_STEPS == 0;
    const bool is_free = has_free_worker(s->world);
    for (size_t at = 0; at < s->world->setup.queues_count; at++) {
        check_counts(s, at);
        check_plan(s, at);
        if (is_free)
            check_nobody_waits_for_nothing(s, at);
        if (walk)
            walk_queue(s, at);
    }
    note_ready(s);
    check_outcomes(s);
    check_time_passes(s);
}

void sim_shadow_check_end(struct sim_shadow *s)
{
    sim_shadow_check(s);
    CHECK(s, s->alive == 0, "%" PRIu64 " jobs wait for ever", s->alive);
    CHECK(s, is_idle(s), "something is left");
}
