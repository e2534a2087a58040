#include "fail.h"

#include <stdarg.h>

#include "program/text.h"

static bool progress_shown;

bool vision_fail(const char *format, ...)
{
    char line[16384]; /* some file names and what is wrong with them; more is cut off */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs(progress_shown ? "\r\033[Ksmoe-classify: " : "smoe-classify: ", stderr);
    program_print(stderr, line);
    fputc('\n', stderr);
    progress_shown = false;
    return false;
}

void vision_show_progress(const char *line)
{
    if (line)
        fprintf(stderr, "\r%s", line);
    else if (progress_shown)
        fputc('\n', stderr);
    progress_shown = line != NULL;
}
