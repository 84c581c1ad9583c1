/*
 * workload_prepare.h - what a workload needs to know and does not: the shapes of
 * models, from the server, and bodies from files.
 */
#ifndef WORKLOAD_PREPARE_H
#define WORKLOAD_PREPARE_H

#include "target.h"
#include "workload.h"

/* The numbers in one row of a model's only input, from the JSON that
 * GET /v1/models/{model} answers; false when it does not say. */
bool workload_parse_shape(const char *json, size_t bytes, size_t *out_elements)
    __attribute__((warn_unused_result));

/* Asks the server about a model. Fails when it cannot be reached, and when the
 * model is not there or not ready. */
bool workload_ask_shape(const struct target *target, const char *model, size_t *out_elements,
                        struct load_error *error) __attribute__((warn_unused_result));

/* Reads bodies for predictions. The file is one JSON object with "instances",
 * whose rows are dealt out `rows` to a request, or JSON Lines: each line a body
 * that is sent as it is. On success *out is for workload_bodies_destroy(). */
bool workload_read_bodies(const char *path, size_t rows, struct workload_bodies *out,
                          struct load_error *error) __attribute__((warn_unused_result));

#endif
