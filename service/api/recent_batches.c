#include "recent_batches.h"

void recent_batches_init(struct recent_batches *recent)
{
    pthread_mutex_init(&recent->_mutex, NULL);
    recent->_added = 0;
}

void recent_batches_deinit(struct recent_batches *recent)
{
    pthread_mutex_destroy(&recent->_mutex);
}

void recent_batches_add(struct recent_batches *recent, const struct recent_batch *batch)
{
    pthread_mutex_lock(&recent->_mutex);
    recent->_ring[recent->_added++ % RECENT_BATCHES_MAX] = *batch;
    pthread_mutex_unlock(&recent->_mutex);
}

size_t recent_batches_copy(struct recent_batches *recent, struct recent_batch *out, size_t count)
{
    pthread_mutex_lock(&recent->_mutex);
    uint64_t kept = recent->_added < RECENT_BATCHES_MAX ? recent->_added : RECENT_BATCHES_MAX;
    if (count > kept)
        count = (size_t)kept;
    for (size_t i = 0; i < count; i++)
        out[i] = recent->_ring[(recent->_added - 1 - i) % RECENT_BATCHES_MAX];
    pthread_mutex_unlock(&recent->_mutex);
    return count;
}
