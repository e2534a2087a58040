/* An app with its own volk, in its own globals, beside the smoe libraries: test_own_volk.py links and runs it. */
#define VOLK_IMPLEMENTATION
#include <volk.h>

#include <smoe/device.h>
#include <smoe/layer_file.h>

#include <stdio.h>
#include <string.h>

#define REQUIRE(condition)                                                    \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "own_volk.c:%d: %s\n", __LINE__, #condition);     \
            return 1;                                                         \
        }                                                                     \
    } while (0)

static void print_line(void *user, smoe_log_level level, const char *text)
{
    (void)user;
    fprintf(stderr, "smoe, level %d: %s\n", (int)level, text);
}

int main(void)
{
    const smoe_log log = {print_line, NULL};
    REQUIRE(volkInitialize() == VK_SUCCESS);
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = VK_API_VERSION_1_1};
    const VkInstanceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                         .pApplicationInfo = &application};
    VkInstance instance = VK_NULL_HANDLE;
    REQUIRE(vkCreateInstance(&create, NULL, &instance) == VK_SUCCESS);
    volkLoadInstance(instance);
    VkPhysicalDevice physical_device = VK_NULL_HANDLE;
    uint32_t count = 1;
    REQUIRE(vkEnumeratePhysicalDevices(instance, &count, &physical_device) >= 0 && count == 1);

    /* Functions of every kind in the app's volk: global, of the instance, of a device. */
    const PFN_vkGetInstanceProcAddr get_instance_proc_addr = vkGetInstanceProcAddr;
    const PFN_vkCreateInstance create_instance = vkCreateInstance;
    const PFN_vkCreateDevice create_device = vkCreateDevice;
    const PFN_vkQueueSubmit queue_submit = vkQueueSubmit;

    smoe_device_info info;
    REQUIRE(smoe_physical_device_info(vkGetInstanceProcAddr, instance, VK_API_VERSION_1_1, physical_device, 0, &info) ==
            SMOE_SUCCESS);
    smoe_device *own_loader = NULL, *app_loader = NULL;
    const smoe_device_desc desc = {.log = &log};
    REQUIRE(smoe_device_create(&desc, &own_loader) == SMOE_SUCCESS);
    const smoe_device_desc app_desc = {.get_instance_proc_addr = vkGetInstanceProcAddr, .log = &log};
    REQUIRE(smoe_device_create(&app_desc, &app_loader) == SMOE_SUCCESS);
    smoe_layer_file *file = NULL;
    REQUIRE(smoe_layer_file_open("no such file", NULL, NULL, &file) == SMOE_ERROR_FILE && !file);

    REQUIRE(vkGetInstanceProcAddr == get_instance_proc_addr && vkCreateInstance == create_instance);
    REQUIRE(vkCreateDevice == create_device && vkQueueSubmit == queue_submit);
    REQUIRE(volkGetLoadedInstance() == instance && volkGetLoadedDevice() == VK_NULL_HANDLE);
    smoe_device_destroy(app_loader);
    smoe_device_destroy(own_loader);
    vkDestroyInstance(instance, NULL);
    printf("%s\n", info.name);
    return 0;
}
