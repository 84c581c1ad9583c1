/*
 * target.h - where requests go: http://HOST:PORT, HOST:PORT or unix:PATH.
 */
#ifndef TARGET_H
#define TARGET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "load_base.h"

enum {
    TARGET_TEXT_BYTES_MAX = 300,
};

struct target {
    char text[TARGET_TEXT_BYTES_MAX]; /* as it was given, for messages */
    char host[TARGET_TEXT_BYTES_MAX]; /* of the Host field: "127.0.0.1:8001", or "localhost" */
    bool is_unix;
    char unix_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct sockaddr_storage address; /* of TCP */
};

/* Reads the text and looks up the name, which may take as long as the system's
 * resolver does. A URL has no path but "/". *out is untouched on failure. */
bool target_parse(const char *text, struct target *out, struct load_error *error)
    __attribute__((warn_unused_result));

#endif
