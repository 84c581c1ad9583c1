/*
 * plot.c - see plot.h.
 */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool ends_with(const char *text, const char *end)
{
    const size_t bytes = strlen(text), end_bytes = strlen(end);
    return bytes > end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

bool plot_kind_of(const char *path, enum plot_kind *out, struct load_error *error)
{
    if (ends_with(path, ".png"))
        *out = PLOT_PNG;
    else if (ends_with(path, ".svg"))
        *out = PLOT_SVG;
    else
        return load_fail(error, "%s: a plot's name ends in .png or .svg", path);
    return true;
}

/* --- Scripts. */

void plot_print_terminal(enum plot_kind kind, FILE *script)
{
    switch (kind) {
    case PLOT_PNG:
        fputs("set terminal pngcairo size 960,600 font 'sans,11'\n", script);
        return;
    case PLOT_SVG:
        fputs("set terminal svg size 960,600 background rgb 'white' font 'sans,13'\n", script);
        return;
    }
}

void plot_print_quoted(const char *text, FILE *script)
{
    fputc('\'', script);
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ')
            continue;
        if (*text == '\'')
            fputc('\'', script);
        fputc(*text, script);
    }
    fputc('\'', script);
}

/* --- The program. */

/* `input` and `output` become its standard input and output. 0, or an errno. */
static int spawn(char *const arguments[], int input, int output, pid_t *out)
{
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawnp(out, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static bool wait_for(pid_t pid, struct load_error *error)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return load_fail(error, "gnuplot cannot be waited for: %s", strerror(errno));
    if (WIFSIGNALED(status))
        return load_fail(error, "gnuplot was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ||
           load_fail(error, "gnuplot failed with exit status %d", WEXITSTATUS(status));
}

static bool cannot_start(int rc, struct load_error *error)
{
    if (rc == ENOENT)
        return load_fail(error, "gnuplot was not found (Debian's gnuplot-nox): leave out --plot, "
                                "or plot what --csv writes");
    return load_fail(error, "gnuplot cannot be started: %s", strerror(rc));
}

bool plot_is_possible(struct load_error *error)
{
    char *const arguments[] = {(char[]){"gnuplot"}, (char[]){"--version"}, NULL};
    pid_t pid;
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0)
        return load_fail(error, "/dev/null cannot be opened: %s", strerror(errno));
    const int rc = spawn(arguments, nothing, nothing, &pid);
    close(nothing);
    return rc == 0 ? wait_for(pid, error) : cannot_start(rc, error);
}

/* SIGPIPE is ignored: a gnuplot that ends early tells why by its exit status. */
static void write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t written = write(fd, data, bytes);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            data += written;
            bytes -= (size_t)written;
        }
    }
}

bool plot_draw(const char *script, size_t bytes, FILE *picture, struct load_error *error)
{
    /* -d: without the user's own settings. */
    char *const arguments[] = {(char[]){"gnuplot"}, (char[]){"-d"}, NULL};
    int ends[2];
    pid_t pid;
    if (fflush(picture) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        return load_fail(error, "gnuplot cannot be given its script: %s", strerror(errno));
    const int rc = spawn(arguments, ends[0], fileno(picture), &pid);
    close(ends[0]);
    if (rc == 0)
        write_all(ends[1], script, bytes);
    close(ends[1]);
    return rc == 0 ? wait_for(pid, error) : cannot_start(rc, error);
}
