/* Products of cooperative matrices: which the device lists, and how many operations per second they do. */
#include "measure.h"

#include "bench_matrix_bfloat16_bfloat16.h" /* made by the build; a single 0 where its shader tools are too old */
#include "bench_matrix_bfloat16_float32.h"
#include "bench_matrix_float16_float16.h"
#include "bench_matrix_float16_float32.h"
#include "bench_matrix_int8_int32.h"
#include "bench_matrix_uint8_uint32.h"

#include <stdlib.h>
#include <string.h>

#define SUBGROUPS 4u /* of a workgroup, where as many fit */
#define A_COUNT 2u   /* a subgroup's factors on either side, where as many of their sums fit */
#define B_COUNT 4u
#define NARROW_LANES 32u
#define ELEMENTS_NARROW 32u /* of sums that a lane holds, at most; narrow subgroups have fewer registers a lane */
#define ELEMENTS 64u

static const struct {
    VkComponentTypeKHR type;
    const char *name;
    bool whole, negative; /* numbers it has, or may have */
} types[] = {
    {VK_COMPONENT_TYPE_FLOAT16_KHR, "float16", false, true},
    {VK_COMPONENT_TYPE_FLOAT32_KHR, "float32", false, true},
    {VK_COMPONENT_TYPE_FLOAT64_KHR, "float64", false, true},
    {VK_COMPONENT_TYPE_BFLOAT16_KHR, "bfloat16", false, true},
    {VK_COMPONENT_TYPE_FLOAT8_E4M3_EXT, "float8_e4m3", false, true},
    {VK_COMPONENT_TYPE_FLOAT8_E5M2_EXT, "float8_e5m2", false, true},
    {VK_COMPONENT_TYPE_SINT8_KHR, "int8", true, true},
    {VK_COMPONENT_TYPE_SINT16_KHR, "int16", true, true},
    {VK_COMPONENT_TYPE_SINT32_KHR, "int32", true, true},
    {VK_COMPONENT_TYPE_UINT8_KHR, "uint8", true, false},
    {VK_COMPONENT_TYPE_UINT16_KHR, "uint16", true, false},
    {VK_COMPONENT_TYPE_UINT32_KHR, "uint32", true, false},
};

static const struct {
    VkComponentTypeKHR factors, sums;
    const uint32_t *spirv;
    size_t size;
} kernels[] = {
    {VK_COMPONENT_TYPE_FLOAT16_KHR, VK_COMPONENT_TYPE_FLOAT16_KHR, bench_matrix_float16_float16_spirv,
     sizeof bench_matrix_float16_float16_spirv},
    {VK_COMPONENT_TYPE_FLOAT16_KHR, VK_COMPONENT_TYPE_FLOAT32_KHR, bench_matrix_float16_float32_spirv,
     sizeof bench_matrix_float16_float32_spirv},
    {VK_COMPONENT_TYPE_BFLOAT16_KHR, VK_COMPONENT_TYPE_BFLOAT16_KHR, bench_matrix_bfloat16_bfloat16_spirv,
     sizeof bench_matrix_bfloat16_bfloat16_spirv},
    {VK_COMPONENT_TYPE_BFLOAT16_KHR, VK_COMPONENT_TYPE_FLOAT32_KHR, bench_matrix_bfloat16_float32_spirv,
     sizeof bench_matrix_bfloat16_float32_spirv},
    {VK_COMPONENT_TYPE_SINT8_KHR, VK_COMPONENT_TYPE_SINT32_KHR, bench_matrix_int8_int32_spirv,
     sizeof bench_matrix_int8_int32_spirv},
    {VK_COMPONENT_TYPE_UINT8_KHR, VK_COMPONENT_TYPE_UINT32_KHR, bench_matrix_uint8_uint32_spirv,
     sizeof bench_matrix_uint8_uint32_spirv},
};

static bool is_whole(VkComponentTypeKHR type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].whole;
    return false;
}

static bool has_sign(VkComponentTypeKHR type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].negative;
    return true;
}

/* ---- which there are --------------------------------------------------------------------------------------------- */

/* Signs that differ, saturation and larger scopes are the same units once more. */
static bool is_measured(const VkCooperativeMatrixPropertiesKHR *matrix)
{
    return matrix->scope == VK_SCOPE_SUBGROUP_KHR && matrix->AType == matrix->BType &&
           matrix->CType == matrix->ResultType && !matrix->saturatingAccumulation &&
           has_sign(matrix->AType) == has_sign(matrix->CType);
}

bool peak_list_matrices(peak_bench *b, uint32_t most, peak_matrices *out)
{
    const VkPhysicalDevice device = b->device.handles.physical_device;
    VkCooperativeMatrixPropertiesKHR *listed = NULL;
    uint32_t count = 0;
    VkResult result;
    const PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR list =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)b->device.handles.get_instance_proc_addr(
            b->device.handles.instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");

    out->count = 0;
    if (!b->device.matrices || !list)
        return true;
    do {
        free(listed);
        listed = NULL;
        result = list(device, &count, NULL);
        if (result != VK_SUCCESS || count == 0)
            break;
        listed = calloc(count, sizeof *listed);
        for (uint32_t i = 0; listed && i < count; i++)
            listed[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
        result = listed ? list(device, &count, listed) : VK_ERROR_OUT_OF_HOST_MEMORY;
    } while (result == VK_INCOMPLETE);
    for (uint32_t i = 0; result == VK_SUCCESS && i < count && out->count < most; i++)
        if (is_measured(&listed[i]))
            out->list[out->count++] = listed[i];
    free(listed);
    return compute_check(&b->gpu, result, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
}

/* ---- one --------------------------------------------------------------------------------------------------------- */

static const char *type_name(VkComponentTypeKHR type, char other[16])
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].name;
    snprintf(other, 16, "type%d", (int)type);
    return other;
}

void peak_name_matrix(const VkCooperativeMatrixPropertiesKHR *matrix, bench_peak *out)
{
    char a[16], c[16];
    snprintf(out->name, sizeof out->name, "matrix_%s_%s_%ux%ux%u", type_name(matrix->AType, a),
             type_name(matrix->CType, c), matrix->MSize, matrix->NSize, matrix->KSize);
    out->unit = is_whole(matrix->AType) ? "op/s" : "flop/s";
}

static bool find_kernel(const VkCooperativeMatrixPropertiesKHR *matrix, peak_shader *out)
{
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (kernels[i].factors == matrix->AType && kernels[i].sums == matrix->CType) {
            out->spirv = kernels[i].spirv;
            out->size = kernels[i].size;
            return true;
        }
    return false;
}

/* The feature of the factors' type that the device lacks, NULL if it has all. */
static const char *missing_feature(const peak_device *device, const VkCooperativeMatrixPropertiesKHR *matrix)
{
    if (matrix->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && !device->float16)
        return "shaderFloat16";
    if (matrix->AType == VK_COMPONENT_TYPE_BFLOAT16_KHR && !device->bfloat16)
        return "shaderBFloat16CooperativeMatrix";
    return is_whole(matrix->AType) && !device->int8 ? "shaderInt8" : NULL;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* As many subgroups and sums as fit: with a few in turn, none waits for the one before. Software devices take matrices
 * apart, and would compile for seconds: one sum is many to them. The lanes are those that smoe's own kernels have. */
static void choose_constants(const peak_bench *b, const VkCooperativeMatrixPropertiesKHR *matrix, peak_shader *out)
{
    const bool control = b->device.size_control && (b->info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL);
    const uint32_t lanes = control ? b->info->subgroup_size_min : b->info->subgroup_size;
    const uint32_t most = least(b->info->max_workgroup_invocations, b->info->max_workgroup_size_x);
    const uint32_t subgroups = least(SUBGROUPS, most / lanes > 0 ? most / lanes : 1);
    const bool software = b->info->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    const uint32_t elements = lanes < NARROW_LANES ? ELEMENTS_NARROW : ELEMENTS;
    const uint32_t fit = software ? 1 : elements * lanes / (matrix->MSize * matrix->NSize);
    const uint32_t a_count = fit >= 2 * A_COUNT ? A_COUNT : 1;
    const uint32_t b_count = least(B_COUNT, fit / a_count > 0 ? fit / a_count : 1);
    const uint32_t constants[] = {subgroups * lanes, matrix->MSize, matrix->NSize, matrix->KSize, a_count, b_count};

    memcpy(out->constants, constants, sizeof constants);
    out->constant_count = sizeof constants / sizeof *constants;
    out->lanes = control ? lanes : 0;
    out->invocations = subgroups * lanes;
    out->operations = 2.0 * matrix->MSize * matrix->NSize * matrix->KSize * a_count * b_count * subgroups;
}

bool peak_matrix(peak_bench *b, const VkCooperativeMatrixPropertiesKHR *matrix, bench_peak *out)
{
    const float factor = is_whole(matrix->AType) ? 1 : 0.03125f; /* sums that stay finite in 16 bits */
    peak_shader shader = {.factor = factor, .step = factor};
    const char *missing = missing_feature(&b->device, matrix);

    if (!find_kernel(matrix, &shader))
        snprintf(out->not_measured, sizeof out->not_measured, "no kernel of smoe-bench multiplies these types");
    else if (missing)
        snprintf(out->not_measured, sizeof out->not_measured, "the device has no %s", missing);
    else if (shader.spirv[0] == 0)
        snprintf(out->not_measured, sizeof out->not_measured, "the shader tools of this build were too old for it");
    if (out->not_measured[0])
        return false;
    choose_constants(b, matrix, &shader);
    return peak_operations(b, &shader, out);
}
