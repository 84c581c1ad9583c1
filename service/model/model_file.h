/*
 * model_file.h - reads a file of the model repository into memory.
 *
 * Symbolic links are followed as long as they stay inside the repository:
 * Kubernetes mounts a ConfigMap or a git-sync checkout as links to a hidden
 * folder beside them. A link that leads out of it, and anything that is not a
 * regular file, is refused. The repository folder itself may be a link.
 *
 *   Threads    any.
 *   Ownership  the caller frees the bytes.
 */
#ifndef MODEL_FILE_H
#define MODEL_FILE_H

#include "model.h"

struct model_file {
    char *data; /* one zero byte behind them, not counted */
    size_t bytes;
};

/* Reads DIR/PATH of at most `bytes_max`; MODEL_NOT_FOUND when it is not there. */
enum model_status model_file_read(const char *dir, const char *path, size_t bytes_max,
                                  struct model_file *out, struct model_error *error)
    __attribute__((warn_unused_result));

#endif
