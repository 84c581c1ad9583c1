/* Models in int8: what they compute, how far from float32 that is, and when it is refused. */
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
#include "model_samples.h"
#include "onnx_writer.h"

enum {
    INPUTS = 40,
    HIDDEN = 50,
    OUTPUTS = 7,
    ROWS_MAX = 9
};

static const char int8_config[] = "{\"precision\": \"int8\", \"int8_max_error\": 0.03}";

/* A marker behind what a run may write. */
static const float untouched = 12345.0F;

/* Small numbers that differ; the same for the same seed. */
static void fill(float *out, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / (float)(1 << 23) - 1.0F;
    }
}

/* Two layers with biases and a sigmoid between, and a division that no dense layer does. */
static void write_net(struct onnx_writer *w)
{
    float weights[INPUTS * HIDDEN], bias[HIDDEN];
    onnx_write_port(w, ONNX_INPUT, "x", "N 40");
    onnx_write_port(w, ONNX_OUTPUT, "y", "N 7");
    fill(weights, INPUTS * HIDDEN, 1);
    onnx_write_floats(w, "w0", "40 50", weights);
    fill(weights, HIDDEN * OUTPUTS, 2);
    onnx_write_floats(w, "w1", "50 7", weights);
    fill(bias, HIDDEN, 3);
    onnx_write_floats(w, "b0", "50", bias);
    onnx_write_floats(w, "b1", "7", bias);
    onnx_write_node(w, "Gemm", "x w0 b0", "s0", "");
    onnx_write_node(w, "Sigmoid", "s0", "h", "");
    onnx_write_node(w, "Gemm", "h w1 b1", "s1", "");
    onnx_write_node(w, "Div", "s1 b1", "y", "");
    onnx_write_file(w);
}

static struct model *load(struct onnx_writer *w, const char *config)
{
    struct model_limits limits = model_limits_default();
    struct model *m = NULL;
    struct model_error error = {""};
    if (model_load_memory("net", "1", w->file.data, w->file.bytes, config, strlen(config), &limits,
                          &m, &error) != MODEL_OK)
        fail_msg("%s", error.text);
    onnx_writer_free(w);
    return m;
}

static struct model *load_net(const char *config)
{
    struct onnx_writer w = {0};
    write_net(&w);
    return load(&w, config);
}

static void apply(struct model *m, const struct kernels *kernels)
{
    struct model_error error = {""};
    if (model_apply_precision(m, kernels, &error) != MODEL_OK)
        fail_msg("%s", error.text);
}

/* Runs with exactly as much scratch and output as was asked for. */
static void run(const struct model *m, const struct kernels *kernels, const float *in, size_t rows,
                float *out)
{
    size_t scratch_size = model_scratch_size(m, rows);
    float *scratch = malloc((scratch_size + 1) * sizeof *scratch);
    assert_non_null(scratch);
    scratch[scratch_size] = untouched;
    out[rows * OUTPUTS] = untouched;
    model_run(m, kernels, in, rows, out, scratch);
    assert_true(scratch[scratch_size] == untouched);
    assert_true(out[rows * OUTPUTS] == untouched);
    free(scratch);
}

static void check_layers(const struct model *m, const struct kernels *kernels)
{
    char want[32];
    snprintf(want, sizeof want, "int8 %s", kernels->dense_i8_isa);
    assert_int_equal(model_layers_count(m), 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(model_layer(m, i).kernel, want);
}

static void check_outputs(const float *got, const float *want, size_t n)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= 0.03F * largest))
            fail_msg("[%zu]: got %g, in float32 %g, the largest is %g", i, (double)got[i],
                     (double)want[i], (double)largest);
}

static void every_table_computes_in_int8_what_float32_does_nearly(void **state)
{
    (void)state;
    float x[ROWS_MAX * INPUTS], y[ROWS_MAX * OUTPUTS + 1], want[ROWS_MAX * OUTPUTS + 1];
    fill(x, ROWS_MAX * INPUTS, 9);
    struct model *plain = load_net("{}");
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *kernels = kernels_for((enum kernels_isa)isa);
        if (kernels == NULL)
            continue;
        struct model *m = load_net(int8_config);
        apply(m, kernels);
        model_choose_kernels(m, kernels, ROWS_MAX);
        check_layers(m, kernels);
        for (size_t rows = 1; rows <= ROWS_MAX; rows++) {
            run(plain, kernels_for(KERNELS_SCALAR), x, rows, want);
            run(m, kernels, x, rows, y);
            check_outputs(y, want, rows * OUTPUTS);
        }
        model_destroy(m);
    }
    model_destroy(plain);
}

static void the_error_on_made_up_samples_is_told(void **state)
{
    (void)state;
    struct model *m = load_net(int8_config);
    apply(m, kernels_best());
    const struct model_accuracy *accuracy = model_accuracy(m);
    assert_int_equal(accuracy->precision, MODEL_INT8);
    assert_false(accuracy->samples_given);
    assert_int_equal(accuracy->samples, 32);
    assert_true(accuracy->error_max == 0.03);
    if (!(accuracy->error > 1e-5 && accuracy->error < 0.03))
        fail_msg("error %g", accuracy->error);
    model_destroy(m);
}

/* One layer of whole thousands, so that probabilities are all but 0 and 1. */
static struct model *load_sure_net(const char *last)
{
    float weights[INPUTS * OUTPUTS];
    struct onnx_writer w = {0};
    fill(weights, INPUTS * OUTPUTS, 5);
    for (size_t i = 0; i < INPUTS * OUTPUTS; i++)
        weights[i] *= 1000;
    onnx_write_port(&w, ONNX_INPUT, "x", "N 40");
    onnx_write_port(&w, ONNX_OUTPUT, "y", "N 7");
    onnx_write_floats(&w, "w", "40 7", weights);
    onnx_write_node(&w, "MatMul", "x w", "s", "");
    onnx_write_node(&w, last, "s", "y", "");
    onnx_write_file(&w);
    struct model *m = load(&w, int8_config);
    apply(m, kernels_best());
    return m;
}

static void probabilities_do_not_hide_the_error_behind_them(void **state)
{
    (void)state;
    struct model *sums = load_sure_net("Identity");
    struct model *softmax = load_sure_net("Softmax");
    struct model *sigmoid = load_sure_net("Sigmoid");
    const double error = model_accuracy(sums)->error;
    assert_true(error > 1e-4);
    assert_true(model_accuracy(softmax)->error == error);
    assert_true(model_accuracy(sigmoid)->error == error);
    float x[INPUTS], y[OUTPUTS + 1], sum = 0;
    fill(x, INPUTS, 6);
    run(softmax, kernels_best(), x, 1, y);
    for (size_t i = 0; i < OUTPUTS; i++)
        sum += y[i];
    assert_true(fabsf(sum - 1) < 1e-5F);
    model_destroy(sums);
    model_destroy(softmax);
    model_destroy(sigmoid);
}

static void the_same_model_has_the_same_error_from_every_table(void **state)
{
    (void)state;
    double errors[KERNELS_ISA_COUNT];
    size_t count = 0;
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *kernels = kernels_for((enum kernels_isa)isa);
        if (kernels == NULL)
            continue;
        struct model *m = load_net(int8_config);
        apply(m, kernels);
        errors[count++] = model_accuracy(m)->error;
        model_destroy(m);
    }
    for (size_t i = 1; i < count; i++)
        if (!(fabs(errors[i] - errors[0]) <= 1e-5))
            fail_msg("errors %g and %g", errors[0], errors[i]);
}

static void a_model_beyond_its_bound_is_refused_with_the_error(void **state)
{
    (void)state;
    struct model *m = load_net("{\"precision\": \"int8\", \"int8_max_error\": 1e-6}");
    struct model_error error = {""};
    assert_int_equal(model_apply_precision(m, kernels_best(), &error), MODEL_INACCURATE);
    if (strstr(error.text, "in int8 outputs are off by up to 0.0") == NULL ||
        strstr(error.text,
               "for 32 rows of normal numbers; int8_max_error in config.json is 1e-06") == NULL)
        fail_msg("'%s'", error.text);
    model_destroy(m);
}

/* Numbers that float32 itself cannot hold, so that there is nothing to compare. */
static void a_model_with_infinite_outputs_is_refused(void **state)
{
    (void)state;
    static const float weights[] = {3e38F, 3e38F};
    struct onnx_writer w = {0};
    onnx_write_port(&w, ONNX_INPUT, "x", "N 2");
    onnx_write_port(&w, ONNX_OUTPUT, "y", "N 1");
    onnx_write_floats(&w, "w", "2 1", weights);
    onnx_write_node(&w, "MatMul", "x w", "y", "");
    onnx_write_file(&w);
    struct model *m = load(&w, "{\"precision\": \"int8\", \"int8_max_error\": 1}");
    struct model_error error = {""};
    assert_int_equal(model_apply_precision(m, kernels_best(), &error), MODEL_INACCURATE);
    assert_non_null(strstr(error.text, "off by up to inf"));
    model_destroy(m);
}

static void a_float32_model_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const configs[] = {"{}", "{\"precision\": \"float32\"}",
                                          "{\"int8_max_error\": 1e-9}"};
    for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
        struct model *m = load_net(configs[i]);
        apply(m, kernels_best());
        assert_int_equal(model_accuracy(m)->precision, MODEL_FLOAT32);
        assert_string_equal(model_layer(m, 0).kernel, "unsettled");
        model_destroy(m);
    }
}

/* More inputs than an int32 sum holds. */
static void a_layer_too_long_for_int8_stays_float32(void **state)
{
    (void)state;
    const size_t inputs = KERNELS_I8_INPUTS_MAX + 1;
    float *weights = malloc(inputs * sizeof *weights);
    assert_non_null(weights);
    fill(weights, inputs, 4);
    struct onnx_writer w = {0};
    onnx_write_port(&w, ONNX_INPUT, "x", "N 65537");
    onnx_write_port(&w, ONNX_OUTPUT, "y", "N 1");
    onnx_write_floats(&w, "w", "65537 1", weights);
    onnx_write_node(&w, "MatMul", "x w", "y", "");
    onnx_write_file(&w);
    struct model *m = load(&w, int8_config);
    apply(m, kernels_for(KERNELS_SCALAR));
    model_choose_kernels(m, kernels_for(KERNELS_SCALAR), 1);
    assert_string_equal(model_layer(m, 0).kernel, "plain");
    assert_true(model_accuracy(m)->error == 0);
    model_destroy(m);
    free(weights);
}

/* --- samples */

static void samples_are_rows_flat_or_nested(void **state)
{
    (void)state;
    const char json[] = "{\"instances\": [[1, 2.5, -3, 4], // a comment\n [[5, 6], [7, 8e0]]]}";
    static const float want[] = {1, 2.5F, -3, 4, 5, 6, 7, 8};
    struct model_samples samples;
    struct model_error error = {""};
    if (model_samples_parse(json, strlen(json), 4, &samples, &error) != MODEL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(samples.count, 2);
    assert_true(samples.given);
    assert_memory_equal(samples.rows, want, sizeof want);
    model_samples_deinit(&samples);
}

static void mistakes_in_samples_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *reason;
    } cases[] = {
        {"", "samples.json: is not JSON"},
        {"{\"instances\": [[1, 2],]}", "samples.json: is not JSON"},
        {"[]", "must be {\"instances\": [...]} with 1 to 256 rows"},
        {"{}", "must be {\"instances\": [...]} with 1 to 256 rows"},
        {"{\"instances\": []}", "must be {\"instances\": [...]} with 1 to 256 rows"},
        {"{\"instances\": {\"a\": 1}}", "must be {\"instances\": [...]} with 1 to 256 rows"},
        {"{\"instances\": [[1, 2], [1]]}", "samples.json: instances[1] must be 2 numbers"},
        {"{\"instances\": [[1, 2, 3]]}", "samples.json: instances[0] must be 2 numbers"},
        {"{\"instances\": [[1, \"2\"]]}", "samples.json: instances[0] must be 2 numbers"},
        {"{\"instances\": [[1, 1e39]]}", "samples.json: instances[0] must be 2 numbers"},
        {"{\"instances\": [[[[[[[[[[[[[[[[[[[1, 2]]]]]]]]]]]]]]]]]]]}",
         "samples.json: instances[0] must be 2 numbers"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct model_samples samples;
        struct model_error error = {""};
        enum model_status status =
            model_samples_parse(cases[i].json, strlen(cases[i].json), 2, &samples, &error);
        if (status != MODEL_BAD_SAMPLES || strstr(error.text, cases[i].reason) == NULL)
            fail_msg("%s: %s '%s', expected '%s'", cases[i].json, model_status_str(status),
                     error.text, cases[i].reason);
    }
}

static void made_up_samples_are_normal_and_always_the_same(void **state)
{
    (void)state;
    struct model_samples a, b;
    assert_true(model_samples_make(1000, &a));
    assert_true(model_samples_make(1000, &b));
    assert_int_equal(a.count, 32);
    assert_memory_equal(a.rows, b.rows, 32 * 1000 * sizeof *a.rows);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 32 * 1000; i++) {
        sum += (double)a.rows[i];
        squares += (double)a.rows[i] * (double)a.rows[i];
    }
    /* Five standard errors of each. */
    assert_true(fabs(sum / 32000) < 0.028);
    assert_true(fabs(squares / 32000 - 1) < 0.04);
    model_samples_deinit(&a);
    model_samples_deinit(&b);
}

static void rows_of_millions_of_numbers_are_made_up_singly(void **state)
{
    (void)state;
    struct model_samples samples;
    assert_true(model_samples_make((size_t)1 << 22, &samples));
    assert_int_equal(samples.count, 1);
    model_samples_deinit(&samples);
}

int main(void)
{
    kernels_blas_single_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_computes_in_int8_what_float32_does_nearly),
        cmocka_unit_test(the_error_on_made_up_samples_is_told),
        cmocka_unit_test(probabilities_do_not_hide_the_error_behind_them),
        cmocka_unit_test(the_same_model_has_the_same_error_from_every_table),
        cmocka_unit_test(a_model_beyond_its_bound_is_refused_with_the_error),
        cmocka_unit_test(a_model_with_infinite_outputs_is_refused),
        cmocka_unit_test(a_float32_model_stays_as_it_is),
        cmocka_unit_test(a_layer_too_long_for_int8_stays_float32),
        cmocka_unit_test(samples_are_rows_flat_or_nested),
        cmocka_unit_test(mistakes_in_samples_are_told),
        cmocka_unit_test(made_up_samples_are_normal_and_always_the_same),
        cmocka_unit_test(rows_of_millions_of_numbers_are_made_up_singly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
