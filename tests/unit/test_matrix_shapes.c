/* The shapes of cooperative matrices that are kept of what a driver lists, and the capabilities that follow. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/record.h"
#include "fake_device.h"
#include "vulkan/device_info.h"

#define HALF VK_COMPONENT_TYPE_FLOAT16_KHR
#define BFLOAT VK_COMPONENT_TYPE_BFLOAT16_KHR
#define FLOAT VK_COMPONENT_TYPE_FLOAT32_KHR
#define DOUBLE 2 /* VkComponentTypeKHR and VkScopeKHR, where headers are too old to have them */
#define SINT8 3
#define DEVICE_SCOPE 1
#define WORKGROUP_SCOPE 2

#define MATRICES SMOE_CAPABILITY_COOPERATIVE_MATRIX
#define BOTH (SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16)

static test_record record;

static smoe_result query(smoe_device_info *out)
{
    const smoe_log log = test_record_log(&record);
    smoe_instance_table table;
    smoe_host host;
    test_record_clear(&record);
    assert_true(smoe_host_init(&host, NULL, &log));
    assert_int_equal(smoe_instance_table_load(&host, fake_get_instance_proc_addr, fake_instance(), &table),
                     SMOE_SUCCESS);
    return smoe_device_info_query(&host, &table, VK_API_VERSION_1_3, fake_physical_device(), true, out);
}

/* Nothing in the log, and the device can be used; what it has besides matrices stays. */
static smoe_device_info query_well(uint32_t matrices)
{
    smoe_device_info info;
    assert_int_equal(query(&info), SMOE_SUCCESS);
    assert_true(info.usable);
    assert_int_equal(info.capabilities, (SMOE_CAPABILITY_ALL & ~BOTH) | matrices);
    assert_int_equal(test_record_problem_count(&record), 0);
    return info;
}

static void check_shape(const smoe_device_info *info, uint32_t i, smoe_type type, uint32_t rows, uint32_t columns,
                        uint32_t depth)
{
    const smoe_matrix_shape *shape = &info->matrix_shapes[i];
    assert_in_range(i, 0, info->matrix_shape_count - 1);
    if (shape->type != type || shape->rows != rows || shape->columns != columns || shape->depth != depth)
        fail_msg("shape %u: type %u, %ux%ux%u", i, (unsigned)shape->type, shape->rows, shape->columns, shape->depth);
}

/* Twenty entries, of which smoe can use three; those stay in their order. */
static void test_kept(void **state)
{
    (void)state;
    fake_reset();
    fake.listed_count = 0;
    fake_list(HALF, 8, 8, 8)->scope = WORKGROUP_SCOPE;
    fake_list(HALF, 8, 8, 8)->scope = DEVICE_SCOPE;
    fake_list(HALF, 8, 8, 8)->CType = HALF;
    fake_list(HALF, 8, 8, 8)->ResultType = HALF;
    fake_list(HALF, 8, 8, 8)->CType = DOUBLE;
    fake_list(HALF, 8, 8, 8)->ResultType = DOUBLE;
    VkCooperativeMatrixPropertiesKHR *sums = fake_list(HALF, 8, 8, 8);
    sums->CType = sums->ResultType = HALF;
    fake_list(HALF, 16, 8, 32);
    fake_list(HALF, 8, 8, 8)->BType = BFLOAT;
    fake_list(HALF, 8, 8, 8)->AType = BFLOAT;
    fake_list(HALF, 8, 8, 8)->AType = FLOAT;
    fake_list(HALF, 8, 8, 8)->BType = SINT8;
    fake_list(FLOAT, 8, 8, 8);
    fake_list(SINT8, 8, 8, 8);
    fake_list(BFLOAT, 8, 16, 16);
    fake_list(BFLOAT, 8, 8, 8)->scope = WORKGROUP_SCOPE;
    fake_list(BFLOAT, 8, 8, 8)->CType = BFLOAT;
    fake_list(BFLOAT, 8, 8, 8)->ResultType = BFLOAT;
    fake_list(DOUBLE, 8, 8, 8);
    fake_list(HALF, 32, 8, 16);
    assert_int_equal(fake.listed_count, 20);
    const smoe_device_info info = query_well(BOTH);
    assert_int_equal(info.matrix_shape_count, 3);
    check_shape(&info, 0, SMOE_TYPE_FLOAT16, 16, 8, 32);
    check_shape(&info, 1, SMOE_TYPE_BFLOAT16, 8, 16, 16);
    check_shape(&info, 2, SMOE_TYPE_FLOAT16, 32, 8, 16);
    assert_int_equal(record.line_count, 0);
}

/* The first SMOE_MAX_MATRIX_SHAPES; one for bfloat16 beyond them is not there. */
static void test_more_than_fit(void **state)
{
    (void)state;
    fake_reset();
    fake.listed_count = 0;
    for (uint32_t i = 0; i < SMOE_MAX_MATRIX_SHAPES + 4; i++)
        fake_list(i < SMOE_MAX_MATRIX_SHAPES ? HALF : BFLOAT, 8, 8, i + 1);
    const smoe_device_info info = query_well(MATRICES);
    assert_int_equal(info.matrix_shape_count, SMOE_MAX_MATRIX_SHAPES);
    for (uint32_t i = 0; i < SMOE_MAX_MATRIX_SHAPES; i++)
        check_shape(&info, i, SMOE_TYPE_FLOAT16, 8, 8, i + 1);
}

/* A list that grows between its count and itself is asked for again, and what was there is not kept twice. */
static void test_incomplete(void **state)
{
    (void)state;
    fake_reset();
    fake.incomplete = 1;
    const smoe_device_info info = query_well(BOTH);
    assert_int_equal(fake.queries, 4);
    assert_int_equal(info.matrix_shape_count, 2);
    check_shape(&info, 0, SMOE_TYPE_FLOAT16, 16, 16, 16);
    check_shape(&info, 1, SMOE_TYPE_BFLOAT16, 16, 16, 16);
}

static void test_none(void **state)
{
    (void)state;
    fake_reset();
    fake.listed_count = 0;
    assert_int_equal(query_well(0).matrix_shape_count, 0);
    assert_int_equal(fake.queries, 1);
    assert_int_equal(record.line_count, 0);

    fake_reset(); /* only for graphics */
    fake.matrix_stages = VK_SHADER_STAGE_ALL_GRAPHICS;
    assert_int_equal(query_well(0).matrix_shape_count, 0);
    assert_int_equal(fake.queries, 0);
}

/* smoe's bfloat16 comes only with float16, and float16 without bfloat16. */
static void test_one_type_alone(void **state)
{
    (void)state;
    fake_reset();
    fake.listed_count = 0;
    fake_list(BFLOAT, 16, 16, 16);
    assert_int_equal(query_well(0).matrix_shape_count, 0);

    fake_reset();
    fake.listed_count = 1;
    const smoe_device_info info = query_well(MATRICES);
    assert_int_equal(info.matrix_shape_count, 1);
    check_shape(&info, 0, SMOE_TYPE_FLOAT16, 16, 16, 16);
}

/* Impossible subgroups are none, and matrices belong to subgroups. */
static void test_no_subgroups(void **state)
{
    smoe_device_info info;
    (void)state;
    fake_reset();
    fake.lanes = 0;
    assert_int_equal(query(&info), SMOE_SUCCESS);
    assert_true(info.usable);
    assert_int_equal(info.subgroup_size, 1);
    assert_int_equal(info.capabilities, 0);
    assert_int_equal(info.matrix_shape_count, 0);
}

/* A driver that fails is done without, aloud; only missing host memory is an error. */
static void test_errors(void **state)
{
    static const VkResult errors[] = {VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_ERROR_INITIALIZATION_FAILED,
                                      VK_ERROR_DEVICE_LOST, VK_ERROR_UNKNOWN};
    smoe_device_info info;
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        for (int fills = 0; fills < 2; fills++) {
            char number[32];
            fake_reset();
            *(fills ? &fake.fill_result : &fake.count_result) = errors[i];
            assert_int_equal(query_well(0).matrix_shape_count, 0);
            assert_int_equal(fake.queries, 1 + fills);
            snprintf(number, sizeof number, "VkResult %d", (int)errors[i]);
            assert_int_equal(record.line_count, 1);
            assert_int_equal(record.levels[0], SMOE_LOG_INFO);
            assert_true(strstr(record.lines[0], "no cooperative matrices") && strstr(record.lines[0], number));
        }
    for (int fills = 0; fills < 2; fills++) {
        fake_reset();
        *(fills ? &fake.fill_result : &fake.count_result) = VK_ERROR_OUT_OF_HOST_MEMORY;
        assert_int_equal(query(&info), SMOE_ERROR_OUT_OF_HOST_MEMORY);
        assert_true(test_record_has_problem(&record, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"));
    }
}

static int setup(void **state)
{
    (void)state;
    test_record_init(&record);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),           cmocka_unit_test(test_more_than_fit), cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_none),           cmocka_unit_test(test_one_type_alone), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_no_subgroups),
    };
    return cmocka_run_group_tests_name("matrix_shapes", tests, setup, NULL);
}
