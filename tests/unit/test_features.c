/* Chains of features: what belongs to capabilities, and which capabilities a chain has. */
#include "common/cmocka_all.h"
#include "vulkan/cooperative_matrix.h"
#include "vulkan/features.h"

#include <string.h>

#define SIZE SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL
#define HALF SMOE_CAPABILITY_COOPERATIVE_MATRIX
#define BFLOAT SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16

/* The chain of every set of capabilities has those that want features and no others, no link twice. */
static void test_capability_features(void **state)
{
    (void)state;
    for (uint32_t capabilities = 0; capabilities <= SMOE_CAPABILITY_ALL; capabilities++) {
        const VkPhysicalDeviceFeatures2 *chain = smoe_capability_features(capabilities);
        uint32_t wanted = capabilities & (SIZE | HALF | BFLOAT), links = 0;
        if (!(capabilities & HALF)) /* bfloat16 comes only with float16 */
            wanted &= ~(uint32_t)BFLOAT;
        assert_int_equal(chain->sType, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2);
        assert_int_equal(smoe_features_capabilities(chain), wanted);
        for (const VkBaseInStructure *a = chain->pNext; a; a = a->pNext, links++)
            for (const VkBaseInStructure *b = a->pNext; b; b = b->pNext)
                assert_int_not_equal(a->sType, b->sType);
        assert_int_equal(links, (wanted & SIZE ? 1 : 0) + (wanted & HALF ? 3 : 0) + (wanted & BFLOAT ? 1 : 0));
    }
    assert_ptr_equal(smoe_recommended_features(), smoe_capability_features(SMOE_CAPABILITY_ALL));
    assert_int_equal(smoe_features_capabilities(NULL), 0);
}

/* Every single feature is needed, by whichever struct it comes. */
static void test_every_feature_counts(void **state)
{
    VkPhysicalDeviceVulkan12Features core = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceShaderFloat16Int8Features half = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    VkPhysicalDeviceVulkanMemoryModelFeatures model = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
    VkPhysicalDeviceFeatures2 chain = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &core};
    (void)state;
    core.pNext = &half;
    half.pNext = &model;
    model.pNext = &matrix;
    matrix.pNext = &bfloat;
    for (uint32_t lacking = 0; lacking < 8; lacking++)
        for (int by_core = 0; by_core < 2; by_core++) {
            core.shaderFloat16 = by_core && lacking != 1;
            half.shaderFloat16 = !by_core && lacking != 1;
            core.vulkanMemoryModel = by_core && lacking != 2;
            model.vulkanMemoryModel = !by_core && lacking != 2;
            core.vulkanMemoryModelDeviceScope = by_core && lacking != 3;
            model.vulkanMemoryModelDeviceScope = !by_core && lacking != 3;
            matrix.cooperativeMatrix = lacking != 4;
            bfloat.shaderBFloat16Type = lacking != 5;
            bfloat.shaderBFloat16CooperativeMatrix = lacking != 6;
            const uint32_t wanted = lacking == 0 || lacking == 7 ? HALF | BFLOAT : lacking < 5 ? 0 : HALF;
            assert_int_equal(smoe_features_capabilities(&chain), wanted);
        }
}

static bool is_name(const void *where, const char *name)
{
    return where && strcmp(where, name) == 0;
}

/* What is possible with none of the extensions and with each of them only, in and before the version that made one
 * core. */
static void test_extensions(void **state)
{
    const uint32_t others = SMOE_CAPABILITY_ALL & ~(uint32_t)(SIZE | HALF | BFLOAT);
    (void)state;
    assert_int_equal(smoe_extensions_capabilities(VK_API_VERSION_1_2, is_name, NULL), others);
    assert_int_equal(smoe_extensions_capabilities(VK_API_VERSION_1_3, is_name, NULL), others | SIZE);
    static const struct {
        const char *name;
        uint32_t gives;
    } rows[] = {{VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, SIZE},
                {VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, HALF},
                {VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(smoe_extensions_capabilities(VK_API_VERSION_1_2, is_name, rows[i].name),
                         others | rows[i].gives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_capability_features),
                                       cmocka_unit_test(test_every_feature_counts), cmocka_unit_test(test_extensions)};
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
