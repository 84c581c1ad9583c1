#include "completion.h"

#include "base.h"

static void on_wake(uv_async_t *async)
{
    struct completion *c = container_of(async, struct completion, _async);
    pthread_mutex_lock(&c->_mutex);
    struct batcher_job *list = c->_first;
    c->_first = c->_last = NULL;
    pthread_mutex_unlock(&c->_mutex);
    if (list != NULL)
        c->_take(c->_ctx, list);
}

int completion_init(struct completion *c, uv_loop_t *loop, completion_fn *take, void *ctx)
{
    *c = (struct completion){._take = take, ._ctx = ctx};
    int rc = uv_async_init(loop, &c->_async, on_wake);
    if (rc != 0)
        return rc;
    pthread_mutex_init(&c->_mutex, NULL);
    return 0;
}

void completion_push(struct completion *c, struct batcher_job *first, struct batcher_job *last)
{
    last->next = NULL;
    pthread_mutex_lock(&c->_mutex);
    bool was_empty = c->_first == NULL;
    if (was_empty)
        c->_first = first;
    else
        c->_last->next = first;
    c->_last = last;
    pthread_mutex_unlock(&c->_mutex);
    if (was_empty)
        uv_async_send(&c->_async);
}

void completion_close(struct completion *c)
{
    uv_close((uv_handle_t *)&c->_async, NULL);
}

void completion_deinit(struct completion *c)
{
    pthread_mutex_destroy(&c->_mutex);
}
