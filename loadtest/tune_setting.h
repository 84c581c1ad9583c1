/*
 * tune_setting.h - how a queue batches, as far as tuning changes it, and which ways
 * are worth a measurement.
 *
 * A setting is static (rows, linger) or leaves both to the server (a latency target);
 * either way with a number of workers. The idle linger (max_idle_delay) is left as it
 * is: its price is paid by an idle server's lone requests, which a busy server's
 * measurement does not see.
 */
#ifndef TUNE_SETTING_H
#define TUNE_SETTING_H

#include "load_base.h"

enum {
    TUNE_PATCH_BYTES_MAX = 192,
    TUNE_NAME_BYTES_MAX = 64,
};

struct tune_setting {
    size_t batch_rows;  /* max_batch_rows */
    size_t inflight;    /* max_inflight_batches: the workers that the queue may use */
    uint64_t delay_ns;  /* max_delay; without effect beside a target, or with one worker */
    uint64_t target_ns; /* target_p99; 0: none */
};

bool tune_setting_equals(const struct tune_setting *a, const struct tune_setting *b);

/* As the server takes it: {"max_batch_rows": 32, ...}. Returns `out`. */
const char *tune_setting_print_patch(const struct tune_setting *setting,
                                     char out[TUNE_PATCH_BYTES_MAX]);
/* For people: "32 rows, linger 300 us, 2 workers". Returns `out`. */
const char *tune_setting_print(const struct tune_setting *setting, char out[TUNE_NAME_BYTES_MAX]);

/* What bounds the settings of one queue. */
struct tune_space {
    size_t rows_min; /* of one request: smaller batches there are none */
    size_t rows_max; /* larger ones neither: as many as can wait, or as are allowed */
    size_t workers;
    uint64_t slo_ns; /* lingers and targets are parts of it */
};

/*
 * The settings worth trying, at most `count_max` if that can be: rows and workers in
 * powers of two, lingers of 1 to 30 % of the limit, targets of 25 to 100 % of it. The fewer are
 * allowed, the wider the steps; a few are always left. Returns how many there are;
 * `out` has room for TUNE_SETTINGS_MAX.
 */
enum {
    TUNE_SETTINGS_MAX = 512,
};
size_t tune_space_fill(const struct tune_space *space, size_t count_max, struct tune_setting *out);

#endif
