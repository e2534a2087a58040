/* Writes a safetensors file. */
#include "file_internal.h"

#include <stdio.h>
#include <string.h>

static void put_number(smoe_sink *out, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    smoe_sink_text(out, digits);
}

static void put_header(smoe_sink *out, const smoe_tensor *tensors, uint32_t tensor_count, const char *const *metadata,
                       uint32_t metadata_count)
{
    smoe_sink_text(out, "{");
    if (metadata_count > 0) {
        smoe_sink_text(out, "\"__metadata__\":{");
        for (uint32_t i = 0; i < 2 * metadata_count; i++) {
            smoe_sink_string(out, metadata[i]);
            smoe_sink_text(out, i % 2 == 0 ? ":" : i + 1 < 2 * metadata_count ? "," : "}");
        }
    }
    uint64_t offset = 0;
    for (uint32_t i = 0; i < tensor_count; i++) {
        smoe_sink_text(out, i > 0 || metadata_count > 0 ? "," : "");
        smoe_sink_string(out, tensors[i].name);
        smoe_sink_text(out, ":{\"dtype\":");
        smoe_sink_string(out, smoe_file_type_of(tensors[i].type).name);
        smoe_sink_text(out, ",\"shape\":[");
        for (uint32_t j = 0; j < tensors[i].rank; j++) {
            smoe_sink_text(out, j ? "," : "");
            put_number(out, tensors[i].shape[j]);
        }
        smoe_sink_text(out, "],\"data_offsets\":[");
        put_number(out, offset);
        smoe_sink_text(out, ",");
        offset += tensors[i].size;
        put_number(out, offset);
        smoe_sink_text(out, "]}");
    }
    smoe_sink_text(out, "}");
    while (out->size % 8 != 0) /* the data begins aligned, as safetensors itself writes it */
        smoe_sink_text(out, " ");
}

static smoe_result check_tensor(const smoe_file_host *host, const smoe_tensor *tensors, uint32_t index)
{
    const smoe_tensor *tensor = &tensors[index];
    if (!tensor->name || strcmp(tensor->name, "__metadata__") == 0)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "tensors[%u].name must be given, and not be __metadata__", index);
    if (!smoe_utf8_valid(tensor->name))
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "tensors[%u].name must be UTF-8", index);
    const smoe_file_type type = smoe_file_type_of(tensor->type);
    if (type.size_bits == 0 || tensor->rank > SMOE_TENSOR_MAX_RANK)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "tensors[%u]: type must be a smoe_tensor_type and rank at most %d", index,
                              SMOE_TENSOR_MAX_RANK);
    uint64_t size = type.size_bits / 8;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const uint64_t length = tensor->shape[i];
        if (length != 0 && size > SMOE_FILE_MAX_INTEGER / length)
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "tensors[%u].shape has too many elements", index);
        size *= length;
    }
    if (tensor->size != size || (size > 0 && !tensor->data))
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "tensors[%u]: size must be %llu, the bytes of its shape, and data must not be NULL",
                              index, (unsigned long long)size);
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(tensors[i].name, tensor->name) == 0)
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "tensors[%u].name \"%.80s\" is taken", index,
                                  tensor->name);
    return SMOE_SUCCESS;
}

static smoe_result check_metadata(const smoe_file_host *host, const char *const *metadata, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *key = metadata[2 * i];
        if (!key || !metadata[2 * i + 1])
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "metadata: pair %u has a NULL string", i);
        if (!smoe_utf8_valid(key) || !smoe_utf8_valid(metadata[2 * i + 1]))
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "metadata: pair %u must be UTF-8", i);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(metadata[2 * j], key) == 0)
                return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "metadata: key \"%.80s\" is given twice", key);
    }
    return SMOE_SUCCESS;
}

typedef struct file_parts {
    const smoe_sink *header;
    const smoe_tensor *tensors;
    uint32_t tensor_count;
} file_parts;

static bool write_parts(FILE *stream, const void *what)
{
    const file_parts *parts = what;
    const uint64_t header_size = parts->header->size;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(header_size >> 8 * i);
    bool ok = fwrite(prefix, 1, sizeof prefix, stream) == sizeof prefix;
    ok = ok && fwrite(parts->header->text, 1, (size_t)header_size, stream) == header_size;
    for (uint32_t i = 0; ok && i < parts->tensor_count; i++) {
        const smoe_tensor *tensor = &parts->tensors[i];
        ok = tensor->size == 0 || fwrite(tensor->data, 1, (size_t)tensor->size, stream) == tensor->size;
    }
    return ok;
}

smoe_result smoe_layer_file_write(const char *path, const smoe_tensor *tensors, uint32_t tensor_count,
                                  const char *const *metadata, uint32_t metadata_count, const smoe_allocator *allocator,
                                  const smoe_log *log)
{
    smoe_file_host host;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_layer_file_write"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || (!tensors && tensor_count > 0) || (!metadata && metadata_count > 0))
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL",
                              !path ? "path" : !tensors && tensor_count > 0 ? "tensors" : "metadata");
    if (metadata_count > UINT32_MAX / 2)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "metadata_count: %u pairs, must be at most %u",
                              metadata_count, UINT32_MAX / 2);
    smoe_result result = check_metadata(&host, metadata, metadata_count);
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < tensor_count; i++)
        result = check_tensor(&host, tensors, i);
    if (result != SMOE_SUCCESS)
        return result;

    smoe_sink out = {NULL, 0};
    put_header(&out, tensors, tensor_count, metadata, metadata_count);
    out.text = smoe_file_allocate(&host, out.size);
    if (!out.text)
        return smoe_file_out_of_memory(&host, out.size);
    out.size = 0;
    put_header(&out, tensors, tensor_count, metadata, metadata_count);
    result = smoe_file_create(&host, write_parts, &(file_parts){&out, tensors, tensor_count});
    smoe_file_release(&host, out.text);
    return result;
}
