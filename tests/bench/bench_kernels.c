/*
 * bench_kernels.c - how fast each table is, and how much faster than the plain one.
 *
 *   bench_kernels [ROUNDS]
 *
 * A round times every table once, one after the other, so that a change of the
 * clock or a neighbour meets all of them; the medians of the rates and of the
 * ratios within a round are printed. Compile with optimisation (preset bench).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels.h"

#define ROUNDS_DEFAULT 15
#define ROUNDS_MAX 1001
#define VALUES_MAX 1000000
#define SAMPLE_NS 2e6 /* a timing repeats its kernel until it lasts this long */
/* Output 2 KiB past a multiple of 4 KiB from the input: loads then never wait for stores that
 * only look as if they went to the same place. */
#define VALUES_APART 256

struct task {
    const char *name;
    size_t n; /* of a series, or rows of a batch */
    size_t period;
    size_t in_size, out_size;
    double work; /* values or floating-point operations of one call */
    void (*run)(const struct kernels *table, const struct task *task);
    double *in, *out;
    float *dense_in, *weights, *dense_out;
};

static void run_sma(const struct kernels *table, const struct task *task)
{
    table->sma_f64(task->in, task->n, task->period, task->out);
}

static void run_ema(const struct kernels *table, const struct task *task)
{
    table->ema_f64(task->in, task->n, task->period, task->out);
}

static void run_rsi(const struct kernels *table, const struct task *task)
{
    table->rsi_f64(task->in, task->n, task->period, task->out);
}

static void run_dense(const struct kernels *table, const struct task *task)
{
    table->dense_f32(task->dense_in, task->weights, NULL, task->n, task->in_size, task->out_size,
                     task->dense_out);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_calls(const struct kernels *table, const struct task *task, size_t calls)
{
    const double start = now_ns();
    for (size_t i = 0; i < calls; i++)
        task->run(table, task);
    return now_ns() - start;
}

/* Calls that last SAMPLE_NS; warms the caches on the way. */
static size_t calls_for(const struct kernels *table, const struct task *task)
{
    size_t calls = 1;
    while (time_calls(table, task, calls) < SAMPLE_NS)
        calls *= 2;
    return calls;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare_doubles);
    return x[n / 2];
}

static void measure(const struct task *task, size_t rounds)
{
    static double rates[KERNELS_ISA_COUNT][ROUNDS_MAX];
    static double ratios[KERNELS_ISA_COUNT][ROUNDS_MAX];
    size_t calls[KERNELS_ISA_COUNT] = {0};
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *table = kernels_for((enum kernels_isa)isa);
        calls[isa] = table != NULL ? calls_for(table, task) : 0;
    }
    for (size_t round = 0; round < rounds; round++)
        for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
            if (calls[isa] == 0)
                continue;
            const double ns = time_calls(kernels_for((enum kernels_isa)isa), task, calls[isa]);
            rates[isa][round] = task->work * (double)calls[isa] / ns;
            ratios[isa][round] = rates[isa][round] / rates[KERNELS_SCALAR][round];
        }
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++)
        if (calls[isa] != 0)
            printf("%-16s %8zu  %-7s %8.3f G/s %7.2fx\n", task->name, task->n,
                   kernels_isa_str((enum kernels_isa)isa), median(rates[isa], rounds),
                   median(ratios[isa], rounds));
}

static void fill(struct task *task)
{
    for (size_t i = 0; i < VALUES_MAX; i++)
        task->in[i] = 100 + (double)(i * 7919 % 1000) / 100;
    for (size_t i = 0; i < 1024 * 1024; i++)
        task->weights[i] = (float)(i * 7919 % 1000) / 1000 - 0.5F;
    for (size_t i = 0; i < 32 * 1024; i++)
        task->dense_in[i] = (float)(i * 104729 % 1000) / 1000 - 0.5F;
}

static bool allocate(struct task *task, void **memory)
{
    const size_t series = (VALUES_MAX + 4096) / 512 * 512;
    const size_t floats = 1024 * 1024 + 2 * 32 * 1024;
    *memory = aligned_alloc(4096, (2 * series + 512) * sizeof(double) + floats * sizeof(float));
    if (*memory == NULL)
        return false;
    task->in = *memory;
    task->out = task->in + series + VALUES_APART;
    task->weights = (float *)(task->in + 2 * series + 512);
    task->dense_in = task->weights + 1024 * 1024;
    task->dense_out = task->dense_in + 32 * 1024;
    return true;
}

static void measure_series(struct task task, size_t rounds)
{
    static const size_t lengths[] = {100, 1000, 10000, 1000000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        task.n = lengths[i];
        task.work = (double)task.n;
        measure(&task, rounds);
    }
}

static void measure_dense(struct task task, size_t rounds)
{
    static const size_t batches[] = {1, 8, 32};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        task.n = batches[i];
        task.work = 2 * (double)task.n * (double)task.in_size * (double)task.out_size;
        measure(&task, rounds);
    }
}

int main(int argc, char **argv)
{
    const int asked = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;
    const size_t rounds = asked < 1 ? 1 : asked > ROUNDS_MAX ? ROUNDS_MAX : (size_t)asked;
    struct task task = {0};
    void *memory;
    if (!allocate(&task, &memory))
        return 1;
    fill(&task);
    kernels_blas_single_thread();
    printf("%s\n", kernels_blas_description());
    task.name = "sma 20", task.run = run_sma, task.period = 20;
    measure_series(task, rounds);
    task.name = "sma 200", task.run = run_sma, task.period = 200;
    measure_series(task, rounds);
    task.name = "ema 20", task.run = run_ema, task.period = 20;
    measure_series(task, rounds);
    task.name = "rsi 14", task.run = run_rsi, task.period = 14;
    measure_series(task, rounds);
    task.name = "dense 64x32", task.run = run_dense, task.in_size = 64, task.out_size = 32;
    measure_dense(task, rounds);
    task.name = "dense 784x128", task.in_size = 784, task.out_size = 128;
    measure_dense(task, rounds);
    task.name = "dense 1024x1024", task.in_size = 1024, task.out_size = 1024;
    measure_dense(task, rounds);
    free(memory);
    return 0;
}
