/*
 * contender_tables.c - every table of kernels that this processor runs.
 */
#include <string.h>

#include "bench.h"

static void run_one(const struct kernels *table, const struct bench_case *c,
                    const struct operands *o)
{
    void (*const kernel)(const double *restrict, size_t, size_t, double *restrict) =
        c->kernel == BENCH_SMA   ? table->sma_f64
        : c->kernel == BENCH_EMA ? table->ema_f64
                                 : table->rsi_f64;
    kernel(o->in, c->n, c->period, o->out);
}

static void run_batch(const struct kernels *table, const struct bench_case *c,
                      const struct operands *o)
{
    void (*const kernel)(const struct kernels_series *, size_t, size_t) =
        c->kernel == BENCH_SMA   ? table->sma_batch_f64
        : c->kernel == BENCH_EMA ? table->ema_batch_f64
                                 : table->rsi_batch_f64;
    struct kernels_series series[SERIES_ROWS_MAX];
    for (size_t row = 0; row < c->rows; row++)
        series[row] = (struct kernels_series){o->in + row * c->n, c->n, o->out + row * c->n};
    kernel(series, c->rows, c->period);
}

static double time_series(const struct kernels *table, const struct bench_case *c,
                          const struct operands *o, size_t calls)
{
    const double start = bench_now_ns();
    for (size_t i = 0; i < calls; i++)
        c->rows == 1 ? run_one(table, c, o) : run_batch(table, c, o);
    return bench_now_ns() - start;
}

static double time_dense(const struct kernels *table, const struct bench_case *c,
                         const struct operands *o, size_t calls)
{
    const double start = bench_now_ns();
    for (size_t i = 0; i < calls; i++)
        table->dense_f32(o->dense_in, o->weights, NULL, c->rows, c->in_size, c->out_size,
                         o->dense_out);
    return bench_now_ns() - start;
}

static void run_activation(const struct kernels *table, const struct bench_case *c, float *x)
{
    switch (c->kernel) {
    case BENCH_RELU:
        table->relu_f32(x, c->n);
        return;
    case BENCH_SIGMOID:
        table->sigmoid_f32(x, c->n);
        return;
    case BENCH_TANH:
        table->tanh_f32(x, c->n);
        return;
    case BENCH_SOFTMAX:
        table->softmax_f32(x, c->n / CLASSES, CLASSES);
        return;
    case BENCH_SMA:
    case BENCH_EMA:
    case BENCH_RSI:
    case BENCH_DENSE:
        return;
    }
}

/* Works in place: the input is laid out anew before each call, and that is not timed. */
static double time_activation(const struct kernels *table, const struct bench_case *c,
                              const struct operands *o, size_t calls)
{
    double ns = 0;
    for (size_t i = 0; i < calls; i++) {
        memcpy(o->activation, o->activation_in, c->n * sizeof *o->activation);
        const double start = bench_now_ns();
        run_activation(table, c, o->activation);
        ns += bench_now_ns() - start;
    }
    return ns;
}

static double time_table(const struct contender *self, const struct bench_case *c,
                         const struct operands *o, size_t calls)
{
    if (bench_case_is_series(c))
        return time_series(self->table, c, o, calls);
    if (c->kernel == BENCH_DENSE)
        return time_dense(self->table, c, o, calls);
    return time_activation(self->table, c, o, calls);
}

static bool takes_all(const struct contender *self, const struct bench_case *c)
{
    (void)self, (void)c;
    return true;
}

static void add_table(struct contenders *all, const struct kernels *table, const char *name)
{
    struct contender *added = contender_add(all, ROLE_TABLE, name);
    added->table = table;
    added->takes = takes_all;
    added->time = time_table;
}

void add_tables(struct contenders *all)
{
    bool has_best = false;
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *table = kernels_for((enum kernels_isa)isa);
        if (table == NULL)
            continue;
        add_table(all, table, kernels_isa_str((enum kernels_isa)isa));
        has_best = has_best || table == kernels_best();
    }
    if (!has_best)
        add_table(all, kernels_best(), "portable");
}
