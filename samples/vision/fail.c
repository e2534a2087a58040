#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

bool vision_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("smoe-classify: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}
