#include "model_config.h"

#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "base.h"
#include "model_error.h"

/* A layer of evenly spread numbers costs about 0.006, see kernels.h; errors of several layers add
 * up like noise. The three of the bundled digits: 0.006. */
#define INT8_ERROR_MAX_DEFAULT 0.01

/* yyjson decodes strings in place here, so a key's position in `text`, the copy, is its
 * position in `json`, the file. */
struct parse {
    const char *json;
    size_t bytes;
    char *text;
    struct model_error *error;
};

struct model_config model_config_default(void)
{
    return (struct model_config){
        .batching = {.delay_ns_max = UINT64_MAX, .target_p99_ns = UINT64_MAX},
        .precision = MODEL_FLOAT32,
        .int8_error_max = INT8_ERROR_MAX_DEFAULT};
}

static size_t line_at(const struct parse *p, size_t position)
{
    size_t line = 1;
    for (size_t i = 0; i < position && i < p->bytes; i++)
        line += p->json[i] == '\n';
    return line;
}

static enum model_status fail_at(const struct parse *p, yyjson_val *key, const char *why)
{
    size_t position = (size_t)(yyjson_get_str(key) - p->text);
    return model_fail(p->error, MODEL_BAD_CONFIG, "config.json:%zu: %s %s", line_at(p, position),
                      model_quote(yyjson_get_str(key)).text, why);
}

/* Whether an earlier member of the object has the same key. */
static bool is_repeated(yyjson_val *object, yyjson_val *key)
{
    return yyjson_obj_getn(object, yyjson_get_str(key), yyjson_get_len(key)) !=
           yyjson_obj_iter_get_val(key);
}

static enum model_status copy_label(const struct parse *p, yyjson_val *key, yyjson_val *label,
                                    struct model_config *config)
{
    if (!yyjson_is_str(label) || yyjson_get_len(label) > MODEL_LABEL_BYTES_MAX ||
        strlen(yyjson_get_str(label)) != yyjson_get_len(label))
        return fail_at(p, key, "must be an array of strings of at most 256 bytes");
    char *copy = strdup(yyjson_get_str(label));
    if (copy == NULL)
        return model_fail_nomem(p->error);
    config->labels[config->labels_count++] = copy;
    return MODEL_OK;
}

static enum model_status read_labels(const struct parse *p, yyjson_val *key, yyjson_val *array,
                                     struct model_config *config)
{
    if (!yyjson_is_arr(array) || yyjson_arr_size(array) == 0)
        return fail_at(p, key, "must be an array of strings, one per output");
    config->labels = calloc(yyjson_arr_size(array), sizeof *config->labels);
    if (config->labels == NULL)
        return model_fail_nomem(p->error);
    enum model_status status = MODEL_OK;
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    for (yyjson_val *label; status == MODEL_OK && (label = yyjson_arr_iter_next(&iter)) != NULL;)
        status = copy_label(p, key, label, config);
    return status;
}

static enum model_status read_number(const struct parse *p, yyjson_val *key, yyjson_val *value,
                                     uint64_t min, uint64_t max, uint64_t *out)
{
    char why[80];
    if (yyjson_is_uint(value) && yyjson_get_uint(value) >= min && yyjson_get_uint(value) <= max) {
        *out = yyjson_get_uint(value);
        return MODEL_OK;
    }
    snprintf(why, sizeof why, "must be a whole number from %ju to %ju", (uintmax_t)min,
             (uintmax_t)max);
    return fail_at(p, key, why);
}

static enum model_status read_batching_member(const struct parse *p, yyjson_val *key,
                                              struct model_batching *batching)
{
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    uint64_t number = 0;
    enum model_status status;
    if (yyjson_equals_str(key, "max_batch_rows")) {
        status = read_number(p, key, value, 1, MODEL_BATCH_ROWS_MAX, &number);
        batching->batch_rows_max = (size_t)number;
    } else if (yyjson_equals_str(key, "max_queue_rows")) {
        status = read_number(p, key, value, 1, MODEL_QUEUE_ROWS_MAX, &number);
        batching->queue_rows_max = (size_t)number;
    } else if (yyjson_equals_str(key, "max_delay_us")) {
        status = read_number(p, key, value, 0, MODEL_DELAY_US_MAX, &number);
        batching->delay_ns_max = number * NS_PER_US;
    } else if (yyjson_equals_str(key, "target_p99_us")) {
        status = read_number(p, key, value, 0, MODEL_TARGET_US_MAX, &number);
        batching->target_p99_ns = number * NS_PER_US;
    } else {
        status = fail_at(p, key,
                         "is unknown; batching has max_batch_rows, max_queue_rows, max_delay_us "
                         "and target_p99_us");
    }
    return status;
}

static enum model_status read_batching(const struct parse *p, yyjson_val *key, yyjson_val *object,
                                       struct model_batching *batching)
{
    if (!yyjson_is_obj(object))
        return fail_at(p, key, "must be an object");
    enum model_status status = MODEL_OK;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *member; status == MODEL_OK && (member = yyjson_obj_iter_next(&iter)) != NULL;)
        status = is_repeated(object, member) ? fail_at(p, member, "occurs twice")
                                             : read_batching_member(p, member, batching);
    if (status == MODEL_OK && batching->queue_rows_max > 0 &&
        batching->queue_rows_max < batching->batch_rows_max)
        return fail_at(p, key, "has a max_queue_rows below its max_batch_rows");
    return status;
}

static enum model_status read_precision(const struct parse *p, yyjson_val *key, yyjson_val *value,
                                        enum model_precision *out)
{
    for (unsigned i = MODEL_FLOAT32; i <= MODEL_INT8; i++)
        if (yyjson_equals_str(value, model_precision_str((enum model_precision)i))) {
            *out = (enum model_precision)i;
            return MODEL_OK;
        }
    return fail_at(p, key, "must be \"float32\" or \"int8\"");
}

static enum model_status read_share(const struct parse *p, yyjson_val *key, yyjson_val *value,
                                    double *out)
{
    const double share = yyjson_is_num(value) ? yyjson_get_num(value) : 0;
    if (!(share > 0 && share <= 1))
        return fail_at(p, key, "must be a number above 0, and 1 at most");
    *out = share;
    return MODEL_OK;
}

static enum model_status read_member(const struct parse *p, yyjson_val *key,
                                     struct model_config *config)
{
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    if (yyjson_equals_str(key, "labels"))
        return read_labels(p, key, value, config);
    if (yyjson_equals_str(key, "batching"))
        return read_batching(p, key, value, &config->batching);
    if (yyjson_equals_str(key, "precision"))
        return read_precision(p, key, value, &config->precision);
    if (yyjson_equals_str(key, "int8_max_error"))
        return read_share(p, key, value, &config->int8_error_max);
    return fail_at(p, key, "is unknown; there are labels, batching, precision and int8_max_error");
}

static enum model_status read_root(const struct parse *p, yyjson_val *root,
                                   struct model_config *config)
{
    if (!yyjson_is_obj(root))
        return model_fail(p->error, MODEL_BAD_CONFIG, "config.json:1: must be an object");
    enum model_status status = MODEL_OK;
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    for (yyjson_val *key; status == MODEL_OK && (key = yyjson_obj_iter_next(&iter)) != NULL;)
        status =
            is_repeated(root, key) ? fail_at(p, key, "occurs twice") : read_member(p, key, config);
    return status;
}

static enum model_status parse_text(struct parse *p, struct model_config *config)
{
    yyjson_read_err why;
    yyjson_doc *doc = yyjson_read_opts(p->text, p->bytes,
                                       YYJSON_READ_INSITU | YYJSON_READ_ALLOW_COMMENTS, NULL, &why);
    if (doc == NULL && why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return model_fail_nomem(p->error);
    if (doc == NULL)
        return model_fail(p->error, MODEL_BAD_CONFIG, "config.json:%zu: is not JSON: %s",
                          line_at(p, why.pos), why.msg);
    enum model_status status = read_root(p, yyjson_doc_get_root(doc), config);
    yyjson_doc_free(doc);
    return status;
}

enum model_status model_config_parse(const char *json, size_t bytes, struct model_config *out,
                                     struct model_error *error)
{
    if (bytes > MODEL_CONFIG_BYTES_MAX)
        return model_fail(error, MODEL_TOO_LARGE, "config.json has %zu bytes; the limit is %d",
                          bytes, MODEL_CONFIG_BYTES_MAX);
    struct parse p = {.json = json, .bytes = bytes, .error = error};
    p.text = calloc(1, bytes + YYJSON_PADDING_SIZE);
    if (p.text == NULL)
        return model_fail_nomem(error);
    memcpy(p.text, json, bytes);
    struct model_config config = model_config_default();
    enum model_status status = parse_text(&p, &config);
    free(p.text);
    if (status == MODEL_OK)
        *out = config;
    else
        model_config_deinit(&config);
    return status;
}

void model_config_deinit(struct model_config *config)
{
    for (size_t i = 0; i < config->labels_count; i++)
        free(config->labels[i]);
    free(config->labels);
    *config = model_config_default();
}
