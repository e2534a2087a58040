/* What system_file.c asks of the system: system_file_posix.c or system_file_windows.c, of which a build has one. Each
 * that can fail leaves errno. */
#ifndef SMOE_BASE_SYSTEM_FILE_H
#define SMOE_BASE_SYSTEM_FILE_H

#include <errno.h>

#include "system.h"

/* Gives false. */
static inline bool smoe_system_too_long(void)
{
    errno = ENAMETOOLONG;
    return false;
}

/* False, with errno, for what is no regular file. */
static inline bool smoe_system_is_readable(smoe_system_kind kind)
{
    errno = kind == SMOE_SYSTEM_FOLDER ? EISDIR : ESPIPE;
    return kind == SMOE_SYSTEM_FILE;
}

static inline bool smoe_system_copy_name(const char *name, char out[SMOE_SYSTEM_NAME_SIZE])
{
    return snprintf(out, SMOE_SYSTEM_NAME_SIZE, "%s", name) < SMOE_SYSTEM_NAME_SIZE || smoe_system_too_long();
}

/* False where nothing has the name. */
bool smoe_system_identify_there(const char *name, smoe_system_identity *out);

/* Where links end; a name that is not there is its own. */
bool smoe_system_follow(const char *name, char out[SMOE_SYSTEM_NAME_SIZE]);

/* Where the last part of a name begins. */
const char *smoe_system_name_in_folder(const char *name);
bool smoe_system_names_differ(const char *a, const char *b);

/* A new file, for writing. NULL where the name is taken, too. What a file at the target allows, it will allow. */
FILE *smoe_system_make(const char *name, const char *target);
bool smoe_system_may_write(const char *name);
bool smoe_system_replace(const char *name, const char *target); /* puts a file in the target's place */
long smoe_system_process_number(void);

bool smoe_system_seek(FILE *stream, int64_t offset, int origin);
int64_t smoe_system_place_of(FILE *stream);

#endif
