/*
 * test_dense_i8.c - the int8 dense layer: every table gives the bits of the
 * definition, touches nothing outside its arrays (they end or begin at a page
 * that may not be touched), and stays near float32.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels.h"
#include "kernels_testing.h"

/* Two units of sigmoid and tanh, which are each table's own. */
#define ACTIVATION_RELATIVE_MAX 4e-7F
#define ERROR_MAX 1e-2
#define FENCED_BYTES ((size_t)1 << 18)

/* --- memory between two pages that may not be touched */

enum side {
    SIDE_END,
    SIDE_BEGIN
};

struct fenced {
    unsigned char *map, *begin, *end;
};

static struct fenced fenced_create(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct fenced f = {0};
    f.map = mmap(NULL, FENCED_BYTES + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f.map, MAP_FAILED);
    f.begin = f.map + page;
    f.end = f.begin + FENCED_BYTES;
    assert_int_equal(mprotect(f.begin, FENCED_BYTES, PROT_READ | PROT_WRITE), 0);
    return f;
}

static void fenced_destroy(struct fenced *f)
{
    assert_int_equal(munmap(f->map, FENCED_BYTES + (size_t)(f->begin - f->map) * 2), 0);
}

/* What it held before is noise that no result may show. */
static void *fenced_array(const struct fenced *f, enum side side, size_t bytes)
{
    assert_true(bytes <= FENCED_BYTES);
    unsigned char *at = side == SIDE_END ? f->end - bytes : f->begin;
    memset(at, 0xA5, bytes);
    return at;
}

/* --- layers */

struct shape {
    size_t rows, in_size, out_size;
};

static void fill_even(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * next_random(&seed) - 1);
}

/* The sum of twelve even numbers is nearly normal. */
static void fill_normal(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        double sum = -6;
        for (size_t k = 0; k < 12; k++)
            sum += next_random(&seed);
        x[i] = (float)sum;
    }
}

static void *allocate(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
    assert_non_null(memory);
    return memory;
}

/* Packs and runs in memory of its own. */
static void run_layer(const struct kernels *table, struct shape s, const float *in,
                      const float *weights, const float *bias, enum kernels_activation activation,
                      float *out)
{
    void *packed = allocate(table->dense_i8_size(s.in_size, s.out_size));
    void *scratch = allocate(table->dense_i8_scratch(s.rows, s.in_size));
    table->dense_i8_pack(weights, s.in_size, s.out_size, packed);
    table->dense_i8_f32(in, packed, bias, activation, s.rows, s.in_size, s.out_size, scratch, out);
    free(scratch);
    free(packed);
}

static void assert_same_bits(const struct kernels *table, struct shape s, const char *what,
                             const float *got, const float *want)
{
    for (size_t i = 0; i < s.rows * s.out_size; i++)
        if (memcmp(got + i, want + i, sizeof *got) != 0)
            fail_msg("%s, %zu rows, %zu to %zu, %s, [%zu]: got %.9g, want %.9g",
                     table->dense_i8_isa, s.rows, s.in_size, s.out_size, what, i, (double)got[i],
                     (double)want[i]);
}

/* --- the definition, written down once more */

static float magnitude_max(const float *x, size_t n, size_t stride)
{
    float max = 0;
    for (size_t i = 0; i < n; i++)
        max = fmaxf(max, fabsf(x[i * stride]));
    return max;
}

/* One step of a row of inputs, or 0. */
static float input_step(const float *x, size_t n)
{
    float low = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
    }
    return magnitude_max(x, n, 1) < 1e-30F ? 0 : high / 254 - low / 254;
}

static float define_output(struct shape s, const float *in, const float *weights, const float *bias,
                           size_t row, size_t col)
{
    const float *x = in + row * s.in_size;
    const float *w = weights + col;
    const float step = input_step(x, s.in_size);
    const float w_max = magnitude_max(w, s.in_size, s.out_size);
    int64_t sum = 0;
    for (size_t i = 0; i < s.in_size && step > 0 && w_max >= 1e-30F; i++)
        sum += (int64_t)lrintf(x[i] * (1 / step)) * lrintf(w[i * s.out_size] * (127 / w_max));
    const volatile float scale = step * (w_max / 127);
    const volatile float product = (float)sum * scale; /* never fused with the addition */
    return product + (bias != NULL ? bias[col] : 0);
}

static void define_outputs(struct shape s, const float *in, const float *weights, const float *bias,
                           float *out)
{
    for (size_t row = 0; row < s.rows; row++)
        for (size_t col = 0; col < s.out_size; col++)
            out[row * s.out_size + col] = define_output(s, in, weights, bias, row, col);
}

static void every_table_gives_the_bits_of_the_definition(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{1, 1, 1},  {2, 3, 5},    {3, 64, 10},  {7, 17, 16},
                                          {5, 9, 65}, {13, 31, 96}, {4, 130, 100}};
    float in[13 * 130], weights[130 * 100], bias[100], got[1300], want[1300];
    FOR_EACH_TABLE(table)
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct shape s = shapes[i];
        fill_normal(in, s.rows * s.in_size, 1);
        fill_even(weights, s.in_size * s.out_size, 2);
        fill_even(bias, s.out_size, 3);
        define_outputs(s, in, weights, bias, want);
        run_layer(table, s, in, weights, bias, KERNELS_NO_ACTIVATION, got);
        assert_same_bits(table, s, "with bias", got, want);
        define_outputs(s, in, weights, NULL, want);
        run_layer(table, s, in, weights, NULL, KERNELS_NO_ACTIVATION, got);
        assert_same_bits(table, s, "without bias", got, want);
    }
}

/* --- every shape, between fences */

/* What a table works on: five arrays, each with its fences. */
struct arena {
    struct fenced in, packed, bias, scratch, out;
    float weights[130 * 130];
    float want[13 * 130];
    void *plain_packed, *plain_scratch;
};

static void check_against_twin(const struct kernels *table, struct arena *a, struct shape s,
                               enum side side, enum kernels_activation activation)
{
    const struct kernels *twin = kernels_for(KERNELS_SCALAR);
    float *in = fenced_array(&a->in, side, s.rows * s.in_size * sizeof *in);
    float *bias = fenced_array(&a->bias, side, s.out_size * sizeof *bias);
    float *out = fenced_array(&a->out, side, s.rows * s.out_size * sizeof *out);
    void *packed = fenced_array(&a->packed, side, table->dense_i8_size(s.in_size, s.out_size));
    void *scratch = fenced_array(&a->scratch, side, table->dense_i8_scratch(s.rows, s.in_size));
    fill_even(in, s.rows * s.in_size, s.in_size);
    fill_even(bias, s.out_size, s.out_size);
    table->dense_i8_pack(a->weights, s.in_size, s.out_size, packed);
    table->dense_i8_f32(in, packed, bias, activation, s.rows, s.in_size, s.out_size, scratch, out);
    twin->dense_i8_pack(a->weights, s.in_size, s.out_size, a->plain_packed);
    twin->dense_i8_f32(in, a->plain_packed, bias, activation, s.rows, s.in_size, s.out_size,
                       a->plain_scratch, a->want);
    assert_same_bits(table, s, activation == KERNELS_RELU ? "relu" : "sums", out, a->want);
}

static void check_shape(const struct kernels *table, struct arena *a, size_t in_size,
                        size_t out_size)
{
    const struct shape s = {
        .rows = 1 + (in_size + out_size) % 13, .in_size = in_size, .out_size = out_size};
    check_against_twin(table, a, s, SIDE_END, KERNELS_NO_ACTIVATION);
    check_against_twin(table, a, s, SIDE_BEGIN, KERNELS_RELU);
}

static void every_shape_equals_its_twin_between_fences(void **state)
{
    (void)state;
    static const size_t edges[] = {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 80, 129};
    struct arena *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->in = fenced_create();
    a->packed = fenced_create();
    a->bias = fenced_create();
    a->scratch = fenced_create();
    a->out = fenced_create();
    a->plain_packed = allocate(FENCED_BYTES);
    a->plain_scratch = allocate(FENCED_BYTES);
    fill_even(a->weights, COUNT_OF(a->weights), 9);
    FOR_EACH_TABLE(table)
    for (size_t size = 1; size <= 130; size++)
        for (size_t e = 0; e < COUNT_OF(edges); e++) {
            check_shape(table, a, size, edges[e]);
            check_shape(table, a, edges[e], size);
        }
    fenced_destroy(&a->in);
    fenced_destroy(&a->packed);
    fenced_destroy(&a->bias);
    fenced_destroy(&a->scratch);
    fenced_destroy(&a->out);
    free(a->plain_packed);
    free(a->plain_scratch);
    free(a);
}

static void every_number_of_rows_gives_each_row_what_it_is_alone(void **state)
{
    (void)state;
    float in[13 * 50], weights[50 * 90], bias[90], together[13 * 90], alone[90];
    fill_even(in, COUNT_OF(in), 1);
    fill_even(weights, COUNT_OF(weights), 2);
    fill_even(bias, COUNT_OF(bias), 3);
    FOR_EACH_TABLE(table)
    for (size_t rows = 1; rows <= 13; rows++) {
        run_layer(table, (struct shape){rows, 50, 90}, in, weights, bias, KERNELS_TANH, together);
        for (size_t row = 0; row < rows; row++) {
            const struct shape one = {1, 50, 90};
            run_layer(table, one, in + row * 50, weights, bias, KERNELS_TANH, alone);
            assert_same_bits(table, one, "a row of many", together + row * 90, alone);
        }
    }
}

/* Every array one number past where it would like to be. */
static void unaligned_arrays_give_the_same_bits(void **state)
{
    (void)state;
    const struct shape s = {5, 37, 83};
    float in[1 + 5 * 37], weights[1 + 37 * 83], bias[1 + 83], out[1 + 5 * 83], want[5 * 83];
    fill_even(in + 1, 5 * 37, 1);
    fill_even(weights + 1, 37 * 83, 2);
    fill_even(bias + 1, 83, 3);
    FOR_EACH_TABLE(table)
    {
        run_layer(table, s, in + 1, weights + 1, bias + 1, KERNELS_RELU, want);
        float *packed = allocate(table->dense_i8_size(37, 83) + sizeof(float));
        float *scratch = allocate(table->dense_i8_scratch(5, 37) + sizeof(float));
        table->dense_i8_pack(weights + 1, 37, 83, packed + 1);
        table->dense_i8_f32(in + 1, packed + 1, bias + 1, KERNELS_RELU, 5, 37, 83, scratch + 1,
                            out + 1);
        assert_same_bits(table, s, "unaligned", out + 1, want);
        free(packed);
        free(scratch);
    }
}

static void activations_agree_with_their_twins(void **state)
{
    (void)state;
    const struct shape s = {4, 20, 70};
    float in[4 * 20], weights[20 * 70], got[4 * 70], want[4 * 70];
    fill_normal(in, COUNT_OF(in), 1);
    fill_normal(weights, COUNT_OF(weights), 2);
    FOR_EACH_TABLE(table)
    for (unsigned a = KERNELS_SIGMOID; a <= KERNELS_TANH; a++) {
        run_layer(table, s, in, weights, NULL, (enum kernels_activation)a, got);
        run_layer(kernels_for(KERNELS_SCALAR), s, in, weights, NULL, (enum kernels_activation)a,
                  want);
        for (size_t i = 0; i < COUNT_OF(want); i++)
            if (!(fabsf(got[i] - want[i]) <= ACTIVATION_RELATIVE_MAX * fabsf(want[i])))
                fail_msg("%s, activation %u, [%zu]: got %.9g, the twin says %.9g",
                         table->dense_i8_isa, a, i, (double)got[i], (double)want[i]);
    }
}

/* --- numbers out of the ordinary */

/* Row 1 and columns 2 and 18 hold nothing larger than 1e-31. */
static void rows_and_columns_of_nothing_give_the_bias(void **state)
{
    (void)state;
    const struct shape s = {3, 21, 20};
    float in[3 * 21], weights[21 * 20], bias[20], out[3 * 20];
    fill_even(in, COUNT_OF(in), 1);
    fill_even(weights, COUNT_OF(weights), 2);
    fill_even(bias, COUNT_OF(bias), 3);
    for (size_t i = 0; i < 21; i++) {
        in[21 + i] = i % 2 == 0 ? 0 : 1e-31F;
        weights[i * 20 + 2] = 0;
        weights[i * 20 + 18] = -1e-40F;
    }
    FOR_EACH_TABLE(table)
    {
        run_layer(table, s, in, weights, bias, KERNELS_NO_ACTIVATION, out);
        for (size_t i = 0; i < COUNT_OF(out); i++)
            if ((i / 20 == 1 || i % 20 == 2 || i % 20 == 18) && out[i] != bias[i % 20])
                fail_msg("%s [%zu]: got %.9g, the bias is %.9g", table->dense_i8_isa, i,
                         (double)out[i], (double)bias[i % 20]);
    }
}

static void a_layer_without_inputs_gives_the_bias(void **state)
{
    (void)state;
    const float nothing = 0;
    const float bias[] = {1, -2, 3};
    FOR_EACH_TABLE(table)
    {
        float out[6] = {0};
        run_layer(table, (struct shape){2, 0, 3}, &nothing, &nothing, bias, KERNELS_NO_ACTIVATION,
                  out);
        for (size_t i = 0; i < 6; i++)
            assert_true(out[i] == bias[i % 3]);
    }
}

/* All products as large as can be, of either sign: an int32 that overflowed would be far off. */
static void the_largest_layer_does_not_overflow(void **state)
{
    (void)state;
    const struct shape s = {2, KERNELS_I8_INPUTS_MAX, 17};
    const size_t n = KERNELS_I8_INPUTS_MAX;
    float *in = allocate(2 * n * sizeof *in);
    float *weights = allocate(17 * n * sizeof *weights);
    float out[2 * 17];
    for (size_t i = 0; i < n; i++) {
        in[i] = 1;
        in[n + i] = -1;
        for (size_t col = 0; col < 17; col++)
            weights[i * 17 + col] = col % 2 == 0 ? 1 : -1;
    }
    FOR_EACH_TABLE(table)
    {
        run_layer(table, s, in, weights, NULL, KERNELS_NO_ACTIVATION, out);
        for (size_t i = 0; i < COUNT_OF(out); i++) {
            const float want = (i / 17 + i % 17) % 2 == 0 ? (float)n : -(float)n;
            if (!(fabsf(out[i] - want) <= 1e-6F * (float)n))
                fail_msg("%s [%zu]: got %.9g, want %.9g", table->dense_i8_isa, i, (double)out[i],
                         (double)want);
        }
    }
    free(in);
    free(weights);
}

static void sizes_beyond_the_bounds_are_refused(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    {
        assert_true(table->dense_i8_size(KERNELS_I8_INPUTS_MAX, 1) > 0);
        assert_int_equal(table->dense_i8_size(KERNELS_I8_INPUTS_MAX + 1, 1), 0);
        assert_int_equal(table->dense_i8_size(1, KERNELS_I8_OUTPUTS_MAX + 1), 0);
        assert_int_equal(table->dense_i8_size(1, 0), 0);
    }
}

/* --- how far from float32 */

static double exact_output(struct shape s, const float *in, const float *weights, size_t row,
                           size_t col)
{
    double sum = 0;
    for (size_t i = 0; i < s.in_size; i++)
        sum += (double)in[row * s.in_size + i] * (double)weights[i * s.out_size + col];
    return sum;
}

/* The largest error of a row as a part of its largest output. */
static double row_error(struct shape s, const float *in, const float *weights, const float *out,
                        size_t row)
{
    double error = 0, largest = 0;
    for (size_t col = 0; col < s.out_size; col++) {
        const double want = exact_output(s, in, weights, row, col);
        error = fmax(error, fabs((double)out[row * s.out_size + col] - want));
        largest = fmax(largest, fabs(want));
    }
    return error / largest;
}

/* What a layer after ReLU sees. */
static void fill_rectified(float *x, size_t n, uint64_t seed)
{
    fill_normal(x, n, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

typedef void fill(float *x, size_t n, uint64_t seed);

static void check_error(const char *what, fill *fill_in, fill *fill_weights, double error_max)
{
    const struct shape s = {3, 1024, 1024};
    float *in = allocate(3 * 1024 * sizeof *in);
    float *weights = allocate(1024 * 1024 * sizeof *weights);
    float *out = allocate(3 * 1024 * sizeof *out);
    fill_in(in, 3 * 1024, 1);
    fill_weights(weights, 1024 * 1024, 2);
    FOR_EACH_TABLE(table)
    {
        run_layer(table, s, in, weights, NULL, KERNELS_NO_ACTIVATION, out);
        for (size_t row = 0; row < s.rows; row++) {
            const double error = row_error(s, in, weights, out, row);
            if (!(error <= error_max))
                fail_msg("%s, %s, row %zu: off by %.3g of max |y|, at most %.3g",
                         table->dense_i8_isa, what, row, error, error_max);
        }
    }
    free(in);
    free(weights);
    free(out);
}

static void large_layers_are_within_a_hundredth_of_their_largest_output(void **state)
{
    (void)state;
    check_error("even", fill_even, fill_even, ERROR_MAX);
    check_error("normal inputs", fill_normal, fill_even, ERROR_MAX);
    check_error("rectified inputs", fill_rectified, fill_normal, ERROR_MAX);
}

/* The tails of both cost steps. */
static void layers_of_normal_weights_and_inputs_are_within_a_little_more(void **state)
{
    (void)state;
    check_error("normal", fill_normal, fill_normal, 1.6 * ERROR_MAX);
}

/* One input and one weight dwarf the rest: the steps are coarse, but still half of them at most. */
static void outliers_stay_within_the_bound(void **state)
{
    (void)state;
    const struct shape s = {2, 100, 30};
    float in[2 * 100], weights[100 * 30], out[2 * 30];
    fill_even(in, COUNT_OF(in), 1);
    fill_even(weights, COUNT_OF(weights), 2);
    in[7] = 1000;
    weights[50 * 30 + 3] = -500;
    FOR_EACH_TABLE(table)
    {
        run_layer(table, s, in, weights, NULL, KERNELS_NO_ACTIVATION, out);
        for (size_t i = 0; i < COUNT_OF(out); i++) {
            const double x_max = (double)magnitude_max(in + i / 30 * 100, 100, 1);
            const double w_max = (double)magnitude_max(weights + i % 30, 100, 30);
            const double want = exact_output(s, in, weights, i / 30, i % 30);
            if (!(fabs((double)out[i] - want) <= 100 * x_max * w_max / 126))
                fail_msg("%s [%zu]: got %.9g, exactly %.9g, may be off by %.9g",
                         table->dense_i8_isa, i, (double)out[i], want, 100 * x_max * w_max / 126);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_gives_the_bits_of_the_definition),
        cmocka_unit_test(every_shape_equals_its_twin_between_fences),
        cmocka_unit_test(every_number_of_rows_gives_each_row_what_it_is_alone),
        cmocka_unit_test(unaligned_arrays_give_the_same_bits),
        cmocka_unit_test(activations_agree_with_their_twins),
        cmocka_unit_test(rows_and_columns_of_nothing_give_the_bias),
        cmocka_unit_test(a_layer_without_inputs_gives_the_bias),
        cmocka_unit_test(the_largest_layer_does_not_overflow),
        cmocka_unit_test(sizes_beyond_the_bounds_are_refused),
        cmocka_unit_test(large_layers_are_within_a_hundredth_of_their_largest_output),
        cmocka_unit_test(layers_of_normal_weights_and_inputs_are_within_a_little_more),
        cmocka_unit_test(outliers_stay_within_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
