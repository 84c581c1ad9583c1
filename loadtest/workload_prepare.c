/*
 * workload_prepare.c - see workload_prepare.h.
 */
#include "workload_prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "fetch.h"

enum {
    INPUT_FILE_BYTES_MAX = WORKLOAD_BODY_BYTES_MAX,
};

/* --- Shapes. */

/* The first dimension is the batch, which the server calls -1. */
static bool row_elements(yyjson_val *shape, size_t *out)
{
    size_t product = 1;
    const size_t dimensions = yyjson_arr_size(shape);
    for (size_t i = 1; i < dimensions; i++) {
        yyjson_val *dimension = yyjson_arr_get(shape, i);
        if (!yyjson_is_uint(dimension) || yyjson_get_uint(dimension) == 0 ||
            __builtin_mul_overflow(product, yyjson_get_uint(dimension), &product))
            return false;
    }
    *out = product;
    return dimensions > 0;
}

bool workload_parse_shape(const char *json, size_t bytes, size_t *out_elements)
{
    yyjson_doc *doc = yyjson_read(json, bytes, 0);
    yyjson_val *inputs = yyjson_obj_get(yyjson_doc_get_root(doc), "inputs");
    yyjson_val *shape = yyjson_obj_get(yyjson_arr_get_first(inputs), "shape");
    const bool ok = yyjson_arr_size(inputs) == 1 && row_elements(shape, out_elements);
    yyjson_doc_free(doc);
    return ok;
}

bool workload_ask_shape(const struct target *target, const char *model, size_t *out_elements,
                        struct load_error *error)
{
    char path[WORKLOAD_NAME_BYTES_MAX + 32];
    struct fetch_answer *answer = malloc(sizeof *answer);
    if (answer == NULL)
        return load_fail(error, "out of memory");
    snprintf(path, sizeof path, "/v1/models/%s", model);
    const struct fetch_request request = {.method = "GET", .path = path};
    bool ok = fetch(target, &request, answer, error);
    if (ok && answer->status != 200)
        ok = load_fail(error, "%s answers %u about the model %s: %.150s", target->text,
                       answer->status, model, answer->body);
    else if (ok && !workload_parse_shape(answer->body, answer->body_bytes, out_elements))
        ok = load_fail(error, "%s does not tell the shape of %s; give requests by --inputs",
                       target->text, model);
    free(answer);
    return ok;
}

/* --- Files. */

static bool append_body(struct workload_bodies *bodies, char *text)
{
    char **texts =
        text != NULL ? realloc(bodies->texts, (bodies->count + 1) * sizeof *texts) : NULL;
    if (texts == NULL) {
        free(text);
        return false;
    }
    bodies->texts = texts;
    bodies->texts[bodies->count++] = text;
    return true;
}

static char *body_of_rows(yyjson_val *const *rows, size_t count)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_val *instances = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_val(doc, root, "instances", instances);
    for (size_t i = 0; i < count; i++)
        yyjson_mut_arr_append(instances, yyjson_val_mut_copy(doc, rows[i]));
    char *text = yyjson_mut_write(doc, 0, NULL);
    yyjson_mut_doc_free(doc);
    return text;
}

/* As many requests as there are rows: each starts at another one. */
static bool deal_rows(yyjson_val *instances, size_t rows, struct workload_bodies *out)
{
    const size_t count = yyjson_arr_size(instances);
    yyjson_val **all = calloc(count, sizeof(yyjson_val *));
    yyjson_val **some = calloc(rows, sizeof(yyjson_val *));
    bool ok = all != NULL && some != NULL;
    size_t index, max;
    yyjson_val *row;
    if (ok)
        yyjson_arr_foreach(instances, index, max, row) all[index] = row;
    for (size_t first = 0; ok && first < count; first++) {
        for (size_t i = 0; i < rows; i++)
            some[i] = all[(first + i) % count];
        ok = append_body(out, body_of_rows(some, rows));
    }
    free(some);
    free(all);
    return ok;
}

static bool read_lines(char *text, struct workload_bodies *out)
{
    for (char *line; (line = strsep(&text, "\n")) != NULL;)
        if (line[strspn(line, " \t\r")] != '\0' && !append_body(out, strdup(line)))
            return false;
    return true;
}

static bool parse_bodies(char *text, size_t bytes, const char *path, size_t rows,
                         struct workload_bodies *out, struct load_error *error)
{
    yyjson_doc *doc = yyjson_read(text, bytes, YYJSON_READ_STOP_WHEN_DONE);
    yyjson_val *instances = yyjson_obj_get(yyjson_doc_get_root(doc), "instances");
    const bool whole =
        doc != NULL && text[yyjson_doc_get_read_size(doc) +
                            strspn(text + yyjson_doc_get_read_size(doc), " \t\r\n")] == '\0';
    bool ok = true;
    if (whole && yyjson_arr_size(instances) > 0)
        ok = deal_rows(instances, rows, out) || load_fail(error, "%s: out of memory", path);
    else if (doc != NULL)
        ok = read_lines(text, out) || load_fail(error, "%s: out of memory", path);
    else
        ok = load_fail(error, "%s is neither JSON with \"instances\" nor JSON Lines", path);
    yyjson_doc_free(doc);
    return ok;
}

/* Up to the first zero byte, which no JSON holds. Terminated, and the caller's. */
static char *read_file(const char *path, size_t *out_bytes, struct load_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        load_fail(error, "%s cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    size_t capacity = 0;
    const ssize_t bytes = getdelim(&text, &capacity, '\0', file);
    fclose(file);
    if (bytes > 0 && bytes <= INPUT_FILE_BYTES_MAX) {
        *out_bytes = (size_t)bytes;
        return text;
    }
    load_fail(error, "%s is empty, cannot be read, or is larger than %d MB", path,
              INPUT_FILE_BYTES_MAX / (1024 * 1024));
    free(text);
    return NULL;
}

bool workload_read_bodies(const char *path, size_t rows, struct workload_bodies *out,
                          struct load_error *error)
{
    size_t bytes;
    struct workload_bodies bodies = {0};
    char *text = read_file(path, &bytes, error);
    if (text == NULL)
        return false;
    const bool ok = parse_bodies(text, bytes, path, rows, &bodies, error);
    free(text);
    if (!ok) {
        workload_bodies_destroy(&bodies);
        return false;
    }
    *out = bodies;
    return true;
}
