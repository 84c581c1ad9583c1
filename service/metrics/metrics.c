/*
 * metrics.c - the registry: laying out the cells, and counting in them.
 */
#include "metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_registry.h"

enum {
    CACHE_LINE_BYTES = 64
};

/* How many values the label has; of models and tenants only the registry knows. */
static unsigned label_values(const struct metrics *m, enum metrics_label label)
{
    if (label == METRICS_LABEL_MODEL)
        return m->models_count;
    if (label == METRICS_LABEL_TENANT)
        return m->tenants_count;
    return metrics_label_rows[label].count;
}

static unsigned label_sets(const struct metrics *m, enum metrics_family family)
{
    unsigned sets = 1;
    for (size_t i = 0; i < METRICS_FAMILY_LABELS; i++)
        sets *= label_values(m, metrics_families[family].labels[i]);
    return sets;
}

/* What a shard needs, and `values`. */
struct layout {
    size_t cells;
    size_t exemplars;
    size_t values;
};

/* Gives each family its cells. */
static struct layout lay_out(struct metrics *m)
{
    struct layout layout = {0};
    for (enum metrics_family family = 0; family < METRICS_FAMILY_COUNT; family++) {
        bool sharded = metrics_is_sharded(metrics_families[family].type);
        size_t *next = sharded ? &layout.cells : &layout.values;
        m->sets[family] = label_sets(m, family);
        m->first[family] = *next;
        *next += m->sets[family] * metrics_cells(family);
        if (!metrics_has_exemplars(family))
            continue;
        m->first_exemplar[family] = layout.exemplars;
        layout.exemplars +=
            (size_t)m->sets[family] * metrics_bucket_rows[metrics_families[family].buckets].count;
    }
    return layout;
}

/* Zeroed, and sharing no cache line with anything else. */
static _Atomic uint64_t *allocate_cells(size_t count)
{
    size_t bytes = count * sizeof(_Atomic uint64_t);
    bytes = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    void *cells = aligned_alloc(CACHE_LINE_BYTES, bytes);
    if (cells != NULL)
        memset(cells, 0, bytes);
    return cells;
}

static int allocate_storage(struct metrics *m, unsigned shards)
{
    const struct layout layout = lay_out(m);
    m->values = allocate_cells(layout.values);
    m->shards = calloc(shards, sizeof(*m->shards));
    if (m->values == NULL || m->shards == NULL)
        return -1;
    for (unsigned i = 0; i < shards; i++) {
        /* Threads that observe no request never touch these, and pay for no pages. */
        m->shards[i] = (struct metrics_shard){
            .cells = allocate_cells(layout.cells),
            .exemplars = calloc(layout.exemplars, sizeof(*m->shards[i].exemplars)),
            .registry = m};
        m->shards_count++;
        if (m->shards[i].cells == NULL || m->shards[i].exemplars == NULL)
            return -1;
    }
    return 0;
}

static int copy_models(struct metrics *m, const struct metrics_config *config)
{
    size_t own = config->models_count;
    bool share = own > METRICS_MODELS_MAX;
    if (share)
        own = METRICS_MODELS_MAX;
    m->models = calloc(own + 1, sizeof(*m->models));
    if (m->models == NULL)
        return -1;
    while (m->models_count < own + share) {
        unsigned i = m->models_count;
        m->models[i] = strdup(i < own ? config->models[i] : "other");
        if (m->models[i] == NULL)
            return -1;
        m->models_count++;
    }
    return 0;
}

static int copy_tenants(struct metrics *m, const struct metrics_config *config)
{
    static const char *const nobody_else = "shared";
    const bool given = config->tenants_count > 0;
    const char *const *names = given ? config->tenants : &nobody_else;
    const size_t count = given ? config->tenants_count : 1;
    m->tenants = calloc(count, sizeof(*m->tenants));
    if (m->tenants == NULL)
        return -1;
    while (m->tenants_count < count) {
        char *name = strdup(names[m->tenants_count]);
        if (name == NULL)
            return -1;
        m->tenants[m->tenants_count++] = name;
    }
    return 0;
}

/* What the models that share "other" would have had of their own. */
static void count_dropped(struct metrics *m, size_t models_configured)
{
    if (models_configured <= METRICS_MODELS_MAX)
        return;
    size_t sets_per_model = 0;
    for (enum metrics_family family = 0; family < METRICS_FAMILY_COUNT; family++)
        if (metrics_families[family].labels[0] == METRICS_LABEL_MODEL)
            sets_per_model += label_sets(m, family) / m->models_count;
    size_t dropped = sets_per_model * (models_configured - METRICS_MODELS_MAX);
    metrics_set(m, METRICS_METRICS_DROPPED_LABELSETS_TOTAL, 0, (double)dropped);
}

int metrics_create(const struct metrics_config *config, struct metrics **out)
{
    if (config->shards == 0 || config->shards > METRICS_SHARDS_MAX || config->models_count == 0 ||
        config->tenants_count > METRICS_TENANTS_MAX)
        return -1;
    struct metrics *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return -1;
    if (copy_models(m, config) != 0 || copy_tenants(m, config) != 0 ||
        allocate_storage(m, config->shards) != 0) {
        metrics_destroy(m);
        return -1;
    }
    count_dropped(m, config->models_count);
    *out = m;
    return 0;
}

void metrics_destroy(struct metrics *m)
{
    if (m == NULL)
        return;
    for (unsigned i = 0; i < m->shards_count; i++) {
        free((void *)m->shards[i].cells);
        free(m->shards[i].exemplars);
    }
    free(m->shards);
    free((void *)m->values);
    for (unsigned i = 0; i < m->models_count; i++)
        free(m->models[i]);
    free(m->models);
    for (unsigned i = 0; i < m->tenants_count; i++)
        free(m->tenants[i]);
    free(m->tenants);
    free(m);
}

struct metrics_shard *metrics_shard(struct metrics *m, unsigned index)
{
    assert(index < m->shards_count);
    return &m->shards[index];
}

/* Which registry is asked for does not matter for that. */
static unsigned label_values_max(enum metrics_label label)
{
    if (label == METRICS_LABEL_MODEL)
        return METRICS_MODELS_MAX + 1;
    return label == METRICS_LABEL_TENANT ? METRICS_TENANTS_MAX : metrics_label_rows[label].count;
}

unsigned metrics_labels(enum metrics_family family, unsigned first, unsigned second, unsigned third)
{
    const enum metrics_label *labels = metrics_families[family].labels;
    if (labels[0] == METRICS_LABEL_MODEL && first > METRICS_MODELS_MAX)
        first = METRICS_MODELS_MAX;
    assert(first < label_values_max(labels[0]));
    assert(second < metrics_label_rows[labels[1]].count);
    assert(third < metrics_label_rows[labels[2]].count);
    return (first * metrics_label_rows[labels[1]].count + second) *
               metrics_label_rows[labels[2]].count +
           third;
}

/* The cell's only writer is this thread, so no locked instruction is needed. */
static inline void cell_add(_Atomic uint64_t *cell, uint64_t n)
{
    uint64_t before = atomic_load_explicit(cell, memory_order_relaxed);
    atomic_store_explicit(cell, before + n, memory_order_relaxed);
}

void metrics_add(struct metrics_shard *shard, enum metrics_family family, unsigned labels,
                 uint64_t n)
{
    const struct metrics *m = shard->registry;
    assert(metrics_families[family].type == METRICS_COUNTER);
    assert(labels < m->sets[family]);
    cell_add(shard->cells + m->first[family] + labels, n);
}

/* Returns the bucket. */
static inline unsigned observe(struct metrics_shard *shard, enum metrics_family family,
                               unsigned labels, uint64_t value)
{
    const struct metrics *m = shard->registry;
    const struct metrics_buckets_row *buckets =
        &metrics_bucket_rows[metrics_families[family].buckets];
    assert(buckets->count > 0);
    assert(labels < m->sets[family]);
    _Atomic uint64_t *cells =
        shard->cells + m->first[family] + (size_t)labels * (buckets->count + 1);
    unsigned bucket = 0;
    while (value > buckets->bounds[bucket])
        bucket++;
    cell_add(&cells[bucket], 1);
    cell_add(&cells[buckets->count], value);
    return bucket;
}

void metrics_observe(struct metrics_shard *shard, enum metrics_family family, unsigned labels,
                     uint64_t value)
{
    observe(shard, family, labels, value);
}

void metrics_observe_exemplar(struct metrics_shard *shard, enum metrics_family family,
                              unsigned labels, uint64_t value,
                              const struct metrics_exemplar *exemplar)
{
    assert(metrics_has_exemplars(family));
    const unsigned bucket = observe(shard, family, labels, value);
    metrics_exemplar_write(metrics_exemplar_slot(shard, family, labels, bucket), value, exemplar);
}

static _Atomic uint64_t *value_cell(const struct metrics *m, enum metrics_family family,
                                    unsigned labels)
{
    assert(!metrics_is_sharded(metrics_families[family].type));
    assert(labels < m->sets[family]);
    return &m->values[m->first[family] + labels];
}

void metrics_set(struct metrics *m, enum metrics_family family, unsigned labels, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    atomic_store_explicit(value_cell(m, family, labels), bits, memory_order_relaxed);
}

double metrics_value(const struct metrics *m, enum metrics_family family, unsigned labels)
{
    uint64_t bits = atomic_load_explicit(value_cell(m, family, labels), memory_order_relaxed);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static size_t info_index(const char *label)
{
    size_t i = 0;
    while (i < METRICS_INFO_LABELS && strcmp(metrics_info_labels[i], label) != 0)
        i++;
    return i;
}

void metrics_set_info(struct metrics *m, enum metrics_family family, const char *label,
                      const char *value)
{
    assert(family == METRICS_COMPUTE_INFO);
    size_t i = info_index(label);
    assert(i < METRICS_INFO_LABELS);
    size_t bytes = strnlen(value, METRICS_INFO_BYTES - 1);
    memcpy(m->info[i], value, bytes);
    m->info[i][bytes] = '\0';
}

uint64_t metrics_sum_cells(const struct metrics *m, size_t cell)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < m->shards_count; i++)
        sum += atomic_load_explicit(&m->shards[i].cells[cell], memory_order_relaxed);
    return sum;
}

uint64_t metrics_total(const struct metrics *m, enum metrics_family family, unsigned labels)
{
    assert(metrics_is_sharded(metrics_families[family].type));
    assert(labels < m->sets[family]);
    size_t cell = m->first[family] + labels * metrics_cells(family);
    unsigned buckets = metrics_bucket_rows[metrics_families[family].buckets].count;
    uint64_t total = metrics_sum_cells(m, cell);
    for (unsigned i = 1; i < buckets; i++)
        total += metrics_sum_cells(m, cell + i);
    return total;
}
