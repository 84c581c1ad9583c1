/*
 * tune_search.h - which of some settings gives the highest throughput within a
 * latency limit, found with few, short measurements on a machine that is not quiet.
 *
 *     size_t index;
 *     while (tune_search_next(search, &index)) {
 *         measure(settings[index], &sample);
 *         tune_search_tell(search, &sample);
 *     }
 *
 *   Purity     no clock and no I/O; a seed decides the order.
 *   Ownership  settings are known by their index only; what they are is the
 *              caller's business.
 *   Race       all settings are measured twice, then the better half again, and
 *              half of these, until few are left, which are measured until their
 *              distances are known better than they are large. At least half of
 *              those that go on are within the limit, as long as there are any.
 *   Passes     each pass measures everyone who is in it once, in another order: what
 *              disturbs the machine for a while does not meet the same ones. So when a dozen
 *              neighbours in time were slower than they were in other passes, it
 *              was the machine, and they count as if it had not been.
 *   Noise      other work makes a setting look worse, hardly ever better. Of two
 *              samples the better one counts; of three and more the median, which no
 *              single stall moves.
 *   Reference  setting 0 is what holds now. It stays in the race whatever it is, to be
 *              compared with, and wins where nothing is better by more than a tie.
 */
#ifndef TUNE_SEARCH_H
#define TUNE_SEARCH_H

#include "load_base.h"

enum {
    TUNE_SAMPLES_MAX = 16, /* of one setting */
    TUNE_FINALISTS = 4,    /* beside the reference */
    TUNE_FINAL_SAMPLES = 9,
    TUNE_EXTRA_SAMPLES = 15, /* where the order is not known by then */
};

/* What is closer than this counts as equal: of equals, what holds now, else the one with the
 * lowest latency, is chosen. */
#define TUNE_TIE 0.015

struct tune_sample {
    double throughput; /* requests answered 2xx, a second */
    double limited_ns; /* the latency that the limit is about; INFINITY: more failed than that */
    double p50_ns;     /* for the report, as are the following */
    double p99_ns;
    double cpu_ns; /* of the server, a request */
    double batch_mean;
};

/* What is known of a setting. */
struct tune_figures {
    struct tune_sample typical;
    double error; /* of the throughput, as a part of it: it is as sure as 95 % */
    size_t samples;
    bool within; /* the limit */
};

enum tune_phase {
    TUNE_PHASE_ALL,    /* everyone, twice */
    TUNE_PHASE_HALVES, /* the better half, again and again */
    TUNE_PHASE_FINAL,
    TUNE_PHASE_FRONT, /* what the table will show is measured often enough to be shown */
    TUNE_PHASE_EXTRA, /* the final goes on where its order is not known: good to have, no more */
    TUNE_PHASE_OVER,
};

struct tune_search;

/* NULL when memory is out. `count` is at least 1. */
struct tune_search *tune_search_create(size_t count, double limit_ns, uint64_t seed);
/* NULL is a no-op. */
void tune_search_destroy(struct tune_search *search);

/* How many measurements of `count` settings to plan for: it takes no more before the extra
 * ones, and with these tune_search_measurements_max(). */
size_t tune_search_measurements(size_t count);
size_t tune_search_measurements_max(size_t count);

/* Which setting to measure next; false when it is known. */
bool tune_search_next(struct tune_search *search, size_t *out_index);
/* How the one of tune_search_next() did. */
void tune_search_tell(struct tune_search *search, const struct tune_sample *sample);

enum tune_phase tune_search_phase(const struct tune_search *search);
/* How many are in the race still. */
size_t tune_search_left(const struct tune_search *search);

/* The rest may be asked at any time, in the middle too. */

/* All zero for one that was not measured. */
struct tune_figures tune_search_figures(const struct tune_search *search, size_t index);

/* The choice: the fastest within the limit, or, when none is, the one with the lowest latency
 * (and then its figures are not `within`). False before anything was measured. */
bool tune_search_best(const struct tune_search *search, size_t *out_index);

/* Settings that no other beats in both throughput and latency, the fastest first; of those
 * that differ little in latency the fastest. Only what was measured three times, once anything was.
 * `out` has room for all; returns how many. */
size_t tune_search_front(const struct tune_search *search, size_t *out);

#endif
