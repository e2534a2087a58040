/* Files on Windows. */
#include "system_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    smoe_system_identity there;
    wide_name wide;

    if (!to_system(name, &wide))
        return NULL;
    if (mode == SMOE_SYSTEM_FILE_WRITE)
        return _wfopen(wide.text, L"wb");
    /* before it is opened, which a folder does not allow; what cannot be asked, opening refuses with the reason */
    if (smoe_system_identify_there(name, &there) && !smoe_system_is_readable(there.kind))
        return NULL;
    return _wfopen(wide.text, L"rb");
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

bool smoe_system_program(char name[SMOE_SYSTEM_NAME_SIZE])
{
    wide_name file;
    const DWORD length = GetModuleFileNameW(NULL, file.text, NAME_SIZE); /* NAME_SIZE: it was cut */
    return length > 0 && length < NAME_SIZE &&
           WideCharToMultiByte(CP_UTF8, 0, file.text, -1, name, SMOE_SYSTEM_NAME_SIZE, NULL, NULL) > 0;
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

bool smoe_system_identify_there(const char *name, smoe_system_identity *out)
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
bool smoe_system_follow(const char *name, char out[SMOE_SYSTEM_NAME_SIZE])
{
    wide_name wide;
    const HANDLE file = open_to_ask(name);
    const DWORD size = file == INVALID_HANDLE_VALUE ? 0 : GetFinalPathNameByHandleW(file, wide.text, NAME_SIZE, 0);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    if (size > 0 && size < NAME_SIZE)
        return WideCharToMultiByte(CP_UTF8, 0, wide.text, -1, out, SMOE_SYSTEM_NAME_SIZE, NULL, NULL) > 0 ||
               set_errno();
    return smoe_system_copy_name(name, out);
}

const char *smoe_system_name_in_folder(const char *name)
{
    const char *out = name;
    for (; *name; name++)
        if (*name == '/' || *name == '\\' || *name == ':')
            out = name + 1;
    return out;
}

bool smoe_system_names_differ(const char *a, const char *b)
{
    return _stricmp(a, b) != 0;
}

/* ReplaceFile takes the permissions of the old file over when the new one takes its place. */
FILE *smoe_system_make(const char *name, const char *target)
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

bool smoe_system_may_write(const char *name)
{
    FILE *stream;
    wide_name wide;
    if (!to_system(name, &wide) || !(stream = _wfopen(wide.text, L"r+b")))
        return false;
    fclose(stream);
    return true;
}

bool smoe_system_replace(const char *name, const char *target)
{
    wide_name from, to;
    if (!to_system(name, &from) || !to_system(target, &to))
        return false;
    return ReplaceFileW(to.text, from.text, NULL, REPLACEFILE_IGNORE_MERGE_ERRORS, NULL, NULL) ||
           MoveFileExW(from.text, to.text, MOVEFILE_REPLACE_EXISTING) || set_errno();
}

long smoe_system_process_number(void)
{
    return (long)_getpid();
}

bool smoe_system_seek(FILE *stream, int64_t offset, int origin)
{
    return _fseeki64(stream, offset, origin) == 0;
}

int64_t smoe_system_place_of(FILE *stream)
{
    return _ftelli64(stream);
}
