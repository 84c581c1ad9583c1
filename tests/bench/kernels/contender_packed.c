/*
 * contender_packed.c - dense layers of each table over weights that were packed
 * for it. Packing happens when a model is loaded: it is not timed.
 */
#include <stdlib.h>

#include "bench.h"

#define ALIGNMENT 64

static float *pack(const struct kernels *table, const struct bench_case *c, const float *weights)
{
    const size_t bytes = table->dense_packed_size(c->in_size, c->out_size) * sizeof(float);
    float *packed = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (packed == NULL)
        abort();
    table->dense_pack(weights, c->in_size, c->out_size, packed);
    return packed;
}

static double time_packed(const struct contender *self, const struct bench_case *c,
                          const struct operands *o, size_t calls)
{
    const struct kernels *table = self->table;
    float *packed = pack(table, c, o->weights);
    /* Once before the clock starts: the weights are as warm as those of the others. */
    table->dense_packed_f32(o->dense_in, packed, NULL, KERNELS_NO_ACTIVATION, c->rows, c->in_size,
                            c->out_size, o->dense_out);
    const double start = bench_now_ns();
    for (size_t i = 0; i < calls; i++)
        table->dense_packed_f32(o->dense_in, packed, NULL, KERNELS_NO_ACTIVATION, c->rows,
                                c->in_size, c->out_size, o->dense_out);
    const double ns = bench_now_ns() - start;
    free(packed);
    return ns;
}

static bool takes_dense(const struct contender *self, const struct bench_case *c)
{
    (void)self;
    return c->kernel == BENCH_DENSE;
}

void add_packed(struct contenders *all)
{
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *table = kernels_for((enum kernels_isa)isa);
        if (table == NULL)
            continue;
        char name[sizeof all->list->name];
        snprintf(name, sizeof name, "%s packed", kernels_isa_str((enum kernels_isa)isa));
        struct contender *added = contender_add(all, ROLE_TABLE, name);
        added->table = table;
        added->takes = takes_dense;
        added->time = time_packed;
    }
}
