/* Writes a safetensors file. */
#include "file_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/system.h"

/* Text that is measured first (text NULL) and written the second time. */
typedef struct sink {
    char *text;
    uint64_t size;
} sink;

static void put_text(sink *out, const char *text)
{
    const size_t size = strlen(text);
    if (out->text)
        memcpy(out->text + out->size, text, size);
    out->size += size;
}

static void put_number(sink *out, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    put_text(out, digits);
}

static void put_string(sink *out, const char *text)
{
    put_text(out, "\"");
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        char piece[8] = {*text, 0};
        if (c == '"' || c == '\\')
            snprintf(piece, sizeof piece, "\\%c", c);
        else if (c < 0x20)
            snprintf(piece, sizeof piece, "\\u%04x", c);
        put_text(out, piece);
    }
    put_text(out, "\"");
}

static void put_header(sink *out, const smoe_tensor *tensors, uint32_t tensor_count, const char *const *metadata,
                       uint32_t metadata_count)
{
    put_text(out, "{");
    if (metadata_count > 0) {
        put_text(out, "\"__metadata__\":{");
        for (uint32_t i = 0; i < 2 * metadata_count; i++) {
            put_string(out, metadata[i]);
            put_text(out, i % 2 == 0 ? ":" : i + 1 < 2 * metadata_count ? "," : "}");
        }
    }
    uint64_t offset = 0;
    for (uint32_t i = 0; i < tensor_count; i++) {
        put_text(out, i > 0 || metadata_count > 0 ? "," : "");
        put_string(out, tensors[i].name);
        put_text(out, ":{\"dtype\":");
        put_string(out, smoe_file_type_of(tensors[i].type).name);
        put_text(out, ",\"shape\":[");
        for (uint32_t j = 0; j < tensors[i].rank; j++) {
            put_text(out, j ? "," : "");
            put_number(out, tensors[i].shape[j]);
        }
        put_text(out, "],\"data_offsets\":[");
        put_number(out, offset);
        put_text(out, ",");
        offset += tensors[i].size;
        put_number(out, offset);
        put_text(out, "]}");
    }
    put_text(out, "}");
    while (out->size % 8 != 0) /* the data begins aligned, as safetensors itself writes it */
        put_text(out, " ");
}

static smoe_result check_tensor(const smoe_file_host *host, const smoe_tensor *tensors, uint32_t index)
{
    const smoe_tensor *tensor = &tensors[index];
    if (!tensor->name || strcmp(tensor->name, "__metadata__") == 0)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "tensors[%u].name must be given, and not be __metadata__", index);
    const smoe_file_type type = smoe_file_type_of(tensor->type);
    if (type.size_bits == 0 || tensor->rank > SMOE_TENSOR_MAX_RANK)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "tensors[%u]: type must be a smoe_tensor_type and rank at most %d",
                              index, SMOE_TENSOR_MAX_RANK);
    uint64_t size = type.size_bits / 8;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const uint64_t length = tensor->shape[i];
        if (length != 0 && size > (uint64_t)SMOE_FILE_MAX_INTEGER / length)
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "tensors[%u].shape has too many elements", index);
        size *= length;
    }
    if (tensor->size != size || (size > 0 && !tensor->data))
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "tensors[%u]: size must be %llu, the bytes of its shape, and data must not be NULL", index,
                              (unsigned long long)size);
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(tensors[i].name, tensor->name) == 0)
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "tensors[%u].name \"%.80s\" is taken", index, tensor->name);
    return SMOE_SUCCESS;
}

static smoe_result check_metadata(const smoe_file_host *host, const char *const *metadata, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *key = metadata[2 * i];
        if (!key || !metadata[2 * i + 1])
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "metadata: pair %u has a NULL string", i);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(metadata[2 * j], key) == 0)
                return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "metadata: key \"%.80s\" is given twice", key);
    }
    return SMOE_SUCCESS;
}

static bool write_all(FILE *stream, const char *header, uint64_t header_size, const smoe_tensor *tensors, uint32_t tensor_count)
{
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(header_size >> 8 * i);
    bool ok = fwrite(prefix, 1, sizeof prefix, stream) == sizeof prefix;
    ok = ok && fwrite(header, 1, (size_t)header_size, stream) == header_size;
    for (uint32_t i = 0; ok && i < tensor_count; i++)
        if (tensors[i].size > 0)
            ok = fwrite(tensors[i].data, 1, (size_t)tensors[i].size, stream) == tensors[i].size;
    return ok;
}

smoe_result smoe_layer_file_write(const char *path, const smoe_tensor *tensors, uint32_t tensor_count, const char *const *metadata,
                                  uint32_t metadata_count, const smoe_allocator *allocator, const smoe_log *log)
{
    smoe_file_host host;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_layer_file_write"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || (!tensors && tensor_count > 0) || (!metadata && metadata_count > 0))
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL",
                              !path ? "path" : !tensors && tensor_count > 0 ? "tensors" : "metadata");
    if (metadata_count > UINT32_MAX / 2)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "metadata_count: %u pairs, must be at most %u", metadata_count,
                              UINT32_MAX / 2);
    smoe_result result = check_metadata(&host, metadata, metadata_count);
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < tensor_count; i++)
        result = check_tensor(&host, tensors, i);
    if (result != SMOE_SUCCESS)
        return result;

    sink out = {NULL, 0};
    put_header(&out, tensors, tensor_count, metadata, metadata_count);
    out.text = smoe_file_allocate(&host, out.size);
    if (!out.text)
        return smoe_file_out_of_memory(&host, out.size);
    out.size = 0;
    put_header(&out, tensors, tensor_count, metadata, metadata_count);

    smoe_system_draft draft;
    if (!smoe_system_draft_open(&draft, path)) {
        result = smoe_file_fail(&host, SMOE_ERROR_FILE, "cannot be opened for writing");
    } else {
        const bool written = write_all(draft.stream, out.text, out.size, tensors, tensor_count);
        if (!smoe_system_draft_close(&draft, written) || !written)
            result = smoe_file_fail(&host, SMOE_ERROR_FILE, "cannot be written");
    }
    smoe_file_release(&host, out.text);
    return result;
}
