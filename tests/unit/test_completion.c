/*
 * Threads push while the loop takes: nothing is lost, nothing comes twice, and what one thread
 * pushed comes in its order.
 */
#include "completion.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base.h"

enum {
    PUSHERS = 4,
    JOBS_EACH = 20000,
    CHAIN_MAX = 5,
};

struct test_job {
    struct batcher_job base; /* first: a batcher_job is cast to it */
    unsigned pusher;
    unsigned number;
};

struct pusher {
    pthread_t thread;
    unsigned id;
    struct completion *completion;
    struct test_job *jobs;
};

struct taken {
    struct completion completion;
    unsigned next[PUSHERS]; /* the number that must come next */
    size_t total;
    size_t total_max;
    size_t lists;
};

static void take(void *ctx, struct batcher_job *list)
{
    struct taken *taken = ctx;
    assert_non_null(list);
    taken->lists++;
    for (; list != NULL; list = list->next) {
        struct test_job *job = (struct test_job *)list;
        assert_int_equal(job->number, taken->next[job->pusher]);
        taken->next[job->pusher]++;
        taken->total++;
    }
    if (taken->total == taken->total_max)
        completion_close(&taken->completion);
}

/* Chains of one to five. */
static void *push_all(void *arg)
{
    struct pusher *pusher = arg;
    for (unsigned i = 0; i < JOBS_EACH;) {
        unsigned count = 1 + i % CHAIN_MAX;
        if (count > JOBS_EACH - i)
            count = JOBS_EACH - i;
        struct test_job *chain = &pusher->jobs[i];
        for (unsigned k = 0; k < count; k++)
            chain[k] = (struct test_job){
                .base.next = k + 1 < count ? &chain[k + 1].base : NULL,
                .pusher = pusher->id,
                .number = i + k,
            };
        completion_push(pusher->completion, &chain[0].base, &chain[count - 1].base);
        i += count;
    }
    return NULL;
}

static void what_threads_push_comes_once_and_in_order(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct taken taken = {.total_max = (size_t)PUSHERS * JOBS_EACH};
    struct pusher pushers[PUSHERS];
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(completion_init(&taken.completion, &loop, take, &taken), 0);
    for (unsigned i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){.id = i, .completion = &taken.completion};
        pushers[i].jobs = calloc(JOBS_EACH, sizeof *pushers[i].jobs);
        assert_non_null(pushers[i].jobs);
        assert_int_equal(pthread_create(&pushers[i].thread, NULL, push_all, &pushers[i]), 0);
    }
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    for (unsigned i = 0; i < PUSHERS; i++) {
        pthread_join(pushers[i].thread, NULL);
        assert_int_equal(taken.next[i], JOBS_EACH);
        free(pushers[i].jobs);
    }
    assert_int_equal(taken.total, taken.total_max);
    print_message("%zu jobs in %zu lists\n", taken.total, taken.lists);
    completion_deinit(&taken.completion);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Pushed before the loop runs at all: one list, one call. */
static void what_was_pushed_before_is_taken_at_once(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct taken taken = {.total_max = 3};
    struct test_job jobs[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(completion_init(&taken.completion, &loop, take, &taken), 0);
    jobs[2].base.next = &jobs[0].base; /* left over; the push ends the list */
    completion_push(&taken.completion, &jobs[0].base, &jobs[0].base);
    jobs[1].base.next = &jobs[2].base;
    completion_push(&taken.completion, &jobs[1].base, &jobs[2].base);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(taken.total, 3);
    assert_int_equal(taken.lists, 1);
    completion_deinit(&taken.completion);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_threads_push_comes_once_and_in_order),
        cmocka_unit_test(what_was_pushed_before_is_taken_at_once),
    };
    return cmocka_run_group_tests_name("completion", tests, NULL, NULL);
}
