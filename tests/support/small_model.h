/*
 * small_model.h - a loaded model of any input shape, for tests of what stands around it.
 */
#ifndef SMALL_MODEL_H
#define SMALL_MODEL_H

#include "model.h"

/* Input "x" of `dims` ("N 2 3"), flattened and multiplied by a matrix of ones, so that each of
 * the `outputs` is the sum of the row. `config` is a config.json, or NULL. Ends the program when
 * it cannot be. */
struct model *small_model(const char *dims, size_t outputs, const char *config);

#endif
