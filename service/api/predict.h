/*
 * predict.h - POST /v1/models/{model}:predict: body to job, job to answer.
 *
 *   Request    {"instances": [row, ...]}, where a row is an array of the model's
 *              input shape (or flat, with as many numbers), a bare number for a
 *              model with one input, or {"<input name>": row}. "signature_name"
 *              may be "serving_default". "decimals", from 0 to 9, is how many the
 *              numbers of the answer have at most.
 *   Answer     {"predictions": [[...], ...]} and, for a model with class labels,
 *              "labels": the label of the largest output of each row.
 *   Memory     the job's, of 4 bytes for each number and each output of the rows they may be; of
 *              numbers there are never more than half as many as the body has bytes, and one.
 *   Threads    the loop's thread.
 */
#ifndef PREDICT_H
#define PREDICT_H

#include "api_error.h"
#include "buffer.h"
#include "job.h"
#include "json_reader.h"
#include "model.h"

/* Fills in the job's rows, input and output memory. */
bool predict_decode(struct json_reader *reader, const struct model *model, size_t instances_max,
                    struct buffer *body, struct job *job, struct api_error *error);

void predict_encode(const struct model *model, const struct job *job, struct buffer *answer);

#endif
