#include "fail.h"

#include <stdarg.h>

#include "program/progress.h"
#include "program/text.h"

bool vision_fail(const char *format, ...)
{
    char line[16384]; /* some file names and what is wrong with them; more is cut off */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    program_progress_clear();
    fputs("smoe-classify: ", stderr);
    program_print(stderr, line);
    fputc('\n', stderr);
    return false;
}
