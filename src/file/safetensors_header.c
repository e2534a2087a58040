/* The JSON header of a safetensors file. */
#include "file_internal.h"

#include <string.h>

/* {"dtype":"U8","shape":[],"data_offsets":[0,0]} and the name's quotes: no tensor can be said in fewer bytes. */
#define MIN_MEMBER_SIZE 48

typedef struct entry_text {
    smoe_json_span dtype, shape, offsets;
    bool twice; /* one reader would find the first, another the last */
} entry_text;

static entry_text find_members(smoe_json_span value)
{
    entry_text found = {.twice = false};
    const struct {
        const char *name;
        smoe_json_span *span;
    } wanted[] = {{"dtype", &found.dtype}, {"shape", &found.shape}, {"data_offsets", &found.offsets}};
    smoe_json_cursor object = smoe_json_enter(value);
    smoe_json_span name, member;
    const char *reason;
    while (smoe_json_next_member(&object, &name, &member, &reason) == SMOE_JSON_ITEM) {
        const char *key = smoe_json_string(name);
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (strcmp(key, wanted[i].name) == 0) {
                found.twice = found.twice || wanted[i].span->size > 0;
                *wanted[i].span = member;
            }
    }
    return found;
}

static bool is_array(smoe_json_span value)
{
    return value.size > 0 && *value.text == '[';
}

static smoe_result read_lengths(const smoe_layer_file *file, smoe_tensor *tensor, smoe_json_span shape,
                                uint64_t *elements)
{
    smoe_json_cursor array = smoe_json_enter(shape);
    smoe_json_span value;
    const char *reason;
    *elements = 1;
    while (smoe_json_next_element(&array, &value, &reason) == SMOE_JSON_ITEM) {
        uint64_t length;
        if (!smoe_json_whole(value, SMOE_FILE_MAX_INTEGER, &length))
            return smoe_file_fail(&file->host, SMOE_ERROR_FILE,
                                  "tensor \"%.80s\": shape must hold whole numbers from 0 to 2^53", tensor->name);
        if (tensor->rank < SMOE_TENSOR_MAX_RANK)
            tensor->shape[tensor->rank] = length;
        tensor->rank++;
        if (length != 0 && *elements > UINT64_MAX / 64 / length)
            return smoe_file_fail(&file->host, SMOE_ERROR_FILE,
                                  "tensor \"%.80s\": shape has more elements than any file can hold", tensor->name);
        *elements *= length;
    }
    for (uint32_t i = tensor->rank; i < SMOE_TENSOR_MAX_RANK; i++)
        tensor->shape[i] = 1;
    return SMOE_SUCCESS;
}

static smoe_result read_shape(const smoe_layer_file *file, smoe_file_entry *entry, smoe_json_span shape,
                              const smoe_file_type *type)
{
    smoe_tensor *tensor = &entry->tensor;
    uint64_t elements;
    const smoe_result result = read_lengths(file, tensor, shape, &elements);
    if (result != SMOE_SUCCESS)
        return result;
    const uint64_t bits = elements * type->size_bits;
    tensor->size = bits / 8;
    if (bits % 8 != 0 || tensor->size != entry->end - entry->begin)
        return smoe_file_fail(&file->host, SMOE_ERROR_FILE,
                              "tensor \"%.80s\": data_offsets span %llu bytes, but its shape and dtype %s need %llu",
                              tensor->name, (unsigned long long)(entry->end - entry->begin), type->name,
                              (unsigned long long)((bits + 7) / 8));
    return SMOE_SUCCESS;
}

static bool read_offsets(smoe_file_entry *entry, smoe_json_span offsets)
{
    smoe_json_cursor array = smoe_json_enter(offsets);
    smoe_json_span value;
    const char *reason;
    uint64_t *const to[] = {&entry->begin, &entry->end};
    uint32_t count = 0;
    for (; smoe_json_next_element(&array, &value, &reason) == SMOE_JSON_ITEM; count++)
        if (count == 2 || !smoe_json_whole(value, SMOE_FILE_MAX_INTEGER, to[count]))
            return false;
    return count == 2 && entry->begin <= entry->end;
}

static smoe_result read_members(const smoe_layer_file *file, smoe_file_entry *entry, smoe_json_span value)
{
    const char *name = entry->tensor.name;
    const entry_text text = find_members(value);
    const char *dtype = smoe_json_string(text.dtype);
    if (text.twice || !dtype || !is_array(text.shape) || !is_array(text.offsets))
        return smoe_file_fail(&file->host, SMOE_ERROR_FILE,
                              "tensor \"%.80s\" must have dtype (a string), shape and data_offsets (arrays), once each",
                              name);
    const smoe_file_type type = smoe_file_type_by_name(dtype);
    if (type.size_bits == 0)
        return smoe_file_fail(&file->host, SMOE_ERROR_FILE, "tensor \"%.80s\": \"%.40s\" is not a dtype of safetensors",
                              name, dtype);
    if (!read_offsets(entry, text.offsets))
        return smoe_file_fail(
            &file->host, SMOE_ERROR_FILE,
            "tensor \"%.80s\": data_offsets must be two whole numbers up to 2^53, the first not above the second",
            name);
    entry->tensor.type = type.type;
    entry->type_name = type.name;
    const smoe_result result = read_shape(file, entry, text.shape, &type);
    entry->readable = type.readable && entry->tensor.rank <= SMOE_TENSOR_MAX_RANK;
    return result;
}

static smoe_result read_entry(smoe_layer_file *file, const char *name, smoe_json_span value)
{
    smoe_file_entry *entry = &file->entries[file->entry_count++];
    memset(entry, 0, sizeof *entry);
    entry->tensor.name = name;
    if (*value.text != '{')
        return smoe_file_fail(&file->host, SMOE_ERROR_FILE,
                              "tensor \"%.80s\": its entry in the header is not a JSON object", name);
    return read_members(file, entry, value);
}

static smoe_result read_metadata(smoe_layer_file *file, smoe_json_span span)
{
    const smoe_file_host *host = &file->host;
    if (file->metadata)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "the header has two members named \"__metadata__\"");
    smoe_json_cursor object = smoe_json_enter(span);
    uint32_t count;
    const smoe_result result = smoe_json_count(&file->host, object, "__metadata__", &count);
    if (result != SMOE_SUCCESS)
        return result;
    const uint64_t size = (uint64_t)count * sizeof *file->metadata;
    file->metadata = smoe_file_allocate(host, size);
    if (!file->metadata)
        return smoe_file_out_of_memory(host, size);
    smoe_json_span name, value;
    const char *reason;
    while (smoe_json_next_member(&object, &name, &value, &reason) == SMOE_JSON_ITEM) {
        smoe_file_pair *pair = &file->metadata[file->metadata_count];
        pair->key = smoe_json_string(name);
        pair->value = smoe_json_string(value);
        if (!pair->value)
            return smoe_file_fail(host, SMOE_ERROR_FILE, "__metadata__ must map strings to strings; member %u does not",
                                  file->metadata_count);
        file->metadata_count++;
    }
    return smoe_file_sort_metadata(file);
}

smoe_result smoe_file_parse_header(smoe_layer_file *file, uint64_t header_size)
{
    const smoe_file_host *host = &file->host;
    smoe_json_cursor object = smoe_json_enter((smoe_json_span){file->header, (size_t)header_size});
    uint32_t count;
    smoe_result result = smoe_json_count(&file->host, object, "the header", &count);
    if (result != SMOE_SUCCESS)
        return result;
    if (count > 1 + header_size / MIN_MEMBER_SIZE) /* one may be an empty __metadata__ */
        return smoe_file_fail(host, SMOE_ERROR_FILE, "the header has %u members, too short to describe tensors", count);
    const uint64_t size = (uint64_t)count * sizeof *file->entries;
    file->entries = smoe_file_allocate(host, size);
    if (!file->entries)
        return smoe_file_out_of_memory(host, size);
    smoe_json_span name_span, value;
    const char *reason;
    while (smoe_json_next_member(&object, &name_span, &value, &reason) == SMOE_JSON_ITEM) {
        const char *name = smoe_json_string(name_span);
        result = strcmp(name, "__metadata__") == 0 ? read_metadata(file, value) : read_entry(file, name, value);
        if (result != SMOE_SUCCESS)
            return result;
    }
    return smoe_file_sort_entries(file);
}
