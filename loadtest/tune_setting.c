/*
 * tune_setting.c - see tune_setting.h.
 */
#include "tune_setting.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quantity.h"

enum {
    LEVELS_MAX = 16,
    DURATION_BYTES = 24,
};

bool tune_setting_equals(const struct tune_setting *a, const struct tune_setting *b)
{
    return a->batch_rows == b->batch_rows && a->inflight == b->inflight &&
           a->delay_ns == b->delay_ns && a->target_ns == b->target_ns;
}

/* --- In words. */

/* As in a configuration file: whole microseconds with their unit, all else in seconds. */
static const char *print_exact(uint64_t ns, char out[DURATION_BYTES])
{
    if (ns == 0)
        snprintf(out, DURATION_BYTES, "0");
    else if (ns % NS_PER_MS == 0)
        snprintf(out, DURATION_BYTES, "\"%" PRIu64 "ms\"", ns / NS_PER_MS);
    else if (ns % NS_PER_US == 0)
        snprintf(out, DURATION_BYTES, "\"%" PRIu64 "us\"", ns / NS_PER_US);
    else
        snprintf(out, DURATION_BYTES, "%.9f", (double)ns / 1e9);
    return out;
}

const char *tune_setting_print_patch(const struct tune_setting *setting,
                                     char out[TUNE_PATCH_BYTES_MAX])
{
    char delay[DURATION_BYTES], target[DURATION_BYTES];
    snprintf(out, TUNE_PATCH_BYTES_MAX,
             "{\"max_batch_rows\": %zu, \"max_delay\": %s, \"max_inflight_batches\": %zu, "
             "\"target_p99\": %s}",
             setting->batch_rows, print_exact(setting->delay_ns, delay), setting->inflight,
             print_exact(setting->target_ns, target));
    return out;
}

const char *tune_setting_print(const struct tune_setting *setting, char out[TUNE_NAME_BYTES_MAX])
{
    const bool by_target = setting->target_ns > 0;
    const uint64_t ns = by_target ? setting->target_ns : setting->delay_ns;
    char duration[DURATION_BYTES] = "0";
    if (ns > 0)
        quantity_print_duration((double)ns, duration, sizeof duration);
    snprintf(out, TUNE_NAME_BYTES_MAX, "%zu row%s, %s %s, %zu worker%s", setting->batch_rows,
             setting->batch_rows == 1 ? "" : "s", by_target ? "target" : "linger", duration,
             setting->inflight, setting->inflight == 1 ? "" : "s");
    return out;
}

/* --- The space. */

/* The values that one thing may take, rising. */
struct levels {
    uint64_t values[LEVELS_MAX];
    size_t count;
};

struct axes {
    struct levels rows;
    struct levels inflight;
    struct levels delays;
    struct levels targets;
};

static void add_level(struct levels *levels, uint64_t value)
{
    if (levels->count < LEVELS_MAX &&
        (levels->count == 0 || value > levels->values[levels->count - 1]))
        levels->values[levels->count++] = value;
}

/* The smallest, twice, four times, ... and the largest. */
static void add_powers(struct levels *levels, size_t min, size_t max)
{
    for (size_t value = min; value < max && levels->count < LEVELS_MAX - 1; value *= 2)
        add_level(levels, value);
    add_level(levels, max);
}

/* Whole microseconds: what a person would write. */
static void add_parts(struct levels *levels, uint64_t whole_ns, const double *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_level(levels, (uint64_t)((double)whole_ns * parts[i] / 1e3 + 0.5) * NS_PER_US);
}

/* With one worker no batch runs while another is made: a linger would never be waited for. */
static size_t delays_with(const struct axes *axes, uint64_t inflight)
{
    return inflight > 1 ? axes->delays.count : 1;
}

static size_t count_settings(const struct axes *axes)
{
    size_t count = axes->inflight.count * axes->targets.count;
    for (size_t i = 0; i < axes->inflight.count; i++)
        count += axes->rows.count * delays_with(axes, axes->inflight.values[i]);
    return count;
}

/* Every second one goes; the first and the last stay. */
static bool thin(struct levels *levels, size_t count_min)
{
    if (levels->count <= count_min)
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < levels->count; i++)
        if (i % 2 == 0 || i + 1 == levels->count)
            levels->values[kept++] = levels->values[i];
    const bool thinner = kept < levels->count;
    levels->count = kept;
    return thinner;
}

/* What matters least goes first: measurements of neighbours in linger differ little. */
static bool thin_axes(struct axes *axes)
{
    return thin(&axes->delays, 3) || thin(&axes->targets, 2) || thin(&axes->inflight, 3) ||
           thin(&axes->rows, 4) || thin(&axes->delays, 2) || thin(&axes->inflight, 2);
}

static void make_axes(const struct tune_space *space, struct axes *axes)
{
    static const double delay_parts[] = {0, 0.01, 0.03, 0.1, 0.3};
    static const double target_parts[] = {0.25, 0.5, 1};
    *axes = (struct axes){0};
    add_powers(&axes->rows, space->rows_min, space->rows_max);
    add_powers(&axes->inflight, 1, space->workers);
    add_parts(&axes->delays, space->slo_ns, delay_parts, ARRAY_SIZE(delay_parts));
    add_parts(&axes->targets, space->slo_ns, target_parts, ARRAY_SIZE(target_parts));
}

static size_t list_settings(const struct axes *axes, struct tune_setting *out)
{
    const size_t rows_max = (size_t)axes->rows.values[axes->rows.count - 1];
    size_t count = 0;
    for (size_t w = 0; w < axes->inflight.count; w++) {
        const size_t inflight = (size_t)axes->inflight.values[w];
        for (size_t r = 0; r < axes->rows.count; r++)
            for (size_t d = 0; d < delays_with(axes, inflight); d++)
                out[count++] = (struct tune_setting){.batch_rows = (size_t)axes->rows.values[r],
                                                     .inflight = inflight,
                                                     .delay_ns = axes->delays.values[d]};
        for (size_t t = 0; t < axes->targets.count; t++)
            out[count++] = (struct tune_setting){
                .batch_rows = rows_max, .inflight = inflight, .target_ns = axes->targets.values[t]};
    }
    return count;
}

size_t tune_space_fill(const struct tune_space *space, size_t count_max, struct tune_setting *out)
{
    assert(space->rows_min > 0);
    assert(space->rows_max >= space->rows_min);
    assert(space->workers > 0);
    struct axes axes;
    make_axes(space, &axes);
    const size_t most = count_max < TUNE_SETTINGS_MAX ? count_max : TUNE_SETTINGS_MAX;
    while (count_settings(&axes) > most && thin_axes(&axes))
        continue;
    assert(count_settings(&axes) <= TUNE_SETTINGS_MAX);
    return list_settings(&axes, out);
}
