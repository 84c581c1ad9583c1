/*
 * summary.c - see summary.h.
 */
#include "summary.h"

/* Beyond this share of a latency, our own lag is part of what was measured. */
static const double LAG_SHARE_MAX = 0.1;
/* Below this a late send is the machine's ordinary wake-up, and no sign of load. */
static const uint64_t LAG_NS_MIN = 200 * NS_PER_US;
/* Of a core: beyond it, answers wait for the client rather than the client for them. */
static const double CPU_SHARE_MAX = 0.95;

static bool lags(const struct recorder *r, double quantile)
{
    const uint64_t lag_ns = histogram_quantile(&r->lag, quantile);
    const double latency_ns = (double)histogram_quantile(&r->latency, quantile);
    return lag_ns > LAG_NS_MIN && (double)lag_ns > LAG_SHARE_MAX * latency_ns;
}

static double per_second(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

void summary_make(const struct load_config *config, const struct load_result *result,
                  struct summary *out)
{
    const struct recorder *r = &result->measured;
    const uint64_t failed = r->due - r->ok - r->abandoned - r->invalid_refused;
    *out = (struct summary){
        .result = result,
        .measured = r,
        .open_loop = config->arrivals != NULL,
        .due_rate = per_second(r->due, result->seconds),
        .throughput = per_second(result->ok_came, result->seconds),
        .goodput = per_second(r->ok_within_slo, result->seconds),
        .failed = failed,
        .failed_share = r->due > 0 ? (double)failed / (double)r->due : 0,
        .batch_mean = recorder_batch_mean(r),
        .client_is_slow = lags(r, 0.5) || lags(r, 0.99),
        .client_is_full = !config->spin && result->cpu_share > CPU_SHARE_MAX,
        .pool_was_empty = r->wait.count > 0 || r->unsent > 0,
    };
}
