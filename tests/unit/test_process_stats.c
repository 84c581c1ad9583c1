/*
 * test_process_stats.c - the process and its cgroup, seen through the metrics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "process_stats.h"

static struct metrics *create(void)
{
    static const char *const models[] = {"digits"};
    const struct metrics_config config = {.shards = 1, .models = models, .models_count = 1};
    struct metrics *m = NULL;
    assert_int_equal(metrics_create(&config, &m), 0);
    return m;
}

/* A fresh look at one family. */
static double collect(struct metrics *m, enum metrics_family family)
{
    process_stats_collect(m);
    return metrics_value(m, family, 0);
}

static void memory_is_used_and_bounded(void **state)
{
    (void)state;
    struct metrics *m = create();
    double resident = collect(m, METRICS_PROCESS_RESIDENT_MEMORY_BYTES);
    assert_true(resident > 100e3);
    assert_true(metrics_value(m, METRICS_PROCESS_VIRTUAL_MEMORY_BYTES, 0) >= resident);
    assert_true(metrics_value(m, METRICS_PROCESS_VIRTUAL_MEMORY_MAX_BYTES, 0) > resident);
    metrics_destroy(m);
}

static void touched_memory_becomes_resident(void **state)
{
    (void)state;
    enum {
        TOUCHED_BYTES = 64 << 20
    };
    struct metrics *m = create();
    double before = collect(m, METRICS_PROCESS_RESIDENT_MEMORY_BYTES);
    void *memory = mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    double after = collect(m, METRICS_PROCESS_RESIDENT_MEMORY_BYTES);
    assert_true(after - before > TOUCHED_BYTES / 2.0);
    munmap(memory, TOUCHED_BYTES);
    metrics_destroy(m);
}

static void open_descriptors_are_those_that_fcntl_knows(void **state)
{
    (void)state;
    struct metrics *m = create();
    double open_now = 0;
    for (int fd = 0; fd < 4096; fd++)
        open_now += fcntl(fd, F_GETFD) >= 0;
    assert_true(collect(m, METRICS_PROCESS_OPEN_FDS) == open_now);
    metrics_destroy(m);
}

static void one_more_open_file_is_one_more_descriptor(void **state)
{
    (void)state;
    struct metrics *m = create();
    double before = collect(m, METRICS_PROCESS_OPEN_FDS);
    assert_true(before >= 3);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(collect(m, METRICS_PROCESS_OPEN_FDS) == before + 1);
    close(fd);
    assert_true(collect(m, METRICS_PROCESS_OPEN_FDS) == before);
    metrics_destroy(m);
}

static void the_limit_of_descriptors_is_the_soft_one(void **state)
{
    (void)state;
    struct metrics *m = create();
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(collect(m, METRICS_PROCESS_MAX_FDS) == (double)limit.rlim_cur);
    metrics_destroy(m);
}

static void work_costs_processor_time(void **state)
{
    (void)state;
    struct metrics *m = create();
    double before = collect(m, METRICS_PROCESS_CPU_SECONDS_TOTAL);
    assert_true(before > 0);
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < 20 * 1000 * 1000; i++)
        sum = sum + i;
    assert_true(collect(m, METRICS_PROCESS_CPU_SECONDS_TOTAL) > before + 0.001);
    metrics_destroy(m);
}

static void the_start_lies_in_the_past_and_does_not_move(void **state)
{
    (void)state;
    struct metrics *m = create();
    double start = collect(m, METRICS_PROCESS_START_TIME_SECONDS);
    double now = (double)time(NULL);
    assert_true(start <= now + 1);
    assert_true(start > now - 3600);
    assert_true(collect(m, METRICS_PROCESS_START_TIME_SECONDS) == start);
    metrics_destroy(m);
}

static void *wait_on_barriers(void *arg)
{
    pthread_barrier_t *barriers = arg;
    pthread_barrier_wait(&barriers[0]);
    pthread_barrier_wait(&barriers[1]);
    return NULL;
}

static void one_more_thread_is_counted(void **state)
{
    (void)state;
    struct metrics *m = create();
    double before = collect(m, METRICS_PROCESS_THREADS);
    assert_true(before >= 1);
    pthread_barrier_t barriers[2];
    pthread_barrier_init(&barriers[0], NULL, 2);
    pthread_barrier_init(&barriers[1], NULL, 2);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_on_barriers, barriers), 0);
    pthread_barrier_wait(&barriers[0]);
    /* A sanitizer may start one of its own at the same time. */
    assert_true(collect(m, METRICS_PROCESS_THREADS) >= before + 1);
    pthread_barrier_wait(&barriers[1]);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barriers[0]);
    pthread_barrier_destroy(&barriers[1]);
    metrics_destroy(m);
}

/* --- The cgroup, from files of our own --- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"memory.current", "memory.max", "memory.events", "cpu.max",
                                        "cpu.stat"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void a_bounded_cgroup_is_read_from_its_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/jitney_cgroup_XXXXXX";
    assert_non_null(mkdtemp(folder));
    write_file(folder, "memory.current", "104857600\n");
    write_file(folder, "memory.max", "536870912\n");
    write_file(folder, "memory.events",
               "low 0\nhigh 0\nmax 4\noom 2\noom_kill 3\noom_group_kill 1\n");
    write_file(folder, "cpu.max", "150000 100000\n");
    write_file(folder, "cpu.stat", "usage_usec 9\nnr_throttled 7\nthrottled_usec 2500000\n");
    struct metrics *m = create();
    process_stats_collect_cgroup(m, folder);
    remove_folder(folder);
    assert_true(metrics_value(m, METRICS_CGROUP_MEMORY_USAGE_BYTES, 0) == 104857600);
    assert_true(metrics_value(m, METRICS_CGROUP_MEMORY_LIMIT_BYTES, 0) == 536870912);
    assert_true(metrics_value(m, METRICS_CGROUP_CPU_LIMIT_CORES, 0) == 1.5);
    assert_true(metrics_value(m, METRICS_CGROUP_CPU_THROTTLED_SECONDS_TOTAL, 0) == 2.5);
    assert_true(metrics_value(m, METRICS_CGROUP_OOM_KILLS_TOTAL, 0) == 3);
    metrics_destroy(m);
}

static void assert_limits_of_the_machine(struct metrics *m)
{
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    assert_true(metrics_value(m, METRICS_CGROUP_MEMORY_LIMIT_BYTES, 0) == memory);
    assert_true(metrics_value(m, METRICS_CGROUP_CPU_LIMIT_CORES, 0) ==
                (double)sysconf(_SC_NPROCESSORS_ONLN));
}

static void an_unbounded_cgroup_has_the_limits_of_the_machine(void **state)
{
    (void)state;
    char folder[] = "/tmp/jitney_cgroup_XXXXXX";
    assert_non_null(mkdtemp(folder));
    write_file(folder, "memory.max", "max\n");
    write_file(folder, "cpu.max", "max 100000\n");
    struct metrics *m = create();
    process_stats_collect_cgroup(m, folder);
    remove_folder(folder);
    assert_limits_of_the_machine(m);
    metrics_destroy(m);
}

static void without_a_cgroup_the_limits_are_those_of_the_machine(void **state)
{
    (void)state;
    struct metrics *m = create();
    process_stats_collect_cgroup(m, NULL);
    assert_limits_of_the_machine(m);
    assert_true(metrics_value(m, METRICS_CGROUP_MEMORY_USAGE_BYTES, 0) == 0);
    metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_used_and_bounded),
        cmocka_unit_test(touched_memory_becomes_resident),
        cmocka_unit_test(open_descriptors_are_those_that_fcntl_knows),
        cmocka_unit_test(one_more_open_file_is_one_more_descriptor),
        cmocka_unit_test(the_limit_of_descriptors_is_the_soft_one),
        cmocka_unit_test(work_costs_processor_time),
        cmocka_unit_test(the_start_lies_in_the_past_and_does_not_move),
        cmocka_unit_test(one_more_thread_is_counted),
        cmocka_unit_test(a_bounded_cgroup_is_read_from_its_files),
        cmocka_unit_test(an_unbounded_cgroup_has_the_limits_of_the_machine),
        cmocka_unit_test(without_a_cgroup_the_limits_are_those_of_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
