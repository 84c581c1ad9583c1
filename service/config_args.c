/*
 * config_args.c - settings from environment variables and flags.
 */
#include "config_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

const char *config_variable_name(const struct setting *setting, char *name, size_t bytes)
{
    struct buffer text = {.data = name, .capacity_bytes = bytes - 1, .bytes_max = bytes - 1};
    setting_variable(setting, &text);
    name[text.bytes] = '\0';
    return name;
}

static bool unknown_variable(struct config_loader *loader, const char *name)
{
    struct suggestion meant = {.wanted = name};
    const struct setting *setting;
    char known[128];
    suggest(&meant, "JITNEY_CONFIG");
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++)
        suggest(&meant, config_variable_name(setting, known, sizeof known));
    const struct config_place place = {.name = name};
    if (meant.best[0] == '\0')
        return config_fail(loader, &place, "unknown variable");
    return config_fail(loader, &place, "unknown variable; did you mean %s?", meant.best);
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Not ours: see config.h. */
static bool is_foreign_variable(const char *name)
{
    return starts_with(name, "JITNEY_TEST_") || starts_with(name, "JITNEY_SERVICE_") ||
           strcmp(name, "JITNEY_PORT") == 0 || starts_with(name, "JITNEY_PORT_");
}

static const struct setting *find_variable(const char *name)
{
    const struct setting *setting;
    char known[128];
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++)
        if (strcmp(name, config_variable_name(setting, known, sizeof known)) == 0)
            return setting;
    return NULL;
}

/* Addresses stand between commas. */
static bool set_from_variable(struct config_loader *loader, const struct setting *setting,
                              const char *name, char *value)
{
    const struct config_place place = {.name = name};
    if (setting->kind != SETTING_LISTENERS)
        return config_set_from(loader, setting, CONFIG_ENVIRONMENT, value, &place);
    char *rest = value;
    for (char *address; (address = strsep(&rest, ",")) != NULL;)
        if (!config_add_listener(loader, setting, CONFIG_ENVIRONMENT, address, &place))
            return false;
    return true;
}

/* `entry` is NAME=VALUE, and is taken apart. */
static bool load_variable(struct config_loader *loader, char *entry)
{
    char *value = entry;
    const char *name = strsep(&value, "=");
    if (is_foreign_variable(name) || strcmp(name, "JITNEY_CONFIG") == 0)
        return true;
    const struct setting *setting = find_variable(name);
    if (setting == NULL)
        return unknown_variable(loader, name);
    if (value == NULL || *value == '\0')
        return true;
    return set_from_variable(loader, setting, name, value);
}

bool config_load_environment(struct config_loader *loader, char *const *environment)
{
    for (; *environment != NULL; environment++) {
        if (!starts_with(*environment, "JITNEY_"))
            continue;
        char *entry = strdup(*environment);
        const struct config_place place = {.name = "JITNEY_*"};
        const bool ok = entry != NULL ? load_variable(loader, entry)
                                      : config_fail(loader, &place, "does not fit in memory");
        free(entry);
        if (!ok)
            return false;
    }
    return true;
}

const char *config_find_variable(char *const *environment, const char *name)
{
    const size_t bytes = strlen(name);
    for (; *environment != NULL; environment++)
        if (starts_with(*environment, name) && (*environment)[bytes] == '=')
            return (*environment)[bytes + 1] != '\0' ? *environment + bytes + 1 : NULL;
    return NULL;
}

/* --- Flags. */

/* A flag and its value, from one argument (--workers=2) or two (--workers 2). */
struct flag {
    char name[64];
    const char *value; /* NULL: there is none */
};

/* How many arguments it took: 1 or 2. */
static int split_flag(int left, char *const *argv, bool takes_value, struct flag *flag)
{
    const char *equals = strchr(argv[0], '=');
    if (equals != NULL) {
        flag->value = equals + 1;
        return 1;
    }
    const bool follows = takes_value && left > 1 && !starts_with(argv[1], "--");
    flag->value = follows ? argv[1] : NULL;
    return follows ? 2 : 1;
}

static const struct setting *find_flag(const char *name)
{
    const struct setting *setting;
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++)
        if (setting->flag != NULL && strcmp(setting->flag, name) == 0)
            return setting;
    return NULL;
}

static bool unknown_flag(struct config_loader *loader, const char *name)
{
    static const char *const others[] = {"--config", "--check-config", "--check-health",
                                         "--version", "--help"};
    struct suggestion meant = {.wanted = name};
    const struct setting *setting;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        suggest(&meant, others[i]);
    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++)
        if (setting->flag != NULL)
            suggest(&meant, setting->flag);
    const struct config_place place = {.name = name};
    if (meant.best[0] == '\0')
        return config_fail(loader, &place, "unknown flag; --help shows those there are");
    return config_fail(loader, &place, "unknown flag; did you mean %s?", meant.best);
}

/* One of those without a value. */
static bool *find_command(struct config_commands *commands, const char *name)
{
    if (strcmp(name, "--help") == 0)
        return &commands->help;
    if (strcmp(name, "--version") == 0)
        return &commands->version;
    if (strcmp(name, "--check-health") == 0)
        return &commands->check_health;
    return strcmp(name, "--check-config") == 0 ? &commands->check_only : NULL;
}

/* Takes the flag at argv[0]; how many arguments that were, or 0 after a failure. */
static int load_flag(struct config_loader *loader, int left, char *const *argv,
                     struct config_commands *commands)
{
    struct flag flag;
    snprintf(flag.name, sizeof flag.name, "%.*s", (int)strcspn(argv[0], "="), argv[0]);
    const struct config_place place = {.name = flag.name};
    const struct setting *setting = find_flag(flag.name);
    bool *command = find_command(commands, flag.name);
    const bool is_file = strcmp(flag.name, "--config") == 0;
    if (!starts_with(flag.name, "--"))
        return config_fail(loader, &place, "is no flag; --help shows those there are");
    if (setting == NULL && command == NULL && !is_file)
        return unknown_flag(loader, flag.name);

    const int taken = split_flag(left, argv, command == NULL, &flag);
    if (command != NULL && flag.value != NULL)
        return config_fail(loader, &place, "takes no value");
    if (command != NULL)
        *command = true;
    else if (flag.value == NULL || *flag.value == '\0')
        return config_fail(loader, &place, "needs a value");
    else if (is_file)
        commands->file = flag.value;
    else if (loader->config != NULL &&
             !config_set_from(loader, setting, CONFIG_FLAG, flag.value, &place))
        return 0;
    return taken;
}

bool config_load_flags(struct config_loader *loader, int argc, char *const *argv,
                       struct config_commands *commands)
{
    for (int i = 1; i < argc && !commands->help && !commands->version;) {
        const int taken = load_flag(loader, argc - i, argv + i, commands);
        if (taken == 0)
            return false;
        i += taken;
    }
    return true;
}
