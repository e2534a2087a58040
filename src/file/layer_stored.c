/* Weights with scales in a layer file: bytes laid out as smoe/weights.h says, and metadata that names the type. */
#include "layer_reading.h"

#include <stdio.h>
#include <string.h>

#define FAIL SMOE_LAYER_READING_FAIL

/* "mxfp4, q4, ...": all types with scales. */
static void list_types(char text[SMOE_NAME_LIST_SIZE])
{
    size_t used = 0;
    text[0] = '\0';
    for (smoe_type type = 0; smoe_type_name(type) && used < SMOE_NAME_LIST_SIZE; type++)
        if (smoe_type_has_scales(type))
            used += (size_t)snprintf(text + used, SMOE_NAME_LIST_SIZE - used, "%s%s", used ? ", " : "",
                                     smoe_type_short_name(type));
}

void smoe_file_type_key(const smoe_layer_tensor *tensor, char key[SMOE_FILE_TYPE_KEY_SIZE])
{
    snprintf(key, SMOE_FILE_TYPE_KEY_SIZE, "%s.type", tensor->file_name);
}

bool smoe_layer_reading_stored_type(smoe_layer_reading *r, const smoe_layer_tensor *row, smoe_type *out)
{
    char key[SMOE_FILE_TYPE_KEY_SIZE], known[SMOE_NAME_LIST_SIZE];
    smoe_file_type_key(row, key);
    const char *name = smoe_layer_reading_metadata(r, key);
    if (!name)
        return false;
    list_types(known);
    if (smoe_type_find(name, out) && smoe_type_has_scales(*out))
        return true;
    FAIL(r, SMOE_ERROR_UNSUPPORTED, "metadata %s is \"%.40s\", but must be one of %s", key, name, known);
    return false;
}

uint32_t smoe_layer_reading_stored_width(smoe_layer_reading *r, const char *key)
{
    smoe_layer_reading_require(r, key);
    return smoe_layer_reading_count(r, key, 1, SMOE_MAX_WIDTH, 1);
}

const void *smoe_layer_reading_stored(smoe_layer_reading *r, uint32_t index, smoe_type type)
{
    smoe_layer_tensor row;
    if (r->plan.d_hidden == 0)
        r->plan.d_hidden = smoe_layer_reading_stored_width(r, "d_hidden");
    smoe_layer_reading_agree(r, "shared_hidden", r->plan.shared_hidden, "shared.w1");
    if (r->result != SMOE_SUCCESS || !smoe_layer_tensor_get(&r->plan, index, &row))
        return NULL;
    const bool by_expert = row.axis_count == SMOE_TENSOR_AXES;
    const uint64_t size = smoe_layer_tensor_size(&row, type, 1), shape[2] = {by_expert ? row.shape[0] : size, size};
    if (size == 0) {
        FAIL(r, SMOE_ERROR_FILE, "tensor %s: blocks of %s do not divide its rows of %u", row.file_name,
             smoe_type_short_name(type), row.shape[row.axis_count - 1]);
        return NULL;
    }
    const smoe_tensor *tensor = smoe_layer_reading_take(r, row.file_name, by_expert ? 2 : 1, shape);
    if (tensor && tensor->type != SMOE_TENSOR_UINT8) {
        FAIL(r, SMOE_ERROR_FILE, "tensor %s is %s, but must be U8: the metadata says that it is %s", row.file_name,
             smoe_file_type_of(tensor->type).name, smoe_type_short_name(type));
        return NULL;
    }
    return tensor ? tensor->data : NULL;
}
