#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

#include "program/output.h"

bool vision_fail(const char *format, ...)
{
    char line[PROGRAM_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    program_say("smoe-classify", "%s", line);
    return false;
}
