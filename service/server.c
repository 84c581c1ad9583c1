#include "server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "api.h"
#include "base.h"
#include "http_balance.h"
#include "listener.h"
#include "reload.h"

enum {
    LISTENERS_MAX = 2 * CONFIG_LISTENERS_MAX,
    /* For listeners, loops and files, and for connections beyond the limit that read their 503. */
    FDS_RESERVED = 96,
};

/* What loop 0 asks of a loop; each includes those before it. */
enum loop_order {
    ORDER_SERVE,
    ORDER_CLOSE_POLITELY,
    ORDER_STOP,
    ORDER_STOP_NOW
};

struct server_loop {
    struct api_loop api; /* first: api_loop.on_stopped finds the rest by it */
    struct server *server;
    uv_loop_t uv;
    uv_async_t order_changed;
    atomic_int order; /* enum loop_order, only ever grows */
    int order_done;
    pthread_t thread;
    bool thread_started;
    bool initialised;
};

struct bound_listener {
    const struct config_listener *config;
    bool admin;
    int fd; /* of loop 0; -1 once a loop has it */
    char address[160];
};

struct server {
    const struct config *config;
    struct http_limits limits; /* the configuration's, within what the system gives */
    struct log *log;
    const struct kernels *kernels;
    struct model_repository *repository;
    struct compute *compute;
    struct metrics *metrics;
    struct selftest *selftest;
    struct reload reload;
    struct api api;
    struct server_loop *loops;
    struct http_balance balance; /* when there are several */
    struct bound_listener listeners[LISTENERS_MAX];
    size_t listeners_count;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    uv_signal_t sighup;
    uv_timer_t drain;
    unsigned signals;
    bool gave_up; /* open requests were answered 503 to end */
    bool unclean; /* a loop had something left at the end */
};

/* --- orders to loops */

static void carry_out_order(struct server_loop *loop)
{
    int order = atomic_load(&loop->order);
    if (order >= ORDER_CLOSE_POLITELY && loop->order_done < ORDER_CLOSE_POLITELY)
        http_server_close_politely(loop->api.server);
    if (order >= ORDER_STOP && loop->order_done < ORDER_STOP)
        http_server_stop(loop->api.server);
    if (order >= ORDER_STOP_NOW && loop->order_done < ORDER_STOP_NOW)
        http_server_stop_now(loop->api.server);
    loop->order_done = order;
}

static void on_order(uv_async_t *async)
{
    carry_out_order(container_of(async, struct server_loop, order_changed));
}

static void order_all(struct server *server, enum loop_order order)
{
    for (size_t i = 0; i < server->config->io_threads; i++) {
        atomic_store(&server->loops[i].order, order);
        uv_async_send(&server->loops[i].order_changed);
    }
}

/* The last connection of a loop is gone and no job of it is under way: its remaining
 * handles go, and uv_run() returns. */
static void on_loop_stopped(struct api_loop *api_loop)
{
    struct server_loop *loop = container_of(api_loop, struct server_loop, api);
    api_loop_close(&loop->api);
    uv_close((uv_handle_t *)&loop->order_changed, NULL);
    if (loop != &loop->server->loops[0])
        return;
    struct server *server = loop->server;
    uv_close((uv_handle_t *)&server->sigterm, NULL);
    uv_close((uv_handle_t *)&server->sigint, NULL);
    uv_close((uv_handle_t *)&server->sighup, NULL);
    uv_close((uv_handle_t *)&server->drain, NULL);
}

/* --- the end, on loop 0 */

static void give_up(struct server *server)
{
    size_t open = atomic_load(&server->api.in_flight);
    if (open > 0) {
        server->gave_up = true;
        log_write(server->log, LOG_WARN, "giving up open requests, answering 503",
                  LOG_INT("requests", open));
    }
    order_all(server, ORDER_STOP_NOW);
}

static void on_drain_timeout(uv_timer_t *timer)
{
    give_up(timer->data);
}

static void on_drain_delay_over(uv_timer_t *timer)
{
    struct server *server = timer->data;
    log_write(server->log, LOG_INFO, "closing listeners, finishing open requests",
              LOG_INT("requests", atomic_load(&server->api.in_flight)),
              LOG_INT("connections", atomic_load(&server->api.connections)));
    batcher_hurry(compute_batcher(server->compute));
    order_all(server, ORDER_STOP);
    uv_timer_start(&server->drain, on_drain_timeout, server->config->drain_timeout_ns / NS_PER_MS,
                   0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    log_write(server->log, LOG_INFO, server->signals == 0 ? "draining" : "ending at once",
              LOG_STR("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    atomic_store(&server->api.ready, false);
    atomic_store(&server->api.draining, true);
    if (server->signals++ > 0) {
        order_all(server, ORDER_STOP);
        give_up(server);
        return;
    }
    order_all(server, ORDER_CLOSE_POLITELY);
    uv_timer_start(&server->drain, on_drain_delay_over, server->config->drain_delay_ns / NS_PER_MS,
                   0);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    reload_configuration(&((struct server *)handle->data)->reload);
}

/* --- creating, step by step */

/* More connections than descriptors would make accept fail silently. */
static void fit_connections(struct server *server)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files); /* what it gives is asked next */
    getrlimit(RLIMIT_NOFILE, &files);
    size_t fds = (size_t)files.rlim_cur;
    size_t room = fds > 2 * (size_t)FDS_RESERVED ? fds - FDS_RESERVED : fds / 2;
    if (server->limits.connections_max <= room)
        return;
    log_write(server->log, LOG_WARN, "fewer connections than configured: the limit of descriptors",
              LOG_INT("configured", server->limits.connections_max), LOG_INT("connections", room));
    server->limits.connections_max = room;
}

static int bind_listeners(struct server *server, const struct config_listener *listeners,
                          size_t count, bool admin)
{
    for (size_t i = 0; i < count; i++) {
        struct bound_listener *bound = &server->listeners[server->listeners_count];
        struct listener_error error;
        bool shared = server->config->io_threads > 1 && !admin;
        bound->config = &listeners[i];
        bound->admin = admin;
        bound->fd = listener_bind(&listeners[i], 0, shared, &error);
        if (bound->fd < 0) {
            log_write(server->log, LOG_ERROR, "cannot listen", LOG_STR("reason", error.text));
            return -1;
        }
        listener_address(&listeners[i], bound->fd, bound->address, sizeof bound->address);
        server->listeners_count++;
    }
    return 0;
}

static int read_token(struct server *server)
{
    const char *path = server->config->admin_token_file;
    if (path == NULL || token_read(path, server->api.admin_token, API_TOKEN_BYTES_MAX) > 0)
        return 0;
    log_write(server->log, LOG_ERROR, "cannot read a token from the admin token file",
              LOG_STR("file", path));
    return -1;
}

static int read_tenants(struct server *server)
{
    const char *path = tenants_load(&server->api.tenants, server->config);
    if (path == NULL)
        return 0;
    log_write(server->log, LOG_ERROR, "cannot read a tenant's key from its file",
              LOG_STR("file", path));
    return -1;
}

static int choose_kernels(struct server *server)
{
    kernels_blas_single_thread();
    enum kernels_isa isa;
    const char *wanted = server->config->isa;
    const struct kernels *kernels = kernels_best();
    if (strcmp(wanted, "auto") != 0) {
        kernels = kernels_isa_parse(wanted, &isa) ? kernels_for(isa) : NULL;
        if (kernels == NULL) {
            log_write(server->log, LOG_ERROR, "this processor or build lacks the chosen kernels",
                      LOG_STR("isa", wanted));
            return -1;
        }
    }
    if (server->config->workers > 1 && !kernels_blas_is_thread_safe()) {
        log_write(server->log, LOG_ERROR,
                  "this OpenBLAS gives wrong results with several workers; install its threaded "
                  "build (Debian: libopenblas0-pthread) or run one worker",
                  LOG_STR("blas", kernels_blas_description()));
        return -1;
    }
    log_write(server->log, LOG_INFO, "kernels", LOG_STR("isa", kernels_isa_str(kernels->isa)),
              LOG_STR("blas", kernels_blas_description()));
    server->kernels = kernels;
    return 0;
}

static int load_models(struct server *server)
{
    struct model_limits limits = model_limits_default();
    limits.rank_max = server->config->tensor_rank_max;
    struct model_error error;
    enum model_status status =
        model_repository_load(server->config->models_dir, server->config->models_max, &limits,
                              &server->repository, &error);
    if (status != MODEL_OK) {
        log_write(server->log, LOG_ERROR, "cannot read the models",
                  LOG_STR("directory", server->config->models_dir), LOG_STR("reason", error.text));
        return -1;
    }
    model_repository_apply_precision(server->repository, server->kernels);
    for (size_t i = 0; i < model_repository_count(server->repository); i++) {
        const struct model_entry *entry = model_repository_entry(server->repository, i);
        if (entry->model != NULL)
            log_write(server->log, LOG_INFO, "model loaded", LOG_STR("model", entry->name),
                      LOG_STR("version", entry->version),
                      LOG_INT("parameters", model_parameters(entry->model)));
        else
            log_write(server->log, LOG_ERROR, "model not loaded", LOG_STR("model", entry->name),
                      LOG_STR("version", entry->version), LOG_STR("reason", entry->error.text));
    }
    return 0;
}

/* "64x128 packed avx512, 128x10 openblas"; cut off where the line gets too long. */
static void say_layers(struct server *server, const struct model *model)
{
    char layers[512] = "";
    size_t bytes = 0;
    for (size_t i = 0; i < model_layers_count(model) && bytes < sizeof layers; i++) {
        struct model_layer layer = model_layer(model, i);
        bytes += (size_t)snprintf(layers + bytes, sizeof layers - bytes, "%s%zux%zu %s",
                                  i == 0 ? "" : ", ", layer.in_size, layer.out_size, layer.kernel);
    }
    log_write(server->log, LOG_INFO, "dense layers", LOG_STR("model", model_name(model)),
              LOG_STR("version", model_version(model)), LOG_STR("layers", layers));
}

static void say_accuracy(struct server *server, const struct model *model)
{
    const struct model_accuracy *accuracy = model_accuracy(model);
    char error[32], error_max[32];
    if (accuracy->precision != MODEL_INT8)
        return;
    snprintf(error, sizeof error, "%.3g", accuracy->error);
    snprintf(error_max, sizeof error_max, "%.3g", accuracy->error_max);
    log_write(server->log, LOG_INFO, "model computes in int8", LOG_STR("model", model_name(model)),
              LOG_STR("version", model_version(model)), LOG_STR("int8_error", error),
              LOG_STR("int8_max_error", error_max), LOG_INT("samples", accuracy->samples),
              LOG_STR("samples_from", accuracy->samples_given ? "samples.json" : "made up"));
}

static void say_all_layers(struct server *server)
{
    for (size_t i = 0; i < model_repository_count(server->repository); i++) {
        const struct model_entry *entry = model_repository_entry(server->repository, i);
        if (entry->model == NULL)
            continue;
        say_accuracy(server, entry->model);
        say_layers(server, entry->model);
    }
}

static int create_compute(struct server *server)
{
    struct compute_config config = {.config = server->config,
                                    .repository = server->repository,
                                    .kernels = server->kernels,
                                    .tenants = &server->api.tenants,
                                    .log = server->log,
                                    .done = api_jobs_done};
    const char *why;
    if (compute_create(&config, &server->compute, &why) == 0) {
        say_all_layers(server);
        return 0;
    }
    log_write(server->log, LOG_ERROR, "cannot start the batcher", LOG_STR("reason", why));
    return -1;
}

static void describe_build(struct server *server)
{
    const struct kernels *kernels = compute_kernels(server->compute);
    char width[16];
    snprintf(width, sizeof width, "%u", kernels->simd_bits);
    struct metrics *m = server->metrics;
    metrics_set_info(m, METRICS_COMPUTE_INFO, "version", JITNEY_VERSION_STRING);
    metrics_set_info(m, METRICS_COMPUTE_INFO, "commit", JITNEY_COMMIT);
    metrics_set_info(m, METRICS_COMPUTE_INFO, "compiler", JITNEY_COMPILER);
    metrics_set_info(m, METRICS_COMPUTE_INFO, "simd_enabled",
                     kernels->isa == KERNELS_SCALAR ? "false" : "true");
    metrics_set_info(m, METRICS_COMPUTE_INFO, "simd_isa", kernels_isa_str(kernels->isa));
    metrics_set_info(m, METRICS_COMPUTE_INFO, "simd_width", width);
    metrics_set_info(m, METRICS_COMPUTE_INFO, "blas", kernels_blas_description());
}

/* One shard for each loop, then one for each worker, then the verifier's. */
static int create_metrics(struct server *server)
{
    size_t count = compute_queue_count(server->compute);
    const char **names = calloc(count, sizeof *names);
    if (names == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        names[i] = compute_queue_at(server->compute, i)->name;
    size_t loops = server->config->io_threads;
    struct metrics_config config = {.shards = (unsigned)(loops + server->config->workers + 1),
                                    .models = names,
                                    .models_count = count};
    const struct tenants *tenants = &server->api.tenants;
    const char *tenant_names[METRICS_TENANTS_MAX];
    for (unsigned i = 0; i < tenants->count; i++)
        tenant_names[i] = tenants->of[i].name;
    config.tenants = tenant_names;
    config.tenants_count = tenants->count;
    int rc = metrics_create(&config, &server->metrics);
    free(names);
    if (rc != 0) {
        log_write(server->log, LOG_ERROR, "out of memory for the metrics");
        return -1;
    }
    compute_set_metrics(server->compute, server->metrics);
    describe_build(server);
    server->selftest =
        selftest_create(compute_kernels(server->compute), server->config->python_baseline,
                        server->metrics, server->log);
    return server->selftest != NULL ? 0 : -1;
}

/* Changes come through loop 0: its admin listeners, its signals. */
static int create_batching(struct server *server, struct config *config)
{
    struct batching *batching =
        batching_create(server->compute, config, metrics_shard(server->metrics, 0), server->log);
    server->api.batching = server->reload.batching = batching;
    server->reload.metrics = server->metrics;
    reload_succeeded(server->metrics);
    if (batching == NULL)
        log_write(server->log, LOG_ERROR, "out of memory for the queues' settings");
    return batching != NULL ? 0 : -1;
}

static int init_loop(struct server *server, size_t index)
{
    struct server_loop *loop = &server->loops[index];
    loop->server = server;
    loop->api.on_stopped = on_loop_stopped;
    int rc = uv_loop_init(&loop->uv);
    if (rc != 0)
        return rc;
    loop->initialised = true;
    rc = uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME); /* for loop_load.h */
    if (rc != 0)
        return rc;
    rc = uv_async_init(&loop->uv, &loop->order_changed, on_order);
    if (rc == 0)
        rc = api_loop_init(&loop->api, &server->api, &loop->uv, (unsigned)index);
    struct http_server_config config = {.loop = &loop->uv,
                                        .limits = &server->limits,
                                        .handler = api_handler(),
                                        .handler_ctx = &loop->api,
                                        .connections = &server->api.connections,
                                        .seat = (unsigned)index};
    if (server->config->io_threads > 1)
        config.balance = &server->balance;
    if (rc == 0)
        rc = http_server_create(&config, &loop->api.server);
    return rc;
}

/* Loop 0 takes the sockets that were bound first; other loops bind the same port again, or
 * share the descriptor of a Unix socket. Admin listeners are loop 0's alone. */
static int give_listener(struct server *server, size_t loop_index, struct bound_listener *bound)
{
    bool is_unix = bound->config->unix_path != NULL;
    int fd = bound->fd;
    struct listener_error error;
    if (loop_index > 0 && bound->admin)
        return 0;
    if (loop_index > 0 && is_unix)
        fd = dup(bound->fd);
    else if (loop_index > 0)
        fd = listener_bind(bound->config, listener_port(bound->fd), true, &error);
    if (fd < 0)
        return UV_EMFILE;
    return http_server_listen(server->loops[loop_index].api.server, fd, is_unix, bound->admin);
}

static int create_loops(struct server *server)
{
    size_t count = server->config->io_threads;
    http_balance_init(&server->balance, (unsigned)count);
    server->loops = calloc(count, sizeof *server->loops);
    if (server->loops == NULL)
        return UV_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int rc = init_loop(server, i);
        for (size_t k = 0; k < server->listeners_count && rc == 0; k++)
            rc = give_listener(server, i, &server->listeners[k]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int watch_signals(struct server *server)
{
    uv_loop_t *uv = &server->loops[0].uv;
    signal(SIGPIPE, SIG_IGN);
    int rc = uv_timer_init(uv, &server->drain);
    if (rc == 0)
        rc = uv_signal_init(uv, &server->sigterm);
    if (rc == 0)
        rc = uv_signal_init(uv, &server->sigint);
    if (rc == 0)
        rc = uv_signal_init(uv, &server->sighup);
    server->drain.data = server->sigterm.data = server->sigint.data = server->sighup.data = server;
    if (rc == 0)
        rc = uv_signal_start(&server->sigterm, on_signal, SIGTERM);
    if (rc == 0)
        rc = uv_signal_start(&server->sigint, on_signal, SIGINT);
    if (rc == 0)
        rc = uv_signal_start(&server->sighup, on_hangup, SIGHUP);
    return rc;
}

static void init_api(struct server *server)
{
    struct api *api = &server->api;
    api->config = server->config;
    api->limits = &server->limits;
    api->log = server->log;
    api->version = JITNEY_VERSION_STRING;
    api->started_ns = clock_now_ns();
    atomic_init(&api->ready, true);
}

static int start(struct server *server, struct config *config)
{
    fit_connections(server);
    init_api(server);
    if (read_token(server) != 0 || read_tenants(server) != 0 ||
        bind_listeners(server, config->listen, config->listen_count, false) != 0 ||
        bind_listeners(server, config->admin_listen, config->admin_listen_count, true) != 0 ||
        choose_kernels(server) != 0 || load_models(server) != 0 || create_compute(server) != 0 ||
        create_metrics(server) != 0 || create_batching(server, config) != 0)
        return -1;
    server->api.repository = server->repository;
    server->api.compute = server->compute;
    server->api.metrics = server->metrics;
    server->api.selftest = server->selftest;
    int rc = create_loops(server);
    if (rc == 0)
        rc = watch_signals(server);
    if (rc != 0)
        log_write(server->log, LOG_ERROR, "cannot start", LOG_STR("reason", uv_strerror(rc)));
    return rc;
}

int server_create(struct config *config, const struct config_source *source, struct log *log,
                  struct server **out)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        log_write(log, LOG_ERROR, "out of memory");
        return -1;
    }
    server->config = config;
    server->reload = (struct reload){.source = source, .running = config, .log = log};
    server->log = log;
    server->limits = config->http;
    if (start(server, config) != 0) {
        server_destroy(server);
        return -1;
    }
    *out = server;
    return 0;
}

/* --- running */

static void *run_loop(void *arg)
{
    struct server_loop *loop = arg;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

static int start_threads(struct server *server)
{
    for (size_t i = 1; i < server->config->io_threads; i++) {
        struct server_loop *loop = &server->loops[i];
        if (pthread_create(&loop->thread, NULL, run_loop, loop) != 0) {
            log_write(server->log, LOG_ERROR, "cannot start a loop's thread");
            return -1;
        }
        char name[16];
        snprintf(name, sizeof name, "jitney-io%u", (unsigned)i % 1000);
        pthread_setname_np(loop->thread, name);
        loop->thread_started = true;
    }
    return 0;
}

static void say_listening(struct server *server)
{
    for (size_t i = 0; i < server->listeners_count; i++)
        log_write(server->log, LOG_INFO, "listening",
                  LOG_STR("address", server->listeners[i].address),
                  LOG_STR("admin", server->listeners[i].admin ? "true" : "false"));
    log_write(server->log, LOG_INFO, "ready", LOG_STR("version", JITNEY_VERSION_STRING),
              LOG_INT("io_threads", server->config->io_threads),
              LOG_INT("workers", server->config->workers));
}

int server_run(struct server *server)
{
    if (start_threads(server) != 0)
        return 1;
    say_listening(server);
    selftest_start(server->selftest); /* it logs what becomes of it */
    run_loop(&server->loops[0]);
    for (size_t i = 1; i < server->config->io_threads; i++) {
        pthread_join(server->loops[i].thread, NULL);
        server->loops[i].thread_started = false;
    }
    for (size_t i = 0; i < server->config->io_threads; i++) {
        int rc = uv_loop_close(&server->loops[i].uv);
        server->loops[i].initialised = rc != 0;
        if (rc == 0)
            continue;
        server->unclean = true;
        log_write(server->log, LOG_ERROR, "a loop ended with handles open", LOG_INT("loop", i));
    }
    for (size_t i = 0; i < server->listeners_count; i++)
        if (server->listeners[i].config->unix_path != NULL)
            unlink(server->listeners[i].config->unix_path);
    log_write(server->log, LOG_INFO, "stopped");
    return server->gave_up || server->unclean ? 1 : 0;
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* A loop that never ran, because the start failed: its handles are only closed. */
static void destroy_loop(struct server_loop *loop)
{
    if (loop->initialised) {
        uv_walk(&loop->uv, close_handle, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        uv_loop_close(&loop->uv);
    }
    http_server_destroy(loop->api.server);
    if (loop->api.api != NULL)
        api_loop_deinit(&loop->api);
}

void server_destroy(struct server *server)
{
    if (server == NULL)
        return;
    batching_destroy(server->api.batching);
    compute_destroy(server->compute); /* joins the workers, which use all the rest */
    for (size_t i = 0; server->loops != NULL && i < server->config->io_threads; i++)
        destroy_loop(&server->loops[i]);
    free(server->loops);
    http_balance_deinit(&server->balance);
    selftest_destroy(server->selftest);
    metrics_destroy(server->metrics);
    model_repository_destroy(server->repository);
    free(server);
}
