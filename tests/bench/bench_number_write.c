/*
 * bench_number_write.c - nanoseconds to write one number as text, against the C
 * library and yyjson.
 *
 *   bench_number_write [numbers]      default 100000, at least 1000; the best of nine rounds
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <yyjson.h>

#include "number_write.h"

enum {
    ROUNDS = 9
};

typedef size_t writer(char *out, double value);

static size_t write_ours(char *out, double value)
{
    return number_write_f64(out, value);
}

static size_t write_ours_f32(char *out, double value)
{
    return number_write_f32(out, (float)value);
}

static size_t write_two_decimals(char *out, double value)
{
    return number_write_decimals(out, value, 2);
}

static size_t write_printf(char *out, double value)
{
    return (size_t)snprintf(out, NUMBER_F64_BYTES_MAX, "%.17g", value);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_writer(writer *write, const double *values, size_t count, char *out)
{
    double best = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        char *at = out;
        for (size_t i = 0; i < count; i++) {
            at += write(at, values[i]);
            *at++ = ',';
        }
        best = fmin(best, now_ns() - start);
    }
    return best / (double)count;
}

/* Arrays of as many numbers as an answer may have, so that text and numbers stay in the cache. */
enum {
    ARRAY = 1000
};

static double time_array(bool has_decimals, const double *values, size_t count, char *out)
{
    double best = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (size_t i = 0; i + ARRAY <= count; i += ARRAY) {
            if (has_decimals)
                number_write_array_decimals(out, values + i, ARRAY, 2);
            else
                number_write_array_f64(out, values + i, ARRAY);
        }
        best = fmin(best, now_ns() - start);
    }
    return best / (double)(count / ARRAY * ARRAY);
}

static double time_array_f32(const double *values, size_t count, char *out)
{
    static float floats[ARRAY];
    double best = INFINITY;
    for (size_t i = 0; i < ARRAY; i++)
        floats[i] = (float)values[i];
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (size_t i = 0; i + ARRAY <= count; i += ARRAY)
            number_write_array_f32(out, floats, ARRAY);
        best = fmin(best, now_ns() - start);
    }
    return best / (double)(count / ARRAY * ARRAY);
}

/* yyjson writes documents: an array of the numbers, built beforehand. */
static double time_yyjson(const double *values, size_t count)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(doc, yyjson_mut_arr_with_real(doc, values, count));
    double best = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        char *text = yyjson_mut_write(doc, YYJSON_WRITE_NOFLAG, NULL);
        best = fmin(best, now_ns() - start);
        free(text);
    }
    yyjson_mut_doc_free(doc);
    return best / (double)count;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* Any digits, and any exponent that a float32 has too. */
static double any_digits(uint64_t random)
{
    return ldexp((double)(random >> 11), (int)(random % 200) - 150);
}

static double unit(uint64_t random)
{
    return (double)(random >> 11) * 0x1p-53;
}

static double price(uint64_t random)
{
    return round(unit(random) * 1e6) / 100;
}

static double whole(uint64_t random)
{
    return (double)(random % 1000);
}

static void bench(const char *name, double (*make)(uint64_t), double *values, size_t count,
                  char *out)
{
    uint64_t state = 88172645463325252;
    for (size_t i = 0; i < count; i++)
        values[i] = make(next_random(&state));
    double f64 = time_writer(write_ours, values, count, out);
    double f32 = time_writer(write_ours_f32, values, count, out);
    double decimals = time_writer(write_two_decimals, values, count, out);
    double libc = time_writer(write_printf, values, count, out);
    double yyjson = time_yyjson(values, count);
    double f64s = time_array(false, values, count, out);
    double f32s = time_array_f32(values, count, out);
    double all_decimals = time_array(true, values, count, out);
    printf("%-22s %5.1f %5.1f %6.1f %8.1f %5.1f %6.1f %8.1f %8.1f\n", name, f64, f32, decimals,
           f64s, f32s, all_decimals, yyjson, libc);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    double *values = calloc(count, sizeof(*values));
    char *out = malloc(count * (NUMBER_F64_BYTES_MAX + 1) + NUMBER_F64_BYTES_MAX);
    if (values == NULL || out == NULL)
        return 1;
    if (count < ARRAY)
        return 1;
    printf("%-22s %18s %21s\n", "ns per number", "one by one", "arrays of 1000");
    printf("%-22s %5s %5s %6s %8s %5s %6s %8s %8s\n", "", "f64", "f32", "2 dec.", "f64", "f32",
           "2 dec.", "yyjson", "snprintf");
    bench("any digits", any_digits, values, count, out);
    bench("uniform in [0, 1)", unit, values, count, out);
    bench("prices, two decimals", price, values, count, out);
    bench("whole below 1000", whole, values, count, out);
    free(out);
    free(values);
    return 0;
}
