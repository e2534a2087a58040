/* Values of options. */
#ifndef PROGRAM_OPTION_VALUE_H
#define PROGRAM_OPTION_VALUE_H

#include "options.h"

/* Whether a value follows the option, or is made of its being there. */
bool program_takes_value(const program_option *option);
bool program_may_repeat(const program_option *option);

/* As if the option had not been given: its fallback aside. */
void program_clear_value(const program_option *option, void *options);

/* False, with the rule that the value breaks. value: "" for a flag. */
bool program_set_value(const program_option *option, const char *value, void *options, char rule[PROGRAM_RULE_SIZE]);

#endif
