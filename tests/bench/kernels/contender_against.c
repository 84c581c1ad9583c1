/*
 * contender_against.c - the indicators of another shared library, when it has
 * functions of TA-Lib's signature.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

typedef int ta_indicator(int first, int last, const double in[], int period, int *out_first,
                         int *out_count, double out[]);

struct against {
    void *library;
    ta_indicator *indicators[BENCH_RSI + 1]; /* NULL when missing */
};

static bool takes(const struct contender *self, const struct bench_case *c)
{
    return bench_case_is_series(c) && self->against->indicators[c->kernel] != NULL;
}

/* Its first result goes where ours goes: the distance between loads and stores is the same. */
static double time_against(const struct contender *self, const struct bench_case *c,
                           const struct operands *o, size_t calls)
{
    ta_indicator *const indicator = self->against->indicators[c->kernel];
    const size_t warm_up = c->kernel == BENCH_RSI ? c->period : c->period - 1;
    const int last = (int)c->n - 1;
    const size_t room = c->n > warm_up ? warm_up : 0;
    int begin;
    int count;
    const double start = bench_now_ns();
    for (size_t i = 0; i < calls; i++)
        for (size_t row = 0; row < c->rows; row++)
            indicator(0, last, o->in + row * c->n, (int)c->period, &begin, &count,
                      o->out + row * c->n + room);
    return bench_now_ns() - start;
}

/* TA_Initialize and TA_Shutdown, where there are such. */
static bool call_if_there(void *library, const char *name)
{
    int (*function)(void);
    *(void **)&function = dlsym(library, name);
    return function == NULL || function() == 0;
}

static bool load(struct against *against, const char *path)
{
    static const char *const names[] = {"TA_SMA", "TA_EMA", "TA_RSI"};
    against->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (against->library == NULL) {
        fprintf(stderr, "bench_kernels: %s\n", dlerror());
        return false;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *(void **)&against->indicators[i] = dlsym(against->library, names[i]);
        if (against->indicators[i] == NULL)
            fprintf(stderr, "bench_kernels: %s has no %s: left out\n", path, names[i]);
    }
    return call_if_there(against->library, "TA_Initialize");
}

static void unload(struct against *against)
{
    if (against->library != NULL)
        dlclose(against->library);
    free(against);
}

/* "/x/libta-lib.so.1" is "libta-lib". */
static void name_of_library(const char *path, char *out, size_t out_bytes)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    snprintf(out, out_bytes, "%.*s", (int)strcspn(file, "."), file);
}

bool add_against(struct contenders *all, const char *path)
{
    struct against *against = calloc(1, sizeof *against);
    if (against == NULL)
        return false;
    if (!load(against, path)) {
        unload(against);
        return false;
    }
    char name[sizeof((struct contender *)0)->name];
    name_of_library(path, name, sizeof name);
    struct contender *added = contender_add(all, ROLE_AGAINST, name);
    added->against = against;
    added->takes = takes;
    added->time = time_against;
    return true;
}

void remove_against(struct contenders *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].role != ROLE_AGAINST)
            continue;
        struct against *against = all->list[i].against;
        call_if_there(against->library, "TA_Shutdown");
        unload(against);
    }
}
