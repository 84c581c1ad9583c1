/*
 * report.c - the results as a table for people, as CSV and as JSON.
 */
#include <math.h>
#include <string.h>

#include "bench.h"

#define SIZE_TEXT_BYTES 64

void report_heading(FILE *to)
{
    fprintf(to, "%-8s %-14s %-20s %9s %8s %8s %8s %8s %8s\n", "kernel", "size", "by", "G/s",
            "x plain", "of limit", "x blas", "x other", "best is");
}

static void print_ratio(FILE *to, double ratio, const char *unit)
{
    if (isnan(ratio))
        fprintf(to, " %8s", "");
    else
        fprintf(to, " %*.*f%s", 8 - (int)strlen(unit), ratio < 100 ? 2 : 0, ratio, unit);
}

static void print_row(FILE *to, const struct result *r)
{
    char kernel[SIZE_TEXT_BYTES];
    char size[SIZE_TEXT_BYTES];
    const char *name = bench_kernel_str(r->bench_case->kernel);
    if (r->bench_case->period != 0)
        snprintf(kernel, sizeof kernel, "%s %zu", name, r->bench_case->period);
    else
        snprintf(kernel, sizeof kernel, "%s", name);
    bench_case_size(r->bench_case, size, sizeof size);
    fprintf(to, "%-8s %-14s %-20.20s %9.4f", kernel, size, r->contender->name, r->rate);
    print_ratio(to, r->to_plain, "x");
    print_ratio(to, r->of_limit, "");
    print_ratio(to, r->to_blas, "x");
    print_ratio(to, r->to_against, "x");
    print_ratio(to, r->best_is, "x");
    fputc('\n', to);
}

void report_rows(FILE *to, const struct result *results, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_row(to, &results[i]);
    fflush(to);
}

static const char *role_str(enum contender_role role)
{
    switch (role) {
    case ROLE_TABLE:
        return "table";
    case ROLE_INT8:
        return "int8";
    case ROLE_LIMIT:
        return "limit";
    case ROLE_BLAS:
        return "blas";
    case ROLE_AGAINST:
        return "against";
    case ROLE_PYTHON:
        return "python";
    }
    return "unknown";
}

static const char *unit_str(const struct bench_case *c)
{
    return c->kernel == BENCH_DENSE ? "GFLOP/s" : "G elements/s";
}

static FILE *open_to_write(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        fprintf(stderr, "bench_kernels: cannot write %s\n", path);
    return file;
}

static bool close_written(FILE *file, const char *path)
{
    const bool failed = ferror(file) != 0;
    if (fclose(file) == 0 && !failed)
        return true;
    fprintf(stderr, "bench_kernels: cannot write %s\n", path);
    return false;
}

/* A cell that is empty when there is no ratio. */
static void write_csv_ratio(FILE *file, double ratio)
{
    if (isnan(ratio))
        fputc(',', file);
    else
        fprintf(file, ",%.6g", ratio);
}

bool report_csv(const char *path, const struct result *results, size_t n)
{
    FILE *file = open_to_write(path);
    if (file == NULL)
        return false;
    fprintf(file, "kernel,rows,n,period,in_size,out_size,by,role,unit,rate,to_plain,of_limit,"
                  "to_blas,to_against,best_is\n");
    for (size_t i = 0; i < n; i++) {
        const struct result *r = &results[i];
        const struct bench_case *c = r->bench_case;
        fprintf(file, "%s,%zu,%zu,%zu,%zu,%zu,%s,%s,%s,%.6g", bench_kernel_str(c->kernel), c->rows,
                c->n, c->period, c->in_size, c->out_size, r->contender->name,
                role_str(r->contender->role), unit_str(c), r->rate);
        write_csv_ratio(file, r->to_plain);
        write_csv_ratio(file, r->of_limit);
        write_csv_ratio(file, r->to_blas);
        write_csv_ratio(file, r->to_against);
        write_csv_ratio(file, r->best_is);
        fputc('\n', file);
    }
    return close_written(file, path);
}

static void write_json_ratio(FILE *file, const char *name, double ratio)
{
    if (isnan(ratio))
        fprintf(file, ", \"%s\": null", name);
    else
        fprintf(file, ", \"%s\": %.6g", name, ratio);
}

static void write_json_result(FILE *file, const struct result *r)
{
    const struct bench_case *c = r->bench_case;
    fprintf(file,
            "  {\"kernel\": \"%s\", \"rows\": %zu, \"n\": %zu, \"period\": %zu, \"in_size\": %zu, "
            "\"out_size\": %zu, \"by\": \"%s\", \"role\": \"%s\", \"unit\": \"%s\", \"rate\": %.6g",
            bench_kernel_str(c->kernel), c->rows, c->n, c->period, c->in_size, c->out_size,
            r->contender->name, role_str(r->contender->role), unit_str(c), r->rate);
    write_json_ratio(file, "to_plain", r->to_plain);
    write_json_ratio(file, "of_limit", r->of_limit);
    write_json_ratio(file, "to_blas", r->to_blas);
    write_json_ratio(file, "to_against", r->to_against);
    write_json_ratio(file, "best_is", r->best_is);
    fputc('}', file);
}

bool report_json(const char *path, const struct bench_options *options,
                 const struct result *results, size_t n)
{
    FILE *file = open_to_write(path);
    if (file == NULL)
        return false;
    fprintf(file,
            "{\"rounds\": %zu, \"sample_ns\": %.0f, \"compiler\": \"%s\", \"blas\": \"%s\",\n",
            options->rounds, options->sample_ns, __VERSION__, kernels_blas_description());
    fprintf(file, " \"results\": [\n");
    for (size_t i = 0; i < n; i++) {
        write_json_result(file, &results[i]);
        fputs(i + 1 < n ? ",\n" : "\n", file);
    }
    fprintf(file, "]}\n");
    return close_written(file, path);
}
