/*
 * bench_number_read.c - nanoseconds to read one number of an array, against yyjson, which
 * reads the same text in place into a document of kept memory, and is asked for the values.
 *
 *   bench_number_read [rounds]      default 101; both take turns, on one core
 *
 * Medians, and the median of the rounds' ratios: how many times as long yyjson takes.
 */
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <yyjson.h>

#include "number_read.h"
#include "number_scan.h"

enum {
    NUMBERS_MAX = 1000,
    NUMBER_BYTES_MAX = 40,
    TURN_NUMBERS = 64000, /* no array twice, so that no branch is learned by heart */
    TEXTS_BYTES = TURN_NUMBERS * NUMBER_BYTES_MAX,
    ROUNDS_MAX = 1001
};

struct text {
    char *data; /* with zeros behind it */
    size_t bytes;
};

struct work {
    struct text *texts;
    size_t texts_count;
    size_t numbers; /* in each */
    bool is_f32;
    const struct number_scan *scan; /* NULL: yyjson */
    yyjson_alc *arena;
    double *f64;
    float *f32;
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static double unit(uint64_t random)
{
    return (double)(random >> 11) * 0x1p-53;
}

/* --- what is read */

static int put_digit(char *out, uint64_t random)
{
    return sprintf(out, "%d", (int)(random % 17));
}

static int put_price(char *out, uint64_t random)
{
    return sprintf(out, "%.2f", unit(random) * 1000);
}

static int put_pixel(char *out, uint64_t random)
{
    return sprintf(out, "%.4g", (double)(random % 256) / 255);
}

static int put_f32(char *out, uint64_t random)
{
    return sprintf(out, "%.9g", (double)(float)(unit(random) * 2 - 1));
}

static int put_f64(char *out, uint64_t random)
{
    return sprintf(out, "%.17g", unit(random) * 1000);
}

/* Returns where the next text may begin. */
static char *make_text(struct text *text, char *data, int (*put)(char *, uint64_t), size_t numbers,
                       uint64_t *state)
{
    char *at = text->data = data;
    *at++ = '[';
    for (size_t i = 0; i < numbers; i++) {
        at += put(at, next_random(state));
        *at++ = i + 1 < numbers ? ',' : ']';
    }
    text->bytes = (size_t)(at - data);
    memset(at, 0, NUMBER_READ_PADDING);
    return at + NUMBER_READ_PADDING;
}

static void make_texts(struct work *w, char *data, int (*put)(char *, uint64_t), size_t numbers,
                       uint64_t *state)
{
    w->numbers = numbers;
    w->texts_count = TURN_NUMBERS / numbers;
    for (size_t i = 0; i < w->texts_count; i++)
        data = make_text(&w->texts[i], data, put, numbers, state);
}

/* --- the two */

static void read_with_yyjson(const struct work *w, struct text *text)
{
    yyjson_doc *doc = yyjson_read_opts(text->data, text->bytes, YYJSON_READ_INSITU, w->arena, NULL);
    yyjson_val *array = yyjson_doc_get_root(doc), *value;
    size_t i, count;
    if (w->is_f32) {
        yyjson_arr_foreach(array, i, count, value) w->f32[i] = (float)yyjson_get_num(value);
    } else {
        yyjson_arr_foreach(array, i, count, value) w->f64[i] = yyjson_get_num(value);
    }
    yyjson_doc_free(doc);
}

static void read_with_scan(const struct work *w, const struct text *text)
{
    const char *at = text->data + 1, *end;
    if (w->is_f32) {
        size_t count = w->scan->f32(text->data, &at, w->f32, w->numbers);
        number_read_f32(at, &end, &w->f32[count]);
    } else {
        size_t count = w->scan->f64(text->data, &at, w->f64, w->numbers);
        number_read_f64(at, &end, &w->f64[count]);
    }
}

static double time_turn(const struct work *w)
{
    double start = now_ns();
    for (size_t i = 0; i < w->texts_count; i++) {
        if (w->scan == NULL)
            read_with_yyjson(w, &w->texts[i]);
        else
            read_with_scan(w, &w->texts[i]);
    }
    return (now_ns() - start) / (double)(w->texts_count * w->numbers);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static void bench(const char *name, struct work *w, const char *isa, size_t rounds)
{
    static double yyjson[ROUNDS_MAX], ours[ROUNDS_MAX], ratios[ROUNDS_MAX];
    for (size_t round = 0; round < rounds; round++) {
        w->scan = NULL;
        yyjson[round] = time_turn(w);
        w->scan = number_scan_for(isa);
        ours[round] = time_turn(w);
        ratios[round] = yyjson[round] / ours[round];
    }
    printf("%-22s %7zu  %-8s %-7s %7.2f %7.2f %7.2f\n", name, w->numbers,
           w->is_f32 ? "float32" : "float64", isa, median(ours, rounds), median(yyjson, rounds),
           median(ratios, rounds));
}

static void bench_all(struct work *w, char *data, size_t rounds)
{
    static const struct {
        const char *name;
        int (*put)(char *, uint64_t);
    } kinds[] = {{"whole, 0 to 16", put_digit},
                 {"pixels, 4 digits", put_pixel},
                 {"prices, 2 decimals", put_price},
                 {"float32, 9 digits", put_f32},
                 {"float64, 17 digits", put_f64}};
    static const size_t lengths[] = {64, 784, 1000};
    static const char *const variants[] = {"scalar", "avx2", "avx512"};
    uint64_t state = 88172645463325252;
    printf("%-22s %7s  %-8s %-7s %7s %7s %7s\n", "ns per number", "numbers", "type", "variant",
           "ours", "yyjson", "ratio");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            make_texts(w, data, kinds[k].put, lengths[l], &state);
            for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
                for (int is_f32 = 0; is_f32 < 2; is_f32++) {
                    w->is_f32 = is_f32;
                    if (number_scan_for(variants[v]) != NULL)
                        bench(kinds[k].name, w, variants[v], rounds);
                }
        }
}

/* The last core that we may use: interrupts like the first. */
static void stay_on_one_core(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0)
        return;
    size_t core = CPU_SETSIZE - 1;
    while (core > 0 && !CPU_ISSET(core, &cores))
        core--;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 101;
    size_t arena_bytes =
        yyjson_read_max_memory_usage(NUMBERS_MAX * NUMBER_BYTES_MAX, YYJSON_READ_INSITU);
    void *arena = malloc(arena_bytes);
    char *data = malloc(TEXTS_BYTES);
    yyjson_alc allocator;
    struct work w = {.texts = malloc(TURN_NUMBERS * sizeof *w.texts),
                     .arena = &allocator,
                     .f64 = malloc(NUMBERS_MAX * sizeof *w.f64),
                     .f32 = malloc(NUMBERS_MAX * sizeof *w.f32)};
    if (rounds < 1 || rounds > ROUNDS_MAX || arena == NULL || data == NULL || w.texts == NULL ||
        w.f64 == NULL || w.f32 == NULL || !yyjson_alc_pool_init(&allocator, arena, arena_bytes))
        return 1;
    stay_on_one_core();
    bench_all(&w, data, rounds);
    free(w.f32);
    free(w.f64);
    free(w.texts);
    free(data);
    free(arena);
    return 0;
}
