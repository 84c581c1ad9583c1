#include "python_baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yyjson.h>

#include "base.h"
#include "buffer.h"

enum {
    OUTPUT_BYTES_MAX = 64 * 1024,
    READ_BYTES = 4096,
    POLL_MS = 100
};

/* The child gets our environment, nothing to read, and the pipe as its output. It must not
 * inherit the mask of the thread that starts it, which blocks every signal. */
static int spawn(const char *path, size_t points, int output, pid_t *pid)
{
    char n[24];
    snprintf(n, sizeof n, "%zu", points);
    char *const argv[] = {(char *)(uintptr_t) "python3", (char *)(uintptr_t)path, n, NULL};
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawnp(pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* All that the child prints until it closes its end; false when it takes too long or prints
 * too much. */
static bool read_all(int fd, const atomic_bool *cancelled, struct buffer *output)
{
    uint64_t deadline_ns = clock_now_ns() + PYTHON_BASELINE_TIMEOUT_S * NS_PER_S;
    while (clock_now_ns() < deadline_ns && !atomic_load(cancelled)) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, POLL_MS) <= 0)
            continue;
        char *room = buffer_reserve(output, READ_BYTES);
        if (room == NULL)
            return false;
        ssize_t bytes = read(fd, room, READ_BYTES);
        if (bytes == 0)
            return true;
        if (bytes < 0 && errno != EINTR)
            return false;
        buffer_commit(output, bytes > 0 ? (size_t)bytes : 0);
    }
    return false;
}

static int run(const char *path, size_t points, const atomic_bool *cancelled, struct buffer *output,
               const char **why)
{
    int fds[2];
    pid_t pid;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        *why = "no pipe to it";
        return -1;
    }
    int rc = spawn(path, points, fds[1], &pid);
    close(fds[1]);
    if (rc != 0) {
        close(fds[0]);
        *why = "python3 cannot be started";
        return -1;
    }
    bool complete = read_all(fds[0], cancelled, output);
    close(fds[0]);
    if (!complete)
        kill(pid, SIGKILL);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (complete && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    *why = complete ? "it failed" : "it took too long or printed too much";
    return -1;
}

static int indicator_of(const char *style)
{
    static const char *const prefixes[] = {
        [METRICS_INDICATOR_SMA] = "sma.",
        [METRICS_INDICATOR_EMA] = "ema.",
        [METRICS_INDICATOR_RSI] = "rsi.",
        [METRICS_INDICATOR_MATMUL] = "matmul.",
        [METRICS_INDICATOR_MATMUL_INT8] = "matmul_int8.",
    };
    for (int i = 0; i < METRICS_INDICATOR_COUNT; i++)
        if (strncmp(style, prefixes[i], strlen(prefixes[i])) == 0)
            return i;
    return -1;
}

static int parse(const struct buffer *output, struct python_baseline *out)
{
    yyjson_doc *doc = yyjson_read(output->data, output->bytes, 0);
    yyjson_val *seconds = yyjson_obj_get(yyjson_doc_get_root(doc), "seconds");
    struct python_baseline baseline;
    for (unsigned i = 0; i < METRICS_INDICATOR_COUNT; i++)
        baseline.seconds[i] = NAN;
    size_t found = 0, i, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(seconds, i, count, key, value)
    {
        int indicator = indicator_of(yyjson_get_str(key));
        double taken = yyjson_is_num(value) ? yyjson_get_num(value) : 0;
        if (indicator < 0 || !(taken > 0))
            continue;
        baseline.seconds[indicator] = fmin(baseline.seconds[indicator], taken);
        found++;
    }
    yyjson_doc_free(doc);
    if (found == 0)
        return -1;
    *out = baseline;
    return 0;
}

int python_baseline_measure(const char *path, size_t points, const atomic_bool *cancelled,
                            struct python_baseline *out, const char **why)
{
    struct buffer output;
    buffer_init(&output, OUTPUT_BYTES_MAX);
    int rc = run(path, points, cancelled, &output, why);
    if (rc == 0 && parse(&output, out) != 0) {
        *why = "it did not print the seconds that its loops took";
        rc = -1;
    }
    buffer_deinit(&output);
    return rc;
}
