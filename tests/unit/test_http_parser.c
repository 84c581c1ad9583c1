/*
 * Bytes in, a transcript of what the parser said out. Each row is run whole, byte by byte and cut
 * in two at every point: the transcript must be the same. Limits are small, so that a row that
 * touches one is short.
 *
 * In an input "{x*50}" stands for fifty of x.
 */
#include "http_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base.h"

enum {
    INPUT_BYTES_MAX = 128 * 1024,
    /* Longer inputs are cut at fewer points: near their ends, and near multiples of 4096,
     * where the parser looks at chunks. */
    CUT_EVERYWHERE_BYTES_MAX = 1200,
    CUT_STEP = 61,
    /* What a head may have beside its line and headers, see http_parser.c. */
    FIELD_OVERHEAD = 16,
    CHUNK_OVERHEAD = 24,
};

static const struct http_limits limits = {
    .request_line_bytes_max = 64,
    .headers_bytes_max = 200,
    .headers_max = 6,
    .chunk_extension_bytes_max = 16,
    .chunks_max = 4,
    .body_bytes_max = 32,
};

struct row {
    const char *input;
    const char *expected;
    size_t bytes; /* of an input with zero bytes in it; 0: a string */
};

/* --- one run */

static void record_slice(struct buffer *log, const char *name, struct http_slice slice)
{
    if (slice.at != NULL)
        buffer_append_format(log, " %s=[%.*s]", name, (int)slice.bytes, slice.at);
}

static const char *method_text(enum http_method method)
{
    static const char *const texts[] = {
        [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
        [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",
        [HTTP_METHOD_PATCH] = "PATCH",     [HTTP_METHOD_DELETE] = "DELETE",
        [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_OTHER] = "OTHER",
    };
    return texts[method];
}

/* Everything but Host, which nearly every row has. */
static void record_head(struct buffer *log, const struct http_request *req)
{
    static const char *const names[] = {
#define X(id, name) name,
        HTTP_HEADER_MAP(X)
#undef X
    };
    buffer_append_format(log, "%s %.*s", method_text(req->method), (int)req->path.bytes,
                         req->path.at);
    record_slice(log, "query", req->query);
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++)
        if (i != HTTP_HEADER_HOST)
            record_slice(log, names[i], req->headers[i]);
    if (req->content_length > 0)
        buffer_append_format(log, " length=%llu", (unsigned long long)req->content_length);
    buffer_append_format(log, "%s%s%s%s\n", req->chunked ? " chunked" : "",
                         req->expects_continue ? " continue" : "", req->version_1_0 ? " 1.0" : "",
                         req->keep_alive ? "" : " close");
}

static void record_refusal(struct buffer *log, const struct http_refusal *refusal)
{
    static const char *const reasons[] = {
        [HTTP_PROTOCOL_BAD_REQUEST_LINE] = "line", [HTTP_PROTOCOL_BAD_HEADER] = "header",
        [HTTP_PROTOCOL_BAD_CHUNK] = "chunk",       [HTTP_PROTOCOL_SMUGGLING] = "smuggling",
        [HTTP_PROTOCOL_TOO_LARGE] = "large",
    };
    buffer_append_format(log, "%d %s: %s\n", http_error_status(refusal->error),
                         reasons[refusal->reason], refusal->text);
}

/* Feeds one piece; false after a refusal. */
static bool feed(struct http_parser *p, const struct buffer *body, const char *data, size_t bytes,
                 struct buffer *log)
{
    bool again = false;
    while (bytes > 0 || again) {
        size_t used;
        enum http_parse_result result = http_parser_feed(p, data, bytes, &used);
        assert_in_range(used, 0, bytes);
        data += used;
        bytes -= used;
        again = result == HTTP_PARSE_HEADERS;
        switch (result) {
        case HTTP_PARSE_MORE:
            assert_int_equal(bytes, 0);
            break;
        case HTTP_PARSE_HEADERS:
            record_head(log, &p->request);
            break;
        case HTTP_PARSE_MESSAGE:
            buffer_append_format(log, "\"%.*s\"\n", (int)body->bytes,
                                 body->bytes > 0 ? body->data : "");
            assert_int_equal(p->body_bytes, body->bytes);
            http_parser_next(p);
            break;
        case HTTP_PARSE_REFUSED:
            record_refusal(log, &p->refusal);
            return false;
        }
    }
    return true;
}

/* Each piece in memory of just its size, so that a sanitizer sees a byte too many, and
 * freed at once, so that it sees what is kept. */
static bool feed_copy(struct http_parser *p, const struct buffer *body, const char *data,
                      size_t bytes, struct buffer *log)
{
    char *piece = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(piece);
    memcpy(piece, data, bytes);
    bool going = feed(p, body, piece, bytes, log);
    free(piece);
    return going;
}

/* The input in a first piece of `cut` bytes, and pieces of `piece` bytes behind it. */
static void transcribe(const char *input, size_t bytes, size_t cut, size_t piece,
                       struct buffer *log)
{
    struct buffer body;
    struct http_parser p;
    buffer_init(&body, limits.body_bytes_max);
    http_parser_init(&p, &limits, &body);
    bool going = cut == 0 || feed_copy(&p, &body, input, cut, log);
    for (size_t at = cut; at < bytes && going; at += piece)
        going = feed_copy(&p, &body, input + at, bytes - at < piece ? bytes - at : piece, log);
    if (going && !http_parser_at_boundary(&p))
        buffer_append_str(log, "inside\n");
    http_parser_deinit(&p);
    buffer_deinit(&body);
}

static void expect_transcript(const char *input, size_t bytes, size_t cut, size_t piece,
                              const char *expected, const char *name)
{
    struct buffer log;
    buffer_init(&log, MIB);
    transcribe(input, bytes, cut, piece, &log);
    buffer_append(&log, "", 1);
    assert_false(log.failed);
    if (strcmp(log.data, expected) != 0) {
        print_error("input    %.300s\nfirst piece %zu, then pieces of %zu\n", name, cut, piece);
        assert_string_equal(log.data, expected);
    }
    buffer_deinit(&log);
}

/* --- rows */

static size_t expand(const char *pattern, char *out)
{
    size_t n = 0;
    while (*pattern != '\0') {
        char byte;
        unsigned times;
        int used = 0;
        if (sscanf(pattern, "{%c*%u}%n", &byte, &times, &used) == 2 && used > 0) {
            assert_in_range(n + times, 0, INPUT_BYTES_MAX);
            memset(out + n, byte, times);
            n += times;
            pattern += used;
        } else {
            out[n++] = *pattern++;
        }
    }
    return n;
}

static bool cut_here(size_t cut, size_t bytes)
{
    return bytes <= CUT_EVERYWHERE_BYTES_MAX || cut < 200 || cut + 40 > bytes ||
           (cut + 80) % 4096 < 90 || cut % CUT_STEP == 0;
}

static void check_row(const struct row *row)
{
    char *input = malloc(INPUT_BYTES_MAX);
    assert_non_null(input);
    size_t bytes = row->bytes;
    if (bytes == 0)
        bytes = expand(row->input, input);
    else
        memcpy(input, row->input, bytes);
    expect_transcript(input, bytes, 0, bytes, row->expected, row->input);
    expect_transcript(input, bytes, 0, 1, row->expected, row->input);
    for (size_t cut = 1; cut < bytes; cut++)
        if (cut_here(cut, bytes))
            expect_transcript(input, bytes, cut, bytes, row->expected, row->input);
    free(input);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_row(&rows[i]);
}

#define CHECK_ROWS(rows) check_rows((rows), ARRAY_SIZE(rows))

#define HOST "Host: a\r\n"
#define BAD_LINE "400 line: the request line is malformed\n"
#define NOT_HTTP "400 line: the protocol is not HTTP\n"
#define BAD_TARGET "400 line: the request target must be a path\n"
#define BAD_BYTE "400 line: the request target holds a byte that it must not\n"
#define BAD_HOST "400 header: Host is not a host name with an optional port\n"
#define BAD_HEAD "400 header: the request is malformed\n"
#define BAD_VERSION "505 line: only HTTP/1.0 and HTTP/1.1 are spoken here\n"
#define UNCLEAR "400 smuggling: the length of the body is not clear\n"
#define NOT_CHUNKED "400 smuggling: Transfer-Encoding is not chunked\n"
#define BAD_CHUNK "400 chunk: a chunk is malformed\n"
#define BAD_BODY "400 chunk: the body is malformed\n"
#define LONG_LINE "414 large: the request line is too long\n"
#define LARGE_HEADERS "431 large: too many or too large header fields\n"
#define LARGE_HEAD "431 large: the head is too large\n"
#define LARGE_BODY "413 large: the body is larger than the limit\n"
#define LARGE_FRAMING "413 large: the chunks' framing is too large\n"
#define LARGE_EXTENSIONS "413 large: the chunk extensions are too large\n"
#define MANY_CHUNKS "413 large: the body has too many chunks\n"

static void requests_come_out_as_they_were_sent(void **state)
{
    static const struct row rows[] = {
        {"", "", 0},
        {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET /\n\"\"\n", 0},
        {"GET /a/b?c=d&e=f?g HTTP/1.1\r\n" HOST "\r\n", "GET /a/b query=[c=d&e=f?g]\n\"\"\n", 0},
        {"GET /a? HTTP/1.1\r\n" HOST "\r\n", "GET /a query=[]\n\"\"\n", 0},
        {"GET http://a:80/b?c HTTP/1.1\r\n" HOST "\r\n", "GET /b query=[c]\n\"\"\n", 0},
        {"GET HTTP://a/b HTTP/1.1\r\n" HOST "\r\n", "GET /b\n\"\"\n", 0},
        {"HEAD /a HTTP/1.1\r\n" HOST "\r\n", "HEAD /a\n\"\"\n", 0},
        {"PUT /a HTTP/1.1\r\n" HOST "\r\n", "PUT /a\n\"\"\n", 0},
        {"PATCH /a HTTP/1.1\r\n" HOST "\r\n", "PATCH /a\n\"\"\n", 0},
        {"DELETE /a HTTP/1.1\r\n" HOST "\r\n", "DELETE /a\n\"\"\n", 0},
        {"OPTIONS /a HTTP/1.1\r\n" HOST "\r\n", "OPTIONS /a\n\"\"\n", 0},
        {"PROPFIND /a HTTP/1.1\r\n" HOST "\r\n", "OTHER /a\n\"\"\n", 0},
        {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
         "POST /a length=5\n\"hello\"\n", 0},
        {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST /a\n\"\"\n", 0},
        {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 0005\r\n\r\nhello",
         "POST /a length=5\n\"hello\"\n", 0},
        {"POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n",
         "POST /a transfer-encoding=[chunked] chunked\n\"hello!\"\n", 0},
        {"POST /a HTTP/1.1\r\n" HOST
         "Transfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
         "POST /a transfer-encoding=[CHUNKED] chunked\n\"0123456789\"\n", 0},
        {"POST /a HTTP/1.1\r\n" HOST "Content-Type: application/json; a\r\n"
         "X-Request-Timeout-Ms:5\r\nContent-Length:1\r\n\r\n1",
         "POST /a content-type=[application/json; a] x-request-timeout-ms=[5] length=1\n\"1\"\n",
         0},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "GET / close\n\"\"\n", 0},
        {"GET / HTTP/1.0\r\n\r\n", "GET / 1.0 close\n\"\"\n", 0},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / 1.0\n\"\"\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void values_lose_the_spaces_around_them(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "Accept: \t a b\t \r\n\r\n", "GET / accept=[a b]\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "Accept:   \r\n\r\n", "GET / accept=[]\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "Accept:\r\n\r\n", "GET / accept=[]\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\nhOST:a\r\nACCEPT:*/*\r\n\r\n", "GET / accept=[*/*]\n\"\"\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void pipelined_requests_come_out_one_by_one(void **state)
{
    static const struct row rows[] = {
        {"GET /a HTTP/1.1\r\n" HOST "\r\nPOST /b HTTP/1.1\r\n" HOST
         "Content-Length: 2\r\n\r\nhiGET /c HTTP/1.1\r\n" HOST "\r\n",
         "GET /a\n\"\"\nPOST /b length=2\n\"hi\"\nGET /c\n\"\"\n", 0},
        {"POST /b HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n"
         "GET /c HTTP/1.1\r\n" HOST "\r\n",
         "POST /b transfer-encoding=[chunked] chunked\n\"hi\"\nGET /c\n\"\"\n", 0},
        {"\r\nGET /a HTTP/1.1\r\n" HOST "\r\n\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n\r\n",
         "GET /a\n\"\"\nGET /b\n\"\"\n", 0},
        {"GET /a HTTP/1.1\r\n" HOST "\r\nGET / RTSP/1.0\r\n" HOST "\r\n", "GET /a\n\"\"\n" NOT_HTTP,
         0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void an_end_inside_a_request_is_told(void **state)
{
    static const struct row rows[] = {
        {"G", "inside\n", 0},
        {"GET /", "inside\n", 0},
        {"GET / HTTP/1.1\r\n" HOST, "inside\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "\r", "inside\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab", "POST / length=3\ninside\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
         "POST / transfer-encoding=[chunked] chunked\ninside\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
         "POST / transfer-encoding=[chunked] chunked\ninside\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "\r\n\r\n", "GET /\n\"\"\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void host_must_be_one_name_with_an_optional_port(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400 header: Host is missing\n", 0},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", "400 header: more than one Host\n", 0},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: a\xc3\xa9\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", BAD_HOST, 0},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\nHost: a-b.c_d:65535\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\nHost: 127.0.0.1:8001\r\n\r\n", "GET /\n\"\"\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void only_http_1_is_spoken(void **state)
{
    static const struct row rows[] = {
        {"GET /\r\n\r\n", "400 line: HTTP/0.9 is not spoken here\n", 0},
        {"GET / HTTP/0.9\r\n\r\n", "400 line: HTTP/0.9 is not spoken here\n", 0},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", BAD_VERSION, 0},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", BAD_VERSION, 0},
        {"GET / HTTP/9.9\r\n" HOST "\r\n", BAD_VERSION, 0},
        {"GET / HTTP/1\r\n" HOST "\r\n", "400 line: the HTTP version is malformed\n", 0},
        {"GET / HTTP/x.y\r\n" HOST "\r\n", "400 line: the HTTP version is malformed\n", 0},
        {"GET / RTSP/1.0\r\n" HOST "\r\n", NOT_HTTP, 0},
        {"DESCRIBE / RTSP/1.0\r\n" HOST "\r\n", NOT_HTTP, 0},
        {"SOURCE / ICE/1.0\r\n" HOST "\r\n", NOT_HTTP, 0},
        {"OPTIONS /abc RTSP/1.0\r\n" HOST "\r\n", NOT_HTTP, 0},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 line: HTTP/2 is not spoken here\n", 0},
        {"\x16\x03\x01 not TLS here", BAD_LINE, 0},
        {"hello\r\n", BAD_LINE, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void the_target_must_be_a_path_of_plain_bytes(void **state)
{
    static const struct row rows[] = {
        {"GET * HTTP/1.1\r\n" HOST "\r\n", BAD_TARGET, 0},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", BAD_TARGET, 0},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n",
         "400 line: more than one space in front of the request target\n", 0},
        {"GET   / HTTP/1.1\r\n" HOST "\r\n",
         "400 line: more than one space in front of the request target\n", 0},
        {"POST  a\r\n\r\n", BAD_LINE, 0},
        {"CONNECT  a:80 HTTP/1.1\r\n" HOST "\r\n",
         "400 line: more than one space in front of the request target\n", 0},
        {"GET a HTTP/1.1\r\n" HOST "\r\n", BAD_LINE, 0},
        {"GET http://a HTTP/1.1\r\n" HOST "\r\n", "400 line: the request target has no path\n", 0},
        {"GET https://a/b HTTP/1.1\r\n" HOST "\r\n", BAD_TARGET, 0},
        {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", BAD_BYTE, 0},
        {"GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", BAD_LINE, 0},
        {"GET /\x7f HTTP/1.1\r\n" HOST "\r\n", BAD_LINE, 0},
        {"GET /\x01 HTTP/1.1\r\n" HOST "\r\n", BAD_LINE, 0},
        {"GET /a\0b HTTP/1.1\r\n" HOST "\r\n", BAD_LINE, 30},
        {"GET /\t HTTP/1.1\r\n" HOST "\r\n", BAD_LINE, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

/* An upgrade that is not wanted is no error: the request is answered as HTTP/1.1. */
static void upgrades_are_ignored(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
         "GET /b HTTP/1.1\r\n" HOST "\r\n",
         "GET /\n\"\"\nGET /b\n\"\"\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: x\r\n"
         "Content-Length: 2\r\n\r\nhiGET /b HTTP/1.1\r\n" HOST "\r\n",
         "POST / length=2\n\"hi\"\nGET /b\n\"\"\n", 0},
        {"CONNECT a:80 HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
         "OTHER /\n\"\"\nGET /b\n\"\"\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

#define POST_TE "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: "

static void unclear_lengths_are_refused(void **state)
{
    static const struct row rows[] = {
        {POST_TE "\r\n\r\n", NOT_CHUNKED, 0},
        {POST_TE "gzip, chunked\r\n\r\n", "501 smuggling: the only Transfer-Encoding is chunked\n",
         0},
        {POST_TE ",chunked\r\n\r\n", NOT_CHUNKED, 0},
        {POST_TE "chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400 smuggling: more than one Transfer-Encoding\n", 0},
        {POST_TE "gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400 smuggling: more than one Transfer-Encoding\n", 0},
        {POST_TE "gzip\r\n\r\n", NOT_CHUNKED, 0},
        {POST_TE "identity\r\n\r\n", NOT_CHUNKED, 0},
        {POST_TE "chunked, gzip\r\n\r\n", UNCLEAR, 0},
        {POST_TE "xchunked\r\n\r\n", NOT_CHUNKED, 0},
        {POST_TE "chunked\r\nContent-Length: 5\r\n\r\n", UNCLEAR, 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         UNCLEAR, 0},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400 smuggling: HTTP/1.0 has no Transfer-Encoding\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", UNCLEAR,
         0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", UNCLEAR, 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", UNCLEAR, 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", UNCLEAR, 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", UNCLEAR, 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", UNCLEAR, 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", UNCLEAR, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void malformed_headers_are_refused(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n A: b\r\n" HOST "\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n" HOST "A: b\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\n" HOST "Content-Type: a\r\nContent-Type: a\r\n\r\n",
         "400 header: a header field that may stand once is repeated\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n",
         "400 header: a header field that may stand once is repeated\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "Accept: a\r\nAccept: b\r\n\r\n", "GET / accept=[a]\n\"\"\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void only_100_continue_is_expected(void **state)
{
    static const struct row rows[] = {
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na",
         "POST / expect=[100-Continue] length=1 continue\n\"a\"\n", 0},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
         "POST / expect=[100-continue] length=1 1.0 close\n\"a\"\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Expect: magic\r\nContent-Length: 1\r\n\r\na",
         "417 header: the only expectation is 100-continue\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

/* The method and the target count: 3 + 61 bytes are the 64 of the limit. */
static void request_lines_are_bounded(void **state)
{
    static const struct row rows[] = {
        {"GET /{a*60} HTTP/1.1\r\n" HOST "\r\n",
         "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\"\"\n", 0},
        {"GET /{a*61} HTTP/1.1\r\n" HOST "\r\n", LONG_LINE, 0},
        {"GET /{a*61}\x01 HTTP/1.1\r\n" HOST "\r\n", LONG_LINE, 0},
        {"GET /{a*3000}", LONG_LINE, 0},
        {"GET /{a*60}\x01 HTTP/1.1\r\n" HOST "\r\n", BAD_LINE, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

/* Names and values count: "Host" and "a" are 5 bytes, "A" is 1. */
static void headers_are_bounded_in_bytes_and_count(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "A: {b*194}\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "A: {b*195}\r\n\r\n", LARGE_HEADERS, 0},
        {"GET / HTTP/1.1\r\n" HOST "{A*194}: b\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "{A*195}: b\r\n\r\n", LARGE_HEADERS, 0},
        {"GET / HTTP/1.1\r\n" HOST "{A*196}@: b\r\n\r\n", LARGE_HEADERS, 0},
        {"GET / HTTP/1.1\r\n" HOST "A: {b*3000}", LARGE_HEADERS, 0},
        {"GET / HTTP/1.1\r\n" HOST "A:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", LARGE_HEADERS, 0},
        {"GET / HTTP/1.1\r\n" HOST "A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA@:\r\n\r\n", BAD_HEAD, 0},
        {"GET / HTTP/1.1\r\nAccept: a\r\nAccept: a\r\nAccept: a\r\nAccept: a\r\nAccept: a\r\n"
         "Accept: a\r\nAccept: a\r\n" HOST "\r\n",
         LARGE_HEADERS, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

/* No callback of llhttp shows spaces before a value, or empty lines before a request: a head
 * of 64 + 200 + 6 * 16 raw bytes is too large whatever is in it. */
static void bytes_that_no_field_shows_are_bounded_too(void **state)
{
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\nHost:{ *333}a\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\nHost:{ *334}a\r\n\r\n", "GET /\n\"\"\n", 0},
        {"GET / HTTP/1.1\r\nHost:{ *335}a\r\n\r\n", LARGE_HEAD, 0},
        {"GET / HTTP/1.1\r\nHost:{ *3000}", LARGE_HEAD, 0},
        {"{\n*330}GET / HTTP/1.1\r\n" HOST "\r\n", "GET /\n\"\"\n", 0},
        {"{\n*3000}", LARGE_HEAD, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_HEAD "POST / transfer-encoding=[chunked] chunked\n"
#define BYTES_32 "01234567890123456789012345678901"

static void bodies_are_bounded(void **state)
{
    static const struct row rows[] = {
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 32\r\n\r\n" BYTES_32,
         "POST / length=32\n\"" BYTES_32 "\"\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 33\r\n\r\n", LARGE_BODY, 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n", LARGE_BODY, 0},
        {CHUNKED "20\r\n" BYTES_32 "\r\n0\r\n\r\n", CHUNKED_HEAD "\"" BYTES_32 "\"\n", 0},
        {CHUNKED "21\r\n", CHUNKED_HEAD LARGE_BODY, 0},
        {CHUNKED "1\r\na\r\n20\r\n", CHUNKED_HEAD LARGE_BODY, 0},
        {CHUNKED "10\r\n0123456789012345\r\n10\r\n0123456789012345\r\n0\r\n\r\n",
         CHUNKED_HEAD "\"01234567890123450123456789012345\"\n", 0},
        {CHUNKED "ffffffffffffffff\r\n", CHUNKED_HEAD LARGE_BODY, 0},
        {CHUNKED "10000000000000000\r\n", CHUNKED_HEAD BAD_CHUNK, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

/* The last chunk, of size 0, counts. */
static void chunks_and_their_extensions_are_bounded(void **state)
{
    static const struct row rows[] = {
        {CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", CHUNKED_HEAD "\"abc\"\n", 0},
        {CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n", CHUNKED_HEAD MANY_CHUNKS, 0},
        {CHUNKED "1;{n*7}={v*9}\r\na\r\n0\r\n\r\n", CHUNKED_HEAD "\"a\"\n", 0},
        {CHUNKED "1;{n*7}={v*10}\r\na\r\n0\r\n\r\n", CHUNKED_HEAD LARGE_EXTENSIONS, 0},
        {CHUNKED "1;{n*16}\r\na\r\n0\r\n\r\n", CHUNKED_HEAD "\"a\"\n", 0},
        {CHUNKED "1;{n*17}\r\na\r\n0\r\n\r\n", CHUNKED_HEAD LARGE_EXTENSIONS, 0},
        {CHUNKED "1;{n*8}\r\na\r\n0;{n*9}\r\n\r\n", CHUNKED_HEAD LARGE_EXTENSIONS, 0},
        {CHUNKED "1;a=\"{v*15}\r\n", CHUNKED_HEAD LARGE_EXTENSIONS, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

/* Two chunks may have 16 + 200 + 3 * 24 bytes of framing, of which 10 are digits and line ends. */
static void leading_zeros_of_a_chunk_size_are_bounded(void **state)
{
    static const struct row rows[] = {
        {CHUNKED "{0*278}5\r\nhello\r\n0\r\n\r\n", CHUNKED_HEAD "\"hello\"\n", 0},
        {CHUNKED "{0*279}5\r\nhello\r\n0\r\n\r\n", CHUNKED_HEAD LARGE_FRAMING, 0},
        {CHUNKED "{0*5000}5\r\nhello\r\n0\r\n\r\n", CHUNKED_HEAD LARGE_FRAMING, 0},
        {CHUNKED "1\r\na\r\n{0*5000}", CHUNKED_HEAD LARGE_FRAMING, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void malformed_chunks_are_refused(void **state)
{
    static const struct row rows[] = {
        {CHUNKED "x\r\n", CHUNKED_HEAD BAD_CHUNK, 0},
        {CHUNKED "-1\r\n", CHUNKED_HEAD BAD_CHUNK, 0},
        {CHUNKED "0x1\r\n", CHUNKED_HEAD BAD_CHUNK, 0},
        {CHUNKED "\r\n", CHUNKED_HEAD BAD_CHUNK, 0},
        {CHUNKED "1 \r\na\r\n", CHUNKED_HEAD BAD_CHUNK, 0},
        {CHUNKED "1\r\nab\r\n", CHUNKED_HEAD BAD_BODY, 0},
        {CHUNKED "1\na\r\n", CHUNKED_HEAD BAD_BODY, 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

static void trailers_are_counted_and_dropped(void **state)
{
    static const struct row rows[] = {
        {CHUNKED "1\r\na\r\n0\r\nAccept: b\r\nX: y\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
         CHUNKED_HEAD "\"a\"\nGET /b\n\"\"\n", 0},
        {CHUNKED "0\r\nHost: b\r\nHost: c\r\n\r\n", CHUNKED_HEAD "\"\"\n", 0},
        /* 2 fields of 29 bytes are in the head. */
        {CHUNKED "0\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", CHUNKED_HEAD "\"\"\n", 0},
        {CHUNKED "0\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", CHUNKED_HEAD LARGE_HEADERS, 0},
        {CHUNKED "0\r\nA: {b*170}\r\n\r\n", CHUNKED_HEAD "\"\"\n", 0},
        {CHUNKED "0\r\nA: {b*171}\r\n\r\n", CHUNKED_HEAD LARGE_HEADERS, 0},
        {CHUNKED "0\r\nContent-Length: 1\r\n\r\n",
         CHUNKED_HEAD "400 smuggling: a trailer must not say how long the body is\n", 0},
        {CHUNKED "0\r\nTRANSFER-encoding: chunked\r\n\r\n",
         CHUNKED_HEAD "400 smuggling: a trailer must not say how long the body is\n", 0},
        {CHUNKED "0\r\nA b: c\r\n\r\n", CHUNKED_HEAD BAD_BODY, 0},
        {CHUNKED "0\r\nA:{ *5000}", CHUNKED_HEAD LARGE_FRAMING, 0},
        /* Whether the connection goes on was said by the head. */
        {CHUNKED "0\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
         CHUNKED_HEAD "\"\"\nGET /b\n\"\"\n", 0},
        {CHUNKED "0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n",
         CHUNKED_HEAD "\"\"\nGET /b\n\"\"\n", 0},
    };
    (void)state;
    CHECK_ROWS(rows);
}

/* --- what is not a row */

static void a_discarded_body_is_counted_and_not_kept(void **state)
{
    (void)state;
    static const char input[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
    struct buffer body;
    struct http_parser p;
    size_t used, rest;
    buffer_init(&body, limits.body_bytes_max);
    http_parser_init(&p, &limits, &body);
    assert_int_equal(http_parser_feed(&p, input, strlen(input), &used), HTTP_PARSE_HEADERS);
    p.discard_body = true;
    assert_int_equal(http_parser_feed(&p, input + used, strlen(input) - used, &rest),
                     HTTP_PARSE_MESSAGE);
    assert_int_equal(used + rest, strlen(input));
    assert_int_equal(p.body_bytes, 5);
    assert_int_equal(body.bytes, 0);
    http_parser_next(&p);
    assert_false(p.discard_body);
    http_parser_deinit(&p);
    buffer_deinit(&body);
}

static void a_restarted_parser_knows_nothing_of_the_connection_before(void **state)
{
    (void)state;
    static const char broken[] = "POST /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    static const char good[] = "GET /b HTTP/1.1\r\n" HOST "\r\n";
    struct buffer body, log;
    struct http_parser p;
    buffer_init(&log, KIB);
    buffer_init(&body, limits.body_bytes_max);
    http_parser_init(&p, &limits, &body);
    assert_false(feed_copy(&p, &body, broken, strlen(broken), &log));
    assert_false(http_parser_at_boundary(&p));
    http_parser_restart(&p);
    assert_true(http_parser_at_boundary(&p));
    buffer_reset(&log, 0);
    assert_true(feed_copy(&p, &body, good, strlen(good), &log));
    buffer_append(&log, "", 1);
    assert_string_equal(log.data, "GET /b\n\"\"\n");
    http_parser_deinit(&p);
    buffer_deinit(&body);
    buffer_deinit(&log);
}

static void slices_compare_whole(void **state)
{
    (void)state;
    struct http_slice slice = {.at = "abCD", .bytes = 3};
    assert_true(http_slice_equals(slice, "abC"));
    assert_false(http_slice_equals(slice, "abc"));
    assert_false(http_slice_equals(slice, "abCD"));
    assert_false(http_slice_equals(slice, "ab"));
    assert_true(http_slice_equals_nocase(slice, "ABc"));
    assert_false(http_slice_equals_nocase(slice, "ABcd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_out_as_they_were_sent),
        cmocka_unit_test(values_lose_the_spaces_around_them),
        cmocka_unit_test(pipelined_requests_come_out_one_by_one),
        cmocka_unit_test(an_end_inside_a_request_is_told),
        cmocka_unit_test(host_must_be_one_name_with_an_optional_port),
        cmocka_unit_test(only_http_1_is_spoken),
        cmocka_unit_test(the_target_must_be_a_path_of_plain_bytes),
        cmocka_unit_test(upgrades_are_ignored),
        cmocka_unit_test(unclear_lengths_are_refused),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(only_100_continue_is_expected),
        cmocka_unit_test(request_lines_are_bounded),
        cmocka_unit_test(headers_are_bounded_in_bytes_and_count),
        cmocka_unit_test(bytes_that_no_field_shows_are_bounded_too),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(chunks_and_their_extensions_are_bounded),
        cmocka_unit_test(leading_zeros_of_a_chunk_size_are_bounded),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(trailers_are_counted_and_dropped),
        cmocka_unit_test(a_discarded_body_is_counted_and_not_kept),
        cmocka_unit_test(a_restarted_parser_knows_nothing_of_the_connection_before),
        cmocka_unit_test(slices_compare_whole),
    };
    return cmocka_run_group_tests_name("http_parser", tests, NULL, NULL);
}
