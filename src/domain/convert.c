/* Weights from one type to another. */
#include <string.h>

#include "half.h"
#include "smoe/smoe.h"

/* By memcpy: a file's tensors lie anywhere. */
static float load(const unsigned char *from, smoe_type type, size_t i)
{
    float value;
    uint16_t word;
    if (type == SMOE_TYPE_FLOAT32) {
        memcpy(&value, from + i * sizeof value, sizeof value);
        return value;
    }
    memcpy(&word, from + i * sizeof word, sizeof word);
    return type == SMOE_TYPE_FLOAT16 ? smoe_float_of_half(word) : smoe_float_of_bfloat(word);
}

static void store(unsigned char *to, smoe_type type, size_t i, float value)
{
    if (type == SMOE_TYPE_FLOAT32) {
        memcpy(to + i * sizeof value, &value, sizeof value);
        return;
    }
    const uint16_t word = type == SMOE_TYPE_FLOAT16 ? smoe_half_of_float(value) : smoe_bfloat_of_float(value);
    memcpy(to + i * sizeof word, &word, sizeof word);
}

smoe_result smoe_type_convert(void *to, smoe_type to_type, const void *from, smoe_type from_type, size_t count)
{
    if (smoe_type_size(to_type, 1) == 0 || smoe_type_size(from_type, 1) == 0 || (count > 0 && (!to || !from)))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (count == 0)
        return SMOE_SUCCESS;
    if (to_type == from_type) {
        memcpy(to, from, (size_t)smoe_type_size(to_type, count));
        return SMOE_SUCCESS;
    }
    /* float32 holds every value of the other types, so there is one rounding at most */
    for (size_t i = 0; i < count; i++)
        store(to, to_type, i, load(from, from_type, i));
    return SMOE_SUCCESS;
}
