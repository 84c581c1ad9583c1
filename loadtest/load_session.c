/*
 * load_session.c - see load_session.h.
 */
#include "load_session.h"

#include <assert.h>

#include "workload_prepare.h"

static bool read_inputs(const struct load_options *options, struct workload_spec *spec,
                        struct load_error *error)
{
    struct workload_kind *kind = load_options_inputs_kind(spec);
    return options->inputs == NULL || /* which load_options_parse() allows only with a kind */
           workload_read_bodies(options->inputs, spec->rows, &kind->bodies, error);
}

static bool ask_shapes(const struct target *target, struct workload_spec *spec,
                       struct load_error *error)
{
    for (size_t i = 0; i < spec->kind_count; i++) {
        struct workload_kind *kind = &spec->kinds[i];
        if (kind->what == WORKLOAD_MODEL && kind->bodies.count == 0 &&
            !workload_ask_shape(target, kind->name, &kind->row_elements, error))
            return false;
    }
    return true;
}

static enum load_exit open_session(const struct load_options *options, struct workload_spec *spec,
                                   struct load_session *session, struct load_error *error)
{
    if (!read_inputs(options, spec, error))
        return LOAD_EXIT_USAGE;
    if (!ask_shapes(&session->target, spec, error))
        return LOAD_EXIT_UNREACHABLE;
    return workload_create(spec, &session->workload, error) ? LOAD_EXIT_DONE : LOAD_EXIT_USAGE;
}

enum load_exit load_session_open(const struct load_options *options, const char *target,
                                 struct load_session *out, struct load_error *error)
{
    struct load_session session = {0};
    struct workload_spec spec = options->workload;
    if (!target_parse(target, &session.target, error))
        return LOAD_EXIT_USAGE;
    spec.host = session.target.host;
    const enum load_exit status = open_session(options, &spec, &session, error);
    for (size_t i = 0; i < spec.kind_count; i++)
        workload_bodies_destroy(&spec.kinds[i].bodies);
    if (status == LOAD_EXIT_DONE)
        *out = session;
    return status;
}

void load_session_close(struct load_session *session)
{
    workload_destroy(session->workload);
    session->workload = NULL;
}

void load_session_arrivals(enum arrivals_kind kind, double rate, uint64_t seed,
                           struct arrivals *out)
{
    assert(kind != ARRIVALS_TRACE);
    if (kind == ARRIVALS_POISSON)
        arrivals_init_poisson(out, rate, ~seed);
    else
        arrivals_init_uniform(out, rate);
}
