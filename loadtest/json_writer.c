/*
 * json_writer.c - see json_writer.h.
 */
#include "json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

struct json json_begin(void)
{
    struct json root = {.doc = yyjson_mut_doc_new(NULL)};
    root.object = yyjson_mut_obj(root.doc);
    yyjson_mut_doc_set_root(root.doc, root.object);
    return root;
}

bool json_end(struct json *root, FILE *out)
{
    char *text = yyjson_mut_write(root->doc, YYJSON_WRITE_PRETTY, NULL);
    yyjson_mut_doc_free(root->doc);
    const bool ok = text != NULL && fprintf(out, "%s\n", text) > 0;
    free(text);
    return ok;
}

static struct json add(const struct json *json, const char *name, yyjson_mut_val *value)
{
    yyjson_mut_obj_add_val(json->doc, json->object, name, value);
    return (struct json){json->doc, value};
}

struct json json_child(const struct json *json, const char *name)
{
    return add(json, name, yyjson_mut_obj(json->doc));
}

struct json json_list(const struct json *json, const char *name)
{
    return add(json, name, yyjson_mut_arr(json->doc));
}

struct json json_item(const struct json *list)
{
    return (struct json){list->doc, yyjson_mut_arr_add_obj(list->doc, list->object)};
}

void json_number(const struct json *json, const char *name, double value)
{
    if (isfinite(value))
        yyjson_mut_obj_add_real(json->doc, json->object, name, value);
    else
        yyjson_mut_obj_add_null(json->doc, json->object, name);
}

void json_count(const struct json *json, const char *name, uint64_t value)
{
    yyjson_mut_obj_add_uint(json->doc, json->object, name, value);
}

void json_text(const struct json *json, const char *name, const char *text)
{
    yyjson_mut_obj_add_str(json->doc, json->object, name, text);
}

void json_flag(const struct json *json, const char *name, bool value)
{
    yyjson_mut_obj_add_bool(json->doc, json->object, name, value);
}
