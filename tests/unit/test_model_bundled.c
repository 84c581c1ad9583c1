/* The bundled models: both load, and digits reads images it was not trained on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <yyjson.h>

#include "model_repository.h"

enum {
    PIXELS = 64,
    CLASSES = 10,
    IMAGES_MAX = 1000
};

struct images {
    size_t count;
    float pixels[IMAGES_MAX][PIXELS];
    size_t labels[IMAGES_MAX];
    double probabilities[IMAGES_MAX][CLASSES];
};

static void read_image(yyjson_val *image, struct images *out)
{
    size_t i = out->count++;
    yyjson_val *pixels = yyjson_obj_get(image, "pixels");
    yyjson_val *probabilities = yyjson_obj_get(image, "probabilities");
    assert_int_equal(yyjson_arr_size(pixels), PIXELS);
    assert_int_equal(yyjson_arr_size(probabilities), CLASSES);
    for (size_t k = 0; k < PIXELS; k++)
        out->pixels[i][k] = (float)yyjson_get_uint(yyjson_arr_get(pixels, k)) / 16;
    for (size_t k = 0; k < CLASSES; k++)
        out->probabilities[i][k] = yyjson_get_num(yyjson_arr_get(probabilities, k));
    out->labels[i] = (size_t)yyjson_get_uint(yyjson_obj_get(image, "label"));
}

static struct images *read_images(void)
{
    yyjson_doc *doc =
        yyjson_read_file(JITNEY_SOURCE_DIR "/tests/data/digits_test.json", 0, NULL, NULL);
    struct images *images = calloc(1, sizeof *images);
    assert_non_null(doc);
    assert_non_null(images);
    yyjson_val *array = yyjson_obj_get(yyjson_doc_get_root(doc), "images");
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    for (yyjson_val *image; (image = yyjson_arr_iter_next(&iter)) != NULL;) {
        assert_true(images->count < IMAGES_MAX);
        read_image(image, images);
    }
    yyjson_doc_free(doc);
    return images;
}

static size_t largest(const float *scores)
{
    size_t best = 0;
    for (size_t i = 1; i < CLASSES; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

static struct model *load_digits(void)
{
    struct model_limits limits = model_limits_default();
    struct model *m = NULL;
    struct model_error error;
    if (model_load(JITNEY_SOURCE_DIR "/models", "digits", "1", &limits, &m, &error) != MODEL_OK)
        fail_msg("%s", error.text);
    return m;
}

static void digits_reads_held_out_images_as_it_did_when_trained(void **state)
{
    (void)state;
    struct model *m = load_digits();
    struct images *images = read_images();
    assert_int_equal(model_input_size(m), PIXELS);
    assert_int_equal(model_output_size(m), CLASSES);
    assert_string_equal(model_label(m, 7), "7");
    assert_true(images->count >= 300);

    float *out = calloc(images->count * CLASSES, sizeof *out);
    float *scratch = calloc(model_scratch_size(m, images->count), sizeof *scratch);
    assert_non_null(out);
    assert_non_null(scratch);
    model_run(m, kernels_best(), &images->pixels[0][0], images->count, out, scratch);

    size_t right = 0;
    double worst = 0;
    for (size_t i = 0; i < images->count; i++) {
        right += largest(out + i * CLASSES) == images->labels[i];
        for (size_t k = 0; k < CLASSES; k++)
            worst = fmax(worst, fabs((double)out[i * CLASSES + k] - images->probabilities[i][k]));
    }
    print_message("%zu of %zu right, probabilities differ by at most %.2g\n", right, images->count,
                  worst);
    assert_true(right * 100 >= images->count * 97);
    assert_true(worst <= 1e-5);
    free(out);
    free(scratch);
    free(images);
    model_destroy(m);
}

static void the_models_directory_of_the_build_has_both(void **state)
{
    (void)state;
    struct model_limits limits = model_limits_default();
    struct model_repository *r = NULL;
    struct model_error error;
    assert_int_equal(model_repository_load(JITNEY_MODELS_DIR, 16, &limits, &r, &error), MODEL_OK);
    assert_int_equal(model_repository_count(r), 2);
    assert_string_equal(model_repository_entry(r, 0)->name, "digits");
    const struct model_entry *wide = model_repository_entry(r, 1);
    assert_string_equal(wide->name, "wide");
    if (wide->model == NULL)
        fail_msg("%s", wide->error.text);
    assert_int_equal(model_input_size(wide->model), 1024);
    assert_int_equal(model_output_size(wide->model), 16);
    assert_int_equal(model_parameters(wide->model), 3 * (1024 * 1024 + 1024) + 1024 * 16 + 16);

    /* He's variance keeps the numbers' size: they neither vanish nor explode. */
    float in[1024], out[16], *scratch = calloc(model_scratch_size(wide->model, 1), sizeof *scratch);
    assert_non_null(scratch);
    for (size_t i = 0; i < 1024; i++)
        in[i] = i % 2 == 0 ? 1 : -1;
    model_run(wide->model, kernels_best(), in, 1, out, scratch);
    float size = 0;
    for (size_t i = 0; i < 16; i++)
        size = fmaxf(size, fabsf(out[i]));
    assert_true(size > 0.1F);
    assert_true(size < 100);
    free(scratch);
    model_repository_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_models_directory_of_the_build_has_both),
        cmocka_unit_test(digits_reads_held_out_images_as_it_did_when_trained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
