/*
 * measure.h - one short run after another: what a sweep, a comparison and a tuner
 * are made of.
 *
 *     interrupt_init(&interrupt, &error);
 *     measure_create(&options, "http://127.0.0.1:8001", &interrupt, NULL, &m, &error);
 *     while (...)
 *         measure_run(m, &(struct measure_load){.rate = 500}, &figures, &error);
 *     measure_destroy(m);
 *
 *   Threads    one, the caller's; measure_run() blocks until the run is over.
 *   Signals    end the run that is under way, with its figures so far; after that, and when
 *              one came between two runs, measure_run() runs nothing any more.
 *   Ownership  options, interrupt and progress are borrowed.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdio.h>

#include "interrupt.h"
#include "load_session.h"

/* What is zero is as the options say. */
struct measure_load {
    double rate; /* 0: closed loop */
    size_t connections;
    uint64_t duration_ns;
    uint64_t seed;     /* of the arrivals: the same for what is to be compared */
    const char *label; /* in front of the progress: "step 3 of 12"; NULL: none */
};

/* A run's figures, of its measured part. Latencies are of 2xx answers, and NAN when there
 * are none. */
struct measurement {
    enum load_end end;
    int signal;      /* of INTERRUPTED */
    char error[192]; /* of UNREACHABLE and DIED */
    double seconds;  /* 0: interrupted before anything was measured */
    double due_rate; /* a second, as are the next two */
    double throughput;
    double goodput; /* within the options' SLO; without one, all 2xx */
    double failed_share;
    double p50_ns;
    double p90_ns;
    double p99_ns;
    double batch_mean;   /* 0: not told */
    double cpu_ns;       /* of the server, an answer, by its /metrics; NAN: not told */
    bool client_is_slow; /* as in struct summary */
    bool client_is_full;
    bool pool_was_empty;
};

struct measure;

/* As load_session_open(). `progress` is a terminal, or NULL. */
enum load_exit measure_create(const struct load_options *options, const char *target,
                              struct interrupt *interrupt, FILE *progress, struct measure **out,
                              struct load_error *error) __attribute__((warn_unused_result));
/* NULL is a no-op. */
void measure_destroy(struct measure *m);

/* False only when the machine refuses what a run needs; all that concerns the server is
 * in *out. A server that answered in an earlier run and cannot be reached now has DIED. */
bool measure_run(struct measure *m, const struct measure_load *load, struct measurement *out,
                 struct load_error *error) __attribute__((warn_unused_result));

/* Everything about the last run, until the next one. */
const struct load_result *measure_result(const struct measure *m);

/* What a subcommand ends with whose last run was this one. */
enum load_exit measure_exit(const struct measurement *last);

/* The figures, as fields of a JSON object. */
struct json;
void measurement_write_json(const struct measurement *figures, const struct json *into);

/* The seconds of processor time that a server has used, from the text of its /metrics; NAN
 * when it does not say. */
double measure_parse_cpu(const char *metrics);

#endif
