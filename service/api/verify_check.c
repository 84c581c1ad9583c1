#include "verify_check.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels.h"

/* Twice the errors of kernels.h: both runs have one. */
static const double sma_apart = 2e-15;
static const double ema_apart = 2e-14;
static const double rsi_apart = 2e-12;
/* Where both averages of RSI are about to count as none (1e-290), runs may differ in when. */
static const double rsi_fading = 1e-280;

enum {
    ALIGNMENT_BYTES = 64
};

static size_t padded(size_t bytes)
{
    return (bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
}

size_t verify_series_bytes(size_t n)
{
    return 3 * padded(n * sizeof(double));
}

size_t verify_model_bytes(const struct model *model)
{
    return padded(model_output_size(model) * sizeof(float)) +
           padded(model_output_size(model) * sizeof(double)) + model_twin_scratch_bytes(model);
}

/* --- one number */

/* NaN of both is agreement: the warm-up. */
static double difference(double got, double want)
{
    if (isnan(got) && isnan(want))
        return 0;
    const double apart = fabs(got - want);
    return isnan(apart) ? INFINITY : apart;
}

static void look_at(struct verify_result *r, size_t at, double got, double want, double bound,
                    double scale)
{
    const double apart = difference(got, want);
    const double error = apart > DBL_MIN ? apart / scale : 0;
    const bool fails = apart > bound + DBL_MIN;
    const bool is_first = fails && r->verdict == VERIFY_PASS;
    if (is_first || (error > r->error && r->verdict == VERIFY_PASS))
        *r = (struct verify_result){.verdict = r->verdict,
                                    .error = r->error,
                                    .at = at,
                                    .got = got,
                                    .want = want,
                                    .bound = bound};
    if (fails)
        r->verdict = VERIFY_FAIL;
    r->error = fmax(r->error, error);
}

/* --- indicators */

struct series_memory {
    double *want;
    double *magnitudes;
    double *scale;
};

static struct series_memory lay_out(void *memory, size_t n)
{
    const size_t bytes = padded(n * sizeof(double));
    char *at = memory;
    return (struct series_memory){.want = (double *)(void *)at,
                                  .magnitudes = (double *)(void *)(at + bytes),
                                  .scale = (double *)(void *)(at + 2 * bytes)};
}

typedef void indicator_fn(const double *restrict in, size_t n, size_t period, double *restrict out);

static struct verify_result check_mean(const struct verify_sample *s, indicator_fn *twin,
                                       double apart, void *memory)
{
    struct series_memory m = lay_out(memory, s->n);
    struct verify_result r = {.verdict = VERIFY_PASS};
    for (size_t i = 0; i < s->n; i++)
        m.magnitudes[i] = fabs(s->in_f64[i]);
    twin(s->in_f64, s->n, s->period, m.want);
    twin(m.magnitudes, s->n, s->period, m.scale);
    for (size_t i = 0; i < s->n; i++) {
        const double scale = isnan(m.scale[i]) ? 0 : m.scale[i];
        look_at(&r, i, s->out_f64[i], m.want[i], apart * scale, scale);
    }
    return r;
}

/* Whether both averages have become so small by in[at] that one run may call them none already. */
static bool rsi_is_fading(const struct verify_sample *s, size_t at)
{
    double size = 0;
    for (size_t i = 1; i <= at; i++) {
        const double change = fabs(s->in_f64[i] - s->in_f64[i - 1]);
        const double weight = i <= s->period ? (double)i : (double)s->period;
        size += (change - size) / weight;
    }
    return size < rsi_fading;
}

static struct verify_result check_rsi(const struct verify_sample *s, void *memory)
{
    struct series_memory m = lay_out(memory, s->n);
    struct verify_result r = {.verdict = VERIFY_PASS};
    kernels_for(KERNELS_SCALAR)->rsi_f64(s->in_f64, s->n, s->period, m.want);
    for (size_t i = 0; i < s->n && r.verdict == VERIFY_PASS; i++)
        if (difference(s->out_f64[i], m.want[i]) <= rsi_apart || !rsi_is_fading(s, i))
            look_at(&r, i, s->out_f64[i], m.want[i], rsi_apart, 100);
    return r;
}

/* --- models */

static double largest_magnitude(const float *x, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

static struct verify_result check_rows(const struct verify_sample *s, void *memory)
{
    const size_t in_size = model_input_size(s->model), out_size = model_output_size(s->model);
    char *at = memory;
    float *want = (float *)(void *)at;
    at += padded(out_size * sizeof *want);
    double *bounds = (double *)(void *)at;
    at += padded(out_size * sizeof *bounds);
    struct verify_result r = {.verdict = VERIFY_PASS};
    for (size_t row = 0; row < s->n; row++) {
        const float *got = s->out_f32 + row * out_size;
        model_run_twin(s->model, s->in_f32 + row * in_size, want, bounds, at);
        if (isinf(bounds[0]))
            return (struct verify_result){.verdict = VERIFY_UNBOUNDED};
        const double scale = largest_magnitude(want, out_size);
        for (size_t i = 0; i < out_size; i++)
            look_at(&r, row * out_size + i, (double)got[i], (double)want[i], bounds[i], scale);
    }
    return r;
}

struct verify_result verify_check(const struct verify_sample *sample, void *memory)
{
    const struct kernels *plain = kernels_for(KERNELS_SCALAR);
    switch (sample->indicator) {
    case METRICS_INDICATOR_SMA:
        return check_mean(sample, plain->sma_f64, sma_apart, memory);
    case METRICS_INDICATOR_EMA:
        return check_mean(sample, plain->ema_f64, ema_apart, memory);
    case METRICS_INDICATOR_RSI:
        return check_rsi(sample, memory);
    case METRICS_INDICATOR_MATMUL:
    case METRICS_INDICATOR_MATMUL_INT8:
    case METRICS_INDICATOR_COUNT:
        break;
    }
    return check_rows(sample, memory);
}
