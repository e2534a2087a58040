#include <stdio.h>

#include "common/device_files.h"
#include "common/random.h"
#include "floor_device.h"
#include "stress.h"

/* The floor with buffers of a few KiB, where weights come in ranges and tokens in passes; or a real GPU. */
static smoe_device_info choose_other(test_random *random)
{
    static device_file files[DEVICE_FILES_MOST];
    static uint32_t count;
    if (count == 0)
        count = device_files_read(files);
    if (test_random_below(random, 4) == 0) {
        smoe_device_info info = floor_device("the floor with small ranges");
        info.max_storage_buffer_range = (uint64_t)(32 + test_random_below(random, 200)) << 10;
        info.capabilities = test_random_below(random, 2) ? SMOE_CAPABILITY_ALL : 0;
        return info;
    }
    for (;;) {
        const device_file *file = &files[test_random_below(random, count)];
        if (file->info.usable && file->info.type != VK_PHYSICAL_DEVICE_TYPE_CPU)
            return file->info;
    }
}

static bool open_device(stress_device *on, test_random *random)
{
    static const uint32_t masks[] = {
        SMOE_CAPABILITY_ALL,
        SMOE_CAPABILITY_SUBGROUP_ARITHMETIC,
        SMOE_CAPABILITY_SUBGROUP_BALLOT,
        SMOE_CAPABILITY_SUBGROUP_SHUFFLE,
        SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL,
        SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16,
    };
    const uint32_t mask = masks[test_random_below(random, sizeof masks / sizeof masks[0])];
    const smoe_device_info other = choose_other(random);
    switch (test_random_below(random, 3)) {
    case 0: snprintf(on->name, sizeof on->name, "as it is"); return test_device_open(&on->device, 0);
    case 1: snprintf(on->name, sizeof on->name, "without 0x%x", mask); return test_device_open(&on->device, mask);
    default: snprintf(on->name, sizeof on->name, "as %s", other.name); return test_device_open_as(&on->device, &other);
    }
}

bool stress_device_open(stress_device *on, uint64_t seed, uint32_t plan)
{
    test_random random = test_random_make(~seed, plan / STRESS_PLANS_PER_DEVICE);
    *on = (stress_device){.name = ""};
    if (!open_device(on, &random))
        return false;
    on->keeper.context = smoe_device_context(on->device.device);
    on->info = *smoe_context_device_info(on->keeper.context);
    if (test_gpu_open(&on->gpu, on->device.device))
        return true;
    test_device_close(&on->device);
    return false;
}

bool stress_device_close(stress_device *on)
{
    plan_keeper_clear(&on->keeper);
    test_gpu_close(&on->gpu);
    const bool quiet = test_device_is_quiet(&on->device);
    return test_device_close(&on->device) && quiet;
}
