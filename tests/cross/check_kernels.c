/*
 * check_kernels.c - every table of kernels against the definitions, in one
 * program without a test library, so that it can be compiled for any processor.
 *
 * The unit tests say much more; this one says that the numbers are right there
 * too. Prints what it compared; exit status 1 when something differs.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernels.h"

#define VALUES_MAX 101
#define LONG_VALUES 3000
#define GUARD 12345.0
#define GUARD_F 12345.0F
#define DENSE_SIZE_MAX 33
#define DENSE_ROWS_MAX 9
/* Of an int8 layer: 33 inputs in groups, 17 outputs in vectors, with their scales. */
#define I8_BYTES_MAX 4096

typedef void indicator(const double *restrict in, size_t n, size_t period, double *restrict out);

/* What was compared, and how often it differed. */
struct tally {
    const char *table;
    size_t compared, different;
};

static bool close_to(double got, double want, double allowed)
{
    return isnan(want) ? isnan(got) : fabs(got - want) <= allowed;
}

static void expect(struct tally *t, const char *what, size_t n, size_t i, double got, double want,
                   double allowed)
{
    t->compared++;
    if (close_to(got, want, allowed))
        return;
    if (t->different++ < 10)
        printf("%s: %s of %zu: [%zu] is %.17g, not %.17g\n", t->table, what, n, i, got, want);
}

/* A small generator of our own: the same numbers everywhere. In [-1, 1). */
static double next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (double)(*state >> 11) * 0x1p-52 - 1;
}

static double mean(const double *x, size_t n)
{
    long double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (long double)x[i];
    return (double)(sum / (long double)n);
}

static void naive_sma(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = i + 1 < period ? NAN : mean(in + i + 1 - period, period);
}

static void naive_ema(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    const long double alpha = 2 / ((long double)period + 1);
    long double e = 0;
    for (size_t i = 0; i < n; i++) {
        e = i + 1 == period ? (long double)mean(in, period) : e + alpha * ((long double)in[i] - e);
        out[i] = i + 1 < period ? NAN : (double)e;
    }
}

static void naive_rsi(const double *restrict in, size_t n, size_t period, double *restrict out)
{
    const long double p = (long double)period;
    long double gain = 0;
    long double loss = 0;
    if (n > 0)
        out[0] = NAN;
    for (size_t i = 1; i < n; i++) {
        const long double change = (long double)in[i] - (long double)in[i - 1];
        const long double kept = i <= period ? p : p - 1;
        gain = (gain * kept + fmaxl(change, 0)) / p;
        loss = (loss * kept + fmaxl(-change, 0)) / p;
        if (i < period) { /* still sums, in p parts */
            out[i] = NAN;
            continue;
        }
        out[i] = gain + loss > 0 ? (double)(100 * gain / (gain + loss)) : 0;
    }
}

static void check_series(struct tally *t, const char *what, indicator *kernel, indicator *naive,
                         const double *in, size_t n, size_t period)
{
    double got[LONG_VALUES + 1];
    double want[LONG_VALUES];
    got[n] = GUARD;
    kernel(in, n, period, got);
    naive(in, n, period, want);
    for (size_t i = 0; i < n; i++)
        expect(t, what, n, i, got[i], want[i], 1e-10);
    expect(t, "past the end", n, n, got[n], GUARD, 0);
}

static void check_indicators(struct tally *t, const struct kernels *table)
{
    static const size_t periods[] = {1, 2, 3, 14, 20, 50, 64, 65, 200};
    double walk[LONG_VALUES];
    uint64_t state = 1;
    for (size_t i = 0; i < LONG_VALUES; i++)
        walk[i] = 100 + 10 * next_random(&state);
    for (size_t p = 0; p < sizeof periods / sizeof *periods; p++)
        for (size_t n = 0; n <= VALUES_MAX; n++) {
            const size_t length = n < VALUES_MAX ? n : LONG_VALUES;
            check_series(t, "sma", table->sma_f64, naive_sma, walk, length, periods[p]);
            check_series(t, "ema", table->ema_f64, naive_ema, walk, length, periods[p]);
            check_series(t, "rsi", table->rsi_f64, naive_rsi, walk, length, periods[p]);
        }
}

static void check_edges(struct tally *t, const struct kernels *table)
{
    double flat[VALUES_MAX];
    double rising[VALUES_MAX];
    double out[VALUES_MAX];
    for (size_t i = 0; i < VALUES_MAX; i++) {
        flat[i] = 5;
        rising[i] = (double)i;
    }
    table->rsi_f64(flat, VALUES_MAX, 14, out);
    expect(t, "rsi of a flat series", VALUES_MAX, VALUES_MAX - 1, out[VALUES_MAX - 1], 0, 0);
    table->rsi_f64(rising, VALUES_MAX, 14, out);
    expect(t, "rsi of a rising series", VALUES_MAX, VALUES_MAX - 1, out[VALUES_MAX - 1], 100, 0);
}

static double naive_dense(const float *in, const float *weights, size_t in_size, size_t out_size,
                          size_t col)
{
    double sum = 0;
    for (size_t i = 0; i < in_size; i++)
        sum += (double)in[i] * (double)weights[i * out_size + col];
    return sum;
}

static void check_layer(struct tally *t, const struct kernels *table, const float *in,
                        const float *weights, const float *bias, size_t rows, size_t size)
{
    const size_t out_size = size / 2 + 1;
    float out[DENSE_ROWS_MAX * DENSE_SIZE_MAX + 1];
    out[rows * out_size] = GUARD_F;
    table->dense_f32(in, weights, bias, rows, size, out_size, out);
    for (size_t i = 0; i < rows * out_size; i++) {
        const size_t col = i % out_size;
        const double sum = naive_dense(in + i / out_size * size, weights, size, out_size, col);
        const double want = sum + (bias != NULL ? (double)bias[col] : 0);
        expect(t, "dense", rows * out_size, i, (double)out[i], want, 1e-5);
    }
    expect(t, "past the end", rows, rows * out_size, (double)out[rows * out_size], GUARD, 0);
}

/* Inputs and weights are from -1 to 1, so an output is off by at most size / 126. */
static void check_i8_layer(struct tally *t, const struct kernels *table, const float *in,
                           const float *weights, const float *bias, size_t rows, size_t size)
{
    const size_t out_size = size / 2 + 1;
    _Alignas(64) unsigned char packed[I8_BYTES_MAX], scratch[I8_BYTES_MAX];
    float out[DENSE_ROWS_MAX * DENSE_SIZE_MAX + 1];
    out[rows * out_size] = GUARD_F;
    expect(t, "int8 bytes fit", size, 0,
           (double)(table->dense_i8_size(size, out_size) > I8_BYTES_MAX ||
                    table->dense_i8_scratch(rows, size) > I8_BYTES_MAX),
           0, 0);
    table->dense_i8_pack(weights, size, out_size, packed);
    table->dense_i8_f32(in, packed, bias, KERNELS_NO_ACTIVATION, rows, size, out_size, scratch,
                        out);
    for (size_t i = 0; i < rows * out_size; i++) {
        const size_t col = i % out_size;
        const double sum = naive_dense(in + i / out_size * size, weights, size, out_size, col);
        const double want = sum + (bias != NULL ? (double)bias[col] : 0);
        expect(t, "dense int8", rows * out_size, i, (double)out[i], want, (double)size / 126);
    }
    expect(t, "past the end", rows, rows * out_size, (double)out[rows * out_size], GUARD, 0);
}

static void check_dense(struct tally *t, const struct kernels *table)
{
    float in[DENSE_ROWS_MAX * DENSE_SIZE_MAX];
    float weights[DENSE_SIZE_MAX * DENSE_SIZE_MAX];
    uint64_t state = 2;
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        in[i] = (float)next_random(&state);
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        weights[i] = (float)next_random(&state);
    for (size_t rows = 1; rows <= DENSE_ROWS_MAX; rows++)
        for (size_t size = 1; size <= DENSE_SIZE_MAX; size++) {
            check_layer(t, table, in, weights, NULL, rows, size);
            check_layer(t, table, in, weights, in, rows, size);
            check_i8_layer(t, table, in, weights, NULL, rows, size);
            check_i8_layer(t, table, in, weights, in, rows, size);
        }
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void check_activation(struct tally *t, const char *what, void (*kernel)(float *, size_t),
                             double (*exact)(double))
{
    for (size_t n = 0; n < VALUES_MAX; n++) {
        float x[VALUES_MAX + 1];
        for (size_t i = 0; i < n; i++)
            x[i] = ((float)i - (float)n / 2) / 5;
        x[n] = GUARD_F;
        kernel(x, n);
        for (size_t i = 0; i < n; i++) {
            const double want = exact((double)(((float)i - (float)n / 2) / 5));
            expect(t, what, n, i, (double)x[i], want, 4e-7 * fabs(want));
        }
        expect(t, "past the end", n, n, (double)x[n], GUARD, 0);
    }
}

static void check_softmax(struct tally *t, const struct kernels *table)
{
    for (size_t cols = 1; cols < VALUES_MAX; cols++) {
        float x[VALUES_MAX];
        double sum = 0;
        for (size_t i = 0; i < cols; i++) {
            x[i] = (float)(i % 7);
            sum += exp((double)(i % 7));
        }
        table->softmax_f32(x, 1, cols);
        for (size_t i = 0; i < cols; i++)
            expect(t, "softmax", cols, i, (double)x[i], exp((double)(i % 7)) / sum, 4e-7);
    }
}

static bool check_table(const struct kernels *table, const char *name)
{
    struct tally t = {.table = name};
    check_indicators(&t, table);
    check_edges(&t, table);
    check_dense(&t, table);
    check_activation(&t, "relu", table->relu_f32, relu);
    check_activation(&t, "sigmoid", table->sigmoid_f32, sigmoid);
    check_activation(&t, "tanh", table->tanh_f32, tanh);
    check_softmax(&t, table);
    printf("%s: %zu compared, %zu different\n", name, t.compared, t.different);
    return t.different == 0;
}

int main(void)
{
    bool ok = true;
    kernels_blas_single_thread();
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *table = kernels_for((enum kernels_isa)isa);
        if (table != NULL)
            ok = check_table(table, kernels_isa_str((enum kernels_isa)isa)) && ok;
    }
    ok = check_table(kernels_best(), "best") && ok;
    return ok ? 0 : 1;
}
