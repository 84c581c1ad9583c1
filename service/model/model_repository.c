#include "model_repository.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model_error.h"

struct model_repository {
    struct model_entry *entries;
    size_t count;
    size_t capacity;
    size_t models_max;
    const struct model_limits *limits; /* while loading */
    const char *dir;                   /* while loading */
};

/* A fresh entry, all zero; NULL with the reason in *status. */
static struct model_entry *add_entry(struct model_repository *r, enum model_status *status,
                                     struct model_error *error)
{
    if (r->count == r->models_max) {
        *status =
            model_fail(error, MODEL_TOO_LARGE, "there are more than %zu models", r->models_max);
        return NULL;
    }
    if (r->count == r->capacity) {
        size_t capacity = r->capacity > 0 ? 2 * r->capacity : 8;
        struct model_entry *entries = realloc(r->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            *status = model_fail_nomem(error);
            return NULL;
        }
        r->entries = entries;
        r->capacity = capacity;
    }
    struct model_entry *entry = &r->entries[r->count++];
    memset(entry, 0, sizeof *entry);
    return entry;
}

/* --- Reading folders -------------------------------------------------------- */

static DIR *open_folder(const char *path, struct model_error *error, enum model_status *status)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        *status = model_fail(error, errno == ENOENT ? MODEL_NOT_FOUND : MODEL_UNREADABLE, "%s: %s",
                             model_quote(path).text, strerror(errno));
    return folder;
}

/* Follows links, as Kubernetes mounts folders through them. */
static bool is_folder(DIR *parent, const char *name)
{
    struct stat info;
    return fstatat(dirfd(parent), name, &info, 0) == 0 && S_ISDIR(info.st_mode);
}

static bool is_allowed(const char *name, size_t index)
{
    char probe[2] = {index == 0 ? name[0] : '_', name[index]};
    return model_name_valid(probe, sizeof probe);
}

/* A folder whose name cannot be served is shown with '?' for what is not allowed, which
 * no valid name contains: it is never mistaken for another model. */
static enum model_status add_misnamed(struct model_repository *r, const char *name,
                                      struct model_error *error)
{
    enum model_status status = MODEL_OK;
    struct model_entry *entry = add_entry(r, &status, error);
    if (entry == NULL)
        return status;
    size_t room = sizeof entry->name - 1;
    for (size_t i = 0; i < room && name[i] != '\0'; i++)
        entry->name[i] = is_allowed(name, i) ? name[i] : '?';
    if (strlen(name) > room)
        entry->name[room - 1] = '?';
    entry->status = model_fail(&entry->error, MODEL_UNSUPPORTED,
                               "the folder %s is no model name: up to 128 letters, digits and "
                               "._-, the first a letter, a digit or _",
                               model_quote(name).text);
    return MODEL_OK;
}

static enum model_status add_version(struct model_repository *r, const char *name,
                                     const char *version, struct model_error *error)
{
    enum model_status status = MODEL_OK;
    struct model_entry *entry = add_entry(r, &status, error);
    if (entry == NULL)
        return status;
    snprintf(entry->name, sizeof entry->name, "%s", name);
    memcpy(entry->version, version, strlen(version)); /* valid, so it fits */
    entry->status = model_load(r->dir, name, version, r->limits, &entry->model, &entry->error);
    return MODEL_OK;
}

static enum model_status add_versionless(struct model_repository *r, const char *name,
                                         enum model_status why, const struct model_error *reason,
                                         struct model_error *error)
{
    enum model_status status = MODEL_OK;
    struct model_entry *entry = add_entry(r, &status, error);
    if (entry == NULL)
        return status;
    snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->status = why;
    entry->error = *reason;
    return MODEL_OK;
}

static enum model_status read_versions(struct model_repository *r, const char *name, DIR *folder,
                                       struct model_error *error)
{
    enum model_status status = MODEL_OK;
    size_t before = r->count;
    for (struct dirent *item; status == MODEL_OK && (item = readdir(folder)) != NULL;)
        if (model_version_valid(item->d_name, strlen(item->d_name)) &&
            is_folder(folder, item->d_name))
            status = add_version(r, name, item->d_name, error);
    if (status != MODEL_OK || r->count > before)
        return status;
    struct model_error reason;
    enum model_status why = model_fail(&reason, MODEL_NOT_FOUND,
                                       "the folder %s has no version: a folder named by a decimal "
                                       "number, with model.onnx in it",
                                       model_quote(name).text);
    return add_versionless(r, name, why, &reason, error);
}

static enum model_status read_model(struct model_repository *r, const char *name,
                                    struct model_error *error)
{
    if (!model_name_valid(name, strlen(name)))
        return add_misnamed(r, name, error);
    char path[4096];
    struct model_error reason;
    enum model_status why = MODEL_OK;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", r->dir, name) >= sizeof path)
        return model_fail(error, MODEL_UNREADABLE, "the path of the models is too long");
    DIR *folder = open_folder(path, &reason, &why);
    if (folder == NULL)
        return add_versionless(r, name, why, &reason, error);
    enum model_status status = read_versions(r, name, folder, error);
    closedir(folder);
    return status;
}

static enum model_status read_models(struct model_repository *r, struct model_error *error)
{
    enum model_status status = MODEL_OK;
    DIR *folder = open_folder(r->dir, error, &status);
    if (folder == NULL)
        return status;
    for (struct dirent *item; status == MODEL_OK && (item = readdir(folder)) != NULL;)
        /* Hidden folders are somebody's machinery: .git, ..data. */
        if (item->d_name[0] != '.' && is_folder(folder, item->d_name))
            status = read_model(r, item->d_name, error);
    closedir(folder);
    return status;
}

/* --- Order ------------------------------------------------------------------ */

/* Versions have no leading zeros, so the longer one is the larger. */
static int compare_versions(const char *a, const char *b)
{
    size_t a_digits = strlen(a), b_digits = strlen(b);
    if (a_digits != b_digits)
        return a_digits < b_digits ? -1 : 1;
    return strcmp(a, b);
}

static int compare_entries(const void *a, const void *b)
{
    const struct model_entry *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : compare_versions(left->version, right->version);
}

static void choose_defaults(struct model_repository *r)
{
    if (r->count > 0)
        qsort(r->entries, r->count, sizeof *r->entries, compare_entries);
    for (size_t i = 0; i < r->count; i++)
        r->entries[i].is_default =
            i + 1 == r->count || strcmp(r->entries[i].name, r->entries[i + 1].name) != 0;
}

/* --- The repository --------------------------------------------------------- */

enum model_status model_repository_load(const char *dir, size_t models_max,
                                        const struct model_limits *limits,
                                        struct model_repository **out, struct model_error *error)
{
    struct model_repository *r = calloc(1, sizeof *r);
    if (r == NULL)
        return model_fail_nomem(error);
    r->dir = dir;
    r->limits = limits;
    r->models_max = models_max;
    enum model_status status = read_models(r, error);
    r->dir = NULL;
    r->limits = NULL;
    if (status != MODEL_OK) {
        model_repository_destroy(r);
        return status;
    }
    choose_defaults(r);
    *out = r;
    return MODEL_OK;
}

void model_repository_apply_precision(struct model_repository *r, const struct kernels *kernels)
{
    for (size_t i = 0; i < r->count; i++) {
        struct model_entry *entry = &r->entries[i];
        if (entry->model == NULL)
            continue;
        entry->status = model_apply_precision(entry->model, kernels, &entry->error);
        if (entry->status == MODEL_OK)
            continue;
        model_destroy(entry->model);
        entry->model = NULL;
    }
}

void model_repository_destroy(struct model_repository *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        model_destroy(r->entries[i].model);
    free(r->entries);
    free(r);
}

size_t model_repository_count(const struct model_repository *r)
{
    return r->count;
}

const struct model_entry *model_repository_entry(const struct model_repository *r, size_t index)
{
    return index < r->count ? &r->entries[index] : NULL;
}

static bool equals(const char *text, const char *bytes, size_t count)
{
    return strlen(text) == count && memcmp(text, bytes, count) == 0;
}

const struct model_entry *model_repository_find(const struct model_repository *r, const char *name,
                                                size_t name_bytes, const char *version,
                                                size_t version_bytes)
{
    if (!model_name_valid(name, name_bytes))
        return NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct model_entry *entry = &r->entries[i];
        if (!equals(entry->name, name, name_bytes))
            continue;
        if (version == NULL ? entry->is_default : equals(entry->version, version, version_bytes))
            return entry;
    }
    return NULL;
}
