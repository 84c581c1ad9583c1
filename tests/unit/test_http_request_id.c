/* test_http_request_id.c - ids that are made up, and which of a client's are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "http_request_id.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define TRACEPARENT "00-" TRACE "-00f067aa0ba902b7-01"

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, HTTP_TRACE_ID_BYTES);
}

static void made_up_ids_are_trace_ids_and_all_different(void **state)
{
    (void)state;
    enum {
        IDS = 20000
    };
    struct http_request_ids sources[2];
    http_request_ids_init(&sources[0]);
    http_request_ids_init(&sources[1]);
    char(*ids)[HTTP_TRACE_ID_BYTES + 1] = calloc(IDS, sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < IDS; i++) {
        http_request_ids_next(&sources[i % 2], ids[i]);
        assert_true(http_request_id_ok(ids[i], HTTP_TRACE_ID_BYTES));
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), HTTP_TRACE_ID_BYTES);
    }
    qsort(ids, IDS, sizeof *ids, by_text);
    for (size_t i = 1; i < IDS; i++)
        assert_true(by_text(ids[i - 1], ids[i]) < 0);
    free(ids);
}

static void ids_of_clients_are_short_and_harmless(void **state)
{
    (void)state;
    char longest[HTTP_REQUEST_ID_BYTES_MAX + 1] = "", too_long[HTTP_REQUEST_ID_BYTES_MAX + 2] = "";
    memset(longest, 'x', sizeof longest - 1);
    memset(too_long, 'x', sizeof too_long - 1);
    const char *const good[] = {"a", "7", "order-12/3", "b64+/=", "urn:uuid:1_2.3@host", longest};
    const char *const bad[] = {"",   " ",   "a b",  "a\r\nSet-Cookie: x", "a\tb",  "\"",
                               "\\", "a,b", "\x80", "<script>",           too_long};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        if (!http_request_id_ok(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (http_request_id_ok(bad[i], strlen(bad[i])))
            fail_msg("taken: %s", bad[i]);
    assert_false(http_request_id_ok("a\0b", 3));
}

static void a_traceparent_has_its_trace_id(void **state)
{
    (void)state;
    static const char *const good[] = {TRACEPARENT, "00-" TRACE "-00f067aa0ba902b7-00",
                                       "00-" TRACE "-0000000000000001-ff"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        const char *id = http_trace_id(good[i], strlen(good[i]));
        assert_non_null(id);
        assert_memory_equal(id, TRACE, HTTP_TRACE_ID_BYTES);
    }
}

static void a_traceparent_is_read_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00",
        TRACEPARENT "-",
        TRACEPARENT "-extra",
        "01-" TRACE "-00f067aa0ba902b7-01",
        "ff-" TRACE "-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-" TRACE "-0000000000000000-01",
        "00-" TRACE "-00f067aa0ba902b7-0g",
        "00_" TRACE "-00f067aa0ba902b7-01",
        "00-" TRACE "_00f067aa0ba902b7-01",
        "00-" TRACE "-00f067aa0ba902b7_01",
        " 0-" TRACE "-00f067aa0ba902b7-01",
        "00-" TRACE "-00f067aa0ba902b7-1",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (http_trace_id(bad[i], strlen(bad[i])) != NULL)
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up_ids_are_trace_ids_and_all_different),
        cmocka_unit_test(ids_of_clients_are_short_and_harmless),
        cmocka_unit_test(a_traceparent_has_its_trace_id),
        cmocka_unit_test(a_traceparent_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
