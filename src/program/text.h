/* Text of any bytes on a terminal. */
#ifndef PROGRAM_TEXT_H
#define PROGRAM_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes of the UTF-8 character at `text` (RFC 3629: only shortest forms, no surrogates), 0 for a byte that begins none.
 * code: the character's; of no use where there is none. */
int program_decode(const char *text, uint32_t *code);

/* Bytes of the UTF-8 character at `text`, if it can be printed as it is; 0 if not, as the final 0. */
int program_printable(const char *text);

/* Prints text that may be anything, file names above all, so that it stays on its line, moves no cursor and turns no
 * direction: control characters and bytes that are no UTF-8 as \n, \t or \x1b. */
void program_print(FILE *to, const char *text);

/* The same, cut to `most` columns and with blanks up to `least`: behind it, or before it where it stands to the
 * right. */
void program_print_name(FILE *to, const char *name, uint32_t least, uint32_t most, bool right);

#endif
