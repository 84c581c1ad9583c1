/*
 * compute_request.h - one prediction or indicator request, from its body to its answer.
 *
 *   Threads    the loop's thread.
 *   Ownership  from a successful submit on, ex->user is the job; it is cleared before
 *              the exchange is answered or when the exchange is aborted.
 *   Counting   every job that is offered to the batcher is counted once as submitted and
 *              once by its outcome.
 */
#ifndef COMPUTE_REQUEST_H
#define COMPUTE_REQUEST_H

#include "api.h"

/*
 * After the head: false when it has been refused for what the head says, or because nobody is let
 * into the queue now. That spares the reading of the body; so the batcher is only asked when there
 * is one to come, or when it has refused the last request of this loop.
 */
bool compute_request_check(struct api_loop *loop, struct http_exchange *ex,
                           const struct compute_queue *queue);

/* Decodes the body and submits a job, or answers why not. */
void compute_request_start(struct api_loop *loop, struct http_exchange *ex,
                           const struct compute_queue *queue);

/* Jobs that are finished or given up: answers each whose client is still there. */
void compute_request_done(struct api_loop *loop, struct batcher_job *list);

/* Nobody waits for the answer any more. Queued, the job is dropped before it is computed;
 * running, its result is dropped when it comes. */
void compute_request_abort(struct api_loop *loop, struct http_exchange *ex, enum http_abort why);

#endif
