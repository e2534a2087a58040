#include "quirks.h"

#include <string.h>

#include "features.h"

#define ANY_VERSION .first_version = 0, .last_version = UINT32_MAX /* no release is known to be free of it */
#define SUBGROUP_OPERATIONS \
    (SMOE_CAPABILITY_SUBGROUP_ARITHMETIC | SMOE_CAPABILITY_SUBGROUP_BALLOT | SMOE_CAPABILITY_SUBGROUP_SHUFFLE)

#define VENDOR_AMD 0x1002u
#define VENDOR_INTEL 0x8086u

/* MoltenVK writes its version in decimal, two digits for each part. */
#define MOLTENVK_VERSION(major, minor, patch) (10000u * (major) + 100u * (minor) + (patch))

static const smoe_quirk_row rows[] = {
    /* A matrix multiplication by shuffles gives garbage on Adreno 640 (512.502.0) and 840 (512.842.19) and is right
     * without subgroup operations; another one by subgroup sums crashes the compiler of an Adreno 750. Adreno 830
     * (512.800.64) was right. On 840 also cooperative matrices in buffers of another type, such as our shared memory,
     * are loaded and stored with a wrong stride. */
    {.quirk = {.name = "qualcomm_subgroups",
               .text = "Qualcomm's driver: matrix multiplications with subgroup operations or cooperative matrices "
                       "give wrong results or "
                       "crash its compiler",
               .source = "github.com/Tencent/ncnn/issues/6778, /pull/6972, github.com/ggml-org/llama.cpp/pull/29165",
               .masked_capabilities = SUBGROUP_OPERATIONS | SMOE_CAPABILITY_MATRICES},
     .driver_id = VK_DRIVER_ID_QUALCOMM_PROPRIETARY,
     ANY_VERSION},
    /* The same multiplication under turnip 26.1.2: wrong only on Adreno 640, right on 830 and 840. */
    {.quirk = {.name = "turnip_a640_subgroups",
               .text = "turnip on Adreno 640: a matrix multiplication by subgroup shuffles gives wrong results",
               .source = "github.com/Tencent/ncnn/issues/6778",
               .masked_capabilities = SUBGROUP_OPERATIONS},
     .driver_id = VK_DRIVER_ID_MESA_TURNIP,
     .device = "Adreno (TM) 640",
     ANY_VERSION},
    /* It reports 64 lanes, of which Metal may run 32, up to 1.4.1, and 32, of which Metal may run 64, from 1.4.2 on.
     * Sums are wrong on RDNA, shuffles on RDNA and GCN. */
    {.quirk = {.name = "moltenvk_amd_subgroups",
               .text = "MoltenVK on AMD: subgroups have another size than it reports, and sums and shuffles are wrong",
               .source = "github.com/KhronosGroup/MoltenVK/issues/1553, /2756 and /pull/2755, "
                         "github.com/ggml-org/llama.cpp/issues/15846",
               .masked_capabilities = SUBGROUP_OPERATIONS},
     .driver_id = VK_DRIVER_ID_MOLTENVK,
     .vendor_id = VENDOR_AMD,
     ANY_VERSION},
    /* 1.4.2 no longer offers arithmetic there. */
    {.quirk = {.name = "moltenvk_intel_arithmetic",
               .text = "MoltenVK up to 1.4.1 on Intel: subgroup sums are wrong on UHD Graphics 630",
               .source = "github.com/KhronosGroup/MoltenVK/issues/2757",
               .masked_capabilities = SMOE_CAPABILITY_SUBGROUP_ARITHMETIC},
     .driver_id = VK_DRIVER_ID_MOLTENVK,
     .vendor_id = VENDOR_INTEL,
     .last_version = MOLTENVK_VERSION(1, 4, 1)},
    /* On a Radeon 860M under Windows 11, Adrenalin 26.3.1, driverVersion 2.0.388: the query for the number of shapes
     * gives 4, the one for the shapes is an access violation. Nothing is known of other versions, and no release that
     * mends it. */
    {.quirk = {.name = "amd_integrated_matrices",
               .text = "AMD's proprietary driver on integrated GPUs: the query of cooperative matrices crashes",
               .source = "github.com/GPUOpen-Drivers/AMDVLK/issues/422, github.com/ggml-org/llama.cpp/pull/22750",
               .masked_capabilities = SMOE_CAPABILITY_MATRICES},
     .driver_id = VK_DRIVER_ID_AMD_PROPRIETARY,
     .type = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU,
     ANY_VERSION},
    /* Not those of 8 lanes; with 4 it reports none. Seen here, with kernels of smoe and without. */
    {.quirk = {.name = "lavapipe_matrices",
               .text = "lavapipe with subgroups of 16 lanes: compiling a kernel with cooperative matrices crashes",
               .source = "Mesa 26.1.6, LP_NATIVE_VECTOR_WIDTH=512 on x86-64",
               .masked_capabilities = SMOE_CAPABILITY_MATRICES},
     .driver_id = VK_DRIVER_ID_MESA_LLVMPIPE,
     .lanes = 16,
     ANY_VERSION},
};

/* The width is that of the hardware, or of the vectors that a software driver was started with. AMD's drivers are not
 * among them: RDNA runs 32 or 64 lanes. MoltenVK is not either: it tells 4 to 32 on Apple's GPUs
 * (github.com/KhronosGroup/MoltenVK/issues/2218). */
static const smoe_one_size_row one_size_rows[] = {
    {VK_DRIVER_ID_NVIDIA_PROPRIETARY,
     "docs.nvidia.com/cuda/cuda-c-programming-guide, SIMT Architecture: warps of 32 threads"},
    {VK_DRIVER_ID_ARM_PROPRIETARY, "developer.arm.com/documentation/101574, adjacent threads by GPU: 4, 8 or 16"},
    {VK_DRIVER_ID_MESA_LLVMPIPE,
     "Mesa, lvp_device.c: subgroupSize is lp_native_vector_width / 32; seen here with 4, 8 and 16"},
    {VK_DRIVER_ID_GOOGLE_SWIFTSHADER, "SwiftShader, VkPhysicalDevice.cpp: subgroupSize is sw::SIMD::Width"},
};

const smoe_one_size_row *smoe_one_size_row_get(uint32_t index)
{
    return index < sizeof one_size_rows / sizeof one_size_rows[0] ? &one_size_rows[index] : NULL;
}

bool smoe_driver_has_one_size(const smoe_device_info *info)
{
    const smoe_one_size_row *row;
    for (uint32_t i = 0; (row = smoe_one_size_row_get(i)) != NULL; i++)
        if (info->driver_id == row->driver_id)
            return true;
    return false;
}

const smoe_quirk_row *smoe_quirk_row_get(uint32_t index)
{
    return index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

static bool applies(const smoe_quirk_row *row, const smoe_device_info *info)
{
    return info->driver_id == row->driver_id &&
           (row->type == VK_PHYSICAL_DEVICE_TYPE_OTHER || info->type == row->type) &&
           (row->vendor_id == 0 || info->vendor_id == row->vendor_id) &&
           (row->lanes == 0 || info->subgroup_size_min == row->lanes) &&
           (!row->device || strstr(info->name, row->device)) && info->driver_version >= row->first_version &&
           info->driver_version <= row->last_version;
}

uint32_t smoe_quirks_masked(const smoe_device_info *info)
{
    uint32_t masked = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (applies(&rows[i], info))
            masked |= rows[i].quirk.masked_capabilities;
    return masked;
}

void smoe_quirks_apply(smoe_device_info *info)
{
    info->capabilities &= ~smoe_quirks_masked(info);
}

const smoe_quirk *smoe_device_quirk(const smoe_device_info *info, uint32_t index)
{
    if (!info || !memchr(info->name, '\0', sizeof info->name))
        return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (applies(&rows[i], info) && index-- == 0)
            return &rows[i].quirk;
    return NULL;
}
