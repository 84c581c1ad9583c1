/*
 * tenants.h - who a request is from: the tenants of the configuration, and their keys.
 *
 *   Threads    read-only once loaded.
 *   Index      0 is "shared", whoever is nobody else; the others follow in the file's order.
 */
#ifndef TENANTS_H
#define TENANTS_H

#include "batcher.h"
#include "config.h"
#include "http_exchange.h"

enum {
    TENANT_KEY_BYTES_MAX = 256,
    TENANT_UNAUTHORIZED = -1
};

struct tenant {
    const char *name; /* the configuration's */
    size_t name_bytes;
    unsigned weight;
    char key[TENANT_KEY_BYTES_MAX]; /* empty: it has none */
    size_t key_bytes;
};

struct tenants {
    struct tenant of[BATCHER_TENANTS_MAX];
    unsigned count; /* with "shared" */
    bool have_keys;
};

/* Reads the keys' files. NULL, or the path of the one that holds no key. */
const char *tenants_load(struct tenants *tenants, const struct config *config);

/*
 * By key when one is given and any tenant has one, else by name. TENANT_UNAUTHORIZED for a key that
 * is nobody's, and for the name of a tenant that has a key.
 */
int tenants_find(const struct tenants *tenants, struct http_slice name,
                 struct http_slice authorization);

/* Whether text is "Bearer TOKEN". Takes as long whatever differs. */
bool bearer_is(struct http_slice text, const char *token, size_t token_bytes);

/* The first line of the file without its end; how many bytes, 0: there is none that fits. */
size_t token_read(const char *path, char *token, size_t room);

#endif
