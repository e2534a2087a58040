/* Writes a capability file, by the table of its keys. */
#include "capability_fields.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define PIECE_SIZE 64

static void put(smoe_sink *out, const char *format, ...) SMOE_PRINTF(2, 3);

/* A short piece of text. */
static void put(smoe_sink *out, const char *format, ...)
{
    char piece[PIECE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    smoe_sink_text(out, piece);
}

static void put_real(smoe_sink *out, float value)
{
    char text[SMOE_NUMBER_SIZE];
    smoe_sink_text(out, smoe_number_text(text, 9, (double)value));
}

static void put_capabilities(smoe_sink *out, uint32_t capabilities)
{
    const char *name, *separator = "";
    smoe_sink_text(out, "[");
    for (uint32_t bit = 1; (name = smoe_capability_name(bit)) != NULL; bit *= 2)
        if (capabilities & bit) {
            put(out, "%s\"%s\"", separator, name);
            separator = ", ";
        }
    smoe_sink_text(out, "]");
}

static void put_matrices(smoe_sink *out, const smoe_device_info *info)
{
    char text[SMOE_MATRIX_SHAPE_TEXT_SIZE];
    smoe_sink_text(out, "[");
    for (uint32_t i = 0; i < info->matrix_shape_count && i < SMOE_MAX_MATRIX_SHAPES; i++)
        put(out, "%s\"%s\"", i ? ", " : "", smoe_matrix_shape_text(&info->matrix_shapes[i], text));
    smoe_sink_text(out, "]");
}

static void put_uuid(smoe_sink *out, const uint8_t *uuid, size_t size)
{
    smoe_sink_text(out, "\"");
    for (size_t i = 0; i < size; i++)
        put(out, "%02x", uuid[i]);
    smoe_sink_text(out, "\"");
}

static void put_value(smoe_sink *out, const smoe_capability_field *field, const void *value)
{
    const uint32_t *number = value;
    const uint64_t *size = value;
    switch (field->kind) {
    case SMOE_KIND_TEXT: smoe_sink_string(out, value); break;
    case SMOE_KIND_TYPE: smoe_sink_string(out, smoe_device_type_name(*(const VkPhysicalDeviceType *)value)); break;
    case SMOE_KIND_HEX: put(out, "\"0x%x\"", *number); break;
    case SMOE_KIND_NUMBER: put(out, "%u", *number); break;
    case SMOE_KIND_SIZE:
        put(out, "%llu", (unsigned long long)(*size < SMOE_FILE_MAX_INTEGER ? *size : SMOE_FILE_MAX_INTEGER));
        break;
    case SMOE_KIND_REAL: put_real(out, *(const float *)value); break;
    case SMOE_KIND_TRUTH: smoe_sink_text(out, *(const bool *)value ? "true" : "false"); break;
    case SMOE_KIND_VERSION:
        put(out, "\"%u.%u.%u\"", VK_API_VERSION_MAJOR(*number), VK_API_VERSION_MINOR(*number),
            VK_API_VERSION_PATCH(*number));
        break;
    case SMOE_KIND_UUID: put_uuid(out, value, field->size); break;
    case SMOE_KIND_COUNTS: put(out, "[%u, %u, %u]", number[0], number[1], number[2]); break;
    case SMOE_KIND_CAPABILITIES: put_capabilities(out, *number); break;
    case SMOE_KIND_MATRICES: put_matrices(out, value); break;
    case SMOE_KIND_COUNT: break;
    }
}

static void put_info(smoe_sink *out, const smoe_device_info *info)
{
    smoe_device_info clean = *info; /* as smoe's own are; an app's may not be */
    for (size_t i = 0; i < SMOE_CAPABILITY_FIELD_COUNT; i++)
        if (smoe_capability_fields[i].kind == SMOE_KIND_TEXT)
            smoe_text_clean((char *)&clean + smoe_capability_fields[i].offset, ' ');
    put(out, "{\n  \"" SMOE_CAPABILITY_VERSION_KEY "\": %d", SMOE_CAPABILITY_FILE_VERSION);
    for (size_t i = 0; i < SMOE_CAPABILITY_FIELD_COUNT; i++) {
        const smoe_capability_field *field = &smoe_capability_fields[i];
        put(out, ",\n  \"%s\": ", field->key);
        put_value(out, field, (const char *)&clean + field->offset);
    }
    smoe_sink_text(out, "\n}\n");
}

/* JSON has no infinity. */
static bool is_writable(const smoe_file_host *host, const smoe_device_info *info)
{
    if (isfinite(info->timestamp_period))
        return true;
    smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "info.timestamp_period: must be finite");
    return false;
}

smoe_result smoe_capability_file_text(const smoe_device_info *info, const smoe_log *log, size_t *size, char *text)
{
    smoe_file_host host;
    if (!smoe_file_host_init(&host, NULL, log, "smoe_capability_file_text"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!info || !size)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL", info ? "size" : "info");
    if (!is_writable(&host, info))
        return SMOE_ERROR_INVALID_ARGUMENT;
    smoe_sink out = {NULL, 0};
    put_info(&out, info);
    if (text && *size < out.size)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "size: there is room for %zu bytes, %llu are needed",
                              *size, (unsigned long long)out.size);
    *size = (size_t)out.size;
    out = (smoe_sink){text, 0};
    if (text)
        put_info(&out, info);
    return SMOE_SUCCESS;
}

static bool write_text(FILE *stream, const void *what)
{
    const smoe_sink *text = what;
    return fwrite(text->text, 1, (size_t)text->size, stream) == text->size;
}

smoe_result smoe_capability_file_write(const char *path, const smoe_device_info *info, const smoe_allocator *allocator,
                                       const smoe_log *log)
{
    smoe_file_host host;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_capability_file_write"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || !info)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL", path ? "info" : "path");
    if (!is_writable(&host, info))
        return SMOE_ERROR_INVALID_ARGUMENT;
    smoe_sink out = {NULL, 0};
    put_info(&out, info);
    out.text = smoe_file_allocate(&host, out.size);
    if (!out.text)
        return smoe_file_out_of_memory(&host, out.size);
    out.size = 0;
    put_info(&out, info);
    const smoe_result result = smoe_file_create(&host, write_text, &out);
    smoe_file_release(&host, out.text);
    return result;
}
