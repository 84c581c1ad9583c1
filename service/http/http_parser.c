/*
 * http_parser.c - see http_parser.h.
 *
 * llhttp's callbacks only record: they append, count, check a limit. llhttp
 * pauses twice in a message, after the headers and at its end; what the pause
 * means is decided in http_parser_feed().
 */
#include "http_parser.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

enum {
    /* What a header field costs beside its name and value: colon, spaces, CRLF. */
    FIELD_OVERHEAD_BYTES = 16,
    /* What a chunk costs beside its data and extensions: size digits, two CRLF. */
    CHUNK_OVERHEAD_BYTES = 24,
    /* The overhead of chunks is looked at when so many more bytes have come, counted
     * from the start of the body, so that the verdict does not depend on packets. */
    CHUNK_CHECK_BYTES = 4096,
    HEAD_KEEP_BYTES_MAX = 4096,
    BODY_KEEP_BYTES_MAX = 64 * 1024,
};

static struct http_parser *parser_of(llhttp_t *llhttp)
{
    return llhttp->data;
}

/* Returned from a callback, it makes llhttp stop with HPE_USER. */
static int refuse(struct http_parser *p, enum http_error error, enum http_protocol_error reason,
                  const char *text)
{
    if (!p->_refused)
        p->refusal = (struct http_refusal){.error = error, .reason = reason, .text = text};
    p->_refused = true;
    return HPE_USER;
}

static int refuse_line(struct http_parser *p, const char *text)
{
    return refuse(p, HTTP_ERROR_BAD_REQUEST, HTTP_PROTOCOL_BAD_REQUEST_LINE, text);
}

static int refuse_header(struct http_parser *p, const char *text)
{
    return refuse(p, HTTP_ERROR_BAD_REQUEST, HTTP_PROTOCOL_BAD_HEADER, text);
}

static int refuse_smuggling(struct http_parser *p, const char *text)
{
    return refuse(p, HTTP_ERROR_BAD_REQUEST, HTTP_PROTOCOL_SMUGGLING, text);
}

static int refuse_memory(struct http_parser *p)
{
    return refuse(p, HTTP_ERROR_OUT_OF_MEMORY, HTTP_PROTOCOL_TOO_LARGE, "out of memory");
}

/* --- request line */

static int count_request_line(struct http_parser *p)
{
    if (p->_method_bytes + p->_target_bytes <= p->_limits->request_line_bytes_max)
        return 0;
    return refuse(p, HTTP_ERROR_URI_TOO_LONG, HTTP_PROTOCOL_TOO_LARGE,
                  "the request line is too long");
}

static int on_method(llhttp_t *llhttp, const char *at, size_t bytes)
{
    (void)at;
    struct http_parser *p = parser_of(llhttp);
    p->_method_bytes += bytes;
    return count_request_line(p);
}

/* The byte that stands `distance` in front of `at`, perhaps in the piece before. For what
 * llhttp reads without telling; only in the request line. */
static char byte_before(const struct http_parser *p, const char *at, size_t distance)
{
    size_t here = (size_t)(at - p->_piece);
    if (distance <= here)
        return at[-(ptrdiff_t)distance];
    return p->_tail[sizeof p->_tail - (distance - here)];
}

static int on_url(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = parser_of(llhttp);
    if (p->_target_bytes == 0 && bytes > 0)
        p->_target_spaced = byte_before(p, at, 2) == ' ';
    p->_target_bytes += bytes;
    if (count_request_line(p) != 0)
        return HPE_USER;
    buffer_append(&p->_head, at, bytes);
    return p->_head.failed ? refuse_memory(p) : 0;
}

/* llhttp also takes "GET / RTSP/1.0" and ICE; the word stands in no callback. */
static bool protocol_is_http(const struct http_parser *p, const char *version)
{
    static const char protocol[5] = {'H', 'T', 'T', 'P', '/'};
    for (size_t i = 1; i <= sizeof protocol; i++)
        if (byte_before(p, version, i) != protocol[sizeof protocol - i])
            return false;
    return true;
}

static int on_version(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = parser_of(llhttp);
    if (bytes == 0 || p->_version_seen)
        return 0;
    p->_version_seen = true;
    return protocol_is_http(p, at) ? 0 : refuse_line(p, "the protocol is not HTTP");
}

/* --- header fields, and trailers, which come through the same callbacks */

static int count_header(struct http_parser *p, size_t bytes)
{
    p->_headers_bytes += bytes;
    if (p->_headers_bytes <= p->_limits->headers_bytes_max &&
        p->_headers <= p->_limits->headers_max)
        return 0;
    return refuse(p, HTTP_ERROR_HEADERS_TOO_LARGE, HTTP_PROTOCOL_TOO_LARGE,
                  "too many or too large header fields");
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = parser_of(llhttp);
    if (p->_name_complete) {
        p->_name_complete = false;
        p->_name_bytes = 0;
    }
    const size_t before = p->_name_bytes;
    const size_t room = before < sizeof p->_name ? sizeof p->_name - before : 0;
    const size_t kept = bytes < room ? bytes : room;
    for (size_t i = 0; i < kept; i++)
        p->_name[before + i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]);
    p->_name_bytes = before + bytes;
    return count_header(p, bytes);
}

static enum http_header known_header(const char *name, size_t bytes)
{
    static const struct {
        const char *name;
        size_t bytes;
    } known[] = {
#define X(id, text) [HTTP_HEADER_##id] = {text, sizeof text - 1},
        HTTP_HEADER_MAP(X)
#undef X
    };
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++)
        if (known[i].bytes == bytes && memcmp(known[i].name, name, bytes) == 0)
            return (enum http_header)i;
    return HTTP_HEADER_UNKNOWN;
}

static bool name_is(const struct http_parser *p, const char *name)
{
    return p->_name_bytes == strlen(name) && memcmp(p->_name, name, p->_name_bytes) == 0;
}

/* A second line of a field that may stand only once says two things at once. */
static int repeated_header(struct http_parser *p)
{
    switch (p->_field) {
    case HTTP_HEADER_ACCEPT: /* a list, of which the first line is enough */
        p->_field = HTTP_HEADER_UNKNOWN;
        return count_header(p, 0);
    case HTTP_HEADER_REQUEST_ID: /* no reason to refuse what is asked; but which one is it? */
    case HTTP_HEADER_TRACEPARENT:
        p->_values[p->_field].bytes = 0;
        p->_field = HTTP_HEADER_UNKNOWN;
        return count_header(p, 0);
    case HTTP_HEADER_TRANSFER_ENCODING:
        return refuse_smuggling(p, "more than one Transfer-Encoding");
    case HTTP_HEADER_HOST:
        return refuse_header(p, "more than one Host");
    default:
        return refuse_header(p, "a header field that may stand once is repeated");
    }
}

static int on_header_field_complete(llhttp_t *llhttp)
{
    struct http_parser *p = parser_of(llhttp);
    p->_name_complete = true;
    p->_headers++;
    p->_field = HTTP_HEADER_UNKNOWN;
    if (p->in_body) { /* a trailer: counted, and dropped */
        if (name_is(p, "content-length") || name_is(p, "transfer-encoding"))
            return refuse_smuggling(p, "a trailer must not say how long the body is");
        return count_header(p, 0);
    }
    if (p->_name_bytes <= sizeof p->_name)
        p->_field = known_header(p->_name, p->_name_bytes);
    if (p->_field == HTTP_HEADER_UNKNOWN)
        return count_header(p, 0);
    if (p->_values[p->_field].lines++ > 0)
        return repeated_header(p);
    p->_values[p->_field].start = p->_head.bytes;
    return count_header(p, 0);
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = parser_of(llhttp);
    if (count_header(p, bytes) != 0)
        return HPE_USER;
    if (p->_field == HTTP_HEADER_UNKNOWN)
        return 0;
    buffer_append(&p->_head, at, bytes);
    p->_values[p->_field].bytes += bytes;
    return p->_head.failed ? refuse_memory(p) : 0;
}

/* --- the complete head */

static enum http_method method_of(uint8_t method)
{
    switch (method) {
    case HTTP_GET:
        return HTTP_METHOD_GET;
    case HTTP_HEAD:
        return HTTP_METHOD_HEAD;
    case HTTP_POST:
        return HTTP_METHOD_POST;
    case HTTP_PUT:
        return HTTP_METHOD_PUT;
    case HTTP_PATCH:
        return HTTP_METHOD_PATCH;
    case HTTP_DELETE:
        return HTTP_METHOD_DELETE;
    case HTTP_OPTIONS:
        return HTTP_METHOD_OPTIONS;
    default:
        return HTTP_METHOD_OTHER;
    }
}

static struct http_slice trim(const char *at, size_t bytes)
{
    while (bytes > 0 && (at[0] == ' ' || at[0] == '\t')) {
        at++;
        bytes--;
    }
    while (bytes > 0 && (at[bytes - 1] == ' ' || at[bytes - 1] == '\t'))
        bytes--;
    return (struct http_slice){at, bytes};
}

/* Origin form "/path?query" or absolute form "http://host/path?query". */
static int check_target(struct http_parser *p)
{
    const char *at = p->_head.data;
    const char *end = at + p->_target_bytes;
    bool bad = false; /* no early end: a loop for vectors */
    for (size_t i = 0; i < p->_target_bytes; i++)
        bad |= ((signed char)at[i] <= 0x20) | (at[i] == 0x7f) | (at[i] == '#');
    if (bad)
        return refuse_line(p, "the request target holds a byte that it must not");
    if (end - at > 7 && strncasecmp(at, "http://", 7) == 0) {
        at = memchr(at + 7, '/', (size_t)(end - at) - 7);
        if (at == NULL)
            return refuse_line(p, "the request target has no path");
    }
    if (at == end || *at != '/')
        return refuse_line(p, "the request target must be a path");
    const char *question = memchr(at, '?', (size_t)(end - at));
    p->request.path = (struct http_slice){at, (size_t)((question != NULL ? question : end) - at)};
    if (question != NULL)
        p->request.query = (struct http_slice){question + 1, (size_t)(end - question) - 1};
    return 0;
}

static bool host_byte_ok(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           (c >= 'A' && c <= 'Z') || (c != '\0' && strchr("_~!$&'()*+;=%", c) != NULL);
}

/* uri-host [ ":" port ] of RFC 9110, without userinfo; a comma would be two hosts. */
static bool host_ok(struct http_slice host)
{
    size_t i = 0;
    if (i < host.bytes && host.at[i] == '[') {
        for (i++; i < host.bytes && host.at[i] != ']'; i++)
            if (strchr("0123456789abcdefABCDEF:.", host.at[i]) == NULL || host.at[i] == '\0')
                return false;
        if (i == host.bytes)
            return false;
        i++;
    } else {
        while (i < host.bytes && host_byte_ok(host.at[i]))
            i++;
    }
    if (i == 0)
        return false;
    if (i == host.bytes)
        return true;
    if (host.at[i] != ':')
        return false;
    for (i++; i < host.bytes; i++)
        if (host.at[i] < '0' || host.at[i] > '9')
            return false;
    return true;
}

static int check_host(struct http_parser *p)
{
    struct http_slice host = p->request.headers[HTTP_HEADER_HOST];
    if (host.at == NULL)
        return p->request.version_1_0 ? 0 : refuse_header(p, "Host is missing");
    return host_ok(host) ? 0 : refuse_header(p, "Host is not a host name with an optional port");
}

static int check_transfer_encoding(struct http_parser *p)
{
    struct http_slice te = p->request.headers[HTTP_HEADER_TRANSFER_ENCODING];
    if (te.at == NULL)
        return 0;
    if (p->request.version_1_0)
        return refuse_smuggling(p, "HTTP/1.0 has no Transfer-Encoding");
    if (http_slice_equals_nocase(te, "chunked")) {
        p->request.chunked = true;
        return 0;
    }
    /* A list of real codings that ends in chunked is well-formed, but not done here. */
    bool list = te.bytes > 9 && te.at[0] != ',' &&
                http_slice_equals_nocase((struct http_slice){te.at + te.bytes - 7, 7}, "chunked");
    if (list)
        return refuse(p, HTTP_ERROR_NOT_IMPLEMENTED, HTTP_PROTOCOL_SMUGGLING,
                      "the only Transfer-Encoding is chunked");
    return refuse_smuggling(p, "Transfer-Encoding is not chunked");
}

static int check_expect(struct http_parser *p)
{
    struct http_slice expect = p->request.headers[HTTP_HEADER_EXPECT];
    if (expect.at == NULL || p->request.version_1_0)
        return 0;
    if (!http_slice_equals_nocase(expect, "100-continue"))
        return refuse(p, HTTP_ERROR_EXPECTATION_FAILED, HTTP_PROTOCOL_BAD_HEADER,
                      "the only expectation is 100-continue");
    p->request.expects_continue = true;
    return 0;
}

static int check_body_length(struct http_parser *p)
{
    if (p->request.content_length <= p->_limits->body_bytes_max)
        return 0;
    return refuse(p, HTTP_ERROR_PAYLOAD_TOO_LARGE, HTTP_PROTOCOL_TOO_LARGE,
                  "the body is larger than the limit");
}

/* All of the head is there: makes the request of it, and checks it as a whole. */
static int complete_head(struct http_parser *p)
{
    struct http_request *req = &p->request;
    req->method = method_of(llhttp_get_method(&p->_llhttp));
    req->version_1_0 = llhttp_get_http_minor(&p->_llhttp) == 0;
    req->content_length =
        (p->_llhttp.flags & F_CONTENT_LENGTH) != 0 ? p->_llhttp.content_length : 0;
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++)
        if (p->_values[i].lines > 0)
            req->headers[i] = trim(p->_head.data + p->_values[i].start, p->_values[i].bytes);
    if (p->_target_spaced)
        return refuse_line(p, "more than one space in front of the request target");
    if (llhttp_get_http_major(&p->_llhttp) == 0)
        return refuse_line(p, "HTTP/0.9 is not spoken here");
    if (llhttp_get_http_major(&p->_llhttp) != 1)
        return refuse(p, HTTP_ERROR_VERSION_NOT_SUPPORTED, HTTP_PROTOCOL_BAD_REQUEST_LINE,
                      "only HTTP/1.0 and HTTP/1.1 are spoken here");
    /* CONNECT is no path; it is refused by its route (405), so its target is not looked at. */
    if (llhttp_get_method(&p->_llhttp) == HTTP_CONNECT)
        req->path = (struct http_slice){"/", 1};
    else if (check_target(p) != 0)
        return HPE_USER;
    if (check_host(p) != 0 || check_transfer_encoding(p) != 0)
        return HPE_USER;
    req->keep_alive = llhttp_should_keep_alive(&p->_llhttp) != 0;
    if (check_expect(p) != 0)
        return HPE_USER;
    return check_body_length(p);
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *p = parser_of(llhttp);
    if (complete_head(p) != 0)
        return -1;
    /* We never upgrade: with this, the request is read as the HTTP/1.1 that it also is. */
    llhttp->upgrade = 0;
    p->in_body = true;
    return HPE_PAUSED;
}

/* --- body */

static int on_body(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parser *p = parser_of(llhttp);
    p->body_bytes += bytes;
    if (p->body_bytes > p->_limits->body_bytes_max)
        return refuse(p, HTTP_ERROR_PAYLOAD_TOO_LARGE, HTTP_PROTOCOL_TOO_LARGE,
                      "the body is larger than the limit");
    if (p->discard_body)
        return 0;
    buffer_append(p->_body, at, bytes);
    return p->_body->failed ? refuse_memory(p) : 0;
}

static int refuse_chunks(struct http_parser *p, const char *text)
{
    return refuse(p, HTTP_ERROR_PAYLOAD_TOO_LARGE, HTTP_PROTOCOL_TOO_LARGE, text);
}

static int on_chunk_header(llhttp_t *llhttp)
{
    struct http_parser *p = parser_of(llhttp);
    if (++p->_chunks > p->_limits->chunks_max)
        return refuse_chunks(p, "the body has too many chunks");
    if (llhttp->content_length > p->_limits->body_bytes_max - p->body_bytes)
        return refuse_chunks(p, "the body is larger than the limit");
    return 0;
}

static int on_chunk_extension(llhttp_t *llhttp, const char *at, size_t bytes)
{
    (void)at;
    struct http_parser *p = parser_of(llhttp);
    p->_chunk_extension_bytes += bytes;
    if (p->_chunk_extension_bytes > p->_limits->chunk_extension_bytes_max)
        return refuse_chunks(p, "the chunk extensions are too large");
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct http_parser *p = parser_of(llhttp);
    p->_complete = true;
    /* The head said whether the connection goes on; to llhttp a trailer may say it too. */
    if (p->request.keep_alive)
        llhttp->flags &= (uint16_t)~F_CONNECTION_CLOSE;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_version = on_version,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- life cycle */

static void reset_message(struct http_parser *p)
{
    buffer_reset(&p->_head, HEAD_KEEP_BYTES_MAX);
    buffer_reset(p->_body, BODY_KEEP_BYTES_MAX);
    p->request = (struct http_request){0};
    memset(p->_values, 0, sizeof p->_values);
    memset(p->_tail, 0, sizeof p->_tail);
    p->discard_body = p->in_body = false;
    p->body_bytes = 0;
    p->_target_bytes = p->_method_bytes = 0;
    p->_target_spaced = false;
    p->_name_bytes = 0;
    p->_name_complete = false;
    p->_field = HTTP_HEADER_UNKNOWN;
    p->_headers = p->_headers_bytes = 0;
    p->_chunks = p->_chunk_extension_bytes = 0;
    p->_raw_bytes = 0;
    p->_version_seen = p->_complete = p->_refused = false;
}

void http_parser_init(struct http_parser *p, const struct http_limits *limits, struct buffer *body)
{
    *p = (struct http_parser){._limits = limits, ._body = body};
    buffer_init(&p->_head, limits->request_line_bytes_max + limits->headers_bytes_max + 1);
    http_parser_restart(p);
}

void http_parser_restart(struct http_parser *p)
{
    llhttp_init(&p->_llhttp, HTTP_REQUEST, &settings);
    p->_llhttp.data = p;
    reset_message(p);
}

void http_parser_deinit(struct http_parser *p)
{
    buffer_deinit(&p->_head);
}

void http_parser_next(struct http_parser *p)
{
    assert(p->_complete);
    reset_message(p);
}

bool http_parser_at_boundary(const struct http_parser *p)
{
    return p->_method_bytes == 0 && !p->in_body && !p->_refused;
}

/* --- feeding */

static size_t head_bytes_max(const struct http_limits *limits)
{
    return limits->request_line_bytes_max + limits->headers_bytes_max +
           FIELD_OVERHEAD_BYTES * limits->headers_max;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * How much llhttp may read before something must be looked at. In the head, a piece ends
 * at the latest with the byte that would break a limit, so that the limit is found before
 * any later fault, however the bytes were cut. Raw bytes count what no callback shows:
 * spaces before a value, leading zeros of a chunk's size.
 */
static size_t piece_bytes(const struct http_parser *p, size_t bytes)
{
    const struct http_limits *limits = p->_limits;
    uint64_t room = UINT64_MAX;
    if (!p->in_body) {
        room = min_u64(head_bytes_max(limits) - p->_raw_bytes,
                       limits->headers_bytes_max + 1 - p->_headers_bytes);
        if (!p->_version_seen)
            room = min_u64(room, limits->request_line_bytes_max + 1 - p->_method_bytes -
                                     p->_target_bytes);
    } else if (p->request.chunked) {
        room = min_u64(CHUNK_CHECK_BYTES - p->_raw_bytes % CHUNK_CHECK_BYTES,
                       limits->chunk_extension_bytes_max + 1 - p->_chunk_extension_bytes);
        room = min_u64(room, limits->headers_bytes_max + 1 - p->_headers_bytes);
    }
    return (size_t)min_u64(bytes, room);
}

static bool chunk_overhead_ok(const struct http_parser *p)
{
    uint64_t overhead = p->_raw_bytes - p->body_bytes;
    return overhead <= p->_limits->chunk_extension_bytes_max + p->_limits->headers_bytes_max +
                           (uint64_t)CHUNK_OVERHEAD_BYTES * (p->_chunks + 1);
}

static bool raw_bytes_ok(struct http_parser *p)
{
    if (!p->in_body && p->_raw_bytes >= head_bytes_max(p->_limits)) {
        refuse(p, HTTP_ERROR_HEADERS_TOO_LARGE, HTTP_PROTOCOL_TOO_LARGE, "the head is too large");
        return false;
    }
    bool look = p->_complete || p->_raw_bytes % CHUNK_CHECK_BYTES == 0;
    if (p->in_body && p->request.chunked && look && !chunk_overhead_ok(p)) {
        refuse_chunks(p, "the chunks' framing is too large");
        return false;
    }
    return true;
}

/* The last bytes of the request line so far, for protocol_is_http(). */
static void keep_tail(struct http_parser *p, const char *data, size_t bytes)
{
    size_t size = sizeof p->_tail;
    if (bytes >= size) {
        memcpy(p->_tail, data + bytes - size, size);
        return;
    }
    memmove(p->_tail, p->_tail + bytes, size - bytes);
    memcpy(p->_tail + size - bytes, data, bytes);
}

/* llhttp's own refusals in our words. */
static void refuse_for(struct http_parser *p, enum llhttp_errno error)
{
    switch (error) {
    case HPE_INVALID_VERSION: {
        /* "9.9" is a version that is not spoken; "x.y" is no version. */
        const char *reason = llhttp_get_error_reason(&p->_llhttp);
        if (reason != NULL && strcmp(reason, "Invalid HTTP version") == 0)
            refuse(p, HTTP_ERROR_VERSION_NOT_SUPPORTED, HTTP_PROTOCOL_BAD_REQUEST_LINE,
                   "only HTTP/1.0 and HTTP/1.1 are spoken here");
        else
            refuse_line(p, "the HTTP version is malformed");
        return;
    }
    case HPE_PAUSED_H2_UPGRADE:
        refuse(p, HTTP_ERROR_VERSION_NOT_SUPPORTED, HTTP_PROTOCOL_BAD_REQUEST_LINE,
               "HTTP/2 is not spoken here");
        return;
    case HPE_INVALID_METHOD:
    case HPE_INVALID_URL:
    case HPE_INVALID_CONSTANT:
        refuse_line(p, "the request line is malformed");
        return;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_INVALID_TRANSFER_ENCODING:
        refuse_smuggling(p, "the length of the body is not clear");
        return;
    case HPE_INVALID_CHUNK_SIZE:
        refuse(p, HTTP_ERROR_BAD_REQUEST, HTTP_PROTOCOL_BAD_CHUNK, "a chunk is malformed");
        return;
    default:
        if (p->in_body)
            refuse(p, HTTP_ERROR_BAD_REQUEST, HTTP_PROTOCOL_BAD_CHUNK, "the body is malformed");
        else
            refuse_header(p, "the request is malformed");
    }
}

/* One call of llhttp; returns how far it read. */
static size_t execute(struct http_parser *p, const char *data, size_t bytes,
                      enum llhttp_errno *error)
{
    p->_piece = data;
    *error = llhttp_execute(&p->_llhttp, data, bytes);
    if (*error == HPE_OK)
        return bytes;
    const char *stopped = llhttp_get_error_pos(&p->_llhttp);
    if (*error == HPE_PAUSED)
        llhttp_resume(&p->_llhttp);
    return stopped != NULL ? (size_t)(stopped - data) : bytes;
}

enum http_parse_result http_parser_feed(struct http_parser *p, const char *data, size_t bytes,
                                        size_t *used)
{
    assert(!p->_complete);
    *used = 0;
    /* At least once: a request without a body is complete right after its headers. */
    do {
        bool in_head = !p->in_body;
        enum llhttp_errno error;
        size_t piece = piece_bytes(p, bytes - *used);
        size_t read = execute(p, data + *used, piece, &error);
        if (!p->_version_seen)
            keep_tail(p, data + *used, read);
        *used += read;
        p->_raw_bytes += read;
        if (error != HPE_OK && error != HPE_PAUSED) {
            refuse_for(p, error);
            break;
        }
        bool head_complete = in_head && p->in_body;
        if (!head_complete && !raw_bytes_ok(p))
            break;
        if (head_complete) {
            p->_raw_bytes = 0;
            return HTTP_PARSE_HEADERS;
        }
        if (p->_complete)
            return HTTP_PARSE_MESSAGE;
    } while (*used < bytes && !p->_refused);
    return p->_refused ? HTTP_PARSE_REFUSED : HTTP_PARSE_MORE;
}

bool http_slice_equals(struct http_slice slice, const char *text)
{
    return slice.bytes == strlen(text) && memcmp(slice.at, text, slice.bytes) == 0;
}

bool http_slice_equals_nocase(struct http_slice slice, const char *text)
{
    return slice.bytes == strlen(text) && strncasecmp(slice.at, text, slice.bytes) == 0;
}
