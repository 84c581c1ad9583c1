#include "reload.h"

#include <time.h>

void reload_succeeded(struct metrics *metrics)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    metrics_set(metrics, METRICS_SERVICE_CONFIG_LAST_RELOAD_SUCCESSFUL, 0, 1);
    metrics_set(metrics, METRICS_SERVICE_CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS, 0,
                (double)now.tv_sec + (double)now.tv_nsec / 1e9);
}

static void say_restart(void *ctx, const char *key)
{
    log_write(ctx, LOG_WARN, "a changed setting needs a restart", LOG_STR("key", key));
}

bool reload_configuration(const struct reload *reload)
{
    const struct config_source *source = reload->source;
    struct config *fresh;
    struct config_error error;
    if (config_load(source->argc, source->argv, source->environment, &fresh, &error) != CONFIG_OK) {
        metrics_set(reload->metrics, METRICS_SERVICE_CONFIG_LAST_RELOAD_SUCCESSFUL, 0, 0);
        log_write(reload->log, LOG_ERROR, "the configuration is wrong and changes nothing",
                  LOG_STR("reason", error.text));
        return false;
    }
    config_each_difference(reload->running, fresh, say_restart, reload->log);
    size_t changed = batching_reload(reload->batching, fresh);
    config_destroy(fresh);
    reload_succeeded(reload->metrics);
    log_write(reload->log, LOG_INFO, "the configuration was read again",
              LOG_INT("queues_changed", changed));
    return true;
}
