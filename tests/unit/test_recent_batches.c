/* The ring of a queue's last batches. */
#include "recent_batches.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* Every field follows from the number, so that a torn batch shows. */
static struct recent_batch batch_of(size_t n)
{
    return (struct recent_batch){.finished_ns = n, .run_ns = 2 * n, .rows = n, .jobs = n + 1};
}

static void add(struct recent_batches *recent, size_t from, size_t to)
{
    for (size_t n = from; n < to; n++) {
        struct recent_batch batch = batch_of(n);
        recent_batches_add(recent, &batch);
    }
}

static struct recent_batches *create(void)
{
    struct recent_batches *recent = malloc(sizeof *recent);
    assert_non_null(recent);
    recent_batches_init(recent);
    return recent;
}

static void destroy(struct recent_batches *recent)
{
    recent_batches_deinit(recent);
    free(recent);
}

static void before_the_first_there_is_none(void **state)
{
    (void)state;
    struct recent_batches *recent = create();
    struct recent_batch out[4];
    assert_int_equal(recent_batches_copy(recent, out, 4), 0);
    destroy(recent);
}

static void the_newest_comes_first(void **state)
{
    (void)state;
    struct recent_batches *recent = create();
    struct recent_batch out[RECENT_BATCHES_MAX];
    add(recent, 1, 4);
    assert_int_equal(recent_batches_copy(recent, out, RECENT_BATCHES_MAX), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(out[i].rows, 3 - i);
    assert_int_equal(recent_batches_copy(recent, out, 2), 2);
    assert_int_equal(out[1].rows, 2);
    destroy(recent);
}

static void the_oldest_make_room(void **state)
{
    (void)state;
    struct recent_batches *recent = create();
    struct recent_batch out[RECENT_BATCHES_MAX];
    add(recent, 0, RECENT_BATCHES_MAX + 10);
    assert_int_equal(recent_batches_copy(recent, out, RECENT_BATCHES_MAX), RECENT_BATCHES_MAX);
    assert_int_equal(out[0].rows, RECENT_BATCHES_MAX + 9);
    assert_int_equal(out[RECENT_BATCHES_MAX - 1].rows, 10);
    destroy(recent);
}

struct writer {
    struct recent_batches *recent;
    pthread_t thread;
    atomic_bool stop;
};

static void *write_on(void *arg)
{
    struct writer *writer = arg;
    for (size_t n = 0; !atomic_load(&writer->stop); n++)
        add(writer->recent, n, n + 1);
    return NULL;
}

static void a_copy_is_whole_while_workers_add(void **state)
{
    (void)state;
    struct writer writers[2];
    struct recent_batches *recent = create();
    struct recent_batch out[RECENT_BATCHES_MAX];
    for (size_t i = 0; i < 2; i++) {
        writers[i].recent = recent;
        atomic_init(&writers[i].stop, false);
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
    }
    for (size_t round = 0; round < 1000; round++) {
        size_t count = recent_batches_copy(recent, out, RECENT_BATCHES_MAX);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(out[i].run_ns, 2 * out[i].finished_ns);
            assert_int_equal(out[i].jobs, out[i].rows + 1);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&writers[i].stop, true);
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    }
    destroy(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_there_is_none),
        cmocka_unit_test(the_newest_comes_first),
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(a_copy_is_whole_while_workers_add),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
