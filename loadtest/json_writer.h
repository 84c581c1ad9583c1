/*
 * json_writer.h - JSON reports, built object by object: yyjson, and what all reports of
 * jitney-load write alike.
 *
 *   Ownership  json_begin() to json_end(). Names and texts must live until then.
 *   Memory     none left is told by json_end(), once.
 */
#ifndef JSON_WRITER_H
#define JSON_WRITER_H

#include <stdio.h>

#include "load_base.h"

struct yyjson_mut_doc;
struct yyjson_mut_val;

struct json {
    struct yyjson_mut_doc *doc;
    struct yyjson_mut_val *object; /* that is being filled, or an array */
};

struct json json_begin(void);
/* Writes the document, and frees it. */
bool json_end(struct json *root, FILE *out) __attribute__((warn_unused_result));

struct json json_child(const struct json *json, const char *name);
struct json json_list(const struct json *json, const char *name);
/* A new object in a list. */
struct json json_item(const struct json *list);

/* What is no number (NAN, infinity) is null. */
void json_number(const struct json *json, const char *name, double value);
void json_count(const struct json *json, const char *name, uint64_t value);
void json_text(const struct json *json, const char *name, const char *text);
void json_flag(const struct json *json, const char *name, bool value);

#endif
