/*
 * fuzz_metrics_accept.c - any Accept header gets one of the two formats.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    /* A copy of just this size, so that reading past it is seen. */
    char *accept = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        accept[i] = (char)data[i];
    enum metrics_format format = metrics_negotiate(accept, bytes);
    if (format != METRICS_TEXT && format != METRICS_OPENMETRICS)
        abort();
    free(accept);
    return 0;
}
