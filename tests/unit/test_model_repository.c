/* Folders of models: versions, defaults, names, links, and bad neighbours. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model_repository.h"
#include "onnx_writer.h"

struct folder {
    char path[64];
    char outside[64];
};

static int remove_item(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int make_folder(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    strcpy(f->path, "/tmp/jitney-models-XXXXXX");
    strcpy(f->outside, "/tmp/jitney-outside-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    assert_non_null(mkdtemp(f->outside));
    *state = f;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *f = *state;
    nftw(f->path, remove_item, 8, FTW_DEPTH | FTW_PHYS);
    nftw(f->outside, remove_item, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void path_of(char out[256], const char *folder, const char *name)
{
    snprintf(out, 256, "%s/%s", folder, name);
}

static void add_folder(const char *folder, const char *name)
{
    char path[256];
    path_of(path, folder, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

static void add_file(const char *folder, const char *name, const void *data, size_t bytes)
{
    char path[256];
    path_of(path, folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void add_link(const char *folder, const char *name, const char *target)
{
    char path[256];
    path_of(path, folder, name);
    assert_int_equal(symlink(target, path), 0);
}

/* A model of two inputs that passes them through a ReLU. */
static void add_model(const char *folder, const char *name)
{
    struct onnx_writer w = {0};
    onnx_write_port(&w, ONNX_INPUT, "x", "N 2");
    onnx_write_port(&w, ONNX_OUTPUT, "y", "N 2");
    onnx_write_node(&w, "Relu", "x", "y", "");
    onnx_write_file(&w);
    add_file(folder, name, w.file.data, w.file.bytes);
    onnx_writer_free(&w);
}

static struct model_repository *load(const struct folder *f)
{
    struct model_limits limits = model_limits_default();
    struct model_repository *r = NULL;
    struct model_error error = {""};
    if (model_repository_load(f->path, 16, &limits, &r, &error) != MODEL_OK)
        fail_msg("%s", error.text);
    return r;
}

static const struct model_entry *find(const struct model_repository *r, const char *name,
                                      const char *version)
{
    return model_repository_find(r, name, strlen(name), version,
                                 version == NULL ? 0 : strlen(version));
}

static void assert_refused(const struct model_entry *entry, enum model_status status,
                           const char *reason)
{
    assert_non_null(entry);
    assert_null(entry->model);
    if (entry->status != status || strstr(entry->error.text, reason) == NULL)
        fail_msg("%s: '%s', expected %s: '%s'", model_status_str(entry->status), entry->error.text,
                 model_status_str(status), reason);
}

static void the_highest_version_is_the_default(void **state)
{
    struct folder *f = *state;
    add_folder(f->path, "net");
    static const char *const versions[] = {"9", "10", "2"};
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "net/%s", versions[i]);
        add_folder(f->path, name);
        strcat(name, "/model.onnx");
        add_model(f->path, name);
    }
    struct model_repository *r = load(f);
    assert_int_equal(model_repository_count(r), 3);
    assert_string_equal(model_repository_entry(r, 0)->version, "2");
    assert_string_equal(model_repository_entry(r, 1)->version, "9");
    assert_string_equal(model_repository_entry(r, 2)->version, "10");
    assert_null(model_repository_entry(r, 3));
    assert_string_equal(find(r, "net", NULL)->version, "10");
    assert_true(find(r, "net", "10")->is_default);
    assert_false(find(r, "net", "9")->is_default);
    assert_string_equal(model_version(find(r, "net", "2")->model), "2");
    assert_null(find(r, "net", "3"));
    assert_null(find(r, "nets", NULL));
    assert_null(model_repository_find(r, "net", 2, NULL, 0));
    model_repository_destroy(r);
}

static void a_bad_model_does_not_hide_the_others(void **state)
{
    struct folder *f = *state;
    static const char *const folders[] = {"good",     "good/1",   "junk",       "junk/1", "hollow",
                                          "hollow/1", "labelled", "labelled/1", "empty"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        add_folder(f->path, folders[i]);
    add_model(f->path, "good/1/model.onnx");
    add_file(f->path, "junk/1/model.onnx", "junk", 4);
    add_model(f->path, "labelled/1/model.onnx");
    const char config[] = "{\n \"labels\": [\"only one\"]}";
    add_file(f->path, "labelled/config.json", config, strlen(config));
    struct model_repository *r = load(f);
    assert_int_equal(model_repository_count(r), 5);
    assert_non_null(find(r, "good", NULL)->model);
    assert_refused(find(r, "junk", "1"), MODEL_MALFORMED, "ONNX file");
    assert_refused(find(r, "hollow", "1"), MODEL_NOT_FOUND, "hollow/1/model.onnx");
    assert_refused(find(r, "labelled", "1"), MODEL_BAD_CONFIG, "1 labels for 2 outputs");
    assert_refused(find(r, "empty", NULL), MODEL_NOT_FOUND, "has no version");
    model_repository_destroy(r);
}

/* y = 3 x0 + x1, in int8 exact for inputs that are whole steps. */
static void add_dense_model(const struct folder *f, const char *name, const char *config)
{
    static const float weights[] = {3, 1};
    char path[64];
    struct onnx_writer w = {0};
    onnx_write_port(&w, ONNX_INPUT, "x", "N 2");
    onnx_write_port(&w, ONNX_OUTPUT, "y", "N 1");
    onnx_write_floats(&w, "w", "2 1", weights);
    onnx_write_node(&w, "MatMul", "x w", "y", "");
    onnx_write_file(&w);
    add_folder(f->path, name);
    snprintf(path, sizeof path, "%s/1", name);
    add_folder(f->path, path);
    snprintf(path, sizeof path, "%s/1/model.onnx", name);
    add_file(f->path, path, w.file.data, w.file.bytes);
    snprintf(path, sizeof path, "%s/config.json", name);
    add_file(f->path, path, config, strlen(config));
    onnx_writer_free(&w);
}

static void models_in_int8_are_tried_with_their_samples(void **state)
{
    struct folder *f = *state;
    static const char config[] = "{\"precision\": \"int8\", \"int8_max_error\": 0.001}";
    static const char exact[] = "{\"instances\": [[254, 0], [0, 0]]}";
    static const char inexact[] = "{\"instances\": [[254, 100.5]]}";
    static const char wrong[] = "{\"instances\": [[1, 2, 3]]}";
    add_dense_model(f, "exact", config);
    add_file(f->path, "exact/samples.json", exact, strlen(exact));
    add_dense_model(f, "inexact", config);
    add_file(f->path, "inexact/samples.json", inexact, strlen(inexact));
    add_dense_model(f, "wrong", config);
    add_file(f->path, "wrong/samples.json", wrong, strlen(wrong));
    add_dense_model(f, "float", "{}");
    add_file(f->path, "float/samples.json", wrong, strlen(wrong)); /* not looked at */
    struct model_repository *r = load(f);
    assert_refused(find(r, "wrong", NULL), MODEL_BAD_SAMPLES, "instances[0] must be 2 numbers");
    model_repository_apply_precision(r, kernels_best());
    assert_refused(find(r, "inexact", NULL), MODEL_INACCURATE,
                   "for 1 rows of samples.json; int8_max_error in config.json is 0.001");
    assert_refused(find(r, "wrong", NULL), MODEL_BAD_SAMPLES, "instances[0] must be 2 numbers");
    assert_non_null(find(r, "float", NULL)->model);
    const struct model *m = find(r, "exact", NULL)->model;
    assert_non_null(m);
    assert_true(model_accuracy(m)->samples_given);
    assert_int_equal(model_accuracy(m)->samples, 2);
    if (!(model_accuracy(m)->error < 1e-6))
        fail_msg("error %g", model_accuracy(m)->error);
    model_repository_destroy(r);
}

static void names_that_cannot_be_served_are_shown_with_a_reason(void **state)
{
    struct folder *f = *state;
    add_folder(f->path, "my model");
    add_folder(f->path, "-x");
    add_folder(f->path, ".git");
    add_file(f->path, "README.md", "text", 4);
    struct model_repository *r = load(f);
    assert_int_equal(model_repository_count(r), 2);
    assert_string_equal(model_repository_entry(r, 0)->name, "?x");
    assert_string_equal(model_repository_entry(r, 1)->name, "my?model");
    assert_refused(model_repository_entry(r, 1), MODEL_UNSUPPORTED, "'my model'");
    assert_null(find(r, "my model", NULL));
    assert_null(find(r, "my?model", NULL));
    model_repository_destroy(r);
}

static void only_plain_numbers_are_versions(void **state)
{
    struct folder *f = *state;
    static const char *const folders[] = {"net",    "net/0",  "net/01",
                                          "net/-1", "net/1a", "net/99999999999999999999"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        add_folder(f->path, folders[i]);
    add_file(f->path, "net/7", "a file", 6);
    struct model_repository *r = load(f);
    assert_int_equal(model_repository_count(r), 1);
    assert_refused(find(r, "net", NULL), MODEL_NOT_FOUND, "has no version");
    model_repository_destroy(r);
}

/* As Kubernetes mounts a ConfigMap. */
static void links_inside_the_repository_are_followed(void **state)
{
    struct folder *f = *state;
    add_folder(f->path, "net");
    add_folder(f->path, "net/1");
    add_folder(f->path, "net/1/..2026");
    add_model(f->path, "net/1/..2026/model.onnx");
    add_link(f->path, "net/1/..data", "..2026");
    add_link(f->path, "net/1/model.onnx", "..data/model.onnx");
    add_link(f->path, "alias", "net");
    struct model_repository *r = load(f);
    assert_non_null(find(r, "net", NULL)->model);
    assert_non_null(find(r, "alias", NULL)->model);
    model_repository_destroy(r);
}

static void links_out_of_the_repository_and_odd_files_are_refused(void **state)
{
    struct folder *f = *state;
    char outside[256], fifo[256];
    static const char *const folders[] = {"net", "net/1", "net/2", "net/3", "net/4"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        add_folder(f->path, folders[i]);
    add_model(f->outside, "model.onnx");
    path_of(outside, f->outside, "model.onnx");
    add_link(f->path, "net/1/model.onnx", outside);
    add_link(f->path, "net/2/model.onnx", "model.onnx");
    path_of(fifo, f->path, "net/3/model.onnx");
    assert_int_equal(mkfifo(fifo, 0666), 0);
    add_folder(f->path, "net/4/model.onnx");
    struct model_repository *r = load(f);
    assert_refused(find(r, "net", "1"), MODEL_UNREADABLE, "leads out of the models");
    assert_refused(find(r, "net", "2"), MODEL_UNREADABLE, "symbolic links");
    assert_refused(find(r, "net", "3"), MODEL_UNREADABLE, "no regular file");
    assert_refused(find(r, "net", "4"), MODEL_UNREADABLE, "no regular file");
    model_repository_destroy(r);
}

static void files_above_the_limit_are_not_read(void **state)
{
    struct folder *f = *state;
    struct model_limits limits = model_limits_default();
    struct model *m = NULL;
    struct model_error error;
    add_folder(f->path, "net");
    add_folder(f->path, "net/1");
    add_model(f->path, "net/1/model.onnx");
    limits.file_bytes_max = 16;
    assert_int_equal(model_load(f->path, "net", "1", &limits, &m, &error), MODEL_TOO_LARGE);
    assert_non_null(strstr(error.text, "the limit is 16"));
    assert_int_equal(model_load(f->path, "..", "1", &limits, &m, &error), MODEL_UNSUPPORTED);
    assert_int_equal(model_load(f->path, "net", "../1", &limits, &m, &error), MODEL_UNSUPPORTED);
    assert_int_equal(model_load(f->path, "net", "2", &limits, &m, &error), MODEL_NOT_FOUND);
    assert_null(m);
}

static void a_folder_that_is_not_there_or_too_full_is_an_error(void **state)
{
    struct folder *f = *state;
    struct model_limits limits = model_limits_default();
    struct model_repository *r = NULL;
    struct model_error error;
    add_folder(f->path, "a");
    add_folder(f->path, "b");
    assert_int_equal(model_repository_load(f->path, 1, &limits, &r, &error), MODEL_TOO_LARGE);
    assert_int_equal(model_repository_load("/nowhere/at/all", 1, &limits, &r, &error),
                     MODEL_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    assert_null(r);
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(the_highest_version_is_the_default),
        WITH_FOLDER(a_bad_model_does_not_hide_the_others),
        WITH_FOLDER(models_in_int8_are_tried_with_their_samples),
        WITH_FOLDER(names_that_cannot_be_served_are_shown_with_a_reason),
        WITH_FOLDER(only_plain_numbers_are_versions),
        WITH_FOLDER(links_inside_the_repository_are_followed),
        WITH_FOLDER(links_out_of_the_repository_and_odd_files_are_refused),
        WITH_FOLDER(files_above_the_limit_are_not_read),
        WITH_FOLDER(a_folder_that_is_not_there_or_too_full_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
