/*
 * bench.h - what the parts of bench_kernels share.
 *
 * A case is one kernel at one size. Contenders compute it, or show what the
 * machine could do at most. One thread; rates are work per nanosecond: values
 * for series and activations, floating-point operations for dense layers.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "kernels.h"

#define CASES_MAX 72
#define CONTENDERS_MAX 40
#define ROUNDS_MAX 101
#define SERIES_ROWS_MAX 32
#define CLASSES 10 /* of softmax */

#define BENCH_KERNEL_MAP(X) \
    X(SMA, "sma")           \
    X(EMA, "ema")           \
    X(RSI, "rsi")           \
    X(DENSE, "dense")       \
    X(RELU, "relu")         \
    X(SIGMOID, "sigmoid")   \
    X(TANH, "tanh")         \
    X(SOFTMAX, "softmax")

enum bench_kernel {
#define X(name, text) BENCH_##name,
    BENCH_KERNEL_MAP(X)
#undef X
};

struct bench_case {
    enum bench_kernel kernel;
    size_t rows;   /* series of a batch, or rows of a dense one; at most SERIES_ROWS_MAX */
    size_t n;      /* values of one series, or of an activation */
    size_t period; /* of an indicator */
    size_t in_size, out_size; /* of a dense layer */
};

/* Where cases read and write; allocated for the largest of them. */
struct operands {
    double *in, *out;
    float *dense_in, *weights, *weights_turned, *dense_out; /* turned: [out][in] */
    const float *activation_in;
    float *activation;
    void *memory;
};

enum contender_role {
    ROLE_TABLE,   /* one of kernels_for() */
    ROLE_INT8,    /* its int8 dense layer: not the same numbers, so never "the best" */
    ROLE_LIMIT,   /* what memory or the FMA units allow */
    ROLE_BLAS,    /* a call of OpenBLAS; the fastest of them is the one compared with */
    ROLE_AGAINST, /* another library */
    ROLE_PYTHON,  /* a loop of baselines.py */
};

struct blas_call;
struct fma_peak;
struct against;
struct python;

struct contender {
    char name[28];
    enum contender_role role;
    bool (*takes)(const struct contender *self, const struct bench_case *c);
    /* Nanoseconds that `calls` computations of the case take; may measure another number. */
    double (*time)(const struct contender *self, const struct bench_case *c,
                   const struct operands *o, size_t calls);
    union {
        const struct kernels *table;
        const struct blas_call *blas;
        const struct fma_peak *peak;
        struct against *against;
        struct python *python;
    };
};

struct contenders {
    struct contender list[CONTENDERS_MAX];
    size_t count;
};

/* A median over the rounds, and medians of ratios within a round; NAN where there is none. */
struct result {
    const struct bench_case *bench_case;
    const struct contender *contender;
    double rate;
    double to_plain, of_limit, to_blas, to_against; /* this one's rate over the other's */
    double best_is;                                 /* the fastest table's rate over this one's */
};

struct bench_options {
    size_t rounds;
    double sample_ns; /* a timing repeats its case until it lasts this long */
    const char *only; /* one kernel's name, or NULL */
    const char *against_path, *csv_path, *json_path;
    bool python;
};

/* cases.c */
size_t bench_cases(struct bench_case out[CASES_MAX]);
const char *bench_kernel_str(enum bench_kernel kernel);
double bench_case_work(const struct bench_case *c);
bool bench_case_is_series(const struct bench_case *c);
/* "100", "32 x 1000", "8 x 784x128". */
void bench_case_size(const struct bench_case *c, char *out, size_t out_bytes);
bool operands_create(struct operands *o);
void operands_destroy(struct operands *o);

/* Each adds what it has to the contenders; all of it lives as long as the program. */
void add_tables(struct contenders *all); /* contender_tables.c */
void add_packed(struct contenders *all); /* contender_packed.c; after the tables */
void add_int8(struct contenders *all);   /* contender_int8.c */
void add_limits(struct contenders *all); /* contender_limits.c */
void add_blas(struct contenders *all);   /* contender_blas.c */
/* False after saying why. */
bool add_against(struct contenders *all, const char *path); /* contender_against.c */
void remove_against(struct contenders *all);
bool add_python(struct contenders *all); /* contender_python.c */
void remove_python(struct contenders *all);

/* The next free place, zeroed but for its name and role; there is always one. */
struct contender *contender_add(struct contenders *all, enum contender_role role, const char *name);

/* Measures one case. Results at `out` (at most CONTENDERS_MAX); returns how many. */
size_t measure_case(const struct bench_case *c, const struct contenders *all,
                    const struct operands *o, const struct bench_options *options,
                    struct result *out);

/* report.c */
void report_heading(FILE *to);
void report_rows(FILE *to, const struct result *results, size_t n);
bool report_csv(const char *path, const struct result *results, size_t n);
bool report_json(const char *path, const struct bench_options *options,
                 const struct result *results, size_t n);

static inline double bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#endif
