/*
 * load_timer.c - see load_timer.h.
 */
#include "load_timer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "load_base.h"

static void on_due(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    const struct load_timer *timer = poll->data;
    uint64_t expirations;
    /* Nothing to read means that it was set anew meanwhile. */
    if (read(timer->_fd, &expirations, sizeof expirations) < 0)
        return;
}

int load_timer_init(struct load_timer *timer, uv_loop_t *loop)
{
    timer->_at_ns = LOAD_TIMER_NEVER;
    timer->_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer->_fd < 0)
        return uv_translate_sys_error(errno);
    int rc = uv_poll_init(loop, &timer->_poll, timer->_fd);
    if (rc != 0) {
        close(timer->_fd);
        return rc;
    }
    timer->_poll.data = timer;
    return uv_poll_start(&timer->_poll, UV_READABLE, on_due);
}

void load_timer_set(struct load_timer *timer, uint64_t at_ns)
{
    if (at_ns == timer->_at_ns)
        return;
    timer->_at_ns = at_ns;
    struct itimerspec when = {0}; /* zero disarms */
    if (at_ns != LOAD_TIMER_NEVER) {
        when.it_value.tv_sec = (time_t)(at_ns / NS_PER_S);
        when.it_value.tv_nsec = (long)(at_ns % NS_PER_S);
    }
    timerfd_settime(timer->_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_closed(uv_handle_t *handle)
{
    const struct load_timer *timer = handle->data;
    close(timer->_fd);
}

void load_timer_close(struct load_timer *timer)
{
    uv_close((uv_handle_t *)&timer->_poll, on_closed);
}
