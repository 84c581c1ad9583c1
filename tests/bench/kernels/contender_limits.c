/*
 * contender_limits.c - what the machine allows: memcpy for series and
 * activations, the FMA units for dense layers.
 */
#include <string.h>

#include "bench.h"
#include "fma_peak.h"

#define PEAK_STEPS 100000

struct fma_peak {
    const char *name;
    double (*run)(size_t steps);
    size_t floats; /* of a register */
    bool (*is_supported)(void);
};

static bool has_baseline(void)
{
    return true;
}

#ifdef BENCH_HAVE_X86_PEAKS
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}
#endif

static bool takes_dense(const struct contender *self, const struct bench_case *c)
{
    (void)self;
    return c->kernel == BENCH_DENSE;
}

static bool takes_others(const struct contender *self, const struct bench_case *c)
{
    return !takes_dense(self, c);
}

/* Always the same number of steps, from which follows how long the case's work would take. */
static double time_peak(const struct contender *self, const struct bench_case *c,
                        const struct operands *o, size_t calls)
{
    (void)o;
    const double work = 2.0 * PEAK_STEPS * FMA_PEAK_CHAINS * (double)self->peak->floats;
    const double start = bench_now_ns();
    self->peak->run(PEAK_STEPS);
    const double ns = bench_now_ns() - start;
    return ns * bench_case_work(c) * (double)calls / work;
}

static double time_memcpy(const struct contender *self, const struct bench_case *c,
                          const struct operands *o, size_t calls)
{
    (void)self;
    const bool series = bench_case_is_series(c);
    void *to = series ? (void *)o->out : o->activation;
    const void *from = series ? (const void *)o->in : o->activation_in;
    const size_t bytes = c->rows * c->n * (series ? sizeof(double) : sizeof(float));
    const double start = bench_now_ns();
    for (size_t i = 0; i < calls; i++) {
        memcpy(to, from, bytes);
        __asm__ volatile("" ::: "memory"); /* each copy counts */
    }
    return bench_now_ns() - start;
}

/* The widest registers a processor has need not be its fastest: the fastest peak is the limit. */
static void add_peaks(struct contenders *all)
{
    static const struct fma_peak peaks[] = {
        {"fma peak", fma_peak_baseline, 4, has_baseline},
#ifdef BENCH_HAVE_X86_PEAKS
        {"fma peak avx2", fma_peak_avx2, 8, has_avx2},
        {"fma peak avx512", fma_peak_avx512, 16, has_avx512},
#endif
    };
    for (size_t i = 0; i < sizeof peaks / sizeof *peaks; i++) {
        if (!peaks[i].is_supported())
            continue;
        struct contender *peak = contender_add(all, ROLE_LIMIT, peaks[i].name);
        peak->peak = &peaks[i];
        peak->takes = takes_dense;
        peak->time = time_peak;
    }
}

void add_limits(struct contenders *all)
{
    struct contender *copy = contender_add(all, ROLE_LIMIT, "memcpy");
    copy->takes = takes_others;
    copy->time = time_memcpy;
    add_peaks(all);
}
