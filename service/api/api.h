/*
 * api.h - where HTTP, JSON and jobs meet.
 *
 * struct api is what all loops share; struct api_loop is one loop's part of it:
 * reader, job pool, shard of the metrics, list of completed jobs.
 *
 *   Threads    struct api is read-only while loops run, but for its atomics. A
 *              struct api_loop belongs to its loop's thread, except its
 *              completion list, which workers push to.
 *   Life of a request
 *              on_headers: route, check what the head alone decides
 *              on_request: decode the body into a job, submit it
 *              on_tick:    once for all jobs of this turn: run brief batches, wake workers
 *                          for the others
 *              worker:     compute; completion list; one wake-up of the loop
 *              loop:       encode, answer, recycle the job
 */
#ifndef API_H
#define API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "api_error.h"
#include "batching.h"
#include "completion.h"
#include "compute.h"
#include "config.h"
#include "http_server.h"
#include "job.h"
#include "json_reader.h"
#include "log.h"
#include "loop_load.h"
#include "metrics.h"
#include "model_repository.h"
#include "selftest.h"
#include "tenants.h"

enum {
    API_TOKEN_BYTES_MAX = 256
};

struct api {
    const struct config *config;
    const struct http_limits *limits; /* in force */
    const struct model_repository *repository;
    struct compute *compute;
    struct metrics *metrics;
    struct selftest *selftest;
    struct batching *batching; /* loop 0 only */
    struct log *log;
    struct tenants tenants;
    uint64_t started_ns;
    const char *version;                   /* of jitney */
    char admin_token[API_TOKEN_BYTES_MAX]; /* empty: none is asked for */
    atomic_size_t connections;
    atomic_size_t in_flight; /* requests being handled, all loops */
    atomic_bool ready;       /* what /v2/health/ready says */
    atomic_bool draining;    /* new compute requests are still taken until the batcher refuses */
};

struct api_loop {
    struct api *api;
    struct http_server *server;
    unsigned index; /* of this loop */
    uv_loop_t *uv;
    struct metrics_shard *shard;
    struct completion completion;
    struct job_pool jobs;
    struct json_reader reader;
    struct loop_load load;
    size_t outstanding; /* jobs that the batcher or the completion list has */
    bool submitted;     /* a job was submitted in this turn of the loop */
    bool refused;       /* the batcher refused the last one */
    bool stopped;       /* the HTTP server has no connection left, and takes none */
    void (*on_stopped)(struct api_loop *loop); /* stopped, and nothing is outstanding */
};

/* The handler for http_server_config; its context is a struct api_loop. */
const struct http_handler *api_handler(void);

/* 0 or a libuv error. `uv` is the loop that will run it; it counts in the shard of its index. */
int api_loop_init(struct api_loop *loop, struct api *api, uv_loop_t *uv, unsigned index)
    __attribute__((warn_unused_result));
/* Closes its handle; after that, and after uv_run(), api_loop_deinit(). */
void api_loop_close(struct api_loop *loop);
void api_loop_deinit(struct api_loop *loop);

/* The `done` of compute_config: gives each job back to its loop. ctx is unused. */
void api_jobs_done(void *ctx, struct batcher_job *list);

#endif
