#include "json_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "json_text.h"

static const struct json_limits limits = {.depth_max = 16, .number_bytes_max = 64};

struct verdict {
    bool ok;
    struct api_error error;
    double *f64; /* of json_text.h, or as yyjson has them */
    size_t numbers;
    size_t wrong_notes;
};

static struct buffer copy_of(const char *body, size_t bytes)
{
    struct buffer copy;
    buffer_init(&copy, 64 * MIB);
    buffer_append(&copy, body, bytes);
    return copy;
}

/* All numbers below the members of the object, in the order of the text; whole ones are read again
 * from the float that they are written as, since yyjson forgets the sign of -0. */
static void collect(yyjson_val *value, size_t depth, struct verdict *verdict)
{
    size_t i, count;
    yyjson_val *key, *item;
    if (yyjson_is_num(value) && depth > 1)
        verdict->f64[verdict->numbers++] = yyjson_get_num(value);
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, i, count, item) collect(item, depth + 1, verdict);
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_foreach(value, i, count, key, item) collect(item, depth + 1, verdict);
    }
}

static bool is_deeper(yyjson_val *value, size_t depth_max)
{
    size_t i, count;
    yyjson_val *key, *item;
    if (!yyjson_is_ctn(value))
        return false;
    if (depth_max == 0)
        return true;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, i, count, item) if (is_deeper(item, depth_max - 1)) return true;
    } else {
        yyjson_obj_foreach(value, i, count, key,
                           item) if (is_deeper(item, depth_max - 1)) return true;
    }
    return false;
}

static struct verdict read_with_yyjson(const char *body, size_t bytes)
{
    struct verdict verdict = {.f64 = malloc((bytes + 1) * sizeof(double))};
    struct json_reader reader;
    struct buffer copy = copy_of(body, bytes);
    yyjson_val *root;
    json_reader_init(&reader, &limits);
    verdict.ok = json_read_object(&reader, &copy, &root, &verdict.error);
    if (verdict.ok && is_deeper(root, limits.depth_max))
        verdict.ok = api_fail(&verdict.error, API_TOO_DEEP, "too deep");
    if (verdict.ok)
        collect(root, 0, &verdict);
    json_reader_deinit(&reader);
    buffer_deinit(&copy);
    return verdict;
}

/* Those that a walk over the same arrays, without notes, does not find so. */
static size_t count_wrong_notes(const struct json_text *text)
{
    struct json_text unnoted = {.notes_count = 0};
    size_t wrong = 0;
    for (size_t i = 0; i < text->notes_count; i++) {
        const struct json_note *note = &text->notes[i];
        struct json_elements walked = json_array_elements(&unnoted, note->array);
        wrong += !walked.are_numbers || walked.count != note->count || walked.end != note->end ||
                 (i > 0 && note->array <= note[-1].array);
    }
    return wrong;
}

static struct verdict read_text(const char *body, size_t bytes, const struct number_scan *scan,
                                size_t *numbers_max)
{
    struct verdict verdict = {.f64 = malloc((bytes + 1) * sizeof(double))};
    struct json_reader reader;
    struct buffer copy = copy_of(body, bytes);
    struct json_text text;
    json_reader_init(&reader, &limits);
    reader.numbers = scan;
    *numbers_max = json_text_numbers_max(&reader, &copy);
    struct json_numbers numbers = {.f64 = verdict.f64, .max = bytes + 1};
    verdict.ok = json_text_read(&reader, &copy, &numbers, &text, &verdict.error);
    verdict.numbers = numbers.count;
    if (verdict.ok)
        verdict.wrong_notes = count_wrong_notes(&text);
    json_reader_deinit(&reader);
    buffer_deinit(&copy);
    return verdict;
}

/* "... at byte 12": 12. */
static const char *place_of(const struct api_error *error)
{
    const char *at = strstr(error->text, " at byte ");
    return at != NULL ? at : "";
}

/* Where yyjson sees a comma right behind the bracket ("[1,],2"), it tells that one's place. When
 * brackets are left open its memory ends before the text does, and it knows neither place nor
 * reason. */
static bool same_error(const struct api_error *wanted, const struct api_error *found)
{
    if (strstr(wanted->text, "brackets are left open") != NULL)
        return true;
    if (strstr(wanted->text, "trailing comma") != NULL)
        return strstr(found->text, "trailing comma") != NULL;
    return wanted->id == found->id && strcmp(place_of(wanted), place_of(found)) == 0;
}

static bool same_numbers(const struct verdict *a, const struct verdict *b)
{
    for (size_t i = 0; i < a->numbers; i++)
        if (memcmp(&a->f64[i], &b->f64[i], sizeof(double)) != 0 &&
            (a->f64[i] != 0 || b->f64[i] != 0)) /* -0 is 0 for yyjson */
            return false;
    return a->numbers == b->numbers;
}

static struct json_difference compare(const struct verdict *wanted, const struct verdict *found,
                                      size_t numbers_max)
{
    struct json_difference difference = {.text = ""};
    char *text = difference.text;
    size_t room = sizeof difference.text;
    if (wanted->ok != found->ok)
        snprintf(text, room, "%s, should be: %s", found->ok ? "read" : found->error.text,
                 wanted->ok ? "read" : wanted->error.text);
    else if (!wanted->ok && !same_error(&wanted->error, &found->error))
        snprintf(text, room, "%s: %s, should be %s: %s", api_error_code(found->error.id),
                 found->error.text, api_error_code(wanted->error.id), wanted->error.text);
    else if (wanted->ok && !same_numbers(wanted, found))
        snprintf(text, room, "%zu other numbers, should be %zu", found->numbers, wanted->numbers);
    else if (found->numbers > numbers_max)
        snprintf(text, room, "%zu numbers, more than %zu", found->numbers, numbers_max);
    else if (found->wrong_notes != 0)
        snprintf(text, room, "%zu arrays are not what was noted", found->wrong_notes);
    return difference;
}

struct json_difference json_compare(const char *body, size_t bytes)
{
    static const char *const variants[] = {"scalar", "avx2", "avx512"};
    struct json_difference difference = {.text = ""};
    struct verdict wanted = read_with_yyjson(body, bytes);
    for (size_t i = 0; i < ARRAY_SIZE(variants) && difference.text[0] == '\0'; i++) {
        const struct number_scan *scan = number_scan_for(variants[i]);
        size_t numbers_max;
        if (scan == NULL)
            continue;
        struct verdict found = read_text(body, bytes, scan, &numbers_max);
        /* What nests too deep is refused before the rest is looked at. */
        if (found.ok || found.error.id != API_TOO_DEEP || wanted.ok)
            difference = compare(&wanted, &found, numbers_max);
        free(found.f64);
    }
    free(wanted.f64);
    return difference;
}
