/* What layer files and checkpoints share: pairs by their keys, rules for groups, shapes as text. */
#include "file_internal.h"

#include <string.h>

const smoe_file_pair *smoe_file_find_pair(const smoe_file_pair *pairs, uint32_t count, const char *key)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return &pairs[i];
    return NULL;
}

smoe_result smoe_file_check_groups(const smoe_file_host *host, const char *count_name, const char *top_name,
                                   uint32_t experts, uint32_t groups, uint32_t chosen, uint32_t top_k)
{
    if (chosen > groups)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is %u, but %s is %u", top_name, chosen, count_name, groups);
    if (groups > 1 && experts % groups != 0)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is %u, which does not divide the %u experts", count_name,
                              groups, experts);
    if (groups > 1 && chosen * (experts / groups) < top_k)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is %u: so many groups of %u experts hold fewer than k = %u",
                              top_name, chosen, experts / groups, top_k);
    return SMOE_SUCCESS;
}

bool smoe_file_is_empty(uint32_t rank, const uint64_t *shape)
{
    for (uint32_t i = 0; i < rank && i < SMOE_TENSOR_MAX_RANK; i++)
        if (shape[i] == 0)
            return true;
    return false;
}

void smoe_file_write_shape(char text[SMOE_FILE_SHAPE_SIZE], const char *zero, uint32_t rank, const uint64_t *shape)
{
    size_t used = 0;
    for (uint32_t i = 0; i < rank && i < SMOE_TENSOR_MAX_RANK; i++) { /* at most 22 characters each */
        const char *separator = i ? "," : "[";
        const int size = shape[i] ? snprintf(text + used, SMOE_FILE_SHAPE_SIZE - used, "%s%llu", separator,
                                             (unsigned long long)shape[i])
                                  : snprintf(text + used, SMOE_FILE_SHAPE_SIZE - used, "%s%s", separator, zero);
        used += (size_t)size;
    }
    snprintf(text + used, SMOE_FILE_SHAPE_SIZE - used, rank > SMOE_TENSOR_MAX_RANK ? ",...]" : rank ? "]" : "[]");
}
