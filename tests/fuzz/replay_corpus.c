/*
 * replay_corpus.c - runs a fuzz target over files and folders without libFuzzer,
 * so that any compiler and every test run replays what was found.
 *
 *   fuzz_x PATH...    each file is one input; folders are read one level deep
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    struct stat info;
    if (fstat(fileno(file), &info) != 0) {
        perror(path);
        fclose(file);
        return -1;
    }
    size_t size = (size_t)info.st_size;
    /* Exactly as large as the input, so that a sanitizer sees one byte too many. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(data);
        fclose(file);
        return -1;
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *path, size_t *inputs)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return -1;
    }
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        rc = replay_file(file);
        (*inputs)++;
    }
    closedir(folder);
    return rc;
}

int main(int argc, char **argv)
{
    size_t inputs = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) != 0) {
            perror(argv[i]);
            return 1;
        }
        if (S_ISDIR(info.st_mode)) {
            if (replay_folder(argv[i], &inputs) != 0)
                return 1;
        } else {
            if (replay_file(argv[i]) != 0)
                return 1;
            inputs++;
        }
    }
    if (inputs == 0) {
        fprintf(stderr, "no input was replayed\n");
        return 1;
    }
    printf("%zu inputs replayed\n", inputs);
    return 0;
}
