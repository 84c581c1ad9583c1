/*
 * cases.c - which kernels at which sizes, and the memory they work on.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "bench.h"

#define SERIES_VALUES_MAX 1000000
#define DENSE_SIZE_MAX 1024
#define DENSE_ROWS_MAX 128
#define ACTIVATION_VALUES 10000
#define PAGE 4096
/*
 * Output half a page past a multiple of 4 KiB from the input. A load whose address ends like that
 * of a store in flight waits for it, even when they differ in the rest: up to three times slower.
 */
#define APART_BYTES 2048
#define APART_BYTES_MIN 1024
#define APART_BYTES_MAX 3968

static void add(struct bench_case *cases, size_t *count, struct bench_case c)
{
    assert(*count < CASES_MAX);
    cases[(*count)++] = c;
}

static void add_series(struct bench_case *cases, size_t *count, enum bench_kernel kernel,
                       size_t period)
{
    for (size_t n = 100; n <= SERIES_VALUES_MAX; n *= 10)
        if (n > period) /* a series that is all warm-up says nothing */
            add(cases, count,
                (struct bench_case){.kernel = kernel, .rows = 1, .n = n, .period = period});
}

static void add_series_batches(struct bench_case *cases, size_t *count, enum bench_kernel kernel,
                               size_t period)
{
    for (size_t n = 100; n <= 1000; n *= 10)
        add(cases, count,
            (struct bench_case){
                .kernel = kernel, .rows = SERIES_ROWS_MAX, .n = n, .period = period});
}

static void add_dense(struct bench_case *cases, size_t *count, size_t in_size, size_t out_size)
{
    static const size_t batches[] = {1, 8, 32, 128};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        add(cases, count,
            (struct bench_case){.kernel = BENCH_DENSE,
                                .rows = batches[i],
                                .in_size = in_size,
                                .out_size = out_size});
}

size_t bench_cases(struct bench_case out[CASES_MAX])
{
    static const size_t shapes[][2] = {{64, 128},  {128, 64},    {64, 10},  {784, 10},
                                       {784, 128}, {1024, 1024}, {1024, 16}};
    size_t count = 0;
    add_series(out, &count, BENCH_SMA, 20);
    add_series(out, &count, BENCH_SMA, 100);
    add_series(out, &count, BENCH_SMA, 200);
    add_series(out, &count, BENCH_SMA, 500);
    add_series(out, &count, BENCH_EMA, 20);
    add_series(out, &count, BENCH_RSI, 14);
    for (enum bench_kernel kernel = BENCH_SMA; kernel <= BENCH_RSI; kernel++)
        add_series_batches(out, &count, kernel, kernel == BENCH_RSI ? 14 : 20);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        add_dense(out, &count, shapes[i][0], shapes[i][1]);
    for (enum bench_kernel kernel = BENCH_RELU; kernel <= BENCH_SOFTMAX; kernel++)
        add(out, &count, (struct bench_case){.kernel = kernel, .rows = 1, .n = ACTIVATION_VALUES});
    return count;
}

const char *bench_kernel_str(enum bench_kernel kernel)
{
    switch (kernel) {
#define X(name, text)  \
    case BENCH_##name: \
        return text;
        BENCH_KERNEL_MAP(X)
#undef X
    }
    return "unknown";
}

bool bench_case_is_series(const struct bench_case *c)
{
    return c->kernel <= BENCH_RSI;
}

double bench_case_work(const struct bench_case *c)
{
    if (c->kernel == BENCH_DENSE)
        return 2 * (double)c->rows * (double)c->in_size * (double)c->out_size;
    return (double)c->rows * (double)c->n;
}

void bench_case_size(const struct bench_case *c, char *out, size_t out_bytes)
{
    if (c->kernel == BENCH_DENSE)
        snprintf(out, out_bytes, "%zu x %zux%zu", c->rows, c->in_size, c->out_size);
    else if (c->rows > 1)
        snprintf(out, out_bytes, "%zu x %zu", c->rows, c->n);
    else
        snprintf(out, out_bytes, "%zu", c->n);
}

/* Numbers that repeat nothing a branch predictor could learn; baselines.py has the same series. */
static void fill(struct operands *o, float *activation_in)
{
    for (size_t i = 0; i < SERIES_VALUES_MAX; i++)
        o->in[i] = 100 + (double)(i * 7919 % 1000) / 100;
    for (size_t i = 0; i < (size_t)DENSE_SIZE_MAX * DENSE_SIZE_MAX; i++)
        o->weights[i] = o->weights_turned[i] = (float)(i * 7919 % 1000) / 1000 - 0.5F;
    for (size_t i = 0; i < (size_t)DENSE_ROWS_MAX * DENSE_SIZE_MAX; i++)
        o->dense_in[i] = (float)(i * 104729 % 1000) / 1000 - 0.5F;
    for (size_t i = 0; i < ACTIVATION_VALUES; i++)
        activation_in[i] = (float)(i * 104729 % 1000) / 50 - 10;
}

/* Takes `bytes` of the memory at *next, which starts and stays at a page. */
static void *take(char **next, size_t bytes)
{
    void *taken = *next;
    *next += (bytes + PAGE - 1) / PAGE * PAGE;
    return taken;
}

static void check_apart(const struct operands *o)
{
    const size_t apart = ((uintptr_t)o->out - (uintptr_t)o->in) % PAGE;
    assert(apart >= APART_BYTES_MIN);
    assert(apart <= APART_BYTES_MAX);
    (void)apart;
}

bool operands_create(struct operands *o)
{
    const size_t series = SERIES_VALUES_MAX * sizeof(double);
    const size_t matrix = sizeof(float) * DENSE_SIZE_MAX * DENSE_SIZE_MAX;
    const size_t batch = sizeof(float) * DENSE_ROWS_MAX * DENSE_SIZE_MAX;
    const size_t activation = sizeof(float) * ACTIVATION_VALUES;
    const size_t bytes = 2 * (series + matrix + batch + activation) + 10 * PAGE;
    o->memory = aligned_alloc(PAGE, bytes / PAGE * PAGE);
    if (o->memory == NULL)
        return false;
    char *next = o->memory;
    o->in = take(&next, series);
    o->out = (double *)((char *)take(&next, series + APART_BYTES) + APART_BYTES);
    o->weights = take(&next, matrix);
    o->weights_turned = take(&next, matrix);
    o->dense_in = take(&next, batch);
    o->dense_out = take(&next, batch);
    float *activation_in = take(&next, activation);
    o->activation_in = activation_in;
    o->activation = take(&next, activation);
    check_apart(o);
    fill(o, activation_in);
    return true;
}

void operands_destroy(struct operands *o)
{
    free(o->memory);
}
