/* Files that come with the programs: models, and what they are shown on. */
#ifndef PROGRAM_DATA_H
#define PROGRAM_DATA_H

#include <stdbool.h>

#include "base/system.h"

/* The default of an option that names such a file. name: "digits/model.safetensors", which is looked for
 *     in PREFIX/share/smoe, for a program that is installed in PREFIX/bin,
 *     in samples, seen from build/bin and build/CONFIGURATION/bin, and from the current folder.
 * started: how the program was called, for systems that do not tell where its file is. False once `program` has said
 * where it was looked for. */
bool program_find_data(const char *program, const char *started, const char *option, const char *name,
                       char path[SMOE_SYSTEM_NAME_SIZE]);

#endif
