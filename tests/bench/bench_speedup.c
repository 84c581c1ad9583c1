/*
 * bench_speedup.c - records the speed-ups that the self-test is compared with: prints the
 * lines of service/api/speedup_reference.inc for every instruction set of this machine.
 *
 *   script/bench speedup > service/api/speedup_reference.inc
 */
#include <stdio.h>

#include "base.h"
#include "speedup.h"

static const char *const isa_names[] = {
#define X(name, text) [KERNELS_##name] = #name,
    KERNELS_ISA_MAP(X)
#undef X
};

static const char *const indicator_names[] = {
    [METRICS_INDICATOR_SMA] = "SMA",
    [METRICS_INDICATOR_EMA] = "EMA",
    [METRICS_INDICATOR_RSI] = "RSI",
    [METRICS_INDICATOR_MATMUL] = "MATMUL",
    [METRICS_INDICATOR_MATMUL_INT8] = "MATMUL_INT8",
};

int main(void)
{
    kernels_blas_single_thread();
    puts(
        "/*\n * The speed-ups over the plain twins that the LowSpeedup alert compares with, by\n"
        " * instruction set. Written by `script/bench speedup`; run it again when a kernel or its\n"
        " * twin has changed.\n */");
    for (unsigned isa = KERNELS_SCALAR + 1; isa < KERNELS_ISA_COUNT; isa++) {
        const struct kernels *kernels = kernels_for((enum kernels_isa)isa);
        struct speedups speedups;
        if (kernels == NULL)
            continue;
        if (speedup_measure(kernels, 4 * NS_PER_S, &speedups) != 0)
            return 1;
        for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++)
            printf("{KERNELS_%s, METRICS_INDICATOR_%s, %.1f},\n", isa_names[isa],
                   indicator_names[i], speedups.ratio[i]);
    }
    return 0;
}
