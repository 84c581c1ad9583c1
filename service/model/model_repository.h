/*
 * model_repository.h - the models of one directory: DIR/NAME/VERSION/model.onnx.
 *
 *   Threads    loaded once, before the threads start; read-only afterwards.
 *   Ownership  the repository owns its models.
 *   Versions   directories named by a decimal number from 1, without leading
 *              zeros; all are loaded. The highest that is there is the one
 *              served by default, also when it could not be loaded: an older
 *              one never answers in its place unasked.
 *   Names      hidden directories and plain files are passed over. A directory
 *              whose name is no model name is an entry with '?' for what is
 *              not allowed, and one without a version an entry with version "";
 *              both only carry their reason.
 *   Links      are followed inside DIR (Kubernetes mounts need it), never out.
 *   Errors     a model that cannot be loaded is kept as an entry with the
 *              reason; the others serve.
 */
#ifndef MODEL_REPOSITORY_H
#define MODEL_REPOSITORY_H

#include "model.h"

struct model_entry {
    char name[129];
    char version[21];
    struct model *model; /* NULL: not loaded, see status and error */
    enum model_status status;
    struct model_error error;
    bool is_default; /* highest version of its name */
};

struct model_repository;

/* Reads the directory. On failure (the directory itself cannot be read, too
 * many models) *out is untouched and `error` says why. */
enum model_status model_repository_load(const char *dir, size_t models_max,
                                        const struct model_limits *limits,
                                        struct model_repository **out, struct model_error *error)
    __attribute__((warn_unused_result));

/* model_apply_precision() for each of them. Those that fail become entries with the reason.
 * Before anybody else uses the models. */
void model_repository_apply_precision(struct model_repository *r, const struct kernels *kernels);

void model_repository_destroy(struct model_repository *r);

/* Sorted by name, then by version as a number. */
size_t model_repository_count(const struct model_repository *r);
const struct model_entry *model_repository_entry(const struct model_repository *r, size_t index);

/* By name (not terminated, from a URL); version NULL means the default. NULL:
 * there is none. */
const struct model_entry *model_repository_find(const struct model_repository *r, const char *name,
                                                size_t name_bytes, const char *version,
                                                size_t version_bytes);

#endif
