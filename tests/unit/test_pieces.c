/* How dispatches are cut, and what of a forward makes a slice. tests/common/selection_rules.c has the rules for any
 * shape and device; tests/check/test_recording.c runs slices. */
#include "common/cmocka_all.h"
#include "devices.h"
#include "domain/pieces.h"
#include "domain/selection.h"

static void test_take(void **state)
{
    (void)state;
    const struct {
        uint64_t work;
        uint32_t slice;
    } walk[] = {{4, 0}, {4, 0}, {4, 1}, {6, 1}, {1, 2}, {25, 3}, {1, 4}, {9, 4}, {10, 5}};
    for (uint32_t first = 0; first < 7; first++)
        for (uint32_t count = 0; count < 4; count++) {
            smoe_slices slices = {.limit = 10, .first = first, .count = count};
            for (size_t i = 0; i < sizeof walk / sizeof walk[0]; i++) {
                const bool wanted = smoe_slices_take(&slices, walk[i].work);
                assert_int_equal(slices.at, walk[i].slice);
                assert_int_equal(wanted, walk[i].slice >= first && walk[i].slice < first + count);
                assert_int_equal(smoe_slices_wanted(&slices), wanted);
            }
        }
}

/* Slices of a pass over the shape's tokens, and the most work of a piece with more than one tile. */
static uint32_t count_slices(const smoe_shape *shape, const smoe_selection *selection, uint64_t *most)
{
    const uint32_t features = smoe_shape_features(shape) | SMOE_HAS_EXPERTS;
    uint32_t regimes[SMOE_STEP_COUNT];
    smoe_slices slices = {.limit = SMOE_SLICE_WORK};
    smoe_selection_regimes(selection, &shape->desc, shape->pass_tokens, 0, regimes);
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++) {
        if (!smoe_step_runs(step, features))
            continue;
        const smoe_pieces pieces =
            smoe_step_pieces(shape, &selection->configs[step][regimes[step]], step, SMOE_SLICE_WORK, shape->pass_tokens,
                             shape->desc.max_active);
        for (uint32_t i = 0; i < pieces.count; i++)
            smoe_slices_take(&slices, pieces.work);
        *most = pieces.tile_count > 1 && pieces.work > *most ? pieces.work : *most;
    }
    return slices.at + 1;
}

/* DeepSeek-V3's layer: a token is one slice on every device, and thousands are many, none of them too large. */
static void test_large_layer(void **state)
{
    (void)state;
    const uint32_t tokens[] = {1, 2048};
    for (uint32_t d = 0; d < TEST_DEVICE_COUNT; d++)
        for (size_t t = 0; t < 2; t++) {
            const smoe_plan_desc desc = {.d_model = 7168, .d_hidden = 2048, .expert_count = 256, .top_k = 8,
                                         .max_active = 8, .max_tokens = tokens[t], .min_tokens = tokens[t],
                                         .types = SMOE_TYPES(SMOE_TYPE_BFLOAT16), .gated = true,
                                         .gate = SMOE_GATE_SIGMOID, .shared_hidden = 2048,
                                         .activation = SMOE_ACTIVATION_SILU};
            smoe_device_info info = test_device(d);
            info.max_storage_buffer_range = info.max_allocation_size = UINT32_MAX;
            smoe_shape shape;
            smoe_selection selection;
            uint64_t most = 0;
            assert_int_equal(smoe_shape_init(&smoe_host_silent, &info, &desc, &shape), SMOE_SUCCESS);
            smoe_selection_init(&info, &shape, &selection);
            const uint32_t slices = count_slices(&shape, &selection, &most);
            if (t == 0 ? slices != 1 : slices < 10 || slices > 200 || most > SMOE_SLICE_WORK)
                fail_msg("%s, %u tokens of %u: %u slices, a piece of %llu", info.name, shape.pass_tokens, tokens[t],
                         slices, (unsigned long long)most);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_take), cmocka_unit_test(test_large_layer)};
    return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
