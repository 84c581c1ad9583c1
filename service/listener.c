#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const struct config_listener *listener, int fd, const char *reason,
                struct listener_error *error)
{
    snprintf(error->text, sizeof error->text, "%s: %s", listener->text, reason);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int new_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* --- Unix sockets */

/* Whether someone accepts on the path, which is then not ours to replace. */
static bool is_live(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    int rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
    bool dead = rc != 0 && errno == ECONNREFUSED;
    close(fd);
    return !dead;
}

static int bind_unix(const struct config_listener *listener, struct listener_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(listener->unix_path) >= sizeof address.sun_path)
        return fail(listener, -1, "the path is too long for a Unix socket", error);
    memcpy(address.sun_path, listener->unix_path, strlen(listener->unix_path) + 1);
    struct stat info;
    if (lstat(listener->unix_path, &info) == 0) {
        if (!S_ISSOCK(info.st_mode))
            return fail(listener, -1, "something that is not a socket is there", error);
        if (is_live(&address))
            return fail(listener, -1, "another process serves it", error);
        unlink(listener->unix_path); /* if this fails, bind says why */
    }
    int fd = new_socket(AF_UNIX);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return fail(listener, fd, strerror(errno), error);
    return fd;
}

/* --- TCP */

static int bind_address(const struct config_listener *listener, const struct addrinfo *info,
                        bool shared_port, struct listener_error *error)
{
    int on = 1;
    int fd = new_socket(info->ai_family);
    if (fd < 0)
        return fail(listener, fd, strerror(errno), error);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (shared_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        (info->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0)
        return fail(listener, fd, strerror(errno), error);
    return fd;
}

static int bind_tcp(const struct config_listener *listener, unsigned port, bool shared_port,
                    struct listener_error *error)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port & 0xffff);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(listener->host, service, &hints, &list);
    if (rc != 0)
        return fail(listener, -1, gai_strerror(rc), error);
    int fd = bind_address(listener, list, shared_port, error);
    freeaddrinfo(list);
    return fd;
}

int listener_bind(const struct config_listener *listener, unsigned port, bool shared_port,
                  struct listener_error *error)
{
    if (listener->unix_path != NULL)
        return bind_unix(listener, error);
    return bind_tcp(listener, port != 0 ? port : listener->port, shared_port, error);
}

unsigned listener_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

void listener_address(const struct config_listener *listener, int fd, char *text, size_t bytes)
{
    if (listener->unix_path != NULL)
        snprintf(text, bytes, "unix:%s", listener->unix_path);
    else
        snprintf(text, bytes, strchr(listener->host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                 listener->host, listener_port(fd));
}
