/*
 * sim_sharers.h - whether those who share something get their parts, over any interval.
 *
 * For each two of them it keeps how far apart what they took (by weight) was, at least and at most,
 * since both began to want something all the time. The promise is on the distance of the two.
 */
#ifndef SIM_SHARERS_H
#define SIM_SHARERS_H

#include <stdbool.h>
#include <stddef.h>

struct sim_sharer {
    double weight;
    double taken;   /* by weight */
    double serving; /* the largest there was, by weight */
    bool wants;
};

struct sim_range {
    double least;
    double most;
    double rounding; /* of all that was taken, as fair_share.h says */
};

struct sim_sharers {
    size_t count;
    double slack; /* they may be so much further apart */
    struct sim_sharer *of;
    struct sim_range *ranges; /* of the difference, for first < second */
};

/* Ends the program when there is no memory. */
void sim_sharers_init(struct sim_sharers *sharers, size_t count, double slack);
void sim_sharers_free(struct sim_sharers *sharers);

void sim_sharers_want(struct sim_sharers *sharers, size_t who, bool wants);

/* Those two who are the furthest apart beyond what is allowed; all zero: it is still fair. */
struct sim_unfair {
    size_t who;
    size_t other;
    double apart;
    double allowed;
};
struct sim_unfair sim_sharers_take(struct sim_sharers *sharers, size_t who, double amount);

#endif
