/*
 * batcher.h - groups single jobs into batches and runs them on worker threads.
 *
 * The shell around batch_policy.h: a mutex, worker threads that take a batch
 * when they are free (never earlier, so a batch fills while it waits), and one
 * keeper thread that answers jobs at their deadline even when every worker is
 * busy. A batch that is over sooner than it is handed to another thread and back
 * need not be: callers, the threads that submit, run those themselves.
 *
 *   Threads    any thread may submit, wake and cancel. `run` is called on a
 *              worker thread or in batcher_run_brief(), `done` on a worker, on the
 *              keeper or in batcher_destroy(); neither ever with the batcher's lock
 *              held.
 *   Ownership  a job is the batcher's from a successful batcher_submit() until
 *              it is handed to `done`, returned by batcher_run_brief() or
 *              batcher_cancel() returns true; before and after, it is the caller's.
 *              Every submitted job gets exactly one of the three. The batcher never
 *              allocates or frees a job, and allocates nothing after batcher_create()
 *              and batcher_add_queue().
 *   Units      times end in _ns and are CLOCK_MONOTONIC; rows are rows of a
 *              batch (an instance of a model, one series of an indicator).
 *   Errors     every refusal is a status, and leaves the job with the caller.
 */
#ifndef BATCHER_H
#define BATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCHER_STATUS_MAP(X)                           \
    X(OK, "ok")                                         \
    X(FULL, "queue is full")                            \
    X(TENANT_FULL, "tenant has its share of the queue") \
    X(OVERLOADED, "latency target cannot be met")       \
    X(TOO_LARGE, "job is larger than the limits allow") \
    X(EXPIRED, "job waited past its deadline")          \
    X(UNMEETABLE, "deadline cannot be met")             \
    X(STOPPING, "batcher is stopping")                  \
    X(FAILED, "job failed while it ran")                \
    X(INVALID, "invalid configuration")                 \
    X(NOMEM, "out of memory or threads")

enum batcher_status {
#define X(name, text) BATCHER_##name,
    BATCHER_STATUS_MAP(X)
#undef X
    BATCHER_STATUS_COUNT
};

/* A short text for logs and error bodies. Static; do not free. */
const char *batcher_status_str(enum batcher_status status);

/* Why a batch was sealed. */
#define BATCHER_REASON_MAP(X)                                               \
    X(SIZE, "size")         /* as many rows as a batch may have */          \
    X(IDLE, "idle")         /* a worker was free and nothing to wait for */ \
    X(TIMEOUT, "timeout")   /* the oldest job had waited delay_ns_max */    \
    X(DEADLINE, "deadline") /* waiting longer would miss a deadline */      \
    X(DRAIN, "drain")       /* the batcher is stopping */

enum batcher_reason {
#define X(name, text) BATCHER_REASON_##name,
    BATCHER_REASON_MAP(X)
#undef X
    BATCHER_REASON_COUNT
};

const char *batcher_reason_str(enum batcher_reason reason);

/* Who goes first; see job_order.h. */
#define BATCHER_CLASS_MAP(X)      \
    X(INTERACTIVE, "interactive") \
    X(BATCH, "batch")

enum batcher_class {
#define X(name, text) BATCHER_CLASS_##name,
    BATCHER_CLASS_MAP(X)
#undef X
    BATCHER_CLASS_COUNT
};

const char *batcher_class_str(enum batcher_class class);

enum {
    BATCHER_WORKERS_MAX = 1024,
    BATCHER_CALLERS_MAX = 1024,
    BATCHER_TENANTS_MAX = 64
};

struct batcher;
struct batcher_queue;

/*
 * Embed this in your own request type and recover it with container_of. Set
 * the first block before batcher_submit(); read the second in `done`.
 */
struct batcher_job {
    struct batcher_job *next; /* links the list that `done` gets; else yours */
    uint64_t deadline_ns;     /* 0: none. Never computed past it. */
    size_t rows;              /* 1.. */
    size_t bytes;             /* counted against the queue's memory limit */
    uint64_t work;            /* what its time grows with, in the queue's unit; 0: `rows` */
    unsigned tenant;          /* below batcher_config.tenants */
    enum batcher_class class;

    enum batcher_status status; /* OK, EXPIRED, STOPPING; `run` may set FAILED */
    uint64_t submitted_ns;
    uint64_t sealed_ns;   /* when its batch was taken; 0 if it never ran */
    uint64_t finished_ns; /* when its batch had run, or the job was given up */
    size_t batch_jobs;    /* how many jobs shared the batch */
    size_t batch_rows;

    struct batcher_queue *_queue; /* _fields are the batcher's */
    struct batcher_job *_prev;
    struct batcher_job *_next;
    struct batcher_job *_heap_child;
    struct batcher_job *_heap_next;
    struct batcher_job *_heap_prev;
    int _state;
};

/* What one batch looked like, for whoever counts such things. */
struct batcher_batch_info {
    unsigned runner; /* the worker that ran it, 0..; or, behind all workers, the caller */
    bool by_caller;
    enum batcher_reason reason;
    size_t jobs;
    size_t rows;
    uint64_t work;
    size_t failed;         /* jobs that `run` marked FAILED */
    uint64_t wait_ns_max;  /* queue time of the oldest job */
    uint64_t predicted_ns; /* what run_ns was expected to be */
    uint64_t run_ns;
    uint64_t finished_ns;
    struct batcher_job *const *items; /* the jobs, valid during the call */
};

struct batcher_queue_limits {
    size_t batch_rows_max;       /* 1..; a job with more rows runs alone */
    size_t queue_rows_max;       /* waiting rows; submit beyond this is FULL, and */
    size_t queue_bytes_max;      /* waiting bytes too; a job that exceeds one alone is TOO_LARGE */
    size_t inflight_batches_max; /* 1..; at most this many run at once */
    uint64_t delay_ns_max;       /* linger while another batch of the queue runs; 0: never */
    uint64_t idle_delay_ns_max;  /* linger while none runs: keeps an idle worker waiting */
    uint64_t target_p99_ns;      /* 0: none; see batch_plan.h */
    bool admits_late; /* takes jobs although their deadlines are not expected to be met */
};

struct batcher_queue_config {
    const char *name; /* borrowed for the batcher's lifetime */
    void *ctx;        /* handed to the callbacks */
    struct batcher_queue_limits limits;
    size_t full_work; /* about what a large batch has, for the cost model; 0: batch_rows_max */
};

/* Who shares with whom, in what parts. Weights are 1..FAIR_WEIGHT_MAX. */
struct batcher_shares {
    unsigned tenants; /* 1..BATCHER_TENANTS_MAX; 0 is the one of everybody who is not told apart */
    unsigned tenant_weights[BATCHER_TENANTS_MAX];
    unsigned class_weights[BATCHER_CLASS_COUNT];
};

/* One tenant; interactive jobs before others as 9 to 1. */
struct batcher_shares batcher_shares_default(void);

/*
 * Runs `count` jobs of one queue, for a runner: see batcher_batch_info. No two batches of one
 * runner are under way at once. Their status is OK when called; set FAILED on a job that could not
 * be computed, and it fails alone.
 */
typedef void batcher_run_fn(void *ctx, void *queue_ctx, unsigned runner, struct batcher_job **jobs,
                            size_t count);

/* Takes back a list of jobs (linked by `next`, possibly of several submitters)
 * that are finished, expired or refused by a drain. Must be quick. */
typedef void batcher_done_fn(void *ctx, struct batcher_job *list);

/* Called on the same thread, after run and before done. Must be quick. May be NULL. */
typedef void batcher_observe_fn(void *ctx, void *queue_ctx, const struct batcher_batch_info *info);

struct batcher_config {
    unsigned workers;          /* 1..BATCHER_WORKERS_MAX */
    unsigned processors;       /* see batcher_leave_processors(); 0: enough for all workers */
    unsigned callers;          /* ..BATCHER_CALLERS_MAX; threads that call batcher_run_brief() */
    uint64_t brief_ns_max;     /* the longest of their batches, see batch_policy.h; 0: none */
    uint64_t spin_ns;          /* so long one worker looks for more before it sleeps; 0: not */
    unsigned spin_busy_max;    /* only while no more of the others run a batch */
    size_t queues_max;         /* 1.. */
    size_t batch_jobs_max;     /* 1..; no batch of any queue has more jobs */
    size_t thread_stack_bytes; /* 0: the system's default */
    struct batcher_shares shares;
    void *ctx;
    batcher_run_fn *run;
    batcher_done_fn *done;
    batcher_observe_fn *observe;
};

/* Copies `config` and starts the threads. On success *out is for
 * batcher_destroy(); on failure *out is untouched. */
enum batcher_status batcher_create(const struct batcher_config *config, struct batcher **out)
    __attribute__((warn_unused_result));

/* Adds a queue that lives as long as the batcher. *out is untouched on failure. */
enum batcher_status batcher_add_queue(struct batcher *b, const struct batcher_queue_config *config,
                                      struct batcher_queue **out)
    __attribute__((warn_unused_result));

/*
 * Changes a queue while it runs. No job is lost: what waits beyond a lowered limit stays. Batches
 * have at most batch_jobs_max jobs, whatever batch_rows_max says. INVALID: nothing has changed.
 */
enum batcher_status batcher_set_limits(struct batcher *b, struct batcher_queue *queue,
                                       const struct batcher_queue_limits *limits)
    __attribute__((warn_unused_result));

/* What a small and a large batch took in a warm-up: the cost model begins with the line through
 * both, and is sure of it until batches tell otherwise. */
struct batcher_cost_seed {
    uint64_t small_work;
    uint64_t small_ns;
    uint64_t large_work;
    uint64_t large_ns;
};
void batcher_seed_cost(struct batcher *b, struct batcher_queue *queue,
                       const struct batcher_cost_seed *seed);

/*
 * Queues one job. A worker that is awake may take it at once; a sleeping one
 * does not before batcher_wake(). So a caller with many jobs at hand submits
 * all of them and wakes once, and they can share a batch. Reads no clock: the
 * caller says what time it is.
 */
enum batcher_status batcher_submit(struct batcher *b, struct batcher_queue *queue,
                                   struct batcher_job *job, uint64_t now_ns)
    __attribute__((warn_unused_result));

/*
 * What batcher_submit() would say of a job that is at least this: for a caller that has yet to
 * read it, and need not if it is refused anyway. Counts as an arrival when it is refused.
 */
enum batcher_status batcher_check(struct batcher *b, struct batcher_queue *queue,
                                  const struct batcher_job *job, uint64_t now_ns)
    __attribute__((warn_unused_result));

/* Wakes as many sleeping threads as the submitted jobs need. Cheap when none. */
void batcher_wake(struct batcher *b);

/*
 * In the place of batcher_wake(), for caller 0, 1, ... of batcher_config.callers at the end of a
 * turn in which it submitted jobs: runs one brief batch on this thread and returns its jobs, linked
 * by `next`, for which `done` is not called. They may be other callers' too, and there may be some
 * among them that expired or failed. To be called until it returns NULL: no brief batch is left
 * then, and sleeping threads have been woken for the others.
 */
struct batcher_job *batcher_run_brief(struct batcher *b, unsigned caller)
    __attribute__((warn_unused_result));

/*
 * So many processors more (or fewer) than before are wanted for something else: of the workers,
 * only as many run batches at once as there are others (batcher_config.processors), but one always
 * may. More threads than processors would make all of them slower, and a caller that reads requests
 * late makes batches small. Batches that run already end as they would.
 */
void batcher_leave_processors(struct batcher *b, int more);

/* True: the job was still queued and is the caller's again; `done` will not be
 * called for it. False: it is running or finished, and `done` will be (or was). */
bool batcher_cancel(struct batcher *b, struct batcher_job *job);

/* A look at one queue, for gauges. */
struct batcher_queue_stats {
    size_t jobs; /* waiting */
    size_t rows;
    size_t bytes;
    size_t inflight_batches;
    uint64_t oldest_ns; /* when the oldest waiting job was submitted; 0: none waits */
    struct batcher_queue_limits limits;
    size_t batch_rows; /* what a batch may have now, and */
    uint64_t delay_ns; /* how long one lingers: from the limits or from the target */
    double cost_fixed_ns;
    double cost_unit_ns;
    double cost_error; /* usual one, as a share of the time */
    bool cost_is_sure;
    double arrivals_per_s; /* of work */
};
void batcher_queue_stats(struct batcher *b, const struct batcher_queue *queue,
                         struct batcher_queue_stats *out);

/* How many jobs wait, in all queues. */
size_t batcher_queued_jobs(struct batcher *b);

/* How many jobs a second this queue has finished lately; 0 while unknown. Feeds
 * Retry-After. */
double batcher_queue_drain_rate(struct batcher *b, const struct batcher_queue *queue);

/* From now on no batch lingers: what is queued, and what still comes, leaves as soon as a
 * worker is free (reason DRAIN). The first half of a drain, for a caller that still has
 * requests to submit. */
void batcher_hurry(struct batcher *b);

/*
 * Refuses new jobs (STOPPING) and lets the workers run what is queued, without
 * linger. Returns at once; may be called again. `done` keeps being called.
 */
void batcher_drain(struct batcher *b);

/* Refuses new jobs like batcher_drain(), and gives up every queued one now: each
 * gets `done` with STOPPING, on this thread. Running batches finish normally. */
void batcher_abandon(struct batcher *b);

/* Drains, waits for the workers to finish everything, joins the threads and
 * frees. NULL is a no-op. Not from a callback, and no other call may be under way. */
void batcher_destroy(struct batcher *b);

#endif
