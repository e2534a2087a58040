/* The kernels that compute a case on a device, and the devices that share the case table. */
#ifndef CASE_KERNELS_H
#define CASE_KERNELS_H

#include "case_properties.h"
#include "domain/selection.h"

/* A part of a layer as one kernel computes it, with tiles of so many rows (0: it has none). */
typedef struct case_kernel {
    char name[56]; /* "expert_up_broadcast", "shared expert_up_broadcast" */
    uint32_t rows;
    uint32_t readers; /* READ_BY_*: its part of the layer */
    bool by_lanes;    /* it uses subgroups: to others the number of lanes makes no difference */
    /* another kernel's work for another part of the layer: the projection, the shared expert, its gate */
    bool again;
    smoe_kernel_config config; /* for this case */
} case_kernel;

#define CASE_KERNELS_MOST SMOE_STEP_COUNT

/* Gives their number; 0, after printing why, where selection refuses the case. */
uint32_t case_kernels_find(const smoe_device_info *device, const layer_case *shape,
                           case_kernel kernels[CASE_KERNELS_MOST]);

#define CASE_DEVICES_MOST 8

/* The devices that share the table with this one, itself at *at. Lavapipe's tests run once for each of its numbers of
 * lanes. Any other device shares the table with none. */
uint32_t case_devices(const smoe_device_info *info, smoe_device_info devices[CASE_DEVICES_MOST], uint32_t *at);

#endif
