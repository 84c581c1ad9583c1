/*
 * test_number_write.c - shortest decimals: golden texts, and the three promises
 * (reads back the same, nothing shorter does, nothing as short is closer) on many bits.
 *
 * NUMBER_WRITE_SEED chooses other random numbers; NUMBER_WRITE_ALL_F32=1 tries every float32.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number_write.h"

enum {
    ROUND_TRIPS = 2000000,
    SHORTEST_SAMPLES = 100000
};

/* A text of the writer, terminated. */
struct text {
    char chars[NUMBER_F64_BYTES_MAX + 1];
    size_t bytes;
};

static const char CANARY = '~';

/* The writer must have kept to its room. */
static void finish(struct text *text, size_t room)
{
    assert_true(text->bytes <= room);
    assert_int_equal(text->chars[room], CANARY);
    text->chars[text->bytes] = '\0';
}

static struct text write_f64(double value)
{
    struct text text;
    memset(text.chars, CANARY, sizeof(text.chars));
    text.bytes = number_write_f64(text.chars, value);
    finish(&text, NUMBER_F64_BYTES_MAX);
    return text;
}

static struct text write_f32(float value)
{
    struct text text;
    memset(text.chars, CANARY, sizeof(text.chars));
    text.bytes = number_write_f32(text.chars, value);
    finish(&text, NUMBER_F32_BYTES_MAX);
    return text;
}

static double f64_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t bits_of_f64(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static float f32_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t bits_of_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* SplitMix64: every 64-bit number once, in an order that looks random. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t seed(void)
{
    const char *chosen = getenv("NUMBER_WRITE_SEED");
    uint64_t value = chosen != NULL ? strtoull(chosen, NULL, 10) : 20261121;
    print_message("NUMBER_WRITE_SEED=%llu\n", (unsigned long long)value);
    return value;
}

struct golden_f64 {
    double value;
    const char *text;
};

static void f64_texts_are_golden(void **state)
{
    (void)state;
    static const struct golden_f64 golden[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {-1.0, "-1"},
        {0.1, "0.1"},
        {12.0, "12"},
        {-3.5, "-3.5"},
        {100.0, "100"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3.0, "0.3333333333333333"},
        {2.0 / 3.0, "0.6666666666666666"},
        {123456.789, "123456.789"},
        {101.3, "101.3"},
        {-1628.75, "-1628.75"},
        /* The ends of the range. */
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {1.5e-323, "1.5e-323"},
        {2e-323, "2e-323"},
        {4.4501477170144023e-308, "4.4501477170144023e-308"},
        {4.450147717014403e-308, "4.450147717014403e-308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {-1.7976931348623157e308, "-1.7976931348623157e308"},
        /* Whole numbers around 2^53, where the short cut for them ends. */
        {9007199254740991.0, "9007199254740991"},
        {9007199254740992.0, "9007199254740992"},
        {9007199254740993.0, "9007199254740992"},
        {9007199254740994.0, "9007199254740994"},
        {4503599627370495.5, "4503599627370495.5"},
        {1125899906842624.25, "1125899906842624.2"},
        /* Powers of two, whose neighbour below is closer, and ties. */
        {9.5367431640625e-7, "0.00000095367431640625"},
        {2.98023223876953125e-8, "2.9802322387695312e-8"},
        {5.764607523034235e39, "5.764607523034235e39"},
        {1.152921504606847e40, "1.152921504606847e40"},
        {1e23, "1e23"},
        {9.999999999999999e22, "1e23"},
        {8.41e21, "8.41e21"},
        {2.0919495182368195e19, "2.0919495182368195e19"},
        {9.409340012568248e18, "9.409340012568248e18"},
        /* Where the form changes. */
        {1e-7, "0.0000001"},
        {1.2345678901234566e-7, "0.00000012345678901234566"},
        {-1.2345678901234566e-7, "-0.00000012345678901234566"},
        {9.999999999999998e-8, "9.999999999999998e-8"},
        {1e-8, "1e-8"},
        {1e-9, "1e-9"},
        {1.5e-10, "1.5e-10"},
        {0.001, "0.001"},
        {1e15, "1000000000000000"},
        {1e16, "1e16"},
        {9999999999999998.0, "9999999999999998"},
        {99999999999999984.0, "9.999999999999998e16"},
        {1e17, "1e17"},
        {123456789012345680.0, "1.2345678901234568e17"},
        {1e21, "1e21"},
        {1e22, "1e22"},
        {1e100, "1e100"},
        {1.5e300, "1.5e300"},
        {-1.5e-300, "-1.5e-300"},
        {(double)INFINITY, "null"},
        {-(double)INFINITY, "null"},
        {(double)NAN, "null"},
        {-(double)NAN, "null"},
    };
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++)
        assert_string_equal(write_f64(golden[i].value).chars, golden[i].text);
}

struct golden_f32 {
    float value;
    const char *text;
};

static void f32_texts_are_golden(void **state)
{
    (void)state;
    static const struct golden_f32 golden[] = {
        {0.0F, "0"},
        {-0.0F, "-0"},
        {1.0F, "1"},
        {100.0F, "100"},
        {0.1F, "0.1"},
        {-3.5F, "-3.5"},
        {0.3F, "0.3"},
        {1.0F / 3.0F, "0.33333334"},
        {16777216.0F, "16777216"},
        {16777217.0F, "16777216"},
        {33554432.0F, "33554432"},
        {8388607.5F, "8388607.5"},
        {1.0e-45F, "1e-45"},
        {2.8e-45F, "3e-45"},
        {1.17549435e-38F, "1.1754944e-38"},
        {1.1754942e-38F, "1.1754942e-38"},
        {3.4028235e38F, "3.4028235e38"},
        {-3.4028235e38F, "-3.4028235e38"},
        {1e-7F, "0.0000001"},
        {-1.2345678e-7F, "-0.00000012345679"},
        {1e-8F, "1e-8"},
        {1e10F, "10000000000"},
        {123456789.0F, "123456790"},
        {9.9999998e16F, "1e17"},
        {9.999999e16F, "9.999999e16"},
        {2e17F, "2e17"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
        {NAN, "null"},
    };
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++)
        assert_string_equal(write_f32(golden[i].value).chars, golden[i].text);
}

static void check_round_trip_f64(double value)
{
    struct text text = write_f64(value);
    char *end;
    double back = strtod(text.chars, &end);
    if (bits_of_f64(back) != bits_of_f64(value) || *end != '\0')
        fail_msg("%.17g became \"%s\", which reads as %.17g", value, text.chars, back);
}

static void check_round_trip_f32(float value)
{
    struct text text = write_f32(value);
    char *end;
    float back = strtof(text.chars, &end);
    if (bits_of_f32(back) != bits_of_f32(value) || *end != '\0')
        fail_msg("%.9g became \"%s\", which reads as %.9g", (double)value, text.chars,
                 (double)back);
}

static void f64_reads_back_the_same(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (int i = 0; i < ROUND_TRIPS; i++) {
        double value = f64_of(next_random(&random));
        if (isfinite(value))
            check_round_trip_f64(value);
    }
}

static void f32_reads_back_the_same(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (int i = 0; i < ROUND_TRIPS; i++) {
        float value = f32_of((uint32_t)next_random(&random));
        if (isfinite(value))
            check_round_trip_f32(value);
    }
}

/* Every exponent with the significands at the borders of its range. */
static void every_exponent_reads_back_the_same(void **state)
{
    (void)state;
    for (uint64_t exponent = 0; exponent < 0x7ff; exponent++)
        for (uint64_t near = 0; near < 8; near++) {
            uint64_t significand = near < 4 ? near : (UINT64_C(1) << 52) - 8 + near;
            check_round_trip_f64(f64_of(exponent << 52 | significand));
        }
    for (uint32_t exponent = 0; exponent < 0xff; exponent++)
        for (uint32_t near = 0; near < 2048; near++) {
            uint32_t significand = near < 1024 ? near : (UINT32_C(1) << 23) - 2048 + near;
            check_round_trip_f32(f32_of(exponent << 23 | significand));
        }
}

static int count_significant(const char *text)
{
    int digits = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (digits == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        digits++;
    }
    return digits - zeros;
}

/*
 * The nearest decimal with one digit less may not read back; the nearest with as many
 * digits must be the text, if it reads back at all (at powers of two it may not). The
 * C library prints and reads exactly, so it can be the judge; ties it breaks to even,
 * as we do. Decimals as short as these are the same if they read the same in a wider
 * format.
 */
static void check_shortest_f64(double value)
{
    struct text text = write_f64(value);
    int digits = count_significant(text.chars);
    char other[40];
    if (digits > 1) {
        snprintf(other, sizeof(other), "%.*e", digits - 2, value);
        if (bits_of_f64(strtod(other, NULL)) == bits_of_f64(value))
            fail_msg("%.17g became \"%s\", but \"%s\" is shorter", value, text.chars, other);
    }
    snprintf(other, sizeof(other), "%.*e", digits - 1, value);
    bool reads_back = bits_of_f64(strtod(other, NULL)) == bits_of_f64(value);
    if (reads_back && strtold(other, NULL) != strtold(text.chars, NULL))
        fail_msg("%.17g became \"%s\", but \"%s\" is closer", value, text.chars, other);
}

static void check_shortest_f32(float value)
{
    struct text text = write_f32(value);
    int digits = count_significant(text.chars);
    char other[40];
    if (digits > 1) {
        snprintf(other, sizeof(other), "%.*e", digits - 2, (double)value);
        if (bits_of_f32(strtof(other, NULL)) == bits_of_f32(value))
            fail_msg("%.9g became \"%s\", but \"%s\" is shorter", (double)value, text.chars, other);
    }
    snprintf(other, sizeof(other), "%.*e", digits - 1, (double)value);
    bool reads_back = bits_of_f32(strtof(other, NULL)) == bits_of_f32(value);
    if (reads_back && bits_of_f64(strtod(other, NULL)) != bits_of_f64(strtod(text.chars, NULL)))
        fail_msg("%.9g became \"%s\", but \"%s\" is closer", (double)value, text.chars, other);
}

static void no_shorter_or_closer_f64_reads_back(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (int i = 0; i < SHORTEST_SAMPLES; i++) {
        double value = f64_of(next_random(&random) & INT64_MAX);
        if (isfinite(value) && value > 0)
            check_shortest_f64(value);
    }
    for (int i = 0; i < SHORTEST_SAMPLES; i++) /* numbers as people write them */
        check_shortest_f64((double)(1 + next_random(&random) % 100000000) / 1000);
    for (int exponent = -1074; exponent <= 1023; exponent++)
        check_shortest_f64(ldexp(1.0, exponent));
}

static void no_shorter_or_closer_f32_reads_back(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (int i = 0; i < SHORTEST_SAMPLES; i++) {
        float value = f32_of((uint32_t)next_random(&random) & INT32_MAX);
        if (isfinite(value) && value > 0)
            check_shortest_f32(value);
    }
    for (int i = 0; i < SHORTEST_SAMPLES; i++)
        check_shortest_f32((float)(1 + next_random(&random) % 10000000) / 1000);
    for (int exponent = -149; exponent <= 127; exponent++)
        check_shortest_f32(ldexpf(1.0F, exponent));
}

static void every_f32_reads_back_the_same(void **state)
{
    (void)state;
    if (getenv("NUMBER_WRITE_ALL_F32") == NULL)
        skip();
    /* The sign is only a character in front. */
    for (uint32_t bits = 0; bits < UINT32_C(0x7f800000); bits++)
        check_round_trip_f32(f32_of(bits));
}

/* --- so many decimals */

static struct text write_decimals(double value, unsigned decimals)
{
    struct text text;
    memset(text.chars, CANARY, sizeof(text.chars));
    text.bytes = number_write_decimals(text.chars, value, decimals);
    finish(&text, NUMBER_F64_BYTES_MAX);
    return text;
}

static void decimals_are_golden(void **state)
{
    (void)state;
    static const struct {
        double value;
        unsigned decimals;
        const char *text;
    } golden[] = {
        {0, 0, "0"},
        {-0.0, 2, "0"},
        {0.5, 0, "0"},
        {1.5, 0, "2"},
        {2.5, 0, "2"},
        {-2.5, 0, "-2"},
        {-0.4, 0, "0"},
        {-0.001, 2, "0"},
        {0.125, 2, "0.12"},
        {0.375, 2, "0.38"},
        {1.999, 2, "2"},
        {1.005, 2, "1"},
        {-1.25, 1, "-1.2"},
        {0.1, 9, "0.1"},
        {(double)0.1f, 9, "0.100000001"},
        {99.999, 2, "100"},
        {123456789.125, 2, "123456789.12"},
        {100, 3, "100"},
        {1e-9, 9, "0.000000001"},
        {4e-10, 9, "0"},
        {5e-324, 9, "0"},
        {9007199254740991, 9, "9007199254740991"},
        {4503599627370495.5, 0, "4503599627370496"},
        {4503599627370495.5, 1, "4503599627370495.5"},
        {9007199254740992, 2, "9007199254740992"},
        {-1e300, 2, "-1e300"},
        {NAN, 2, "null"},
        {INFINITY, 0, "null"},
        {-INFINITY, 9, "null"},
        {9.99999999951, 9, "10"},
        /* Where 64 bits behind the point no longer hold all of the fraction, and where there is
           none. */
        {0x1.8p-11, 9, "0.000732422"},
        {0x1.fffffffffffffp-12, 9, "0.000488281"},
        {0x1p-10, 9, "0.000976562"},
        {0x1p-30, 9, "0.000000001"},
        {0x1p-31, 9, "0"},
        {4503599627370496, 1, "4503599627370496"},
        {67108863.75, 1, "67108863.8"},
        {99999999.996, 2, "100000000"},
    };
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        struct text text = write_decimals(golden[i].value, golden[i].decimals);
        assert_string_equal(text.chars, golden[i].text);
    }
}

/* What printf() says, without zeros at the end and without the sign of a zero. */
static void expect_decimals(double value, unsigned decimals)
{
    char wanted[64];
    int bytes = snprintf(wanted, sizeof(wanted), "%.*f", (int)decimals, value);
    if (decimals > 0) {
        while (wanted[bytes - 1] == '0')
            bytes--;
        bytes -= wanted[bytes - 1] == '.';
        wanted[bytes] = '\0';
    }
    struct text text = write_decimals(value, decimals);
    const char *expected = strcmp(wanted, "-0") == 0 ? "0" : wanted;
    if (strcmp(text.chars, expected) != 0)
        fail_msg("%a with %u decimals is %s, not %s", value, decimals, expected, text.chars);
}

static void decimals_are_those_of_printf(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (size_t i = 0; i < SHORTEST_SAMPLES; i++) {
        double any =
            ldexp((double)(next_random(&random) >> 11), (int)(next_random(&random) % 150) - 150);
        /* Ends in 5 one digit further on, or is half exactly. */
        double near = round((double)(next_random(&random) % 100000000) * 10 + 5) / 1e5;
        double half = (double)(next_random(&random) % 1000000) / 64;
        for (unsigned decimals = 0; decimals <= NUMBER_DECIMALS_MAX; decimals++) {
            if (fabs(any) < 0x1p53)
                expect_decimals(i % 2 ? any : -any, decimals);
            expect_decimals(near, decimals);
            expect_decimals(-half, decimals);
        }
    }
}

/* --- many at once */

enum {
    ARRAY_MAX = 40, /* more than two blocks */
    ARRAY_ROUNDS = 100000
};

/* Numbers of every kind beside each other: ordinary, whole, short, and those with a case of their
 * own. */
static double number_of_some_kind(uint64_t *random)
{
    static const double odd[] = {0,
                                 -0.0,
                                 (double)NAN,
                                 -(double)INFINITY,
                                 1,
                                 0.5,
                                 5e-324,
                                 1e-40,
                                 1e300,
                                 67108863,
                                 67108863.5,
                                 67108864,
                                 67108865,
                                 99999999.5,
                                 99999999.996,
                                 16777216,
                                 4503599627370496.0,
                                 -1e-10};
    uint64_t bits = next_random(random);
    switch (next_random(random) % 6) {
    case 0:
        return odd[bits % (sizeof(odd) / sizeof(odd[0]))];
    case 1:
        return (double)(bits % 2000) - 1000;
    case 2:
        return (double)(bits % 2000000) / 100 - 10000;
    case 3:
        return 100 + ldexp((double)(bits >> 11), -50);
    case 4:
        return ldexp((double)(bits >> 11), -60);
    default:
        return f64_of(bits);
    }
}

static void expect_array(const char *text, size_t bytes, size_t room, const char *wanted,
                         size_t wanted_bytes)
{
    assert_true(bytes <= room);
    assert_int_equal(text[room], CANARY);
    if (bytes != wanted_bytes || memcmp(text, wanted, bytes) != 0)
        fail_msg("%.*s, not %.*s", (int)bytes, text, (int)wanted_bytes, wanted);
}

static void arrays_are_as_one_by_one(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (size_t round = 0; round < ARRAY_ROUNDS; round++) {
        size_t count = next_random(&random) % (ARRAY_MAX + 1);
        unsigned decimals = (unsigned)(next_random(&random) % (NUMBER_DECIMALS_MAX + 1));
        double values[ARRAY_MAX];
        float floats[ARRAY_MAX];
        char text[3][ARRAY_MAX * (NUMBER_F64_BYTES_MAX + 1) + 1];
        char wanted[3][ARRAY_MAX * (NUMBER_F64_BYTES_MAX + 1) + 1];
        char *at[3] = {wanted[0], wanted[1], wanted[2]};
        memset(text, CANARY, sizeof(text));
        for (size_t i = 0; i < count; i++) {
            values[i] = number_of_some_kind(&random);
            floats[i] = round % 2 ? (float)(fmod(values[i], 1e30)) : f32_of((uint32_t)random);
            for (int kind = 0; kind < 3 && i > 0; kind++)
                *at[kind]++ = ',';
            at[0] += number_write_f64(at[0], values[i]);
            at[1] += number_write_f32(at[1], floats[i]);
            at[2] += number_write_decimals(at[2], values[i], decimals);
        }
        size_t room = count * (NUMBER_F64_BYTES_MAX + 1);
        expect_array(text[0], number_write_array_f64(text[0], values, count), room, wanted[0],
                     (size_t)(at[0] - wanted[0]));
        expect_array(text[1], number_write_array_f32(text[1], floats, count),
                     count * (NUMBER_F32_BYTES_MAX + 1), wanted[1], (size_t)(at[1] - wanted[1]));
        expect_array(text[2], number_write_array_decimals(text[2], values, count, decimals), room,
                     wanted[2], (size_t)(at[2] - wanted[2]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f64_texts_are_golden),
        cmocka_unit_test(decimals_are_golden),
        cmocka_unit_test(decimals_are_those_of_printf),
        cmocka_unit_test(f32_texts_are_golden),
        cmocka_unit_test(f64_reads_back_the_same),
        cmocka_unit_test(f32_reads_back_the_same),
        cmocka_unit_test(every_exponent_reads_back_the_same),
        cmocka_unit_test(no_shorter_or_closer_f64_reads_back),
        cmocka_unit_test(no_shorter_or_closer_f32_reads_back),
        cmocka_unit_test(every_f32_reads_back_the_same),
        cmocka_unit_test(arrays_are_as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
