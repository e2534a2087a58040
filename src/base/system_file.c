#define _POSIX_C_SOURCE 200809L /* fseeko: C11's fseek ends at 2^31 - 1 where long has 32 bits */
#define _FILE_OFFSET_BITS 64
#include "system.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Gives false. */
static bool too_long(void)
{
    errno = ENAMETOOLONG;
    return false;
}

static bool copy_name(const char *name, char out[SMOE_SYSTEM_NAME_SIZE])
{
    return snprintf(out, SMOE_SYSTEM_NAME_SIZE, "%s", name) < SMOE_SYSTEM_NAME_SIZE || too_long();
}

#ifdef _WIN32

#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <wchar.h>
#include <windows.h>

#define NAME_SIZE 4096

typedef struct wide_name {
    wchar_t text[NAME_SIZE + 8];
} wide_name;

/* As C's own functions leave it. Gives false. */
static bool set_errno(void)
{
    static const struct {
        DWORD system;
        int c;
    } reasons[] = {{ERROR_FILE_EXISTS, EEXIST}, {ERROR_ALREADY_EXISTS, EEXIST}, {ERROR_FILE_NOT_FOUND, ENOENT},
                   {ERROR_PATH_NOT_FOUND, ENOENT},
                   {ERROR_ACCESS_DENIED, EACCES}, {ERROR_SHARING_VIOLATION, EACCES}, {ERROR_DISK_FULL, ENOSPC},
                   {ERROR_INSUFFICIENT_BUFFER, ENAMETOOLONG}, {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
                   {ERROR_NO_UNICODE_TRANSLATION, EILSEQ}};
    const DWORD reason = GetLastError();
    errno = EIO;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].system == reason)
            errno = reasons[i].c;
    return false;
}

/* Names that are not UTF-8 are taken in the system's code page: an old program's arguments arrive so. */
static bool widen(const char *name, wchar_t *out)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, out, NAME_SIZE) > 0 ||
           MultiByteToWideChar(CP_ACP, 0, name, -1, out, NAME_SIZE) > 0 || set_errno();
}

/* From MAX_PATH on Windows wants a name in full, and told that it is one. */
static bool to_system(const char *name, wide_name *out)
{
    static const wchar_t plain[] = L"\\\\?\\", share[] = L"\\\\?\\UNC\\";
    wchar_t full[NAME_SIZE];

    if (!widen(name, out->text))
        return false;
    /* as for folders, which leave room for a name */
    if (wcslen(out->text) < MAX_PATH - 12 || wcsncmp(out->text, plain, 4) == 0)
        return true;
    const DWORD size = GetFullPathNameW(out->text, NAME_SIZE, full, NULL);
    if (size >= NAME_SIZE)
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
    if (size == 0 || size >= NAME_SIZE)
        return set_errno();
    const bool is_share = full[0] == L'\\' && full[1] == L'\\';
    wcscpy(out->text, is_share ? share : plain);
    wcscat(out->text, is_share ? full + 2 : full);
    return true;
}

FILE *smoe_system_file_open(const char *name, smoe_system_file_mode mode)
{
    wide_name wide;

    if (!to_system(name, &wide))
        return NULL;
    return _wfopen(wide.text, mode == SMOE_SYSTEM_FILE_READ ? L"rb" : L"wb");
}

void smoe_system_file_remove(const char *name)
{
    wide_name wide;

    if (to_system(name, &wide))
        _wremove(wide.text);
}

bool smoe_system_temporary(char name[SMOE_SYSTEM_NAME_SIZE])
{
    wchar_t folder[MAX_PATH + 1], file[MAX_PATH];
    if (GetTempPathW(MAX_PATH + 1, folder) == 0 || GetTempFileNameW(folder, L"smo", 0, file) == 0)
        return set_errno();
    return WideCharToMultiByte(CP_UTF8, 0, file, -1, name, SMOE_SYSTEM_NAME_SIZE, NULL, NULL) > 0 || set_errno();
}

void smoe_system_binary(FILE *stream)
{
    fflush(stream);
    _setmode(_fileno(stream), _O_BINARY);
}

bool smoe_system_fill_streams(void)
{
    return true; /* files do not take the place of closed streams */
}

bool smoe_system_is_terminal(FILE *stream)
{
    return _isatty(_fileno(stream)) != 0;
}

bool smoe_system_is_slash(char character)
{
    return character == '/' || character == '\\';
}

/* A handle that only asks about the file; a folder's too. */
static HANDLE open_to_ask(const char *name)
{
    wide_name wide;
    return to_system(name, &wide) ? CreateFileW(wide.text, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                                NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL)
                                  : INVALID_HANDLE_VALUE;
}

static smoe_system_identity identify_handle(HANDLE file)
{
    BY_HANDLE_FILE_INFORMATION facts;
    smoe_system_identity out = {.kind = SMOE_SYSTEM_DEVICE};
    if (GetFileType(file) != FILE_TYPE_DISK || !GetFileInformationByHandle(file, &facts))
        return out;
    out.kind = facts.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? SMOE_SYSTEM_FOLDER : SMOE_SYSTEM_FILE;
    out.device = facts.dwVolumeSerialNumber;
    out.number = (uint64_t)facts.nFileIndexHigh << 32 | facts.nFileIndexLow;
    return out;
}

static bool identify_there(const char *name, smoe_system_identity *out)
{
    const HANDLE file = open_to_ask(name);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    *out = identify_handle(file);
    CloseHandle(file);
    return true;
}

smoe_system_identity smoe_system_identify_stream(FILE *stream)
{
    const intptr_t handle = _fileno(stream) >= 0 ? _get_osfhandle(_fileno(stream)) : -1;
    return handle == -1 || handle == -2 ? (smoe_system_identity){.kind = SMOE_SYSTEM_NOTHING}
                                        : identify_handle((HANDLE)handle);
}

/* Where links end; a name that is not there is its own. */
static bool follow(const char *name, char out[SMOE_SYSTEM_NAME_SIZE])
{
    wide_name wide;
    const HANDLE file = open_to_ask(name);
    const DWORD size = file == INVALID_HANDLE_VALUE ? 0 : GetFinalPathNameByHandleW(file, wide.text, NAME_SIZE, 0);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    if (size > 0 && size < NAME_SIZE)
        return WideCharToMultiByte(CP_UTF8, 0, wide.text, -1, out, SMOE_SYSTEM_NAME_SIZE, NULL, NULL) > 0 ||
               set_errno();
    return copy_name(name, out);
}

static const char *name_in_folder(const char *name)
{
    const char *out = name;
    for (; *name; name++)
        if (*name == '/' || *name == '\\' || *name == ':')
            out = name + 1;
    return out;
}

static bool names_differ(const char *a, const char *b)
{
    return _stricmp(a, b) != 0;
}

/* ReplaceFile takes the permissions of the old file over when the new one takes its place. */
static FILE *make(const char *name, const char *target)
{
    wide_name wide;
    (void)target;
    if (!to_system(name, &wide))
        return NULL;
    /* Not all of Windows' C libraries have C11's "wbx". */
    const HANDLE file = CreateFileW(wide.text, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        set_errno();
        return NULL;
    }
    CloseHandle(file);
    return _wfopen(wide.text, L"wb");
}

static bool may_write(const char *name)
{
    FILE *stream;
    wide_name wide;
    if (!to_system(name, &wide) || !(stream = _wfopen(wide.text, L"r+b")))
        return false;
    fclose(stream);
    return true;
}

static bool replace(const char *name, const char *target)
{
    wide_name from, to;
    if (!to_system(name, &from) || !to_system(target, &to))
        return false;
    return ReplaceFileW(to.text, from.text, NULL, REPLACEFILE_IGNORE_MERGE_ERRORS, NULL, NULL) ||
           MoveFileExW(from.text, to.text, MOVEFILE_REPLACE_EXISTING) || set_errno();
}

static long process_number(void)
{
    return (long)_getpid();
}

static bool seek(FILE *stream, int64_t offset, int origin)
{
    return _fseeki64(stream, offset, origin) == 0;
}

static int64_t place_of(FILE *stream)
{
    return _ftelli64(stream);
}

#else

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == sizeof(int64_t), "offsets have 64 bits everywhere");

FILE *smoe_system_file_open(const char *name, smoe_system_file_mode mode)
{
    return fopen(name, mode == SMOE_SYSTEM_FILE_READ ? "rb" : "wb");
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

static smoe_system_identity identity_of(const struct stat *status)
{
    const mode_t mode = status->st_mode;
    return (smoe_system_identity){.kind = S_ISREG(mode)   ? SMOE_SYSTEM_FILE
                                          : S_ISDIR(mode) ? SMOE_SYSTEM_FOLDER
                                                          : SMOE_SYSTEM_DEVICE,
                                  .device = (uint64_t)status->st_dev,
                                  .number = (uint64_t)status->st_ino};
}

static bool identify_there(const char *name, smoe_system_identity *out)
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
static bool follow(const char *name, char out[SMOE_SYSTEM_NAME_SIZE])
{
    enum { MOST_LINKS = 40 };
    if (!copy_name(name, out))
        return false;
    for (int i = 0; i < MOST_LINKS; i++) {
        char link[SMOE_SYSTEM_NAME_SIZE];
        const ssize_t size = readlink(out, link, sizeof link);
        if (size <= 0)
            return true;
        const char *slash = link[0] == '/' ? NULL : strrchr(out, '/');
        const size_t folder = slash ? (size_t)(slash - out) + 1 : 0;
        if (folder + (size_t)size >= SMOE_SYSTEM_NAME_SIZE)
            return too_long();
        memcpy(out + folder, link, (size_t)size);
        out[folder + (size_t)size] = '\0';
    }
    errno = ELOOP;
    return false;
}

static const char *name_in_folder(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static bool names_differ(const char *a, const char *b)
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
static FILE *make(const char *name, const char *target)
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

static bool may_write(const char *name)
{
    return access(name, W_OK) == 0;
}

static bool replace(const char *name, const char *target)
{
    return rename(name, target) == 0;
}

static long process_number(void)
{
    return (long)getpid();
}

static bool seek(FILE *stream, int64_t offset, int origin)
{
    return fseeko(stream, offset, origin) == 0;
}

static int64_t place_of(FILE *stream)
{
    return ftello(stream);
}

#endif

bool smoe_system_file_seek(FILE *stream, uint64_t offset)
{
    return offset <= INT64_MAX && seek(stream, (int64_t)offset, SEEK_SET);
}

uint64_t smoe_system_file_size(FILE *stream)
{
    const int64_t size = seek(stream, 0, SEEK_END) ? place_of(stream) : -1;
    clearerr(stream);
    return size > 0 ? (uint64_t)size : 0;
}

smoe_system_identity smoe_system_identify(const char *name)
{
    char path[SMOE_SYSTEM_NAME_SIZE];
    smoe_system_identity out = {.kind = SMOE_SYSTEM_NOTHING};
    if (identify_there(name, &out) || !follow(name, path))
        return out;
    char *last = path + (name_in_folder(path) - path);
    char file[sizeof out.name];
    snprintf(file, sizeof file, "%.255s", last);
    if (file[0])
        strcpy(last, "."); /* the folder, or the current one */
    identify_there(path, &out);
    out.kind = SMOE_SYSTEM_NOTHING;
    memcpy(out.name, file, sizeof file);
    return out;
}

bool smoe_system_is_same(const smoe_system_identity *a, const smoe_system_identity *b)
{
    return a->device == b->device && a->number == b->number &&
           (a->kind == SMOE_SYSTEM_NOTHING) == (b->kind == SMOE_SYSTEM_NOTHING) && !names_differ(a->name, b->name);
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
    const bool replaces = identify_there(name, &there);
    draft->name[0] = draft->target[0] = '\0';
    draft->stream = NULL;
    if (replaces && there.kind != SMOE_SYSTEM_FILE) {
        draft->stream = smoe_system_file_open(name, SMOE_SYSTEM_FILE_WRITE);
        return draft->stream != NULL;
    }
    if ((replaces && !may_write(name)) || !follow(name, draft->target))
        return false;
    const int folder = (int)(name_in_folder(draft->target) - draft->target);
    for (int i = 0; !draft->stream && i < MOST_NAMES; i++) {
        const int size =
            snprintf(draft->name, sizeof draft->name, "%.*s.smoe-%ld-%d", folder, draft->target, process_number(), i);
        if (size >= (int)sizeof draft->name)
            return too_long();
        draft->stream = make(draft->name, draft->target);
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
    if (draft->name[0] && keep && good && !replace(draft->name, draft->target)) {
        good = false;
        reason = errno;
    }
    if (draft->name[0] && !(keep && good))
        smoe_system_file_remove(draft->name);
    errno = reason;
    return good;
}
