/*
 * tune_search.c - see tune_search.h.
 */
#include "tune_search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load_random.h"

enum {
    FIRST_PASSES = 2,
    TYPICAL_SAMPLES = 3, /* with fewer there is no median to speak of */
    SETTLED_SAMPLES = 5, /* of each finalist at least */
    FRONT_PASSES = 2,
    FRONT_MAX = 8,
    NEIGHBOURS = 6, /* on each side: so many measurements are in one weather */
};

/* While the limit is not known to be broken, a little over it is punished a little. */
static const double OVER_LIMIT_POWER = 4;
/* Latencies that differ by less are one point of the front. */
static const double FRONT_STEP = 0.03;
/* The standard error of a median, in standard deviations / sqrt(n); and of these in median
 * absolute deviations, for a normal distribution. */
static const double MEDIAN_ERROR = 1.2533;
static const double DEVIATIONS = 1.4826;

struct candidate {
    struct tune_sample samples[TUNE_SAMPLES_MAX]; /* as if nothing had disturbed the machine */
    size_t count;
    bool racing;
};

struct tune_search {
    double limit_ns;
    enum tune_phase phase;
    size_t passes;       /* that are over */
    size_t phase_passes; /* ... of this phase */
    struct load_random random;
    struct candidate *candidates;
    size_t count;
    size_t *order; /* of this pass */
    size_t order_count;
    size_t at;           /* the next in it */
    size_t *first_order; /* of the first pass, when it is over */
    size_t *scratch;
    double *ratios;
};

/* --- Statistics. */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts `values`. */
static double median(double *values, size_t count)
{
    assert(count > 0);
    qsort(values, count, sizeof *values, compare_doubles);
    const double low = values[(count - 1) / 2], high = values[count / 2];
    return low == high ? low : low + (high - low) / 2; /* INFINITY less itself is none */
}

/* The median of one figure, at this offset in a sample; with two samples the better one. */
static double typical(const struct candidate *c, size_t offset, bool more_is_better)
{
    double values[TUNE_SAMPLES_MAX];
    for (size_t i = 0; i < c->count; i++)
        memcpy(&values[i], (const char *)&c->samples[i] + offset, sizeof values[i]);
    const double middle = median(values, c->count); /* sorted now */
    if (c->count >= TYPICAL_SAMPLES)
        return middle;
    return more_is_better ? values[c->count - 1] : values[0];
}

#define TYPICAL(c, figure, more_is_better) \
    typical(c, offsetof(struct tune_sample, figure), more_is_better)

static double throughput_of(const struct candidate *c)
{
    return TYPICAL(c, throughput, true);
}

static double latency_of(const struct candidate *c)
{
    return TYPICAL(c, limited_ns, false);
}

static bool is_within(const struct tune_search *s, const struct candidate *c)
{
    return c->count > 0 && latency_of(c) <= s->limit_ns;
}

/* How far a sample usually is from its setting's median, as a part of it, over all in the race:
 * the machine's noise is everyone's, and one setting has too few samples to tell. */
static double usual_deviation(const struct tune_search *s)
{
    double sum = 0;
    size_t terms = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->candidates[i];
        double distances[TUNE_SAMPLES_MAX];
        if (!c->racing || c->count < TYPICAL_SAMPLES || throughput_of(c) <= 0)
            continue;
        for (size_t k = 0; k < c->count; k++)
            distances[k] = fabs(c->samples[k].throughput / throughput_of(c) - 1);
        sum += DEVIATIONS * median(distances, c->count);
        terms++;
    }
    return terms > 0 ? sum / (double)terms : 0.1;
}

static double error_of(const struct tune_search *s, const struct candidate *c)
{
    return 2 * MEDIAN_ERROR * usual_deviation(s) / sqrt((double)c->count);
}

/* --- Passes. */

static bool is_reference(size_t index)
{
    return index == 0;
}

static void shuffle(struct tune_search *s)
{
    for (size_t i = s->order_count; i > 1; i--) {
        const size_t other = (size_t)(load_random_unit(&s->random) * (double)i);
        const size_t swapped = s->order[i - 1];
        s->order[i - 1] = s->order[other];
        s->order[other] = swapped;
    }
}

static void begin_pass(struct tune_search *s)
{
    s->at = 0;
    shuffle(s);
}

static void begin_pass_of_racers(struct tune_search *s)
{
    s->order_count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->candidates[i].racing && s->candidates[i].count < TUNE_SAMPLES_MAX)
            s->order[s->order_count++] = i;
    begin_pass(s);
}

/* --- Disturbances. */

/* How much faster this sample is than the setting's others; 0: there is nothing to compare. */
static double ratio_to_others(const struct candidate *c, size_t sample)
{
    struct candidate others = *c;
    others.samples[sample] = others.samples[--others.count];
    const double usual = others.count > 0 ? throughput_of(&others) : 0;
    return usual > 0 ? c->samples[sample].throughput / usual : 0;
}

/* How much faster the machine was around the measurement `at` of a pass: the middle one of its
 * neighbours in time, which are other settings in every pass. */
static double speed_around(const double *ratios, size_t count, size_t at)
{
    double near[2 * NEIGHBOURS + 1];
    size_t near_count = 0;
    for (size_t i = at > NEIGHBOURS ? at - NEIGHBOURS : 0; i < count && i <= at + NEIGHBOURS; i++)
        if (ratios[i] > 0)
            near[near_count++] = ratios[i];
    return near_count > 0 ? median(near, near_count) : 1;
}

static void slow_down(struct tune_sample *sample, double factor)
{
    sample->throughput /= factor;
    sample->limited_ns *= factor;
    sample->p50_ns *= factor;
    sample->p99_ns *= factor;
}

/* Of the pass that is over, which is each one's last sample, or of the first. */
static void undo_disturbances(struct tune_search *s, const size_t *order, size_t count, bool first)
{
    for (size_t i = 0; i < count; i++) {
        const struct candidate *c = &s->candidates[order[i]];
        s->ratios[i] = ratio_to_others(c, first ? 0 : c->count - 1);
    }
    for (size_t i = 0; i < count; i++) {
        struct candidate *c = &s->candidates[order[i]];
        slow_down(&c->samples[first ? 0 : c->count - 1], speed_around(s->ratios, count, i));
    }
}

/* The first pass has nothing to be compared with until the second is over. */
static void compare_passes(struct tune_search *s)
{
    if (s->passes == 0) {
        memcpy(s->first_order, s->order, s->count * sizeof *s->order);
        return;
    }
    undo_disturbances(s, s->order, s->order_count, false);
    if (s->passes == 1)
        undo_disturbances(s, s->first_order, s->count, true);
}

/* --- Who goes on. */

static bool any_within(const struct tune_search *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->candidates[i].racing && is_within(s, &s->candidates[i]))
            return true;
    return false;
}

/* When nobody is within the limit, the search is for who comes closest. */
static double score(const struct tune_search *s, const struct candidate *c, bool some_within)
{
    const double part = s->limit_ns / latency_of(c);
    if (!some_within)
        return part;
    return throughput_of(c) * (part < 1 ? pow(part, OVER_LIMIT_POWER) : 1);
}

static size_t list_racers(const struct tune_search *s, size_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->candidates[i].racing && !is_reference(i))
            out[count++] = i;
    return count;
}

/* The best first. Few enough for the plain way. */
static void sort_by_score(const struct tune_search *s, size_t *indexes, size_t count)
{
    const bool some_within = any_within(s);
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0; k--) {
            const double mine = score(s, &s->candidates[indexes[k]], some_within);
            const double other = score(s, &s->candidates[indexes[k - 1]], some_within);
            if (mine <= other)
                break;
            const size_t swapped = indexes[k];
            indexes[k] = indexes[k - 1];
            indexes[k - 1] = swapped;
        }
}

static size_t places_after(size_t racers)
{
    const size_t half = (racers + 1) / 2;
    return half > TUNE_FINALISTS ? half : TUNE_FINALISTS;
}

static void drop_worse_half(struct tune_search *s)
{
    size_t *racers = s->scratch;
    const size_t count = list_racers(s, racers);
    size_t places = places_after(count);
    if (places >= count)
        return;
    sort_by_score(s, racers, count);
    for (size_t i = 0; i < count; i++)
        s->candidates[racers[i]].racing = false;
    for (size_t i = 0, kept = (places + 1) / 2; i < count && kept > 0; i++)
        if (is_within(s, &s->candidates[racers[i]])) {
            s->candidates[racers[i]].racing = true;
            places--;
            kept--;
        }
    for (size_t i = 0; i < count && places > 0; i++)
        if (!s->candidates[racers[i]].racing) {
            s->candidates[racers[i]].racing = true;
            places--;
        }
}

/* --- The end of the race. */

/* Whether another sample would tell nothing: it is known who is faster, or that they are equal. */
static bool is_known(const struct tune_search *s, const struct candidate *a,
                     const struct candidate *b)
{
    const double unsure = hypot(error_of(s, a), error_of(s, b));
    const double distance = fabs(throughput_of(a) / throughput_of(b) - 1);
    return distance > unsure || unsure < TUNE_TIE;
}

/* ... of any two finalists, or all have been measured so often. */
static bool is_settled(const struct tune_search *s, size_t samples_max)
{
    size_t best;
    if (!tune_search_best(s, &best))
        return false;
    bool more_wanted = false, all_have_most = true;
    for (size_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->candidates[i];
        if (!c->racing)
            continue;
        all_have_most = all_have_most && c->count >= samples_max;
        more_wanted = more_wanted || c->count < SETTLED_SAMPLES ||
                      (i != best && !is_known(s, c, &s->candidates[best]));
    }
    return all_have_most || !more_wanted;
}

/* Of what was measured: nobody else has as much throughput for less latency, or more for as
 * little. */
static bool is_beaten(const struct tune_search *s, size_t index, size_t samples_min)
{
    const struct candidate *c = &s->candidates[index];
    const double throughput = throughput_of(c), latency = latency_of(c);
    for (size_t i = 0; i < s->count; i++) {
        const struct candidate *other = &s->candidates[i];
        if (i == index || other->count < samples_min)
            continue;
        const double t = throughput_of(other), l = latency_of(other);
        if (t >= throughput && l <= latency && (t > throughput || l < latency || i < index))
            return true;
    }
    return false;
}

static void begin_pass_of_front(struct tune_search *s)
{
    s->order_count = 0;
    for (size_t i = 0; i < s->count && s->order_count < FRONT_MAX; i++) {
        const struct candidate *c = &s->candidates[i];
        if (c->count > 0 && c->count < TYPICAL_SAMPLES && !is_beaten(s, i, 1))
            s->order[s->order_count++] = i;
    }
    begin_pass(s);
}

static void enter(struct tune_search *s, enum tune_phase phase)
{
    s->phase = phase;
    s->phase_passes = 0;
}

static void narrow(struct tune_search *s)
{
    drop_worse_half(s);
    enter(s, list_racers(s, s->scratch) > TUNE_FINALISTS ? TUNE_PHASE_HALVES : TUNE_PHASE_FINAL);
    begin_pass_of_racers(s);
}

static void continue_extra(struct tune_search *s)
{
    if (is_settled(s, TUNE_EXTRA_SAMPLES))
        s->phase = TUNE_PHASE_OVER;
    else
        begin_pass_of_racers(s);
}

static void continue_front(struct tune_search *s)
{
    begin_pass_of_front(s);
    if (s->order_count > 0 && s->phase_passes < FRONT_PASSES)
        return;
    enter(s, TUNE_PHASE_EXTRA);
    continue_extra(s);
}

static void continue_final(struct tune_search *s)
{
    if (!is_settled(s, TUNE_FINAL_SAMPLES))
        return begin_pass_of_racers(s);
    enter(s, TUNE_PHASE_FRONT);
    continue_front(s);
}

static void end_pass(struct tune_search *s)
{
    compare_passes(s);
    s->passes++;
    s->phase_passes++;
    switch (s->phase) {
    case TUNE_PHASE_ALL:
        if (s->phase_passes < FIRST_PASSES)
            return begin_pass_of_racers(s);
        return narrow(s);
    case TUNE_PHASE_HALVES:
        return narrow(s);
    case TUNE_PHASE_FINAL:
        return continue_final(s);
    case TUNE_PHASE_FRONT:
        return continue_front(s);
    case TUNE_PHASE_EXTRA:
        return continue_extra(s);
    case TUNE_PHASE_OVER:
        return;
    }
}

/* --- From outside. */

struct tune_search *tune_search_create(size_t count, double limit_ns, uint64_t seed)
{
    assert(count > 0);
    struct tune_search *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct tune_search){.limit_ns = limit_ns,
                              .random = {seed},
                              .candidates = calloc(count, sizeof *s->candidates),
                              .count = count,
                              .order = calloc(count, sizeof *s->order),
                              .first_order = calloc(count, sizeof *s->first_order),
                              .scratch = calloc(count, sizeof *s->scratch),
                              .ratios = calloc(count, sizeof *s->ratios)};
    if (s->candidates == NULL || s->order == NULL || s->first_order == NULL || s->scratch == NULL ||
        s->ratios == NULL) {
        tune_search_destroy(s);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        s->candidates[i].racing = true;
    begin_pass_of_racers(s);
    return s;
}

void tune_search_destroy(struct tune_search *s)
{
    if (s == NULL)
        return;
    free(s->candidates);
    free(s->order);
    free(s->first_order);
    free(s->scratch);
    free(s->ratios);
    free(s);
}

static size_t measurements(size_t count, size_t final_samples)
{
    size_t racers = count - 1; /* beside the reference */
    size_t samples = FIRST_PASSES, sum = FIRST_PASSES * count;
    while (places_after(racers) < racers) {
        racers = places_after(racers);
        sum += racers + 1;
        samples++;
    }
    sum += (racers + 1) * (samples < final_samples ? final_samples - samples : 1);
    return sum + FRONT_PASSES * FRONT_MAX;
}

size_t tune_search_measurements(size_t count)
{
    return measurements(count, TUNE_FINAL_SAMPLES);
}

size_t tune_search_measurements_max(size_t count)
{
    return measurements(count, TUNE_EXTRA_SAMPLES);
}

bool tune_search_next(struct tune_search *s, size_t *out_index)
{
    if (s->phase == TUNE_PHASE_OVER)
        return false;
    assert(s->at < s->order_count);
    *out_index = s->order[s->at];
    return true;
}

void tune_search_tell(struct tune_search *s, const struct tune_sample *sample)
{
    assert(s->phase != TUNE_PHASE_OVER);
    struct candidate *c = &s->candidates[s->order[s->at]];
    assert(c->count < TUNE_SAMPLES_MAX);
    c->samples[c->count++] = *sample;
    s->at++;
    if (s->at == s->order_count)
        end_pass(s);
}

enum tune_phase tune_search_phase(const struct tune_search *s)
{
    return s->phase;
}

size_t tune_search_left(const struct tune_search *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        count += s->candidates[i].racing;
    return count;
}

struct tune_figures tune_search_figures(const struct tune_search *s, size_t index)
{
    const struct candidate *c = &s->candidates[index];
    if (c->count == 0)
        return (struct tune_figures){0};
    return (struct tune_figures){
        .typical = {.throughput = throughput_of(c),
                    .limited_ns = latency_of(c),
                    .p50_ns = TYPICAL(c, p50_ns, false),
                    .p99_ns = TYPICAL(c, p99_ns, false),
                    .cpu_ns = TYPICAL(c, cpu_ns, false),
                    .batch_mean = TYPICAL(c, batch_mean, true)},
        .error = error_of(s, c),
        .samples = c->count,
        .within = is_within(s, c),
    };
}

/* Whether `c` is to be preferred to `best`, both in the race and measured. */
static bool is_preferred(const struct tune_search *s, const struct candidate *c,
                         const struct candidate *best)
{
    const bool within = is_within(s, c);
    if (within != is_within(s, best))
        return within;
    return within ? throughput_of(c) > throughput_of(best) : latency_of(c) < latency_of(best);
}

/* Of those as good as the best, the one that holds now, else the one with the lowest latency. */
static size_t choose_among_equals(const struct tune_search *s, size_t best)
{
    const double enough = (1 - TUNE_TIE) * throughput_of(&s->candidates[best]);
    size_t chosen = best;
    for (size_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->candidates[i];
        if (!c->racing || !is_within(s, c) || throughput_of(c) < enough)
            continue;
        if (is_reference(i))
            return i;
        if (latency_of(c) < latency_of(&s->candidates[chosen]))
            chosen = i;
    }
    return chosen;
}

bool tune_search_best(const struct tune_search *s, size_t *out_index)
{
    const struct candidate *best = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->candidates[i];
        if (c->racing && c->count > 0 && (best == NULL || is_preferred(s, c, best)))
            best = c;
    }
    if (best == NULL)
        return false;
    const size_t index = (size_t)(best - s->candidates);
    *out_index = is_within(s, best) ? choose_among_equals(s, index) : index;
    return true;
}

static int compare_by_throughput(const struct tune_search *s, size_t a, size_t b)
{
    const double x = throughput_of(&s->candidates[a]), y = throughput_of(&s->candidates[b]);
    return (x < y) - (x > y);
}

/* Of a search that was interrupted early, whatever there is. */
static size_t samples_of_table(const struct tune_search *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->candidates[i].count >= TYPICAL_SAMPLES)
            return TYPICAL_SAMPLES;
    return 1;
}

size_t tune_search_front(const struct tune_search *s, size_t *out)
{
    const size_t samples_min = samples_of_table(s);
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->candidates[i].count < samples_min || is_beaten(s, i, samples_min))
            continue;
        size_t k = count++;
        for (; k > 0 && compare_by_throughput(s, i, out[k - 1]) < 0; k--)
            out[k] = out[k - 1];
        out[k] = i;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || latency_of(&s->candidates[out[i]]) <
                             (1 - FRONT_STEP) * latency_of(&s->candidates[out[kept - 1]]))
            out[kept++] = out[i];
    return kept;
}
