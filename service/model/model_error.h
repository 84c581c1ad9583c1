/*
 * model_error.h - sentences about files that nobody vouches for.
 *
 *   Threads    pure functions.
 */
#ifndef MODEL_ERROR_H
#define MODEL_ERROR_H

#include "model.h"

/* Writes the sentence and returns `status`, so that a check is one statement:
 *   return model_fail(error, MODEL_MALFORMED, "the tensor %s has no name", ...); */
enum model_status model_fail(struct model_error *error, enum model_status status,
                             const char *format, ...) __attribute__((format(printf, 3, 4)));

enum model_status model_fail_nomem(struct model_error *error);

/* A name from a file, in quotes, escaped and cut to a sensible length. Usable
 * inside one call: model_fail(..., model_quote(name).text). NULL is "". */
struct model_quoted {
    char text[80];
};
struct model_quoted model_quote(const char *name);

#endif
