#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

#include "program/output.h"

bool vision_fail(const char *format, ...)
{
    char line[16384]; /* some file names and what is wrong with them; more is cut off */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    program_say("smoe-classify", line);
    return false;
}
