#include "model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model_error.h"

static enum model_status fail_errno(struct model_error *error, const char *path)
{
    int number = errno;
    if (number == ENOMEM)
        return model_fail_nomem(error);
    return model_fail(error, number == ENOENT ? MODEL_NOT_FOUND : MODEL_UNREADABLE, "%s: %s", path,
                      strerror(number));
}

static bool is_beneath(const char *dir, const char *path)
{
    size_t bytes = strlen(dir);
    if (bytes == 1) /* "/" is the only one with a slash at its end. */
        return true;
    return strncmp(path, dir, bytes) == 0 && path[bytes] == '/';
}

/* The file's real path, for free(); NULL with errno when it does not lie in the folder. */
static char *resolve(const char *dir, const char *path)
{
    char joined[PATH_MAX];
    if ((size_t)snprintf(joined, sizeof joined, "%s/%s", dir, path) >= sizeof joined) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    char *real_dir = realpath(dir, NULL);
    char *real_path = real_dir == NULL ? NULL : realpath(joined, NULL);
    if (real_path != NULL && !is_beneath(real_dir, real_path)) {
        free(real_path);
        real_path = NULL;
        errno = EXDEV;
    }
    int number = errno;
    free(real_dir);
    errno = number;
    return real_path;
}

static enum model_status read_all(int fd, const char *path, struct model_file *file,
                                  struct model_error *error)
{
    size_t done = 0;
    while (done < file->bytes) {
        ssize_t got = read(fd, file->data + done, file->bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(error, path);
        if (got == 0)
            return model_fail(error, MODEL_UNREADABLE, "%s became shorter while it was read", path);
        done += (size_t)got;
    }
    return MODEL_OK;
}

static enum model_status read_open(int fd, const char *path, size_t bytes_max,
                                   struct model_file *out, struct model_error *error)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail_errno(error, path);
    if (!S_ISREG(info.st_mode))
        return model_fail(error, MODEL_UNREADABLE, "%s is no regular file", path);
    if ((uintmax_t)info.st_size > bytes_max)
        return model_fail(error, MODEL_TOO_LARGE, "%s has %jd bytes; the limit is %zu", path,
                          (intmax_t)info.st_size, bytes_max);
    struct model_file file = {.bytes = (size_t)info.st_size};
    file.data = malloc(file.bytes + 1);
    if (file.data == NULL)
        return model_fail_nomem(error);
    enum model_status status = read_all(fd, path, &file, error);
    if (status != MODEL_OK) {
        free(file.data);
        return status;
    }
    file.data[file.bytes] = '\0';
    *out = file;
    return MODEL_OK;
}

enum model_status model_file_read(const char *dir, const char *path, size_t bytes_max,
                                  struct model_file *out, struct model_error *error)
{
    char *real_path = resolve(dir, path);
    if (real_path == NULL && errno == EXDEV)
        return model_fail(error, MODEL_UNREADABLE, "%s is a link that leads out of the models",
                          path);
    if (real_path == NULL)
        return fail_errno(error, path);
    /* Without O_NONBLOCK a FIFO would keep the server from starting. */
    int fd = open(real_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(real_path);
    if (fd < 0)
        return fail_errno(error, path);
    enum model_status status = read_open(fd, path, bytes_max, out, error);
    close(fd);
    return status;
}
