/* Loading with memory that runs out at every allocation in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "onnx_writer.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);

/* Allocations that still succeed; SIZE_MAX: all. The linker gives a wrapped
 * function no argument to carry it in. */
static size_t allocations_left = SIZE_MAX;

static bool may_allocate(void)
{
    if (allocations_left == SIZE_MAX)
        return true;
    if (allocations_left == 0)
        return false;
    allocations_left--;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return may_allocate() ? __real_malloc(bytes) : NULL;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return may_allocate() ? __real_calloc(count, bytes) : NULL;
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return may_allocate() ? __real_realloc(old, bytes) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return may_allocate() ? __real_aligned_alloc(alignment, bytes) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return may_allocate() ? __real_strdup(text) : NULL;
}

/* Something of everything that allocates. */
static void write_model(struct onnx_writer *w)
{
    static const float numbers[] = {1, 2, 3, 4};
    onnx_write_port(w, ONNX_INPUT, "x", "N 2");
    onnx_write_port(w, ONNX_OUTPUT, "y", "N 2");
    onnx_write_floats(w, "w", "2 2", numbers);
    onnx_write_floats(w, "b", "2", numbers);
    onnx_write_constant(w, "c", "2", numbers);
    onnx_write_node(w, "Gemm", "x w b", "s", "alpha:f=0.5 transB:i=1");
    onnx_write_node(w, "BatchNormalization", "s b b b b", "n", "");
    onnx_write_node(w, "Mul", "n c", "m", "");
    onnx_write_node(w, "Softmax", "m", "y", "");
    onnx_write_file(w);
}

static void running_out_of_memory_anywhere_is_a_status(void **state)
{
    (void)state;
    static const char config[] = "{\"labels\": [\"a\", \"b\"], \"batching\": {}}";
    struct onnx_writer w = {0};
    write_model(&w);
    struct model_limits limits = model_limits_default();
    enum model_status status = MODEL_NOMEM;
    size_t allowed = 0;
    for (; status == MODEL_NOMEM && allowed < 10000; allowed++) {
        struct model *m = NULL;
        struct model_error error = {""};
        allocations_left = allowed;
        status = model_load_memory("net", "1", w.file.data, w.file.bytes, config, strlen(config),
                                   &limits, &m, &error);
        allocations_left = SIZE_MAX;
        if (status == MODEL_NOMEM) {
            assert_null(m);
            assert_non_null(strstr(error.text, "memory"));
        }
        model_destroy(m);
    }
    assert_int_equal(status, MODEL_OK);
    assert_true(allowed > 30);
    onnx_writer_free(&w);
}

static void layers_stay_as_they_are_without_memory_for_packed_weights(void **state)
{
    (void)state;
    struct onnx_writer w = {0};
    write_model(&w);
    struct model_limits limits = model_limits_default();
    struct kernels table = *kernels_for(KERNELS_SCALAR);
    table.isa = KERNELS_NEON; /* plain C is not measured */
    for (size_t allowed = 0; allowed < 3; allowed++) {
        struct model *m = NULL;
        struct model_error error = {""};
        assert_int_equal(
            model_load_memory("net", "1", w.file.data, w.file.bytes, NULL, 0, &limits, &m, &error),
            MODEL_OK);
        allocations_left = allowed;
        model_choose_kernels(m, &table, 4);
        allocations_left = SIZE_MAX;
        assert_string_equal(model_layer(m, 0).kernel, "plain");
        float in[] = {1, 2}, out[2], scratch[64];
        assert_true(model_scratch_size(m, 1) <= 64);
        model_run(m, &table, in, 1, out, scratch);
        model_destroy(m);
    }
    onnx_writer_free(&w);
}

static void int8_without_memory_is_a_status(void **state)
{
    (void)state;
    static const char config[] = "{\"precision\": \"int8\", \"int8_max_error\": 1}";
    struct onnx_writer w = {0};
    write_model(&w);
    struct model_limits limits = model_limits_default();
    enum model_status status = MODEL_NOMEM;
    size_t allowed = 0;
    for (; status == MODEL_NOMEM && allowed < 100; allowed++) {
        struct model *m = NULL;
        struct model_error error = {""};
        assert_int_equal(model_load_memory("net", "1", w.file.data, w.file.bytes, config,
                                           strlen(config), &limits, &m, &error),
                         MODEL_OK);
        allocations_left = allowed;
        status = model_apply_precision(m, kernels_for(KERNELS_SCALAR), &error);
        allocations_left = SIZE_MAX;
        model_destroy(m);
    }
    assert_int_equal(status, MODEL_OK);
    assert_true(allowed > 5);
    onnx_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_out_of_memory_anywhere_is_a_status),
        cmocka_unit_test(layers_stay_as_they_are_without_memory_for_packed_weights),
        cmocka_unit_test(int8_without_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
