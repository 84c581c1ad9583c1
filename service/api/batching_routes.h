/*
 * batching_routes.h - GET /v1/batching, GET and PATCH /v1/batching/{queue}, and its recent batches.
 *
 *   Threads    loop 0's: only admin listeners serve them. Each answers the exchange before it
 *              returns.
 *   Headers    batching_find_queue() and batching_check_media_type() on the head alone: false
 *              when they have answered.
 */
#ifndef BATCHING_ROUTES_H
#define BATCHING_ROUTES_H

#include "api.h"

/* Keeps the queue in ex->user for the functions below. */
bool batching_find_queue(struct api_loop *loop, struct http_exchange *ex, struct http_slice name);
bool batching_check_media_type(struct api_loop *loop, struct http_exchange *ex);

void batching_show_all(struct api_loop *loop, struct http_exchange *ex);
void batching_show_or_patch(struct api_loop *loop, struct http_exchange *ex);
void batching_show_recent(struct api_loop *loop, struct http_exchange *ex);

#endif
