/*
 * test_dense.c - the dense layer against sums in double precision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "kernels_testing.h"

/* in_size products and as many sums, each rounded once: no more than that many half units of the
 * sum of the magnitudes, whatever the order. One more for the bias. */
static double rounding_max(size_t in_size)
{
    return (double)(in_size + 2) * (double)FLT_EPSILON / 2;
}

struct layer {
    size_t rows, in_size, out_size;
    float *in, *weights, *bias, *out;
};

static float *random_floats(size_t n, uint64_t seed)
{
    float *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(next_random(&seed) - 0.5);
    return x;
}

static struct layer layer_create(size_t rows, size_t in_size, size_t out_size, bool with_bias)
{
    return (struct layer){
        .rows = rows,
        .in_size = in_size,
        .out_size = out_size,
        .in = random_floats(rows * in_size, 1),
        .weights = random_floats(in_size * out_size, 2),
        .bias = with_bias ? random_floats(out_size, 3) : NULL,
        .out = random_floats(rows * out_size, 4),
    };
}

static void layer_destroy(struct layer *l)
{
    free(l->in);
    free(l->weights);
    free(l->bias);
    free(l->out);
}

static void check_output(const struct layer *l, size_t row, size_t col)
{
    double sum = l->bias != NULL ? (double)l->bias[col] : 0;
    double magnitude = fabs(sum);
    for (size_t i = 0; i < l->in_size; i++) {
        const double product =
            (double)l->in[row * l->in_size + i] * (double)l->weights[i * l->out_size + col];
        sum += product;
        magnitude += fabs(product);
    }
    const double got = (double)l->out[row * l->out_size + col];
    if (!(fabs(got - sum) <= rounding_max(l->in_size) * magnitude))
        fail_msg("%zu rows, %zu to %zu, bias %d: [%zu][%zu] got %.9g, want %.9g", l->rows,
                 l->in_size, l->out_size, l->bias != NULL, row, col, got, sum);
}

static void check_outputs(const struct layer *l)
{
    for (size_t row = 0; row < l->rows; row++)
        for (size_t col = 0; col < l->out_size; col++)
            check_output(l, row, col);
}

static void check_layer(const struct kernels *table, size_t rows, size_t in_size, size_t out_size,
                        bool with_bias)
{
    struct layer l = layer_create(rows, in_size, out_size, with_bias);
    table->dense_f32(l.in, l.weights, l.bias, rows, in_size, out_size, l.out);
    check_outputs(&l);
    layer_destroy(&l);
}

static void every_shape_agrees_with_double_precision(void **state)
{
    (void)state;
    static const size_t rows[] = {0, 1, 2, 8, 33};
    static const size_t sizes[] = {0, 1, 3, 10, 17, 64, 129};
    FOR_EACH_TABLE(table)
    for (size_t r = 0; r < COUNT_OF(rows); r++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (size_t o = 0; o < COUNT_OF(sizes); o++) {
                check_layer(table, rows[r], sizes[i], sizes[o], true);
                check_layer(table, rows[r], sizes[i], sizes[o], false);
            }
}

static void the_portable_dense_layer_agrees_too(void **state)
{
    (void)state;
    check_layer(kernels_best(), 8, 784, 128, true);
    check_layer(kernels_best(), 1, 784, 128, true);
}

/* Worked by hand: weights are [in][out]. */
static void a_small_layer_comes_out_as_by_hand(void **state)
{
    (void)state;
    const float in[] = {1, 2, 3, 4};
    const float weights[] = {1, 10, 100, 2, 20, 200};
    const float bias[] = {0.5F, 0, -1};
    const float want[] = {5.5F, 50, 499, 11.5F, 110, 1099};
    FOR_EACH_TABLE(table)
    {
        float out[6] = {0};
        table->dense_f32(in, weights, bias, 2, 2, 3, out);
        for (size_t i = 0; i < 6; i++)
            if (out[i] != want[i])
                fail_msg("%s [%zu]: got %g, want %g", kernels_isa_str(table->isa), i,
                         (double)out[i], (double)want[i]);
    }
}

/* What the memory held before must not matter, not even NaN (0 * NaN is NaN). */
static void the_old_output_is_overwritten_even_if_nan(void **state)
{
    (void)state;
    const float in[] = {1, 2, 3, 4};
    const float weights[] = {1, 0, 0, 1};
    FOR_EACH_TABLE(table)
    for (size_t rows = 1; rows <= 2; rows++) {
        float out[] = {NAN, NAN, NAN, NAN};
        table->dense_f32(in, weights, NULL, rows, 2, 2, out);
        for (size_t i = 0; i < 2 * rows; i++)
            if (out[i] != in[i])
                fail_msg("%s, %zu rows, [%zu]: got %g, want %g", kernels_isa_str(table->isa), rows,
                         i, (double)out[i], (double)in[i]);
    }
}

/* --- packed weights */

static float *pack(const struct kernels *table, const struct layer *l)
{
    const size_t bytes = table->dense_packed_size(l->in_size, l->out_size) * sizeof(float);
    float *packed = aligned_alloc(64, (bytes + 64) / 64 * 64);
    assert_non_null(packed);
    table->dense_pack(l->weights, l->in_size, l->out_size, packed);
    return packed;
}

static void run_packed(const struct kernels *table, const struct layer *l, const float *packed,
                       enum kernels_activation activation, float *out)
{
    table->dense_packed_f32(l->in, packed, l->bias, activation, l->rows, l->in_size, l->out_size,
                            out);
}

static void assert_same_bits(const struct kernels *table, const struct layer *l, const char *what,
                             const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(got + i, want + i, sizeof *got) != 0)
            fail_msg("%s, %zu rows, %zu to %zu, %s [%zu]: got %.9g, want %.9g",
                     kernels_isa_str(table->isa), l->rows, l->in_size, l->out_size, what, i,
                     (double)got[i], (double)want[i]);
}

/* The sums are in l->out; fused or by itself, an activation gives the same bits. */
static void check_activations(const struct kernels *table, const struct layer *l,
                              const float *packed)
{
    void (*const alone[])(float *, size_t) = {
        [KERNELS_RELU] = table->relu_f32,
        [KERNELS_SIGMOID] = table->sigmoid_f32,
        [KERNELS_TANH] = table->tanh_f32,
    };
    const size_t n = l->rows * l->out_size;
    for (unsigned a = KERNELS_RELU; a <= KERNELS_TANH; a++) {
        float *fused = random_floats(n, 5);
        float *want = random_floats(n, 6);
        memcpy(want, l->out, n * sizeof *want);
        alone[a](want, n);
        run_packed(table, l, packed, (enum kernels_activation)a, fused);
        assert_same_bits(table, l, "activated", fused, want, n);
        free(fused);
        free(want);
    }
}

/* Each row of the batch is what it is alone. */
static void check_rows_alone(const struct kernels *table, const struct layer *l,
                             const float *packed)
{
    float *out = random_floats(l->out_size, 7);
    struct layer row = *l;
    row.rows = 1;
    for (size_t r = 0; r < l->rows; r++) {
        row.in = l->in + r * l->in_size;
        run_packed(table, &row, packed, KERNELS_NO_ACTIVATION, out);
        assert_same_bits(table, l, "a row alone", l->out + r * l->out_size, out, l->out_size);
    }
    free(out);
}

static void check_packed(const struct kernels *table, size_t rows, size_t in_size, size_t out_size,
                         bool with_bias)
{
    struct layer l = layer_create(rows, in_size, out_size, with_bias);
    float *packed = pack(table, &l);
    run_packed(table, &l, packed, KERNELS_NO_ACTIVATION, l.out);
    check_outputs(&l);
    check_activations(table, &l, packed);
    check_rows_alone(table, &l, packed);
    free(packed);
    layer_destroy(&l);
}

static void packed_layers_of_every_shape_agree_with_double_precision(void **state)
{
    (void)state;
    static const size_t in_sizes[] = {0, 1, 2, 3, 7, 17, 130};
    static const size_t out_sizes[] = {0, 1, 7, 8, 10, 16, 17, 33, 48, 63, 64, 65, 128, 203};
    FOR_EACH_TABLE(table)
    for (size_t rows = 0; rows <= 17; rows++)
        for (size_t i = 0; i < COUNT_OF(in_sizes); i++)
            for (size_t o = 0; o < COUNT_OF(out_sizes); o++)
                check_packed(table, rows, in_sizes[i], out_sizes[o], (rows + i + o) % 2 == 0);
}

/* How weights are packed changes with the width, and what is left behind the last whole group of
 * inputs with the depth. */
static void packed_layers_of_every_narrow_width_agree_with_double_precision(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 2, 3, 4, 5, 6, 7, 13};
    static const size_t in_sizes[] = {5, 16, 31, 33, 64};
    FOR_EACH_TABLE(table)
    for (size_t out_size = 1; out_size <= 100; out_size++)
        for (size_t i = 0; i < COUNT_OF(in_sizes); i++)
            for (size_t r = 0; r < COUNT_OF(rows); r++)
                check_packed(table, rows[r], in_sizes[i], out_size, (out_size + i + r) % 2 == 0);
}

/* NaN * 0 in the padding would be NaN; the columns beside it must not see it. */
static void what_memory_held_does_not_reach_packed_results(void **state)
{
    (void)state;
    static const size_t out_sizes[] = {1, 10, 14, 23, 70};
    FOR_EACH_TABLE(table)
    for (size_t o = 0; o < COUNT_OF(out_sizes); o++) {
        struct layer l = layer_create(3, 5, out_sizes[o], true);
        const size_t size = table->dense_packed_size(5, out_sizes[o]);
        float *packed = aligned_alloc(64, (size * sizeof *packed + 63) / 64 * 64);
        assert_non_null(packed);
        for (size_t i = 0; i < size; i++)
            packed[i] = NAN;
        for (size_t i = 0; i < 3 * out_sizes[o]; i++)
            l.out[i] = NAN;
        table->dense_pack(l.weights, 5, out_sizes[o], packed);
        for (size_t i = 0; i < size; i++)
            assert_true(packed[i] == packed[i]);
        run_packed(table, &l, packed, KERNELS_NO_ACTIVATION, l.out);
        check_outputs(&l);
        free(packed);
        layer_destroy(&l);
    }
}

#define THREADS 4
/* Enough for a thread to be interrupted within a call many times, even on one core. */
#define CALLS 10000

/* One thread's own output, and the calls whose result was not the expected one. */
struct caller {
    struct layer layer;
    const float *want;
    size_t wrong;
};

static void *call_again_and_again(void *arg)
{
    struct caller *caller = arg;
    const struct layer *l = &caller->layer;
    const size_t bytes = l->rows * l->out_size * sizeof *l->out;
    for (size_t call = 0; call < CALLS; call++) {
        memset(l->out, 0, bytes);
        kernels_best()->dense_f32(l->in, l->weights, l->bias, l->rows, l->in_size, l->out_size,
                                  l->out);
        caller->wrong += memcmp(l->out, caller->want, bytes) != 0;
    }
    return NULL;
}

/* Each thread has other weights than its neighbour: a shared buffer would mix them up. */
static void many_threads_at_once_get_what_one_gets(void **state)
{
    (void)state;
    if (!kernels_blas_is_thread_safe())
        skip();
    struct caller callers[THREADS];
    struct layer alone[THREADS];
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        alone[t] = layer_create(33, 200 + t, 100, true);
        kernels_best()->dense_f32(alone[t].in, alone[t].weights, alone[t].bias, alone[t].rows,
                                  alone[t].in_size, alone[t].out_size, alone[t].out);
        callers[t] =
            (struct caller){.layer = layer_create(33, 200 + t, 100, true), .want = alone[t].out};
    }
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, call_again_and_again, &callers[t]), 0);
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_join(threads[t], NULL), 0);
    for (size_t t = 0; t < THREADS; t++) {
        if (callers[t].wrong != 0)
            fail_msg("thread %zu: %zu of %d results were wrong, want none", t, callers[t].wrong,
                     CALLS);
        layer_destroy(&callers[t].layer);
        layer_destroy(&alone[t]);
    }
}

static void blas_describes_itself(void **state)
{
    (void)state;
    assert_non_null(kernels_blas_description());
    assert_true(kernels_blas_description()[0] != '\0');
}

int main(void)
{
    kernels_blas_single_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_layer_comes_out_as_by_hand),
        cmocka_unit_test(every_shape_agrees_with_double_precision),
        cmocka_unit_test(the_portable_dense_layer_agrees_too),
        cmocka_unit_test(the_old_output_is_overwritten_even_if_nan),
        cmocka_unit_test(packed_layers_of_every_shape_agree_with_double_precision),
        cmocka_unit_test(packed_layers_of_every_narrow_width_agree_with_double_precision),
        cmocka_unit_test(what_memory_held_does_not_reach_packed_results),
        cmocka_unit_test(many_threads_at_once_get_what_one_gets),
        cmocka_unit_test(blas_describes_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
