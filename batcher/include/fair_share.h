/*
 * fair_share.h - who of several that share something is served next, and what that costs it.
 *
 * Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queuing", SIGCOMM 1996). Every
 * sharer has a tag, what it has taken so far divided by its weight; who has the least is served.
 * One that wanted nothing for a while is moved up to the clock when it comes back: it has saved
 * nothing up, and owes only what it took too much. The clock is the tag of whoever was served last.
 *
 *   Promise    of two that want something all the time, what they took, divided by their weights,
 *              differs by at most one serving of each (and by their rounding, of less than a
 *              millionth of a unit each). Deficit round robin promises no more, and makes one that
 *              comes back wait for a round; here it is next.
 *   Units      of the caller's: nanoseconds of a worker, rows; less than 2^43 at a time. Tags wrap
 *              around, which is fine: those of active sharers are never far apart.
 */
#ifndef FAIR_SHARE_H
#define FAIR_SHARE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FAIR_WEIGHT_MAX = 1000
};

struct fair_clock {
    uint64_t now;
};

struct fair_share {
    uint64_t tag;
    unsigned weight; /* 1..FAIR_WEIGHT_MAX */
};

/* It wants something again. Harmless when it already did. */
void fair_share_join(struct fair_share *share, const struct fair_clock *clock);

/* For sharers that cannot always be served when they have had the least: it is owed at most
 * `amount` of what it missed. */
void fair_share_forgo(struct fair_share *share, const struct fair_clock *clock, uint64_t amount);

/* It is served. */
void fair_share_take(struct fair_share *share, struct fair_clock *clock, uint64_t amount);

/* It took `actual` where `guessed` had been charged. */
void fair_share_correct(struct fair_share *share, uint64_t guessed, uint64_t actual);

/* Whether the first has taken less than the second. */
bool fair_share_less(const struct fair_share *first, const struct fair_share *second);

#endif
