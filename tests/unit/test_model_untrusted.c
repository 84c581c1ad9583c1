/* Files that nobody vouches for: each is refused with a status and a reason, never with a crash. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "onnx_writer.h"

static enum model_status load_bytes(const void *data, size_t bytes, struct model **out,
                                    struct model_error *error)
{
    struct model_limits limits = model_limits_default();
    *error = (struct model_error){""};
    *out = NULL;
    /* Exactly as large as the input, so that a sanitizer sees one byte too many. */
    void *copy = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(copy);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    enum model_status status =
        model_load_memory("net", "1", copy, bytes, NULL, 0, &limits, out, error);
    free(copy);
    return status;
}

static void assert_refused(const char *what, const struct onnx_bytes *file,
                           enum model_status expected, const char *reason)
{
    struct model *m;
    struct model_error error;
    enum model_status status = load_bytes(file->data, file->bytes, &m, &error);
    if (status != expected || strstr(error.text, reason) == NULL)
        fail_msg("%s: %s: '%s'; expected %s: '%s'", what, model_status_str(status), error.text,
                 model_status_str(expected), reason);
    assert_null(m);
}

/* --- Graphs that are wrong in one thing -------------------------------------- */

static const float ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static void ports(struct onnx_writer *w)
{
    onnx_write_port(w, ONNX_INPUT, "x", "N 2");
    onnx_write_port(w, ONNX_OUTPUT, "y", "N 2");
}

static void relu(struct onnx_writer *w)
{
    onnx_write_node(w, "Relu", "x", "y", "");
}

/* A MatMul whose weights are one wrong tensor. */
static void with_weights(struct onnx_writer *w, struct onnx_tensor_text tensor)
{
    ports(w);
    onnx_write_tensor(w, &tensor);
    onnx_write_node(w, "MatMul", "x w", "y", "");
}

static void no_graph(struct onnx_writer *w)
{
    onnx_put_number(&w->file, 1, 8);
}

static void old_opset(struct onnx_writer *w)
{
    w->opset = 6;
    ports(w);
    relu(w);
}

static void new_opset(struct onnx_writer *w)
{
    w->opset = 24;
    ports(w);
    relu(w);
}

static void new_ir(struct onnx_writer *w)
{
    w->ir_version = 99;
    ports(w);
    relu(w);
}

static void two_opsets(struct onnx_writer *w)
{
    struct onnx_bytes opset = {0};
    ports(w);
    relu(w);
    onnx_write_file(w);
    onnx_put_text(&opset, 1, "ai.onnx");
    onnx_put_number(&opset, 2, 13);
    onnx_put_message(&w->file, 8, &opset);
}

static void two_graphs(struct onnx_writer *w)
{
    ports(w);
    relu(w);
    onnx_write_file(w);
    onnx_put_bytes(&w->file, 7, w->graph.data, w->graph.bytes);
}

static void unknown_operators(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Conv", "x", "a", "");
    onnx_write_node(w, "LSTM", "a", "b", "");
    onnx_write_node(w, "Conv", "b", "c", "");
    onnx_write_node(w, "com.example/Relu", "c", "y", "");
}

static void unknown_attribute(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Relu", "x", "y", "consumed_inputs:i=1");
}

static void attribute_of_wrong_type(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Softmax", "x", "y", "axis:f=1");
}

static void repeated_attribute(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Softmax", "x", "y", "axis:i=1 axis:i=-1");
}

static void cycle(struct onnx_writer *w)
{
    ports(w);
    onnx_write_floats(w, "w", "2", ones);
    onnx_write_node(w, "Relu", "b", "a", "");
    onnx_write_node(w, "Add", "a w", "b", "");
    onnx_write_node(w, "Relu", "a", "y", "");
}

static void dangling_input(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Add", "x nothing\x01", "y", "");
}

static void output_without_source(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Relu", "x", "z", "");
}

static void duplicate_names(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Relu", "x", "a", "");
    onnx_write_node(w, "Tanh", "x", "a", "");
    onnx_write_node(w, "Relu", "a", "y", "");
}

static void output_named_like_the_input(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Relu", "x", "x", "");
}

static void two_inputs(struct onnx_writer *w)
{
    ports(w);
    onnx_write_port(w, ONNX_INPUT, "z", "N 2");
    relu(w);
}

static void fixed_batch(struct onnx_writer *w)
{
    onnx_write_port(w, ONNX_INPUT, "x", "8 2");
    onnx_write_port(w, ONNX_OUTPUT, "y", "8 2");
    relu(w);
}

static void free_row(struct onnx_writer *w)
{
    onnx_write_port(w, ONNX_INPUT, "x", "N length");
    onnx_write_port(w, ONNX_OUTPUT, "y", "N length");
    relu(w);
}

static void zero_dimension(struct onnx_writer *w)
{
    onnx_write_port(w, ONNX_INPUT, "x", "N 0");
    onnx_write_port(w, ONNX_OUTPUT, "y", "N 0");
    relu(w);
}

static void wide_row(struct onnx_writer *w)
{
    onnx_write_port(w, ONNX_INPUT, "x", "N 5000000");
    onnx_write_port(w, ONNX_OUTPUT, "y", "N 5000000");
    relu(w);
}

static void wrong_output_size(struct onnx_writer *w)
{
    onnx_write_port(w, ONNX_INPUT, "x", "N 2");
    onnx_write_port(w, ONNX_OUTPUT, "y", "N 3");
    relu(w);
}

static void constant_output(struct onnx_writer *w)
{
    ports(w);
    onnx_write_constant(w, "y", "1 2", ones);
}

static void residual(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Relu", "x", "a", "");
    onnx_write_node(w, "Add", "a x", "y", "");
}

static void dropout_mask(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Dropout", "x", "a mask", "");
    onnx_write_node(w, "Relu", "mask", "y", "");
}

static void computed_ratio(struct onnx_writer *w)
{
    ports(w);
    onnx_write_floats(w, "c", "1 2", ones);
    onnx_write_node(w, "Dropout", "c x", "y", "");
}

static void left_out_input(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Add", "x -", "y", "");
}

static void weights_do_not_fit(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "3 2", .type = 1, .raw = ones, .raw_bytes = 24});
}

static void bias_differs_per_row(struct onnx_writer *w)
{
    ports(w);
    onnx_write_floats(w, "b", "4 2", ones);
    onnx_write_node(w, "Add", "x b", "y", "");
}

static void bias_adds_a_dimension(struct onnx_writer *w)
{
    ports(w);
    onnx_write_floats(w, "b", "1 1 2", ones);
    onnx_write_node(w, "Add", "x b", "y", "");
}

static void overflowing_dims(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){.name = "w",
                                              .dims = "4294967296 4294967296 2",
                                              .type = 1,
                                              .raw = ones,
                                              .raw_bytes = 16});
}

static void negative_dims(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 -2", .type = 1, .raw = ones, .raw_bytes = 16});
}

static void many_dims(struct onnx_writer *w)
{
    with_weights(
        w, (struct onnx_tensor_text){
               .name = "w", .dims = "1 1 1 1 1 1 1 2 2", .type = 1, .raw = ones, .raw_bytes = 16});
}

static void too_few_bytes(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 2", .type = 1, .raw = ones, .raw_bytes = 15});
}

static void too_many_numbers(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 2", .type = 1, .floats = ones, .floats_count = 5});
}

static void numbers_in_two_places(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){.name = "w",
                                              .dims = "2 2",
                                              .type = 1,
                                              .raw = ones,
                                              .raw_bytes = 16,
                                              .floats = ones,
                                              .floats_count = 4});
}

static void double_weights(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 2", .type = 11, .raw = ones, .raw_bytes = 32});
}

static void int_weights(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 2", .type = 7, .raw = ones, .raw_bytes = 32});
}

static void nan_weights(struct onnx_writer *w)
{
    float numbers[] = {1, NAN, 3, 4};
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 2", .type = 1, .raw = numbers, .raw_bytes = 16});
}

static void infinite_after_scaling(struct onnx_writer *w)
{
    float numbers[] = {1e30F, 1, 3, 4};
    ports(w);
    onnx_write_floats(w, "w", "2 2", numbers);
    onnx_write_node(w, "Gemm", "x w", "y", "alpha:f=1e30");
}

static void division_by_zero(struct onnx_writer *w)
{
    float numbers[] = {1, 0};
    ports(w);
    onnx_write_floats(w, "d", "2", numbers);
    onnx_write_node(w, "Div", "x d", "y", "");
}

static void external_parent(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 2", .type = 1, .location = "../secret.bin"});
}

static void external_absolute(struct onnx_writer *w)
{
    with_weights(w, (struct onnx_tensor_text){
                        .name = "w", .dims = "2 2", .type = 1, .location = "/etc/passwd"});
}

static void reshape_mixes_rows(struct onnx_writer *w)
{
    static const int64_t target[] = {-1, 4};
    ports(w);
    onnx_write_ints(w, "t", "2", target);
    onnx_write_node(w, "Reshape", "x t", "y", "");
}

static void reshape_of_a_free_batch_to_one(struct onnx_writer *w)
{
    static const int64_t target[] = {1, -1};
    ports(w);
    onnx_write_ints(w, "t", "2", target);
    onnx_write_node(w, "Reshape", "x t", "y", "");
}

static void softmax_over_the_batch(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Softmax", "x", "y", "axis:i=0");
}

static void cast_to_double(struct onnx_writer *w)
{
    ports(w);
    onnx_write_node(w, "Cast", "x", "y", "to:i=11");
}

static void sparse_tensors(struct onnx_writer *w)
{
    ports(w);
    relu(w);
    onnx_put_text(&w->graph, 15, "");
}

static void long_name(struct onnx_writer *w)
{
    char name[5000];
    struct onnx_bytes node = {0};
    memset(name, 'n', sizeof name);
    ports(w);
    onnx_put_bytes(&node, 3, name, sizeof name);
    onnx_put_message(&w->graph, 1, &node);
}

static void name_with_nul(struct onnx_writer *w)
{
    struct onnx_bytes node = {0};
    ports(w);
    onnx_put_bytes(&node, 3, "a\0b", 3);
    onnx_put_message(&w->graph, 1, &node);
}

static void many_nodes(struct onnx_writer *w)
{
    ports(w);
    for (size_t i = 0; i < 4097; i++)
        onnx_write_node(w, "Relu", "x", "y", "");
}

/* Each message costs two bytes here, and more than a hundred once unpacked. */
static void many_fields(struct onnx_writer *w)
{
    struct onnx_bytes empty = {0};
    for (size_t i = 0; i < 2000000; i++)
        onnx_put_message(&w->graph, 1, &empty);
}

/* A subgraph in an attribute of a node of a subgraph in an attribute, and so on. */
static void nesting_bomb(struct onnx_writer *w)
{
    struct onnx_bytes inner = {0};
    for (size_t i = 0; i < 200; i++) {
        struct onnx_bytes outer = {0};
        onnx_put_message(&outer, 6, &inner); /* AttributeProto.g */
        onnx_put_message(&inner, 5, &outer); /* NodeProto.attribute */
        onnx_put_message(&outer, 1, &inner); /* GraphProto.node */
        inner = outer;
    }
    w->graph = inner;
}

static void every_mistake_has_its_status_and_reason(void **state)
{
    (void)state;
#define CASE(make, status, reason)          \
    {                                       \
#make, make, MODEL_##status, reason \
    }
    static const struct {
        const char *name;
        void (*make)(struct onnx_writer *w);
        enum model_status status;
        const char *reason;
    } cases[] = {
        CASE(no_graph, MALFORMED, "it has no graph"),
        CASE(old_opset, UNSUPPORTED, "uses opset 6; jitney reads opsets 7 to 23"),
        CASE(new_opset, UNSUPPORTED, "uses opset 24"),
        CASE(new_ir, UNSUPPORTED, "IR version 99"),
        CASE(two_opsets, MALFORMED, "it imports 2"),
        CASE(two_graphs, MALFORMED, "may occur once occurs twice"),
        CASE(unknown_operators, UNSUPPORTED,
             "these operators: 'Conv' (2), 'LSTM' (1), 'com.example'::'Relu' (1)"),
        CASE(unknown_attribute, UNSUPPORTED, "the attribute 'consumed_inputs'"),
        CASE(attribute_of_wrong_type, MALFORMED, "has the wrong type"),
        CASE(repeated_attribute, MALFORMED, "the attribute 'axis' twice"),
        CASE(cycle, MALFORMED, "the nodes form a cycle"),
        CASE(dangling_input, MALFORMED, "reads 'nothing\\x01', which nothing defines"),
        CASE(output_without_source, MALFORMED, "nothing computes the output 'y'"),
        CASE(duplicate_names, MALFORMED, "the name 'a' is defined twice"),
        CASE(output_named_like_the_input, MALFORMED, "the name 'x' is defined twice"),
        CASE(two_inputs, UNSUPPORTED, "2 inputs and 1 outputs"),
        CASE(fixed_batch, UNSUPPORTED, "a batch of fixed size 8"),
        CASE(free_row, UNSUPPORTED, "must have a fixed size"),
        CASE(zero_dimension, MALFORMED, "a dimension of 0"),
        CASE(wide_row, TOO_LARGE, "rows of 5000000 numbers"),
        CASE(wrong_output_size, MALFORMED, "declared with 3 numbers per row, but 2 are computed"),
        CASE(constant_output, UNSUPPORTED, "does not depend on the input"),
        CASE(residual, UNSUPPORTED, "must have one computed input"),
        CASE(dropout_mask, UNSUPPORTED, "more than its first output"),
        CASE(computed_ratio, UNSUPPORTED, "must have one computed input, in its first place"),
        CASE(left_out_input, UNSUPPORTED, "needs a float32 constant"),
        CASE(weights_do_not_fit, MALFORMED, "weights for 3 inputs, and gets 2"),
        CASE(bias_differs_per_row, UNSUPPORTED, "that fits one row"),
        CASE(bias_adds_a_dimension, UNSUPPORTED, "that fits one row"),
        CASE(overflowing_dims, TOO_LARGE, "the dimensions of the tensor 'w' make more than"),
        CASE(negative_dims, MALFORMED, "a dimension of -2"),
        CASE(many_dims, TOO_LARGE, "more than 8 dimensions"),
        CASE(too_few_bytes, MALFORMED, "has 15 bytes where its shape needs 16"),
        CASE(too_many_numbers, MALFORMED, "has 5 numbers where its shape needs 4"),
        CASE(numbers_in_two_places, MALFORMED, "in two places"),
        CASE(double_weights, UNSUPPORTED, "the tensor 'w' has the ONNX data type 11"),
        CASE(int_weights, UNSUPPORTED, "needs a constant float32 matrix"),
        CASE(nan_weights, MALFORMED, "not finite (index 1)"),
        CASE(infinite_after_scaling, UNSUPPORTED, "beyond float32"),
        CASE(division_by_zero, UNSUPPORTED, "divides by zero"),
        CASE(external_parent, UNSUPPORTED, "in another file ('../secret.bin')"),
        CASE(external_absolute, UNSUPPORTED, "in another file ('/etc/passwd')"),
        CASE(reshape_mixes_rows, UNSUPPORTED, "does not keep the batch"),
        CASE(reshape_of_a_free_batch_to_one, UNSUPPORTED, "does not keep the batch"),
        CASE(softmax_over_the_batch, UNSUPPORTED, "another axis than the last"),
        CASE(cast_to_double, UNSUPPORTED, "something else than float32"),
        CASE(sparse_tensors, UNSUPPORTED, "sparse tensors"),
        CASE(long_name, TOO_LARGE, "a name in the ONNX file has 5000 bytes"),
        CASE(name_with_nul, MALFORMED, "a NUL byte"),
        CASE(many_nodes, TOO_LARGE, "4097 nodes; the limit is 4096"),
        CASE(many_fields, TOO_LARGE, "more than 1048576 fields"),
        CASE(nesting_bomb, TOO_LARGE, "nest deeper than 64 levels"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_writer w = {0};
        cases[i].make(&w);
        if (w.file.bytes == 0)
            onnx_write_file(&w);
        assert_refused(cases[i].name, &w.file, cases[i].status, cases[i].reason);
        onnx_writer_free(&w);
    }
}

/* --- Bytes ------------------------------------------------------------------- */

static void broken_bytes_are_refused(void **state)
{
    (void)state;
#define BYTES(text, reason)            \
    {                                  \
        text, sizeof(text) - 1, reason \
    }
    static const struct {
        const char *bytes;
        size_t count;
        const char *reason;
    } cases[] = {
        BYTES("", "the ONNX file is empty"),
        BYTES("\x08", "a number does not end"),
        BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "a number does not end"),
        BYTES("\x3a", "a length does not end"),
        BYTES("\x3a\x05\x0a", "a length reaches beyond the end"),
        BYTES("\x3a\xff\xff\xff\xff\x0f", "a length reaches beyond the end"),
        BYTES("\x0b", "a wire type that is not its own"),
        BYTES("\x38\x01", "a wire type that is not its own"),
        BYTES("\x9b\x06", "a wire type that protobuf does not use"),
        BYTES("\x99\x06\x01", "a number reaches beyond the end"),
        BYTES("\x00\x00", "a field has no valid number"),
        BYTES("\x08\x08", "it has no graph"),
        BYTES("#!/bin/sh\n", "ONNX file"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model *m;
        struct model_error error;
        enum model_status status = load_bytes(cases[i].bytes, cases[i].count, &m, &error);
        if (status != MODEL_MALFORMED || strstr(error.text, cases[i].reason) == NULL)
            fail_msg("case %zu: %s: '%s', expected '%s'", i, model_status_str(status), error.text,
                     cases[i].reason);
    }
}

static void write_small_model(struct onnx_writer *w)
{
    ports(w);
    onnx_write_floats(w, "w", "2 2", ones);
    onnx_write_floats(w, "b", "2", ones);
    onnx_write_node(w, "Gemm", "x w b", "s", "alpha:f=0.5 transB:i=1");
    onnx_write_node(w, "Softmax", "s", "y", "axis:i=-1");
    onnx_write_file(w);
}

/* Refused with a reason, or else still a model that runs. */
static void load_and_run(const struct onnx_bytes *file, size_t bytes)
{
    struct model *m;
    struct model_error error;
    enum model_status status = load_bytes(file->data, bytes, &m, &error);
    assert_true((status == MODEL_OK) == (m != NULL));
    assert_true((status == MODEL_OK) == (error.text[0] == '\0'));
    if (m == NULL || model_input_size(m) > 64 || model_output_size(m) > 64)
        return model_destroy(m);
    float in[64] = {0}, out[64], *scratch = malloc((model_scratch_size(m, 1) + 1) * sizeof(float));
    assert_non_null(scratch);
    model_run(m, kernels_for(KERNELS_SCALAR), in, 1, out, scratch);
    free(scratch);
    model_destroy(m);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct onnx_writer w = {0};
    write_small_model(&w);
    for (size_t bytes = 0; bytes < w.file.bytes; bytes++) {
        struct model *m;
        struct model_error error;
        /* The edition stands at the end, so nothing shorter is a model. */
        if (load_bytes(w.file.data, bytes, &m, &error) == MODEL_OK)
            fail_msg("a model of %zu bytes cut to %zu was loaded", w.file.bytes, bytes);
        assert_true(error.text[0] != '\0');
    }
    load_and_run(&w.file, w.file.bytes);
    onnx_writer_free(&w);
}

static void any_byte_may_be_anything(void **state)
{
    (void)state;
    struct onnx_writer w = {0};
    write_small_model(&w);
    for (size_t i = 0; i < w.file.bytes; i++) {
        unsigned char before = w.file.data[i];
        for (unsigned value = 0; value < 256; value++) {
            w.file.data[i] = (unsigned char)value;
            load_and_run(&w.file, w.file.bytes);
        }
        w.file.data[i] = before;
    }
    onnx_writer_free(&w);
}

static void random_bytes_are_refused(void **state)
{
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15;
    for (size_t round = 0; round < 20000; round++) {
        unsigned char bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes[i] = (unsigned char)(seed >> 32);
        }
        struct model *m;
        struct model_error error;
        assert_int_not_equal(load_bytes(bytes, seed % sizeof bytes, &m, &error), MODEL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_has_its_status_and_reason),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(any_byte_may_be_anything),
        cmocka_unit_test(random_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
