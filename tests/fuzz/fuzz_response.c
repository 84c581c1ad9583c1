/*
 * fuzz_response.c - any bytes as an answer, whole and in two pieces: the same verdict.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct verdict {
    enum response_result result;
    unsigned status;
    uint64_t body_bytes;
    uint64_t queue_ns;
    size_t used;
};

static struct verdict read_in_pieces(const char *data, size_t bytes, size_t first)
{
    struct response_parser p;
    char body[32], code[16];
    size_t used = 0, more = 0;
    response_parser_init(&p, body, sizeof body);
    struct verdict v = {.result = response_parser_feed(&p, data, first, &used)};
    if (v.result == RESPONSE_MORE && first < bytes)
        v.result = response_parser_feed(&p, data + first, bytes - first, &more);
    if (v.result == RESPONSE_MORE)
        v.result = response_parser_end(&p);
    if (v.result != RESPONSE_DONE)
        return v;
    v.status = p.answer.status;
    v.body_bytes = p.answer.body_bytes_total;
    v.queue_ns = p.answer.timing.part_ns[TIMING_QUEUE];
    v.used = used + more;
    response_error_code(p.answer.body, p.answer.body_bytes, code, sizeof code);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text = (const char *)data;
    const struct verdict whole = read_in_pieces(text, bytes, bytes);
    const struct verdict pieces = read_in_pieces(text, bytes, bytes / 2);
    if (whole.result != pieces.result || whole.status != pieces.status ||
        whole.body_bytes != pieces.body_bytes || whole.queue_ns != pieces.queue_ns ||
        whole.used != pieces.used)
        abort();
    return 0;
}
