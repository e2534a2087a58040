#include "capability_file.h"

static const struct {
    const char *name;
    uint32_t bit;
} capability_names[] = {
    {"subgroup_arithmetic", SMOE_CAPABILITY_SUBGROUP_ARITHMETIC},
    {"subgroup_ballot", SMOE_CAPABILITY_SUBGROUP_BALLOT},
    {"subgroup_shuffle", SMOE_CAPABILITY_SUBGROUP_SHUFFLE},
    {"subgroup_size_control", SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL},
    {"cooperative_matrix", SMOE_CAPABILITY_COOPERATIVE_MATRIX},
    {"cooperative_matrix_bfloat16", SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16},
};

const char *capability_name(uint32_t index, uint32_t *bit)
{
    if (index >= sizeof capability_names / sizeof capability_names[0])
        return NULL;
    *bit = capability_names[index].bit;
    return capability_names[index].name;
}

static const char *const type_names[] = {"other", "integrated GPU", "discrete GPU", "virtual GPU", "CPU"}; /* as VkPhysicalDeviceType */
#define TYPE_COUNT (sizeof type_names / sizeof type_names[0])

const char *device_type_name(VkPhysicalDeviceType type)
{
    return (size_t)type < TYPE_COUNT ? type_names[type] : type_names[0];
}
