/*
 * test_kernel_variants.c - every table this processor runs agrees with the
 * plain one, at every length, and touches nothing outside its arrays: those end
 * or begin at a page that may not be touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels.h"
#include "kernels_testing.h"

/*
 * Twice what test_indicators.c allows against the exact result, because both
 * sides may err; activations, dense layers: see their own tests.
 */
#define SMA_RELATIVE_MAX 2e-15
#define EMA_RELATIVE_MAX 2e-14
#define RSI_ABSOLUTE_MAX 2e-12
#define ACTIVATION_RELATIVE_MAX 4e-7F

#define PAGES 2
#define LONG_VALUES 700

/* Memory between two pages that may not be touched. */
struct fenced {
    unsigned char *map;
    size_t map_bytes;
    unsigned char *begin;
    unsigned char *end;
};

static struct fenced fenced_create(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct fenced f = {.map_bytes = (PAGES + 2) * page};
    f.map = mmap(NULL, f.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f.map, MAP_FAILED);
    f.begin = f.map + page;
    f.end = f.begin + PAGES * page;
    assert_int_equal(mprotect(f.begin, PAGES * page, PROT_READ | PROT_WRITE), 0);
    return f;
}

static void fenced_destroy(struct fenced *f)
{
    assert_int_equal(munmap(f->map, f->map_bytes), 0);
}

enum side {
    SIDE_END,
    SIDE_BEGIN
};

static void *fenced_array(const struct fenced *f, enum side side, size_t bytes)
{
    assert_true(bytes <= (size_t)(f->end - f->begin));
    return side == SIDE_END ? f->end - bytes : f->begin;
}

static void fill_prices(double *x, size_t n)
{
    uint64_t random = n;
    for (size_t i = 0; i < n; i++)
        x[i] = 100 + 10 * next_random(&random);
}

static void fill_signed(float *x, size_t n)
{
    uint64_t random = n;
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(20 * next_random(&random) - 10);
}

static void assert_same(const char *what, size_t n, size_t period, const double *got,
                        const double *want, double allowed)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(got[i]) && isnan(want[i]))
            continue;
        if (!(fabs(got[i] - want[i]) <= allowed))
            fail_msg("%s, n %zu, period %zu, [%zu]: got %.17g, the twin says %.17g", what, n,
                     period, i, got[i], want[i]);
    }
}

/* The series is near 100: relative and absolute tolerances differ by that factor. */
static void compare_indicators(const struct kernels *table, const double *in, double *out, size_t n,
                               size_t period)
{
    const struct kernels *twin = kernels_for(KERNELS_SCALAR);
    double want[LONG_VALUES + 1];
    twin->sma_f64(in, n, period, want);
    table->sma_f64(in, n, period, out);
    assert_same("sma", n, period, out, want, 110 * SMA_RELATIVE_MAX);
    twin->ema_f64(in, n, period, want);
    table->ema_f64(in, n, period, out);
    assert_same("ema", n, period, out, want, 110 * EMA_RELATIVE_MAX);
    twin->rsi_f64(in, n, period, want);
    table->rsi_f64(in, n, period, out);
    assert_same("rsi", n, period, out, want, RSI_ABSOLUTE_MAX);
}

static void compare_fenced(const struct kernels *table, enum side side, size_t n, size_t period)
{
    static struct fenced in;
    static struct fenced out;
    if (in.map == NULL) {
        in = fenced_create();
        out = fenced_create();
    }
    double *x = fenced_array(&in, side, n * sizeof *x);
    fill_prices(x, n);
    compare_indicators(table, x, fenced_array(&out, side, n * sizeof *x), n, period);
}

static void every_length_and_period_agrees_between_fences(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    for (size_t n = 0; n <= 100; n++)
        for (size_t period = 1; period <= 70; period++) {
            compare_fenced(table, SIDE_END, n, period);
            compare_fenced(table, SIDE_BEGIN, n, period);
        }
}

static void long_series_and_periods_agree_between_fences(void **state)
{
    (void)state;
    static const size_t periods[] = {1,   2,   5,   14,  20,  63,  64,  65,  66,
                                     67,  68,  100, 127, 128, 129, 131, 192, 255,
                                     256, 300, 449, 512, 513, 649, 700};
    FOR_EACH_TABLE(table)
    for (size_t n = LONG_VALUES - 35; n <= LONG_VALUES; n++)
        for (size_t p = 0; p < COUNT_OF(periods); p++) {
            compare_fenced(table, SIDE_END, n, periods[p]);
            compare_fenced(table, SIDE_BEGIN, n, periods[p]);
        }
}

/* Every place within a vector, for input and output apart. */
static void unaligned_series_agree(void **state)
{
    (void)state;
    static _Alignas(64) double in[LONG_VALUES + 8];
    static _Alignas(64) double out[LONG_VALUES + 8];
    FOR_EACH_TABLE(table)
    for (size_t shift = 0; shift < 64; shift++) {
        double *x = in + shift % 8;
        fill_prices(x, LONG_VALUES);
        compare_indicators(table, x, out + shift / 8, LONG_VALUES, 20);
        compare_indicators(table, x, out + shift / 8, LONG_VALUES, 99);
    }
}

/* The warm-up is written, and nothing behind the last value. */
static void nothing_but_the_output_is_written(void **state)
{
    (void)state;
    double in[128];
    double out[130];
    fill_prices(in, 128);
    FOR_EACH_TABLE(table)
    for (size_t n = 0; n <= 128; n++) {
        for (size_t i = 0; i < 130; i++)
            out[i] = -1;
        table->sma_f64(in, n, 20, out + 1);
        table->ema_f64(in, n, 20, out + 1);
        table->rsi_f64(in, n, 14, out + 1);
        if (out[0] != -1 || out[n + 1] != -1)
            fail_msg("n %zu: the neighbours became %g and %g, want -1", n, out[0], out[n + 1]);
    }
}

typedef void indicator(const double *restrict in, size_t n, size_t period, double *restrict out);
typedef void batch(const struct kernels_series *series, size_t count, size_t period);

#define SERIES_MAX 25

/* `count` series, each behind an element of its own that nobody may write, between fences. */
struct series_set {
    struct fenced in;
    struct fenced out;
    struct kernels_series list[SERIES_MAX];
    size_t count;
};

static void series_set_lay_out(struct series_set *set, enum side side, const size_t *lengths,
                               size_t count)
{
    size_t values = 0;
    for (size_t i = 0; i < count; i++)
        values += lengths[i];
    double *in = fenced_array(&set->in, side, values * sizeof *in);
    double *out = fenced_array(&set->out, side, (values + count) * sizeof *out);
    fill_prices(in, values);
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        *out++ = -1;
        set->list[i] = (struct kernels_series){in, lengths[i], out};
        in += lengths[i];
        out += lengths[i];
    }
}

static void compare_batch(const char *what, const struct series_set *set, size_t period,
                          batch *together, indicator *alone, double allowed)
{
    double want[LONG_VALUES];
    together(set->list, set->count, period);
    for (size_t i = 0; i < set->count; i++) {
        const struct kernels_series *one = &set->list[i];
        alone(one->in, one->n, period, want);
        assert_same(what, one->n, period, one->out, want, allowed);
        if (one->out[-1] != -1)
            fail_msg("%s: what is before series %zu became %g", what, i, one->out[-1]);
    }
}

/* Bounds as against the twin. Where rows are computed one by one, the bits are the same. */
static void compare_batches(const struct kernels *table, const struct series_set *set,
                            size_t period)
{
    const bool same = table->isa != KERNELS_AVX512;
    compare_batch("sma", set, period, table->sma_batch_f64, table->sma_f64, 0);
    compare_batch("ema", set, period, table->ema_batch_f64, table->ema_f64,
                  same ? 0 : 110 * EMA_RELATIVE_MAX);
    compare_batch("rsi", set, period, table->rsi_batch_f64, table->rsi_f64,
                  same ? 0 : RSI_ABSOLUTE_MAX);
}

static const size_t batch_periods[] = {1, 2, 5, 6, 14, 16, 17, 20, 61, 62, 100};

static void compare_lengths(struct series_set *set, const size_t *lengths, size_t count)
{
    FOR_EACH_TABLE(table)
    for (size_t p = 0; p < COUNT_OF(batch_periods); p++)
        for (enum side side = SIDE_END; side <= SIDE_BEGIN; side++) {
            series_set_lay_out(set, side, lengths, count);
            compare_batches(table, set, batch_periods[p]);
        }
}

static void a_batch_of_one_length_gives_what_its_series_give(void **state)
{
    (void)state;
    struct series_set set = {.in = fenced_create(), .out = fenced_create()};
    size_t lengths[SERIES_MAX];
    for (size_t n = 0; n <= 36; n++) {
        for (size_t i = 0; i < SERIES_MAX; i++)
            lengths[i] = n;
        compare_lengths(&set, lengths, n % SERIES_MAX);
    }
    fenced_destroy(&set.in);
    fenced_destroy(&set.out);
}

/* About the same, so that they are taken together, and longer than most periods. */
static void a_batch_of_similar_lengths_gives_what_its_series_give(void **state)
{
    (void)state;
    struct series_set set = {.in = fenced_create(), .out = fenced_create()};
    size_t lengths[9];
    uint64_t random = 3;
    for (size_t round = 0; round < 60; round++) {
        for (size_t i = 0; i < 9; i++)
            lengths[i] = 45 + (size_t)(30 * next_random(&random)) + (round == 0 ? 100 : 0);
        compare_lengths(&set, lengths, round == 0 ? 5 : 9);
    }
    fenced_destroy(&set.in);
    fenced_destroy(&set.out);
}

static void a_batch_of_all_lengths_gives_what_its_series_give(void **state)
{
    (void)state;
    struct series_set set = {.in = fenced_create(), .out = fenced_create()};
    size_t lengths[SERIES_MAX];
    uint64_t random = 4;
    for (size_t round = 0; round < 60; round++) {
        for (size_t i = 0; i < SERIES_MAX; i++)
            lengths[i] = (size_t)(37 * next_random(&random));
        compare_lengths(&set, lengths, SERIES_MAX);
    }
    fenced_destroy(&set.in);
    fenced_destroy(&set.out);
}

static void an_empty_batch_is_nothing_to_do(void **state)
{
    (void)state;
    FOR_EACH_TABLE(table)
    {
        table->sma_batch_f64(NULL, 0, 20);
        table->ema_batch_f64(NULL, 0, 20);
        table->rsi_batch_f64(NULL, 0, 14);
    }
}

typedef void activation(float *x, size_t n);

static void compare_activation(const char *what, activation *fast, activation *plain, float *x,
                               size_t n)
{
    float want[128];
    fill_signed(x, n);
    memcpy(want, x, n * sizeof *x);
    fast(x, n);
    plain(want, n);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(x[i] - want[i]) <= ACTIVATION_RELATIVE_MAX * fabsf(want[i])))
            fail_msg("%s, n %zu, [%zu]: got %.9g, the twin says %.9g", what, n, i, (double)x[i],
                     (double)want[i]);
}

static void compare_softmax(const struct kernels *table, float *x, size_t rows, size_t cols)
{
    float want[128];
    const size_t n = rows * cols;
    fill_signed(x, n);
    memcpy(want, x, n * sizeof *x);
    table->softmax_f32(x, rows, cols);
    kernels_for(KERNELS_SCALAR)->softmax_f32(want, rows, cols);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(x[i] - want[i]) <= ACTIVATION_RELATIVE_MAX * want[i]))
            fail_msg("softmax %zu x %zu, [%zu]: got %.9g, the twin says %.9g", rows, cols, i,
                     (double)x[i], (double)want[i]);
}

static void activations_agree_between_fences(void **state)
{
    (void)state;
    const struct kernels *twin = kernels_for(KERNELS_SCALAR);
    struct fenced memory = fenced_create();
    FOR_EACH_TABLE(table)
    for (size_t n = 0; n <= 100; n++)
        for (enum side side = SIDE_END; side <= SIDE_BEGIN; side++) {
            float *x = fenced_array(&memory, side, n * sizeof *x);
            compare_activation("relu", table->relu_f32, twin->relu_f32, x, n);
            compare_activation("sigmoid", table->sigmoid_f32, twin->sigmoid_f32, x, n);
            compare_activation("tanh", table->tanh_f32, twin->tanh_f32, x, n);
            compare_softmax(table, x, 1, n);
            compare_softmax(table, fenced_array(&memory, side, n / 3 * 3 * sizeof *x), 3, n / 3);
        }
    fenced_destroy(&memory);
}

/* Dense layers of random sizes, all four arrays ending at a fence. */
static void dense_agrees_between_fences(void **state)
{
    (void)state;
    struct fenced in = fenced_create();
    struct fenced weights = fenced_create();
    struct fenced bias = fenced_create();
    struct fenced out = fenced_create();
    float want[9 * 40];
    FOR_EACH_TABLE(table)
    for (size_t rows = 0; rows <= 9; rows++)
        for (size_t size = 1; size <= 40; size++) {
            const size_t ins = 41 - size;
            float *x = fenced_array(&in, SIDE_END, rows * ins * sizeof *x);
            float *w = fenced_array(&weights, SIDE_END, ins * size * sizeof *w);
            float *b = fenced_array(&bias, SIDE_END, size * sizeof *b);
            float *y = fenced_array(&out, SIDE_END, rows * size * sizeof *y);
            fill_signed(x, rows * ins);
            fill_signed(w, ins * size);
            fill_signed(b, size);
            table->dense_f32(x, w, b, rows, ins, size, y);
            kernels_for(KERNELS_SCALAR)->dense_f32(x, w, b, rows, ins, size, want);
            for (size_t i = 0; i < rows * size; i++)
                /* 41 products of up to 100, each sum rounded to 6e-8 of at most 4100. */
                if (!(fabsf(y[i] - want[i]) <= 1e-2F))
                    fail_msg("%zu rows, %zu to %zu, [%zu]: got %.9g, the twin says %.9g", rows, ins,
                             size, i, (double)y[i], (double)want[i]);
        }
    fenced_destroy(&in);
    fenced_destroy(&weights);
    fenced_destroy(&bias);
    fenced_destroy(&out);
}

/* The same over packed weights, in place of the plain ones. */
static void packed_dense_agrees_between_fences(void **state)
{
    (void)state;
    struct fenced in = fenced_create();
    struct fenced packed = fenced_create();
    struct fenced bias = fenced_create();
    struct fenced out = fenced_create();
    float weights[41 * 41];
    float want[9 * 70];
    FOR_EACH_TABLE(table)
    for (size_t rows = 0; rows <= 9; rows++)
        for (size_t size = 1; size <= 70; size++) {
            const size_t ins = 1 + (7 * size + 5 * rows) % 23;
            float *x = fenced_array(&in, SIDE_END, rows * ins * sizeof *x);
            float *w =
                fenced_array(&packed, SIDE_END, table->dense_packed_size(ins, size) * sizeof *w);
            float *b = fenced_array(&bias, SIDE_END, size * sizeof *b);
            float *y = fenced_array(&out, SIDE_END, rows * size * sizeof *y);
            fill_signed(x, rows * ins);
            fill_signed(weights, ins * size);
            fill_signed(b, size);
            table->dense_pack(weights, ins, size, w);
            table->dense_packed_f32(x, w, b, KERNELS_RELU, rows, ins, size, y);
            kernels_for(KERNELS_SCALAR)
                ->dense_packed_f32(x, weights, b, KERNELS_RELU, rows, ins, size, want);
            for (size_t i = 0; i < rows * size; i++)
                if (!(fabsf(y[i] - want[i]) <= 1e-2F))
                    fail_msg("%zu rows, %zu to %zu, [%zu]: got %.9g, the twin says %.9g", rows, ins,
                             size, i, (double)y[i], (double)want[i]);
        }
    fenced_destroy(&in);
    fenced_destroy(&packed);
    fenced_destroy(&bias);
    fenced_destroy(&out);
}

static void tables_say_what_they_are(void **state)
{
    (void)state;
    assert_non_null(kernels_for(KERNELS_SCALAR));
    FOR_EACH_TABLE(table)
    assert_int_equal(table->isa, _isa);
    const struct kernels *best = kernels_best();
    assert_true(best->isa == KERNELS_SCALAR || best == kernels_for(best->isa));
    assert_null(kernels_for(KERNELS_ISA_COUNT));
}

static void names_and_sets_translate_both_ways(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KERNELS_ISA_COUNT; i++) {
        enum kernels_isa isa = KERNELS_ISA_COUNT;
        assert_true(kernels_isa_parse(kernels_isa_str((enum kernels_isa)i), &isa));
        assert_int_equal(isa, i);
    }
    enum kernels_isa untouched = KERNELS_NEON;
    assert_false(kernels_isa_parse("sse9", &untouched));
    assert_false(kernels_isa_parse("", &untouched));
    assert_int_equal(untouched, KERNELS_NEON);
}

int main(void)
{
    kernels_blas_single_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_say_what_they_are),
        cmocka_unit_test(names_and_sets_translate_both_ways),
        cmocka_unit_test(every_length_and_period_agrees_between_fences),
        cmocka_unit_test(long_series_and_periods_agree_between_fences),
        cmocka_unit_test(unaligned_series_agree),
        cmocka_unit_test(nothing_but_the_output_is_written),
        cmocka_unit_test(a_batch_of_one_length_gives_what_its_series_give),
        cmocka_unit_test(a_batch_of_similar_lengths_gives_what_its_series_give),
        cmocka_unit_test(a_batch_of_all_lengths_gives_what_its_series_give),
        cmocka_unit_test(an_empty_batch_is_nothing_to_do),
        cmocka_unit_test(activations_agree_between_fences),
        cmocka_unit_test(dense_agrees_between_fences),
        cmocka_unit_test(packed_dense_agrees_between_fences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
