/*
 * model.h - a feed-forward network from an ONNX file, compiled to a plan.
 *
 *   Threads    loading on any thread; after model_apply_precision() and
 *              model_choose_kernels(), if they are called, a model is immutable,
 *              and model_run() may run on many threads at once, each with its own
 *              scratch.
 *   Ownership  model_load() to model_destroy(). Names, labels and shapes belong
 *              to the model.
 *   Shapes     row-major float32. One row is model_input_size() numbers; the
 *              ONNX graph's first dimension is the batch and must be free (or 1).
 *   Trust      nothing in the file is trusted: nesting is bounded before
 *              unpacking, every product of dimensions is checked, every tensor's
 *              bytes are compared with its shape, external data is refused, and
 *              operators that the plan cannot express are refused with a list.
 *   Errors     a status and one sentence in struct model_error.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

#define MODEL_STATUS_MAP(X)                         \
    X(OK, "ok")                                     \
    X(NOT_FOUND, "no such file")                    \
    X(UNREADABLE, "cannot be read")                 \
    X(TOO_LARGE, "larger than a limit")             \
    X(MALFORMED, "not a well-formed ONNX file")     \
    X(UNSUPPORTED, "uses what jitney does not run") \
    X(BAD_CONFIG, "config.json is wrong")           \
    X(BAD_SAMPLES, "samples.json is wrong")         \
    X(INACCURATE, "too far from float32 in int8")   \
    X(NOMEM, "out of memory")

enum model_status {
#define X(name, text) MODEL_##name,
    MODEL_STATUS_MAP(X)
#undef X
};

const char *model_status_str(enum model_status status);

struct model_error {
    char text[1024]; /* one sentence; untrusted names in it are escaped */
};

struct model_limits {
    size_t file_bytes_max;
    size_t nesting_max;      /* protobuf messages inside messages */
    size_t elements_max;     /* of one tensor */
    size_t row_elements_max; /* of one row anywhere between input and output */
    size_t rank_max;
    size_t nodes_max;
};

/* 2 GiB, 64, 2^28, 2^22, 8, 4096. */
struct model_limits model_limits_default(void);

/* Batching settings a model's config.json may carry; 0 or UINT64_MAX means
 * "not said", see each. */
struct model_batching {
    size_t batch_rows_max;  /* 0: not said */
    size_t queue_rows_max;  /* 0: not said */
    uint64_t delay_ns_max;  /* UINT64_MAX: not said */
    uint64_t target_p99_ns; /* UINT64_MAX: not said */
};

/* What dense layers compute in. */
enum model_precision {
    MODEL_FLOAT32,
    MODEL_INT8
};

/* "int8". Static. */
const char *model_precision_str(enum model_precision precision);

struct model;

/* Loads DIR/NAME/VERSION/model.onnx with the optional DIR/NAME/config.json, and for a model in
 * int8 the optional DIR/NAME/samples.json (model_samples.h). */
enum model_status model_load(const char *dir, const char *name, const char *version,
                             const struct model_limits *limits, struct model **out,
                             struct model_error *error) __attribute__((warn_unused_result));

/* The same from memory (fuzzing, tests); `config` may be NULL. */
enum model_status model_load_memory(const char *name, const char *version, const void *onnx,
                                    size_t onnx_bytes, const char *config, size_t config_bytes,
                                    const struct model_limits *limits, struct model **out,
                                    struct model_error *error) __attribute__((warn_unused_result));
void model_destroy(struct model *m);

const char *model_name(const struct model *m);
const char *model_version(const struct model *m);
const char *model_input_name(const struct model *m);
const char *model_output_name(const struct model *m);
size_t model_input_size(const struct model *m);  /* numbers in one row */
size_t model_output_size(const struct model *m); /* numbers in one row */
/* The shape of one input row, without the batch: rank and dimensions. */
size_t model_input_rank(const struct model *m);
const size_t *model_input_shape(const struct model *m);
size_t model_parameters(const struct model *m);
uint64_t model_flops_per_row(const struct model *m);
const struct model_batching *model_batching(const struct model *m);

/* The label of a class, or NULL. There are 0 or model_output_size() of them. */
size_t model_labels_count(const struct model *m);
const char *model_label(const struct model *m, size_t index);

/*
 * Does what config.json says of precision. For int8: computes the sample inputs, packs the
 * weights of the dense layers for `kernels`' int8 layer (see kernels.h; layers with more inputs
 * than that takes stay float32), computes the samples again, and compares the outputs before a
 * softmax or sigmoid at the end. Samples are those of samples.json, else rows of normal numbers
 * from a fixed seed.
 *
 * INACCURATE: an output is off by more than config.json allows. On any failure the model is good
 * for nothing but model_destroy(). At most once, before model_choose_kernels(), with the same
 * kernels; never called, the model computes in float32.
 */
enum model_status model_apply_precision(struct model *m, const struct kernels *kernels,
                                        struct model_error *error)
    __attribute__((warn_unused_result));

/* What came of it. */
struct model_accuracy {
    enum model_precision precision;
    double error;       /* largest difference from float32, as a part of the largest |output| */
    double error_max;   /* "int8_max_error" */
    size_t samples;     /* rows that were compared */
    bool samples_given; /* by samples.json; else made up */
};
const struct model_accuracy *model_accuracy(const struct model *m);

/*
 * Settles how each dense layer in float32 is computed. Measures it for one row and for
 * `rows_max` rows, over packed weights and by `kernels->dense_f32` in turns, and
 * keeps what is faster over both; at most about 200 ms for the model, after which
 * the remaining layers keep dense_f32. With the table of KERNELS_SCALAR nothing is
 * measured and everything is dense_f32: the way to numbers that are the same on
 * every start. Without memory a layer stays as it is.
 *
 * At most once, before the model runs elsewhere; from then on model_run() takes
 * these kernels and no others, but see model_keep_weights(). Never called, every table will do.
 */
void model_choose_kernels(struct model *m, const struct kernels *kernels, size_t rows_max);

/*
 * Before that: keeps the weights that it packs, for as much memory again (at most 64 MiB for a
 * layer; larger ones are never packed). model_run() then takes KERNELS_SCALAR too: the plain twin
 * of what was chosen. In int8 it always does.
 */
void model_keep_weights(struct model *m);

/* A dense layer: its sizes, and by what it is computed: "packed avx512", "openblas",
 * "plain", "int8 avx512vnni"; "unsettled" before model_choose_kernels(). */
struct model_layer {
    size_t in_size;
    size_t out_size;
    char kernel[24];
};

/* The dense layers, in the order in which they run. */
size_t model_layers_count(const struct model *m);
struct model_layer model_layer(const struct model *m, size_t index);

/* How many floats of scratch model_run() needs for so many rows; 0: none, and
 * NULL will do. */
size_t model_scratch_size(const struct model *m, size_t rows);

/* `in` is [rows][input_size], `out` is [rows][output_size]. Allocates nothing. */
void model_run(const struct model *m, const struct kernels *kernels, const float *in, size_t rows,
               float *out, float *scratch);

/*
 * One row by the plain twin, and for each output how far model_run() may be from it with any
 * correct table: see plan_twin.h. INFINITY when nothing can be said. The weights were kept.
 */
size_t model_twin_scratch_bytes(const struct model *m);
void model_run_twin(const struct model *m, const float *in, float *out, double *bounds,
                    void *scratch);

/* ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ - the only names that reach the file system. */
bool model_name_valid(const char *name, size_t bytes);

/* ^[1-9][0-9]{0,18}$, so that two versions are never the same number. */
bool model_version_valid(const char *version, size_t bytes);

#endif
