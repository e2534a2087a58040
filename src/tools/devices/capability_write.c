#include "capability_fields.h"
#include "capability_file.h"

static void write_text(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (; *text; text++) {
        const char c = *text;
        if (c == '"' || c == '\\')
            fputc('\\', stream);
        fputc(c, stream);
    }
    fputc('"', stream);
}

static void write_capabilities(FILE *stream, uint32_t capabilities)
{
    const char *name, *separator = "";
    uint32_t bit;
    fputc('[', stream);
    for (uint32_t i = 0; (name = capability_name(i, &bit)) != NULL; i++)
        if (capabilities & bit) {
            fprintf(stream, "%s\"%s\"", separator, name);
            separator = ", ";
        }
    fputc(']', stream);
}

static void write_matrices(FILE *stream, const smoe_device_info *info)
{
    char text[MATRIX_TEXT_SIZE];
    fputc('[', stream);
    for (uint32_t i = 0; i < info->matrix_shape_count; i++)
        fprintf(stream, "%s\"%s\"", i ? ", " : "", matrix_shape_text(&info->matrix_shapes[i], text));
    fputc(']', stream);
}

static void write_value(FILE *stream, const capability_field *field, const void *value)
{
    const uint32_t *number = value;
    const uint64_t *size = value;
    const uint8_t *uuid = value;
    switch (field->kind) {
    case KIND_TEXT: write_text(stream, value); break;
    case KIND_TYPE: write_text(stream, device_type_name(*(const VkPhysicalDeviceType *)value)); break;
    case KIND_HEX: fprintf(stream, "\"0x%x\"", *number); break;
    case KIND_NUMBER: fprintf(stream, "%u", *number); break;
    case KIND_SIZE:
        fprintf(stream, "%llu", (unsigned long long)(*size < CAPABILITY_MAX_SIZE ? *size : CAPABILITY_MAX_SIZE));
        break;
    case KIND_REAL: fprintf(stream, "%.9g", (double)*(const float *)value); break;
    case KIND_TRUTH: fputs(*(const bool *)value ? "true" : "false", stream); break;
    case KIND_VERSION:
        fprintf(stream, "\"%u.%u.%u\"", VK_API_VERSION_MAJOR(*number), VK_API_VERSION_MINOR(*number), VK_API_VERSION_PATCH(*number));
        break;
    case KIND_UUID:
        fputc('"', stream);
        for (size_t i = 0; i < field->size; i++)
            fprintf(stream, "%02x", uuid[i]);
        fputc('"', stream);
        break;
    case KIND_COUNTS: fprintf(stream, "[%u, %u, %u]", number[0], number[1], number[2]); break;
    case KIND_CAPABILITIES: write_capabilities(stream, *number); break;
    case KIND_MATRICES: write_matrices(stream, value); break;
    }
}

bool capability_write(FILE *stream, const smoe_device_info *info)
{
    smoe_device_info clean = *info;
    capability_clean(&clean);
    fprintf(stream, "{\n  \"" CAPABILITY_VERSION_KEY "\": %d", CAPABILITY_FILE_VERSION);
    for (size_t i = 0; i < CAPABILITY_FIELD_COUNT; i++) {
        const capability_field *field = &capability_fields[i];
        fprintf(stream, ",\n  \"%s\": ", field->key);
        write_value(stream, field, (const char *)&clean + field->offset);
    }
    fputs("\n}\n", stream);
    return fflush(stream) == 0 && !ferror(stream);
}
