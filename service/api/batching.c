#include "batching.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base.h"

/* Of each queue, by its label. */
struct queue_batching {
    struct config_queue api; /* only what is given */
    struct config_effective effective;
    uint64_t changes;
};

struct batching {
    struct compute *compute;
    struct config *config;
    struct log *log;
    struct metrics_shard *shard;
    uint64_t run; /* tells this run of the server from others */
    struct queue_batching *queues;
};

static uint64_t wall_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

struct batching *batching_create(struct compute *compute, struct config *config,
                                 struct metrics_shard *shard, struct log *log)
{
    size_t count = compute_queue_count(compute);
    struct batching *batching = calloc(1, sizeof *batching);
    struct queue_batching *queues = calloc(count, sizeof *queues);
    if (batching == NULL || queues == NULL) {
        free(batching);
        free(queues);
        return NULL;
    }
    *batching = (struct batching){.compute = compute,
                                  .config = config,
                                  .shard = shard,
                                  .log = log,
                                  .run = wall_clock_ns(),
                                  .queues = queues};
    for (size_t i = 0; i < count; i++)
        queues[i].effective = compute_batching(compute, compute_queue_at(compute, i), config, NULL);
    return batching;
}

void batching_destroy(struct batching *batching)
{
    if (batching == NULL)
        return;
    free(batching->queues);
    free(batching);
}

/* --- looking at it */

const struct config_effective *batching_of(const struct batching *batching,
                                           const struct compute_queue *queue)
{
    return &batching->queues[queue->label].effective;
}

void batching_etag(const struct batching *batching, const struct compute_queue *queue,
                   char out[BATCHING_ETAG_BYTES_MAX])
{
    snprintf(out, BATCHING_ETAG_BYTES_MAX, "\"%" PRIx64 "-%" PRIu64 "\"", batching->run,
             batching->queues[queue->label].changes);
}

/* --- saying so */

/* Terminated, for the log. */
static const char *value_text(enum config_field field, const struct config_effective *effective,
                              char text[32])
{
    struct buffer out = {.data = text, .capacity_bytes = 31, .bytes_max = 31};
    config_field_format(field, config_field_get(field, &effective->batching), &out);
    text[out.bytes] = '\0';
    return text;
}

static void log_changes(const struct batching *batching, const struct compute_queue *queue,
                        const struct config_effective *before, const struct config_effective *after,
                        const char *by)
{
    unsigned changes = config_effective_changes(before, after);
    for (unsigned i = 0; i < CONFIG_FIELDS; i++) {
        enum config_field field = (enum config_field)i;
        char from[32], to[32];
        if ((changes & 1u << i) == 0)
            continue;
        log_write(batching->log, LOG_INFO, "batching changed", LOG_STR("queue", queue->name),
                  LOG_STR("field", config_field_name(field)),
                  LOG_STR("from", value_text(field, before, from)),
                  LOG_STR("to", value_text(field, after, to)),
                  LOG_STR("source_before", config_origin_str(before->origins[i])),
                  LOG_STR("source", config_origin_str(after->origins[i])), LOG_STR("by", by));
    }
}

/* --- changing it */

static struct config_queue after_patch(const struct config_queue *api,
                                       const struct batching_patch *patch)
{
    struct config_queue after = *api;
    after.given = (after.given & ~patch->reset) | patch->set;
    config_batching_copy(&after.batching, &patch->batching, patch->set);
    return after;
}

/* What was accepted at the start, a model's own words included, stands in nobody's way. */
static bool check(const struct batching *batching, const struct compute_queue *queue,
                  const struct config_queue *api, struct config_effective *out,
                  struct config_error *error)
{
    struct config_effective after =
        compute_batching(batching->compute, queue, batching->config, api);
    const struct config_batching *now = &batching->queues[queue->label].effective.batching;
    bool same_rows = after.batching.batch_rows_max == now->batch_rows_max &&
                     after.batching.queue_rows_max == now->queue_rows_max;
    if (!same_rows && !config_batching_check(&after.batching, error))
        return false;
    *out = after;
    return true;
}

bool batching_check(const struct batching *batching, const struct compute_queue *queue,
                    const struct batching_patch *patch, struct config_effective *out,
                    struct config_error *error)
{
    struct config_queue api = after_patch(&batching->queues[queue->label].api, patch);
    return check(batching, queue, &api, out, error);
}

/* Whether anything has changed. */
static bool take_over(struct batching *batching, struct compute_queue *queue,
                      const struct config_effective *after, enum metrics_change by)
{
    struct queue_batching *own = &batching->queues[queue->label];
    if (config_effective_changes(&own->effective, after) == 0)
        return false;
    compute_set_batching(batching->compute, queue, &after->batching);
    log_changes(batching, queue, &own->effective, after, by == METRICS_CHANGE_API ? "api" : "file");
    own->effective = *after;
    own->changes++;
    metrics_add(batching->shard, METRICS_BATCHER_CONFIG_CHANGES_TOTAL,
                metrics_labels(METRICS_BATCHER_CONFIG_CHANGES_TOTAL, queue->label, by, 0), 1);
    return true;
}

bool batching_apply(struct batching *batching, struct compute_queue *queue,
                    const struct batching_patch *patch, struct config_error *error)
{
    struct queue_batching *own = &batching->queues[queue->label];
    struct config_queue api = after_patch(&own->api, patch);
    struct config_effective after;
    if (!check(batching, queue, &api, &after, error))
        return false;
    own->api = api;
    take_over(batching, queue, &after, METRICS_CHANGE_API);
    return true;
}

static bool reload_queue(struct batching *batching, struct compute_queue *queue)
{
    struct config_effective after;
    struct config_error error;
    if (check(batching, queue, &batching->queues[queue->label].api, &after, &error))
        return take_over(batching, queue, &after, METRICS_CHANGE_FILE);
    log_write(
        batching->log, LOG_WARN,
        "the file does not go together with what the API has set; the queue keeps what it has",
        LOG_STR("queue", queue->name), LOG_STR("reason", error.text));
    return false;
}

size_t batching_reload(struct batching *batching, struct config *fresh)
{
    size_t changed = 0;
    config_adopt_batching(batching->config, fresh);
    for (size_t i = 0; i < compute_queue_count(batching->compute); i++)
        changed += reload_queue(batching, compute_queue_at(batching->compute, i));
    return changed;
}
