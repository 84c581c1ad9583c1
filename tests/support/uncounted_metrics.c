/*
 * uncounted_metrics.c - counting that does nothing, for a server to compare with that is linked
 * with -Wl,--wrap= for each of these: what is between the two is the price of the metrics.
 */
#include "metrics.h"

void __wrap_metrics_add(struct metrics_shard *shard, enum metrics_family family, unsigned labels,
                        uint64_t n);
void __wrap_metrics_observe(struct metrics_shard *shard, enum metrics_family family,
                            unsigned labels, uint64_t value);
void __wrap_metrics_observe_exemplar(struct metrics_shard *shard, enum metrics_family family,
                                     unsigned labels, uint64_t value,
                                     const struct metrics_exemplar *exemplar);
unsigned __wrap_metrics_labels(enum metrics_family family, unsigned first, unsigned second,
                               unsigned third);
unsigned __wrap_metrics_code_index(int status);

void __wrap_metrics_add(struct metrics_shard *shard, enum metrics_family family, unsigned labels,
                        uint64_t n)
{
    (void)shard, (void)family, (void)labels, (void)n;
}

void __wrap_metrics_observe(struct metrics_shard *shard, enum metrics_family family,
                            unsigned labels, uint64_t value)
{
    (void)shard, (void)family, (void)labels, (void)value;
}

void __wrap_metrics_observe_exemplar(struct metrics_shard *shard, enum metrics_family family,
                                     unsigned labels, uint64_t value,
                                     const struct metrics_exemplar *exemplar)
{
    (void)shard, (void)family, (void)labels, (void)value, (void)exemplar;
}

unsigned __wrap_metrics_labels(enum metrics_family family, unsigned first, unsigned second,
                               unsigned third)
{
    (void)family, (void)first, (void)second, (void)third;
    return 0;
}

unsigned __wrap_metrics_code_index(int status)
{
    (void)status;
    return 0;
}
