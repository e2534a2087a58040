/* Which peak the benchmark's shares are of, and what they are, for peaks made up here. */
#include "../../bench/peaks/peaks.h"

#include "common/cmocka_all.h"

#include <string.h>

static void add(bench_peaks *peaks, const char *name, double value)
{
    bench_peak *peak = &peaks->list[peaks->count++];
    snprintf(peak->name, sizeof peak->name, "%s", name);
    peak->value = value;
}

static const char *name_of(const bench_peaks *peaks, const char *kernel)
{
    const bench_peak *peak = bench_peak_of_kernel(peaks, kernel);
    return peak ? peak->name : "none";
}

static void test_kernels_have_the_peak_of_their_kind(void **state)
{
    bench_peaks peaks = {.count = 0};
    (void)state;
    assert_string_equal(name_of(&peaks, "expert_up_tiled"), "none");
    add(&peaks, "fma_float32", 100);
    add(&peaks, "matrix_float16_float16_16x16x16", 900);
    add(&peaks, "matrix_float16_float32_16x8x8", 300);
    add(&peaks, "matrix_float16_float32_16x16x16", 400);
    add(&peaks, "matrix_float16_float32_16x8x16", 350);
    add(&peaks, "matrix_bfloat16_float32_16x16x16", 0); /* not measured */
    assert_string_equal(name_of(&peaks, "expert_up_tiled"), "fma_float32");
    assert_string_equal(name_of(&peaks, "route_select_rank"), "fma_float32");
    assert_string_equal(name_of(&peaks, "expert_up_cooperative"), "matrix_float16_float32_16x16x16");
    assert_string_equal(name_of(&peaks, "expert_down_cooperative_bfloat16"), "none");
    add(&peaks, "matrix_bfloat16_float32_16x8x8", 200);
    assert_string_equal(name_of(&peaks, "expert_down_cooperative_bfloat16"), "matrix_bfloat16_float32_16x8x8");
}

static void test_shares_of_operations(void **state)
{
    smoe_kernel_choice kernels[SMOE_STAGE_COUNT] = {{.name = ""}};
    double flop[SMOE_STAGE_COUNT] = {0};
    bench_peaks peaks = {.count = 0};
    (void)state;

    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        kernels[i].name = "sort";
    kernels[SMOE_STAGE_EXPERT_UP].name = "expert_up_cooperative";
    flop[SMOE_STAGE_EXPERT_UP] = 4000;
    flop[SMOE_STAGE_COMBINE] = 500;
    add(&peaks, "fma_float32", 100e9);
    assert_true(bench_share_of_operations(&peaks, kernels, flop, 60) == 0); /* one of the two peaks is missing */
    add(&peaks, "matrix_float16_float32_16x16x16", 400e9);
    /* 10 ns and 5 ns, of 60 */
    assert_float_equal((float)bench_share_of_operations(&peaks, kernels, flop, 60), 0.25f, 1e-6f);
    assert_true(bench_share_of_operations(&peaks, kernels, flop, 0) == 0);
}

static void test_shares_of_bytes(void **state)
{
    bench_peaks peaks = {.count = 0};
    (void)state;
    add(&peaks, "host_to_device", 900e9); /* no memory of the device's */
    assert_true(bench_share_of_bytes(&peaks, 100, 10) == 0);
    add(&peaks, "copy_kernel", 20e9);
    add(&peaks, "copy_command", 10e9);
    assert_float_equal((float)bench_share_of_bytes(&peaks, 100, 10), 0.5f, 1e-6f);
    add(&peaks, "read", 40e9);
    assert_float_equal((float)bench_share_of_bytes(&peaks, 100, 10), 0.25f, 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels_have_the_peak_of_their_kind),
                                       cmocka_unit_test(test_shares_of_operations),
                                       cmocka_unit_test(test_shares_of_bytes)};
    return cmocka_run_group_tests_name("bench_shares", tests, NULL, NULL);
}
