#define _POSIX_C_SOURCE 200809L /* fseeko: C11's fseek ends at 2^31 - 1 where long has 32 bits */
#define _FILE_OFFSET_BITS 64
#include "system.h"

#ifdef _WIN32

#include <wchar.h>
#include <windows.h>

#define NAME_SIZE 4096

typedef struct wide_name {
    wchar_t text[NAME_SIZE + 8];
} wide_name;

/* Names that are not UTF-8 are taken in the system's code page: an old program's arguments arrive so. */
static bool widen(const char *name, wchar_t *out)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, out, NAME_SIZE) > 0 ||
           MultiByteToWideChar(CP_ACP, 0, name, -1, out, NAME_SIZE) > 0;
}

/* From MAX_PATH on Windows wants a name in full, and told that it is one. */
static bool to_system(const char *name, wide_name *out)
{
    static const wchar_t plain[] = L"\\\\?\\", share[] = L"\\\\?\\UNC\\";
    wchar_t full[NAME_SIZE];

    if (!widen(name, out->text))
        return false;
    if (wcslen(out->text) < MAX_PATH - 12 || wcsncmp(out->text, plain, 4) == 0) /* as for folders, which leave room for a name */
        return true;
    const DWORD size = GetFullPathNameW(out->text, NAME_SIZE, full, NULL);
    if (size == 0 || size >= NAME_SIZE)
        return false;
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
    if (mode == SMOE_SYSTEM_FILE_CREATE) { /* not all of Windows' C libraries have C11's "wbx" */
        const HANDLE file = CreateFileW(wide.text, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file == INVALID_HANDLE_VALUE)
            return NULL;
        CloseHandle(file);
    }
    return _wfopen(wide.text, mode == SMOE_SYSTEM_FILE_READ ? L"rb" : L"wb");
}

void smoe_system_file_remove(const char *name)
{
    wide_name wide;

    if (to_system(name, &wide))
        _wremove(wide.text);
}

static bool seek(FILE *stream, int64_t offset, int origin)
{
    return _fseeki64(stream, offset, origin) == 0;
}

static int64_t tell(FILE *stream)
{
    return _ftelli64(stream);
}

#else

#include <sys/types.h>

_Static_assert(sizeof(off_t) == sizeof(int64_t), "offsets have 64 bits everywhere");

FILE *smoe_system_file_open(const char *name, smoe_system_file_mode mode)
{
    return fopen(name, mode == SMOE_SYSTEM_FILE_READ ? "rb" : mode == SMOE_SYSTEM_FILE_WRITE ? "wb" : "wbx");
}

void smoe_system_file_remove(const char *name)
{
    remove(name);
}

static bool seek(FILE *stream, int64_t offset, int origin)
{
    return fseeko(stream, offset, origin) == 0;
}

static int64_t tell(FILE *stream)
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
    const int64_t size = seek(stream, 0, SEEK_END) ? tell(stream) : -1;
    clearerr(stream);
    return size > 0 ? (uint64_t)size : 0;
}
