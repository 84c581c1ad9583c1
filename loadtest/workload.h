/*
 * workload.h - what is sent: ready-made requests, and the choice among them.
 *
 * Every request is built before the run, head and body in one piece, so that
 * sending one formats nothing. Of each kind (a model, an indicator) there are some
 * dozens with different numbers; they are picked at random, by weight and seed.
 *
 *   Purity     no I/O and no clock. The shapes of models, and bodies that came
 *              from files, are given: see workload_prepare.h.
 *   Ownership  workload_create() copies what it needs; requests are the
 *              workload's.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "load_base.h"
#include "load_random.h"

enum {
    WORKLOAD_KINDS_MAX = 16,
    WORKLOAD_NAME_BYTES_MAX = 128,
    WORKLOAD_VARIANTS = 64,                     /* generated requests of a kind */
    WORKLOAD_ROWS_MAX = 4096,                   /* of one request */
    WORKLOAD_POINTS_MAX = 1000 * 1000,          /* of one series */
    WORKLOAD_BODY_BYTES_MAX = 64 * 1024 * 1024, /* all bodies of a kind together */
};

/* How requests are written; what the server does not speak yet is not here. */
enum workload_protocol {
    WORKLOAD_V1,
};

enum workload_what {
    WORKLOAD_MODEL,
    WORKLOAD_INDICATOR,
    WORKLOAD_GET, /* of the path that is its name; it has no body, and none to be wrong */
};

/* Bodies that were read from a file. */
struct workload_bodies {
    char **texts;
    size_t count;
};

struct workload_kind {
    enum workload_what what;
    char name[WORKLOAD_NAME_BYTES_MAX];
    double weight;
    size_t row_elements;           /* of a model's input */
    struct workload_bodies bodies; /* none: generated */
};

struct workload_spec {
    enum workload_protocol protocol;
    struct workload_kind kinds[WORKLOAD_KINDS_MAX];
    size_t kind_count;
    size_t rows;   /* of a generated prediction */
    size_t points; /* of a generated series */
    size_t period; /* of an indicator */
    const char *host;
    unsigned timeout_ms;  /* X-Request-Timeout-Ms; 0: not sent */
    const char *priority; /* X-Priority; NULL: not sent */
    const char *tenant;   /* X-Tenant; NULL: not sent */
    double invalid_share; /* 0 to 1: bodies that the server must refuse */
    double abandoned_share;
    uint64_t seed;
};

struct workload_request {
    const char *data;
    size_t bytes;
    size_t kind; /* index into the spec's kinds */
    bool invalid;
};

struct workload;

bool workload_create(const struct workload_spec *spec, struct workload **out,
                     struct load_error *error) __attribute__((warn_unused_result));
/* NULL is a no-op. */
void workload_destroy(struct workload *w);

/* The next request, and whether its client is to leave before the answer. */
const struct workload_request *workload_pick(struct workload *w, bool *out_abandoned);

/* For reports. */
size_t workload_kind_count(const struct workload *w);
const char *workload_kind_name(const struct workload *w, size_t kind);

void workload_bodies_destroy(struct workload_bodies *bodies);

#endif
