/*
 * deadline_heap.h - jobs by deadline: a pairing heap threaded through the jobs.
 *
 *     root, the earliest
 *       | _heap_child
 *       v
 *      job <-> job <-> job     siblings through _heap_next and _heap_prev; the
 *       |                      first one's _heap_prev is its parent
 *       v
 *      ...
 *
 * Inserting costs O(1), removing any job O(log n) amortised. With one timeout
 * for all requests every new job is later than the root and becomes its child.
 * Equal deadlines leave in any order. An empty heap is NULL.
 */
#ifndef DEADLINE_HEAP_H
#define DEADLINE_HEAP_H

#include "batcher.h"

/* Both return the new root. */
struct batcher_job *deadline_heap_insert(struct batcher_job *root, struct batcher_job *job)
    __attribute__((warn_unused_result));
struct batcher_job *deadline_heap_remove(struct batcher_job *root, struct batcher_job *job)
    __attribute__((warn_unused_result));

#endif
