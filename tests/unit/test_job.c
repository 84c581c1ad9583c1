#include "job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"

static void a_recycled_job_comes_back_clear_with_its_memory(void **state)
{
    (void)state;
    struct job_pool pool;
    job_pool_init(&pool);
    struct job *job = job_take(&pool);
    assert_non_null(job);
    void *memory = job_reserve(job, 1000);
    job->period = 7;
    job->is_series = true;
    job->base.rows = 3;
    job_recycle(&pool, job);
    struct job *again = job_take(&pool);
    assert_ptr_equal(again, job);
    assert_int_equal(again->period, 0);
    assert_int_equal(again->base.rows, 0);
    assert_false(again->is_series);
    assert_ptr_equal(job_reserve(again, 1000), memory);
    assert_ptr_equal(job_reserve(again, 10), memory);
    job_recycle(&pool, again);
    job_pool_deinit(&pool);
}

static void a_pool_gives_different_jobs(void **state)
{
    (void)state;
    struct job_pool pool;
    job_pool_init(&pool);
    struct job *one = job_take(&pool), *two = job_take(&pool);
    assert_ptr_not_equal(one, two);
    job_recycle(&pool, one);
    job_recycle(&pool, two);
    assert_ptr_not_equal(job_take(&pool), job_take(&pool));
    job_recycle(&pool, one);
    job_recycle(&pool, two);
    job_pool_deinit(&pool);
}

static void memory_is_aligned_for_any_vector(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 1 << 20};
    (void)state;
    struct job_pool pool;
    job_pool_init(&pool);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct job *job = job_take(&pool);
        char *memory = job_reserve(job, sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        memset(memory, 1, sizes[i]); /* a sanitizer looks on */
        job_recycle(&pool, job);
    }
    job_pool_deinit(&pool);
}

static void memory_of_a_large_request_is_not_kept(void **state)
{
    (void)state;
    struct job_pool pool;
    job_pool_init(&pool);
    struct job *job = job_take(&pool);
    assert_non_null(job_reserve(job, MIB));
    job_recycle(&pool, job);
    assert_null(job->_memory);
    assert_int_equal(job->_memory_bytes, 0);
    job_pool_deinit(&pool);
}

static void more_than_there_can_be_is_null(void **state)
{
    (void)state;
    struct job_pool pool;
    job_pool_init(&pool);
    struct job *job = job_take(&pool);
    assert_null(job_reserve(job, SIZE_MAX));
    assert_null(job_reserve(job, SIZE_MAX - 63));
    assert_non_null(job_reserve(job, 10));
    job_recycle(&pool, job);
    job_pool_deinit(&pool);
}

static void a_pool_keeps_a_bounded_number(void **state)
{
    enum {
        MANY = 1500
    };
    (void)state;
    struct job_pool pool;
    static struct job *jobs[MANY];
    job_pool_init(&pool);
    for (size_t i = 0; i < MANY; i++) {
        jobs[i] = job_take(&pool);
        assert_non_null(job_reserve(jobs[i], 100));
    }
    for (size_t i = 0; i < MANY; i++)
        job_recycle(&pool, jobs[i]);
    size_t kept = 0;
    for (struct job *job = pool._free; job != NULL; job = job->_next_free)
        kept++;
    assert_int_equal(kept, 1024);
    job_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recycled_job_comes_back_clear_with_its_memory),
        cmocka_unit_test(a_pool_gives_different_jobs),
        cmocka_unit_test(memory_is_aligned_for_any_vector),
        cmocka_unit_test(memory_of_a_large_request_is_not_kept),
        cmocka_unit_test(more_than_there_can_be_is_null),
        cmocka_unit_test(a_pool_keeps_a_bounded_number),
    };
    return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
