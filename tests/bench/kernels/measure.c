/*
 * measure.c - interleaved rounds and their medians.
 *
 * A round times every contender once, one after the other, so that a change of
 * the clock or a neighbour meets all of them. Ratios are taken within a round.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "bench.h"

#define CALLS_MAX ((size_t)1 << 30)

/* What one case's rounds found. */
struct samples {
    const struct contender *who[CONTENDERS_MAX];
    size_t calls[CONTENDERS_MAX];
    double rates[CONTENDERS_MAX][ROUNDS_MAX];
    size_t count;
    size_t rounds;
};

#define NOBODY CONTENDERS_MAX

/* Calls that last as long as a sample should; warms the caches on the way. */
static size_t calls_for(const struct contender *who, const struct bench_case *c,
                        const struct operands *o, double sample_ns)
{
    size_t calls = 1;
    while (calls < CALLS_MAX && who->time(who, c, o, calls) < sample_ns)
        calls *= 2;
    return calls;
}

static void enter(struct samples *s, const struct bench_case *c, const struct contenders *all,
                  const struct operands *o, double sample_ns)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct contender *who = &all->list[i];
        if (!who->takes(who, c))
            continue;
        s->who[s->count] = who;
        s->calls[s->count++] = calls_for(who, c, o, sample_ns);
    }
}

static void run_rounds(struct samples *s, const struct bench_case *c, const struct operands *o)
{
    for (size_t round = 0; round < s->rounds; round++)
        for (size_t i = 0; i < s->count; i++) {
            const double work = bench_case_work(c) * (double)s->calls[i];
            s->rates[i][round] = work / s->who[i]->time(s->who[i], c, o, s->calls[i]);
        }
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *x, size_t n)
{
    double sorted[ROUNDS_MAX];
    for (size_t i = 0; i < n; i++)
        sorted[i] = x[i];
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* NAN when there is nobody to compare with. */
static double ratio(const struct samples *s, size_t this, size_t other)
{
    double ratios[ROUNDS_MAX];
    if (other == NOBODY)
        return NAN;
    for (size_t round = 0; round < s->rounds; round++)
        ratios[round] = s->rates[this][round] / s->rates[other][round];
    return median(ratios, s->rounds);
}

static size_t find_table(const struct samples *s, const struct kernels *table)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->who[i]->role == ROLE_TABLE && s->who[i]->table == table)
            return i;
    return NOBODY;
}

static size_t find_fastest(const struct samples *s, enum contender_role role)
{
    size_t fastest = NOBODY;
    double rate = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->who[i]->role != role || median(s->rates[i], s->rounds) <= rate)
            continue;
        fastest = i;
        rate = median(s->rates[i], s->rounds);
    }
    return fastest;
}

static void summarise(const struct samples *s, const struct bench_case *c, struct result *out)
{
    const size_t plain = find_table(s, kernels_for(KERNELS_SCALAR));
    const size_t best = find_fastest(s, ROLE_TABLE);
    const size_t limit = find_fastest(s, ROLE_LIMIT);
    const size_t blas = find_fastest(s, ROLE_BLAS);
    const size_t against = find_fastest(s, ROLE_AGAINST);
    assert(plain != NOBODY);
    assert(best != NOBODY);
    for (size_t i = 0; i < s->count; i++)
        out[i] = (struct result){
            .bench_case = c,
            .contender = s->who[i],
            .rate = median(s->rates[i], s->rounds),
            .to_plain = ratio(s, i, plain),
            .of_limit = ratio(s, i, limit),
            .to_blas = ratio(s, i, blas),
            .to_against = ratio(s, i, against),
            .best_is = ratio(s, best, i),
        };
}

size_t measure_case(const struct bench_case *c, const struct contenders *all,
                    const struct operands *o, const struct bench_options *options,
                    struct result *out)
{
    struct samples s = {.rounds = options->rounds};
    enter(&s, c, all, o, options->sample_ns);
    run_rounds(&s, c, o);
    summarise(&s, c, out);
    return s.count;
}
