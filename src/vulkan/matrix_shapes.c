#include "matrix_shapes.h"


static void keep_shape(const VkCooperativeMatrixPropertiesKHR *listed, smoe_device_info *out)
{
    const bool half = listed->AType == VK_COMPONENT_TYPE_FLOAT16_KHR,
               bfloat = listed->AType == VK_COMPONENT_TYPE_BFLOAT16_KHR;
    if (!(half || bfloat) || listed->BType != listed->AType || listed->CType != VK_COMPONENT_TYPE_FLOAT32_KHR ||
        listed->ResultType != listed->CType || listed->scope != VK_SCOPE_SUBGROUP_KHR ||
        out->matrix_shape_count == SMOE_MAX_MATRIX_SHAPES)
        return;
    out->matrix_shapes[out->matrix_shape_count++] = (smoe_matrix_shape){
        .type = half ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16,
        .rows = listed->MSize,
        .columns = listed->NSize,
        .depth = listed->KSize,
    };
}

smoe_result smoe_matrix_shapes_query(const smoe_host *host, const smoe_instance_table *table,
                                     VkPhysicalDevice physical_device, smoe_device_info *out)
{
    VkCooperativeMatrixPropertiesKHR *listed = NULL;
    uint32_t count = 0;
    VkResult status;
    do {
        smoe_host_free(host, listed);
        listed = NULL;
        status = table->vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical_device, &count, NULL);
        if (status < 0 || count == 0)
            break;
        listed = smoe_host_alloc(host, count, sizeof *listed);
        if (!listed)
            return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "cooperative matrices: no host memory");
        for (uint32_t i = 0; i < count; i++)
            listed[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
        status = table->vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical_device, &count, listed);
    } while (status == VK_INCOMPLETE);
    for (uint32_t i = 0; status >= 0 && i < count; i++)
        keep_shape(&listed[i], out);
    smoe_host_free(host, listed);
    if (status >= 0)
        return SMOE_SUCCESS;
    if (status == VK_ERROR_OUT_OF_HOST_MEMORY)
        return smoe_vulkan_check(host, status, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    smoe_inform(host, "no cooperative matrices: vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR: VkResult %d",
                (int)status);
    return SMOE_SUCCESS;
}
