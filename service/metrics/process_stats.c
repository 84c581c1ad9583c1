/*
 * process_stats.c - /proc/self and the cgroup v2 folder of this process, as metrics.
 */
#include "process_stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FILE_BYTES_MAX = 8192
};

/* The file as a string, cut to what fits. */
static bool read_text(const char *path, char *out, size_t out_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t filled = 0;
    ssize_t got = 1;
    while (got > 0 && filled < out_bytes - 1) {
        got = read(fd, out + filled, out_bytes - 1 - filled);
        if (got > 0)
            filled += (size_t)got;
    }
    close(fd);
    out[filled] = '\0';
    return got >= 0 && filled > 0;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / (double)NS_PER_S;
}

/* --- /proc/self --- */

struct proc_stat {
    long threads;
    unsigned long long start_ticks; /* since boot */
    unsigned long virtual_bytes;
    long resident_pages;
};

/* The name of the program may hold spaces and brackets, so count from the last. */
static bool read_proc_stat(struct proc_stat *out)
{
    char text[FILE_BYTES_MAX];
    if (!read_text("/proc/self/stat", text, sizeof(text)))
        return false;
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL)
        return false;
    struct proc_stat stat;
    /* Fields 3 to 19, then num_threads, itrealvalue, starttime, vsize and rss: proc(5). */
    int fields =
        sscanf(after_name + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
               " %ld %*d %llu %lu %ld",
               &stat.threads, &stat.start_ticks, &stat.virtual_bytes, &stat.resident_pages);
    if (fields != 4)
        return false;
    *out = stat;
    return true;
}

/* Computed once: it must not move when the clock of the machine is set. */
static void collect_start_time(struct metrics *m, const struct proc_stat *stat)
{
    if (metrics_value(m, METRICS_PROCESS_START_TIME_SECONDS, 0) > 0)
        return;
    double boot = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME);
    double since_boot = (double)stat->start_ticks / (double)sysconf(_SC_CLK_TCK);
    metrics_set(m, METRICS_PROCESS_START_TIME_SECONDS, 0, boot + since_boot);
}

static void collect_proc_stat(struct metrics *m)
{
    struct proc_stat stat;
    if (!read_proc_stat(&stat))
        return;
    double page_bytes = (double)sysconf(_SC_PAGESIZE);
    metrics_set(m, METRICS_PROCESS_THREADS, 0, (double)stat.threads);
    metrics_set(m, METRICS_PROCESS_VIRTUAL_MEMORY_BYTES, 0, (double)stat.virtual_bytes);
    metrics_set(m, METRICS_PROCESS_RESIDENT_MEMORY_BYTES, 0,
                (double)stat.resident_pages * page_bytes);
    collect_start_time(m, &stat);
}

/* RLIM_INFINITY is shown as the number it is, as the Prometheus clients do. */
static void collect_limits(struct metrics *m)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_set(m, METRICS_PROCESS_MAX_FDS, 0, (double)limit.rlim_cur);
    if (getrlimit(RLIMIT_AS, &limit) == 0)
        metrics_set(m, METRICS_PROCESS_VIRTUAL_MEMORY_MAX_BYTES, 0, (double)limit.rlim_cur);
}

static long count_entries(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -1;
    long count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count - 1; /* less the one that reads the folder */
}

/* Linux 6.2 tells the number as the size of the folder; reading all entries of
 * ten thousand connections takes milliseconds. */
static void collect_fds(struct metrics *m)
{
    static const char path[] = "/proc/self/fd";
    struct stat info;
    long count =
        stat(path, &info) == 0 && info.st_size > 0 ? (long)info.st_size : count_entries(path);
    if (count >= 0)
        metrics_set(m, METRICS_PROCESS_OPEN_FDS, 0, (double)count);
}

/* netstat has pairs of lines, "IpExt: names" and "IpExt: values". */
static bool column_value(const char *names, const char *values, const char *wanted, double *out)
{
    size_t wanted_bytes = strlen(wanted);
    while (*names != '\0' && *names != '\n' && *values != '\0' && *values != '\n') {
        size_t name_bytes = strcspn(names, " \n");
        size_t value_bytes = strcspn(values, " \n");
        if (name_bytes == wanted_bytes && memcmp(names, wanted, name_bytes) == 0) {
            *out = strtod(values, NULL);
            return true;
        }
        names += name_bytes + strspn(names + name_bytes, " ");
        values += value_bytes + strspn(values + value_bytes, " ");
    }
    return false;
}

static void collect_network(struct metrics *m)
{
    char text[FILE_BYTES_MAX];
    if (!read_text("/proc/self/net/netstat", text, sizeof(text)))
        return;
    const char *names = strstr(text, "\nIpExt: ");
    const char *values = names == NULL ? NULL : strstr(names + 1, "\nIpExt: ");
    if (values == NULL)
        return;
    double bytes;
    if (column_value(names + 1, values + 1, "InOctets", &bytes))
        metrics_set(m, METRICS_PROCESS_NETWORK_RECEIVE_BYTES_TOTAL, 0, bytes);
    if (column_value(names + 1, values + 1, "OutOctets", &bytes))
        metrics_set(m, METRICS_PROCESS_NETWORK_TRANSMIT_BYTES_TOTAL, 0, bytes);
}

static void collect_process(struct metrics *m)
{
    metrics_set(m, METRICS_PROCESS_CPU_SECONDS_TOTAL, 0, seconds_of(CLOCK_PROCESS_CPUTIME_ID));
    collect_proc_stat(m);
    collect_fds(m);
    collect_limits(m);
    collect_network(m);
}

/* --- cgroup v2 --- */

static bool read_cgroup(const char *folder, const char *file, char *out, size_t out_bytes)
{
    char path[PATH_MAX];
    if (folder == NULL || snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path))
        return false;
    return read_text(path, out, out_bytes);
}

/* The value of "key value" in a file of such lines. */
static bool read_cgroup_key(const char *folder, const char *file, const char *key, double *out)
{
    char text[FILE_BYTES_MAX];
    if (!read_cgroup(folder, file, text, sizeof(text)))
        return false;
    size_t key_bytes = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, key_bytes) == 0 && line[key_bytes] == ' ') {
            *out = strtod(line + key_bytes, NULL);
            return true;
        }
    }
    return false;
}

static double memory_limit_bytes(const char *folder)
{
    char text[64];
    if (read_cgroup(folder, "memory.max", text, sizeof(text)) && strncmp(text, "max", 3) != 0)
        return strtod(text, NULL);
    return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

/* cpu.max is "quota period" in microseconds, the quota possibly "max". */
static double cpu_limit_cores(const char *folder)
{
    char text[64];
    double quota, period;
    if (read_cgroup(folder, "cpu.max", text, sizeof(text)) &&
        sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0)
        return quota / period;
    return (double)sysconf(_SC_NPROCESSORS_ONLN);
}

void process_stats_collect_cgroup(struct metrics *m, const char *folder)
{
    char text[64];
    double value;
    metrics_set(m, METRICS_CGROUP_MEMORY_LIMIT_BYTES, 0, memory_limit_bytes(folder));
    metrics_set(m, METRICS_CGROUP_CPU_LIMIT_CORES, 0, cpu_limit_cores(folder));
    if (read_cgroup(folder, "memory.current", text, sizeof(text)))
        metrics_set(m, METRICS_CGROUP_MEMORY_USAGE_BYTES, 0, strtod(text, NULL));
    if (read_cgroup_key(folder, "cpu.stat", "throttled_usec", &value))
        metrics_set(m, METRICS_CGROUP_CPU_THROTTLED_SECONDS_TOTAL, 0, value / 1e6);
    if (read_cgroup_key(folder, "memory.events", "oom_kill", &value))
        metrics_set(m, METRICS_CGROUP_OOM_KILLS_TOTAL, 0, value);
}

/* The line "0::/path" of /proc/self/cgroup says where below /sys/fs/cgroup. */
static bool find_cgroup(char *out, size_t out_bytes)
{
    char text[FILE_BYTES_MAX];
    if (!read_text("/proc/self/cgroup", text, sizeof(text)))
        return false;
    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (line == NULL)
        return false;
    line += *line == '\n';
    line += strlen("0::");
    int bytes = snprintf(out, out_bytes, "/sys/fs/cgroup%.*s", (int)strcspn(line, "\n"), line);
    return bytes < (int)out_bytes;
}

void process_stats_collect(struct metrics *m)
{
    char folder[PATH_MAX];
    collect_process(m);
    process_stats_collect_cgroup(m, find_cgroup(folder, sizeof(folder)) ? folder : NULL);
}
