/*
 * Numbers in: bit for bit what strtod() and strtof() say, one by one and in arrays, by every
 * variant that this processor has; and every mistake at its byte.
 *
 * NUMBER_SCAN_SEED chooses other random numbers, NUMBER_SCAN_COUNT how many.
 */
#include "number_scan.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"
#include "decimals.h"
#include "number_read.h"

enum {
    NUMBERS_MAX = 2000,
    TEXT_BYTES = 64 * 1024
};

/* A text with the padding it needs, exactly as large, so that a sanitizer sees more. */
struct text {
    char *data;
    size_t bytes;
};

static struct text text_of(const char *data, size_t bytes)
{
    struct text text = {.data = calloc(1, bytes + NUMBER_READ_PADDING), .bytes = bytes};
    assert_non_null(text.data);
    memcpy(text.data, data, bytes);
    return text;
}

static bool same_f64(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_f32(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *chosen = getenv(name);
    uint64_t value = chosen != NULL ? strtoull(chosen, NULL, 10) : otherwise;
    print_message("%s=%llu\n", name, (unsigned long long)value);
    return value;
}

/* --- one number */

static void expect_number(const char *number)
{
    struct text text = text_of(number, strlen(number));
    const char *end;
    double f64 = -1, wanted_f64 = strtod(number, NULL);
    float f32 = -1, wanted_f32 = strtof(number, NULL);
    enum number_status wanted = isinf(wanted_f64) ? NUMBER_OUT_OF_RANGE : NUMBER_OK;
    const char *wanted_end = text.data + (wanted == NUMBER_OK ? text.bytes : 0);
    assert_int_equal(number_read_f64(text.data, &end, &f64), wanted);
    assert_ptr_equal(end, wanted_end);
    assert_int_equal(number_read_f32(text.data, &end, &f32), wanted);
    assert_ptr_equal(end, wanted_end);
    if (wanted == NUMBER_OK && !same_f64(f64, wanted_f64))
        fail_msg("%s is %a, not %a", number, wanted_f64, f64);
    if (wanted == NUMBER_OK && !same_f32(f32, wanted_f32))
        fail_msg("%s is %a in float32, not %a", number, (double)wanted_f32, (double)f32);
    free(text.data);
}

static void numbers_are_what_the_c_library_says(void **state)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "0.0",
        "-0.0",
        "0e5",
        "-0e-5",
        "0.000",
        "0e99999999999999999999",
        "1",
        "-1",
        "9",
        "10",
        "12345678",
        "123456789",
        "1234567890123456789",
        "12345678901234567890",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740995",
        "0.1",
        "0.2",
        "0.3",
        "1.5",
        "3.14159265358979323846264338327950288419716939937510582097494459",
        "0.000000000000000000000000000000000000000000000000000000001",
        "1e0",
        "1E0",
        "1e+0",
        "1e-0",
        "1e00000000000000000000005",
        "1e-00000000000000000000005",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "1e38",
        "1e39",
        "1e308",
        "1e309",
        "-1e309",
        "1e999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "1e-400",
        "-1e-400",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558"
        "632"
        "766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490"
        "09"
        "03893289440758685084551339423045832369032229481658085593321233477479726",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "5e-324",
        "4.9e-324",
        "2.5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2e-324",
        "1e-323",
        /* float32: its ends, ties, and what rounding twice gets wrong. */
        "3.4028234e38",
        "3.4028235e38",
        "3.4028235677973366e38",
        "3.4028235677973365e38",
        "3.40282356779733661e38",
        "340282356779733661637539395458142568447",
        "3.4028236e38",
        "340282356779733661637539395458142568448",
        "1.1754943508222875e-38",
        "1e-45",
        "7e-46",
        "7.0064923216240853e-46",
        "7.0064923216240854e-46",
        "1.4012984643248171e-45",
        "16777216",
        "16777217",
        "16777218",
        "16777219",
        "16777217.0000000001",
        "16777216.9999999999",
        "1.00000017881393421514957253748434595763683319091796875001",
        "1.00000017881393432617187499",
        "1.00000005960464477540",
        "1.000000059604644775390624",
        "1.000000059604644775390626",
        "9007199791611904.5",
        "0.500000029802322387695312501",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        expect_number(numbers[i]);
}

static void exponents_of_every_size_are_read(void **state)
{
    (void)state;
    char number[64];
    for (int exponent = -400; exponent <= 320; exponent++) {
        static const char *const mantissas[] = {"1",
                                                "9.999",
                                                "123456789012345678",
                                                "0.3",
                                                "18446744073709551615",
                                                "4503599627370497.5"};
        for (size_t i = 0; i < ARRAY_SIZE(mantissas); i++) {
            snprintf(number, sizeof number, "%se%d", mantissas[i], exponent);
            expect_number(number);
        }
    }
}

static void mistakes_are_told_with_their_byte(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } rows[] = {
        {"-", 1},         {"-x", 1}, {"--1", 1}, {"-.5", 1},   {"01", 0},
        {"-01", 1},       {"00", 0}, {"1.", 2},  {"1.e5", 2},  {"-1.x", 3},
        {"12345678.", 9}, {"1e", 2}, {"1e+", 3}, {"1e-", 3},   {"1e+x", 3},
        {"1.5E", 4},      {"0e", 2}, {"0.", 2},  {"0.5e-", 5}, {"1e.5", 2},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct text text = text_of(rows[i].text, strlen(rows[i].text));
        const char *end = NULL;
        double f64;
        float f32;
        assert_int_equal(number_read_f64(text.data, &end, &f64), NUMBER_INVALID);
        assert_int_equal(end - text.data, rows[i].at);
        assert_int_equal(number_read_f32(text.data, &end, &f32), NUMBER_INVALID);
        assert_int_equal(end - text.data, rows[i].at);
        free(text.data);
    }
}

static void a_number_ends_where_it_can_go_on_no_further(void **state)
{
    static const struct {
        const char *text;
        size_t bytes;
    } rows[] = {{"1,2", 1}, {"1 2", 1},       {"0x10", 1},  {"1.5.5", 3}, {"1e5e5", 3},
                {"1-2", 1}, {"12345678]", 8}, {"1.25}", 4}, {"0-", 1},    {"1e5.5", 3}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct text text = text_of(rows[i].text, strlen(rows[i].text));
        const char *end = NULL;
        double f64;
        assert_int_equal(number_read_f64(text.data, &end, &f64), NUMBER_OK);
        assert_int_equal(end - text.data, rows[i].bytes);
        free(text.data);
    }
}

/* --- arrays */

static const char *const variants[] = {"scalar", "avx2", "avx512"};

struct array {
    char text[TEXT_BYTES];
    size_t bytes;
    size_t numbers;
    double f64[NUMBERS_MAX];
    float f32[NUMBERS_MAX];
};

static void add_text(struct array *a, const char *text)
{
    size_t bytes = strlen(text);
    assert_true(a->bytes + bytes < sizeof a->text);
    memcpy(a->text + a->bytes, text, bytes);
    a->bytes += bytes;
}

static void add_number(struct array *a, const char *number)
{
    assert_true(a->numbers < NUMBERS_MAX);
    a->f64[a->numbers] = strtod(number, NULL);
    a->f32[a->numbers++] = strtof(number, NULL);
    add_text(a, number);
}

/* So many numbers are read, up to byte `stop`. Where numbers may be too long for a variant, what
 * it leaves is read by the scalar one. */
static void expect_array(const struct array *a, size_t expected, size_t stop, bool at_once)
{
    const struct number_scan *scalar = number_scan_for("scalar");
    for (size_t v = 0; v < ARRAY_SIZE(variants); v++) {
        const struct number_scan *scan = number_scan_for(variants[v]);
        if (scan == NULL)
            continue;
        struct text text = text_of(a->text, a->bytes);
        double *f64 = calloc(a->numbers + 1, sizeof *f64);
        float *f32 = calloc(a->numbers + 1, sizeof *f32);
        const char *at = text.data;
        size_t count = scan->f64(text.data, &at, f64, a->numbers);
        if (!at_once)
            count += scalar->f64(text.data, &at, f64 + count, a->numbers - count);
        if (count != expected || (size_t)(at - text.data) != stop)
            fail_msg("%s: %zu numbers up to byte %zu, not %zu up to %zu: %.*s", variants[v], count,
                     (size_t)(at - text.data), expected, stop, (int)a->bytes, a->text);
        at = text.data;
        count = scan->f32(text.data, &at, f32, a->numbers);
        if (!at_once)
            count += scalar->f32(text.data, &at, f32 + count, a->numbers - count);
        assert_int_equal(count, expected);
        assert_int_equal(at - text.data, stop);
        for (size_t i = 0; i < expected; i++)
            if (!same_f64(f64[i], a->f64[i]) || !same_f32(f32[i], a->f32[i]))
                fail_msg("%s: number %zu is %a and %a, not %a and %a: %.*s", variants[v], i, f64[i],
                         (double)f32[i], a->f64[i], (double)a->f32[i], (int)a->bytes, a->text);
        free(f32);
        free(f64);
        free(text.data);
    }
}

static void arrays_of_every_length_are_read(void **state)
{
    static const char *const separators[] = {",", ", ", " ,", "\n\t,\r\n    ", ","};
    static const char *const ends[] = {"]", " ]", "", ",", "x", ",[", ",null", "}", "\"", ",]"};
    static const char *const numbers[] = {"1",
                                          "-2.5",
                                          "0",
                                          "-0",
                                          "0.1234567",
                                          "1234567.875",
                                          "-0.30000000000000004",
                                          "1e-7",
                                          "12345678901234567890"};
    (void)state;
    struct array *a = malloc(sizeof *a);
    assert_non_null(a);
    for (size_t n = 1; n < 200; n += n < 70 ? 1 : 13)
        for (size_t s = 0; s < ARRAY_SIZE(separators); s++)
            for (size_t e = 0; e < ARRAY_SIZE(ends); e++) {
                a->bytes = a->numbers = 0;
                size_t stop = 0;
                for (size_t i = 0; i < n; i++) {
                    if (i > 0)
                        add_text(a, separators[s]);
                    size_t comma = i > 0 ? strcspn(separators[s], ",") : 0;
                    stop = i > 0 ? a->bytes - strlen(separators[s]) + comma + 1 : 0;
                    add_number(a, numbers[(i * 7 + s) % ARRAY_SIZE(numbers)]);
                }
                add_text(a, ends[e]);
                bool has_comma = ends[e][0] == ',';
                expect_array(a, has_comma ? n : n - 1,
                             has_comma ? a->bytes - strlen(ends[e]) + 1 : stop, true);
            }
    free(a);
}

/* The variants stop at the same number, wherever in a long array it stands. */
static void what_is_no_number_stops_every_variant(void **state)
{
    static const char *const wrong[] = {
        "01",    "1.",       "-",     ".5",    "+1",
        "1e",    "1e999",    "NaN",   "null",  "\"1\"",
        "[1]",   "1 2",      "1.2.3", "1-2",   "",
        "1/2",   "--1",      "0x10",  "1e5e5", "-01.5",
        "1e+",   "Infinity", "-a",    "e5",    "00000000000000000000000000000000000001",
        "1\0012"};
    (void)state;
    struct array *a = malloc(sizeof *a);
    assert_non_null(a);
    for (size_t w = 0; w < ARRAY_SIZE(wrong); w++)
        for (size_t place = 0; place < 150; place++) {
            a->bytes = a->numbers = 0;
            size_t stop = 0;
            for (size_t i = 0; i < 160; i++) {
                if (i == place) {
                    stop = a->bytes;
                    add_text(a, wrong[w]);
                } else {
                    add_number(a, i % 3 == 0 ? "-12.25" : "7");
                }
                add_text(a, ",");
            }
            const struct number_scan *scalar = number_scan_for("scalar");
            const struct number_scan *best = number_scan_best();
            struct text text = text_of(a->text, a->bytes);
            double out[160];
            const char *at = text.data;
            assert_int_equal(scalar->f64(text.data, &at, out, 160), place);
            assert_int_equal(at - text.data, stop);
            /* The others may leave a few before it to be read again. */
            at = text.data;
            size_t count = best->f64(text.data, &at, out, 160);
            count += scalar->f64(text.data, &at, out + count, 160 - count);
            assert_int_equal(count, place);
            assert_int_equal(at - text.data, stop);
            free(text.data);
        }
    free(a);
}

static void no_more_than_wanted_is_written(void **state)
{
    (void)state;
    struct array *a = malloc(sizeof *a);
    assert_non_null(a);
    a->bytes = a->numbers = 0;
    for (size_t i = 0; i < 300; i++) {
        add_number(a, "1.5");
        add_text(a, ",");
    }
    struct text text = text_of(a->text, a->bytes);
    for (size_t v = 0; v < ARRAY_SIZE(variants); v++) {
        const struct number_scan *scan = number_scan_for(variants[v]);
        for (size_t max = 0; scan != NULL && max <= 300; max++) {
            double *out = calloc(max + 1, sizeof *out);
            const char *at = text.data;
            size_t count = scan->f64(text.data, &at, out, max);
            assert_true(count <= max);
            assert_int_equal(at - text.data, count * 4);
            assert_true(out[max] == 0);
            free(out);
        }
    }
    free(text.data);
    free(a);
}

static void random_numbers_are_what_the_c_library_says(void **state)
{
    (void)state;
    uint64_t random = setting("NUMBER_SCAN_SEED", 20261121);
    size_t left = (size_t)setting("NUMBER_SCAN_COUNT", 200000);
    struct array *a = malloc(sizeof *a);
    assert_non_null(a);
    while (left > 0) {
        size_t n = 1 + decimals_random(&random) % 40, stop = 0;
        enum decimals_kind kind = (enum decimals_kind)(decimals_random(&random) % DECIMALS_KINDS);
        a->bytes = a->numbers = 0;
        for (size_t i = 0; i < n; i++) {
            char number[DECIMALS_BYTES_MAX + 1];
            do
                number[decimals_write(number, kind, &random)] = '\0';
            while (isinf(strtod(number, NULL)));
            stop = a->bytes;
            add_number(a, number);
            add_text(a, i + 1 < n ? "," : "]");
        }
        expect_array(a, n - 1, stop, false);
        left -= n < left ? n : left;
    }
    free(a);
}

static void commas_are_counted_to_the_last_byte(void **state)
{
    static const char alphabet[] = ",,,,1.-+e[] \",\xac";
    (void)state;
    uint64_t random = 20261121;
    for (size_t bytes = 0; bytes < 400; bytes++) {
        char *text = malloc(bytes + 1); /* what is behind it is for a sanitizer to see */
        size_t commas = 0;
        for (size_t i = 0; i < bytes; i++) {
            text[i] = bytes % 5 == 0 ? ',' : alphabet[decimals_random(&random) % 14];
            commas += text[i] == ',';
        }
        text[bytes] = ',';
        for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
            if (number_scan_for(variants[i]) != NULL)
                assert_int_equal(number_scan_for(variants[i])->commas(text, bytes), commas);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_what_the_c_library_says),
        cmocka_unit_test(exponents_of_every_size_are_read),
        cmocka_unit_test(mistakes_are_told_with_their_byte),
        cmocka_unit_test(a_number_ends_where_it_can_go_on_no_further),
        cmocka_unit_test(arrays_of_every_length_are_read),
        cmocka_unit_test(what_is_no_number_stops_every_variant),
        cmocka_unit_test(no_more_than_wanted_is_written),
        cmocka_unit_test(random_numbers_are_what_the_c_library_says),
        cmocka_unit_test(commas_are_counted_to_the_last_byte),
    };
    return cmocka_run_group_tests_name("number_scan", tests, NULL, NULL);
}
