/* The header before a driver's pipeline cache: what changes in a file on a disk is seen, wherever it changes. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "vulkan/pipeline_cache.h"

#define DRIVER_SIZE 333u
#define SIZE (SMOE_PIPELINE_CACHE_HEADER_SIZE + DRIVER_SIZE)

static smoe_pipeline_cache_origin plain_origin(void)
{
    VkPhysicalDeviceProperties properties = {.vendorID = 0x10005, .deviceID = 7, .driverVersion = 3};
    memset(properties.pipelineCacheUUID, 0x5a, sizeof properties.pipelineCacheUUID);
    return smoe_pipeline_cache_origin_of(&properties);
}

static void fill(unsigned char data[SIZE], const smoe_pipeline_cache_origin *origin)
{
    for (uint32_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 37);
    smoe_pipeline_cache_seal(origin, data, SIZE);
}

static void test_whole(void **state)
{
    const smoe_pipeline_cache_origin origin = plain_origin();
    unsigned char data[SIZE];

    (void)state;
    fill(data, &origin);
    assert_null(smoe_pipeline_cache_fault(&origin, data, SIZE));
    for (uint32_t i = SMOE_PIPELINE_CACHE_HEADER_SIZE; i < SIZE; i++)
        assert_int_equal(data[i], (unsigned char)(i * 37)); /* the driver's own are as they were */
    /* A driver may have nothing to store. */
    smoe_pipeline_cache_seal(&origin, data, SMOE_PIPELINE_CACHE_HEADER_SIZE);
    assert_null(smoe_pipeline_cache_fault(&origin, data, SMOE_PIPELINE_CACHE_HEADER_SIZE));
}

static void test_every_bit(void **state)
{
    const smoe_pipeline_cache_origin origin = plain_origin();
    unsigned char data[SIZE];

    (void)state;
    fill(data, &origin);
    for (uint32_t bit = 0; bit < 8 * SIZE; bit++) {
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (!smoe_pipeline_cache_fault(&origin, data, SIZE))
            fail_msg("bit %u of byte %u was changed, and nothing seen", bit % 8, bit / 8);
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_null(smoe_pipeline_cache_fault(&origin, data, SIZE));
}

static void test_every_length(void **state)
{
    const smoe_pipeline_cache_origin origin = plain_origin();
    unsigned char data[SIZE + 1] = {0};

    (void)state;
    fill(data, &origin);
    for (uint32_t size = 0; size <= SIZE + 1; size++)
        if ((smoe_pipeline_cache_fault(&origin, data, size) == NULL) != (size == SIZE))
            fail_msg("%u bytes of %u", size, SIZE);
}

#define OTHER(member, value)                                                                                           \
    do {                                                                                                               \
        smoe_pipeline_cache_origin other = origin;                                                                     \
        other.member = value;                                                                                          \
        assert_string_equal(smoe_pipeline_cache_fault(&other, data, SIZE), "of another device or driver");             \
    } while (0)

static void test_every_origin(void **state)
{
    const smoe_pipeline_cache_origin origin = plain_origin();
    unsigned char data[SIZE];

    (void)state;
    fill(data, &origin);
    assert_int_equal(origin.pointer_size, sizeof(void *));
    OTHER(vendor_id, 0x10006);
    OTHER(device_id, 8);
    OTHER(driver_version, 4);
    OTHER(pointer_size, 3);
    OTHER(uuid[VK_UUID_SIZE - 1], 0);
}

/* What smoe gave before it had a header, and what other programs keep. */
static void test_no_header(void **state)
{
    const smoe_pipeline_cache_origin origin = plain_origin();
    unsigned char data[SIZE] = {sizeof(VkPipelineCacheHeaderVersionOne), 0, 0, 0, VK_PIPELINE_CACHE_HEADER_VERSION_ONE};

    (void)state;
    assert_string_equal(smoe_pipeline_cache_fault(&origin, data, SIZE), "not of this version of smoe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_every_bit), cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_origin), cmocka_unit_test(test_no_header),
    };

    return cmocka_run_group_tests_name("pipeline_cache", tests, NULL, NULL);
}
