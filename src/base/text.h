/* Text that comes from outside: drivers, files. */
#ifndef SMOE_TEXT_H
#define SMOE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes of the character that begins at `at`, below end; 0 if that is not UTF-8. */
size_t smoe_utf8_size(const char *at, const char *end);
bool smoe_utf8_valid(const char *text);

/* Replaces every byte of a control character, which a terminal would obey, and every byte that is not UTF-8. False
 * where it replaced any. */
bool smoe_text_clean(char *text, char replacement);

/* A number with so many digits that count, as "%g" has it except that the decimal sign is a point: the process's
 * locale, which belongs to the app, may have another, of several bytes (ps_AF). Gives the text. digits: 9 at most. */
#define SMOE_NUMBER_SIZE 32
const char *smoe_number_text(char text[SMOE_NUMBER_SIZE], int digits, double value);

/* What smoe_number_text makes of text that printf has written. */
void smoe_number_clean(char *text);

#endif
