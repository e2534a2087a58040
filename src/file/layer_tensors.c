/* The tensors of a layer file, their shapes checked. */
#include "layer_reading.h"

#define FAIL SMOE_LAYER_READING_FAIL

/* A tensor of the layer that cannot be read is not passed over: without it the layer would be another function. */
const smoe_tensor *smoe_layer_reading_find(smoe_layer_reading *r, const char *name)
{
    const smoe_file_entry *entry = r->result == SMOE_SUCCESS ? smoe_file_find_entry(r->file, name) : NULL;
    if (entry && !entry->readable) {
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor %s is %s with %u axes, a type or rank that a layer cannot have", name,
             entry->type_name, entry->tensor.rank);
        return NULL;
    }
    return entry ? &entry->tensor : NULL;
}

const smoe_tensor *smoe_layer_reading_take(smoe_layer_reading *r, const char *name, uint32_t rank,
                                           const uint64_t *shape)
{
    const smoe_tensor *tensor = smoe_layer_reading_find(r, name);
    if (!tensor) {
        if (r->result == SMOE_SUCCESS)
            FAIL(r, SMOE_ERROR_FILE, "tensor %s is missing", name);
        return NULL;
    }
    bool right = tensor->rank == rank;
    for (uint32_t i = 0; right && i < rank; i++)
        right = shape[i] ? tensor->shape[i] == shape[i] : tensor->shape[i] > 0;
    if (!right) {
        char is[SMOE_FILE_SHAPE_SIZE], must[SMOE_FILE_SHAPE_SIZE];
        smoe_file_write_shape(is, "0", tensor->rank, tensor->shape);
        smoe_file_write_shape(must, "n", rank, shape);
        if (smoe_file_is_empty(tensor->rank, tensor->shape))
            FAIL(r, SMOE_ERROR_FILE, "tensor %s is %s, but must have elements: every length at least 1", name, is);
        else
            FAIL(r, SMOE_ERROR_FILE, "tensor %s is %s, but the other tensors ask for %s", name, is, must);
    }
    return right ? tensor : NULL;
}

const float *smoe_layer_reading_float32(smoe_layer_reading *r, const char *name, uint32_t rank, const uint64_t *shape)
{
    const smoe_tensor *tensor = smoe_layer_reading_take(r, name, rank, shape);
    if (tensor && tensor->type != SMOE_TENSOR_FLOAT32) {
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor %s is %s; smoe reads it as F32 only", name,
             smoe_file_type_of(tensor->type).name);
        return NULL;
    }
    return tensor ? tensor->data : NULL;
}

uint32_t smoe_layer_reading_width(smoe_layer_reading *r, const char *name, const smoe_tensor *tensor, uint32_t axis,
                                  const char *what, uint32_t largest)
{
    if (!tensor || r->result != SMOE_SUCCESS)
        return 0;
    if (tensor->shape[axis] > largest) {
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor %s has %s %llu; smoe takes %u at most", name, what,
             (unsigned long long)tensor->shape[axis], largest);
        return 0;
    }
    return (uint32_t)tensor->shape[axis];
}
