/* Whether a loop is busy, over a real loop whose turns take as long as the test says. */
#include "loop_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base.h"

enum {
    TURN_MS = 5,
    TURNS = 12
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t timer;
    struct loop_load load;
    unsigned changes;
    unsigned turns;
    uint64_t work_ns; /* of each turn, which begins every TURN_MS */
};

static void spin(uint64_t ns)
{
    const uint64_t until_ns = clock_now_ns() + ns;
    while (clock_now_ns() < until_ns)
        ;
}

static void on_turn(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    f->changes += loop_load_update(&f->load, &f->loop);
    spin(f->work_ns);
    if (++f->turns == TURNS)
        uv_timer_stop(timer);
}

static void turn(struct fixture *f, uint64_t work_ns)
{
    f->work_ns = work_ns;
    f->turns = f->changes = 0;
    assert_int_equal(uv_timer_start(&f->timer, on_turn, TURN_MS, TURN_MS), 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
}

static void loop_is_busy_when_it_hardly_waits_and_no_longer_when_it_does(void **state)
{
    (void)state;
    struct fixture f = {.changes = 0};
    assert_int_equal(uv_loop_init(&f.loop), 0);
    assert_int_equal(uv_loop_configure(&f.loop, UV_METRICS_IDLE_TIME), 0);
    assert_int_equal(uv_timer_init(&f.loop, &f.timer), 0);
    f.timer.data = &f;
    turn(&f, 2 * TURN_MS * NS_PER_MS); /* no time is left to wait */
    assert_true(f.load.busy);
    assert_int_equal(f.changes, 1);
    turn(&f, 0);
    assert_false(f.load.busy);
    uv_close((uv_handle_t *)&f.timer, NULL);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f.loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop_is_busy_when_it_hardly_waits_and_no_longer_when_it_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
