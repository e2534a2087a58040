/* How this program says what went wrong. */
#ifndef VISION_FAIL_H
#define VISION_FAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Prints one line to stderr that begins with the program's name. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
bool vision_fail(const char *format, ...);

/* Bytes of the UTF-8 character at `text`, if it can be printed as it is; 0 if not, as the final 0. */
int vision_printable(const char *text);

/* Prints text that may be anything, file names above all, so that it stays on its line, moves no cursor and turns no direction: control
 * characters and bytes that are no UTF-8 as \n, \t or \x1b. */
void vision_print(FILE *to, const char *text);

/* The same, cut to `most` columns and with blanks up to `least`: behind it, or before it where it stands to the right. */
void vision_print_name(FILE *to, const char *name, uint32_t least, uint32_t most, bool right);

/* Shows a line at the end of stderr that the next one, or a message, replaces. Only for terminals. NULL: ends the last one. */
void vision_show_progress(const char *line);

#endif
