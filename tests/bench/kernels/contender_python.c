/*
 * contender_python.c - the loops of baselines.py, timed by a Python beside us
 * that is asked once per round: a line with what to run, a line with how long
 * one run took. Between questions it sleeps.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define VALUES_MAX 10000 /* longer ones only take longer: the rate stays */
#define LINE_BYTES 512

/* One process, shared by its contenders. */
struct python {
    FILE *answers;
    int questions;
    pid_t pid;
};

static bool ask(struct python *python, const char *question, char answer[LINE_BYTES])
{
    const size_t bytes = strlen(question);
    return write(python->questions, question, bytes) == (ssize_t)bytes &&
           fgets(answer, LINE_BYTES, python->answers) != NULL;
}

static bool takes(const struct contender *self, const struct bench_case *c)
{
    const char *kernel = bench_kernel_str(c->kernel);
    const char *of = self->name + strlen("python ");
    return bench_case_is_series(c) && c->rows == 1 && c->n <= VALUES_MAX &&
           strncmp(of, kernel, strlen(kernel)) == 0;
}

static double time_python(const struct contender *self, const struct bench_case *c,
                          const struct operands *o, size_t calls)
{
    (void)o;
    char question[LINE_BYTES];
    char answer[LINE_BYTES];
    snprintf(question, sizeof question, "%s %zu %zu\n", self->name + strlen("python "), c->n,
             c->period);
    if (!ask(self->python, question, answer)) {
        fprintf(stderr, "bench_kernels: Python went away\n");
        exit(1);
    }
    return strtod(answer, NULL) * (double)calls;
}

static void become_python(int to_parent)
{
    dup2(to_parent, STDIN_FILENO);
    dup2(to_parent, STDOUT_FILENO);
    execl("/usr/bin/python3", "python3", "-B", BENCH_BASELINES, "--serve", (char *)NULL);
    _exit(127);
}

static bool start(struct python *python)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    python->pid = fork();
    if (python->pid == 0)
        become_python(ends[1]);
    close(ends[1]);
    python->questions = ends[0];
    python->answers = python->pid < 0 ? NULL : fdopen(ends[0], "r");
    return python->answers != NULL;
}

/* "sma.naive ema.loop": each becomes "python sma.naive". */
static void add_each(struct contenders *all, struct python *python, char *names)
{
    char *rest = NULL;
    for (char *name = strtok_r(names, " \n", &rest); name != NULL;
         name = strtok_r(NULL, " \n", &rest)) {
        char full[LINE_BYTES];
        snprintf(full, sizeof full, "python %s", name);
        struct contender *added = contender_add(all, ROLE_PYTHON, full);
        added->python = python;
        added->takes = takes;
        added->time = time_python;
    }
}

bool add_python(struct contenders *all)
{
    char names[LINE_BYTES];
    struct python *python = calloc(1, sizeof *python);
    if (python == NULL)
        return false;
    if (!start(python) || !ask(python, "names\n", names)) {
        fprintf(stderr, "bench_kernels: cannot run python3 %s\n", BENCH_BASELINES);
        free(python);
        return false;
    }
    add_each(all, python, names);
    return true;
}

void remove_python(struct contenders *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].role != ROLE_PYTHON)
            continue;
        struct python *python = all->list[i].python;
        fclose(python->answers); /* it leaves when there are no more questions */
        waitpid(python->pid, NULL, 0);
        free(python);
        return;
    }
}
