/*
 * quantity.c - see quantity.h.
 */
#include "quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double DURATION_NS_MAX = 86400e9;

struct unit {
    const char *name;
    double factor;
};

static const struct unit *unit_named(const char *name, const struct unit *units, size_t count)
{
    name += strspn(name, " ");
    for (size_t i = 0; i < count; i++)
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

/* Decimal digits: strtod() also takes "inf", "nan" and hexadecimal. */
static bool parse(const char *text, const struct unit *units, size_t count, double *out)
{
    char *end;
    text += strspn(text, " ");
    if (strchr("0123456789.", *text) == NULL || strpbrk(text, "xX") != NULL)
        return false;
    const double value = strtod(text, &end);
    const struct unit *unit = unit_named(end, units, count);
    if (end == text || unit == NULL || !isfinite(value * unit->factor))
        return false;
    *out = value * unit->factor;
    return true;
}

bool quantity_parse_duration(const char *text, uint64_t *out_ns)
{
    static const struct unit units[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                                        {"s", 1e9}, {"m", 60e9}, {"min", 60e9}};
    double ns;
    if (strcmp(text, "0") == 0) {
        *out_ns = 0;
        return true;
    }
    if (!parse(text, units, ARRAY_SIZE(units), &ns) || ns > DURATION_NS_MAX)
        return false;
    *out_ns = (uint64_t)(ns + 0.5);
    return true;
}

bool quantity_parse_share(const char *text, double *out)
{
    static const struct unit units[] = {{"", 1}, {"%", 0.01}};
    double share;
    if (!parse(text, units, ARRAY_SIZE(units), &share) || share > 1)
        return false;
    *out = share;
    return true;
}

bool quantity_parse_number(const char *text, double *out)
{
    static const struct unit units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"/s", 1}};
    return parse(text, units, ARRAY_SIZE(units), out);
}

const char *quantity_print_duration(double ns, char *out, size_t out_bytes)
{
    static const struct unit units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    size_t unit = 0;
    while (unit + 1 < ARRAY_SIZE(units) && ns >= 999.5 * units[unit].factor)
        unit++;
    const double value = ns / units[unit].factor;
    const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(out, out_bytes, "%.*f %s", decimals, value, units[unit].name);
    return out;
}
