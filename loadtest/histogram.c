/*
 * histogram.c - see histogram.h.
 *
 * The bucket of a value: below 256 the value itself; above, 128 for each further
 * bit that it is long, and within these its seven bits behind the leading one.
 */
#include "histogram.h"

#include <math.h>
#include <string.h>

static const uint64_t VALUE_MAX = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

void histogram_reset(struct histogram *h)
{
    memset(h, 0, sizeof *h);
    h->min = UINT64_MAX;
}

static unsigned extra_bits(uint64_t value)
{
    const unsigned length = 64 - (unsigned)__builtin_clzll(value | 1);
    return length > HISTOGRAM_PART_BITS + 1 ? length - HISTOGRAM_PART_BITS - 1 : 0;
}

static size_t bucket_of(uint64_t value)
{
    if (value > VALUE_MAX)
        value = VALUE_MAX;
    const unsigned shift = extra_bits(value);
    return (size_t)shift * HISTOGRAM_PARTS + (size_t)(value >> shift);
}

static unsigned shift_of(size_t bucket)
{
    return bucket < 2 * HISTOGRAM_PARTS ? 0 : (unsigned)(bucket / HISTOGRAM_PARTS) - 1;
}

static uint64_t bucket_low(size_t bucket)
{
    const unsigned shift = shift_of(bucket);
    return (uint64_t)(bucket - (size_t)shift * HISTOGRAM_PARTS) << shift;
}

static uint64_t bucket_middle(size_t bucket)
{
    return bucket_low(bucket) + ((UINT64_C(1) << shift_of(bucket)) - 1) / 2;
}

void histogram_record(struct histogram *h, uint64_t value_ns)
{
    h->_buckets[bucket_of(value_ns)]++;
    h->count++;
    h->sum += (double)value_ns;
    if (value_ns < h->min)
        h->min = value_ns;
    if (value_ns > h->max)
        h->max = value_ns;
}

void histogram_add(struct histogram *h, const struct histogram *other)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->_buckets[i] += other->_buckets[i];
    h->count += other->count;
    h->sum += other->sum;
    if (other->min < h->min)
        h->min = other->min;
    if (other->max > h->max)
        h->max = other->max;
}

static uint64_t within(const struct histogram *h, uint64_t value)
{
    if (value < h->min)
        return h->min;
    return value > h->max ? h->max : value;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    if (h->count == 0)
        return 0;
    if (share <= 0)
        return h->min;
    const uint64_t rank = (uint64_t)ceil(share * (double)h->count);
    if (rank >= h->count)
        return h->max;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->_buckets[i];
        if (seen >= rank)
            return within(h, bucket_middle(i));
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count > 0 ? h->sum / (double)h->count : 0;
}

uint64_t histogram_count_to(const struct histogram *h, uint64_t value_ns)
{
    uint64_t seen = 0;
    for (size_t i = 0; i <= bucket_of(value_ns); i++)
        seen += h->_buckets[i];
    return seen;
}

static void print_line(const struct histogram *h, double share, FILE *out)
{
    const uint64_t value = histogram_quantile(h, share);
    const uint64_t count = share < 1 ? (uint64_t)ceil(share * (double)h->count) : h->count;
    fprintf(out, "%12.6f %14.12f %10llu", (double)value / 1e6, share, (unsigned long long)count);
    if (share < 1)
        fprintf(out, " %14.2f", 1 / (1 - share));
    fputc('\n', out);
}

void histogram_print(const struct histogram *h, FILE *out)
{
    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    /* Five steps to each halving of what is left, until less than one value is. */
    double left = 1;
    while (left * (double)h->count >= 1) {
        for (int step = 0; step < 5; step++)
            print_line(h, 1 - left * (1 - step / 10.0), out);
        left /= 2;
    }
    print_line(h, 1, out);
    fprintf(out, "#[Mean    = %12.6f, Max    = %12.6f]\n", histogram_mean(h) / 1e6,
            (double)h->max / 1e6);
    fprintf(out, "#[Total count = %llu]\n", (unsigned long long)h->count);
}
