/*
 * main.c - jitney's command line: reads the configuration, runs the server.
 *
 * Exit status: 0 after an orderly end, 1 when something was left or given up (or the server
 * that was asked for is not ready), 2 when it could not start.
 */
#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "health_check.h"
#include "log.h"
#include "server.h"

enum {
    EXIT_CANNOT_START = 2,
    HELP_BYTES_MAX = 64 * 1024
};

static int show_help(void)
{
    struct buffer help;
    buffer_init(&help, HELP_BYTES_MAX);
    config_help(&help);
    bool ok = !help.failed && fwrite(help.data, 1, help.bytes, stdout) == help.bytes;
    buffer_deinit(&help);
    return ok ? 0 : 1;
}

static int check_health(const struct config *config)
{
    struct health_answer answer;
    const bool ready = health_check(&config->listen[0], &answer);
    puts(answer.text);
    return ready ? 0 : 1;
}

static void log_setting(void *ctx, const char *key, const char *value, const char *source)
{
    log_write(ctx, LOG_DEBUG, "setting", LOG_STR("key", key), LOG_STR("value", value),
              LOG_STR("source", source));
}

static int serve(struct config *config, const struct config_source *source)
{
    struct log_config log_config = {
        .level = config->log_level, .format = config->log_format, .fd = STDERR_FILENO};
    struct log *log;
    if (log_create(&log_config, &log) != 0) {
        fputs("jitney: no memory or thread for the log\n", stderr);
        return EXIT_CANNOT_START;
    }
    config_each(config, log_setting, log);
    struct server *server;
    int status = EXIT_CANNOT_START;
    if (server_create(config, source, log, &server) == 0) {
        status = server_run(server);
        server_destroy(server);
    }
    log_destroy(log);
    return status;
}

int main(int argc, char **argv)
{
    const struct config_source source = {argc, argv, environ};
    struct config *config;
    struct config_error error;
    switch (config_load(argc, argv, environ, &config, &error)) {
    case CONFIG_OK:
        break;
    case CONFIG_SHOW_HELP:
        return show_help();
    case CONFIG_SHOW_VERSION:
        puts("jitney " JITNEY_VERSION_STRING);
        return 0;
    case CONFIG_BAD:
        fprintf(stderr, "jitney: %s\n", error.text);
        return EXIT_CANNOT_START;
    }
    int status = 0;
    if (config->check_only)
        puts("the configuration is good");
    else if (config->check_health)
        status = check_health(config);
    else
        status = serve(config, &source);
    config_destroy(config);
    return status;
}
