#include "http_head.h"

#include <assert.h>

#include "http_error.h"
#include "put.h"

#define PUT_LITERAL(at, text) put_bytes((at), (text), sizeof(text) - 1)

size_t http_head_write(const struct http_head *head, char out[HTTP_HEAD_BYTES_MAX])
{
    char *at = PUT_LITERAL(out, "HTTP/1.1 ");
    at = put_count(at, (size_t)head->status);
    at = PUT_LITERAL(at, " ");
    at = put_text(at, http_status_text(head->status));
    at = PUT_LITERAL(at, "\r\nDate: ");
    at = put_text(at, head->date);
    if (head->content_type != NULL) {
        at = PUT_LITERAL(at, "\r\nContent-Type: ");
        at = put_text(at, head->content_type);
    }
    at = PUT_LITERAL(at, "\r\nContent-Length: ");
    at = put_count(at, head->content_length);
    if (head->connection == HTTP_CONNECTION_CLOSE)
        at = PUT_LITERAL(at, "\r\nConnection: close");
    else if (head->connection == HTTP_CONNECTION_KEEP_ALIVE)
        at = PUT_LITERAL(at, "\r\nConnection: keep-alive");
    if (head->request_id_bytes > 0) {
        at = PUT_LITERAL(at, "\r\nX-Request-Id: ");
        at = put_bytes(at, head->request_id, head->request_id_bytes);
    }
    at = PUT_LITERAL(at, "\r\n");
    at = put_bytes(at, head->extra, head->extra_bytes);
    at = PUT_LITERAL(at, "\r\n");
    assert(at - out <= HTTP_HEAD_BYTES_MAX);
    return (size_t)(at - out);
}
