/* Which layer of a checkpoint each tensor belongs to, by its name, and which layers there are. */
#include "checkpoint_internal.h"

#include <string.h>

static bool read_number(const char *text, size_t size, uint32_t *out)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || value >= SMOE_CHECKPOINT_MAX_LAYERS)
            return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (value >= SMOE_CHECKPOINT_MAX_LAYERS)
        return false;
    *out = value;
    return size > 0;
}

/* The number of a layer by the prefix of its tensors' names, which ends in a point or is empty. */
static bool layer_of_prefix(const char *block, const char *prefix, size_t size, uint32_t *layer)
{
    bool found = false;
    for (size_t begin = 0, end; begin < size; begin = end + 1) {
        for (end = begin; end < size && prefix[end] != '.';)
            end++;
        uint32_t number;
        if (!read_number(prefix + begin, end - begin, &number))
            continue;
        *layer = number;
        found = true;
        if (block && end + 1 == size) { /* "model.layers.3.": the block's name stands before, as a whole component */
            const size_t length = strlen(block);
            return begin >= length && memcmp(prefix + begin - length, block, length) == 0 &&
                   (begin == length || prefix[begin - length - 1] == '.');
        }
    }
    if (block)
        return false;
    if (!found) /* the whole file is one layer */
        *layer = 0;
    return true;
}

bool smoe_checkpoint_router_of(const smoe_checkpoint_table *table, const char *name, uint32_t *layer,
                               size_t *prefix_size)
{
    const size_t size = strlen(name);
    for (const smoe_tensor_row *row = table->tensors; row->name; row++) {
        const size_t length = strlen(row->name);
        if ((row->slot != SMOE_SLOT_ROUTER_WEIGHT && row->slot != SMOE_SLOT_SIMILARITY) || length > size ||
            strcmp(name + size - length, row->name) != 0 || (length < size && name[size - length - 1] != '.'))
            continue;
        *prefix_size = size - length;
        if (layer_of_prefix(table->block, name, size - length, layer))
            return true;
    }
    return false;
}

smoe_result smoe_checkpoint_layers(const smoe_checkpoint *checkpoint, uint32_t *count, uint32_t *layers)
{
    if (!checkpoint)
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!count)
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_INVALID_ARGUMENT, "count must not be NULL");
    /* One bit per layer: the names are sorted as text, the layers are to be as numbers. */
    unsigned char *seen = smoe_file_allocate(&checkpoint->host, SMOE_CHECKPOINT_MAX_LAYERS / 8);
    if (!seen)
        return smoe_file_out_of_memory(&checkpoint->host, SMOE_CHECKPOINT_MAX_LAYERS / 8);
    memset(seen, 0, SMOE_CHECKPOINT_MAX_LAYERS / 8);
    for (uint32_t i = 0; i < checkpoint->name_count; i++) {
        uint32_t layer;
        size_t size;
        if (smoe_checkpoint_router_of(checkpoint->table, checkpoint->names[i].name, &layer, &size))
            seen[layer / 8] = (unsigned char)(seen[layer / 8] | 1u << layer % 8);
    }
    const uint32_t most = layers ? *count : UINT32_MAX;
    *count = 0;
    for (uint32_t layer = 0; layer < SMOE_CHECKPOINT_MAX_LAYERS && *count < most; layer++) {
        if (!(seen[layer / 8] >> layer % 8 & 1))
            continue;
        if (layers)
            layers[*count] = layer;
        ++*count;
    }
    smoe_file_release(&checkpoint->host, seen);
    return SMOE_SUCCESS;
}

/* Which layers have experts, for the log: "0, 2-4, 7". */
static void describe_layers(const smoe_checkpoint *checkpoint, char *text, size_t size)
{
    uint32_t layers[256], count = sizeof layers / sizeof *layers;
    size_t used = 0;
    text[0] = '\0';
    if (smoe_checkpoint_layers(checkpoint, &count, layers) != SMOE_SUCCESS)
        return;
    for (uint32_t i = 0, last; i < count && used + 32 < size; i = last + 1) {
        for (last = i; last + 1 < count && layers[last + 1] == layers[last] + 1;)
            last++;
        const int wrote = last > i
                              ? snprintf(text + used, size - used, "%s%u-%u", used ? ", " : "", layers[i], layers[last])
                              : snprintf(text + used, size - used, "%s%u", used ? ", " : "", layers[i]);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

smoe_result smoe_checkpoint_prefix(const smoe_checkpoint *checkpoint, uint32_t layer, const char **of,
                                   size_t *prefix_size)
{
    const smoe_file_host *host = &checkpoint->host;
    *of = NULL;
    for (uint32_t i = 0; i < checkpoint->name_count; i++) {
        const char *name = checkpoint->names[i].name;
        uint32_t number;
        size_t size;
        if (!smoe_checkpoint_router_of(checkpoint->table, name, &number, &size) || number != layer)
            continue;
        if (*of && (size != *prefix_size || memcmp(*of, name, size) != 0))
            return smoe_file_fail(host, SMOE_ERROR_FILE, "layer %u: two blocks have that number: %.120s and %.120s",
                                  layer, *of, name);
        *of = name;
        *prefix_size = size;
    }
    if (*of)
        return SMOE_SUCCESS;
    char text[256];
    describe_layers(checkpoint, text, sizeof text);
    return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                          "layer %u has no experts of format %s (dense, or not there); layers with experts: %s", layer,
                          checkpoint->table->model_type, *text ? text : "none");
}
