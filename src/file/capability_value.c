/* Reads the values of a capability file, by their kinds. */
#include "capability_fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(...) smoe_file_fail(host, SMOE_ERROR_FILE, __VA_ARGS__)

/* ---- values ------------------------------------------------------------------------------------------------------ */

smoe_result smoe_capability_read_whole(const smoe_file_host *host, const char *key, smoe_json_span value, uint64_t most,
                                       uint64_t *out)
{
    if (!smoe_json_is_number(value))
        return REFUSE("%s: must be a number", key);
    if (!smoe_json_whole(value, most, out))
        return REFUSE("%s: must be a whole number from 0 to %llu", key, (unsigned long long)most);
    return SMOE_SUCCESS;
}

static smoe_result read_number(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                               void *out)
{
    uint64_t number = 0;
    const smoe_result result = smoe_capability_read_whole(host, field->key, value, UINT32_MAX, &number);
    *(uint32_t *)out = (uint32_t)number;
    return result;
}

static smoe_result read_size(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                             void *out)
{
    return smoe_capability_read_whole(host, field->key, value, SMOE_FILE_MAX_INTEGER, out);
}

static smoe_result read_text(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                             void *out)
{
    const char *text = smoe_json_string(value);
    if (!text)
        return REFUSE("%s: must be a string", field->key);
    if (strlen(text) >= field->size)
        return REFUSE("%s: must be shorter than %zu bytes", field->key, field->size);
    strcpy(out, text);
    if (!smoe_text_clean(out, ' '))
        return REFUSE("%s: must have no control characters", field->key);
    return SMOE_SUCCESS;
}

/* Empty for what is no string: no rule allows that. */
static const char *text_of(smoe_json_span value)
{
    const char *text = smoe_json_string(value);
    return text ? text : "";
}

#define HEX_DIGITS "0123456789abcdefABCDEF"

static smoe_result read_hex(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                            void *out)
{
    const char *text = text_of(value);
    const size_t digits = strlen(text);
    if (digits < 3 || digits > 10 || strncmp(text, "0x", 2) != 0 || strspn(text + 2, HEX_DIGITS) != digits - 2)
        return REFUSE("%s: must be a string of 0x and up to 8 hexadecimal digits", field->key);
    *(uint32_t *)out = (uint32_t)strtoul(text + 2, NULL, 16);
    return SMOE_SUCCESS;
}

static smoe_result read_uuid(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                             void *out)
{
    const char *text = text_of(value);
    uint8_t *bytes = out;
    if (strlen(text) != 2 * field->size || strspn(text, HEX_DIGITS) != 2 * field->size)
        return REFUSE("%s: must be a string of %zu hexadecimal digits", field->key, 2 * field->size);
    for (size_t i = 0; i < field->size; i++) {
        const char byte[] = {text[2 * i], text[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return SMOE_SUCCESS;
}

static smoe_result read_version(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                                void *out)
{
    static const uint32_t most[] = {127, 1023, 4095};
    const char *text = text_of(value);
    uint32_t parts[3] = {0};
    for (int i = 0; i < 3; i++) {
        const size_t digits = strspn(text, "0123456789");
        parts[i] = digits >= 1 && digits <= 4 ? (uint32_t)strtoul(text, NULL, 10) : UINT32_MAX;
        if (parts[i] > most[i] || text[digits] != (i < 2 ? '.' : '\0'))
            return REFUSE("%s: must be a string like \"1.3.0\"", field->key);
        text += digits + 1;
    }
    *(uint32_t *)out = VK_MAKE_API_VERSION(0, parts[0], parts[1], parts[2]);
    return SMOE_SUCCESS;
}

static smoe_result read_type(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                             void *out)
{
    const char *text = text_of(value);
    for (int type = VK_PHYSICAL_DEVICE_TYPE_OTHER; type <= VK_PHYSICAL_DEVICE_TYPE_CPU; type++)
        if (strcmp(text, smoe_device_type_name((VkPhysicalDeviceType)type)) == 0) {
            *(VkPhysicalDeviceType *)out = (VkPhysicalDeviceType)type;
            return SMOE_SUCCESS;
        }
    return REFUSE("%s: must be \"other\", \"integrated GPU\", \"discrete GPU\", \"virtual GPU\" or \"CPU\"",
                  field->key);
}

static smoe_result read_real(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                             void *out)
{
    double number;
    if (!smoe_json_number(value, &number) || !(fabs(number) <= 1e30))
        return REFUSE("%s: must be a number of at most 1e30", field->key);
    *(float *)out = (float)number;
    return SMOE_SUCCESS;
}

static smoe_result read_truth(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                              void *out)
{
    if (*value.text != 't' && *value.text != 'f')
        return REFUSE("%s: must be true or false", field->key);
    *(bool *)out = *value.text == 't';
    return SMOE_SUCCESS;
}

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

/* False at the end, and for what is no array. */
static bool next_element(smoe_json_cursor *array, smoe_json_span *value)
{
    const char *reason;
    return smoe_json_next_element(array, value, &reason) == SMOE_JSON_ITEM;
}

static smoe_result read_counts(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                               void *out)
{
    smoe_json_cursor array = smoe_json_enter(value);
    smoe_json_span elements[4], element;
    uint32_t count = 0;
    while (count < 4 && next_element(&array, &element))
        elements[count++] = element;
    if (count != 3)
        return REFUSE("%s: must be an array of 3 numbers", field->key);
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < 3; i++)
        result = read_number(host, field, elements[i], (uint32_t *)out + i);
    return result;
}

static smoe_result read_capabilities(const smoe_file_host *host, const smoe_capability_field *field,
                                     smoe_json_span value, void *out)
{
    smoe_json_cursor array = smoe_json_enter(value);
    smoe_json_span element;
    uint32_t *capabilities = out, one;
    if (*value.text != '[')
        return REFUSE("%s: must be an array of strings", field->key);
    for (*capabilities = 0; next_element(&array, &element); *capabilities |= one)
        if (!smoe_capability_find(text_of(element), &one))
            return REFUSE(
                "%s: every element must be the name of a capability that this smoe knows, as smoe-devices prints them",
                field->key);
    return SMOE_SUCCESS;
}

static bool parse_matrix(const char *text, smoe_matrix_shape *out)
{
    char again[SMOE_MATRIX_SHAPE_TEXT_SIZE], *end;
    uint32_t *const sides[] = {&out->rows, &out->columns, &out->depth};
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        const size_t digits = strspn(at, "0123456789");
        if (digits < 1 || digits > 9)
            return false;
        *sides[i] = (uint32_t)strtoul(at, &end, 10);
        at = end + (*end != '\0');
    }
    /* no leading zero, nothing left out, nothing behind; matrix units have no float32 */
    return smoe_type_find(at, &out->type) && out->type != SMOE_TYPE_FLOAT32 &&
           strcmp(smoe_matrix_shape_text(out, again), text) == 0;
}

static smoe_result read_matrices(const smoe_file_host *host, const smoe_capability_field *field, smoe_json_span value,
                                 void *out)
{
    smoe_device_info *info = out;
    smoe_json_cursor array = smoe_json_enter(value), counting = array;
    smoe_json_span element;
    uint32_t count = 0;
    while (next_element(&counting, &element))
        count++;
    if (*value.text != '[' || count > SMOE_MAX_MATRIX_SHAPES)
        return REFUSE("%s: must be an array of at most %u strings", field->key, SMOE_MAX_MATRIX_SHAPES);
    for (info->matrix_shape_count = 0; next_element(&array, &element); info->matrix_shape_count++)
        if (!parse_matrix(text_of(element), &info->matrix_shapes[info->matrix_shape_count]))
            return REFUSE("%s: every element must be a string like \"16x16x16 float16\" or \"8x8x8 bfloat16\"",
                          field->key);
    return SMOE_SUCCESS;
}

typedef smoe_result (*field_reader)(const smoe_file_host *host, const smoe_capability_field *field,
                                    smoe_json_span value, void *out);

static const field_reader readers[SMOE_KIND_COUNT] = {
    [SMOE_KIND_TEXT] = read_text,       [SMOE_KIND_TYPE] = read_type,       [SMOE_KIND_HEX] = read_hex,
    [SMOE_KIND_NUMBER] = read_number,   [SMOE_KIND_SIZE] = read_size,       [SMOE_KIND_REAL] = read_real,
    [SMOE_KIND_TRUTH] = read_truth,     [SMOE_KIND_VERSION] = read_version, [SMOE_KIND_UUID] = read_uuid,
    [SMOE_KIND_COUNTS] = read_counts,   [SMOE_KIND_CAPABILITIES] = read_capabilities,
    [SMOE_KIND_MATRICES] = read_matrices,
};

smoe_result smoe_capability_read_value(const smoe_file_host *host, const smoe_capability_field *field,
                                       smoe_json_span value, smoe_device_info *out)
{
    return readers[field->kind](host, field, value, (char *)out + field->offset);
}
