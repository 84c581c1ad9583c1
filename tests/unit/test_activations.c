/*
 * test_activations.c - the activations of every table against double precision.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "kernels.h"
#include "kernels_testing.h"

/* Three roundings of 6e-8 (the exponential, the sum, the quotient) and the polynomial's 2e-8. */
#define RELATIVE_MAX 2e-7
/* A row's 1/sum and the product with it are two more. */
#define SOFTMAX_RELATIVE_MAX 3e-7
#define DENORMAL 0x1p-149

#define POINTS 200001

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

/* From -limit to limit: evenly, and cubed, which crowds the points around 0. */
static void fill_range(float *x, double limit)
{
    for (size_t i = 0; i < POINTS; i++) {
        const double t = 2 * (double)i / (POINTS - 1) - 1;
        x[i] = (float)(limit * (i % 2 == 0 ? t : t * t * t));
    }
}

static void check_range(const char *what, void (*kernel)(float *, size_t), double (*exact)(double),
                        double limit)
{
    float *x = calloc(POINTS, sizeof *x);
    float *y = calloc(POINTS, sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    fill_range(x, limit);
    fill_range(y, limit);
    kernel(y, POINTS);
    for (size_t i = 0; i < POINTS; i++) {
        const double want = exact((double)x[i]);
        /* Below the smallest normal float a result cannot be closer than a denormal or two. */
        const double allowed = RELATIVE_MAX * fabs(want) + 2 * DENORMAL;
        if (!(fabs((double)y[i] - want) <= allowed))
            fail_msg("%s(%.9g): got %.9g, want %.17g, relative error %.3g", what, (double)x[i],
                     (double)y[i], want, fabs((double)y[i] / want - 1));
    }
    free(x);
    free(y);
}

static void activations_stay_within_their_error(void **state)
{
    (void)state;
    static const double limits[] = {1e-3, 0.7, 1, 10, 110};
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        check_range("relu", table->relu_f32, relu, limits[i]);
        check_range("sigmoid", table->sigmoid_f32, sigmoid, limits[i]);
        check_range("tanh", table->tanh_f32, tanh, limits[i]);
    }
}

static void assert_values(const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("%s [%zu]: got %.9g, want %.9g", what, i, (double)got[i], (double)want[i]);
}

static void the_largest_numbers_saturate(void **state)
{
    (void)state;
    const float zero_one[] = {0, 1, 0, 1, 0.5F};
    const float ends[] = {-1, 1, -1, 1, 0};
    const float kept[] = {0, FLT_MAX, 0, 200, 0};
    FOR_EACH_TABLE(table)
    {
        float s[] = {-FLT_MAX, FLT_MAX, -200, 200, 0};
        float t[] = {-FLT_MAX, FLT_MAX, -200, 200, 0};
        float r[] = {-FLT_MAX, FLT_MAX, -200, 200, -0.0F};
        table->sigmoid_f32(s, 5);
        assert_values("sigmoid", s, zero_one, 5);
        table->tanh_f32(t, 5);
        assert_values("tanh", t, ends, 5);
        table->relu_f32(r, 5);
        assert_values("relu", r, kept, 5);
    }
}

static void fill_logits(float *x, size_t n, double spread, double shift)
{
    uint64_t random = n;
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(spread * next_random(&random) + shift);
}

static void check_softmax_row(const float *x, const float *y, size_t cols)
{
    double max = -INFINITY;
    double sum = 0;
    double total = 0;
    for (size_t i = 0; i < cols; i++)
        max = fmax(max, (double)x[i]);
    for (size_t i = 0; i < cols; i++)
        sum += exp((double)x[i] - max);
    for (size_t i = 0; i < cols; i++) {
        const double shifted = (double)x[i] - max;
        const double want = exp(shifted) / sum;
        /* x - max is itself rounded to a float: that error is multiplied by its size. */
        const double relative = SOFTMAX_RELATIVE_MAX + fabs(shifted) * (double)FLT_EPSILON / 2;
        if (!(fabs((double)y[i] - want) <= relative * want + 2 * DENORMAL))
            fail_msg("softmax of %zu, [%zu] = %.9g: got %.9g, want %.9g", cols, i, (double)x[i],
                     (double)y[i], want);
        total += (double)y[i];
    }
    if (!(fabs(total - 1) <= 1e-6))
        fail_msg("softmax of %zu sums to %.9g, want 1", cols, total);
}

static void softmax_rows_are_distributions(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 10, 16, 100, 1000, 4099};
    enum {
        ROWS = 3
    };
    static float x[ROWS * 4099];
    static float y[ROWS * 4099];
    FOR_EACH_TABLE(table)
    for (size_t s = 0; s < COUNT_OF(sizes); s++)
        for (double spread = 0.1; spread < 1000; spread *= 10) {
            fill_logits(x, ROWS * sizes[s], spread, -spread / 3);
            fill_logits(y, ROWS * sizes[s], spread, -spread / 3);
            table->softmax_f32(y, ROWS, sizes[s]);
            for (size_t row = 0; row < ROWS; row++)
                check_softmax_row(x + row * sizes[s], y + row * sizes[s], sizes[s]);
        }
}

/* With integers the shift is exact, so not a bit may change. */
static void softmax_does_not_change_when_all_are_shifted(void **state)
{
    (void)state;
    float plain[37];
    float shifted[37];
    FOR_EACH_TABLE(table)
    {
        for (size_t i = 0; i < 37; i++) {
            plain[i] = (float)((i * 7) % 37) / 4;
            shifted[i] = plain[i] + 10000;
        }
        table->softmax_f32(plain, 1, 37);
        table->softmax_f32(shifted, 1, 37);
        assert_values("shifted softmax", shifted, plain, 37);
    }
}

static void softmax_of_extremes_picks_the_largest(void **state)
{
    (void)state;
    const float want[] = {0, 1, 0};
    FOR_EACH_TABLE(table)
    {
        float x[] = {-FLT_MAX, FLT_MAX, 0};
        table->softmax_f32(x, 1, 3);
        assert_values("softmax", x, want, 3);
        table->softmax_f32(x, 0, 3);
        table->softmax_f32(x, 3, 0);
        assert_values("softmax of nothing", x, want, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_stay_within_their_error),
        cmocka_unit_test(the_largest_numbers_saturate),
        cmocka_unit_test(softmax_rows_are_distributions),
        cmocka_unit_test(softmax_does_not_change_when_all_are_shifted),
        cmocka_unit_test(softmax_of_extremes_picks_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
