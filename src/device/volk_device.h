/* The one place where src/device meets volk.
 *
 * volk keeps the functions it loads in process-wide variables, which two threads that create devices would write at the same
 * time, and which an app's own volk defines too. So src/device takes volk's device table and the generated code that fills it, and
 * never reads or writes one of volk's variables. volk_rename.h, which the build generates, gives every name of volk a prefix. */
#ifndef SMOE_VOLK_DEVICE_H
#define SMOE_VOLK_DEVICE_H

#define SMOE_VOLK_PREFIX smoe_helper_volk_ /* libsmoe's copy has another */
#include "volk_rename.h"

#include <volk.h>

#include <stdbool.h>

typedef struct smoe_helper_loader {
    void *library; /* NULL where the app gave its own entry */
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
} smoe_helper_loader;

/* Opens the system's Vulkan loader; false if there is none. Safe on many threads at once: the system counts the references. */
bool smoe_helper_loader_open(smoe_helper_loader *loader);
void smoe_helper_loader_close(smoe_helper_loader *loader);

/* Fills the table with volk's generated code. Functions that the device lacks are NULL. */
void smoe_helper_load_table(struct VolkDeviceTable *table, PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device);

#endif
