/*
 * process_stats.h - what the kernel says about this process and its cgroup.
 *
 *   Threads    one caller at a time (the loop that renders /metrics).
 *   Cost       a few reads of /proc and /sys/fs/cgroup; only at a scrape.
 */
#ifndef PROCESS_STATS_H
#define PROCESS_STATS_H

#include "metrics.h"

/* Sets the process_* and cgroup_* families. What cannot be read is left as it was. */
void process_stats_collect(struct metrics *m);

/* The cgroup_* families alone, from the files of a cgroup v2 folder; NULL when
 * there is none. The limits then are those of the machine. */
void process_stats_collect_cgroup(struct metrics *m, const char *folder);

#endif
