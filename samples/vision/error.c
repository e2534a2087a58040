#include "error.h"

#include <stdarg.h>
#include <stdio.h>

#include "program/output.h"

bool vision_error(const smoe_log *log, const char *format, ...)
{
    char line[PROGRAM_LINE_SIZE];
    va_list arguments;
    if (!log || !log->message)
        return false;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log->message(log->user, SMOE_LOG_ERROR, line);
    return false;
}
