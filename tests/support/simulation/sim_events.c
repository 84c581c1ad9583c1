/*
 * sim_events.c - sifting up and down.
 */
#include "sim_events.h"

#include <stdlib.h>

enum {
    ROOM_FIRST = 256
};

static void make_room(struct sim_events *events)
{
    if (events->count < events->room)
        return;
    events->room = events->room > 0 ? 2 * events->room : ROOM_FIRST;
    events->heap = realloc(events->heap, events->room * sizeof(*events->heap));
    if (events->heap == NULL)
        abort();
}

void sim_events_add(struct sim_events *events, const struct sim_event *event)
{
    make_room(events);
    size_t at = events->count++;
    while (at > 0 && event->at_ns < events->heap[(at - 1) / 2].at_ns) {
        events->heap[at] = events->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events->heap[at] = *event;
}

static void sink(struct sim_events *events, const struct sim_event *event)
{
    size_t at = 0;
    for (size_t child = 1; child < events->count; child = 2 * at + 1) {
        if (child + 1 < events->count && events->heap[child + 1].at_ns < events->heap[child].at_ns)
            child++;
        if (event->at_ns <= events->heap[child].at_ns)
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    events->heap[at] = *event;
}

bool sim_events_take(struct sim_events *events, uint64_t until_ns, struct sim_event *out)
{
    if (sim_events_next_ns(events) > until_ns || events->count == 0)
        return false;
    *out = events->heap[0];
    events->count--;
    const struct sim_event last = events->heap[events->count];
    if (events->count > 0)
        sink(events, &last);
    return true;
}

uint64_t sim_events_next_ns(const struct sim_events *events)
{
    return events->count > 0 ? events->heap[0].at_ns : UINT64_MAX;
}

void sim_events_free(struct sim_events *events)
{
    free(events->heap);
    *events = (struct sim_events){.heap = NULL};
}
