/*
 * load_run.c - see load_run.h.
 *
 * A client is one connection and the request it has in flight. It stands in exactly
 * one list: down, opening, idle, busy or closing. Answers and wake-ups move it; after each
 * turn of the loop tick() looks at the clock, once, and does what is due.
 */
#include "load_run.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <uv.h>

#include "connection.h"
#include "load_timer.h"

enum {
    READ_BYTES = 256 * 1024,
    HOUSEKEEPING_MS = 100, /* reconnecting, timeouts */
    START_MS_MAX = 5000,   /* for the first connections */
    SPARE_FILES = 32,
};

/* In flight when the user interrupts: so long they may still be answered. */
static const uint64_t INTERRUPTED_GRACE_NS = NS_PER_S / 2;

const char *load_end_name(enum load_end end)
{
    switch (end) {
    case LOAD_END_DONE:
        return "done";
    case LOAD_END_INTERRUPTED:
        return "interrupted";
    case LOAD_END_UNREACHABLE:
        return "unreachable";
    case LOAD_END_DIED:
        return "died";
    }
    return "";
}

TAILQ_HEAD(client_list, client);

struct client {
    struct connection conn;
    struct client_list *list; /* that it stands in */
    TAILQ_ENTRY(client) link;
    TAILQ_ENTRY(client) leaving_link;
    bool leaves;  /* it is in the list of those that will abandon their request */
    bool settled; /* the outcome of its request is counted */
    const struct workload_request *request;
    struct recorder_times times;
    uint64_t idle_since_ns;
};

enum phase {
    PHASE_STARTING, /* until the connections are open */
    PHASE_RUNNING,
    PHASE_OVER, /* handles are being closed */
};

struct run {
    const struct load_config *config;
    struct load_result *result;
    enum phase phase;
    bool measuring; /* the warm-up is over */
    bool ended;     /* nothing is due any more */

    uv_loop_t loop;
    uv_check_t after_turn;
    uv_idle_t spin;
    uv_timer_t housekeeping;
    uv_timer_t interval_timer;
    uv_signal_t on_int;
    uv_signal_t on_term;
    struct load_timer wake;
    struct connection_env env;
    char *read_buffer;

    struct client *clients;
    size_t open; /* idle or busy */
    struct client_list down;
    struct client_list opening;
    struct client_list idle;    /* the longest idle first */
    struct client_list busy;    /* the first sent first */
    struct client_list leaving; /* the first to leave first */
    struct client_list closing; /* were idle, and end in this turn of the loop */

    struct arrivals arrivals;
    uint64_t next_due_ns; /* of an open loop; ARRIVALS_NONE: no more */
    uint64_t start_ns;
    uint64_t measure_ns;
    uint64_t end_ns;
    uint64_t stop_ns;
    uint64_t down_since_ns; /* 0: some connection is open */
    struct rusage usage_before;
    uint64_t interval_began_ns;
    struct load_interval interval;
};

static void finish(struct run *run, enum load_end end, uint64_t now_ns);

static struct run *run_of(const struct connection *conn)
{
    return conn->env->ctx;
}

static void move(struct client *client, struct client_list *to)
{
    if (client->list != NULL)
        TAILQ_REMOVE(client->list, client, link);
    client->list = to;
    TAILQ_INSERT_TAIL(to, client, link);
}

static bool is_open_loop(const struct run *run)
{
    return run->config->arrivals != NULL;
}

static struct recorder *part_of(const struct run *run, uint64_t intended_ns)
{
    return intended_ns < run->measure_ns ? &run->result->warmup : &run->result->measured;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- Sending. */

static void advance_due(struct run *run)
{
    const uint64_t next_ns = arrivals_next_ns(&run->arrivals);
    run->next_due_ns = next_ns != ARRIVALS_NONE ? run->start_ns + next_ns : ARRIVALS_NONE;
}

static bool is_due(const struct run *run, uint64_t now_ns)
{
    return run->next_due_ns <= now_ns && run->next_due_ns < run->end_ns;
}

static void send_request(struct run *run, struct client *client, uint64_t intended_ns)
{
    client->request = workload_pick(run->config->workload, &client->leaves);
    client->settled = false;
    const uint64_t now_ns = uv_hrtime();
    client->times = (struct recorder_times){
        .intended_ns = is_open_loop(run) ? intended_ns : now_ns,
        .sendable_ns = is_open_loop(run) ? later(intended_ns, client->idle_since_ns) : now_ns,
        .sent_ns = now_ns,
    };
    recorder_sent(part_of(run, client->times.intended_ns), client->request, &client->times);
    histogram_record(&run->interval.lag, now_ns - client->times.sendable_ns);
    run->interval.sent++;
    move(client, &run->busy);
    if (client->leaves)
        TAILQ_INSERT_TAIL(&run->leaving, client, leaving_link);
    connection_send(&client->conn, client->request->data, client->request->bytes);
}

/* One that the server closes in this very turn still stands in the list. */
static struct client *first_idle(struct run *run)
{
    struct client *client;
    while ((client = TAILQ_FIRST(&run->idle)) != NULL && client->conn.state != CONNECTION_IDLE)
        move(client, &run->closing);
    return client;
}

static void send_due(struct run *run, uint64_t now_ns)
{
    struct client *client;
    while (is_due(run, now_ns) && (client = first_idle(run)) != NULL) {
        const uint64_t intended_ns = run->next_due_ns;
        advance_due(run);
        send_request(run, client, intended_ns);
    }
}

static void become_idle(struct run *run, struct client *client, uint64_t now_ns)
{
    client->idle_since_ns = now_ns;
    move(client, &run->idle);
    if (run->phase != PHASE_RUNNING)
        return;
    if (is_open_loop(run))
        send_due(run, now_ns);
    else if (now_ns < run->end_ns)
        send_request(run, client, now_ns);
}

/* --- Outcomes. */

static void stays(struct run *run, struct client *client)
{
    if (client->leaves)
        TAILQ_REMOVE(&run->leaving, client, leaving_link);
    client->leaves = false;
}

static void count_answer(struct run *run, const struct client *client, const struct answer *answer,
                         uint64_t now_ns)
{
    recorder_answered(part_of(run, client->times.intended_ns), client->request, &client->times,
                      answer, now_ns, run->config->slo_ns);
    const bool ok = answer->status >= 200 && answer->status < 300;
    run->result->ok_came += ok && now_ns >= run->measure_ns && now_ns < run->end_ns;
    run->interval.ok += ok;
    run->interval.refused += !ok;
    if (ok)
        histogram_record(&run->interval.latency, now_ns - client->times.intended_ns);
}

static void count_lost(struct run *run, struct client *client)
{
    if (client->settled)
        return;
    client->settled = true;
    part_of(run, client->times.intended_ns)->lost++;
    run->interval.lost++;
}

/* Its client leaves: the connection ends, and the server has to see that. */
static void abandon(struct run *run, struct client *client)
{
    stays(run, client);
    client->settled = true;
    part_of(run, client->times.intended_ns)->abandoned++;
    run->interval.abandoned++;
    connection_close(&client->conn);
}

static void give_up(struct run *run, struct client *client)
{
    stays(run, client);
    client->settled = true;
    part_of(run, client->times.intended_ns)->unanswered++;
    run->interval.lost++;
    connection_close(&client->conn);
}

/* --- Connections. */

static void note_failure(struct run *run, int end)
{
    snprintf(run->result->error, sizeof run->result->error, "%s", connection_end_text(end));
}

static void open_client(struct run *run, struct client *client)
{
    move(client, &run->opening);
    run->result->connects++;
    const int rc = connection_open(&client->conn);
    if (rc == 0)
        return;
    note_failure(run, rc);
    run->result->connects_failed++;
    move(client, &run->down);
}

static void begin_when_connected(struct run *run, bool at_last);

static void on_open(struct connection *conn)
{
    struct run *run = run_of(conn);
    run->open++;
    become_idle(run, container_of(conn, struct client, conn), uv_hrtime());
    begin_when_connected(run, false);
}

static void on_answer(struct connection *conn, const struct answer *answer, uint64_t now_ns)
{
    struct run *run = run_of(conn);
    struct client *client = container_of(conn, struct client, conn);
    if (run->phase == PHASE_OVER)
        return;
    stays(run, client);
    client->settled = true;
    count_answer(run, client, answer, now_ns);
    if (conn->state == CONNECTION_IDLE)
        become_idle(run, client, now_ns);
}

static void reopen(struct run *run, struct client *client, bool was_open, int end)
{
    if (was_open && end != CONNECTION_END_UNASKED)
        return open_client(run, client);
    /* Housekeeping tries again: a server that refuses is not to be stormed. */
    run->result->connects_failed += !was_open;
    move(client, &run->down);
    begin_when_connected(run, false);
}

static void on_closed(struct connection *conn, int end, bool asked)
{
    struct run *run = run_of(conn);
    struct client *client = container_of(conn, struct client, conn);
    if (run->phase == PHASE_OVER)
        return;
    const bool was_open = client->list != &run->opening;
    run->open -= was_open;
    run->result->unasked += end == CONNECTION_END_UNASKED;
    if (end != CONNECTION_END_OURS)
        note_failure(run, end);
    stays(run, client);
    if (asked)
        count_lost(run, client);
    reopen(run, client, was_open, end);
}

static const struct connection_events EVENTS = {on_open, on_answer, on_closed};

/* --- The clock. */

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static void begin_measuring(struct run *run)
{
    run->measuring = true;
    getrusage(RUSAGE_THREAD, &run->usage_before);
}

static void end_measuring(struct run *run, uint64_t now_ns)
{
    struct rusage usage;
    run->ended = true;
    if (!run->measuring)
        return;
    getrusage(RUSAGE_THREAD, &usage);
    const double seconds = (double)(now_ns - run->measure_ns) / 1e9;
    run->result->cpu_share =
        seconds > 0 ? (cpu_seconds(&usage) - cpu_seconds(&run->usage_before)) / seconds : 0;
    run->result->preempted = (uint64_t)(usage.ru_nivcsw - run->usage_before.ru_nivcsw);
}

static uint64_t leaves_at_ns(const struct run *run, const struct client *client)
{
    return client->times.sent_ns + run->config->abandon_after_ns;
}

static void abandon_due(struct run *run, uint64_t now_ns)
{
    struct client *client;
    while ((client = TAILQ_FIRST(&run->leaving)) != NULL && leaves_at_ns(run, client) <= now_ns)
        abandon(run, client);
}

static bool is_done(const struct run *run, uint64_t now_ns)
{
    if (!run->ended)
        return false;
    const bool backlog = is_open_loop(run) && run->next_due_ns < run->end_ns;
    return now_ns >= run->stop_ns || (!backlog && TAILQ_EMPTY(&run->busy));
}

/* The end of a trace is the end of the run. */
static void end_with_trace(struct run *run)
{
    if (is_open_loop(run) && run->next_due_ns == ARRIVALS_NONE && TAILQ_EMPTY(&run->busy))
        run->end_ns = earlier(run->end_ns, later(uv_hrtime(), run->measure_ns));
}

static uint64_t next_event_ns(const struct run *run)
{
    uint64_t next_ns = run->ended ? run->stop_ns : run->end_ns;
    if (!run->measuring)
        next_ns = earlier(next_ns, run->measure_ns);
    if (!TAILQ_EMPTY(&run->idle) && run->next_due_ns < run->end_ns)
        next_ns = earlier(next_ns, run->next_due_ns);
    if (!TAILQ_EMPTY(&run->leaving))
        next_ns = earlier(next_ns, leaves_at_ns(run, TAILQ_FIRST(&run->leaving)));
    return next_ns;
}

static void tick(struct run *run)
{
    const uint64_t now_ns = uv_hrtime();
    if (!run->measuring && now_ns >= run->measure_ns)
        begin_measuring(run);
    end_with_trace(run);
    if (!run->ended && now_ns >= run->end_ns)
        end_measuring(run, now_ns);
    abandon_due(run, now_ns);
    send_due(run, now_ns);
    if (is_done(run, now_ns))
        return finish(run, LOAD_END_DONE, now_ns);
    if (!run->config->spin)
        load_timer_set(&run->wake, next_event_ns(run));
}

static void on_turn(uv_check_t *check)
{
    struct run *run = check->data;
    if (run->phase == PHASE_RUNNING)
        tick(run);
}

static void on_spin(uv_idle_t *idle)
{
    (void)idle; /* that it is active is what keeps the loop from sleeping */
}

static void report_interval(struct run *run, uint64_t now_ns)
{
    struct load_interval *interval = &run->interval;
    interval->at_s = (double)(now_ns - run->start_ns) / 1e9;
    interval->seconds = (double)(now_ns - run->interval_began_ns) / 1e9;
    interval->warming = run->interval_began_ns < run->measure_ns;
    interval->draining = run->interval_began_ns >= run->end_ns;
    interval->connections = run->open;
    interval->in_flight = 0;
    const struct client *client;
    TAILQ_FOREACH(client, &run->busy, link)
    {
        interval->in_flight++;
    }
    run->config->on_interval(run->config->ctx, interval);
    memset(interval, 0, offsetof(struct load_interval, latency));
    histogram_reset(&interval->latency);
    histogram_reset(&interval->lag);
    run->interval_began_ns = now_ns;
}

static void on_interval(uv_timer_t *timer)
{
    report_interval(timer->data, uv_hrtime());
}

/* --- Beginning. */

static void on_housekeeping(uv_timer_t *timer);

static void begin(struct run *run)
{
    const uint64_t now_ns = uv_hrtime();
    run->phase = PHASE_RUNNING;
    run->start_ns = now_ns;
    run->measure_ns = now_ns + run->config->warmup_ns;
    run->end_ns = run->measure_ns + run->config->duration_ns;
    run->stop_ns = run->end_ns + run->config->grace_ns;
    run->interval_began_ns = now_ns;
    uv_timer_start(&run->housekeeping, on_housekeeping, HOUSEKEEPING_MS, HOUSEKEEPING_MS);
    const uint64_t interval_ms = run->config->interval_ns / NS_PER_MS;
    if (interval_ms > 0)
        uv_timer_start(&run->interval_timer, on_interval, interval_ms, interval_ms);
    if (run->config->spin)
        uv_idle_start(&run->spin, on_spin);
    if (is_open_loop(run))
        advance_due(run);
    else
        for (struct client *client; (client = first_idle(run)) != NULL;)
            send_request(run, client, now_ns);
    tick(run);
}

/* The run begins when every connection is open, and without those that failed. */
static void begin_when_connected(struct run *run, bool at_last)
{
    if (run->phase != PHASE_STARTING || (!TAILQ_EMPTY(&run->opening) && !at_last))
        return;
    if (run->open > 0)
        begin(run);
    else
        finish(run, LOAD_END_UNREACHABLE, uv_hrtime());
}

/* --- Housekeeping. */

static void retry_down(struct run *run)
{
    struct client_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
    TAILQ_CONCAT(&waiting, &run->down, link);
    for (struct client *client; (client = TAILQ_FIRST(&waiting)) != NULL;) {
        client->list = &waiting;
        open_client(run, client);
    }
}

static void give_up_silent(struct run *run, uint64_t now_ns)
{
    struct client *client;
    TAILQ_FOREACH(client, &run->busy, link)
    {
        if (client->times.sent_ns + run->config->client_timeout_ns > now_ns)
            return;
        if (!client->settled)
            give_up(run, client);
    }
}

static void watch_death(struct run *run, uint64_t now_ns)
{
    if (run->open > 0)
        run->down_since_ns = 0;
    else if (run->down_since_ns == 0)
        run->down_since_ns = now_ns;
    else if (now_ns - run->down_since_ns >= run->config->give_up_ns)
        finish(run, LOAD_END_DIED, now_ns);
}

static void on_start_over(uv_timer_t *timer)
{
    begin_when_connected(timer->data, true);
}

static void on_housekeeping(uv_timer_t *timer)
{
    struct run *run = timer->data;
    const uint64_t now_ns = uv_hrtime();
    retry_down(run);
    give_up_silent(run, now_ns);
    watch_death(run, now_ns);
}

/* --- The end. */

static void close_handles(struct run *run)
{
    uv_close((uv_handle_t *)&run->after_turn, NULL);
    uv_close((uv_handle_t *)&run->spin, NULL);
    uv_close((uv_handle_t *)&run->housekeeping, NULL);
    uv_close((uv_handle_t *)&run->interval_timer, NULL);
    uv_close((uv_handle_t *)&run->on_int, NULL);
    uv_close((uv_handle_t *)&run->on_term, NULL);
    load_timer_close(&run->wake);
    for (size_t i = 0; i < run->config->connections; i++)
        connection_close(&run->clients[i].conn);
}

/* What has no outcome yet gets one. */
static void settle(struct run *run)
{
    struct client *client;
    TAILQ_FOREACH(client, &run->busy, link)
    {
        if (!client->settled)
            part_of(run, client->times.intended_ns)->unanswered++;
    }
    if (is_open_loop(run))
        for (; run->next_due_ns < run->end_ns; advance_due(run))
            recorder_unsent(part_of(run, run->next_due_ns));
}

static double seconds_between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

static void finish(struct run *run, enum load_end end, uint64_t now_ns)
{
    struct load_result *result = run->result;
    if (run->phase == PHASE_OVER)
        return;
    if (end != LOAD_END_DONE || result->end == LOAD_END_DONE)
        result->end = end;
    if (run->phase == PHASE_RUNNING) {
        run->end_ns = earlier(run->end_ns, now_ns);
        if (!run->ended)
            end_measuring(run, now_ns);
        settle(run);
        if (run->config->interval_ns > 0)
            report_interval(run, now_ns);
        result->warmup_seconds =
            seconds_between(run->start_ns, earlier(run->measure_ns, run->end_ns));
        result->seconds = seconds_between(run->measure_ns, run->end_ns);
    }
    run->phase = PHASE_OVER;
    close_handles(run);
}

/* The first ends the sending, the second ends the waiting too. */
static void on_signal(uv_signal_t *signal, int number)
{
    struct run *run = signal->data;
    const uint64_t now_ns = uv_hrtime();
    const bool again = run->result->end == LOAD_END_INTERRUPTED;
    run->result->end = LOAD_END_INTERRUPTED;
    run->result->signal = number;
    if (again || run->phase == PHASE_STARTING)
        return finish(run, LOAD_END_INTERRUPTED, now_ns);
    run->end_ns = earlier(run->end_ns, now_ns);
    run->stop_ns = earlier(run->stop_ns, now_ns + INTERRUPTED_GRACE_NS);
}

/* --- Setting up. */

static bool allow_files(size_t connections, struct load_error *error)
{
    struct rlimit limit;
    const rlim_t wanted = connections + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return load_fail(error, "the limit of open files cannot be read: %s", strerror(errno));
    if (limit.rlim_cur >= wanted)
        return true;
    if (limit.rlim_max < wanted)
        return load_fail(error, "%zu connections need %zu open files; the limit is %zu (ulimit -n)",
                         connections, (size_t)wanted, (size_t)limit.rlim_max);
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ||
           load_fail(error, "the limit of open files cannot be raised: %s", strerror(errno));
}

static int init_signal(struct run *run, uv_signal_t *signal, int number)
{
    const int rc = uv_signal_init(&run->loop, signal);
    signal->data = run;
    return rc != 0 ? rc : uv_signal_start(signal, on_signal, number);
}

static int init_handles(struct run *run)
{
    uv_check_init(&run->loop, &run->after_turn);
    uv_idle_init(&run->loop, &run->spin);
    uv_timer_init(&run->loop, &run->housekeeping);
    uv_timer_init(&run->loop, &run->interval_timer);
    run->after_turn.data = run;
    run->housekeeping.data = run;
    run->interval_timer.data = run;
    uv_check_start(&run->after_turn, on_turn);
    uv_timer_start(&run->housekeeping, on_start_over, START_MS_MAX, 0);
    int rc = init_signal(run, &run->on_int, SIGINT);
    if (rc == 0)
        rc = init_signal(run, &run->on_term, SIGTERM);
    return rc != 0 ? rc : load_timer_init(&run->wake, &run->loop);
}

static void init_clients(struct run *run)
{
    TAILQ_INIT(&run->down);
    TAILQ_INIT(&run->opening);
    TAILQ_INIT(&run->idle);
    TAILQ_INIT(&run->busy);
    TAILQ_INIT(&run->leaving);
    TAILQ_INIT(&run->closing);
    run->env = (struct connection_env){.loop = &run->loop,
                                       .target = run->config->target,
                                       .events = &EVENTS,
                                       .read_buffer = run->read_buffer,
                                       .read_bytes = READ_BYTES,
                                       .ctx = run};
    for (size_t i = 0; i < run->config->connections; i++) {
        connection_init(&run->clients[i].conn, &run->env, NULL, 0);
        move(&run->clients[i], &run->opening);
    }
}

static void init_result(struct load_result *result)
{
    memset(result, 0, sizeof *result);
    recorder_reset(&result->warmup);
    recorder_reset(&result->measured);
}

static bool run_loop(struct run *run, struct load_error *error)
{
    int rc = uv_loop_init(&run->loop);
    if (rc != 0)
        return load_fail(error, "no event loop: %s", uv_strerror(rc));
    rc = init_handles(run);
    if (rc != 0)
        return load_fail(error, "no timers or signals: %s", uv_strerror(rc));
    init_clients(run);
    for (size_t i = 0; i < run->config->connections; i++)
        open_client(run, &run->clients[i]);
    begin_when_connected(run, false);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&run->loop) == 0 || load_fail(error, "the event loop did not end");
}

bool load_run(const struct load_config *config, struct load_result *out, struct load_error *error)
{
    assert(config->connections > 0);
    assert(config->connections <= LOAD_CONNECTIONS_MAX);
    if (!allow_files(config->connections, error))
        return false;
    init_result(out);
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return load_fail(error, "out of memory");
    run->config = config;
    run->result = out;
    run->next_due_ns = ARRIVALS_NONE;
    run->end_ns = UINT64_MAX;
    histogram_reset(&run->interval.latency);
    histogram_reset(&run->interval.lag);
    if (config->arrivals != NULL)
        run->arrivals = *config->arrivals;
    run->clients = calloc(config->connections, sizeof *run->clients);
    run->read_buffer = malloc(READ_BYTES);
    bool ok = run->clients != NULL && run->read_buffer != NULL;
    ok = ok ? run_loop(run, error) : load_fail(error, "out of memory");
    free(run->read_buffer);
    free(run->clients);
    free(run);
    return ok;
}
