/*
 * raw_epoll.c - the floor: what a request costs that is only read and answered.
 *
 *   raw_epoll 127.0.0.1:0 200         prints "listening 127.0.0.1:PORT" and serves
 *   raw_epoll unix:/tmp/raw.sock 200  the same on a Unix socket
 *
 * Answers every request with the same 200 and so many bytes of body, as soon as the
 * last byte of the request is there. It knows where a request ends (an empty line, and
 * "Content-Length:" spelt so) and nothing else of HTTP: no path, no method, no limit, no timeout,
 * no pipelining. So it is no server to use, but what a server that parses, computes and
 * formats is to be compared with: the same kernel does the same work for both.
 *
 *   One thread, level-triggered epoll; one read and one write a request, and their share
 *   of an epoll_wait. No epoll_ctl but for new connections, no allocation but for these.
 *
 * SIGTERM and SIGINT end it with 0; a client that breaks the rules above is dropped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    HEAD_BYTES_MAX = 4096,
    READ_BYTES = 64 * 1024,
    ANSWER_BYTES_MAX = 16 * 1024 * 1024,
    EVENTS_MAX = 512,
    BACKLOG = 4096,
};

/* A connection. Kept is only what has come of an incomplete head; of a body, nothing. */
struct client {
    int fd;
    LIST_ENTRY(client) link;
    size_t body_left; /* of a request whose head is complete */
    size_t head_bytes;
    char head[HEAD_BYTES_MAX];
};

LIST_HEAD(client_list, client);

struct server {
    int listener;
    int signals;
    int epoll;
    const char *unix_path; /* NULL: TCP */
    struct client_list clients;
    char *answer;
    size_t answer_bytes;
    char received[READ_BYTES]; /* of whichever client is being read */
};

static void fail(const char *what)
{
    fprintf(stderr, "raw_epoll: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- Requests. */

/* The bytes of body that the head announces. */
static size_t content_length(const char *head, size_t bytes)
{
    static const char name[] = "\r\nContent-Length:";
    const char *at = memmem(head, bytes, name, sizeof name - 1);
    return at != NULL ? strtoul(at + sizeof name - 1, NULL, 10) : 0;
}

enum progress {
    PROGRESS_MORE,  /* is to come */
    PROGRESS_WHOLE, /* the request is there */
    PROGRESS_WRONG,
};

static enum progress take_body(struct client *client, size_t left, size_t bytes)
{
    if (bytes > left)
        return PROGRESS_WRONG;
    client->body_left = left - bytes;
    return client->body_left == 0 ? PROGRESS_WHOLE : PROGRESS_MORE;
}

static enum progress keep_head(struct client *client, const char *data, size_t bytes)
{
    if (bytes > sizeof client->head)
        return PROGRESS_WRONG;
    memcpy(client->head, data, bytes);
    client->head_bytes = bytes;
    return PROGRESS_MORE;
}

/* `data` is more of a body, or begins where the head does. */
static enum progress take(struct client *client, const char *data, size_t bytes)
{
    if (client->body_left > 0)
        return take_body(client, client->body_left, bytes);
    const char *end = memmem(data, bytes, "\r\n\r\n", 4);
    if (end == NULL)
        return keep_head(client, data, bytes);
    const size_t head_bytes = (size_t)(end - data) + 4;
    client->head_bytes = 0;
    return take_body(client, content_length(data, head_bytes), bytes - head_bytes);
}

/* --- Connections. */

static void drop(struct client *client)
{
    LIST_REMOVE(client, link);
    close(client->fd); /* which takes it out of the epoll, too */
    free(client);
}

static void watch(const struct server *server, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

static void accept_client(struct server *server)
{
    const int one = 1;
    const int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return; /* it left again */
    if (server->unix_path == NULL)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct client *client = malloc(sizeof *client);
    if (client == NULL)
        fail("a connection");
    client->fd = fd;
    client->body_left = 0;
    client->head_bytes = 0;
    LIST_INSERT_HEAD(&server->clients, client, link);
    watch(server, fd, client);
}

/* One that does not read its answers is dropped: nothing is kept to be sent later. */
static bool answer(const struct server *server, const struct client *client)
{
    return write(client->fd, server->answer, server->answer_bytes) == (ssize_t)server->answer_bytes;
}

static void serve_client(struct server *server, struct client *client)
{
    const size_t kept = client->head_bytes;
    memcpy(server->received, client->head, kept);
    const ssize_t bytes = read(client->fd, server->received + kept, READ_BYTES - kept);
    if (bytes < 0 && errno == EAGAIN)
        return;
    if (bytes <= 0)
        return drop(client);
    switch (take(client, server->received, kept + (size_t)bytes)) {
    case PROGRESS_MORE:
        return;
    case PROGRESS_WHOLE:
        if (answer(server, client))
            return;
        break;
    case PROGRESS_WRONG:
        break;
    }
    drop(client);
}

/* --- The server. */

/* The listener's event is the server itself, that of signals NULL; all others are clients. */
static void serve(struct server *server)
{
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        const int count = epoll_wait(server->epoll, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                return;
            if (events[i].data.ptr == server)
                accept_client(server);
            else
                serve_client(server, events[i].data.ptr);
        }
    }
}

static void listen_unix(struct server *server, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof address.sun_path)
        fail(path);
    strcpy(address.sun_path, path);
    unlink(path);
    server->unix_path = path;
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(server->listener, (const struct sockaddr *)&address, sizeof address) != 0)
        fail(path);
    if (listen(server->listener, BACKLOG) != 0)
        fail(path);
    printf("listening unix:%s\n", path);
}

/* `text` is IP:PORT; with port 0 the kernel chooses one. */
static void listen_tcp(struct server *server, char *text)
{
    const int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof address;
    char *host = strsep(&text, ":");
    errno = EINVAL;
    if (text == NULL || inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail(host);
    address.sin_port = htons((uint16_t)strtoul(text, NULL, 10));
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server->listener, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("bind");
    if (listen(server->listener, BACKLOG) != 0)
        fail("listen");
    if (getsockname(server->listener, (struct sockaddr *)&address, &bytes) != 0)
        fail("getsockname");
    printf("listening %s:%u\n", host, ntohs(address.sin_port));
}

static void take_signals(struct server *server)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* write() tells */
    server->signals = signalfd(-1, &set, SFD_CLOEXEC);
}

static void make_answer(struct server *server, size_t body_bytes)
{
    char head[128];
    const int head_bytes = snprintf(head, sizeof head,
                                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                    "Content-Length: %zu\r\n\r\n",
                                    body_bytes);
    server->answer_bytes = (size_t)head_bytes + body_bytes;
    server->answer = malloc(server->answer_bytes);
    if (server->answer == NULL)
        fail("the answer");
    memcpy(server->answer, head, (size_t)head_bytes);
    memset(server->answer + head_bytes, ' ', body_bytes);
}

static void open_server(struct server *server, char *address, size_t body_bytes)
{
    *server = (struct server){.clients = LIST_HEAD_INITIALIZER(server->clients)};
    make_answer(server, body_bytes);
    take_signals(server);
    if (strncmp(address, "unix:", 5) == 0)
        listen_unix(server, address + 5);
    else
        listen_tcp(server, address);
    fflush(stdout);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(server, server->listener, server);
    watch(server, server->signals, NULL);
}

static void close_server(struct server *server)
{
    while (!LIST_EMPTY(&server->clients))
        drop(LIST_FIRST(&server->clients));
    close(server->listener);
    close(server->signals);
    close(server->epoll);
    if (server->unix_path != NULL)
        unlink(server->unix_path);
    free(server->answer);
    free(server);
}

int main(int argc, char **argv)
{
    char *end = NULL;
    const unsigned long body_bytes = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
    if (argc != 3 || *argv[2] < '0' || *argv[2] > '9' || *end != '\0' ||
        body_bytes > ANSWER_BYTES_MAX) {
        fputs("Usage: raw_epoll IP:PORT|unix:PATH BODY_BYTES\n", stderr);
        return 2;
    }
    struct server *server = malloc(sizeof *server);
    if (server == NULL)
        fail("out of memory");
    open_server(server, argv[1], body_bytes);
    serve(server);
    close_server(server);
    return 0;
}
