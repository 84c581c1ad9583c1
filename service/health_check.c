#include "health_check.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    WAIT_S_MAX = 2, /* for each step; a container's health check has a few seconds */
};

static const char REQUEST[] = "GET /v2/health/ready HTTP/1.1\r\n"
                              "Host: localhost\r\n"
                              "Connection: close\r\n\r\n";
static const char OK_LINE[] = "HTTP/1.1 200 ";

static bool say(const struct config_listener *listener, const char *what,
                struct health_answer *answer)
{
    snprintf(answer->text, sizeof answer->text, "%s: %s", listener->text, what);
    return false;
}

/* A socket that is connected, or -1 with errno set. */
static int connect_socket(int family, const struct sockaddr *address, socklen_t bytes)
{
    const struct timeval wait = {.tv_sec = WAIT_S_MAX};
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* The one for sending bounds connect() too. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, address, bytes) == 0)
        return fd;
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect_socket(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

/* 0.0.0.0 and [::] mean this machine to connect() as well. */
static int connect_tcp(const struct config_listener *listener)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char service[8];
    snprintf(service, sizeof service, "%u", listener->port & 0xffff);
    struct addrinfo *list;
    if (getaddrinfo(listener->host, service, &hints, &list) != 0) {
        errno = EINVAL;
        return -1;
    }
    const int fd = connect_socket(list->ai_family, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return fd;
}

/* The status line, without its end; "" when the server said less than that. */
static void ask(int fd, char *line, size_t bytes)
{
    size_t got = 0;
    ssize_t n = send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL);
    while (n > 0 && memchr(line, '\n', got) == NULL && got < bytes - 1) {
        n = recv(fd, line + got, bytes - 1 - got, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    line[got] = '\0';
    const char *end = memchr(line, '\n', got);
    line[end != NULL ? strcspn(line, "\r\n") : 0] = '\0';
}

bool health_check(const struct config_listener *listener, struct health_answer *answer)
{
    const int fd =
        listener->unix_path != NULL ? connect_unix(listener->unix_path) : connect_tcp(listener);
    if (fd < 0)
        return say(listener, strerror(errno), answer);
    char line[128];
    ask(fd, line, sizeof line);
    close(fd);
    if (line[0] == '\0')
        return say(listener, "no answer", answer);
    if (strncmp(line, OK_LINE, sizeof OK_LINE - 1) != 0)
        return say(listener, line, answer);
    say(listener, "ready", answer);
    return true;
}
