#include "selftest.h"

#include <math.h>
#include <stdatomic.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base.h"
#include "number_write.h"
#include "python_baseline.h"
#include "speedup.h"

struct selftest {
    const struct kernels *kernels;
    const char *python_baseline; /* NULL: none */
    struct metrics *metrics;
    struct log *log;
    atomic_bool ending;    /* the server does not wait for Python */
    pthread_mutex_t mutex; /* guards the fields below */
    pthread_t thread;
    bool joinable; /* a thread was started and not joined yet */
    bool running;
    double measured_at_s; /* wall clock; 0: never */
    struct speedups speedups;
    double python_ratio[METRICS_INDICATOR_COUNT]; /* NaN: not measured */
};

static unsigned labels(enum metrics_indicator indicator, enum metrics_baseline baseline)
{
    return metrics_labels(METRICS_COMPUTE_INDICATOR_SPEEDUP, indicator, baseline, 0);
}

/* A table's int8 layer may be that of another one: without VNNI, AVX-512's is AVX2's. */
static double reference_of(const struct kernels *kernels, enum metrics_indicator indicator)
{
    enum kernels_isa isa = kernels->isa;
    if (indicator == METRICS_INDICATOR_MATMUL_INT8)
        (void)kernels_isa_parse(kernels->dense_i8_isa, &isa);
    return speedup_reference(isa, indicator);
}

static void export_result(struct selftest *test)
{
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
        enum metrics_indicator indicator = (enum metrics_indicator)i;
        metrics_set(test->metrics, METRICS_COMPUTE_INDICATOR_SPEEDUP,
                    labels(indicator, METRICS_BASELINE_SCALAR), test->speedups.ratio[i]);
        metrics_set(test->metrics, METRICS_COMPUTE_INDICATOR_SPEEDUP,
                    labels(indicator, METRICS_BASELINE_PYTHON), test->python_ratio[i]);
    }
    metrics_set(test->metrics, METRICS_COMPUTE_SELFTEST_TIMESTAMP_SECONDS, 0, test->measured_at_s);
}

/* More digits than a repetition would give again say nothing. */
static double to_tenths(double ratio)
{
    return round(ratio * 10) / 10;
}

static void log_result(struct selftest *test)
{
    const double *ratio = test->speedups.ratio;
    log_write(test->log, LOG_INFO, "kernels measured against their plain twins",
              LOG_STR("isa", kernels_isa_str(test->kernels->isa)),
              LOG_NUM("sma", to_tenths(ratio[METRICS_INDICATOR_SMA])),
              LOG_NUM("ema", to_tenths(ratio[METRICS_INDICATOR_EMA])),
              LOG_NUM("rsi", to_tenths(ratio[METRICS_INDICATOR_RSI])),
              LOG_NUM("matmul", to_tenths(ratio[METRICS_INDICATOR_MATMUL])),
              LOG_NUM("matmul_int8", to_tenths(ratio[METRICS_INDICATOR_MATMUL_INT8])));
}

static void measure_python(struct selftest *test, const struct speedups *speedups,
                           double *python_ratio)
{
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++)
        python_ratio[i] = NAN;
    if (test->python_baseline == NULL)
        return;
    struct python_baseline baseline;
    const char *why;
    if (python_baseline_measure(test->python_baseline, SPEEDUP_POINTS, &test->ending, &baseline,
                                &why) != 0) {
        log_write(test->log, LOG_WARN, "the Python baseline could not be measured",
                  LOG_STR("program", test->python_baseline), LOG_STR("reason", why));
        return;
    }
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++)
        python_ratio[i] = baseline.seconds[i] * 1e9 / speedups->fast_ns[i];
    log_write(test->log, LOG_INFO, "kernels measured against plain Python",
              LOG_NUM("sma", to_tenths(python_ratio[METRICS_INDICATOR_SMA])),
              LOG_NUM("ema", to_tenths(python_ratio[METRICS_INDICATOR_EMA])),
              LOG_NUM("rsi", to_tenths(python_ratio[METRICS_INDICATOR_RSI])));
}

static void *run(void *arg)
{
    struct selftest *test = arg;
    struct speedups speedups;
    double python_ratio[METRICS_INDICATOR_COUNT];
    int rc = speedup_measure(test->kernels, SELFTEST_BUDGET_MS * NS_PER_MS, &speedups);
    if (rc == 0)
        measure_python(test, &speedups, python_ratio);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&test->mutex);
    test->running = false;
    if (rc == 0) {
        test->speedups = speedups;
        memcpy(test->python_ratio, python_ratio, sizeof python_ratio);
        test->measured_at_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
        export_result(test);
    }
    pthread_mutex_unlock(&test->mutex);
    if (rc == 0)
        log_result(test);
    else
        log_write(test->log, LOG_WARN, "no memory to measure the kernels");
    return NULL;
}

/* What has not been measured is not a number, rather than a speed-up of 0. */
static void export_unmeasured(struct selftest *test)
{
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
        enum metrics_indicator indicator = (enum metrics_indicator)i;
        for (unsigned b = 0; b < METRICS_BASELINE_COUNT; b++) {
            enum metrics_baseline baseline = (enum metrics_baseline)b;
            metrics_set(test->metrics, METRICS_COMPUTE_INDICATOR_SPEEDUP,
                        labels(indicator, baseline), NAN);
            metrics_set(test->metrics, METRICS_COMPUTE_INDICATOR_SPEEDUP_REFERENCE,
                        labels(indicator, baseline),
                        baseline == METRICS_BASELINE_SCALAR ? reference_of(test->kernels, indicator)
                                                            : NAN);
        }
    }
}

struct selftest *selftest_create(const struct kernels *kernels, const char *python_baseline,
                                 struct metrics *metrics, struct log *log)
{
    struct selftest *test = calloc(1, sizeof *test);
    if (test == NULL)
        return NULL;
    test->kernels = kernels;
    test->python_baseline = python_baseline;
    test->metrics = metrics;
    test->log = log;
    pthread_mutex_init(&test->mutex, NULL);
    export_unmeasured(test);
    return test;
}

/* With the mutex held: an ended thread is joined, which does not wait. */
static void join_ended(struct selftest *test)
{
    if (test->joinable)
        pthread_join(test->thread, NULL);
    test->joinable = false;
}

void selftest_destroy(struct selftest *test)
{
    if (test == NULL)
        return;
    atomic_store(&test->ending, true);
    join_ended(test); /* it may still be running, and takes the mutex: so not under it */
    pthread_mutex_destroy(&test->mutex);
    free(test);
}

/* Signals are for the main thread. */
static int start_thread(struct selftest *test)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&test->thread, NULL, run, test);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_setname_np(test->thread, "jitney-selftest");
    return rc;
}

bool selftest_start(struct selftest *test)
{
    pthread_mutex_lock(&test->mutex);
    bool free_to_run = !test->running;
    if (free_to_run) {
        join_ended(test);
        test->running = test->joinable = start_thread(test) == 0;
    }
    bool started = free_to_run && test->running;
    pthread_mutex_unlock(&test->mutex);
    return started;
}

/* JSON has no NaN: null. */
static void append_number(struct buffer *out, double value)
{
    char text[NUMBER_F64_BYTES_MAX];
    buffer_append(out, text, number_write_f64(text, value));
}

void selftest_report(struct selftest *test, struct buffer *out)
{
    static const char *const names[] = {
        [METRICS_INDICATOR_SMA] = "sma",
        [METRICS_INDICATOR_EMA] = "ema",
        [METRICS_INDICATOR_RSI] = "rsi",
        [METRICS_INDICATOR_MATMUL] = "matmul",
        [METRICS_INDICATOR_MATMUL_INT8] = "matmul_int8",
    };
    pthread_mutex_lock(&test->mutex);
    bool measured = test->measured_at_s > 0;
    buffer_append_format(out, "{\"running\":%s,\"measured_at\":", test->running ? "true" : "false");
    append_number(out, measured ? test->measured_at_s : NAN);
    buffer_append_format(out, ",\"isa\":\"%s\",\"speedups\":{",
                         kernels_isa_str(test->kernels->isa));
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++) {
        buffer_append_format(out, "%s\"%s\":{\"scalar\":", i > 0 ? "," : "", names[i]);
        append_number(out, measured ? test->speedups.ratio[i] : NAN);
        buffer_append_str(out, ",\"reference\":");
        append_number(out, reference_of(test->kernels, (enum metrics_indicator)i));
        buffer_append_str(out, ",\"python\":");
        append_number(out, measured ? test->python_ratio[i] : NAN);
        buffer_append_str(out, ",\"ns\":");
        append_number(out, measured ? test->speedups.fast_ns[i] : NAN);
        buffer_append_str(out, "}");
    }
    buffer_append_str(out, "}}\n");
    pthread_mutex_unlock(&test->mutex);
}
