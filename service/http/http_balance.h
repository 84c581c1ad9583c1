/*
 * http_balance.h - a Unix socket's connections, spread over the loops that share it.
 *
 * TCP listeners of several loops are several sockets on one port (SO_REUSEPORT), and the
 * kernel spreads connections. A Unix socket is one queue that all loops accept from: who
 * wakes first takes all that is there, and then serves all of it. So who has accepted a
 * connection gives it to the loop that has the fewest.
 *
 *   Threads    http_balance_choose() and _give() from any loop; a seat's other
 *              functions on its own loop.
 *   Ownership  what is given is a copy of a descriptor, which belongs to the seat until `take`
 *              gets it; libuv does not let go of those that it has. Once a seat is left
 *              nothing more comes.
 */
#ifndef HTTP_BALANCE_H
#define HTTP_BALANCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum {
    HTTP_SEATS_MAX = 64,
    HTTP_GIVEN_MAX = 256 /* on their way to one seat; more stay where they were accepted */
};

typedef void http_take_fn(void *ctx, int fd);

/* A loop's place in the balance. */
struct http_seat {
    atomic_size_t connections; /* open ones, and those on their way */
    uv_async_t _wake;
    pthread_mutex_t _lock; /* guards the three fields below */
    bool _open;
    unsigned _given;
    int _fds[HTTP_GIVEN_MAX];
    http_take_fn *_take;
    void *_ctx;
};

struct http_balance {
    unsigned seats; /* of so many loops; those that are not taken yet get nothing */
    struct http_seat seat[HTTP_SEATS_MAX];
};

void http_balance_init(struct http_balance *balance, unsigned seats);
void http_balance_deinit(struct http_balance *balance);

/* Takes a seat: from now on `take` may be called, on this loop. 0 or a libuv error. */
int http_seat_take(struct http_seat *seat, uv_loop_t *loop, http_take_fn *take, void *ctx)
    __attribute__((warn_unused_result));
/* Gives `take` what is on its way; nothing more comes. */
void http_seat_leave(struct http_seat *seat);
/* Behind that. */
void http_seat_close(struct http_seat *seat, uv_close_cb closed);

/* The seat with the fewest connections; `own` when it is among them. */
unsigned http_balance_choose(const struct http_balance *balance, unsigned own);

/* A copy of fd. False: the seat has been left, too many are on their way to it, or there is no
 * descriptor to be had. Counts the connection. */
bool http_balance_give(struct http_balance *balance, unsigned index, int fd)
    __attribute__((warn_unused_result));

#endif
