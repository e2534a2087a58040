/* Host memory, log lines with the file's path, and types. */
#include "file_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/system.h"

bool smoe_file_host_init(smoe_file_host *host, const smoe_allocator *allocator, const smoe_log *log, const char *path)
{
    host->path = path;
    return smoe_host_init(&host->base, allocator, log);
}

void *smoe_file_allocate(const smoe_file_host *host, uint64_t size)
{
    if (size > SIZE_MAX)
        return NULL;
    return host->base.allocator.allocate(host->base.allocator.user, size ? (size_t)size : 1);
}

void smoe_file_release(const smoe_file_host *host, void *memory)
{
    smoe_host_free(&host->base, memory);
}

char *smoe_file_join(const smoe_file_host *host, const char *folder, const char *name)
{
    const size_t folder_size = strlen(folder), name_size = strlen(name) + 1;
    char *path = smoe_file_allocate(host, folder_size + name_size);
    if (path) {
        memcpy(path, folder, folder_size);
        memcpy(path + folder_size, name, name_size);
    }
    return path;
}

bool smoe_file_ends_with(const char *path, const char *ending)
{
    const size_t size = strlen(path), length = strlen(ending);
    return size > length && strcmp(path + size - length, ending) == 0;
}

/* "PATH: text" without control characters. The path's end says more than its beginning. */
static void write_line(char line[SMOE_LINE_SIZE], const smoe_file_host *host, const char *format, va_list arguments)
{
    const size_t path_size = strlen(host->path);
    const char *path = path_size > 255 ? host->path + path_size - 255 : host->path;
    const int prefix = snprintf(line, SMOE_LINE_SIZE, "%s: ", path);
    const size_t used = prefix > 0 ? (size_t)prefix : 0;
    vsnprintf(line + used, SMOE_LINE_SIZE - used, format, arguments);
    smoe_text_clean(line, '?');
}

const char *smoe_file_known_format(const void *bytes, size_t size)
{
    static const struct {
        const char *begin, *text;
    } formats[] = {
        {"version ", "a pointer of git-lfs, which stands for the file: \"git lfs pull\" fetches the file itself"},
        {"GGUF", "a GGUF file, which is read as a checkpoint where its name ends in .gguf"},
        {"PK\x03\x04", "a zip archive, as PyTorch saves: smoe reads no pickled weights, but safetensors files"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (size >= strlen(formats[i].begin) && memcmp(bytes, formats[i].begin, strlen(formats[i].begin)) == 0)
            return formats[i].text;
    return NULL;
}

smoe_result smoe_file_fail(const smoe_file_host *host, smoe_result result, const char *format, ...)
{
    char line[SMOE_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    write_line(line, host, format, arguments);
    va_end(arguments);
    return smoe_fail(&host->base, result, "%s", line);
}

void smoe_file_warn(const smoe_file_host *host, const char *format, ...)
{
    char line[SMOE_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    write_line(line, host, format, arguments);
    va_end(arguments);
    smoe_warn(&host->base, "%s", line);
}

smoe_result smoe_file_fail_for_reason(const smoe_file_host *host, const char *what)
{
    char text[SMOE_SYSTEM_REASON_SIZE];
    return smoe_file_fail(host, SMOE_ERROR_FILE, "%s: %s", what, smoe_system_reason(text));
}

smoe_result smoe_file_out_of_memory(const smoe_file_host *host, uint64_t size)
{
    return smoe_file_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no host memory for %llu bytes",
                          (unsigned long long)size);
}

/* Source: the Dtype enumeration of the safetensors crate. The unreadable ones may stand in a file beside a layer. */
static const smoe_file_type types[] = {
    {"F32", 32, true, SMOE_TENSOR_FLOAT32},
    {"F16", 16, true, SMOE_TENSOR_FLOAT16},
    {"F64", 64, true, SMOE_TENSOR_FLOAT64},
    {"I32", 32, true, SMOE_TENSOR_INT32},
    {"U8", 8, true, SMOE_TENSOR_UINT8},
    {"I64", 64, true, SMOE_TENSOR_INT64},
    {"BF16", 16, true, SMOE_TENSOR_BFLOAT16},
    {"BOOL", 8, false, SMOE_TENSOR_UINT8},
    {"I8", 8, false, SMOE_TENSOR_UINT8},
    {"I16", 16, false, SMOE_TENSOR_UINT8},
    {"U16", 16, false, SMOE_TENSOR_UINT8},
    {"U32", 32, false, SMOE_TENSOR_UINT8},
    {"U64", 64, false, SMOE_TENSOR_UINT8},
    {"C64", 64, false, SMOE_TENSOR_UINT8},
    {"F8_E4M3", 8, false, SMOE_TENSOR_UINT8},
    {"F8_E5M2", 8, false, SMOE_TENSOR_UINT8},
    {"F8_E8M0", 8, false, SMOE_TENSOR_UINT8},
    {"F6_E2M3", 6, false, SMOE_TENSOR_UINT8},
    {"F6_E3M2", 6, false, SMOE_TENSOR_UINT8},
    {"F4", 4, false, SMOE_TENSOR_UINT8},
};

smoe_file_type smoe_file_type_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i];
    return (smoe_file_type){"unknown", 0, false, SMOE_TENSOR_UINT8};
}

smoe_file_type smoe_file_type_of(smoe_tensor_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].readable && types[i].type == type)
            return types[i];
    return (smoe_file_type){"unknown", 0, false, SMOE_TENSOR_UINT8};
}

static const struct {
    smoe_tensor_type tensor;
    smoe_type type;
} weight_types[] = {
    {SMOE_TENSOR_FLOAT32, SMOE_TYPE_FLOAT32},
    {SMOE_TENSOR_FLOAT16, SMOE_TYPE_FLOAT16},
    {SMOE_TENSOR_BFLOAT16, SMOE_TYPE_BFLOAT16},
};

bool smoe_tensor_type_weights(smoe_tensor_type type, smoe_type *out)
{
    for (size_t i = 0; i < sizeof weight_types / sizeof *weight_types; i++)
        if (weight_types[i].tensor == type) {
            *out = weight_types[i].type;
            return true;
        }
    return false;
}

bool smoe_file_tensor_type(smoe_type type, smoe_tensor_type *out)
{
    for (size_t i = 0; i < sizeof weight_types / sizeof *weight_types; i++)
        if (weight_types[i].type == type) {
            *out = weight_types[i].tensor;
            return true;
        }
    return false;
}
