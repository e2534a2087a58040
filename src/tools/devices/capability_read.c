#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "capability_fields.h"
#include "capability_file.h"

#define REFUSE(...) refuse(reason, __VA_ARGS__)

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool
refuse(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, CAPABILITY_REASON_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

static bool read_number(const char *key, const cJSON *item, double most, double *out, char *reason)
{
    if (!cJSON_IsNumber(item))
        return REFUSE("%s: must be a number", key);
    if (!(item->valuedouble >= 0 && item->valuedouble <= most) || item->valuedouble != floor(item->valuedouble))
        return REFUSE("%s: must be a whole number from 0 to %.0f", key, most);
    *out = item->valuedouble;
    return true;
}

static bool read_u32(const char *key, const cJSON *item, uint32_t *out, char *reason)
{
    double value;
    if (!read_number(key, item, UINT32_MAX, &value, reason))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_text(const capability_field *field, const cJSON *item, char *out, char *reason)
{
    if (!cJSON_IsString(item))
        return REFUSE("%s: must be a string", field->key);
    if (strlen(item->valuestring) >= field->size)
        return REFUSE("%s: must be shorter than %zu bytes", field->key, field->size);
    strcpy(out, item->valuestring);
    return capability_text_clean(out) ? true : REFUSE("%s: must have no control characters", field->key);
}

static bool read_hex(const char *key, const cJSON *item, uint32_t *out, char *reason)
{
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    const size_t digits = strlen(text);
    if (digits < 3 || digits > 10 || strncmp(text, "0x", 2) != 0 || strspn(text + 2, "0123456789abcdefABCDEF") != digits - 2)
        return REFUSE("%s: must be a string of 0x and up to 8 hexadecimal digits", key);
    *out = (uint32_t)strtoul(text + 2, NULL, 16);
    return true;
}

static bool read_uuid(const char *key, const cJSON *item, uint8_t *out, char *reason)
{
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    if (strlen(text) != 2 * VK_UUID_SIZE || strspn(text, "0123456789abcdefABCDEF") != 2 * VK_UUID_SIZE)
        return REFUSE("%s: must be a string of %u hexadecimal digits", key, 2 * VK_UUID_SIZE);
    for (size_t i = 0; i < VK_UUID_SIZE; i++) {
        const char byte[] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return true;
}

static bool read_version(const char *key, const cJSON *item, uint32_t *out, char *reason)
{
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    const uint32_t most[] = {127, 1023, 4095};
    uint32_t parts[3] = {0};
    for (int i = 0; i < 3; i++) {
        const size_t digits = strspn(text, "0123456789");
        parts[i] = digits >= 1 && digits <= 4 ? (uint32_t)strtoul(text, NULL, 10) : UINT32_MAX;
        if (parts[i] > most[i] || text[digits] != (i < 2 ? '.' : '\0'))
            return REFUSE("%s: must be a string like \"1.3.0\"", key);
        text += digits + 1;
    }
    *out = VK_MAKE_API_VERSION(0, parts[0], parts[1], parts[2]);
    return true;
}

static bool read_type(const char *key, const cJSON *item, VkPhysicalDeviceType *out, char *reason)
{
    for (int type = VK_PHYSICAL_DEVICE_TYPE_OTHER; cJSON_IsString(item) && type <= VK_PHYSICAL_DEVICE_TYPE_CPU; type++)
        if (strcmp(item->valuestring, device_type_name((VkPhysicalDeviceType)type)) == 0) {
            *out = (VkPhysicalDeviceType)type;
            return true;
        }
    return REFUSE("%s: must be \"other\", \"integrated GPU\", \"discrete GPU\", \"virtual GPU\" or \"CPU\"", key);
}

static bool read_counts(const char *key, const cJSON *item, uint32_t out[3], char *reason)
{
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != 3)
        return REFUSE("%s: must be an array of 3 numbers", key);
    for (int i = 0; i < 3; i++)
        if (!read_u32(key, cJSON_GetArrayItem(item, i), &out[i], reason))
            return false;
    return true;
}

static bool read_capabilities(const char *key, const cJSON *item, uint32_t *out, char *reason)
{
    const cJSON *element;
    *out = 0;
    if (!cJSON_IsArray(item))
        return REFUSE("%s: must be an array of strings", key);
    cJSON_ArrayForEach(element, item) {
        const char *name = NULL;
        uint32_t bit = 0;
        for (uint32_t i = 0; cJSON_IsString(element) && (name = capability_name(i, &bit)) != NULL; i++)
            if (strcmp(element->valuestring, name) == 0)
                break;
        if (!name)
            return REFUSE("%s: every element must be the name of a capability that this smoe-devices knows, as it prints them", key);
        *out |= bit;
    }
    return true;
}

static bool read_matrices(const char *key, const cJSON *item, smoe_device_info *out, char *reason)
{
    const cJSON *element;
    out->matrix_shape_count = 0;
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) > (int)SMOE_MAX_MATRIX_SHAPES)
        return REFUSE("%s: must be an array of at most %u strings", key, SMOE_MAX_MATRIX_SHAPES);
    cJSON_ArrayForEach(element, item)
        if (!cJSON_IsString(element) || !matrix_shape_parse(element->valuestring, &out->matrix_shapes[out->matrix_shape_count++]))
            return REFUSE("%s: every element must be a string like \"16x16x16 float16\" or \"8x8x8 bfloat16\"", key);
    return true;
}

static bool read_field(const capability_field *field, const cJSON *item, void *out, char *reason)
{
    double value;
    switch (field->kind) {
    case KIND_TEXT: return read_text(field, item, out, reason);
    case KIND_TYPE: return read_type(field->key, item, out, reason);
    case KIND_HEX: return read_hex(field->key, item, out, reason);
    case KIND_NUMBER: return read_u32(field->key, item, out, reason);
    case KIND_SIZE:
        if (!read_number(field->key, item, (double)CAPABILITY_MAX_SIZE, &value, reason))
            return false;
        *(uint64_t *)out = (uint64_t)value;
        return true;
    case KIND_REAL:
        if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= 1e30))
            return REFUSE("%s: must be a number of at most 1e30", field->key);
        *(float *)out = (float)item->valuedouble;
        return true;
    case KIND_TRUTH:
        if (!cJSON_IsBool(item))
            return REFUSE("%s: must be true or false", field->key);
        *(bool *)out = cJSON_IsTrue(item);
        return true;
    case KIND_VERSION: return read_version(field->key, item, out, reason);
    case KIND_UUID: return read_uuid(field->key, item, out, reason);
    case KIND_COUNTS: return read_counts(field->key, item, out, reason);
    case KIND_CAPABILITIES: return read_capabilities(field->key, item, out, reason);
    case KIND_MATRICES: return read_matrices(field->key, item, out, reason);
    }
    return false;
}

static bool known(const char *key)
{
    for (size_t i = 0; i < CAPABILITY_FIELD_COUNT; i++)
        if (strcmp(key, capability_fields[i].key) == 0)
            return true;
    return strcmp(key, CAPABILITY_VERSION_KEY) == 0;
}

static bool check_keys(const cJSON *object, char *reason)
{
    const cJSON *item, *other;
    double version;
    if (!cJSON_IsObject(object))
        return REFUSE("not a JSON object");
    item = cJSON_GetObjectItemCaseSensitive(object, CAPABILITY_VERSION_KEY);
    if (!item)
        return REFUSE("%s: missing; is this a capability file?", CAPABILITY_VERSION_KEY);
    if (!read_number(CAPABILITY_VERSION_KEY, item, 1e9, &version, reason))
        return false;
    if (version != CAPABILITY_FILE_VERSION)
        return REFUSE("%s: version %.0f, this smoe-devices reads %d", CAPABILITY_VERSION_KEY, version, CAPABILITY_FILE_VERSION);
    cJSON_ArrayForEach(item, object) {
        if (!known(item->string)) {
            char name[40] = "";
            for (size_t i = 0; item->string[i] && i + 1 < sizeof name; i++) /* it may hold anything: one plain line */
                name[i] = item->string[i] > ' ' && item->string[i] <= '~' ? item->string[i] : '?';
            return REFUSE("%s: no key of a capability file", name);
        }
        for (other = item->next; other; other = other->next)
            if (strcmp(item->string, other->string) == 0)
                return REFUSE("%s: must be there once", item->string);
    }
    return true;
}

static bool has_shape(const smoe_device_info *info, smoe_type type)
{
    for (uint32_t i = 0; i < info->matrix_shape_count; i++)
        if (info->matrix_shapes[i].type == type)
            return true;
    return false;
}

/* What smoe.h says that smoe_physical_device_info gives. */
static bool check_together(const smoe_device_info *info, char *reason)
{
    const bool matrices = (info->capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX) != 0;
    if (info->usable && info->reason[0])
        return REFUSE("reason: must be empty where usable is true");
    if (!info->usable && !info->reason[0])
        return REFUSE("reason: must not be empty where usable is false");
    if (matrices && !has_shape(info, SMOE_TYPE_FLOAT16))
        return REFUSE("capabilities: cooperative_matrix needs one of matrix_shapes for float16");
    if ((info->capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16) && !(matrices && has_shape(info, SMOE_TYPE_BFLOAT16)))
        return REFUSE("capabilities: cooperative_matrix_bfloat16 needs cooperative_matrix, and one of matrix_shapes for bfloat16");
    if (!matrices && info->matrix_shape_count > 0)
        return REFUSE("matrix_shapes: must be empty without cooperative_matrix among capabilities");
    return true;
}

/* What JSON cannot say: the rules of Vulkan, which the library knows, and its floor. */
static bool check_rules(smoe_device_info *info, char *reason)
{
    static const char prefix[] = "info", separators[] = ".: ";
    const smoe_plan_desc any = {.d_model = 1, .d_hidden = 1, .expert_count = 1, .top_k = 1, .max_tokens = 1};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char text[SMOE_REASON_SIZE];
    const smoe_result result = smoe_select_kernels(&(smoe_selection_desc){info, &any, 1}, choices, text);
    const char *rest = text;
    if (strncmp(rest, prefix, strlen(prefix)) == 0)
        rest += strlen(prefix) + strspn(rest + strlen(prefix), separators);
    if (result == SMOE_ERROR_INVALID_ARGUMENT)
        return REFUSE("%s", rest);
    if (!check_together(info, reason))
        return false;
    if (result != SMOE_SUCCESS && info->usable) {
        info->usable = false;
        snprintf(info->reason, sizeof info->reason, "%s", rest);
    }
    return true;
}

bool capability_parse(const char *text, size_t size, smoe_device_info *out, char reason[CAPABILITY_REASON_SIZE])
{
    const char *end = NULL;
    bool good = true;
    *out = (smoe_device_info){.usable = false};
    cJSON *object = memchr(text, '\0', size) ? NULL : cJSON_ParseWithLengthOpts(text, size + 1, &end, 1);
    if (!object)
        return REFUSE("not JSON");
    good = check_keys(object, reason);
    for (size_t i = 0; good && i < CAPABILITY_FIELD_COUNT; i++) {
        const capability_field *field = &capability_fields[i];
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, field->key);
        good = item ? read_field(field, item, (char *)out + field->offset, reason) : REFUSE("%s: missing", field->key);
    }
    cJSON_Delete(object);
    return good && check_rules(out, reason);
}

bool capability_read(const char *path, smoe_device_info *out, char reason[CAPABILITY_REASON_SIZE])
{
    const bool standard = strcmp(path, "-") == 0;
    FILE *stream = standard ? stdin : fopen(path, "rb");
    if (!stream)
        return REFUSE("cannot be opened");
    bool good = false;
    char *text = malloc(CAPABILITY_FILE_MAX_SIZE + 2);
    const size_t size = text ? fread(text, 1, CAPABILITY_FILE_MAX_SIZE + 1, stream) : 0;
    if (!text)
        REFUSE("out of memory");
    else if (ferror(stream))
        REFUSE("cannot be read");
    else if (size > CAPABILITY_FILE_MAX_SIZE)
        REFUSE("larger than %u bytes", CAPABILITY_FILE_MAX_SIZE);
    else {
        text[size] = '\0';
        good = capability_parse(text, size, out, reason);
    }
    free(text);
    if (!standard)
        fclose(stream);
    return good;
}
