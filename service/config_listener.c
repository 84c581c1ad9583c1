/*
 * config_listener.c - addresses to listen on.
 *
 * Hosts are numeric, as a name may mean several addresses, or others tomorrow;
 * only "localhost" is known. They are kept in their canonical form, so that two
 * ways of writing one address are equal.
 */
#include "config_table.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base.h"

enum {
    PORT_MAX = 65535
};

static const char UNIX_PREFIX[] = "unix:";

static const char *parse_unix(const char *text, struct config_listener *out)
{
    const char *path = text + strlen(UNIX_PREFIX);
    if (*path == '\0')
        return "has no path behind unix:";
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return "is too long: a Unix socket's path has at most 107 bytes";
    out->unix_path = strdup(path);
    return out->unix_path != NULL ? NULL : "does not fit in memory";
}

static bool parse_port(const char *text, unsigned *out)
{
    unsigned port = 0;
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    for (; *text != '\0'; text++)
        port = port * 10 + (unsigned)(*text - '0');
    *out = port;
    return port <= PORT_MAX;
}

/* The host in front of `colon`, canonical, in memory for the caller; NULL when it is none. */
static const char *parse_host(const char *text, const char *colon, struct config_listener *out)
{
    const bool v6 = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    const char *start = v6 ? text + 1 : text;
    const size_t bytes = (size_t)(colon - start) - (v6 ? 1 : 0);
    unsigned char address[sizeof(struct in6_addr)];
    char host[INET6_ADDRSTRLEN];
    if (bytes == 0)
        return "has no host: write 0.0.0.0:PORT or [::]:PORT for every interface";
    if (bytes >= sizeof host)
        return "is not IP:PORT, [IPv6]:PORT or unix:PATH";
    memcpy(host, start, bytes);
    host[bytes] = '\0';
    if (!v6 && strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    const int family = v6 ? AF_INET6 : AF_INET;
    if (inet_pton(family, host, address) != 1 ||
        inet_ntop(family, address, host, sizeof host) == NULL)
        return strchr(host, ':') != NULL && !v6
                   ? "is not IP:PORT: an IPv6 address stands in brackets, as in [::1]:8001"
                   : "is not IP:PORT, [IPv6]:PORT or unix:PATH";
    out->host = strdup(host);
    return out->host != NULL ? NULL : "does not fit in memory";
}

static const char *parse_tcp(const char *text, struct config_listener *out)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return "is not IP:PORT, [IPv6]:PORT or unix:PATH";
    if (!parse_port(colon + 1, &out->port))
        return "has no port from 0 to 65535";
    return parse_host(text, colon, out);
}

const char *listener_parse(const char *text, struct config_listener *out)
{
    struct config_listener listener = {0};
    const bool is_unix = strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
    const char *wrong = is_unix ? parse_unix(text, &listener) : parse_tcp(text, &listener);
    if (wrong == NULL) {
        listener.text = strdup(text);
        wrong = listener.text != NULL ? NULL : "does not fit in memory";
    }
    if (wrong != NULL)
        listener_deinit(&listener);
    else
        *out = listener;
    return wrong;
}

void listener_deinit(struct config_listener *listener)
{
    free(listener->text);
    free(listener->host);
    free(listener->unix_path);
    *listener = (struct config_listener){0};
}

bool listener_equals(const struct config_listener *a, const struct config_listener *b)
{
    if ((a->unix_path != NULL) != (b->unix_path != NULL))
        return false;
    if (a->unix_path != NULL)
        return strcmp(a->unix_path, b->unix_path) == 0;
    /* Port 0 is another port each time. */
    return a->port != 0 && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool config_listener_is_local(const struct config_listener *listener)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (listener->unix_path != NULL)
        return true;
    if (inet_pton(AF_INET, listener->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, listener->host, &v6) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}
