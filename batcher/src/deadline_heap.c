/*
 * deadline_heap.c - merging trees of jobs; the picture is in the header.
 */
#include "deadline_heap.h"

#include <assert.h>

static void links_clear(struct batcher_job *job)
{
    job->_heap_child = NULL;
    job->_heap_next = NULL;
    job->_heap_prev = NULL;
}

static struct batcher_job *adopt(struct batcher_job *parent, struct batcher_job *child)
{
    child->_heap_next = parent->_heap_child;
    if (child->_heap_next != NULL)
        child->_heap_next->_heap_prev = child;
    child->_heap_prev = parent;
    parent->_heap_child = child;
    return parent;
}

/* The winner's own sibling links are the caller's to set. */
static struct batcher_job *merge(struct batcher_job *a, struct batcher_job *b)
{
    return b->deadline_ns < a->deadline_ns ? adopt(b, a) : adopt(a, b);
}

/* Left to right: merges neighbours two by two. Returns them last first. */
static struct batcher_job *merge_pairs(struct batcher_job *first)
{
    struct batcher_job *pairs = NULL;
    while (first != NULL) {
        struct batcher_job *pair = first;
        struct batcher_job *second = first->_heap_next;
        first = second != NULL ? second->_heap_next : NULL;
        if (second != NULL)
            pair = merge(pair, second);
        pair->_heap_next = pairs;
        pairs = pair;
    }
    return pairs;
}

/* The two passes that make the heap's bounds: in pairs, then all into one. */
static struct batcher_job *merge_siblings(struct batcher_job *first)
{
    struct batcher_job *rest = merge_pairs(first);
    if (rest == NULL)
        return NULL;
    struct batcher_job *root = rest;
    rest = rest->_heap_next;
    while (rest != NULL) {
        struct batcher_job *next = rest->_heap_next;
        root = merge(root, rest);
        rest = next;
    }
    root->_heap_next = NULL;
    root->_heap_prev = NULL;
    return root;
}

static void cut(struct batcher_job *job)
{
    struct batcher_job *left = job->_heap_prev;
    if (left->_heap_child == job)
        left->_heap_child = job->_heap_next;
    else
        left->_heap_next = job->_heap_next;
    if (job->_heap_next != NULL)
        job->_heap_next->_heap_prev = left;
}

struct batcher_job *deadline_heap_insert(struct batcher_job *root, struct batcher_job *job)
{
    links_clear(job);
    return root == NULL ? job : merge(root, job);
}

struct batcher_job *deadline_heap_remove(struct batcher_job *root, struct batcher_job *job)
{
    assert(root != NULL);
    struct batcher_job *children = merge_siblings(job->_heap_child);
    if (job == root) {
        root = children;
    } else {
        cut(job);
        if (children != NULL)
            root = merge(root, children);
    }
    links_clear(job);
    return root;
}
