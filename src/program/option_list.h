/* Values that are lists and ranges. */
#ifndef PROGRAM_OPTION_LIST_H
#define PROGRAM_OPTION_LIST_H

#include "options.h"

enum { PROGRAM_ITEM_SIZE = 80 };

/* Takes the first item of a list, and moves *list behind its comma. False past the last one. What is too long is cut
 * off, and so no item of any list. */
bool program_next_item(const char **list, char item[PROGRAM_ITEM_SIZE]);

/* What one number of a list must be. */
typedef bool program_read_one(const program_option *option, const char *text, double *out, char *rule);

/* Sets an option of PROGRAM_KIND_COUNTS or _FORWARDS. to: the option's program_counts or program_floats. */
bool program_set_list(const program_option *option, const char *value, program_read_one *read, void *to,
                      char rule[PROGRAM_RULE_SIZE]);

#endif
