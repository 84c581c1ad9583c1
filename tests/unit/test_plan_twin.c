/*
 * test_plan_twin.c - what the plain twin of a model computes, and whether the bound that comes with
 * it holds for every table and is of use.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "model.h"
#include "onnx_writer.h"

enum {
    INPUTS = 48,
    HIDDEN = 40,
    OUTPUTS = 10,
    ROWS = 24
};

/* Small numbers that differ; the same for the same seed. */
static void fill(float *out, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / (float)(1 << 23) - 1.0F;
    }
}

struct shape {
    const char *between; /* the operators between the two layers, and behind the second */
    const char *behind;
};

/* Two layers, a bias and an activation after each. */
static struct model *load(struct shape shape, const char *config)
{
    float w1[INPUTS * HIDDEN], w2[HIDDEN * OUTPUTS], b1[HIDDEN], b2[OUTPUTS];
    fill(w1, ARRAY_SIZE(w1), 1);
    fill(w2, ARRAY_SIZE(w2), 2);
    fill(b1, ARRAY_SIZE(b1), 3);
    fill(b2, ARRAY_SIZE(b2), 4);
    struct onnx_writer w = {0};
    onnx_write_port(&w, ONNX_INPUT, "x", "N 48");
    onnx_write_port(&w, ONNX_OUTPUT, "y", "N 10");
    onnx_write_floats(&w, "w1", "48 40", w1);
    onnx_write_floats(&w, "w2", "40 10", w2);
    onnx_write_floats(&w, "b1", "40", b1);
    onnx_write_floats(&w, "b2", "10", b2);
    onnx_write_node(&w, "Gemm", "x w1 b1", "h", "");
    if (strcmp(shape.between, "Div by it") == 0)
        onnx_write_node(&w, "Div", "b1 h", "a", "");
    else if (strcmp(shape.between, "Mul") == 0)
        onnx_write_node(&w, "Mul", "h b1", "a", "");
    else
        onnx_write_node(&w, shape.between, "h", "a", "");
    onnx_write_node(&w, "Gemm", "a w2 b2", "z", "");
    onnx_write_node(&w, shape.behind, "z", "y", "");
    onnx_write_file(&w);
    struct model_limits limits = model_limits_default();
    struct model *m = NULL;
    struct model_error error = {""};
    if (model_load_memory("net", "1", w.file.data, w.file.bytes, config, strlen(config), &limits,
                          &m, &error) != MODEL_OK)
        fail_msg("%s, %s: %s", shape.between, shape.behind, error.text);
    onnx_writer_free(&w);
    return m;
}

static void settle(struct model *m, const struct kernels *kernels)
{
    struct model_error error;
    assert_int_equal(model_apply_precision(m, kernels, &error), MODEL_OK);
    model_keep_weights(m);
    model_choose_kernels(m, kernels, ROWS);
}

static void run(const struct model *m, const struct kernels *kernels, const float *x, size_t rows,
                float *y)
{
    float *scratch = aligned_alloc(64, (model_scratch_size(m, rows) + 16) / 16 * 64);
    assert_non_null(scratch);
    model_run(m, kernels, x, rows, y, scratch);
    free(scratch);
}

struct twin_row {
    float y[OUTPUTS];
    double bounds[OUTPUTS];
};

static struct twin_row twin_of(const struct model *m, const float *x)
{
    struct twin_row row;
    void *scratch = aligned_alloc(64, (model_twin_scratch_bytes(m) + 64) / 64 * 64);
    assert_non_null(scratch);
    model_run_twin(m, x, row.y, row.bounds, scratch);
    free(scratch);
    return row;
}

static double largest(const float *x, size_t n)
{
    double max = 0;
    for (size_t i = 0; i < n; i++)
        max = fmax(max, fabs((double)x[i]));
    return max;
}

/* Returns the largest bound as a part of the largest output of its row, if that is above 1. */
static double check_table(const struct model *m, const struct kernels *kernels, const float *x,
                          const char *what)
{
    float y[ROWS * OUTPUTS], plain[OUTPUTS];
    double loosest = 0;
    run(m, kernels, x, ROWS, y);
    for (size_t row = 0; row < ROWS; row++) {
        const struct twin_row twin = twin_of(m, x + row * INPUTS);
        run(m, kernels_for(KERNELS_SCALAR), x + row * INPUTS, 1, plain);
        for (size_t i = 0; i < OUTPUTS; i++) {
            const double got = (double)y[row * OUTPUTS + i], want = (double)twin.y[i];
            assert_true(twin.y[i] == plain[i]);
            if (!(fabs(got - want) <= twin.bounds[i]))
                fail_msg("%s, %s, row %zu, output %zu: got %.9g, want %.9g within %.3g", what,
                         kernels_isa_str(kernels->isa), row, i, got, want, twin.bounds[i]);
            loosest = fmax(loosest, twin.bounds[i] / fmax(largest(twin.y, OUTPUTS), 1));
        }
    }
    return loosest;
}

static const struct shape shapes[] = {{"Relu", "Softmax"}, {"Sigmoid", "Identity"},
                                      {"Tanh", "Sigmoid"}, {"Softmax", "Tanh"},
                                      {"Mul", "Identity"}, {"Identity", "Relu"}};

/* For each table and shape; `loosest_max` is what a bound may be as a part of the outputs. */
static void check_all(const char *config, double loosest_max)
{
    float x[ROWS * INPUTS];
    fill(x, ARRAY_SIZE(x), 9);
    kernels_blas_single_thread();
    for (size_t s = 0; s < ARRAY_SIZE(shapes); s++)
        for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
            const struct kernels *kernels = kernels_for((enum kernels_isa)isa);
            if (kernels == NULL)
                continue;
            struct model *m = load(shapes[s], config);
            settle(m, kernels);
            char what[64];
            snprintf(what, sizeof what, "%s then %s", shapes[s].between, shapes[s].behind);
            const double loosest = check_table(m, kernels, x, what);
            if (!(loosest <= loosest_max))
                fail_msg("%s: a bound of %.3g says little", what, loosest);
            model_destroy(m);
        }
}

static void every_table_stays_within_the_bound_in_float32(void **state)
{
    (void)state;
    check_all("{}", 1e-2);
}

/* Behind a tanh inputs may be rounded to another step: then a few of 254 are the bound. */
static void every_table_stays_within_the_bound_in_int8(void **state)
{
    (void)state;
    check_all("{\"precision\": \"int8\", \"int8_max_error\": 0.5}", 1);
}

static void the_same_bits_in_int8_leave_no_room(void **state)
{
    (void)state;
    float x[INPUTS];
    fill(x, INPUTS, 5);
    struct model *m = load((struct shape){"Relu", "Identity"},
                           "{\"precision\": \"int8\", \"int8_max_error\": 0.5}");
    settle(m, kernels_best());
    const struct twin_row twin = twin_of(m, x);
    for (size_t i = 0; i < OUTPUTS; i++)
        assert_true(twin.bounds[i] == 0);
    model_destroy(m);
}

/* The smallest fault there is in a layer: the last of 48 inputs is not looked at. */
static void a_lost_product_is_beyond_the_bound(void **state)
{
    (void)state;
    float x[INPUTS], lost[INPUTS], y[OUTPUTS];
    fill(x, INPUTS, 6);
    memcpy(lost, x, sizeof x);
    lost[INPUTS - 1] = 0;
    for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
        struct model *m = load(shapes[s], "{}");
        settle(m, kernels_best());
        const struct twin_row twin = twin_of(m, x);
        run(m, kernels_best(), lost, 1, y);
        size_t beyond = 0;
        for (size_t i = 0; i < OUTPUTS; i++)
            beyond += fabs((double)y[i] - (double)twin.y[i]) > twin.bounds[i];
        if (beyond == 0)
            fail_msg("%s then %s: not found", shapes[s].between, shapes[s].behind);
        model_destroy(m);
    }
}

static void an_overflow_has_no_bound(void **state)
{
    (void)state;
    float x[INPUTS];
    for (size_t i = 0; i < INPUTS; i++)
        x[i] = 3e38F;
    struct model *m = load((struct shape){"Relu", "Sigmoid"}, "{}");
    settle(m, kernels_best());
    const struct twin_row twin = twin_of(m, x);
    for (size_t i = 0; i < OUTPUTS; i++)
        assert_true(isinf(twin.bounds[i]));
    model_destroy(m);
}

/* A divisor of which not even the sign is sure. */
static void a_division_by_nearly_nothing_has_no_bound(void **state)
{
    (void)state;
    float x[INPUTS] = {0};
    struct model *m = load((struct shape){"Div by it", "Identity"}, "{}");
    settle(m, kernels_best());
    const struct twin_row sure = twin_of(m, x); /* by the biases */
    assert_true(isfinite(sure.bounds[0]));
    float w1[INPUTS * HIDDEN], b1[HIDDEN];
    fill(w1, ARRAY_SIZE(w1), 1);
    fill(b1, HIDDEN, 3);
    x[0] = -b1[0] / w1[0];
    const struct twin_row unsure = twin_of(m, x);
    assert_true(isinf(unsure.bounds[0]));
    model_destroy(m);
}

/* Weights that are not kept leave a model its own table only; those that are, the plain one too. */
static void kept_weights_serve_the_plain_table(void **state)
{
    (void)state;
    float x[INPUTS], fast[OUTPUTS], plain[OUTPUTS];
    fill(x, INPUTS, 7);
    struct model *m = load((struct shape){"Relu", "Identity"}, "{}");
    settle(m, kernels_best());
    run(m, kernels_best(), x, 1, fast);
    run(m, kernels_for(KERNELS_SCALAR), x, 1, plain);
    for (size_t i = 0; i < OUTPUTS; i++)
        assert_true(fabs((double)fast[i] - (double)plain[i]) <= 1e-4 * largest(plain, OUTPUTS));
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_stays_within_the_bound_in_float32),
        cmocka_unit_test(every_table_stays_within_the_bound_in_int8),
        cmocka_unit_test(the_same_bits_in_int8_leave_no_room),
        cmocka_unit_test(a_lost_product_is_beyond_the_bound),
        cmocka_unit_test(an_overflow_has_no_bound),
        cmocka_unit_test(a_division_by_nearly_nothing_has_no_bound),
        cmocka_unit_test(kept_weights_serve_the_plain_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
