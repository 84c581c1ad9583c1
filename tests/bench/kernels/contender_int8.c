/*
 * contender_int8.c - int8 dense layers of each table. Weights are packed before the
 * clock starts, as when a model is loaded; rows are quantised in every call.
 */
#include <stdlib.h>

#include "bench.h"

#define ALIGNMENT 64

static void *allocate(size_t bytes)
{
    void *memory = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (memory == NULL)
        abort();
    return memory;
}

static double time_calls(const struct kernels *table, const struct bench_case *c,
                         const struct operands *o, const void *packed, void *scratch, size_t calls)
{
    const double start = bench_now_ns();
    for (size_t i = 0; i < calls; i++)
        table->dense_i8_f32(o->dense_in, packed, NULL, KERNELS_NO_ACTIVATION, c->rows, c->in_size,
                            c->out_size, scratch, o->dense_out);
    return bench_now_ns() - start;
}

static double time_int8(const struct contender *self, const struct bench_case *c,
                        const struct operands *o, size_t calls)
{
    const struct kernels *table = self->table;
    void *packed = allocate(table->dense_i8_size(c->in_size, c->out_size));
    void *scratch = allocate(table->dense_i8_scratch(c->rows, c->in_size));
    table->dense_i8_pack(o->weights, c->in_size, c->out_size, packed);
    time_calls(table, c, o, packed, scratch, 1); /* the weights are as warm as those of others */
    const double ns = time_calls(table, c, o, packed, scratch, calls);
    free(packed);
    free(scratch);
    return ns;
}

static bool takes_dense(const struct contender *self, const struct bench_case *c)
{
    (void)self;
    return c->kernel == BENCH_DENSE;
}

void add_int8(struct contenders *all)
{
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *table = kernels_for((enum kernels_isa)isa);
        if (table == NULL)
            continue;
        char name[sizeof all->list->name];
        snprintf(name, sizeof name, "%s int8", table->dense_i8_isa);
        struct contender *added = contender_add(all, ROLE_INT8, name);
        added->table = table;
        added->takes = takes_dense;
        added->time = time_int8;
    }
}
