/*
 * fma_peak.c - multiplies and adds in registers and nothing else: the most
 * floating-point operations a second that one core does.
 *
 * Compiled once per instruction set, with FMA_PEAK_NAME and FMA_PEAK_BYTES (the
 * width of a register). Twelve chains keep two units with a latency of up to
 * six cycles busy and still fit into sixteen registers.
 */
#include "fma_peak.h"

typedef float vector __attribute__((vector_size(FMA_PEAK_BYTES)));

#define CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

/* Only its own object file is compiled for the instruction set: nothing is shared by inlining. */
double FMA_PEAK_NAME(size_t steps)
{
    const vector factor = {0.5F};
    const vector term = {0.25F};
#define X(i) vector chain##i = {(float)i};
    CHAINS(X)
#undef X
    for (size_t step = 0; step < steps; step++) {
#define X(i) chain##i = chain##i * factor + term;
        CHAINS(X)
#undef X
        /* The compiler may not know what a chain holds, nor merge chains or steps. */
#define X(i) __asm__("" : "+" FMA_PEAK_REGISTER(chain##i));
        CHAINS(X)
#undef X
    }
    vector sum = {0};
#define X(i) sum += chain##i;
    CHAINS(X)
#undef X
    return (double)sum[0];
}
