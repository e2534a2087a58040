/* The app's own Vulkan: instance, surface, a device that draws and computes, and its queues. */
#ifndef WINDOW_DEVICE_H
#define WINDOW_DEVICE_H

#include <volk.h>

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>

#include <pthread.h>

#include "program/compute.h"

enum { WINDOW_ERROR_SIZE = 5120 }; /* a path, and what is wrong with it */

typedef struct window_device {
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger; /* with validation */
    uint32_t api_version;
    VkSurfaceKHR surface;
    VkPhysicalDevice physical_device;
    smoe_device_info info;
    VkDevice device;
    uint32_t graphics_family, compute_family; /* the same one where no other computes */
    VkQueue graphics, compute_queue;
    const char *extensions[16]; /* that are enabled */
    uint32_t extension_count;
    pthread_mutex_t queue_lock;    /* held while one of the queues is used */
    compute compute;               /* buffers, and compute shaders, on the compute queue */
    uint32_t messages;             /* of the validation layers so far */
    char error[WINDOW_ERROR_SIZE]; /* one line, of what failed */
} window_device;

/* selector: as smoe_device_desc has it. False with the error; destroy all the same. */
bool window_device_create(window_device *device, GLFWwindow *window, const char *selector, bool validate);
void window_device_destroy(window_device *device);

/* Around each use of a queue: the thread that loads a model may use the compute queue. user: a window_device. */
void window_lock_queue(void *user);
void window_unlock_queue(void *user);
bool window_submit(window_device *device, VkQueue queue, const VkSubmitInfo *info, VkFence fence);

/* False, with the error noted, for a result that is no success. */
bool window_check(window_device *device, VkResult result, const char *call);

#endif
