/*
 * config_value.c - "16MiB", "250ms" and "debug" to numbers and back.
 *
 * Integers throughout: no locale, and what is written is read back exactly.
 */
#include "config_table.h"

#include <inttypes.h>
#include <string.h>

#include "base.h"

struct unit {
    const char *name;
    uint64_t size;
};

static const struct unit *unit_find(const struct unit *units, const char *name)
{
    for (; units->name != NULL; units++)
        if (strcmp(units->name, name) == 0)
            return units;
    return NULL;
}

/* The digits at *text, which is moved behind them; too large a number is UINT64_MAX. */
static uint64_t read_digits(const char **text)
{
    uint64_t number = 0;
    bool too_large = false;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        too_large |= __builtin_mul_overflow(number, UINT64_C(10), &number);
        too_large |= __builtin_add_overflow(number, (uint64_t)(**text - '0'), &number);
    }
    return too_large ? UINT64_MAX : number;
}

static uint64_t multiply(uint64_t number, uint64_t size)
{
    uint64_t product;
    return __builtin_mul_overflow(number, size, &product) ? UINT64_MAX : product;
}

static const char *parse_count(const char *text, uint64_t *out)
{
    const char *at = text;
    const uint64_t number = read_digits(&at);
    if (at == text || *at != '\0')
        return "is not a whole number";
    *out = number;
    return NULL;
}

static const char *parse_bytes(const char *text, uint64_t *out)
{
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", 1024 * MIB}, {NULL, 0}};
    const char *at = text;
    const uint64_t number = read_digits(&at);
    const struct unit *unit = unit_find(units, at);
    if (at == text || unit == NULL)
        return "is not a size, such as 4096, 64KiB, 16MiB or 1GiB";
    *out = multiply(number, unit->size);
    return NULL;
}

static const struct unit *time_units(void)
{
    static const struct unit units[] = {{"h", 3600 * NS_PER_S},
                                        {"m", 60 * NS_PER_S},
                                        {"s", NS_PER_S},
                                        {"ms", NS_PER_MS},
                                        {"us", NS_PER_US},
                                        {"ns", 1},
                                        {NULL, 0}};
    return units;
}

/* What the digits behind the point are worth; false when it is no whole number of ns. */
static bool parse_fraction(const char *digits, size_t count, uint64_t unit_ns, uint64_t *out)
{
    uint64_t sum = 0, divisor = 1;
    for (size_t i = 0; i < count; i++) {
        const uint64_t digit = (uint64_t)(digits[i] - '0');
        if (digit == 0 && divisor > unit_ns)
            continue;
        divisor *= 10; /* at most 100 times an hour of ns, as a digit then fails the test below */
        if (digit * unit_ns % divisor != 0)
            return false;
        sum += digit * unit_ns / divisor;
    }
    *out = sum;
    return true;
}

static const char *parse_duration(const char *text, uint64_t *out)
{
    static const char wrong[] = "is not a duration, such as 5s, 250ms or 100us";
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return NULL;
    }
    const char *at = text;
    const uint64_t whole = read_digits(&at);
    if (at == text)
        return wrong;
    const char *fraction = at;
    if (*at == '.') {
        fraction = ++at;
        read_digits(&at);
        if (at == fraction)
            return wrong;
    }
    const struct unit *unit = unit_find(time_units(), at);
    if (unit == NULL)
        return wrong;
    uint64_t part;
    if (!parse_fraction(fraction, (size_t)(at - fraction), unit->size, &part))
        return "is finer than a nanosecond";
    const uint64_t ns = multiply(whole, unit->size);
    *out = ns > UINT64_MAX - part ? UINT64_MAX : ns + part;
    return NULL;
}

static const char *parse_bool(const char *text, uint64_t *out)
{
    const bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return "is neither true nor false";
    *out = yes;
    return NULL;
}

const char *setting_choice(const struct setting *setting, size_t index, size_t *bytes)
{
    const char *at = setting->choices;
    for (; index > 0; index--) {
        at = strchr(at, '|');
        if (at == NULL)
            return NULL;
        at++;
    }
    *bytes = strcspn(at, "|");
    return at;
}

static const char *parse_choice(const struct setting *setting, const char *text, uint64_t *out)
{
    const char *choice;
    size_t bytes;
    for (size_t i = 0; (choice = setting_choice(setting, i, &bytes)) != NULL; i++) {
        if (strlen(text) != bytes || memcmp(text, choice, bytes) != 0)
            continue;
        *out = i;
        return NULL;
    }
    return "is not one of";
}

const char *setting_parse_number(const struct setting *setting, const char *text, uint64_t *out)
{
    switch (setting->kind) {
    case SETTING_COUNT:
        return parse_count(text, out);
    case SETTING_BYTES:
        return parse_bytes(text, out);
    case SETTING_DURATION:
        return parse_duration(text, out);
    case SETTING_BOOL:
        return parse_bool(text, out);
    case SETTING_CHOICE:
    case SETTING_TEXT: /* one with choices */
        return parse_choice(setting, text, out);
    case SETTING_LISTENERS:
        break;
    }
    return "is not a number";
}

/* --- Back to text. */

static void format_bytes(uint64_t bytes, struct buffer *out)
{
    static const struct unit units[] = {{"GiB", 1024 * MIB}, {"MiB", MIB}, {"KiB", KIB}};
    /* 1024 reads as well as 1KiB. */
    for (size_t i = 0; bytes >= 8 * KIB && i < ARRAY_SIZE(units); i++) {
        if (bytes % units[i].size != 0)
            continue;
        buffer_append_format(out, "%" PRIu64 "%s", bytes / units[i].size, units[i].name);
        return;
    }
    buffer_append_format(out, "%" PRIu64, bytes);
}

static void format_duration(uint64_t ns, struct buffer *out)
{
    const struct unit *unit = time_units();
    if (ns == 0) {
        buffer_append_str(out, "0");
        return;
    }
    /* Minutes are only read: 90s and 60s say the same without arithmetic. */
    while (ns % unit->size != 0 || unit->size == 60 * NS_PER_S)
        unit++;
    buffer_append_format(out, "%" PRIu64 "%s", ns / unit->size, unit->name);
}

void setting_format_number(const struct setting *setting, uint64_t number, struct buffer *out)
{
    size_t bytes;
    const char *choice;
    switch (setting->kind) {
    case SETTING_COUNT:
        buffer_append_format(out, "%" PRIu64, number);
        break;
    case SETTING_BYTES:
        format_bytes(number, out);
        break;
    case SETTING_DURATION:
        format_duration(number, out);
        break;
    case SETTING_BOOL:
        buffer_append_str(out, number != 0 ? "true" : "false");
        break;
    case SETTING_CHOICE:
        choice = setting_choice(setting, (size_t)number, &bytes);
        if (choice != NULL)
            buffer_append(out, choice, bytes);
        break;
    case SETTING_TEXT:
    case SETTING_LISTENERS:
        break;
    }
}

/* --- Where it lies in the struct. */

uint64_t setting_load(const struct setting *setting, const void *object)
{
    const char *at = (const char *)object + setting->offset;
    switch (setting->kind) {
    case SETTING_COUNT:
    case SETTING_BYTES:
        return *(const size_t *)(const void *)at;
    case SETTING_DURATION:
        return *(const uint64_t *)(const void *)at;
    case SETTING_BOOL:
        return *(const bool *)(const void *)at;
    case SETTING_CHOICE:
        return *(const unsigned *)(const void *)at;
    case SETTING_TEXT:
    case SETTING_LISTENERS:
        break;
    }
    return 0;
}

/* The enums of the log are unsigned ints to both of our compilers; this would not compile else. */
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "choices are stored as unsigned");
_Static_assert(sizeof(enum log_format) == sizeof(unsigned), "choices are stored as unsigned");

void setting_store(const struct setting *setting, void *object, uint64_t number)
{
    char *at = (char *)object + setting->offset;
    switch (setting->kind) {
    case SETTING_COUNT:
    case SETTING_BYTES:
        *(size_t *)(void *)at = (size_t)number;
        break;
    case SETTING_DURATION:
        *(uint64_t *)(void *)at = number;
        break;
    case SETTING_BOOL:
        *(bool *)(void *)at = number != 0;
        break;
    case SETTING_CHOICE:
        *(unsigned *)(void *)at = (unsigned)number;
        break;
    case SETTING_TEXT:
    case SETTING_LISTENERS:
        break;
    }
}
