/* Files by name, which file a name means, and files that are written whole: what is the same on every system. */
#include "system_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *smoe_system_reason(char text[SMOE_SYSTEM_REASON_SIZE])
{
    static const struct {
        int error;
        const char *text;
    } reasons[] = {{ENOENT, "No such file or directory"}, {ENOTDIR, "Not a directory"}, {EISDIR, "Is a directory"},
                   {ESPIPE, "Is no regular file"}, {EACCES, "Permission denied"}, {EPERM, "Operation not permitted"},
                   {EROFS, "Read-only file system"}, {ENOSPC, "No space left on device"}, {EFBIG, "File too large"},
                   {EIO, "Input/output error"}, {EEXIST, "File exists"}, {EMFILE, "Too many open files"},
                   {ENFILE, "Too many open files in system"}, {ENAMETOOLONG, "File name too long"},
                   {ELOOP, "Too many levels of symbolic links"}, {ENOMEM, "Cannot allocate memory"},
                   {EPIPE, "Broken pipe"}, {ENXIO, "No such device or address"}, {EILSEQ, "Name is not UTF-8"},
                   {EBUSY, "Device or resource busy"}, {ETXTBSY, "Text file busy"}, {EBADF, "Bad file descriptor"},
                   {EXDEV, "Invalid cross-device link"},
#ifdef EDQUOT
                   {EDQUOT, "Disk quota exceeded"},
#endif
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].error == errno)
            return reasons[i].text;
    snprintf(text, SMOE_SYSTEM_REASON_SIZE, "error %d of the system", errno);
    return text;
}

bool smoe_system_file_seek(FILE *stream, uint64_t offset)
{
    return offset <= INT64_MAX && smoe_system_seek(stream, (int64_t)offset, SEEK_SET);
}

uint64_t smoe_system_file_size(FILE *stream)
{
    const int64_t size = smoe_system_seek(stream, 0, SEEK_END) ? smoe_system_place_of(stream) : -1;
    clearerr(stream);
    return size > 0 ? (uint64_t)size : 0;
}

smoe_system_identity smoe_system_identify(const char *name)
{
    char path[SMOE_SYSTEM_NAME_SIZE];
    smoe_system_identity out = {.kind = SMOE_SYSTEM_NOTHING};
    if (smoe_system_identify_there(name, &out) || !smoe_system_follow(name, path))
        return out;
    char *last = path + (smoe_system_name_in_folder(path) - path);
    char file[sizeof out.name];
    snprintf(file, sizeof file, "%.255s", last);
    if (file[0])
        strcpy(last, "."); /* the folder, or the current one */
    smoe_system_identify_there(path, &out);
    out.kind = SMOE_SYSTEM_NOTHING;
    memcpy(out.name, file, sizeof file);
    return out;
}

bool smoe_system_is_same(const smoe_system_identity *a, const smoe_system_identity *b)
{
    return a->device == b->device && a->number == b->number &&
           (a->kind == SMOE_SYSTEM_NOTHING) == (b->kind == SMOE_SYSTEM_NOTHING) &&
           !smoe_system_names_differ(a->name, b->name);
}

bool smoe_system_flush(FILE *stream)
{
    errno = 0;
    const bool good = fflush(stream) == 0;
    if (good && !ferror(stream))
        return true;
    if (good) { /* what an earlier write failed for is forgotten: one byte more tells it again */
        clearerr(stream);
        fputc('\n', stream);
        fflush(stream);
    }
    errno = errno ? errno : EIO;
    return false;
}

bool smoe_system_draft_open(smoe_system_draft *draft, const char *name)
{
    enum { MOST_NAMES = 1000 }; /* of drafts that other threads write, or that processes of this number have left */
    smoe_system_identity there = {.kind = SMOE_SYSTEM_NOTHING};
    const bool replaces = smoe_system_identify_there(name, &there);
    draft->name[0] = draft->target[0] = '\0';
    draft->stream = NULL;
    if (replaces && there.kind != SMOE_SYSTEM_FILE) {
        draft->stream = smoe_system_file_open(name, SMOE_SYSTEM_FILE_WRITE);
        return draft->stream != NULL;
    }
    if ((replaces && !smoe_system_may_write(name)) || !smoe_system_follow(name, draft->target))
        return false;
    const int folder = (int)(smoe_system_name_in_folder(draft->target) - draft->target);
    for (int i = 0; !draft->stream && i < MOST_NAMES; i++) {
        const int size = snprintf(draft->name, sizeof draft->name, "%.*s.smoe-%ld-%d", folder, draft->target,
                                  smoe_system_process_number(), i);
        if (size >= (int)sizeof draft->name)
            return smoe_system_too_long();
        draft->stream = smoe_system_make(draft->name, draft->target);
        if (!draft->stream && errno != EEXIST)
            break;
    }
    return draft->stream != NULL;
}

bool smoe_system_draft_close(smoe_system_draft *draft, bool keep)
{
    bool good = smoe_system_flush(draft->stream);
    int reason = errno;
    if (fclose(draft->stream) != 0 && good) {
        good = false;
        reason = errno;
    }
    draft->stream = NULL;
    if (draft->name[0] && keep && good && !smoe_system_replace(draft->name, draft->target)) {
        good = false;
        reason = errno;
    }
    if (draft->name[0] && !(keep && good))
        smoe_system_file_remove(draft->name);
    errno = reason;
    return good;
}
