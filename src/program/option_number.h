/* Numbers as a command line has them. */
#ifndef PROGRAM_OPTION_NUMBER_H
#define PROGRAM_OPTION_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Digits, and where a power of ten is wanted "e" and its digits. False for anything else, and above PROGRAM_LARGEST. */
bool program_parse_count(const char *text, uint64_t *out);

/* Plain decimals only: strtod would take "inf", "nan", blanks and hexadecimals too. Programs leave the locale as C
 * starts it. */
bool program_parse_number(const char *text, double *out);

#endif
