/*
 * bench_decode.c - microseconds to make a job of a whole body: the strict pass, the numbers, and
 * the checks of what stood where.
 *
 *   bench_decode [rounds [variant]]      default 101, and the best variant of number_scan.h; the
 *                                        bodies take turns, on one core
 *
 * Medians of the rounds, one line for each kind of body: S and M are one row of 64 and of 784
 * floats with nine digits, P is 1000 prices with two decimals, B is 32 rows of 64 floats, R is
 * 1000 rows of 8, more arrays than json_text.h notes.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base.h"
#include "indicators.h"
#include "predict.h"
#include "small_model.h"

enum {
    BODIES = 256, /* no body twice in a turn, so that no branch is learned by heart */
    TURN_NUMBERS = 64000,
    ROUNDS_MAX = 10001
};

struct kind {
    const char *name, *shape; /* of the model; NULL: prices */
    size_t rows, row_numbers;
    struct model *model;
    struct buffer bodies[BODIES];
    double ns[ROUNDS_MAX];
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double next_unit(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return (double)(x >> 11) * 0x1p-53;
}

static void put_numbers(struct buffer *body, const struct kind *kind, uint64_t *state)
{
    for (size_t i = 0; i < kind->row_numbers; i++) {
        if (i > 0)
            buffer_append(body, ",", 1);
        if (kind->shape != NULL)
            buffer_append_format(body, "%.9g", (double)(float)(next_unit(state) * 2 - 1));
        else
            buffer_append_format(body, "%.2f", next_unit(state) * 1000);
    }
}

static void make_body(struct buffer *body, const struct kind *kind, uint64_t *state)
{
    buffer_init(body, 16 * MIB);
    buffer_append_str(body,
                      kind->shape != NULL ? "{\"instances\":[" : "{\"period\":20,\"prices\":");
    for (size_t i = 0; i < kind->rows; i++) {
        buffer_append_str(body, i > 0 ? ",[" : "[");
        put_numbers(body, kind, state);
        buffer_append(body, "]", 1);
    }
    buffer_append_str(body, kind->shape != NULL ? "]}" : "}");
}

static void make_kind(struct kind *kind, uint64_t *state)
{
    if (kind->shape != NULL)
        kind->model = small_model(kind->shape, 10, NULL);
    for (size_t i = 0; i < BODIES; i++)
        make_body(&kind->bodies[i], kind, state);
}

static void decode(struct json_reader *reader, struct job_pool *pool, const struct kind *kind,
                   struct buffer *body)
{
    static const struct indicator_limits limits = {.series_max = 1024, .points_max = 1 << 20};
    struct api_error error;
    struct job *job = job_take(pool);
    bool ok = kind->model != NULL ? predict_decode(reader, kind->model, 4096, body, job, &error)
                                  : indicator_decode(reader, &limits, body, job, &error);
    if (!ok) {
        fprintf(stderr, "bench_decode: %s: %s\n", kind->name, error.text);
        exit(1);
    }
    job_recycle(pool, job);
}

static double time_turn(struct json_reader *reader, struct job_pool *pool, struct kind *kind)
{
    size_t count = TURN_NUMBERS / (kind->rows * kind->row_numbers);
    double start = now_ns();
    for (size_t i = 0; i < count; i++)
        decode(reader, pool, kind, &kind->bodies[i % BODIES]);
    return (now_ns() - start) / (double)count;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void stay_on_one_core(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)sched_getcpu(), &cores);
    sched_setaffinity(0, sizeof cores, &cores);
}

int main(int argc, char **argv)
{
    static struct kind kinds[] = {{.name = "S", .shape = "N 64", .rows = 1, .row_numbers = 64},
                                  {.name = "M", .shape = "N 784", .rows = 1, .row_numbers = 784},
                                  {.name = "P", .rows = 1, .row_numbers = 1000},
                                  {.name = "B", .shape = "N 64", .rows = 32, .row_numbers = 64},
                                  {.name = "R", .shape = "N 8", .rows = 1000, .row_numbers = 8}};
    size_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 101;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    const struct json_limits limits = {.depth_max = 64, .number_bytes_max = 1024};
    struct json_reader reader;
    struct job_pool pool;
    uint64_t state = 20261121;
    json_reader_init(&reader, &limits);
    if (argc > 2 && number_scan_for(argv[2]) != NULL)
        reader.numbers = number_scan_for(argv[2]);
    job_pool_init(&pool);
    stay_on_one_core();
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        make_kind(&kinds[k], &state);
    for (size_t round = 0; round < rounds; round++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            kinds[k].ns[round] = time_turn(&reader, &pool, &kinds[k]);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        qsort(kinds[k].ns, rounds, sizeof *kinds[k].ns, compare);
        printf("%s %8.3f us\n", kinds[k].name, kinds[k].ns[rounds / 2] / 1e3);
        for (size_t i = 0; i < BODIES; i++)
            buffer_deinit(&kinds[k].bodies[i]);
        if (kinds[k].model != NULL)
            model_destroy(kinds[k].model);
    }
    job_pool_deinit(&pool);
    json_reader_deinit(&reader);
    return 0;
}
