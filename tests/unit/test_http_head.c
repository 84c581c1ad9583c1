/*
 * test_http_head.c - the head of an answer, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_head.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static void assert_head(const struct http_head *head, const char *expected)
{
    char out[HTTP_HEAD_BYTES_MAX];
    size_t bytes = http_head_write(head, out);
    assert_true(bytes < sizeof out);
    out[bytes] = '\0';
    assert_string_equal(out, expected);
}

static void every_field_stands_on_its_own_line(void **state)
{
    (void)state;
    const char extra[] = "Retry-After: 1\r\nX-Batch-Size: 7\r\n";
    struct http_head head = {.status = 503,
                             .date = DATE,
                             .content_type = "application/json",
                             .content_length = 1234567890,
                             .connection = HTTP_CONNECTION_CLOSE,
                             .request_id = "ab-12 and not this",
                             .request_id_bytes = 5,
                             .extra = extra,
                             .extra_bytes = sizeof extra - 1};
    assert_head(&head, "HTTP/1.1 503 Service Unavailable\r\n"
                       "Date: " DATE "\r\n"
                       "Content-Type: application/json\r\n"
                       "Content-Length: 1234567890\r\n"
                       "Connection: close\r\n"
                       "X-Request-Id: ab-12\r\n"
                       "Retry-After: 1\r\n"
                       "X-Batch-Size: 7\r\n"
                       "\r\n");
}

static void an_answer_without_a_body_says_so(void **state)
{
    (void)state;
    struct http_head head = {.status = 200, .date = DATE, .extra = ""};
    assert_head(&head, "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nContent-Length: 0\r\n\r\n");
}

static void an_http_1_0_client_is_told_that_the_connection_goes_on(void **state)
{
    (void)state;
    struct http_head head = {
        .status = 200, .date = DATE, .connection = HTTP_CONNECTION_KEEP_ALIVE, .extra = ""};
    assert_head(&head, "HTTP/1.1 200 OK\r\nDate: " DATE
                       "\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_stands_on_its_own_line),
        cmocka_unit_test(an_answer_without_a_body_says_so),
        cmocka_unit_test(an_http_1_0_client_is_told_that_the_connection_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
