/*
 * sim_flow.c - gaps between arrivals, and recordings.
 */
#include "sim_flow.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9
#define NS_PER_MS 1e6

/* --- Recordings. */

static bool class_from(const char *text, enum batcher_class *class)
{
    for (int i = 0; i < BATCHER_CLASS_COUNT; i++) {
        if (strcmp(text, batcher_class_str((enum batcher_class)i)) == 0) {
            *class = (enum batcher_class)i;
            return true;
        }
    }
    return false;
}

static bool parse_line(const char *text, struct sim_trace_line *line)
{
    double at_s;
    double timeout_ms;
    char class[16];
    const int found = sscanf(text, "%lf %u %zu %15s %u %lf", &at_s, &line->queue, &line->rows,
                             class, &line->tenant, &timeout_ms);
    if (found != 6 || !(at_s >= 0 && at_s < 1e9) || !(timeout_ms >= 0 && timeout_ms < 1e12))
        return false;
    line->at_ns = (uint64_t)(at_s * NS_PER_S);
    line->timeout_ns = (uint64_t)(timeout_ms * NS_PER_MS);
    return line->rows > 0 && class_from(class, &line->class);
}

static struct sim_trace_line *append(struct sim_trace *trace, size_t *room)
{
    if (trace->count == *room) {
        *room = *room > 0 ? 2 * *room : 1024;
        trace->lines = realloc(trace->lines, *room * sizeof(*trace->lines));
        if (trace->lines == NULL)
            abort();
    }
    return &trace->lines[trace->count];
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0' || text[0] == '#';
}

size_t sim_trace_read(FILE *file, struct sim_trace *trace)
{
    *trace = (struct sim_trace){.lines = NULL};
    char text[256];
    size_t room = 0;
    uint64_t last_ns = 0;
    for (size_t number = 1; fgets(text, sizeof(text), file) != NULL; number++) {
        if (is_blank(text))
            continue;
        struct sim_trace_line *line = append(trace, &room);
        if (!parse_line(text, line) || line->at_ns < last_ns)
            return number;
        last_ns = line->at_ns;
        trace->count++;
    }
    return 0;
}

void sim_trace_free(struct sim_trace *trace)
{
    free(trace->lines);
    *trace = (struct sim_trace){.lines = NULL};
}

/* --- Arrivals. */

struct sim_flow sim_flow_from(const struct sim_flow_setup *setup, uint64_t seed, uint64_t stream)
{
    return (struct sim_flow){.setup = *setup, .random = sim_random_from(seed, stream)};
}

static uint64_t gap_ns(struct sim_flow *flow, double mean_s)
{
    return 1 + (uint64_t)sim_draw_exponential(&flow->random, mean_s * NS_PER_S);
}

/* How much faster jobs come while it is on, so that the mean is what was asked for. */
static double on_factor(const struct sim_flow_setup *setup)
{
    return setup->off_s > 0 ? (setup->on_s + setup->off_s) / setup->on_s : 1;
}

static double mean_gap_s(const struct sim_flow_setup *setup)
{
    const double together = setup->together_max > 1 ? (double)(1 + setup->together_max) / 2 : 1;
    return together / (setup->jobs_per_s * on_factor(setup));
}

static uint64_t next_in_bursts(struct sim_flow *flow, uint64_t now_ns)
{
    const struct sim_flow_setup *setup = &flow->setup;
    uint64_t at_ns = now_ns;
    for (;;) {
        const uint64_t next_ns = at_ns + gap_ns(flow, mean_gap_s(setup));
        if (next_ns <= flow->on_until_ns)
            return next_ns;
        /* Exponential gaps have no memory: what was left of this one may be drawn again. */
        at_ns =
            (flow->on_until_ns > at_ns ? flow->on_until_ns : at_ns) + gap_ns(flow, setup->off_s);
        flow->on_until_ns = at_ns + gap_ns(flow, setup->on_s);
    }
}

uint64_t sim_flow_next_ns(struct sim_flow *flow, uint64_t start_ns, uint64_t now_ns)
{
    const struct sim_flow_setup *setup = &flow->setup;
    if (setup->trace != NULL)
        return flow->trace_at < setup->trace->count
                   ? start_ns + setup->trace->lines[flow->trace_at].at_ns
                   : UINT64_MAX;
    if (setup->jobs_per_s <= 0)
        return UINT64_MAX;
    return setup->off_s > 0 ? next_in_bursts(flow, now_ns)
                            : now_ns + gap_ns(flow, mean_gap_s(setup));
}

size_t sim_flow_count(struct sim_flow *flow)
{
    const size_t most = flow->setup.together_max;
    return flow->setup.trace == NULL && most > 1 ? 1 + sim_draw(&flow->random, most) : 1;
}

static unsigned replay(struct sim_flow *flow, uint64_t now_ns, struct batcher_job *job)
{
    const struct sim_trace_line *line = &flow->setup.trace->lines[flow->trace_at++];
    job->rows = line->rows;
    job->tenant = line->tenant;
    job->class = line->class;
    job->deadline_ns = line->timeout_ns > 0 ? now_ns + line->timeout_ns : 0;
    return line->queue;
}

static uint64_t draw_deadline_ns(struct sim_flow *flow, uint64_t now_ns)
{
    const double timeout_ns = flow->setup.timeout_ns_min +
                              sim_draw_exponential(&flow->random, flow->setup.timeout_ns_mean);
    return timeout_ns < 0 ? now_ns - (uint64_t)-timeout_ns : now_ns + (uint64_t)timeout_ns;
}

unsigned sim_flow_draw(struct sim_flow *flow, uint64_t now_ns, struct batcher_job *job)
{
    const struct sim_flow_setup *setup = &flow->setup;
    struct sim_random *random = &flow->random;
    job->bytes = 0;
    job->work = 0;
    if (setup->trace != NULL)
        return replay(flow, now_ns, job);
    job->rows = setup->rows_min + sim_draw(random, setup->rows_max - setup->rows_min + 1);
    job->bytes = setup->bytes_max > 0 ? sim_draw(random, setup->bytes_max) : 0;
    job->work = setup->work_per_row * job->rows;
    job->tenant = setup->tenant;
    job->class = setup->class;
    job->deadline_ns = 0;
    if (setup->deadline_chance > 0 && sim_draw_chance(random, setup->deadline_chance))
        job->deadline_ns = draw_deadline_ns(flow, now_ns);
    return setup->queue;
}

uint64_t sim_flow_cancel_after_ns(struct sim_flow *flow)
{
    const struct sim_flow_setup *setup = &flow->setup;
    if (setup->cancel_chance <= 0 || !sim_draw_chance(&flow->random, setup->cancel_chance))
        return 0;
    return 1 + (uint64_t)sim_draw_exponential(&flow->random, setup->cancel_ns_mean);
}
