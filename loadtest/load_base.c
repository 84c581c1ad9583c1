/*
 * load_base.c - see load_base.h.
 */
#include "load_base.h"

#include <stdarg.h>
#include <stdio.h>

bool load_fail(struct load_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}
