#include "http_balance.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base.h"

void http_balance_init(struct http_balance *balance, unsigned seats)
{
    assert(seats <= HTTP_SEATS_MAX);
    memset(balance, 0, sizeof *balance);
    balance->seats = seats;
    for (unsigned i = 0; i < seats; i++)
        pthread_mutex_init(&balance->seat[i]._lock, NULL);
}

void http_balance_deinit(struct http_balance *balance)
{
    for (unsigned i = 0; i < balance->seats; i++)
        pthread_mutex_destroy(&balance->seat[i]._lock);
}

/* `take` may accept, close and give: it is called without the lock. */
static void take_given(struct http_seat *seat)
{
    int fds[HTTP_GIVEN_MAX];
    pthread_mutex_lock(&seat->_lock);
    const unsigned given = seat->_given;
    memcpy(fds, seat->_fds, given * sizeof fds[0]);
    seat->_given = 0;
    pthread_mutex_unlock(&seat->_lock);
    for (unsigned i = 0; i < given; i++)
        seat->_take(seat->_ctx, fds[i]);
}

static void on_wake(uv_async_t *wake)
{
    take_given(container_of(wake, struct http_seat, _wake));
}

static void set_open(struct http_seat *seat, bool open)
{
    pthread_mutex_lock(&seat->_lock);
    seat->_open = open;
    pthread_mutex_unlock(&seat->_lock);
}

int http_seat_take(struct http_seat *seat, uv_loop_t *loop, http_take_fn *take, void *ctx)
{
    seat->_take = take;
    seat->_ctx = ctx;
    int rc = uv_async_init(loop, &seat->_wake, on_wake);
    if (rc == 0)
        set_open(seat, true);
    return rc;
}

void http_seat_leave(struct http_seat *seat)
{
    set_open(seat, false);
    take_given(seat);
}

void http_seat_close(struct http_seat *seat, uv_close_cb closed)
{
    uv_close((uv_handle_t *)&seat->_wake, closed);
}

static size_t connections_of(const struct http_balance *balance, unsigned index)
{
    return atomic_load_explicit(&balance->seat[index].connections, memory_order_relaxed);
}

unsigned http_balance_choose(const struct http_balance *balance, unsigned own)
{
    unsigned fewest = own;
    for (unsigned i = 0; i < balance->seats; i++)
        if (connections_of(balance, i) < connections_of(balance, fewest))
            fewest = i;
    return fewest;
}

bool http_balance_give(struct http_balance *balance, unsigned index, int fd)
{
    struct http_seat *seat = &balance->seat[index];
    int copy = -1;
    pthread_mutex_lock(&seat->_lock);
    if (seat->_open && seat->_given < HTTP_GIVEN_MAX)
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0) {
        seat->_fds[seat->_given++] = copy;
        uv_async_send(&seat->_wake);
        atomic_fetch_add_explicit(&seat->connections, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&seat->_lock);
    return copy >= 0;
}
