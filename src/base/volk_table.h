/* volk's table of a device's functions, for functions.h's lists. The one place where the libraries meet volk: its table
 * and the generated code that fills it are taken, and none of its variables is read or written. Those are process-wide,
 * two threads that make devices would write them at the same time, and an app's own volk defines them too.
 * volk_rename.h, which the build generates, gives every name of volk a prefix. */
#ifndef SMOE_BASE_VOLK_TABLE_H
#define SMOE_BASE_VOLK_TABLE_H

#include "volk_rename.h"

#include <volk.h>

/* Functions that the device lacks are NULL. */
void smoe_volk_load_table(struct VolkDeviceTable *table, PFN_vkGetDeviceProcAddr load, VkDevice device);

#endif
