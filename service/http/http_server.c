/*
 * http_server.c - see http_server.h. Everything runs on the loop's thread.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "http_conn.h"

enum {
    BACKLOG = 1024,
    FREE_CONNS_MAX = 256,
    /* Connections beyond the limit that may linger, so that they read their 503; more are
     * closed at once. */
    LINGERING_UNCOUNTED_MAX = 64,
    SWEEP_MS_MIN = 5,
    SWEEP_MS_MAX = 250,
};

/* How often the pool of calls is looked at. */
#define SHRINK_NS (4 * NS_PER_S)

struct http_listener {
    struct http_server *server;
    struct http_listener *next;
    bool admin;
    bool waiting; /* libuv holds a connection that there was no memory for */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
};

uint64_t http_server_now_ns(const struct http_server *server)
{
    return uv_now(server->config.loop) * NS_PER_MS;
}

const char *http_server_date(struct http_server *server)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != server->date_s) {
        /* By hand: strftime's names of days and months follow the locale. */
        static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm utc;
        gmtime_r(&now.tv_sec, &utc);
        snprintf(server->date, sizeof server->date, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                 days[utc.tm_wday], utc.tm_mday % 100, months[utc.tm_mon],
                 (utc.tm_year + 1900) % 10000, utc.tm_hour, utc.tm_min, utc.tm_sec);
        server->date_s = now.tv_sec;
    }
    return server->date;
}

/* --- the server's own handles: closed when the last connection is gone */

static void tell_stopped(struct http_server *server)
{
    if (server->stopped_told || server->handles > 0)
        return;
    server->stopped_told = true;
    server->config.handler->on_stopped(server->config.handler_ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    server->handles--;
    tell_stopped(server);
}

static void on_seat_closed(uv_handle_t *handle)
{
    struct http_seat *seat = container_of(handle, struct http_seat, _wake);
    struct http_server *server = seat->_ctx;
    server->handles--;
    tell_stopped(server);
}

static void close_handles_when_done(struct http_server *server)
{
    bool done = server->stopping_ns != 0 && server->listeners == NULL && server->conns_count == 0;
    if (!done || server->closing_handles)
        return;
    server->closing_handles = true;
    uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
    uv_close((uv_handle_t *)&server->tick, on_handle_closed);
    uv_close((uv_handle_t *)&server->before_poll, on_handle_closed);
    if (server->config.balance != NULL)
        http_seat_close(&server->config.balance->seat[server->config.seat], on_seat_closed);
}

/* --- connections */

/* What the balance goes by: connections of this loop. */
static void seat_taken(struct http_server *server)
{
    struct http_balance *balance = server->config.balance;
    if (balance != NULL)
        atomic_fetch_add_explicit(&balance->seat[server->config.seat].connections, 1,
                                  memory_order_relaxed);
}

static void seat_freed(struct http_server *server)
{
    struct http_balance *balance = server->config.balance;
    if (balance != NULL)
        atomic_fetch_sub_explicit(&balance->seat[server->config.seat].connections, 1,
                                  memory_order_relaxed);
}

/* Into the pool. */
static void keep_conn(struct http_server *server, struct http_conn *conn)
{
    if (server->free_conns_count >= FREE_CONNS_MAX) {
        free(conn);
        return;
    }
    conn->next = server->free_conns;
    server->free_conns = conn;
    server->free_conns_count++;
}

/* From the pool, as new. */
static struct http_conn *take_conn(struct http_server *server)
{
    struct http_conn *conn = server->free_conns;
    if (conn == NULL)
        return calloc(1, sizeof *conn);
    server->free_conns = conn->next;
    server->free_conns_count--;
    *conn = (struct http_conn){.server = NULL};
    return conn;
}

static void link_conn(struct http_conn *conn, enum http_conn_list list)
{
    struct http_conns *conns = &conn->server->conns[list];
    conn->list = list;
    conn->next = NULL;
    conn->prev = conns->last;
    if (conns->last != NULL)
        conns->last->next = conn;
    else
        conns->first = conn;
    conns->last = conn;
}

static void unlink_conn(struct http_conn *conn)
{
    struct http_conns *conns = &conn->server->conns[conn->list];
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        conns->first = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    else
        conns->last = conn->prev;
}

void http_server_move(struct http_conn *conn, enum http_conn_list list)
{
    if (conn->list == list)
        return;
    unlink_conn(conn);
    link_conn(conn, list);
}

/* --- calls */

bool http_server_begin_call(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    struct http_call *call = http_call_take(&server->calls);
    if (call == NULL)
        return false;
    call->conn = conn;
    call->exchange.admin = conn->admin;
    conn->call = call;
    http_server_move(conn, CONNS_BUSY);
    return true;
}

void http_server_end_call(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    http_call_give_back(&server->calls, conn->call);
    conn->call = NULL;
    conn->deadline_ns = http_server_now_ns(server) + server->limits->keep_alive_ns_max;
    http_server_move(conn, CONNS_IDLE);
}

/* Nobody is there, and nobody looks again before somebody comes. */
static void stop_sweep(struct http_server *server)
{
    uv_timer_stop(&server->sweep);
    buffer_reset(&server->spare_body, 0);
    buffer_reset(&server->spare_answer, 0);
    http_call_pool_trim(&server->calls);
}

void http_server_release(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    unlink_conn(conn);
    server->conns_count--;
    if (conn->counted)
        atomic_fetch_sub_explicit(server->config.connections, 1, memory_order_relaxed);
    else
        server->lingering_uncounted--;
    if (conn->call != NULL) {
        http_parser_restart(&conn->call->parser);
        http_call_give_back(&server->calls, conn->call);
    }
    keep_conn(server, conn);
    seat_freed(server);
    if (server->conns_count == 0 && server->listeners_waiting == 0)
        stop_sweep(server);
    close_handles_when_done(server);
}

/* --- the sweep: every deadline of every connection */

static void on_sweep(uv_timer_t *timer);

/* Started anew: with uv_timer_set_repeat() the present period would run out first. */
static void set_sweep_period(struct http_server *server)
{
    uint64_t period_ms = server->half_closed > 0 ? SWEEP_MS_MIN : server->sweep_ms;
    if (uv_timer_get_repeat(&server->sweep) != period_ms)
        uv_timer_start(&server->sweep, on_sweep, period_ms, period_ms);
}

static void on_connection(uv_stream_t *stream, int status);

/* libuv accepts nothing more on a listener whose last connection was not taken. */
static void take_waiting(struct http_server *server)
{
    for (struct http_listener *listener = server->listeners;
         listener != NULL && server->listeners_waiting > 0; listener = listener->next) {
        if (!listener->waiting)
            continue;
        listener->waiting = false;
        server->listeners_waiting--;
        on_connection(&listener->uv.stream, 0);
    }
}

static void sweep_busy(struct http_server *server, uint64_t now_ns)
{
    for (struct http_conn *conn = server->conns[CONNS_BUSY].first, *next; conn != NULL;
         conn = next) {
        next = conn->next; /* whatever becomes of it, it stays or goes to the end of a list */
        http_conn_sweep(conn, now_ns);
    }
}

/* They leave in the order of their deadlines: closing takes one out of the list. */
static void sweep_idle(struct http_conns *idle, uint64_t now_ns)
{
    while (idle->first != NULL && idle->first->deadline_ns <= now_ns)
        http_conn_sweep(idle->first, now_ns);
}

static void close_idle(struct http_server *server)
{
    for (enum http_conn_list list = CONNS_BUSY; list < CONNS_LISTS; list++)
        for (struct http_conn *conn = server->conns[list].first, *next; conn != NULL; conn = next) {
            next = conn->next;
            http_conn_close_if_idle(conn);
        }
}

static void on_sweep(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    uint64_t now_ns = http_server_now_ns(server);
    sweep_busy(server, now_ns);
    sweep_idle(&server->conns[CONNS_FRESH], now_ns);
    sweep_idle(&server->conns[CONNS_IDLE], now_ns);
    if (server->stopping_ns != 0)
        close_idle(server);
    if (now_ns >= server->shrink_ns) {
        http_call_pool_shrink(&server->calls);
        server->shrink_ns = now_ns + SHRINK_NS;
    }
    take_waiting(server);
    set_sweep_period(server);
}

static void start_sweep(struct http_server *server)
{
    if (!uv_is_active((uv_handle_t *)&server->sweep))
        uv_timer_start(&server->sweep, on_sweep, server->sweep_ms, server->sweep_ms);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Fine enough for the shortest timeout, and no finer. */
static uint64_t sweep_period_ms(const struct http_limits *limits)
{
    uint64_t shortest = min_u64(limits->header_ns_max, limits->body_ns_max);
    shortest = min_u64(shortest, min_u64(limits->keep_alive_ns_max, limits->write_stall_ns_max));
    shortest = min_u64(shortest, min_u64(limits->request_ns_max, limits->linger_ns_max));
    uint64_t period_ms = shortest / NS_PER_MS / 8;
    if (period_ms < SWEEP_MS_MIN)
        return SWEEP_MS_MIN;
    return min_u64(period_ms, SWEEP_MS_MAX);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct http_listener *listener = container_of(handle, struct http_listener, uv);
    struct http_server *server = listener->server;
    free(listener);
    server->handles--;
    close_handles_when_done(server);
    tell_stopped(server);
}

/* After a turn of the loop has accepted and read what was there: a request of which we
 * have seen a byte is never dropped. */
static void begin_stop(struct http_server *server)
{
    server->stopping_ns = http_server_now_ns(server);
    for (struct http_listener *listener = server->listeners, *next; listener != NULL;
         listener = next) {
        next = listener->next;
        uv_close(&listener->uv.handle, on_listener_closed);
    }
    server->listeners = NULL;
    server->listeners_waiting = 0;
    if (server->config.balance != NULL)
        http_seat_leave(&server->config.balance->seat[server->config.seat]);
    close_idle(server);
    close_handles_when_done(server);
}

/* The end of a turn of the loop. */
static void on_tick(uv_check_t *check)
{
    struct http_server *server = check->data;
    server->config.handler->on_tick(server->config.handler_ctx);
    if (server->half_closed > 0)
        set_sweep_period(server);
    if (server->stop_wanted && server->stopping_ns == 0)
        begin_stop(server);
}

/* What timers brought (a deadline's answer lets the next pipelined request in) must not
 * wait until something else wakes the loop. */
static void on_before_poll(uv_prepare_t *prepare)
{
    struct http_server *server = prepare->data;
    server->config.handler->on_tick(server->config.handler_ctx);
}

/* --- accepting */

static bool count_connection(struct http_server *server)
{
    atomic_size_t *count = server->config.connections;
    if (atomic_fetch_add_explicit(count, 1, memory_order_relaxed) < server->limits->connections_max)
        return true;
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    return false;
}

/* The connection's handle, without a socket yet. */
static void init_stream(struct http_server *server, struct http_conn *conn, bool is_tcp)
{
    uv_loop_t *loop = server->config.loop;
    int rc = is_tcp ? uv_tcp_init(loop, &conn->uv.tcp) : uv_pipe_init(loop, &conn->uv.pipe, 0);
    assert(rc == 0); /* neither touches the system */
    (void)rc;
}

static int accept_stream(struct http_listener *listener, struct http_conn *conn)
{
    bool is_tcp = listener->uv.handle.type == UV_TCP;
    init_stream(listener->server, conn, is_tcp);
    int rc = uv_accept(&listener->uv.stream, &conn->uv.stream);
    if (rc == 0 && is_tcp)
        uv_tcp_nodelay(&conn->uv.tcp, 1); /* a slower socket is still a good one */
    return rc;
}

/* A connection of ours, whether it got its socket or not. */
static void settle(struct http_server *server, struct http_conn *conn, bool admin, bool accepted)
{
    conn->server = server;
    link_conn(conn, CONNS_FRESH);
    server->conns_count++;
    conn->fresh = true;
    conn->admin = admin;
    conn->counted = count_connection(server);
    if (!conn->counted)
        server->lingering_uncounted++;
    server->config.handler->on_connection(server->config.handler_ctx, conn->counted);
    start_sweep(server);
    if (!accepted || (!conn->counted && server->lingering_uncounted > LINGERING_UNCOUNTED_MAX))
        http_conn_drop(conn);
    else if (!conn->counted)
        http_conn_refuse(conn);
    else
        http_conn_start(conn);
}

/* Another loop has accepted it. */
static void take_given(void *ctx, int fd)
{
    struct http_server *server = ctx;
    struct http_conn *conn = take_conn(server);
    if (conn == NULL) {
        close(fd);
        seat_freed(server);
        return;
    }
    init_stream(server, conn, false);
    int rc = uv_pipe_open(&conn->uv.pipe, fd);
    if (rc != 0)
        close(fd);
    settle(server, conn, false, rc == 0);
}

static void on_given(uv_handle_t *handle)
{
    struct http_conn *conn = container_of(handle, struct http_conn, uv);
    struct http_server *server = conn->server;
    keep_conn(server, conn);
    server->handles--;
    close_handles_when_done(server);
    tell_stopped(server);
}

/* To another loop, which gets a descriptor of its own. */
static bool give_away(struct http_listener *listener, struct http_conn *conn)
{
    struct http_server *server = listener->server;
    struct http_balance *balance = server->config.balance;
    if (balance == NULL || listener->admin || listener->uv.handle.type == UV_TCP)
        return false;
    const unsigned seat = http_balance_choose(balance, server->config.seat);
    int fd;
    if (seat == server->config.seat || uv_fileno(&conn->uv.handle, &fd) != 0)
        return false;
    if (!http_balance_give(balance, seat, fd))
        return false;
    conn->server = server;
    server->handles++;
    uv_close(&conn->uv.handle, on_given);
    return true;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct http_listener *listener = container_of(stream, struct http_listener, uv);
    struct http_server *server = listener->server;
    if (status < 0)
        return; /* the kernel gave up on this one; the next is told again */
    struct http_conn *conn = take_conn(server);
    if (conn == NULL) {
        listener->waiting = true;
        server->listeners_waiting++;
        start_sweep(server);
        return;
    }
    bool accepted = accept_stream(listener, conn) == 0;
    if (accepted && give_away(listener, conn))
        return;
    seat_taken(server);
    settle(server, conn, listener->admin, accepted);
}

int http_server_listen(struct http_server *server, int fd, bool is_unix, bool admin)
{
    struct http_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        close(fd);
        return UV_ENOMEM;
    }
    listener->server = server;
    listener->admin = admin;
    uv_loop_t *loop = server->config.loop;
    int rc =
        is_unix ? uv_pipe_init(loop, &listener->uv.pipe, 0) : uv_tcp_init(loop, &listener->uv.tcp);
    if (rc != 0) {
        free(listener);
        close(fd);
        return rc;
    }
    server->handles++;
    rc = is_unix ? uv_pipe_open(&listener->uv.pipe, fd) : uv_tcp_open(&listener->uv.tcp, fd);
    if (rc != 0)
        close(fd); /* from here on, closing the handle closes it */
    else
        rc = uv_listen(&listener->uv.stream, BACKLOG, on_connection);
    if (rc != 0) {
        uv_close(&listener->uv.handle, on_listener_closed);
        return rc;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    return 0;
}

/* --- life cycle */

int http_server_create(const struct http_server_config *config, struct http_server **out)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return UV_ENOMEM;
    server->config = *config;
    server->limits = config->limits;
    server->sweep_ms = sweep_period_ms(config->limits);
    http_call_pool_init(&server->calls, config->limits);
    buffer_init(&server->spare_body, http_call_body_bytes_max(config->limits));
    buffer_init(&server->spare_answer, HTTP_ANSWER_BYTES_MAX);
    http_request_ids_init(&server->ids);
    int rc = 0;
    if (config->balance != NULL)
        rc = http_seat_take(&config->balance->seat[config->seat], config->loop, take_given, server);
    if (rc == 0)
        rc = uv_timer_init(config->loop, &server->sweep);
    if (rc == 0)
        rc = uv_check_init(config->loop, &server->tick);
    if (rc == 0)
        rc = uv_check_start(&server->tick, on_tick);
    if (rc == 0)
        rc = uv_prepare_init(config->loop, &server->before_poll);
    if (rc == 0)
        rc = uv_prepare_start(&server->before_poll, on_before_poll);
    if (rc != 0) { /* the seat needs a descriptor; none of the others can fail on Linux */
        free(server);
        return rc;
    }
    server->sweep.data = server->tick.data = server->before_poll.data = server;
    server->handles = 3;
    server->handles += config->balance != NULL;
    *out = server;
    return 0;
}

void http_server_close_politely(struct http_server *server)
{
    server->polite = true;
}

void http_server_stop(struct http_server *server)
{
    if (server->stop_wanted)
        return;
    server->stop_wanted = true;
    server->polite = true;
    uv_timer_start(&server->sweep, on_sweep, 0, server->sweep_ms); /* the loop must turn */
}

void http_server_stop_now(struct http_server *server)
{
    for (enum http_conn_list list = CONNS_BUSY; list < CONNS_LISTS; list++)
        for (struct http_conn *conn = server->conns[list].first, *next; conn != NULL; conn = next) {
            next = conn->next;
            http_conn_give_up(conn);
        }
}

size_t http_server_requests(const struct http_server *server)
{
    return server->requests;
}

size_t http_server_connections(const struct http_server *server)
{
    return server->conns_count;
}

void http_server_destroy(struct http_server *server)
{
    if (server == NULL)
        return;
    assert(server->conns_count == 0);
    for (struct http_conn *conn = server->free_conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        free(conn);
    }
    http_call_pool_deinit(&server->calls);
    buffer_deinit(&server->spare_body);
    buffer_deinit(&server->spare_answer);
    free(server);
}
