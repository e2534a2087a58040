/* Objects of the failing Vulkan that are made and destroyed in the usual way. */
#include "faults_internal.h"

#define OBJECT(Kind)                                                                                                   \
    static VKAPI_ATTR VkResult VKAPI_CALL create_##Kind(VkDevice device, const Vk##Kind##CreateInfo *info,             \
                                                        const VkAllocationCallbacks *callbacks, Vk##Kind *out)         \
    {                                                                                                                  \
        *out = (Vk##Kind)FAULTS_POISON;                                                                                \
        if (faults_fails("vkCreate" #Kind))                                                                            \
            return faults.result;                                                                                      \
        const VkResult result = REAL(vkCreate##Kind)(device, info, callbacks, out);                                    \
        return faults_born(result, #Kind, (void *)*out);                                                               \
    }                                                                                                                  \
    static VKAPI_ATTR void VKAPI_CALL destroy_##Kind(VkDevice device, Vk##Kind handle,                                 \
                                                     const VkAllocationCallbacks *callbacks)                           \
    {                                                                                                                  \
        if (faults_dies(#Kind, (void *)handle))                                                                        \
            REAL(vkDestroy##Kind)(device, handle, callbacks);                                                          \
    }

#define OBJECTS(X)                                                                                                     \
    X(Buffer)                                                                                                          \
    X(BufferView)                                                                                                      \
    X(CommandPool) X(DescriptorPool) X(DescriptorSetLayout) X(Fence) X(PipelineCache) X(PipelineLayout) X(QueryPool)
OBJECTS(OBJECT)

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *callbacks, VkInstance *out)
{
    *out = (VkInstance)FAULTS_POISON;
    if (faults_fails("vkCreateInstance"))
        return faults.result;
    const VkResult result = REAL(vkCreateInstance)(info, callbacks, out);
    return faults_born(result, "Instance", *out);
}

static VKAPI_ATTR void VKAPI_CALL destroy_instance(VkInstance instance, const VkAllocationCallbacks *callbacks)
{
    if (faults_dies("Instance", instance))
        REAL(vkDestroyInstance)(instance, callbacks);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_messenger(VkInstance instance,
                                                       const VkDebugUtilsMessengerCreateInfoEXT *info,
                                                       const VkAllocationCallbacks *callbacks,
                                                       VkDebugUtilsMessengerEXT *out)
{
    *out = (VkDebugUtilsMessengerEXT)FAULTS_POISON;
    if (faults_fails("vkCreateDebugUtilsMessengerEXT"))
        return faults.result;
    const VkResult result = faults.real_create_messenger(instance, info, callbacks, out);
    return faults_born(result, "DebugUtilsMessengerEXT", (void *)*out);
}

static VKAPI_ATTR void VKAPI_CALL destroy_messenger(VkInstance instance, VkDebugUtilsMessengerEXT messenger,
                                                    const VkAllocationCallbacks *callbacks)
{
    if (faults_dies("DebugUtilsMessengerEXT", (void *)messenger))
        faults.real_destroy_messenger(instance, messenger, callbacks);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical_device, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks, VkDevice *out)
{
    *out = (VkDevice)FAULTS_POISON;
    if (faults_fails("vkCreateDevice"))
        return faults.result;
    const VkResult result = REAL(vkCreateDevice)(physical_device, info, callbacks, out);
    return faults_born(result, "Device", *out);
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device, const VkAllocationCallbacks *callbacks)
{
    if (!faults_dies("Device", device))
        return;
    faults_drop_pipelines(device);
    REAL(vkDestroyDevice)(device, callbacks);
}

#define FUNCTIONS(Kind) \
    {"vkCreate" #Kind, (PFN_vkVoidFunction)create_##Kind}, {"vkDestroy" #Kind, (PFN_vkVoidFunction)destroy_##Kind},

PFN_vkVoidFunction faults_wrapped_object(const char *name)
{
    static const faults_function functions[] = {
        OBJECTS(FUNCTIONS) /* clang-format off */
        {"vkCreateInstance", (PFN_vkVoidFunction)create_instance},
        {"vkDestroyInstance", (PFN_vkVoidFunction)destroy_instance},
        {"vkCreateDebugUtilsMessengerEXT", (PFN_vkVoidFunction)create_messenger},
        {"vkDestroyDebugUtilsMessengerEXT", (PFN_vkVoidFunction)destroy_messenger},
        {"vkCreateDevice", (PFN_vkVoidFunction)create_device},
        {"vkDestroyDevice", (PFN_vkVoidFunction)destroy_device}, /* clang-format on */
    };
    return faults_lookup(functions, sizeof functions / sizeof *functions, name);
}
