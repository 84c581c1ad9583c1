/*
 * metrics_exemplar.c - the last request that fell into a bucket, written and read without a lock.
 *
 * A slot has one writer. Its version is odd while it writes; a reader that finds it odd, or
 * changed afterwards, has read a mixture and tries again. Release and acquire on every word, in
 * place of fences, keep that order: whoever sees a new word sees the version that went before it.
 * On x86-64 all of these are plain loads and stores.
 */
#include <string.h>

#include "metrics_registry.h"

/* A writer needs nanoseconds. Who meets it so often leaves the exemplar out of this scrape. */
enum {
    READ_TRIES_MAX = 100
};

bool metrics_has_exemplars(enum metrics_family family)
{
    switch (family) {
#define X(enumerator) case METRICS_##enumerator:
        METRICS_EXEMPLARS_MAP(X)
#undef X
        return true;
    default:
        return false;
    }
}

static void put(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static uint64_t get(_Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static void put_text(_Atomic uint64_t *words, const char *text, size_t bytes)
{
    uint64_t word;
    for (; bytes >= sizeof word; bytes -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        put(words++, word);
    }
    if (bytes == 0)
        return;
    word = 0;
    memcpy(&word, text, bytes);
    put(words, word);
}

void metrics_exemplar_write(struct metrics_exemplar_slot *slot, uint64_t value,
                            const struct metrics_exemplar *exemplar)
{
    const size_t bytes =
        exemplar->bytes < METRICS_EXEMPLAR_BYTES_MAX ? exemplar->bytes : METRICS_EXEMPLAR_BYTES_MAX;
    const uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);
    atomic_store_explicit(&slot->version, version + 1, memory_order_relaxed);
    put(&slot->at_ns, exemplar->at_ns);
    put(&slot->value, value);
    put(&slot->bytes, bytes);
    put_text(slot->trace_id, exemplar->trace_id, bytes);
    put(&slot->version, version + 2);
}

/* False: it was written meanwhile. */
static bool try_read(struct metrics_exemplar_slot *slot, struct metrics_exemplar_copy *out)
{
    const uint64_t version = get(&slot->version);
    out->at_ns = get(&slot->at_ns);
    out->value = get(&slot->value);
    const size_t bytes = (size_t)get(&slot->bytes);
    for (size_t i = 0; i < METRICS_EXEMPLAR_BYTES_MAX / sizeof(uint64_t); i++) {
        const uint64_t word = get(&slot->trace_id[i]);
        memcpy(out->trace_id + i * sizeof word, &word, sizeof word);
    }
    out->trace_id[bytes] = '\0';
    return version % 2 == 0 &&
           atomic_load_explicit(&slot->version, memory_order_relaxed) == version;
}

static bool read_slot(struct metrics_exemplar_slot *slot, struct metrics_exemplar_copy *out)
{
    for (size_t i = 0; i < READ_TRIES_MAX && get(&slot->version) > 0; i++)
        if (try_read(slot, out))
            return true;
    return false;
}

bool metrics_exemplar_last(const struct metrics *m, enum metrics_family family, unsigned labels,
                           unsigned bucket, struct metrics_exemplar_copy *out)
{
    bool found = false;
    for (unsigned i = 0; i < m->shards_count; i++) {
        struct metrics_exemplar_copy one;
        if (!read_slot(metrics_exemplar_slot(&m->shards[i], family, labels, bucket), &one))
            continue;
        if (!found || one.at_ns > out->at_ns)
            *out = one;
        found = true;
    }
    return found;
}
