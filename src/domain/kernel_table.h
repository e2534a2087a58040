/* The kernels: names, SPIR-V and what a device must have to run them. */
#ifndef SMOE_DOMAIN_KERNEL_TABLE_H
#define SMOE_DOMAIN_KERNEL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <smoe/smoe.h>

typedef enum smoe_kernel {
#define SMOE_KERNEL(name, source, arguments, capabilities, feature) SMOE_KERNEL_##name,
#include "kernel_table.inc"
#undef SMOE_KERNEL
    SMOE_KERNEL_COUNT
} smoe_kernel;

typedef struct smoe_kernel_row {
    const char *name;
    const uint32_t *spirv;
    size_t spirv_size; /* bytes; 0 where the build's compiler could not make it */
    uint32_t capabilities;
} smoe_kernel_row;

const smoe_kernel_row *smoe_kernel_row_get(smoe_kernel kernel);

/* Whether a device can run it: the capabilities are there, and, for a kernel with subgroup operations, so is a least
 * number of lanes. */
bool smoe_kernel_runs(smoe_kernel kernel, const smoe_device_info *info);

/* Whether every subgroup of a pipeline can be made to have subgroup_size_min lanes. */
bool smoe_subgroups_are_exact(const smoe_device_info *info);

#endif
