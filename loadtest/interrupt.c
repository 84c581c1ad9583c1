/*
 * interrupt.c - see interrupt.h.
 *
 * libuv tells a signal to every loop that listens for it, so a run's own handlers and
 * these do not disturb each other.
 */
#include "interrupt.h"

#include <signal.h>

static void on_signal(uv_signal_t *handle, int number)
{
    struct interrupt *interrupt = handle->data;
    if (interrupt->_signal == 0)
        interrupt->_signal = number;
}

static int listen_for(struct interrupt *interrupt, uv_signal_t *handle, int number)
{
    const int rc = uv_signal_init(&interrupt->_loop, handle);
    handle->data = interrupt;
    return rc != 0 ? rc : uv_signal_start(handle, on_signal, number);
}

bool interrupt_init(struct interrupt *interrupt, struct load_error *error)
{
    interrupt->_signal = 0;
    int rc = uv_loop_init(&interrupt->_loop);
    if (rc == 0)
        rc = listen_for(interrupt, &interrupt->_on_int, SIGINT);
    if (rc == 0)
        rc = listen_for(interrupt, &interrupt->_on_term, SIGTERM);
    return rc == 0 || load_fail(error, "signals cannot be watched: %s", uv_strerror(rc));
}

void interrupt_deinit(struct interrupt *interrupt)
{
    uv_close((uv_handle_t *)&interrupt->_on_int, NULL);
    uv_close((uv_handle_t *)&interrupt->_on_term, NULL);
    uv_run(&interrupt->_loop, UV_RUN_DEFAULT);
    uv_loop_close(&interrupt->_loop);
}

int interrupt_signal(struct interrupt *interrupt)
{
    uv_run(&interrupt->_loop, UV_RUN_NOWAIT);
    return interrupt->_signal;
}
