/* How this program says what went wrong. */
#ifndef VISION_FAIL_H
#define VISION_FAIL_H

#include <stdbool.h>

/* Prints one line to stderr that begins with the program's name. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
bool vision_fail(const char *format, ...);

/* Shows a line at the end of stderr that the next one, or a message, replaces. Only for terminals. NULL: ends the last one. */
void vision_show_progress(const char *line);

#endif
