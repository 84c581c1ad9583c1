/*
 * recorder.h - what happened to the requests of one part of a run.
 *
 *   Outcomes   every request that was due ends in exactly one of them, once:
 *                  due = answered + lost + abandoned + unanswered + unsent
 *   Latency    from the intended send time to the last byte of the answer, so that
 *              waiting for a busy client or a stalled server counts (no coordinated
 *              omission). That of 2xx answers and that of others are kept apart: a
 *              refusal is quick and must not make the median look good.
 *   Threads    one owner; recorder_add() adds up.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include "histogram.h"
#include "load_base.h"
#include "response.h"
#include "workload.h"

enum {
    RECORDER_STATUSES = 600,
    RECORDER_CODES_MAX = 32,
    RECORDER_CODE_BYTES_MAX = 32,
    RECORDER_BATCH_MAX = 4096, /* larger batches are counted as this */
};

/* An error code of the API, from the bodies of answers that are not 2xx. */
struct recorder_code {
    unsigned status;
    char code[RECORDER_CODE_BYTES_MAX]; /* "": the body named none */
    uint64_t count;
};

struct recorder_kind {
    uint64_t due;
    uint64_t ok;
    struct histogram latency; /* of 2xx */
};

struct recorder {
    /* Outcomes. */
    uint64_t due;
    uint64_t answered;   /* whatever the status */
    uint64_t lost;       /* the connection ended first */
    uint64_t abandoned;  /* we left, as the workload said */
    uint64_t unanswered; /* in flight when we stopped waiting, or past --client-timeout */
    uint64_t unsent;     /* no connection was ever free for it */

    uint64_t ok; /* answered 2xx */
    uint64_t ok_within_slo;
    uint64_t invalid;         /* sent, to be refused */
    uint64_t invalid_refused; /* ... and answered 4xx, as they should be */
    uint64_t statuses[RECORDER_STATUSES];
    struct recorder_code codes[RECORDER_CODES_MAX]; /* the last one takes what does not fit */
    size_t code_count;
    uint64_t bytes_in;
    uint64_t bytes_out;

    struct histogram latency; /* of 2xx */
    struct histogram errors;  /* latency of other answers */
    struct histogram service; /* of 2xx, from the actual send: what a closed loop would see */
    struct histogram lag;     /* our own: from when a request could be sent to its send */
    struct histogram wait;    /* for a free connection, of those that waited */
    struct histogram parts[TIMING_PARTS];
    uint64_t batches[RECORDER_BATCH_MAX + 1]; /* answers by the size of their batch */
    struct recorder_kind kinds[WORKLOAD_KINDS_MAX];
};

/* One request's times. */
struct recorder_times {
    uint64_t intended_ns;
    uint64_t sendable_ns; /* intended, or later when no connection was free */
    uint64_t sent_ns;
};

void recorder_reset(struct recorder *r);
void recorder_add(struct recorder *r, const struct recorder *other);

void recorder_sent(struct recorder *r, const struct workload_request *request,
                   const struct recorder_times *times);
/* `slo_ns` 0: none. */
void recorder_answered(struct recorder *r, const struct workload_request *request,
                       const struct recorder_times *times, const struct answer *answer,
                       uint64_t now_ns, uint64_t slo_ns);
/* The request never got a connection; its kind was not chosen. */
void recorder_unsent(struct recorder *r);

/* The mean size of the batches themselves: a batch of n is told by n answers. 0: none told. */
double recorder_batch_mean(const struct recorder *r);
/* The largest size that was told; 0: none. */
unsigned recorder_batch_max(const struct recorder *r);

#endif
