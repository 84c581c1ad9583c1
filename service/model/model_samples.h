/*
 * model_samples.h - inputs to try a model with: NAME/samples.json, or made up.
 *
 *   {"instances": [[0, 0.5, 1], [1, 0.25, 0]]}
 *
 * The body of a predict request without names: rows of as many numbers as the
 * model takes, flat or in the shape of its input.
 *
 *   Threads    pure functions.
 *   Ownership  struct model_samples owns its rows.
 */
#ifndef MODEL_SAMPLES_H
#define MODEL_SAMPLES_H

#include "model.h"

enum {
    MODEL_SAMPLES_BYTES_MAX = 16 * 1024 * 1024,
    MODEL_SAMPLES_ROWS_MAX = 256,
};

struct model_samples {
    float *rows; /* [count][row_size]; NULL: none */
    size_t count;
    bool given; /* by samples.json */
};

/* On failure *out is untouched. */
enum model_status model_samples_parse(const char *json, size_t bytes, size_t row_size,
                                      struct model_samples *out, struct model_error *error)
    __attribute__((warn_unused_result));

/* Rows of normal numbers (mean 0, variance 1), the same on every machine. False without memory. */
bool model_samples_make(size_t row_size, struct model_samples *out)
    __attribute__((warn_unused_result));

void model_samples_deinit(struct model_samples *samples);

#endif
