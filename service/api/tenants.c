#include "tenants.h"

#include <stdio.h>
#include <string.h>

size_t token_read(const char *path, char *token, size_t room)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool ok = fgets(token, (int)room, file) != NULL;
    fclose(file);
    size_t bytes = ok ? strcspn(token, "\r\n") : 0;
    /* Without an end of line in it, there was more than fits. */
    if (ok && token[bytes] == '\0' && bytes == room - 1)
        bytes = 0;
    token[bytes] = '\0';
    return bytes;
}

const char *tenants_load(struct tenants *tenants, const struct config *config)
{
    *tenants = (struct tenants){.count = 1};
    tenants->of[0] = (struct tenant){.name = "shared", .name_bytes = 6, .weight = 1};
    for (size_t i = 0; i < config->tenants_count; i++) {
        const struct config_tenant *from = &config->tenants[i];
        struct tenant *tenant = &tenants->of[tenants->count++];
        *tenant = (struct tenant){
            .name = from->name, .name_bytes = strlen(from->name), .weight = (unsigned)from->weight};
        if (from->api_key_file == NULL)
            continue;
        tenant->key_bytes = token_read(from->api_key_file, tenant->key, sizeof tenant->key);
        if (tenant->key_bytes == 0)
            return from->api_key_file;
        tenants->have_keys = true;
    }
    return NULL;
}

bool bearer_is(struct http_slice text, const char *token, size_t token_bytes)
{
    static const char scheme[] = "Bearer ";
    size_t offset = sizeof scheme - 1;
    if (text.bytes != offset + token_bytes || memcmp(text.at, scheme, offset) != 0)
        return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < token_bytes; i++)
        difference |= (unsigned char)(text.at[offset + i] ^ token[i]);
    return difference == 0;
}

static int find_by_key(const struct tenants *tenants, struct http_slice authorization)
{
    int found = TENANT_UNAUTHORIZED;
    for (unsigned i = 1; i < tenants->count; i++) {
        const struct tenant *tenant = &tenants->of[i];
        if (tenant->key_bytes > 0 && bearer_is(authorization, tenant->key, tenant->key_bytes))
            found = (int)i;
    }
    return found;
}

int tenants_find(const struct tenants *tenants, struct http_slice name,
                 struct http_slice authorization)
{
    if (tenants->have_keys && authorization.at != NULL)
        return find_by_key(tenants, authorization);
    for (unsigned i = 1; name.at != NULL && i < tenants->count; i++) {
        const struct tenant *tenant = &tenants->of[i];
        if (name.bytes == tenant->name_bytes && memcmp(name.at, tenant->name, name.bytes) == 0)
            return tenant->key_bytes == 0 ? (int)i : TENANT_UNAUTHORIZED;
    }
    return 0;
}
