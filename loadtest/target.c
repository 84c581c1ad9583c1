/*
 * target.c - see target.h.
 */
#include "target.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool parse_unix(const char *text, struct target *target, struct load_error *error)
{
    const char *path = text + strlen("unix:");
    if (*path == '\0')
        return load_fail(error, "%s: no path stands behind unix:", text);
    if (strlen(path) >= sizeof target->unix_path)
        return load_fail(error, "%s: a Unix socket's path has at most %zu bytes", text,
                         sizeof target->unix_path - 1);
    target->is_unix = true;
    strcpy(target->unix_path, path);
    strcpy(target->host, "localhost");
    return true;
}

static bool look_up(const char *host, const char *port, struct target *target,
                    struct load_error *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const int rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0)
        return load_fail(error, "%s: %s", target->text, gai_strerror(rc));
    memcpy(&target->address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

/* `authority` is HOST:PORT, [IPv6]:PORT or HOST, and is taken apart. */
static bool parse_tcp(char *authority, struct target *target, struct load_error *error)
{
    strcpy(target->host, authority);
    const char *port = "80";
    char *colon = strrchr(authority, ':');
    char *bracket = strrchr(authority, ']');
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        *colon = '\0';
        port = colon + 1;
    }
    if (authority[0] == '[' && bracket != NULL) {
        *bracket = '\0';
        authority++;
    }
    if (*authority == '\0' || *port == '\0' || port[strspn(port, "0123456789")] != '\0')
        return load_fail(error, "%s: is not http://HOST:PORT, HOST:PORT or unix:PATH",
                         target->text);
    return look_up(authority, port, target, error);
}

bool target_parse(const char *text, struct target *out, struct load_error *error)
{
    struct target target = {0};
    char authority[TARGET_TEXT_BYTES_MAX];
    if (strlen(text) >= sizeof target.text)
        return load_fail(error, "the target is too long");
    strcpy(target.text, text);
    if (starts_with(text, "https:"))
        return load_fail(error, "%s: TLS is not spoken here; test behind the proxy", text);
    if (!starts_with(text, "unix:")) {
        strcpy(authority, text + (starts_with(text, "http://") ? strlen("http://") : 0));
        char *slash = strchr(authority, '/');
        if (slash != NULL && slash[1] != '\0')
            return load_fail(error, "%s: a target has no path; --model and --indicator say what",
                             text);
        if (slash != NULL)
            *slash = '\0';
        if (!parse_tcp(authority, &target, error))
            return false;
    } else if (!parse_unix(text, &target, error)) {
        return false;
    }
    *out = target;
    return true;
}
