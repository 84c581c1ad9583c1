#include "plan_choice.h"

#include <assert.h>
#include <stdlib.h>

#include "base.h"

/* Neighbours and clock changes only ever make a call longer: the shortest of some counts. */
#define TURNS 9
/* A turn repeats its call until it lasts about this long, which a clock can tell. */
#define TURN_NS (20 * NS_PER_US)
/* For all layers of a model. The rest stays as it is. */
#define CHOICE_NS_MAX (200 * NS_PER_MS)
/* One call of a turn, and its numbers, may not use all of that up. */
#define PRODUCTS_MAX ((size_t)1 << 27)
#define NUMBERS_MAX ((size_t)1 << 22)
/* Packed weights of one layer: 64 MiB. Larger ones would be twice in memory for too long. */
#define PACKED_SIZE_MAX ((size_t)1 << 24)

enum {
    ALIGNMENT_BYTES = 64
};

/* A dense step in both forms, and numbers to run it with. */
struct contest {
    const struct kernels *kernels;
    struct plan_step plain;
    struct plan_step packed;
    float *in;
    float *out;
    size_t rows_max;
    uint64_t deadline_ns;
};

static float *alloc_floats(size_t n)
{
    return aligned_alloc(ALIGNMENT_BYTES,
                         (n * sizeof(float) + ALIGNMENT_BYTES) / ALIGNMENT_BYTES * ALIGNMENT_BYTES);
}

/* --- measuring */

static uint64_t time_calls(const struct contest *c, const struct plan_step *step, size_t rows,
                           uint64_t calls)
{
    const uint64_t start = clock_now_ns();
    for (uint64_t i = 0; i < calls; i++)
        plan_step_run(step, c->kernels, c->in, rows, NULL, c->out);
    return clock_now_ns() - start;
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The time over packed weights as a part of the plain time; in turns, so that what slows the
 * machine down meets both. */
static double packed_by_plain(const struct contest *c, size_t rows)
{
    const uint64_t once = time_calls(c, &c->plain, rows, 1);
    const uint64_t calls = TURN_NS / (once + 1) + 1;
    uint64_t plain = UINT64_MAX, packed = UINT64_MAX;
    for (size_t turn = 0; turn < TURNS; turn++) {
        plain = shorter(plain, time_calls(c, &c->plain, rows, calls));
        packed = shorter(packed, time_calls(c, &c->packed, rows, calls));
        if (clock_now_ns() >= c->deadline_ns)
            break;
    }
    return (double)packed / (double)(plain + 1);
}

/* Faster by a factor for one row may make up for slower by a smaller one for many. */
static bool packed_wins(const struct contest *c)
{
    double ratio = packed_by_plain(c, 1);
    if (c->rows_max > 1)
        ratio *= packed_by_plain(c, c->rows_max);
    return ratio < 1;
}

/* --- choosing */

static size_t rows_to_measure(const struct plan_step *step, size_t rows_max)
{
    const size_t numbers = step->repeat * (step->in_size + step->out_size);
    const size_t products = step->repeat * step->in_size * step->out_size;
    size_t rows = rows_max;
    rows = rows < NUMBERS_MAX / numbers ? rows : NUMBERS_MAX / numbers;
    rows = rows < PRODUCTS_MAX / products ? rows : PRODUCTS_MAX / products;
    return rows > 0 ? rows : 1;
}

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5F;
}

static void run_contest(struct plan_step *step, struct contest *c, bool keeps_weights)
{
    fill(c->in, c->rows_max * step->repeat * step->in_size);
    c->kernels->dense_pack(step->weights, step->in_size, step->out_size, c->packed.packed);
    if (!packed_wins(c))
        return;
    if (!keeps_weights) {
        free(step->weights);
        step->weights = NULL;
    }
    step->packed = c->packed.packed;
    step->packed_for = c->kernels;
}

/* Without memory for it the step stays as it is. */
static void choose_step(const struct model_plan *plan, struct plan_step *step, size_t rows_max,
                        uint64_t deadline_ns)
{
    const struct kernels *kernels = plan->kernels;
    const size_t packed_size = kernels->dense_packed_size(step->in_size, step->out_size);
    if (packed_size > PACKED_SIZE_MAX)
        return;
    struct contest c = {.kernels = kernels,
                        .plain = *step,
                        .packed = *step,
                        .rows_max = rows_to_measure(step, rows_max),
                        .deadline_ns = deadline_ns};
    c.packed.packed = alloc_floats(packed_size);
    c.packed.packed_for = kernels;
    c.in = alloc_floats(c.rows_max * step->repeat * step->in_size);
    c.out = alloc_floats(c.rows_max * step->repeat * step->out_size);
    if (c.packed.packed != NULL && c.in != NULL && c.out != NULL)
        run_contest(step, &c, plan->keeps_weights);
    if (step->packed == NULL)
        free(c.packed.packed);
    free(c.in);
    free(c.out);
}

void model_plan_choose(struct model_plan *plan, const struct kernels *kernels, size_t rows_max)
{
    assert(plan->kernels == NULL || plan->kernels == kernels);
    assert(rows_max > 0);
    plan->kernels = kernels;
    if (kernels->isa == KERNELS_SCALAR)
        return;
    const uint64_t deadline_ns = clock_now_ns() + CHOICE_NS_MAX;
    for (size_t i = 0; i < plan->steps_count && clock_now_ns() < deadline_ns; i++)
        if (plan->steps[i].op == PLAN_DENSE && plan->steps[i].packed_i8 == NULL)
            choose_step(plan, &plan->steps[i], rows_max, deadline_ns);
}
