/* Files on POSIX. */
#define _POSIX_C_SOURCE 200809L /* fseeko: C11's fseek ends at 2^31 - 1 where long has 32 bits */
#define _FILE_OFFSET_BITS 64
#include "system_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

_Static_assert(sizeof(off_t) == sizeof(int64_t), "offsets have 64 bits everywhere");

static smoe_system_identity identity_of(const struct stat *status)
{
    const mode_t mode = status->st_mode;
    return (smoe_system_identity){.kind = S_ISREG(mode)   ? SMOE_SYSTEM_FILE
                                          : S_ISDIR(mode) ? SMOE_SYSTEM_FOLDER
                                                          : SMOE_SYSTEM_DEVICE,
                                  .device = (uint64_t)status->st_dev,
                                  .number = (uint64_t)status->st_ino};
}

FILE *smoe_system_file_open(const char *name, smoe_system_file_mode mode)
{
    if (mode == SMOE_SYSTEM_FILE_WRITE)
        return fopen(name, "wb");
    const int file = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* of regular files nothing blocks */
    if (file < 0)
        return NULL;
    struct stat status;
    FILE *stream = NULL;
    if (fstat(file, &status) == 0 && smoe_system_is_readable(identity_of(&status).kind))
        stream = fdopen(file, "rb");
    if (!stream) {
        const int reason = errno;
        close(file);
        errno = reason;
    }
    return stream;
}

void smoe_system_file_remove(const char *name)
{
    remove(name);
}

bool smoe_system_temporary(char name[SMOE_SYSTEM_NAME_SIZE])
{
    strcpy(name, "/tmp/smoe-XXXXXX"); /* POSIX has this folder */
    const int file = mkstemp(name);
    if (file < 0 || close(file) == 0)
        return file >= 0;
    remove(name);
    return false;
}

#ifdef __APPLE__

bool smoe_system_program(char name[SMOE_SYSTEM_NAME_SIZE])
{
    char started[SMOE_SYSTEM_NAME_SIZE];
    uint32_t size = sizeof started;
    char *file = _NSGetExecutablePath(started, &size) == 0 ? realpath(started, NULL) : NULL;
    const bool fits = file && strlen(file) < SMOE_SYSTEM_NAME_SIZE;
    if (fits)
        strcpy(name, file);
    free(file);
    return fits;
}

#else

bool smoe_system_program(char name[SMOE_SYSTEM_NAME_SIZE])
{
    const ssize_t length = readlink("/proc/self/exe", name, SMOE_SYSTEM_NAME_SIZE); /* Linux */
    if (length <= 0 || length >= SMOE_SYSTEM_NAME_SIZE)
        return false;
    name[length] = '\0';
    return true;
}

#endif

void smoe_system_binary(FILE *stream)
{
    (void)stream;
}

bool smoe_system_fill_streams(void)
{
    for (int file = 0; file < 3; file++)
        if (fcntl(file, F_GETFD) < 0 && open("/dev/null", file == 0 ? O_WRONLY : O_RDONLY) < 0)
            return false;
    return true;
}

bool smoe_system_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) != 0;
}

bool smoe_system_is_slash(char character)
{
    return character == '/';
}

bool smoe_system_identify_there(const char *name, smoe_system_identity *out)
{
    struct stat status;
    if (stat(name, &status) != 0)
        return false;
    *out = identity_of(&status);
    return true;
}

smoe_system_identity smoe_system_identify_stream(FILE *stream)
{
    struct stat status;
    return fstat(fileno(stream), &status) == 0 ? identity_of(&status)
                                               : (smoe_system_identity){.kind = SMOE_SYSTEM_NOTHING};
}

/* Where links end, which need not be there. The folders' own links need no reading. */
bool smoe_system_follow(const char *name, char out[SMOE_SYSTEM_NAME_SIZE])
{
    enum { MOST_LINKS = 40 };
    if (!smoe_system_copy_name(name, out))
        return false;
    for (int i = 0; i < MOST_LINKS; i++) {
        char link[SMOE_SYSTEM_NAME_SIZE];
        const ssize_t size = readlink(out, link, sizeof link);
        if (size <= 0)
            return true;
        const char *slash = link[0] == '/' ? NULL : strrchr(out, '/');
        const size_t folder = slash ? (size_t)(slash - out) + 1 : 0;
        if (folder + (size_t)size >= SMOE_SYSTEM_NAME_SIZE)
            return smoe_system_too_long();
        memcpy(out + folder, link, (size_t)size);
        out[folder + (size_t)size] = '\0';
    }
    errno = ELOOP;
    return false;
}

const char *smoe_system_name_in_folder(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

bool smoe_system_names_differ(const char *a, const char *b)
{
    return strcmp(a, b) != 0;
}

/* Gives the new file the old one's owner and group, as far as may be, and tells the permissions that it may then have:
 * where the owner differs, nobody is to run it under the new one; where the group differs, its members are to gain
 * nothing. */
static mode_t keep_owner(int file, const struct stat *old)
{
    if (fchown(file, old->st_uid, old->st_gid) == 0)
        return 07777;
    return fchown(file, (uid_t)-1, old->st_gid) == 0 ? 0777 : 0707;
}

/* A new file; with the owner, the group and the permissions of one that is at the target. */
FILE *smoe_system_make(const char *name, const char *target)
{
    struct stat status;
    const bool replaces = stat(target, &status) == 0;
    const int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, replaces ? 0600 : 0666);
    if (file < 0)
        return NULL;
    FILE *stream =
        replaces && fchmod(file, status.st_mode & keep_owner(file, &status)) != 0 ? NULL : fdopen(file, "wb");
    if (!stream) {
        const int reason = errno;
        close(file);
        remove(name);
        errno = reason;
    }
    return stream;
}

bool smoe_system_may_write(const char *name)
{
    return access(name, W_OK) == 0;
}

bool smoe_system_replace(const char *name, const char *target)
{
    return rename(name, target) == 0;
}

long smoe_system_process_number(void)
{
    return (long)getpid();
}

bool smoe_system_seek(FILE *stream, int64_t offset, int origin)
{
    return fseeko(stream, offset, origin) == 0;
}

int64_t smoe_system_place_of(FILE *stream)
{
    return ftello(stream);
}
