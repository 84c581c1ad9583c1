/*
 * indicators.h - POST /v1/indicators/{sma,ema,rsi}: body to job, job to answer.
 *
 *   Request    {"prices": [...], "period": 20} or {"series": [[...], ...], "period": 20},
 *              and "decimals" as in predict.h.
 *   Answer     {"indicator":"sma","period":20,"values":[null,...,101.3]}, or an array
 *              of such arrays. The warm-up is null. Numbers are the shortest text that
 *              reads back the same double, or have so many decimals.
 *   Memory     the job's, of 16 bytes for each price, 8 for each series there may be, and less
 *              than 8 KiB. Three times the body hold it when prices have 5.4 bytes or more with
 *              their comma; shorter ones need up to eight times, as 1,1,1 does.
 *   Threads    the loop's thread.
 */
#ifndef INDICATORS_H
#define INDICATORS_H

#include "api_error.h"
#include "buffer.h"
#include "compute.h"
#include "job.h"
#include "json_reader.h"

struct indicator_limits {
    size_t series_max;
    size_t points_max; /* of all series together */
};

/* Fills in the job's series, period and output memory. */
bool indicator_decode(struct json_reader *reader, const struct indicator_limits *limits,
                      struct buffer *body, struct job *job, struct api_error *error);

void indicator_encode(enum compute_kind kind, const struct job *job, struct buffer *answer);

#endif
