/*
 * fuzz_json_body.c - any body is decoded into a job that keeps to its bounds and whose answer is
 * JSON, or is refused with an error and a text.
 *
 * The first byte chooses what the body is for: one of three models, or indicators.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "indicators.h"
#include "predict.h"
#include "small_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum {
    MODELS = 3,
    INSTANCES_MAX = 16
};

static const struct indicator_limits limits = {.series_max = 8, .points_max = 256};

/* libFuzzer hands no context from one input to the next. */
static struct model *models[MODELS];

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void create_models(void)
{
    models[0] = small_model("N 3", 2, NULL);
    models[1] = small_model("N 1", 1, NULL);
    models[2] = small_model("N 2 2 2", 2, "{\"labels\":[\"a\",\"\\u00e9\\\"\"]}");
}

static void require_json(struct buffer *answer)
{
    require(!answer->failed);
    yyjson_doc *doc = yyjson_read(answer->data, answer->bytes, 0);
    require(doc != NULL);
    yyjson_doc_free(doc);
}

/* The sum of the row, as the model would; and what no model should say. */
static void predict(struct json_reader *reader, const struct model *model, struct buffer *body,
                    struct job *job, struct buffer *answer, struct api_error *error)
{
    if (!predict_decode(reader, model, INSTANCES_MAX, body, job, error))
        return;
    size_t in_size = model_input_size(model), out_size = model_output_size(model);
    require(job->base.rows > 0 && job->base.rows <= INSTANCES_MAX);
    for (size_t row = 0; row < job->base.rows; row++) {
        float sum = 0;
        for (size_t i = 0; i < in_size; i++) {
            require(isfinite(job->in_f32[row * in_size + i]));
            sum += job->in_f32[row * in_size + i];
        }
        for (size_t i = 0; i < out_size; i++)
            job->out_f32[row * out_size + i] = i == 0 ? sum : NAN;
    }
    predict_encode(model, job, answer);
    require_json(answer);
}

static void compute(struct json_reader *reader, struct buffer *body, struct job *job,
                    struct buffer *answer, struct api_error *error)
{
    if (!indicator_decode(reader, &limits, body, job, error))
        return;
    size_t points = job->offsets[job->base.rows];
    require(job->base.rows > 0 && job->base.rows <= limits.series_max);
    require(points > 0 && points <= limits.points_max);
    for (size_t i = 0; i < job->base.rows; i++)
        require(job->offsets[i + 1] - job->offsets[i] >= job->period);
    for (size_t i = 0; i < points; i++) {
        require(isfinite(job->in_f64[i]));
        job->out_f64[i] = i < job->period ? NAN : job->in_f64[i];
    }
    indicator_encode(COMPUTE_SMA, job, answer);
    require_json(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    if (models[0] == NULL)
        create_models();
    const struct json_limits json_limits = {.depth_max = 16, .number_bytes_max = 64};
    struct json_reader reader;
    struct job_pool pool;
    struct buffer body, answer;
    struct api_error error = {.id = API_OK, .text = ""};
    json_reader_init(&reader, &json_limits);
    job_pool_init(&pool);
    buffer_init(&body, MIB);
    buffer_init(&answer, 64 * MIB);
    buffer_append(&body, data + 1, bytes - 1);
    struct job *job = job_take(&pool);
    require(job != NULL);
    if (data[0] % (MODELS + 1) < MODELS)
        predict(&reader, models[data[0] % (MODELS + 1)], &body, job, &answer, &error);
    else
        compute(&reader, &body, job, &answer, &error);
    require((answer.bytes == 0) == (error.id != API_OK));
    require((error.id == API_OK) == (error.text[0] == '\0'));
    require(error.id != API_OUT_OF_MEMORY);
    json_reader_release(&reader);
    job_recycle(&pool, job);
    buffer_deinit(&body);
    buffer_deinit(&answer);
    job_pool_deinit(&pool);
    json_reader_deinit(&reader);
    return 0;
}
