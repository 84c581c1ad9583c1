#include "loop_load.h"

#include "base.h"

bool loop_load_update(struct loop_load *load, uv_loop_t *loop)
{
    const uint64_t now_ns = uv_now(loop) * NS_PER_MS; /* of this turn: no clock is read */
    const uint64_t passed_ns = now_ns - load->_since_ns;
    if (passed_ns < LOOP_LOAD_NS)
        return false;
    const uint64_t idle_ns = uv_metrics_idle_time(loop);
    const uint64_t waited_ns = idle_ns - load->_idle_ns;
    const bool busy = waited_ns < passed_ns / 4 * (load->busy ? 3 : 2);
    const bool changed = busy != load->busy && load->_since_ns != 0;
    *load = (struct loop_load){
        .busy = changed ? busy : load->busy, ._since_ns = now_ns, ._idle_ns = idle_ns};
    return changed;
}
