/* Reads a capability file, by the table of its keys. */
#include "capability_fields.h"

#include <string.h>

#define REFUSE(...) smoe_file_fail(host, SMOE_ERROR_FILE, __VA_ARGS__)

/* ---- the object -------------------------------------------------------------------------------------------------- */

typedef struct members {
    smoe_json_span values[SMOE_CAPABILITY_FIELD_COUNT], version; /* size 0: missing */
    const char *unknown, *twice;                                 /* the first such key, NULL if there is none */
} members;

static smoe_json_span *find_place(members *found, const char *key)
{
    if (strcmp(key, SMOE_CAPABILITY_VERSION_KEY) == 0)
        return &found->version;
    for (size_t i = 0; i < SMOE_CAPABILITY_FIELD_COUNT; i++)
        if (strcmp(key, smoe_capability_fields[i].key) == 0)
            return &found->values[i];
    return NULL;
}

static void find_members(smoe_json_cursor object, members *found)
{
    smoe_json_span name, value;
    const char *reason;
    *found = (members){.unknown = NULL};
    while (smoe_json_next_member(&object, &name, &value, &reason) == SMOE_JSON_ITEM) {
        const char *key = smoe_json_string(name);
        smoe_json_span *place = find_place(found, key);
        if (!place)
            found->unknown = found->unknown ? found->unknown : key;
        else if (place->size > 0)
            found->twice = found->twice ? found->twice : key;
        else
            *place = value;
    }
}

static smoe_result check_members(const smoe_file_host *host, const members *found)
{
    uint64_t version;
    if (found->version.size == 0)
        return REFUSE("%s: missing; is this a capability file?", SMOE_CAPABILITY_VERSION_KEY);
    const smoe_result result =
        smoe_capability_read_whole(host, SMOE_CAPABILITY_VERSION_KEY, found->version, 1000000000, &version);
    if (result != SMOE_SUCCESS)
        return result;
    if (version != SMOE_CAPABILITY_FILE_VERSION)
        return smoe_file_fail(host, SMOE_ERROR_UNSUPPORTED, "%s: version %llu, this smoe reads %d",
                              SMOE_CAPABILITY_VERSION_KEY, (unsigned long long)version, SMOE_CAPABILITY_FILE_VERSION);
    if (found->unknown)
        return REFUSE("%.40s: no key of a capability file", found->unknown);
    if (found->twice)
        return REFUSE("%s: must be there once", found->twice);
    return SMOE_SUCCESS;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static bool has_shape(const smoe_device_info *info, smoe_type type)
{
    for (uint32_t i = 0; i < info->matrix_shape_count; i++)
        if (info->matrix_shapes[i].type == type)
            return true;
    return false;
}

/* What smoe.h says that smoe_physical_device_info gives. */
static smoe_result check_together(const smoe_file_host *host, const smoe_device_info *info)
{
    const bool matrices = (info->capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX) != 0;
    const bool bfloat16 = (info->capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16) != 0;
    if (info->usable && info->reason[0])
        return REFUSE("reason: must be empty where usable is true");
    if (!info->usable && !info->reason[0])
        return REFUSE("reason: must not be empty where usable is false");
    if (matrices && !has_shape(info, SMOE_TYPE_FLOAT16))
        return REFUSE("capabilities: cooperative_matrix needs one of matrix_shapes for float16");
    if (bfloat16 && !(matrices && has_shape(info, SMOE_TYPE_BFLOAT16)))
        return REFUSE("capabilities: cooperative_matrix_bfloat16 needs cooperative_matrix, and one of matrix_shapes "
                      "for bfloat16");
    if (!matrices && info->matrix_shape_count > 0)
        return REFUSE("matrix_shapes: must be empty without cooperative_matrix among capabilities");
    return SMOE_SUCCESS;
}

/* What JSON cannot say: the rules of Vulkan, which the library knows, and its floor. */
static smoe_result check_rules(const smoe_file_host *host, smoe_device_info *info)
{
    static const char prefix[] = "info", separators[] = ".: ";
    const smoe_plan_desc any = {.d_model = 1, .d_hidden = 1, .expert_count = 1, .top_k = 1, .max_tokens = 1};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char text[SMOE_REASON_SIZE];
    const smoe_result selected = smoe_select_kernels(&(smoe_selection_desc){info, &any, 1, 0}, choices, text);
    const char *rest = text;
    if (strncmp(rest, prefix, strlen(prefix)) == 0)
        rest += strlen(prefix) + strspn(rest + strlen(prefix), separators);
    if (selected == SMOE_ERROR_INVALID_ARGUMENT)
        return REFUSE("%s", rest);
    const smoe_result result = check_together(host, info);
    if (result == SMOE_SUCCESS && selected != SMOE_SUCCESS && info->usable) {
        info->usable = false;
        snprintf(info->reason, sizeof info->reason, "%s", rest);
    }
    return result;
}

/* ---- texts and files --------------------------------------------------------------------------------------------- */

/* Takes the text apart. */
static smoe_result read_object(const smoe_file_host *host, char *text, size_t size, smoe_device_info *out)
{
    /* some editors put it before UTF-8, and RFC 8259 lets readers pass over it */
    static const char mark[] = "\xef\xbb\xbf";
    const size_t skipped = size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
    const smoe_json_cursor object = smoe_json_enter((smoe_json_span){text + skipped, size - skipped});
    members found;
    uint32_t count;
    smoe_result result = smoe_json_count(host, object, "the file", &count);
    if (result != SMOE_SUCCESS)
        return result;
    find_members(object, &found);
    result = check_members(host, &found);
    for (size_t i = 0; result == SMOE_SUCCESS && i < SMOE_CAPABILITY_FIELD_COUNT; i++) {
        if (found.values[i].size == 0)
            return REFUSE("%s: missing", smoe_capability_fields[i].key);
        result = smoe_capability_read_value(host, &smoe_capability_fields[i], found.values[i], out);
    }
    return result == SMOE_SUCCESS ? check_rules(host, out) : result;
}

/* Room for a file of the largest size, and for a byte that shows that one is larger. */
#define ROOM (SMOE_CAPABILITY_FILE_MAX_SIZE + 1)

static smoe_result read_bytes(const smoe_file_host *host, char *text, size_t size, smoe_device_info *out)
{
    if (size > SMOE_CAPABILITY_FILE_MAX_SIZE)
        return REFUSE("larger than %u bytes", SMOE_CAPABILITY_FILE_MAX_SIZE);
    const smoe_result result = read_object(host, text, size, out);
    if (result != SMOE_SUCCESS)
        *out = (smoe_device_info){.usable = false};
    return result;
}

static smoe_result read_stream(const smoe_file_host *host, const smoe_file_stream *in, smoe_device_info *out)
{
    char *text = smoe_file_allocate(host, ROOM);
    if (!text)
        return smoe_file_out_of_memory(host, ROOM);
    const size_t size = fread(text, 1, ROOM, in->stream);
    const smoe_result result = ferror(in->stream) ? REFUSE("cannot be read") : read_bytes(host, text, size, out);
    smoe_file_release(host, text);
    return result;
}

smoe_result smoe_capability_file_parse(const char *text, size_t size, const char *name, const smoe_allocator *allocator,
                                       const smoe_log *log, smoe_device_info *out)
{
    smoe_file_host own, *host = &own;
    if (out)
        *out = (smoe_device_info){.usable = false};
    if (!smoe_file_host_init(host, allocator, log, name ? name : "smoe_capability_file_parse"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!text || !name || !out)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL",
                              !text  ? "text"
                              : name ? "out"
                                     : "name");
    char *copy = smoe_file_allocate(host, ROOM);
    if (!copy)
        return smoe_file_out_of_memory(host, ROOM);
    memcpy(copy, text, size < ROOM ? size : ROOM);
    const smoe_result result = read_bytes(host, copy, size, out);
    smoe_file_release(host, copy);
    return result;
}

smoe_result smoe_capability_file_read(const char *path, const smoe_allocator *allocator, const smoe_log *log,
                                      smoe_device_info *out)
{
    smoe_file_host own, *host = &own;
    if (out)
        *out = (smoe_device_info){.usable = false};
    if (!smoe_file_host_init(host, allocator, log, path ? path : "smoe_capability_file_read"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || !out)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL", path ? "out" : "path");
    smoe_file_stream in;
    smoe_result result = smoe_file_stream_open(host, &in, path);
    if (result == SMOE_SUCCESS)
        result = read_stream(host, &in, out);
    smoe_file_stream_close(&in);
    return result;
}
