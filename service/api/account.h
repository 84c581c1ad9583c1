/*
 * account.h - what api/ counts about exchanges and connections, and the gauges it reads.
 *
 *   Threads    account_gauges() on one loop at a time; the others on their loop.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "api.h"

/* An exchange ended: requests by route, method and code, their times and sizes, and the
 * access log. */
void account_outcome(struct api_loop *loop, const struct http_exchange *ex,
                     const struct http_outcome *outcome);
void account_protocol_error(struct api_loop *loop, enum http_protocol_error reason);
void account_connection(struct api_loop *loop, bool accepted);

/* Sets the gauges that are read rather than counted. Before each exposition. */
void account_gauges(struct api *api);

#endif
