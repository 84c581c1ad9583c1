/*
 * hand_over.h - what it costs on this machine to give work to another thread and get it back.
 *
 *   Threads    any; starts one and ends it, about 5 ms.
 */
#ifndef HAND_OVER_H
#define HAND_OVER_H

#include <stdint.h>

/* From giving something to a thread that sleeps until the answer of that thread has woken us, who
 * slept too: the median of some hundred times. 0 when there is no thread to be had. */
uint64_t hand_over_measure_ns(void);

#endif
