/*
 * Random lives of jobs under the policy, with a virtual clock: queues, workers, cancellations,
 * deadlines and limits that change, all drawn from a seed. Beside every queue runs a shadow, a
 * plain array of what waits; after every step the policy must agree with what the shadow says.
 *
 *   JITNEY_SEED   the first scenario's seed (each of the next ones has the next number)
 *   JITNEY_JOBS   how many jobs in all
 *
 * A failure prints both, so that the scenario alone replays.
 */
#include "batch_policy.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

enum {
    QUEUES_MAX = 6,
    WORKERS_MAX = 5,
    BATCH_JOBS_MAX = 24,
    QUEUE_ROWS_MAX = 400, /* every job has a row, so no more wait */
    POOL_JOBS = QUEUES_MAX * QUEUE_ROWS_MAX + WORKERS_MAX * BATCH_JOBS_MAX + 1,
    SCENARIO_JOBS = 10000,
    JOBS_DEFAULT = 2000000,
    FULL_CHECK_STEPS = 64, /* walking every queue costs more than a step */
};

struct sim_job {
    struct batcher_job base; /* first: a batcher_job is cast to it */
    struct sim_job *next_free;
    bool alive; /* submitted, and without an outcome */
};

struct shadow {
    struct sim_job *waiting[QUEUE_ROWS_MAX];
    size_t count;
    size_t rows;
    size_t bytes;
    size_t inflight;
    double fixed_ns; /* the cost curve of its batches */
    double row_ns;
};

struct sim_worker {
    bool busy;
    size_t queue;
    struct batcher_job *jobs[BATCH_JOBS_MAX];
    struct batch_times times;
};

struct outcomes {
    uint64_t tried;
    uint64_t refused;
    uint64_t finished;
    uint64_t expired;
    uint64_t cancelled;
    uint64_t stopped;
};

struct world {
    uint64_t seed;
    uint64_t random;
    uint64_t now_ns;
    bool draining;
    uint64_t steps;
    uint64_t alive;

    double gap_ns; /* mean, between bursts */
    uint64_t burst_max;
    double deadline_chance;
    double deadline_mean_ns;
    double cancel_chance;
    double limits_chance;
    uint64_t arrival_ns;
    uint64_t linger_ns; /* when a free worker's timer fires; 0: never */

    size_t queues_count;
    size_t workers_count;
    struct batch_queue queues[QUEUES_MAX];
    struct batch_queue *pointers[QUEUES_MAX];
    struct shadow shadows[QUEUES_MAX];
    struct sim_worker workers[WORKERS_MAX];
    struct sim_job pool[POOL_JOBS];
    struct sim_job *free_jobs;
    struct outcomes outcomes;
};

#define CHECK(w, condition, ...)                              \
    do {                                                      \
        if (!(condition))                                     \
            sim_fail((w), __LINE__, #condition, __VA_ARGS__); \
    } while (0)

__attribute__((format(printf, 4, 5))) static void
sim_fail(const struct world *w, int line, const char *condition, const char *format, ...)
{
    char what[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    fail_msg("line %d: %s: %s (step %" PRIu64 ", replay with JITNEY_SEED=%" PRIu64
             " JITNEY_JOBS=%d)",
             line, condition, what, w->steps, w->seed, SCENARIO_JOBS);
}

/* --- Chance. */

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random * UINT64_C(0x2545F4914F6CDD1D) >> 11) % below;
}

static double draw_unit(struct world *w)
{
    return ((double)draw(w, 1U << 24) + 1) / (double)(1U << 24);
}

static bool draw_chance(struct world *w, double chance)
{
    return draw_unit(w) <= chance;
}

static uint64_t draw_exponential(struct world *w, double mean)
{
    return 1 + (uint64_t)(-log(draw_unit(w)) * mean);
}

/* A few are past at their arrival, or just then. */
static uint64_t draw_deadline_ns(struct world *w)
{
    if (!draw_chance(w, w->deadline_chance))
        return 0;
    if (draw_chance(w, 0.02))
        return w->now_ns - draw(w, 2);
    return w->now_ns + draw_exponential(w, w->deadline_mean_ns);
}

static struct batcher_queue_limits draw_limits(struct world *w)
{
    return (struct batcher_queue_limits){
        .batch_rows_max = 1 + draw(w, 40),
        .queue_rows_max = 40 + draw(w, QUEUE_ROWS_MAX - 40),
        .queue_bytes_max = 2000 + draw(w, 20000),
        .inflight_batches_max = 1 + draw(w, 3),
        .delay_ns_max = draw_chance(w, 0.5) ? 0 : draw(w, 5 * MS),
    };
}

/* --- The shadow. */

static void shadow_add(struct shadow *shadow, struct sim_job *job)
{
    shadow->waiting[shadow->count++] = job;
    shadow->rows += job->base.rows;
    shadow->bytes += job->base.bytes;
}

static void shadow_remove(struct shadow *shadow, size_t at)
{
    shadow->rows -= shadow->waiting[at]->base.rows;
    shadow->bytes -= shadow->waiting[at]->base.bytes;
    shadow->count--;
    memmove(&shadow->waiting[at], &shadow->waiting[at + 1],
            (shadow->count - at) * sizeof(shadow->waiting[0]));
}

static size_t shadow_find(const struct shadow *shadow, const struct batcher_job *job)
{
    size_t at = 0;
    while (at < shadow->count && &shadow->waiting[at]->base != job)
        at++;
    return at;
}

/* How many jobs the next batch has to have. */
static size_t shadow_batch(const struct shadow *shadow, size_t batch_rows_max)
{
    size_t rows = 0;
    size_t count = 0;
    while (count < shadow->count && count < BATCH_JOBS_MAX &&
           (count == 0 || rows + shadow->waiting[count]->base.rows <= batch_rows_max))
        rows += shadow->waiting[count++]->base.rows;
    return count;
}

static enum batcher_status shadow_admits(const struct shadow *shadow,
                                         const struct batcher_queue_limits *limits,
                                         const struct batcher_job *job, uint64_t now_ns)
{
    if (job->rows > limits->queue_rows_max || job->bytes > limits->queue_bytes_max)
        return BATCHER_TOO_LARGE;
    if (job->deadline_ns != 0 && now_ns >= job->deadline_ns)
        return BATCHER_EXPIRED;
    if (shadow->rows + job->rows > limits->queue_rows_max ||
        shadow->bytes + job->bytes > limits->queue_bytes_max)
        return BATCHER_FULL;
    return BATCHER_OK;
}

/* Whether a free worker has no excuse to leave this queue alone. */
static bool shadow_must_go(const struct world *w, size_t at)
{
    const struct shadow *shadow = &w->shadows[at];
    const struct batcher_queue_limits *limits = &w->queues[at].limits;
    if (shadow->count == 0 || shadow->inflight >= limits->inflight_batches_max)
        return false;
    return w->draining || limits->delay_ns_max == 0 || shadow->rows >= limits->batch_rows_max ||
           shadow->count >= BATCH_JOBS_MAX ||
           w->now_ns >= shadow->waiting[0]->base.submitted_ns + limits->delay_ns_max;
}

/* --- Lives begin and end. */

static void end_life(struct world *w, struct batcher_job *base, uint64_t *counter)
{
    struct sim_job *job = (struct sim_job *)base;
    CHECK(w, job->alive, "job %td has a second outcome", job - w->pool);
    job->alive = false;
    job->next_free = w->free_jobs;
    w->free_jobs = job;
    w->alive--;
    (*counter)++;
}

static void arrive(struct world *w)
{
    const size_t at = draw(w, w->queues_count);
    struct shadow *shadow = &w->shadows[at];
    struct sim_job *job = w->free_jobs;
    struct batcher_job *base = &job->base;
    base->rows = draw_chance(w, 0.7) ? 1 : 1 + draw(w, 12);
    base->bytes = draw(w, 100);
    base->deadline_ns = draw_deadline_ns(w);

    const enum batcher_status expected =
        shadow_admits(shadow, &w->queues[at].limits, base, w->now_ns);
    const enum batcher_status st = batch_queue_admit(&w->queues[at], base, w->now_ns);
    CHECK(w, st == expected, "%s, expected %s", batcher_status_str(st),
          batcher_status_str(expected));
    w->outcomes.tried++;
    if (st != BATCHER_OK) {
        w->outcomes.refused++;
        return;
    }
    w->free_jobs = job->next_free;
    job->alive = true;
    w->alive++;
    shadow_add(shadow, job);
}

static void arrive_in_bursts(struct world *w)
{
    if (w->draining || w->now_ns < w->arrival_ns)
        return;
    const uint64_t count = 1 + draw(w, w->burst_max);
    for (uint64_t i = 0; i < count; i++)
        arrive(w);
    w->arrival_ns = w->now_ns + draw_exponential(w, w->gap_ns * (double)(1 + w->burst_max) / 2);
}

static void cancel_some(struct world *w)
{
    if (!draw_chance(w, w->cancel_chance))
        return;
    const size_t at = draw(w, w->queues_count);
    struct shadow *shadow = &w->shadows[at];
    if (shadow->count == 0)
        return;
    const size_t which = draw(w, shadow->count);
    struct batcher_job *job = &shadow->waiting[which]->base;
    batch_queue_remove(&w->queues[at], job);
    shadow_remove(shadow, which);
    end_life(w, job, &w->outcomes.cancelled);
}

static void change_limits(struct world *w)
{
    if (draw_chance(w, w->limits_chance))
        w->queues[draw(w, w->queues_count)].limits = draw_limits(w);
}

static void take_back(struct world *w, size_t at, struct batcher_job *list,
                      enum batcher_status status, uint64_t *counter)
{
    while (list != NULL) {
        struct batcher_job *job = list;
        list = job->next;
        const size_t which = shadow_find(&w->shadows[at], job);
        CHECK(w, which < w->shadows[at].count, "a job that did not wait came back");
        CHECK(w, job->status == status, "it is %s", batcher_status_str(job->status));
        shadow_remove(&w->shadows[at], which);
        end_life(w, job, counter);
    }
}

static void expire(struct world *w)
{
    for (size_t at = 0; at < w->queues_count; at++) {
        struct batcher_job *list = batch_queue_expire(&w->queues[at], w->now_ns);
        for (const struct batcher_job *job = list; job != NULL; job = job->next)
            CHECK(w, job->deadline_ns == w->now_ns, "expired %" PRIu64 " ns late",
                  w->now_ns - job->deadline_ns);
        take_back(w, at, list, BATCHER_EXPIRED, &w->outcomes.expired);
    }
}

/* --- Workers. */

static struct sim_worker *free_worker(struct world *w)
{
    for (size_t i = 0; i < w->workers_count; i++)
        if (!w->workers[i].busy)
            return &w->workers[i];
    return NULL;
}

static void check_reason(const struct world *w, size_t at, enum batcher_reason reason)
{
    const struct shadow *shadow = &w->shadows[at];
    const struct batcher_queue_limits *limits = &w->queues[at].limits;
    const bool full = shadow->rows >= limits->batch_rows_max || shadow->count >= BATCH_JOBS_MAX;
    const uint64_t waited_ns = w->now_ns - shadow->waiting[0]->base.submitted_ns;
    bool right = false;
    switch (reason) {
    case BATCHER_REASON_SIZE:
        right = full;
        break;
    case BATCHER_REASON_IDLE:
        right = !full && limits->delay_ns_max == 0;
        break;
    case BATCHER_REASON_TIMEOUT:
        right = !full && waited_ns >= limits->delay_ns_max;
        break;
    case BATCHER_REASON_DEADLINE:
        right = !full && limits->delay_ns_max > 0 && w->queues[at].earliest != NULL;
        break;
    case BATCHER_REASON_DRAIN:
        right = !full && w->draining;
        break;
    case BATCHER_REASON_COUNT:
        break;
    }
    CHECK(w, right, "sealed for %s", batcher_reason_str(reason));
}

/* Nobody who is ready waits longer than the one chosen. */
static void check_choice(const struct world *w, size_t chosen)
{
    const uint64_t oldest_ns = w->shadows[chosen].waiting[0]->base.submitted_ns;
    for (size_t at = 0; at < w->queues_count; at++)
        CHECK(w,
              !shadow_must_go(w, at) || w->shadows[at].waiting[0]->base.submitted_ns >= oldest_ns,
              "queue %zu was passed over for %zu", at, chosen);
}

static uint64_t service_ns(struct world *w, const struct shadow *shadow, size_t rows)
{
    const double noise = 0.5 + draw_unit(w) + (draw_chance(w, 0.002) ? 20 : 0);
    return 1 + (uint64_t)((shadow->fixed_ns + shadow->row_ns * (double)rows) * noise);
}

static void start_batch(struct world *w, struct sim_worker *worker,
                        const struct batch_choice *choice)
{
    const size_t at = (size_t)(choice->queue - w->queues);
    struct shadow *shadow = &w->shadows[at];
    CHECK(w, shadow->count > 0, "an empty queue was chosen");
    check_choice(w, at);
    check_reason(w, at, choice->reason);
    const size_t expected = shadow_batch(shadow, choice->queue->limits.batch_rows_max);
    const size_t count = batch_queue_seal(choice->queue, w->now_ns, worker->jobs);
    CHECK(w, count == expected, "%zu jobs, expected %zu", count, expected);
    for (size_t i = 0; i < count; i++) {
        const struct batcher_job *job = worker->jobs[i];
        CHECK(w, job == &shadow->waiting[0]->base, "place %zu: not the oldest", i);
        CHECK(w, job->deadline_ns == 0 || job->deadline_ns > w->now_ns, "an expired job runs");
        shadow_remove(shadow, 0);
    }
    shadow->inflight++;
    CHECK(w, shadow->inflight <= choice->queue->limits.inflight_batches_max, "%zu in flight",
          shadow->inflight);
    worker->busy = true;
    worker->queue = at;
    worker->times = (struct batch_times){
        .jobs = count,
        .oldest_ns = worker->jobs[0]->submitted_ns,
        .sealed_ns = w->now_ns,
        .finished_ns = w->now_ns + service_ns(w, shadow, worker->jobs[0]->batch_rows)};
}

static void finish_batches(struct world *w)
{
    for (size_t i = 0; i < w->workers_count; i++) {
        struct sim_worker *worker = &w->workers[i];
        if (!worker->busy || worker->times.finished_ns > w->now_ns)
            continue;
        batch_queue_finish(&w->queues[worker->queue], &worker->times);
        w->shadows[worker->queue].inflight--;
        worker->busy = false;
        for (size_t n = 0; n < worker->times.jobs; n++)
            end_life(w, worker->jobs[n], &w->outcomes.finished);
    }
}

static void start_batches(struct world *w)
{
    w->linger_ns = 0;
    struct sim_worker *worker;
    while ((worker = free_worker(w)) != NULL) {
        const struct batch_choice choice =
            batch_policy_choose(w->pointers, w->queues_count, w->draining, w->now_ns);
        CHECK(w, (choice.queue != NULL) == (choice.batches > 0), "%zu batches", choice.batches);
        w->linger_ns = choice.at_ns;
        if (choice.queue == NULL)
            return;
        start_batch(w, worker, &choice);
    }
}

/* --- What must hold after every step. */

static void check_queue(const struct world *w, size_t at)
{
    const struct shadow *shadow = &w->shadows[at];
    const struct batch_queue *queue = &w->queues[at];
    const struct batcher_job *job = queue->oldest;
    uint64_t earliest_ns = UINT64_MAX;
    for (size_t i = 0; i < shadow->count; i++, job = job->_next) {
        CHECK(w, job == &shadow->waiting[i]->base, "place %zu: another job", i);
        if (job->deadline_ns != 0 && job->deadline_ns < earliest_ns)
            earliest_ns = job->deadline_ns;
    }
    CHECK(w, job == NULL, "more jobs than were submitted");
    const uint64_t told_ns = batch_queue_deadline_ns(queue);
    CHECK(w, (told_ns == 0 ? UINT64_MAX : told_ns) == earliest_ns,
          "earliest %" PRIu64 ", expected %" PRIu64, told_ns, earliest_ns);
}

static void check_counts(const struct world *w, size_t at)
{
    const struct shadow *shadow = &w->shadows[at];
    const struct batch_queue *queue = &w->queues[at];
    CHECK(w, queue->jobs == shadow->count, "%zu, expected %zu", queue->jobs, shadow->count);
    CHECK(w, queue->rows == shadow->rows, "%zu, expected %zu", queue->rows, shadow->rows);
    CHECK(w, queue->bytes == shadow->bytes, "%zu, expected %zu", queue->bytes, shadow->bytes);
    CHECK(w, queue->inflight_batches == shadow->inflight, "%zu, expected %zu",
          queue->inflight_batches, shadow->inflight);
}

/* A worker is free: nothing may be ready, and what lingers must have a timer that is not late. */
static void check_nobody_waits_for_nothing(const struct world *w)
{
    for (size_t at = 0; at < w->queues_count; at++) {
        const struct shadow *shadow = &w->shadows[at];
        const struct batcher_queue_limits *limits = &w->queues[at].limits;
        CHECK(w, !shadow_must_go(w, at), "queue %zu waits for a free worker", at);
        if (shadow->count == 0 || shadow->inflight >= limits->inflight_batches_max)
            continue;
        const uint64_t end_ns = shadow->waiting[0]->base.submitted_ns + limits->delay_ns_max;
        CHECK(w, w->linger_ns > w->now_ns && w->linger_ns <= end_ns,
              "queue %zu lingers until %" PRIu64 ", the timer is at %" PRIu64, at, end_ns,
              w->linger_ns);
    }
}

static void check_step(struct world *w)
{
    for (size_t at = 0; at < w->queues_count; at++) {
        check_counts(w, at);
        if (w->steps % FULL_CHECK_STEPS == 0)
            check_queue(w, at);
    }
    if (free_worker(w) != NULL)
        check_nobody_waits_for_nothing(w);
    const struct outcomes *o = &w->outcomes;
    CHECK(w,
          o->tried == o->refused + o->finished + o->expired + o->cancelled + o->stopped + w->alive,
          "%" PRIu64 " tried, %" PRIu64 " alive", o->tried, w->alive);
}

/* --- Time. */

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return b_ns != 0 && b_ns < a_ns ? b_ns : a_ns;
}

/* UINT64_MAX: nothing will happen any more. */
static uint64_t next_event_ns(const struct world *w)
{
    uint64_t at_ns = w->draining ? UINT64_MAX : w->arrival_ns;
    at_ns = earlier(at_ns, w->linger_ns);
    for (size_t at = 0; at < w->queues_count; at++)
        at_ns = earlier(at_ns, batch_queue_deadline_ns(&w->queues[at]));
    for (size_t i = 0; i < w->workers_count; i++)
        if (w->workers[i].busy)
            at_ns = earlier(at_ns, w->workers[i].times.finished_ns);
    return at_ns;
}

static void step(struct world *w)
{
    w->steps++;
    finish_batches(w);
    arrive_in_bursts(w);
    cancel_some(w);
    change_limits(w);
    expire(w);
    start_batches(w);
    check_step(w);
}

static void stop(struct world *w)
{
    w->draining = true;
    if (!draw_chance(w, 0.5))
        return;
    for (size_t at = 0; at < w->queues_count; at++)
        take_back(w, at, batch_queue_abandon(&w->queues[at], w->now_ns), BATCHER_STOPPING,
                  &w->outcomes.stopped);
}

static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->random = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
    w->now_ns = 1000 * MS;
    w->queues_count = 1 + draw(w, QUEUES_MAX);
    w->workers_count = 1 + draw(w, WORKERS_MAX);
    w->burst_max = draw_chance(w, 0.5) ? 1 : 1 + draw(w, 60);
    w->deadline_chance = draw_unit(w);
    w->deadline_mean_ns = (double)(200 * US + draw(w, 30 * MS));
    w->cancel_chance = draw_chance(w, 0.5) ? 0 : 0.3 * draw_unit(w);
    w->limits_chance = draw_chance(w, 0.5) ? 0 : 0.02 * draw_unit(w);
    w->arrival_ns = w->now_ns;
    double row_ns = 0;
    for (size_t at = 0; at < w->queues_count; at++) {
        const struct batcher_queue_limits limits = draw_limits(w);
        batch_queue_init(&w->queues[at], &limits, BATCH_JOBS_MAX);
        w->pointers[at] = &w->queues[at];
        w->shadows[at].fixed_ns = (double)draw(w, 500 * US);
        w->shadows[at].row_ns = (double)(1 + draw(w, 50 * US));
        row_ns += (w->shadows[at].row_ns + w->shadows[at].fixed_ns / 10) / (double)w->queues_count;
    }
    /* From nearly idle to more than the workers can do. */
    const double load = 0.05 + 1.2 * draw_unit(w);
    w->gap_ns = 3 * row_ns / (load * (double)w->workers_count);
    for (size_t i = 0; i < POOL_JOBS; i++) {
        w->pool[i].next_free = w->free_jobs;
        w->free_jobs = &w->pool[i];
    }
}

static void simulate(struct world *w, uint64_t seed, uint64_t jobs)
{
    world_init(w, seed);
    while (w->outcomes.tried < jobs) {
        w->now_ns = next_event_ns(w);
        step(w);
    }
    stop(w);
    step(w);
    while (w->alive > 0) {
        const uint64_t next_ns = next_event_ns(w);
        CHECK(w, next_ns != UINT64_MAX, "%" PRIu64 " jobs wait for ever", w->alive);
        w->now_ns = next_ns;
        step(w);
    }
}

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(struct outcomes *sum, const struct outcomes *one)
{
    sum->tried += one->tried;
    sum->refused += one->refused;
    sum->finished += one->finished;
    sum->expired += one->expired;
    sum->cancelled += one->cancelled;
    sum->stopped += one->stopped;
}

static void every_job_has_one_outcome_whatever_happens(void **state)
{
    (void)state;
    const uint64_t seed = environment_number("JITNEY_SEED", 1);
    const uint64_t jobs = environment_number("JITNEY_JOBS", JOBS_DEFAULT);
    struct world *w = malloc(sizeof(*w));
    assert_non_null(w);
    struct outcomes sum = {0};
    const double start_s = cpu_s();
    for (uint64_t n = 0; sum.tried < jobs; n++) {
        simulate(w, seed + n, SCENARIO_JOBS);
        add(&sum, &w->outcomes);
    }
    free(w);
    const double took_s = cpu_s() - start_s;
    print_message("seed %" PRIu64 ": %" PRIu64 " jobs: %" PRIu64 " ran, %" PRIu64
                  " expired, %" PRIu64 " cancelled, %" PRIu64 " abandoned, %" PRIu64
                  " refused; %.1f million lives a minute without the refused\n",
                  seed, sum.tried, sum.finished, sum.expired, sum.cancelled, sum.stopped,
                  sum.refused, (double)(sum.tried - sum.refused) / took_s * 60 / 1e6);
    /* All of it happened: a simulation in which nothing expires proves nothing about deadlines. */
    if (jobs < JOBS_DEFAULT)
        return;
    assert_true(sum.finished > sum.tried / 4);
    assert_true(sum.expired > 0);
    assert_true(sum.cancelled > 0);
    assert_true(sum.stopped > 0);
    assert_true(sum.refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_has_one_outcome_whatever_happens),
    };
    return cmocka_run_group_tests_name("batch_simulation", tests, NULL, NULL);
}
