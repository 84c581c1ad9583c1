/*
 * bench_report.c - the figures of the performance report that need no server, with
 * loops of nothing of ours beside them, to tell a slow machine from slow code.
 *
 *   bench_report [rounds]      default 41
 *
 * Prints "NAME SECONDS" lines: medians of rounds that take turns. The loops, by
 * which a report divides:
 *   loop_arithmetic   a chain of multiplications and additions, one core at its clock
 *   loop_sockets      512 bytes through a connection over the loopback, there and back
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "kernels.h"

enum {
    ROUNDS = 41,
    ROUNDS_MAX = 1001,
    POINTS = 10000,
    LINKS = 20000,
    MESSAGES = 50,
    MESSAGE_BYTES = 512
};

struct bench {
    double *in, *out;
    const struct kernels *kernels;
    int ends[2]; /* of one TCP connection */
    volatile double sink;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* --- what is timed; each says how many calls it made */

static size_t run_arithmetic(struct bench *b)
{
    double x = b->sink;
    for (size_t i = 0; i < LINKS; i++)
        x = x * 0.999 + 1e-3;
    b->sink = x;
    return 1;
}

static void pass(int from, int to, char *bytes)
{
    if (write(from, bytes, MESSAGE_BYTES) != MESSAGE_BYTES ||
        recv(to, bytes, MESSAGE_BYTES, MSG_WAITALL) != MESSAGE_BYTES)
        fail("loopback");
}

static size_t run_sockets(struct bench *b)
{
    char bytes[MESSAGE_BYTES] = {0};
    for (size_t i = 0; i < MESSAGES; i++) {
        pass(b->ends[0], b->ends[1], bytes);
        pass(b->ends[1], b->ends[0], bytes);
    }
    return MESSAGES;
}

static size_t run_sma(struct bench *b)
{
    b->kernels->sma_f64(b->in, POINTS, 20, b->out);
    return 1;
}

static size_t run_ema(struct bench *b)
{
    b->kernels->ema_f64(b->in, POINTS, 20, b->out);
    return 1;
}

static size_t run_rsi(struct bench *b)
{
    b->kernels->rsi_f64(b->in, POINTS, 14, b->out);
    return 1;
}

static const struct {
    const char *name;
    size_t (*run)(struct bench *b);
} FIGURES[] = {
    {"loop_arithmetic", run_arithmetic},
    {"loop_sockets", run_sockets},
    {"sma_10k", run_sma},
    {"ema_10k", run_ema},
    {"rsi_10k", run_rsi},
};

/* --- setting up */

static void connect_ends(struct bench *b)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    b->ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || b->ends[0] < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &bytes) != 0 ||
        connect(b->ends[0], (struct sockaddr *)&address, bytes) != 0 ||
        (b->ends[1] = accept(listener, NULL, NULL)) < 0)
        fail("loopback");
    close(listener);
    for (size_t i = 0; i < 2; i++)
        if (setsockopt(b->ends[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) != 0)
            fail("TCP_NODELAY");
}

static void make_prices(struct bench *b)
{
    b->in = malloc(POINTS * sizeof *b->in);
    b->out = malloc(POINTS * sizeof *b->out);
    if (b->in == NULL || b->out == NULL)
        fail("prices");
    for (size_t i = 0; i < POINTS; i++)
        b->in[i] = 100 + (double)(i * 7919 % 1000) / 100;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
    if (rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench_report [rounds]: 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    static double seconds[ARRAY_SIZE(FIGURES)][ROUNDS_MAX];
    struct bench bench = {.kernels = kernels_best(), .sink = 1};
    connect_ends(&bench);
    make_prices(&bench);
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < ARRAY_SIZE(FIGURES); i++) {
            FIGURES[i].run(&bench); /* into the caches that the one before has emptied */
            double start = now_s();
            size_t calls = FIGURES[i].run(&bench);
            seconds[i][round] = (now_s() - start) / (double)calls;
        }
    for (size_t i = 0; i < ARRAY_SIZE(FIGURES); i++) {
        qsort(seconds[i], rounds, sizeof *seconds[i], compare);
        printf("%s %.9g\n", FIGURES[i].name, seconds[i][rounds / 2]);
    }
    close(bench.ends[0]);
    close(bench.ends[1]);
    free(bench.in);
    free(bench.out);
    return 0;
}
