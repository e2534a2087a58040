#include "cooperative.h"

#include <stdlib.h>

#include "common/cmocka_all.h"
#include "domain/selection.h"

const smoe_device_info *cooperative_info(const test_device *device)
{
    return smoe_context_device_info(smoe_device_context(device->device));
}

int cooperative_setup(void **state)
{
    test_device *device = calloc(1, sizeof *device);

    if (!device || !test_device_open(device, 0)) {
        free(device);
        return -1;
    }
    *state = device;
    if (cooperative_info(device)->type != VK_PHYSICAL_DEVICE_TYPE_CPU)
        return 0;
    smoe_device_info gpu = *cooperative_info(device);
    gpu.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    return test_device_close(device) && test_device_open_as(device, &gpu) ? 0 : -1;
}

bool cooperative_runs(const smoe_device_info *info, smoe_precision precision)
{
    const smoe_plan_desc desc = {.precision = precision};

    return smoe_tuning_find_experts(info, &desc) != smoe_tuning_find(info);
}

void cooperative_tell_missing(const smoe_device_info *info, smoe_precision precision)
{
    const bool half = precision == SMOE_PRECISION_FLOAT16;
    const char *name = half ? "float16" : "bfloat16";

    if (!(info->capabilities &
          (half ? SMOE_CAPABILITY_COOPERATIVE_MATRIX : SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16)))
        print_message("%s has no cooperative matrices of %s\n", info->name, name);
    else
        print_message("the compiler of this build's shaders knows no cooperative matrices of %s, or the device's "
                      "shapes are not used\n",
                      name);
}

void cooperative_need(const test_device *device)
{
    const smoe_device_info *info = cooperative_info(device);

    if (cooperative_runs(info, SMOE_PRECISION_FLOAT16))
        return;
    cooperative_tell_missing(info, SMOE_PRECISION_FLOAT16);
    skip();
}
