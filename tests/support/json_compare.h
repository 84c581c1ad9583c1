/*
 * json_compare.h - a body read by json_text.h and by yyjson (json_reader.h): the verdict must be
 * the same, with the same code at the same byte, and so must the numbers. What was noted of arrays
 * on the way must be what a walk finds.
 */
#ifndef JSON_COMPARE_H
#define JSON_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

struct json_difference {
    char text[1024]; /* empty: there is none */
};

/* With every variant of number_scan.h that this processor has. */
struct json_difference json_compare(const char *body, size_t bytes);

#endif
