/* Help and the version, on stdout. */
#ifndef PROGRAM_OPTION_HELP_H
#define PROGRAM_OPTION_HELP_H

#include "options.h"

/* Both give the exit status: 1 where stdout cannot be written. */
int program_print_help(const program_desc *program);
int program_print_version(const program_desc *program);

#endif
