/* How this program says what went wrong. */
#ifndef VISION_FAIL_H
#define VISION_FAIL_H

#include <stdbool.h>

/* Prints one line to stderr that begins with the program's name; a progress bar makes room. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
bool vision_fail(const char *format, ...);

#endif
