/*
 * test_chart.c - latencies drawn in text.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chart.h"
#include "load_base.h"
#include "load_random.h"

/* What is printed, to free(). */
static char *drawn(const struct chart *chart, bool unicode)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    chart_print(chart, unicode, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static struct chart chart_of(const struct chart_point *points, size_t count)
{
    return (struct chart){.names = {"p50", "p99"},
                          .x_name = "answers a second",
                          .points = points,
                          .count = count,
                          .mark_x = NAN};
}

static const char EXPECTED[] =
    "\n"
    "          latency o p50  * p99  over answers a second   | knee 300/s\n"
    "  100 ms +                                           |             * o\n"
    "         |                                           |           ..\n"
    "         |                                           |         ..\n"
    "         |                                           |       ..\n"
    "         |                                           |     ..\n"
    "   20 ms +                                           |   ...\n"
    "         |                                           | ...\n"
    "         |                                           ...\n"
    "   10 ms +                                      .....*\n"
    "         |                                 ......    |\n"
    "         |                            .....          |\n"
    "         |                      ......               |\n"
    "         |                 ......                    |        .....o\n"
    "         |              *...                         |  .......\n"
    "         |                                 ..........o...\n"
    "    1 ms +              o..................          |\n"
    "         ++-------------+--------------+-------------+-------------+----\n"
    "          0            100            200           300           400\n";

static void a_small_chart_is_drawn_so(void **state)
{
    (void)state;
    static const struct chart_point points[] = {
        {.x = 100, .y_ns = {1e6, 2e6}},
        {.x = 300, .y_ns = {1.5e6, 10e6}},
        {.x = 400, .y_ns = {3e6, 95e6}},
        {.x = 410, .y_ns = {90e6, NAN}, .apart = true},
    };
    struct chart chart = chart_of(points, ARRAY_SIZE(points));
    chart.mark_x = 300;
    chart.mark = "knee 300/s";
    char *text = drawn(&chart, false);
    assert_string_equal(text, EXPECTED);
    free(text);
}

static void every_line_fits(void **state)
{
    (void)state;
    struct load_random random = {7};
    for (size_t trial = 0; trial < 500; trial++) {
        struct chart_point points[20];
        const double spread = 1 + 12 * load_random_unit(&random);
        for (size_t i = 0; i < ARRAY_SIZE(points); i++)
            points[i] = (struct chart_point){.x = pow(10, 9 * load_random_unit(&random)),
                                             .y_ns = {pow(10, spread * load_random_unit(&random)),
                                                      pow(10, spread * load_random_unit(&random))},
                                             .apart = load_random_unit(&random) < 0.2};
        struct chart chart = chart_of(points, 1 + trial % ARRAY_SIZE(points));
        chart.mark_x = points[0].x;
        chart.mark = "knee";
        char *text = drawn(&chart, false), *rest = text;
        size_t lines = 0;
        for (char *line; (line = strsep(&rest, "\n")) != NULL; lines++)
            assert_in_range(strlen(line), 0, CHART_COLUMNS);
        assert_int_equal(lines, CHART_ROWS + 5); /* empty, legend, axis, numbers, and the end */
        free(text);
    }
}

static void unicode_has_the_same_cells(void **state)
{
    (void)state;
    static const struct chart_point points[] = {{.x = 10, .y_ns = {1e3, 5e6}},
                                                {.x = 90, .y_ns = {4e3, 7e8}}};
    const struct chart chart = chart_of(points, ARRAY_SIZE(points));
    char *ascii = drawn(&chart, false), *unicode = drawn(&chart, true);
    const char *a = ascii;
    for (const char *u = unicode; *u != '\0'; u++) {
        if (((unsigned char)*u & 0xc0) == 0x80)
            continue; /* within a character */
        assert_int_equal(*a == ' ', *u == ' ');
        assert_int_equal(*a == '\n', *u == '\n');
        a++;
    }
    assert_true(*a == '\0');
    free(unicode);
    free(ascii);
}

static void nothing_is_drawn_of_nothing(void **state)
{
    (void)state;
    static const struct chart_point holes[] = {
        {.x = 1, .y_ns = {NAN, NAN}}, {.x = NAN, .y_ns = {1, 1}}, {.x = 5, .y_ns = {0, -1}}};
    const struct chart chart = chart_of(holes, ARRAY_SIZE(holes)), none = chart_of(NULL, 0);
    char *text = drawn(&chart, true), *nothing = drawn(&none, true);
    assert_string_equal(text, "");
    assert_string_equal(nothing, "");
    free(nothing);
    free(text);
}

static void one_value_is_drawn_too(void **state)
{
    (void)state;
    static const struct chart_point point = {.x = 5, .y_ns = {1e6, 1e6}};
    const struct chart chart = chart_of(&point, 1);
    char *text = drawn(&chart, false);
    assert_non_null(strchr(text, '*'));
    assert_non_null(strstr(text, "1 ms +"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_chart_is_drawn_so),  cmocka_unit_test(every_line_fits),
        cmocka_unit_test(unicode_has_the_same_cells), cmocka_unit_test(nothing_is_drawn_of_nothing),
        cmocka_unit_test(one_value_is_drawn_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
