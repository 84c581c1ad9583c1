/* What loaded graphs compute, against the same arithmetic in float64. */
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
    ROWS_MAX = 7,
    NUMBERS_MAX = 512
};

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

static struct model *load(struct onnx_writer *w, const char *config)
{
    struct model_limits limits = model_limits_default();
    struct model *m = NULL;
    struct model_error error = {""};
    onnx_write_file(w);
    enum model_status status =
        model_load_memory("net", "1", w->file.data, w->file.bytes, config,
                          config == NULL ? 0 : strlen(config), &limits, &m, &error);
    onnx_writer_free(w);
    if (status != MODEL_OK)
        fail_msg("%s: %s", model_status_str(status), error.text);
    return m;
}

/* Runs with exactly as much scratch and output as was asked for. */
static void run_with(const struct model *m, const struct kernels *kernels, const float *in,
                     size_t rows, float *out)
{
    size_t scratch_size = model_scratch_size(m, rows);
    float *scratch = malloc((scratch_size + 1) * sizeof *scratch);
    assert_non_null(scratch);
    scratch[scratch_size] = untouched;
    out[rows * model_output_size(m)] = untouched;
    model_run(m, kernels, in, rows, out, scratch);
    assert_true(scratch[scratch_size] == untouched);
    assert_true(out[rows * model_output_size(m)] == untouched);
    free(scratch);
}

static void run(const struct model *m, const float *in, size_t rows, float *out)
{
    run_with(m, kernels_for(KERNELS_SCALAR), in, rows, out);
}

static void assert_near(const float *got, const double *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - expected[i]) <= 2e-6 * (1 + fabs(expected[i]))))
            fail_msg("number %zu is %.9g, expected %.9g", i, (double)got[i], expected[i]);
}

static void dense(const double *x, const float *weights, const float *bias, size_t in_size,
                  size_t out_size, double *out)
{
    for (size_t o = 0; o < out_size; o++) {
        out[o] = bias == NULL ? 0 : (double)bias[o];
        for (size_t i = 0; i < in_size; i++)
            out[o] += x[i] * (double)weights[i * out_size + o];
    }
}

static void softmax(double *x, size_t count)
{
    double largest = x[0], sum = 0;
    for (size_t i = 1; i < count; i++)
        largest = fmax(largest, x[i]);
    for (size_t i = 0; i < count; i++)
        sum += x[i] = exp(x[i] - largest);
    for (size_t i = 0; i < count; i++)
        x[i] /= sum;
}

static void widen(const float *in, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (double)in[i];
}

/* input "x", output "y" */
static void write_ports(struct onnx_writer *w, const char *in_dims, const char *out_dims)
{
    onnx_write_port(w, ONNX_INPUT, "x", in_dims);
    onnx_write_port(w, ONNX_OUTPUT, "y", out_dims);
}

static void gemm_scales_and_transposes_its_weights(void **state)
{
    (void)state;
    enum {
        IN = 5,
        OUT = 3
    };
    float weights[IN * OUT], bias[OUT], x[ROWS_MAX * IN], y[ROWS_MAX * OUT + 1];
    fill(weights, IN * OUT, 1);
    fill(bias, OUT, 2);
    fill(x, ROWS_MAX * IN, 3);
    struct onnx_writer w = {0};
    write_ports(&w, "N 5", "N 3");
    onnx_write_floats(&w, "w", "3 5", weights);
    onnx_write_floats(&w, "b", "3", bias);
    onnx_write_node(&w, "Gemm", "x w b", "y", "alpha:f=0.5 beta:f=2 transB:i=1");
    struct model *m = load(&w, NULL);
    run(m, x, ROWS_MAX, y);
    for (size_t r = 0; r < ROWS_MAX; r++) {
        double expected[OUT];
        for (size_t o = 0; o < OUT; o++) {
            expected[o] = 2 * (double)bias[o];
            for (size_t i = 0; i < IN; i++)
                expected[o] += 0.5 * (double)x[r * IN + i] * (double)weights[o * IN + i];
        }
        assert_near(y + r * OUT, expected, OUT);
    }
    assert_int_equal(model_parameters(m), IN * OUT + OUT);
    model_destroy(m);
}

static void a_bias_added_behind_matmul_needs_no_step_of_its_own(void **state)
{
    (void)state;
    float weights[6], bias[2], x[3], y[3];
    double wide[3], expected[2];
    fill(weights, 6, 4);
    fill(bias, 2, 5);
    fill(x, 3, 6);
    struct onnx_writer w = {0};
    write_ports(&w, "N 3", "N 2");
    onnx_write_floats(&w, "w", "3 2", weights);
    onnx_write_floats(&w, "b", "1 2", bias);
    onnx_write_node(&w, "MatMul", "x w", "products", "");
    onnx_write_node(&w, "Add", "b products", "sums", "");
    onnx_write_node(&w, "Relu", "sums", "y", "");
    struct model *m = load(&w, NULL);
    run(m, x, 1, y);
    widen(x, 3, wide);
    dense(wide, weights, bias, 3, 2, expected);
    for (size_t i = 0; i < 2; i++)
        expected[i] = fmax(expected[i], 0);
    assert_near(y, expected, 2);
    assert_int_equal(model_scratch_size(m, 100), 0);
    assert_int_equal(model_flops_per_row(m), 2 * 6 + 2 + 2);
    model_destroy(m);
}

/* 6 -> 9 -> 4 -> 8 -> 3 with another activation behind each layer. */
struct four_layers {
    float weights[4][72];
    struct model *model;
};

static void load_four_layers(struct four_layers *net)
{
    static const size_t sizes[] = {6, 9, 4, 8, 3};
    static const char *const dims[] = {"6 9", "9 4", "4 8", "8 3"};
    static const char *const activations[] = {"Relu", "Sigmoid", "Tanh", "Softmax"};
    struct onnx_writer w = {0};
    write_ports(&w, "N 6", "N 3");
    for (size_t i = 0; i < 4; i++) {
        char in[8], name[8], sums[8], out[8];
        snprintf(in, sizeof in, i == 0 ? "x" : "h%zu", i);
        snprintf(name, sizeof name, "w%zu", i);
        snprintf(sums, sizeof sums, "s%zu", i);
        snprintf(out, sizeof out, i == 3 ? "y" : "h%zu", i + 1);
        char inputs[24];
        snprintf(inputs, sizeof inputs, "%s %s", in, name);
        fill(net->weights[i], sizes[i] * sizes[i + 1], (unsigned)i + 7);
        onnx_write_floats(&w, name, dims[i], net->weights[i]);
        onnx_write_node(&w, "MatMul", inputs, sums, "");
        onnx_write_node(&w, activations[i], sums, out, "");
    }
    net->model = load(&w, NULL);
}

static void expect_four_layers(const struct four_layers *net, const float *x, double *out)
{
    double a[9], b[9];
    widen(x, 6, a);
    dense(a, net->weights[0], NULL, 6, 9, b);
    for (size_t i = 0; i < 9; i++)
        b[i] = fmax(b[i], 0);
    dense(b, net->weights[1], NULL, 9, 4, a);
    for (size_t i = 0; i < 4; i++)
        a[i] = 1 / (1 + exp(-a[i]));
    dense(a, net->weights[2], NULL, 4, 8, b);
    for (size_t i = 0; i < 8; i++)
        b[i] = tanh(b[i]);
    dense(b, net->weights[3], NULL, 8, 3, out);
    softmax(out, 3);
}

static void check_four_layers(const struct four_layers *net, const struct kernels *kernels)
{
    float x[ROWS_MAX * 6], y[ROWS_MAX * 3 + 1];
    double expected[3];
    fill(x, ROWS_MAX * 6, 11);
    for (size_t rows = 1; rows <= ROWS_MAX; rows++) {
        run_with(net->model, kernels, x, rows, y);
        for (size_t r = 0; r < rows; r++) {
            expect_four_layers(net, x + r * 6, expected);
            assert_near(y + r * 3, expected, 3);
        }
    }
}

static void layers_of_any_width_follow_each_other(void **state)
{
    (void)state;
    struct four_layers net;
    load_four_layers(&net);
    check_four_layers(&net, kernels_for(KERNELS_SCALAR));
    model_destroy(net.model);
}

/* --- how layers are computed */

static void assert_layers(const struct model *m, const char *kernel)
{
    assert_int_equal(model_layers_count(m), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(model_layer(m, i).kernel, kernel);
    assert_int_equal(model_layer(m, 1).in_size, 9);
    assert_int_equal(model_layer(m, 1).out_size, 4);
}

static void waste_time(void)
{
    const uint64_t end_ns = clock_now_ns() + 100 * NS_PER_US;
    while (clock_now_ns() < end_ns)
        ;
}

static void slow_dense(const float *restrict in, const float *restrict weights,
                       const float *restrict bias, size_t rows, size_t in_size, size_t out_size,
                       float *restrict out)
{
    waste_time();
    kernels_for(KERNELS_SCALAR)->dense_f32(in, weights, bias, rows, in_size, out_size, out);
}

static void slow_dense_packed(const float *restrict in, const float *restrict packed,
                              const float *restrict bias, enum kernels_activation activation,
                              size_t rows, size_t in_size, size_t out_size, float *restrict out)
{
    waste_time();
    kernels_for(KERNELS_SCALAR)
        ->dense_packed_f32(in, packed, bias, activation, rows, in_size, out_size, out);
}

/* With the packed kernels, and the activations on the way, of every table; plain C as if it were
 * one of the measured. */
static void layers_are_packed_where_that_is_faster(void **state)
{
    (void)state;
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        if (kernels_for((enum kernels_isa)isa) == NULL)
            continue;
        struct kernels table = *kernels_for((enum kernels_isa)isa);
        table.isa = isa == KERNELS_SCALAR ? KERNELS_NEON : (enum kernels_isa)isa;
        table.dense_f32 = slow_dense;
        char packed[32];
        snprintf(packed, sizeof packed, "packed %s", kernels_isa_str(table.isa));
        struct four_layers net;
        load_four_layers(&net);
        assert_layers(net.model, "unsettled");
        model_choose_kernels(net.model, &table, 4);
        assert_layers(net.model, packed);
        check_four_layers(&net, &table);
        model_destroy(net.model);
    }
}

static void layers_stay_as_they_are_where_that_is_faster(void **state)
{
    (void)state;
    struct kernels table = *kernels_for(KERNELS_SCALAR);
    table.isa = KERNELS_NEON;
    table.dense_packed_f32 = slow_dense_packed;
    struct four_layers net;
    load_four_layers(&net);
    model_choose_kernels(net.model, &table, 4);
    assert_layers(net.model, "plain");
    check_four_layers(&net, &table);
    model_destroy(net.model);
}

/* However slow it is: plain C is asked for where every start must give the same numbers. */
static void the_plain_table_is_never_measured(void **state)
{
    (void)state;
    struct kernels table = *kernels_for(KERNELS_SCALAR);
    table.dense_f32 = slow_dense;
    struct four_layers net;
    load_four_layers(&net);
    model_choose_kernels(net.model, &table, 4);
    assert_layers(net.model, "openblas"); /* that is: not the plain one */
    model_destroy(net.model);
    load_four_layers(&net);
    model_choose_kernels(net.model, kernels_for(KERNELS_SCALAR), 4);
    assert_layers(net.model, "plain");
    check_four_layers(&net, kernels_for(KERNELS_SCALAR));
    model_destroy(net.model);
}

static void whatever_is_chosen_computes_the_same(void **state)
{
    (void)state;
    kernels_blas_single_thread();
    for (unsigned isa = 0; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *kernels = kernels_for((enum kernels_isa)isa);
        if (kernels == NULL)
            continue;
        struct four_layers net;
        load_four_layers(&net);
        model_choose_kernels(net.model, kernels, ROWS_MAX);
        check_four_layers(&net, kernels);
        model_destroy(net.model);
    }
}

static void input_is_scaled_without_being_changed(void **state)
{
    (void)state;
    float mean[4], spread[] = {2, 4, 8, 0.5F}, x[8], before[8], y[9];
    fill(mean, 4, 12);
    fill(x, 8, 13);
    memcpy(before, x, sizeof x);
    struct onnx_writer w = {0};
    write_ports(&w, "N 4", "N 4");
    onnx_write_floats(&w, "mean", "4", mean);
    onnx_write_floats(&w, "spread", "1 4", spread);
    onnx_write_node(&w, "Sub", "x mean", "centred", "");
    onnx_write_node(&w, "Div", "centred spread", "y", "");
    struct model *m = load(&w, NULL);
    run(m, x, 2, y);
    assert_memory_equal(x, before, sizeof x);
    for (size_t i = 0; i < 8; i++) {
        double expected = ((double)x[i] - (double)mean[i % 4]) / (double)spread[i % 4];
        assert_near(y + i, &expected, 1);
    }
    model_destroy(m);
}

static void constants_may_stand_on_either_side(void **state)
{
    (void)state;
    float two[] = {2}, three[] = {3}, x[] = {0.5F, 4}, y[3];
    struct onnx_writer w = {0};
    write_ports(&w, "N 2", "N 2");
    onnx_write_floats(&w, "two", "", two);
    onnx_write_floats(&w, "three", "1 1", three);
    onnx_write_node(&w, "Div", "two x", "a", "");   /* 4, 0.5 */
    onnx_write_node(&w, "Sub", "three a", "b", ""); /* -1, 2.5 */
    onnx_write_node(&w, "Mul", "two b", "c", "");   /* -2, 5 */
    onnx_write_node(&w, "Add", "c three", "y", ""); /* 1, 8 */
    struct model *m = load(&w, NULL);
    run(m, x, 1, y);
    assert_near(y, (const double[]){1, 8}, 2);
    model_destroy(m);
}

static void batch_normalization_shifts_and_scales_each_channel(void **state)
{
    (void)state;
    float scale[] = {1, 2}, bias[] = {0.5F, -1}, mean[] = {3, -2}, variance[] = {4, 0.25F};
    float x[6], y[7];
    fill(x, 6, 14);
    struct onnx_writer w = {0};
    write_ports(&w, "N 2 3", "N 2 3");
    onnx_write_floats(&w, "s", "2", scale);
    onnx_write_floats(&w, "b", "2", bias);
    onnx_write_floats(&w, "m", "2", mean);
    onnx_write_floats(&w, "v", "2", variance);
    onnx_write_node(&w, "BatchNormalization", "x s b m v", "y", "epsilon:f=0.001");
    struct model *m = load(&w, NULL);
    run(m, x, 1, y);
    for (size_t i = 0; i < 6; i++) {
        size_t c = i / 3;
        double deviation = sqrt((double)variance[c] + (double)0.001F);
        double expected =
            ((double)x[i] - (double)mean[c]) / deviation * (double)scale[c] + (double)bias[c];
        assert_near(y + i, &expected, 1);
    }
    model_destroy(m);
}

static void matmul_multiplies_each_vector_of_a_matrix(void **state)
{
    (void)state;
    float weights[6], bias[2], x[2 * 12], y[2 * 8 + 1];
    fill(weights, 6, 15);
    fill(bias, 2, 16);
    fill(x, 24, 17);
    struct onnx_writer w = {0};
    write_ports(&w, "N 4 3", "N 4 2");
    onnx_write_floats(&w, "w", "3 2", weights);
    onnx_write_floats(&w, "b", "2", bias);
    onnx_write_node(&w, "MatMul", "x w", "p", "");
    onnx_write_node(&w, "Add", "p b", "s", "");
    onnx_write_node(&w, "Softmax", "s", "y", "axis:i=-1");
    struct model *m = load(&w, NULL);
    assert_int_equal(model_input_rank(m), 2);
    assert_int_equal(model_input_shape(m)[0], 4);
    assert_int_equal(model_input_shape(m)[1], 3);
    run(m, x, 2, y);
    for (size_t i = 0; i < 8; i++) {
        double wide[3], expected[2];
        widen(x + i * 3, 3, wide);
        dense(wide, weights, bias, 3, 2, expected);
        softmax(expected, 2);
        assert_near(y + i * 2, expected, 2);
    }
    model_destroy(m);
}

/* Before edition 13, Softmax took all dimensions from its axis on together. */
static void softmax_means_what_its_edition_says(void **state)
{
    (void)state;
    float x[6], y[7];
    double expected[6];
    fill(x, 6, 18);
    for (int64_t opset = 12; opset <= 13; opset++) {
        struct onnx_writer w = {.opset = opset};
        write_ports(&w, "N 2 3", "N 2 3");
        onnx_write_node(&w, "Softmax", "x", "y", "");
        struct model *m = load(&w, NULL);
        run(m, x, 1, y);
        widen(x, 6, expected);
        if (opset == 12) {
            softmax(expected, 6);
        } else {
            softmax(expected, 3);
            softmax(expected + 3, 3);
        }
        assert_near(y, expected, 6);
        model_destroy(m);
    }
}

static void reshapes_that_keep_rows_apart_cost_nothing(void **state)
{
    (void)state;
    static const int64_t targets[][3] = {{0, 4, 3},  {-1, 2, 6}, {0, -1, 2},
                                         {0, 0, 12}, {0, 3, 4},  {0, 12, 1}};
    float x[24], y[25];
    fill(x, 24, 19);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct onnx_writer w = {0};
        write_ports(&w, "N 1 12", "N 12");
        onnx_write_ints(&w, "target", "3", targets[i]);
        onnx_write_node(&w, "Reshape", "x target", "r", "");
        onnx_write_node(&w, "Flatten", "r", "f", "axis:i=1");
        onnx_write_node(&w, "Identity", "f", "i", "");
        onnx_write_node(&w, "Dropout", "i", "d mask", "");
        onnx_write_node(&w, "Cast", "d", "y", "to:i=1");
        struct model *m = load(&w, NULL);
        run(m, x, 2, y);
        assert_memory_equal(x, y, sizeof x);
        assert_int_equal(model_flops_per_row(m), 0);
        model_destroy(m);
    }
}

static void a_file_with_a_batch_of_one_serves_batches(void **state)
{
    (void)state;
    static const int64_t target[] = {1, -1};
    float x[8], y[9];
    fill(x, 8, 20);
    struct onnx_writer w = {0};
    write_ports(&w, "1 2 2", "1 4");
    onnx_write_ints(&w, "target", "2", target);
    onnx_write_node(&w, "Reshape", "x target", "r", "");
    onnx_write_node(&w, "Relu", "r", "y", "");
    struct model *m = load(&w, NULL);
    run(m, x, 2, y);
    for (size_t i = 0; i < 8; i++)
        assert_true(y[i] == fmaxf(x[i], 0));
    model_destroy(m);
}

static void nodes_may_come_in_any_order_and_constants_as_nodes(void **state)
{
    (void)state;
    float weights[4], x[2], y[3];
    double wide[2], expected[2];
    fill(weights, 4, 21);
    fill(x, 2, 22);
    struct onnx_writer w = {0};
    write_ports(&w, "N 2", "N 2");
    onnx_write_node(&w, "Tanh", "s", "y", "");
    onnx_write_node(&w, "MatMul", "x same", "s", "");
    onnx_write_node(&w, "Identity", "w", "same", "");
    onnx_write_node(&w, "Relu", "s", "nobody_reads_this", "");
    onnx_write_constant(&w, "w", "2 2", weights);
    struct model *m = load(&w, NULL);
    run(m, x, 1, y);
    widen(x, 2, wide);
    dense(wide, weights, NULL, 2, 2, expected);
    expected[0] = tanh(expected[0]);
    expected[1] = tanh(expected[1]);
    assert_near(y, expected, 2);
    model_destroy(m);
}

static void initializers_may_also_be_listed_as_inputs(void **state)
{
    (void)state;
    float weights[] = {3}, x[] = {2}, y[2];
    struct onnx_writer w = {.opset = 7, .ir_version = 3};
    write_ports(&w, "N 1", "N 1");
    onnx_write_port(&w, ONNX_INPUT, "w", "1 1");
    onnx_write_floats(&w, "w", "1 1", weights);
    onnx_write_node(&w, "Gemm", "x w", "y", "");
    struct model *m = load(&w, NULL);
    run(m, x, 1, y);
    assert_near(y, (const double[]){6}, 1);
    model_destroy(m);
}

static void a_model_says_what_it_is(void **state)
{
    (void)state;
    float weights[6] = {0};
    struct onnx_writer w = {0};
    onnx_write_port(&w, ONNX_INPUT, "pixels", "N 3");
    onnx_write_port(&w, ONNX_OUTPUT, "scores", "N 2");
    onnx_write_floats(&w, "w", "3 2", weights);
    onnx_write_node(&w, "MatMul", "pixels w", "scores", "");
    struct model *m = load(&w, "{/* two */ \"labels\": [\"cat\", \"dog\"],\n"
                               "\"batching\": {\"max_batch_rows\": 16, \"max_delay_us\": 0}}");
    assert_string_equal(model_name(m), "net");
    assert_string_equal(model_version(m), "1");
    assert_string_equal(model_input_name(m), "pixels");
    assert_string_equal(model_output_name(m), "scores");
    assert_int_equal(model_input_size(m), 3);
    assert_int_equal(model_output_size(m), 2);
    assert_int_equal(model_labels_count(m), 2);
    assert_string_equal(model_label(m, 1), "dog");
    assert_null(model_label(m, 2));
    assert_int_equal(model_batching(m)->batch_rows_max, 16);
    assert_int_equal(model_batching(m)->queue_rows_max, 0);
    assert_true(model_batching(m)->delay_ns_max == 0);
    model_destroy(m);
}

static void names_that_reach_the_file_system_are_plain(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "digits", "0", "_x", "A.b-c_9", "v1..2"};
    static const char *const bad[] = {"",    ".",   "..",  ".hidden", "-x",
                                      "a/b", "a b", "a\n", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!model_name_valid(good[i], strlen(good[i])))
            fail_msg("'%s' was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (model_name_valid(bad[i], strlen(bad[i])))
            fail_msg("'%s' was accepted", bad[i]);
    char longest[129];
    memset(longest, 'a', sizeof longest);
    assert_true(model_name_valid(longest, 128));
    assert_false(model_name_valid(longest, 129));
    assert_false(model_name_valid("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_scales_and_transposes_its_weights),
        cmocka_unit_test(a_bias_added_behind_matmul_needs_no_step_of_its_own),
        cmocka_unit_test(layers_of_any_width_follow_each_other),
        cmocka_unit_test(layers_are_packed_where_that_is_faster),
        cmocka_unit_test(layers_stay_as_they_are_where_that_is_faster),
        cmocka_unit_test(the_plain_table_is_never_measured),
        cmocka_unit_test(whatever_is_chosen_computes_the_same),
        cmocka_unit_test(input_is_scaled_without_being_changed),
        cmocka_unit_test(constants_may_stand_on_either_side),
        cmocka_unit_test(batch_normalization_shifts_and_scales_each_channel),
        cmocka_unit_test(matmul_multiplies_each_vector_of_a_matrix),
        cmocka_unit_test(softmax_means_what_its_edition_says),
        cmocka_unit_test(reshapes_that_keep_rows_apart_cost_nothing),
        cmocka_unit_test(a_file_with_a_batch_of_one_serves_batches),
        cmocka_unit_test(nodes_may_come_in_any_order_and_constants_as_nodes),
        cmocka_unit_test(initializers_may_also_be_listed_as_inputs),
        cmocka_unit_test(a_model_says_what_it_is),
        cmocka_unit_test(names_that_reach_the_file_system_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
