/* Opening and removing files by name. Names are UTF-8 on every system; what C has for them takes others on Windows. */
#include "file_internal.h"

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

FILE *smoe_file_open(const char *name, smoe_file_mode mode)
{
    wide_name wide;

    if (!to_system(name, &wide))
        return NULL;
    if (mode == SMOE_FILE_CREATE) { /* not all of Windows' C libraries have C11's "wbx" */
        const HANDLE file = CreateFileW(wide.text, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file == INVALID_HANDLE_VALUE)
            return NULL;
        CloseHandle(file);
    }
    return _wfopen(wide.text, mode == SMOE_FILE_READ ? L"rb" : L"wb");
}

void smoe_file_remove(const char *name)
{
    wide_name wide;

    if (to_system(name, &wide))
        _wremove(wide.text);
}

#else

FILE *smoe_file_open(const char *name, smoe_file_mode mode)
{
    return fopen(name, mode == SMOE_FILE_READ ? "rb" : mode == SMOE_FILE_WRITE ? "wb" : "wbx");
}

void smoe_file_remove(const char *name)
{
    remove(name);
}

#endif
