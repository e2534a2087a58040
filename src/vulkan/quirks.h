/* Named defects of drivers, and what smoe does without because of them. Vendor and driver ids appear only here and
 * in the tuning table. A defect that smoe's kernels avoid on every device is no quirk: CONTRIBUTING.md lists those. */
#ifndef SMOE_VULKAN_QUIRKS_H
#define SMOE_VULKAN_QUIRKS_H

#include <smoe/smoe.h>

/* Which drivers have it: all conditions must hold. */
typedef struct smoe_quirk_row {
    smoe_quirk quirk;
    uint32_t driver_id;                    /* VkDriverId */
    VkPhysicalDeviceType type;             /* VK_PHYSICAL_DEVICE_TYPE_OTHER, 0: any */
    uint32_t vendor_id;                    /* 0: any */
    const char *device;                    /* a part of the device's name; NULL: any */
    uint32_t lanes;                        /* of its smallest subgroup; 0: any */
    uint32_t first_version, last_version;  /* driverVersion as this driver encodes it; both included */
} smoe_quirk_row;

const smoe_quirk_row *smoe_quirk_row_get(uint32_t index); /* NULL past the last */

/* The SMOE_CAPABILITY_* that the driver's quirks cost; asks for nothing but ids, version, name, type and
 * subgroup_size_min. */
uint32_t smoe_quirks_masked(const smoe_device_info *info);

/* Takes away what the driver's quirks cost. The second time it changes nothing. */
void smoe_quirks_apply(smoe_device_info *info);

/* Drivers that run every subgroup with the lanes that they report, whether they list size control or not. */
typedef struct smoe_one_size_row {
    uint32_t driver_id; /* VkDriverId */
    const char *source;
} smoe_one_size_row;

const smoe_one_size_row *smoe_one_size_row_get(uint32_t index); /* NULL past the last one */

/* Whether the device's driver is one of them; asks for nothing but the driver's id. */
bool smoe_driver_has_one_size(const smoe_device_info *info);

#endif
