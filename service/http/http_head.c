#include "http_head.h"

#include <assert.h>
#include <string.h>

#include "http_error.h"

static char *put(char *at, const char *text, size_t bytes)
{
    memcpy(at, text, bytes);
    return at + bytes;
}

#define PUT_LITERAL(at, text) put((at), (text), sizeof(text) - 1)

static char *put_str(char *at, const char *text)
{
    return put(at, text, strlen(text));
}

static char *put_size(char *at, size_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return put(at, digits + i, sizeof digits - i);
}

size_t http_head_write(const struct http_head *head, char out[HTTP_HEAD_BYTES_MAX])
{
    char *at = PUT_LITERAL(out, "HTTP/1.1 ");
    at = put_size(at, (size_t)head->status);
    at = PUT_LITERAL(at, " ");
    at = put_str(at, http_status_text(head->status));
    at = PUT_LITERAL(at, "\r\nDate: ");
    at = put_str(at, head->date);
    if (head->content_type != NULL) {
        at = PUT_LITERAL(at, "\r\nContent-Type: ");
        at = put_str(at, head->content_type);
    }
    at = PUT_LITERAL(at, "\r\nContent-Length: ");
    at = put_size(at, head->content_length);
    if (head->connection == HTTP_CONNECTION_CLOSE)
        at = PUT_LITERAL(at, "\r\nConnection: close");
    else if (head->connection == HTTP_CONNECTION_KEEP_ALIVE)
        at = PUT_LITERAL(at, "\r\nConnection: keep-alive");
    if (head->request_id_bytes > 0) {
        at = PUT_LITERAL(at, "\r\nX-Request-Id: ");
        at = put(at, head->request_id, head->request_id_bytes);
    }
    at = PUT_LITERAL(at, "\r\n");
    at = put(at, head->extra, head->extra_bytes);
    at = PUT_LITERAL(at, "\r\n");
    assert(at - out <= HTTP_HEAD_BYTES_MAX);
    return (size_t)(at - out);
}
