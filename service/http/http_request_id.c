#include "http_request_id.h"

#include <string.h>
#include <sys/random.h>

#include "base.h"

enum {
    PARENT_ID_BYTES = 16,
    FLAGS_BYTES = 2,
    TRACEPARENT_BYTES = 2 + 1 + HTTP_TRACE_ID_BYTES + 1 + PARENT_ID_BYTES + 1 + FLAGS_BYTES
};

/* A system without entropy yet gives nothing: then the clock and where the loop lies must do. */
void http_request_ids_init(struct http_request_ids *ids)
{
    if (getrandom(ids->_state, sizeof ids->_state, GRND_NONBLOCK) != (ssize_t)sizeof ids->_state) {
        ids->_state[0] = clock_now_ns();
        ids->_state[1] = (uint64_t)(uintptr_t)ids;
    }
    ids->_state[0] |= 1; /* not both zero */
}

static uint64_t rotated(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

/* xoroshiro128++. */
static uint64_t next_random(struct http_request_ids *ids)
{
    const uint64_t a = ids->_state[0];
    uint64_t b = ids->_state[1];
    const uint64_t result = rotated(a + b, 17) + a;
    b ^= a;
    ids->_state[0] = rotated(a, 49) ^ b ^ (b << 21);
    ids->_state[1] = rotated(b, 28);
    return result;
}

/* The lower eight half-bytes of x, each in a byte of its own. */
static uint64_t spread(uint64_t x)
{
    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    return (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
}

/* Each byte of 0 to 15 as a hexadecimal digit, all eight at once: those above 9 have a carry out of
 * their four bits when 6 is added. */
static uint64_t hex_digits(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t above_9 = ((x + 6 * ones) >> 4) & ones;
    return x + '0' * ones + above_9 * ('a' - '0' - 10);
}

void http_request_ids_next(struct http_request_ids *ids, char out[HTTP_TRACE_ID_BYTES])
{
    for (size_t half = 0; half < 2; half++) {
        const uint64_t random = next_random(ids);
        const uint64_t digits[2] = {hex_digits(spread(random & UINT32_MAX)),
                                    hex_digits(spread(random >> 32))};
        memcpy(out + half * sizeof digits, digits, sizeof digits);
    }
}

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-_.:/+=@", c) != NULL);
}

bool http_request_id_ok(const char *text, size_t bytes)
{
    if (bytes == 0 || bytes > HTTP_REQUEST_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (!is_id_char(text[i]))
            return false;
    return true;
}

static bool is_hex(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    return true;
}

/* Digits with a dash in front, and if it is an id, not only zeros. */
static bool is_part(const char *text, size_t bytes, bool is_id)
{
    static const char zeros[HTTP_TRACE_ID_BYTES + 1] = "00000000000000000000000000000000";
    return text[0] == '-' && is_hex(text + 1, bytes) &&
           !(is_id && memcmp(text + 1, zeros, bytes) == 0);
}

const char *http_trace_id(const char *text, size_t bytes)
{
    if (bytes != TRACEPARENT_BYTES || memcmp(text, "00", 2) != 0)
        return NULL;
    const char *parent = text + 2 + 1 + HTTP_TRACE_ID_BYTES;
    const char *flags = parent + 1 + PARENT_ID_BYTES;
    bool ok = is_part(text + 2, HTTP_TRACE_ID_BYTES, true) &&
              is_part(parent, PARENT_ID_BYTES, true) && is_part(flags, FLAGS_BYTES, false);
    return ok ? text + 3 : NULL;
}
