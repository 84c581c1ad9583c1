/*
 * job_order.c - lanes of jobs, and whose turn it is.
 */
#include "job_order.h"
#include "deadline_heap.h"

#include <assert.h>
#include <string.h>

uint64_t job_work(const struct batcher_job *job)
{
    return job->work > 0 ? job->work : job->rows;
}

uint64_t job_due_ns(const struct batcher_job *job)
{
    return job->deadline_ns != 0 ? job->deadline_ns : job->submitted_ns + JOB_PATIENCE_NS;
}

void job_order_init(struct job_order *order, const struct batcher_shares *shares,
                    struct job_lane *lanes)
{
    memset(order, 0, sizeof(*order));
    memset(lanes, 0, BATCHER_CLASS_COUNT * shares->tenants * sizeof(*lanes));
    order->tenants = shares->tenants;
    for (size_t c = 0; c < BATCHER_CLASS_COUNT; c++) {
        struct job_class *class = &order->classes[c];
        class->share.weight = shares->class_weights[c];
        class->lanes = lanes + c * shares->tenants;
        for (unsigned t = 0; t < shares->tenants; t++)
            class->lanes[t].share.weight = shares->tenant_weights[t];
    }
}

/* --- A lane. */

static void undated_append(struct job_lane *lane, struct batcher_job *job)
{
    job->_heap_next = NULL;
    job->_heap_prev = lane->undated_last;
    if (lane->undated_last != NULL)
        lane->undated_last->_heap_next = job;
    else
        lane->undated_first = job;
    lane->undated_last = job;
}

static void undated_remove(struct job_lane *lane, struct batcher_job *job)
{
    if (job->_heap_prev != NULL)
        job->_heap_prev->_heap_next = job->_heap_next;
    else
        lane->undated_first = job->_heap_next;
    if (job->_heap_next != NULL)
        job->_heap_next->_heap_prev = job->_heap_prev;
    else
        lane->undated_last = job->_heap_prev;
}

static struct batcher_job *lane_next(const struct job_lane *lane)
{
    if (lane->earliest == NULL)
        return lane->undated_first;
    if (lane->undated_first == NULL)
        return lane->earliest;
    return job_due_ns(lane->undated_first) < job_due_ns(lane->earliest) ? lane->undated_first
                                                                        : lane->earliest;
}

static bool lane_is_empty(const struct job_lane *lane)
{
    return lane->earliest == NULL && lane->undated_first == NULL;
}

static void lane_add(struct job_lane *lane, struct batcher_job *job)
{
    if (job->deadline_ns != 0)
        lane->earliest = deadline_heap_insert(lane->earliest, job);
    else
        undated_append(lane, job);
    if (job_due_ns(job) > lane->latest_ns)
        lane->latest_ns = job_due_ns(job);
    lane->rows += job->rows;
    lane->work += job_work(job);
}

static void lane_drop(struct job_lane *lane, struct batcher_job *job)
{
    if (job->deadline_ns != 0)
        lane->earliest = deadline_heap_remove(lane->earliest, job);
    else
        undated_remove(lane, job);
    lane->rows -= job->rows;
    lane->work -= job_work(job);
    if (lane_is_empty(lane))
        lane->latest_ns = 0;
}

/* --- Lanes of a class. */

static void busy_add(struct job_class *class, struct job_lane *lane)
{
    lane->busy_prev = NULL;
    lane->busy_next = class->busy;
    if (class->busy != NULL)
        class->busy->busy_prev = lane;
    class->busy = lane;
}

static void busy_remove(struct job_class *class, struct job_lane *lane)
{
    if (lane->busy_prev != NULL)
        lane->busy_prev->busy_next = lane->busy_next;
    else
        class->busy = lane->busy_next;
    if (lane->busy_next != NULL)
        lane->busy_next->busy_prev = lane->busy_prev;
}

/* Equal tags are common: whoever comes to an idle class gets its clock's. */
static bool lane_is_before(const struct job_lane *a, const struct job_lane *b)
{
    if (fair_share_less(&a->share, &b->share))
        return true;
    return !fair_share_less(&b->share, &a->share) &&
           job_due_ns(lane_next(a)) < job_due_ns(lane_next(b));
}

static struct job_lane *class_next(const struct job_class *class)
{
    struct job_lane *next = class->busy;
    if (next == NULL)
        return NULL;
    for (struct job_lane *lane = next->busy_next; lane != NULL; lane = lane->busy_next)
        if (lane_is_before(lane, next))
            next = lane;
    return next;
}

/* --- Classes of a queue. */

static const struct job_class *order_next(const struct job_order *order)
{
    const struct job_class *next = NULL;
    for (size_t c = 0; c < BATCHER_CLASS_COUNT; c++) {
        const struct job_class *class = &order->classes[c];
        if (class->busy != NULL && (next == NULL || fair_share_less(&class->share, &next->share)))
            next = class;
    }
    return next;
}

static struct job_class *class_of(struct job_order *order, const struct batcher_job *job)
{
    assert(job->class < BATCHER_CLASS_COUNT);
    assert(job->tenant < order->tenants);
    return &order->classes[job->class];
}

void job_order_insert(struct job_order *order, struct batcher_job *job)
{
    struct job_class *class = class_of(order, job);
    struct job_lane *lane = &class->lanes[job->tenant];
    if (class->busy == NULL)
        fair_share_join(&class->share, &order->clock);
    if (lane_is_empty(lane)) {
        fair_share_join(&lane->share, &class->clock);
        busy_add(class, lane);
    }
    lane_add(lane, job);
    class->rows += job->rows;
    class->work += job_work(job);
}

void job_order_remove(struct job_order *order, struct batcher_job *job)
{
    struct job_class *class = class_of(order, job);
    struct job_lane *lane = &class->lanes[job->tenant];
    lane_drop(lane, job);
    class->rows -= job->rows;
    class->work -= job_work(job);
    if (lane_is_empty(lane))
        busy_remove(class, lane);
}

struct batcher_job *job_order_next(const struct job_order *order)
{
    const struct job_class *class = order_next(order);
    return class != NULL ? lane_next(class_next(class)) : NULL;
}

void job_order_take(struct job_order *order, struct batcher_job *job)
{
    struct job_class *class = class_of(order, job);
    const uint64_t work = job_work(job);
    fair_share_take(&class->share, &order->clock, work);
    fair_share_take(&class->lanes[job->tenant].share, &class->clock, work);
    job_order_remove(order, job);
}

struct batcher_job *job_order_earliest(const struct job_order *order)
{
    struct batcher_job *earliest = NULL;
    for (size_t c = 0; c < BATCHER_CLASS_COUNT; c++)
        for (const struct job_lane *lane = order->classes[c].busy; lane != NULL;
             lane = lane->busy_next)
            if (lane->earliest != NULL &&
                (earliest == NULL || lane->earliest->deadline_ns < earliest->deadline_ns))
                earliest = lane->earliest;
    return earliest;
}

size_t job_order_tenant_rows(const struct job_order *order, unsigned tenant)
{
    size_t rows = 0;
    for (size_t c = 0; c < BATCHER_CLASS_COUNT; c++)
        rows += order->classes[c].lanes[tenant].rows;
    return rows;
}

/* --- What is ahead of a newcomer. */

static double lane_work_before(const struct job_lane *lane, uint64_t due_ns)
{
    if (lane_is_empty(lane))
        return 0;
    const uint64_t first_ns = job_due_ns(lane_next(lane));
    if (due_ns >= lane->latest_ns)
        return (double)lane->work;
    if (due_ns <= first_ns)
        return 0;
    return (double)lane->work * (double)(due_ns - first_ns) / (double)(lane->latest_ns - first_ns);
}

/* What one with this weight gets while another gets `work` by its own weight. */
static double share_beside(const struct fair_share *share, double work, const struct fair_share *by)
{
    return work * share->weight / by->weight;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

uint64_t job_order_work_ahead(const struct job_order *order, const struct batcher_job *job,
                              uint64_t due_ns)
{
    const struct job_class *class = &order->classes[job->class];
    const struct job_lane *own = &class->lanes[job->tenant];
    const double in_lane = lane_work_before(own, due_ns);
    const double lane_total = in_lane + (double)job_work(job);
    double ahead = in_lane;
    for (const struct job_lane *lane = class->busy; lane != NULL; lane = lane->busy_next)
        if (lane != own)
            ahead +=
                smaller((double)lane->work, share_beside(&lane->share, lane_total, &own->share));
    const double class_total = ahead + (double)job_work(job);
    for (size_t c = 0; c < BATCHER_CLASS_COUNT; c++) {
        const struct job_class *other = &order->classes[c];
        if (other != class)
            ahead += smaller((double)other->work,
                             share_beside(&other->share, class_total, &class->share));
    }
    return (uint64_t)ahead;
}
