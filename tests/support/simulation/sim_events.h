/*
 * sim_events.h - what will happen, earliest first: a heap in an array.
 */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_event_kind {
    SIM_EVENT_ARRIVAL, /* of flow `index` */
    SIM_EVENT_FINISH,  /* of worker `index` */
    SIM_EVENT_CANCEL,  /* of job `index` */
    SIM_EVENT_LIMITS,  /* some queue's change */
};

struct sim_event {
    uint64_t at_ns;
    uint64_t life; /* of the flow or job it is for; it is void when that has begun another */
    enum sim_event_kind kind;
    unsigned index;
};

/* All zero: empty. */
struct sim_events {
    struct sim_event *heap;
    size_t count;
    size_t room;
};

/* Ends the program when there is no memory. */
void sim_events_add(struct sim_events *events, const struct sim_event *event);

/* Takes the earliest that is not after `until_ns`; false: there is none. */
bool sim_events_take(struct sim_events *events, uint64_t until_ns, struct sim_event *out);

/* UINT64_MAX: nothing will happen. */
uint64_t sim_events_next_ns(const struct sim_events *events);

void sim_events_free(struct sim_events *events);

#endif
