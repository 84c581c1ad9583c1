#include "speedup.h"

#include <math.h>
#include <stdlib.h>

#include "base.h"

enum {
    ROUNDS_MIN = 5,
    ROUNDS_MAX = 101,
    PAGE_BYTES = 4096,
    /* A call is repeated until it takes so long that the clock's own cost is lost in it. */
    TURN_NS_MIN = 50 * 1000,
};

/* Everything the kernels work on: the outputs lie half a page off the inputs, see kernels.h. */
struct workload {
    double *prices;
    double *indicator;
    float *in;
    float *weights;
    float *packed;   /* the weights as the measured table wants them */
    void *packed_i8; /* and in int8, as every table wants them */
    void *scratch;   /* of an int8 layer */
    float *out;
    void *_memory;
    const struct kernels *fast;
};

static size_t round_up(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

static void fill(struct workload *w)
{
    uint64_t state = 1; /* the numbers do not matter, but they are the same at every start */
    double price = 100;
    for (size_t i = 0; i < SPEEDUP_POINTS; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        price += (double)(state >> 40) / (double)(1u << 24) - 0.5;
        w->prices[i] = price;
    }
    for (size_t i = 0; i < (size_t)SPEEDUP_LAYER_ROWS * SPEEDUP_LAYER_SIZE; i++)
        w->in[i] = (float)(i % 17) / 17;
    for (size_t i = 0; i < (size_t)SPEEDUP_LAYER_SIZE * SPEEDUP_LAYER_SIZE; i++)
        w->weights[i] = (float)(i % 23) / 23 - 0.5f;
}

/* Of the table or of its twin. */
static size_t i8_scratch_bytes(const struct kernels *fast)
{
    size_t own = fast->dense_i8_scratch(SPEEDUP_LAYER_ROWS, SPEEDUP_LAYER_SIZE);
    size_t twins =
        kernels_for(KERNELS_SCALAR)->dense_i8_scratch(SPEEDUP_LAYER_ROWS, SPEEDUP_LAYER_SIZE);
    return own > twins ? own : twins;
}

static int create_workload(const struct kernels *fast, struct workload *w)
{
    size_t packed_bytes =
        round_up(fast->dense_packed_size(SPEEDUP_LAYER_SIZE, SPEEDUP_LAYER_SIZE) * sizeof(float));
    size_t series_bytes = round_up(SPEEDUP_POINTS * sizeof(double));
    size_t rows_bytes = round_up((size_t)SPEEDUP_LAYER_ROWS * SPEEDUP_LAYER_SIZE * sizeof(float));
    size_t weights_bytes = (size_t)SPEEDUP_LAYER_SIZE * SPEEDUP_LAYER_SIZE * sizeof(float);
    size_t i8_bytes = round_up(fast->dense_i8_size(SPEEDUP_LAYER_SIZE, SPEEDUP_LAYER_SIZE));
    size_t scratch_bytes = round_up(i8_scratch_bytes(fast));
    size_t inputs_bytes = series_bytes + rows_bytes + round_up(weights_bytes) + packed_bytes +
                          i8_bytes + scratch_bytes;
    size_t bytes = inputs_bytes + PAGE_BYTES + series_bytes + rows_bytes;
    char *memory = aligned_alloc(PAGE_BYTES, bytes);
    if (memory == NULL)
        return -1;
    w->_memory = memory;
    w->fast = fast;
    w->prices = (double *)(void *)memory;
    w->in = (float *)(void *)(memory + series_bytes);
    w->weights = (float *)(void *)(memory + series_bytes + rows_bytes);
    w->scratch = memory + inputs_bytes - scratch_bytes;
    w->packed_i8 = memory + inputs_bytes - scratch_bytes - i8_bytes;
    w->packed = (float *)(void *)(memory + inputs_bytes - scratch_bytes - i8_bytes - packed_bytes);
    char *outputs = memory + inputs_bytes + PAGE_BYTES / 2;
    w->indicator = (double *)(void *)outputs;
    w->out = (float *)(void *)(outputs + series_bytes);
    fill(w);
    fast->dense_pack(w->weights, SPEEDUP_LAYER_SIZE, SPEEDUP_LAYER_SIZE, w->packed);
    fast->dense_i8_pack(w->weights, SPEEDUP_LAYER_SIZE, SPEEDUP_LAYER_SIZE, w->packed_i8);
    return 0;
}

/* What serves: the fast table's layer over packed weights. Its twin is the plain sum. */
static void call_dense(const struct kernels *k, struct workload *w)
{
    size_t size = SPEEDUP_LAYER_SIZE;
    if (k == w->fast)
        k->dense_packed_f32(w->in, w->packed, NULL, KERNELS_NO_ACTIVATION, SPEEDUP_LAYER_ROWS, size,
                            size, w->out);
    else
        k->dense_f32(w->in, w->weights, NULL, SPEEDUP_LAYER_ROWS, size, size, w->out);
}

static void call_dense_i8(const struct kernels *k, struct workload *w)
{
    k->dense_i8_f32(w->in, w->packed_i8, NULL, KERNELS_NO_ACTIVATION, SPEEDUP_LAYER_ROWS,
                    SPEEDUP_LAYER_SIZE, SPEEDUP_LAYER_SIZE, w->scratch, w->out);
}

static void call(const struct kernels *k, enum metrics_indicator indicator, struct workload *w)
{
    switch (indicator) {
    case METRICS_INDICATOR_SMA:
        k->sma_f64(w->prices, SPEEDUP_POINTS, SPEEDUP_PERIOD_AVERAGE, w->indicator);
        break;
    case METRICS_INDICATOR_EMA:
        k->ema_f64(w->prices, SPEEDUP_POINTS, SPEEDUP_PERIOD_AVERAGE, w->indicator);
        break;
    case METRICS_INDICATOR_RSI:
        k->rsi_f64(w->prices, SPEEDUP_POINTS, SPEEDUP_PERIOD_RSI, w->indicator);
        break;
    case METRICS_INDICATOR_MATMUL:
        call_dense(k, w);
        break;
    case METRICS_INDICATOR_MATMUL_INT8:
        call_dense_i8(k, w);
        break;
    case METRICS_INDICATOR_COUNT:
        break;
    }
}

/* The time of one call, from as many as make a turn. */
static double time_turn(const struct kernels *k, enum metrics_indicator indicator,
                        struct workload *w)
{
    uint64_t start_ns = clock_now_ns(), elapsed_ns = 0;
    size_t calls = 0;
    while (elapsed_ns < TURN_NS_MIN) {
        call(k, indicator, w);
        calls++;
        elapsed_ns = clock_now_ns() - start_ns;
    }
    return (double)elapsed_ns / (double)calls;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static void measure_one(const struct kernels *fast, enum metrics_indicator indicator,
                        uint64_t budget_ns, struct workload *w, struct speedups *out)
{
    const struct kernels *twin = kernels_for(KERNELS_SCALAR);
    double ratios[ROUNDS_MAX], fast_ns[ROUNDS_MAX];
    size_t rounds = 0;
    uint64_t start_ns = clock_now_ns();
    call(fast, indicator, w); /* the first call pays for pages and caches */
    call(twin, indicator, w);
    while (rounds < ROUNDS_MAX && (rounds < ROUNDS_MIN || clock_now_ns() - start_ns < budget_ns)) {
        double twin_ns = time_turn(twin, indicator, w);
        fast_ns[rounds] = time_turn(fast, indicator, w);
        ratios[rounds] = twin_ns / fast_ns[rounds];
        rounds++;
    }
    out->ratio[indicator] = median(ratios, rounds);
    out->fast_ns[indicator] = median(fast_ns, rounds);
}

int speedup_measure(const struct kernels *kernels, uint64_t budget_ns, struct speedups *out)
{
    struct workload w;
    if (create_workload(kernels, &w) != 0)
        return -1;
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++)
        measure_one(kernels, (enum metrics_indicator)i, budget_ns / METRICS_INDICATOR_COUNT, &w,
                    out);
    free(w._memory);
    return 0;
}

double speedup_reference(enum kernels_isa isa, enum metrics_indicator indicator)
{
    static const struct {
        enum kernels_isa isa;
        enum metrics_indicator indicator;
        double ratio;
    } references[] = {
#include "speedup_reference.inc"
        {KERNELS_ISA_COUNT, METRICS_INDICATOR_COUNT, NAN}, /* where nothing is recorded yet */
    };
    for (size_t i = 0; i < ARRAY_SIZE(references); i++)
        if (references[i].isa == isa && references[i].indicator == indicator)
            return references[i].ratio;
    return NAN;
}
