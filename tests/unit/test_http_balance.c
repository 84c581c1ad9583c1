/* Two loops in one thread, each with a seat: who gets what. */
#include "http_balance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

enum {
    SEATS = 2
};

struct fixture {
    uv_loop_t loops[SEATS];
    struct http_balance balance;
    int got[SEATS][HTTP_GIVEN_MAX + 1];
    unsigned got_count[SEATS];
    int fd; /* what is given */
};

struct place {
    struct fixture *f;
    unsigned seat;
} places[SEATS];

static void take(void *ctx, int fd)
{
    const struct place *place = ctx;
    place->f->got[place->seat][place->f->got_count[place->seat]++] = fd;
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    assert_true(f->fd >= 0);
    http_balance_init(&f->balance, SEATS);
    for (unsigned i = 0; i < SEATS; i++) {
        places[i] = (struct place){f, i};
        assert_int_equal(uv_loop_init(&f->loops[i]), 0);
        assert_int_equal(http_seat_take(&f->balance.seat[i], &f->loops[i], take, &places[i]), 0);
    }
}

static void teardown(struct fixture *f)
{
    for (unsigned i = 0; i < SEATS; i++) {
        http_seat_leave(&f->balance.seat[i]);
        http_seat_close(&f->balance.seat[i], NULL);
        uv_run(&f->loops[i], UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&f->loops[i]), 0);
    }
    for (unsigned i = 0; i < SEATS; i++)
        for (unsigned k = 0; k < f->got_count[i]; k++)
            assert_int_equal(close(f->got[i][k]), 0); /* each was one of its own */
    close(f->fd);
    http_balance_deinit(&f->balance);
}

static void whoever_has_the_fewest_connections_is_chosen(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_int_equal(http_balance_choose(&f.balance, 0), 0); /* as good as the other */
    assert_int_equal(http_balance_choose(&f.balance, 1), 1);
    atomic_store(&f.balance.seat[0].connections, 1);
    assert_int_equal(http_balance_choose(&f.balance, 0), 1);
    assert_int_equal(http_balance_choose(&f.balance, 1), 1);
    teardown(&f);
}

/* As a loop does that accepts all of them: a half goes to the other. */
static void connections_that_one_loop_accepts_end_up_on_both(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (unsigned i = 0; i < 10; i++) {
        const unsigned seat = http_balance_choose(&f.balance, 0);
        if (seat == 0)
            atomic_fetch_add(&f.balance.seat[0].connections, 1);
        else
            assert_true(http_balance_give(&f.balance, seat, f.fd));
    }
    assert_int_equal(f.got_count[1], 0); /* not before its loop turns */
    while (f.got_count[1] == 0)
        uv_run(&f.loops[1], UV_RUN_ONCE);
    assert_int_equal(f.got_count[1], 5);
    assert_int_equal(atomic_load(&f.balance.seat[0].connections), 5);
    assert_int_equal(atomic_load(&f.balance.seat[1].connections), 5);
    teardown(&f);
}

static void what_is_on_its_way_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (unsigned i = 0; i < HTTP_GIVEN_MAX; i++)
        assert_true(http_balance_give(&f.balance, 1, f.fd));
    assert_false(http_balance_give(&f.balance, 1, f.fd));
    teardown(&f);
    assert_int_equal(f.got_count[1], HTTP_GIVEN_MAX); /* leaving takes what was on its way */
}

static void without_descriptors_it_stays_where_it_is(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_false(http_balance_give(&f.balance, 1, -1)); /* as a copy that cannot be made */
    assert_int_equal(atomic_load(&f.balance.seat[1].connections), 0);
    teardown(&f);
}

static void seat_that_was_left_gets_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(http_balance_give(&f.balance, 1, f.fd));
    http_seat_leave(&f.balance.seat[1]);
    assert_int_equal(f.got_count[1], 1);
    assert_false(http_balance_give(&f.balance, 1, f.fd));
    teardown(&f);
    assert_int_equal(f.got_count[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_has_the_fewest_connections_is_chosen),
        cmocka_unit_test(connections_that_one_loop_accepts_end_up_on_both),
        cmocka_unit_test(what_is_on_its_way_is_bounded),
        cmocka_unit_test(without_descriptors_it_stays_where_it_is),
        cmocka_unit_test(seat_that_was_left_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
