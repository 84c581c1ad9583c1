/*
 * fuzz_http_parser.c - any bytes from a client give one verdict, however they are cut.
 *
 * The first byte chooses the pieces; the rest is parsed whole and in these pieces, and the
 * parser must say the same both times. What it lets through keeps to the limits.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "http_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Small, so that short inputs reach them. */
static const struct http_limits limits = {
    .request_line_bytes_max = 64,
    .headers_bytes_max = 200,
    .headers_max = 6,
    .chunk_extension_bytes_max = 16,
    .chunks_max = 4,
    .body_bytes_max = 32,
};

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void record_slice(struct buffer *log, struct http_slice slice)
{
    buffer_append(log, slice.at != NULL ? "+" : "-", 1);
    if (slice.at != NULL)
        buffer_append_json_string(log, slice.at, slice.bytes);
}

static void record_head(struct buffer *log, const struct http_request *req)
{
    require(req->path.bytes > 0 && req->path.at[0] == '/');
    require(req->content_length <= limits.body_bytes_max);
    require(!(req->chunked && req->content_length > 0));
    buffer_append_format(log, "head %d %d%d%d%d %llu ", (int)req->method, req->chunked,
                         req->expects_continue, req->version_1_0, req->keep_alive,
                         (unsigned long long)req->content_length);
    record_slice(log, req->path);
    record_slice(log, req->query);
    for (size_t i = 0; i < HTTP_HEADER_COUNT; i++)
        record_slice(log, req->headers[i]);
}

/* False when no more can come. */
static bool feed(struct http_parser *p, const struct buffer *body, const uint8_t *data,
                 size_t bytes, struct buffer *log)
{
    bool again = false;
    while (bytes > 0 || again) {
        size_t used;
        enum http_parse_result result = http_parser_feed(p, (const char *)data, bytes, &used);
        require(used <= bytes);
        data += used;
        bytes -= used;
        again = result == HTTP_PARSE_HEADERS;
        switch (result) {
        case HTTP_PARSE_MORE:
            require(bytes == 0);
            break;
        case HTTP_PARSE_HEADERS:
            record_head(log, &p->request);
            break;
        case HTTP_PARSE_MESSAGE:
            require(body->bytes == p->body_bytes && body->bytes <= limits.body_bytes_max);
            buffer_append_str(log, "\nbody ");
            buffer_append(log, body->data, body->bytes);
            bool last = !p->request.keep_alive;
            http_parser_next(p);
            if (last)
                return false;
            break;
        case HTTP_PARSE_REFUSED:
            buffer_append_format(log, "\n%d %d %s", http_error_status(p->refusal.error),
                                 (int)p->refusal.reason, p->refusal.text);
            return false;
        }
    }
    return true;
}

/* Pieces of 1.. bytes: all alike, or each another, as `pattern` says. A piece is in memory
 * of its own. */
static void parse(const uint8_t *data, size_t bytes, size_t pattern, struct buffer *log)
{
    struct buffer body;
    struct http_parser p;
    bool going = true;
    buffer_init(&body, limits.body_bytes_max);
    http_parser_init(&p, &limits, &body);
    for (size_t at = 0, i = 1; at < bytes && going; i++) {
        size_t piece = pattern == 0 ? bytes : pattern < 64 ? pattern : 1 + pattern * i % 37;
        if (piece > bytes - at)
            piece = bytes - at;
        uint8_t *copy = malloc(piece);
        require(copy != NULL);
        memcpy(copy, data + at, piece);
        going = feed(&p, &body, copy, piece, log);
        free(copy);
        at += piece;
    }
    if (going)
        buffer_append_str(log, http_parser_at_boundary(&p) ? "\nboundary" : "\ninside");
    http_parser_deinit(&p);
    buffer_deinit(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct buffer whole, pieces;
    if (bytes == 0)
        return 0;
    buffer_init(&whole, 64 * MIB);
    buffer_init(&pieces, 64 * MIB);
    parse(data + 1, bytes - 1, 0, &whole);
    parse(data + 1, bytes - 1, data[0] > 0 ? data[0] : 1, &pieces);
    require(!whole.failed && !pieces.failed);
    if (whole.bytes != pieces.bytes ||
        (whole.bytes > 0 && memcmp(whole.data, pieces.data, whole.bytes) != 0)) {
        fprintf(stderr, "whole:\n%.*s\npieces:\n%.*s\n", (int)whole.bytes, whole.data,
                (int)pieces.bytes, pieces.data);
        abort();
    }
    buffer_deinit(&whole);
    buffer_deinit(&pieces);
    return 0;
}
