/*
 * info.h - answers about the server itself: page, health, models, metrics, configuration.
 *
 *   Threads    the loop's thread. Each answers the exchange before it returns.
 */
#ifndef INFO_H
#define INFO_H

#include "api.h"

void info_page(struct api_loop *loop, struct http_exchange *ex);
void info_health(struct api_loop *loop, struct http_exchange *ex);
void info_live(struct api_loop *loop, struct http_exchange *ex);
void info_ready(struct api_loop *loop, struct http_exchange *ex);
void info_metrics(struct api_loop *loop, struct http_exchange *ex);
void info_models(struct api_loop *loop, struct http_exchange *ex);
void info_model(struct api_loop *loop, struct http_exchange *ex, const struct model_entry *entry);
/* GET: the last result. POST: measures again, off the request path; 202, or 409 while it runs. */
void info_selftest(struct api_loop *loop, struct http_exchange *ex);
void info_config(struct api_loop *loop, struct http_exchange *ex);

#endif
