/*
 * model_config.h - NAME/config.json: class labels, batching settings, precision.
 *
 *   {
 *     // Comments are allowed. Everything may be left out.
 *     "labels": ["cat", "dog"],
 *     "batching": {"max_batch_rows": 64, "max_queue_rows": 4096, "max_delay_us": 0,
 *                  "target_p99_us": 0},
 *     "precision": "int8",    // or "float32"
 *     "int8_max_error": 0.01  // a part of the largest |output|
 *   }
 *
 * An unknown key, a key that occurs twice, a wrong type or a value out of range
 * is an error that names key and line.
 *
 *   Threads    pure functions.
 *   Ownership  struct model_config owns its labels.
 */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "model.h"

enum {
    MODEL_CONFIG_BYTES_MAX = 1024 * 1024,
    MODEL_LABEL_BYTES_MAX = 256,
    MODEL_BATCH_ROWS_MAX = 65536,
    MODEL_QUEUE_ROWS_MAX = 16 * 1024 * 1024,
    MODEL_DELAY_US_MAX = 10 * 1000 * 1000,
    MODEL_TARGET_US_MAX = 60 * 1000 * 1000,
};

struct model_config {
    char **labels;
    size_t labels_count;
    struct model_batching batching;
    enum model_precision precision;
    double int8_error_max;
};

/* Nothing said: float32. */
struct model_config model_config_default(void);

/* On failure *out is untouched. */
enum model_status model_config_parse(const char *json, size_t bytes, struct model_config *out,
                                     struct model_error *error) __attribute__((warn_unused_result));
void model_config_deinit(struct model_config *config);

#endif
