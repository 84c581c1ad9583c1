/*
 * test_plot.c - scripts for gnuplot; that it draws is seen in the integration tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "plot.h"

static void the_name_says_what_picture_it_is(void **state)
{
    (void)state;
    enum plot_kind kind;
    struct load_error error;
    assert_true(plot_kind_of("a.png", &kind, &error));
    assert_int_equal(kind, PLOT_PNG);
    assert_true(plot_kind_of("/tmp/x.png/b.svg", &kind, &error));
    assert_int_equal(kind, PLOT_SVG);
    static const char *const others[] = {"", "png", ".png", "a.PNG", "a.pdf", "a.png ", "-"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (plot_kind_of(others[i], &kind, &error))
            fail_msg("\"%s\" was taken", others[i]);
}

static void assert_quoted(const char *text, const char *expected)
{
    char *quoted = NULL;
    size_t bytes;
    FILE *out = open_memstream(&quoted, &bytes);
    assert_non_null(out);
    plot_print_quoted(text, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(quoted, expected);
    free(quoted);
}

static void a_text_cannot_leave_its_quotes(void **state)
{
    (void)state;
    assert_quoted("wide", "'wide'");
    assert_quoted("", "''");
    assert_quoted("it's", "'it''s'");
    assert_quoted("a\nsystem 'ls'\r", "'asystem ''ls'''");
    assert_quoted("`ls` \\", "'`ls` \\'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_says_what_picture_it_is),
        cmocka_unit_test(a_text_cannot_leave_its_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
