/* What capability files and listings call capabilities, types of devices and shapes of matrices. */
#include <smoe/capability_file.h>

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bit;
} capabilities[] = {
    {"subgroup_arithmetic", SMOE_CAPABILITY_SUBGROUP_ARITHMETIC},
    {"subgroup_ballot", SMOE_CAPABILITY_SUBGROUP_BALLOT},
    {"subgroup_shuffle", SMOE_CAPABILITY_SUBGROUP_SHUFFLE},
    {"subgroup_size_control", SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL},
    {"cooperative_matrix", SMOE_CAPABILITY_COOPERATIVE_MATRIX},
    {"cooperative_matrix_bfloat16", SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16},
};

/* As VkPhysicalDeviceType. */
static const char *const types[] = {"other", "integrated GPU", "discrete GPU", "virtual GPU", "CPU"};

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

const char *smoe_capability_name(uint32_t capability)
{
    for (size_t i = 0; i < COUNT(capabilities); i++)
        if (capabilities[i].bit == capability)
            return capabilities[i].name;
    return NULL;
}

bool smoe_capability_find(const char *name, uint32_t *out)
{
    for (size_t i = 0; name && i < COUNT(capabilities); i++)
        if (strcmp(capabilities[i].name, name) == 0) {
            *out = capabilities[i].bit;
            return true;
        }
    return false;
}

const char *smoe_device_type_name(VkPhysicalDeviceType type)
{
    return (size_t)type < COUNT(types) ? types[type] : types[0];
}

const char *smoe_matrix_shape_text(const smoe_matrix_shape *shape, char text[SMOE_MATRIX_SHAPE_TEXT_SIZE])
{
    const char *type = smoe_type_name(shape->type);
    snprintf(text, SMOE_MATRIX_SHAPE_TEXT_SIZE, "%ux%ux%u %s", shape->rows, shape->columns, shape->depth,
             type ? type : "unknown");
    return text;
}
