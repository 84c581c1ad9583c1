/*
 * fuzz_json_text.c - any body gets the verdict that yyjson gives it, with the same code at the
 * same byte, and holds the same numbers.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct json_difference difference = json_compare((const char *)data, bytes);
    if (difference.text[0] != '\0') {
        fprintf(stderr, "%.*s\n%s\n", (int)bytes, (const char *)data, difference.text);
        abort();
    }
    return 0;
}
