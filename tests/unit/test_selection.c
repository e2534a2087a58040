/* smoe_selection_init: what every kernel demands of its constants holds on every device, for every shape and token count. */
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "common/cmocka_all.h"
#include "devices.h"
#include "domain/selection.h"

#define RULE(condition) \
    if (!(condition))   \
    return __LINE__

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static int broken_limit(const smoe_device_info *info, const smoe_kernel_config *c)
{
    const smoe_kernel_row *row = smoe_kernel_row_get(c->kernel);
    RULE(row->spirv_size > 0);
    RULE((row->capabilities & ~info->capabilities) == 0);
    RULE(c->workgroup_size >= 1 && c->workgroup_size <= info->max_workgroup_invocations &&
         c->workgroup_size <= info->max_workgroup_size_x);
    RULE(c->shared_memory_size <= info->max_shared_memory_size);
    RULE(c->required_subgroup_size == 0 || (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL));
    if (c->subgroup_size > 1) /* a kernel that counts on whole subgroups */
        RULE(c->workgroup_size % (c->required_subgroup_size ? c->required_subgroup_size : info->subgroup_size_max) == 0);
    return 0;
}

/* The rules that the comments of the matmul_*.comp state. load: weights in 16 bytes. */
static int broken_matmul(const smoe_device_info *info, const smoe_kernel_config *c, smoe_matmul matmul, uint32_t matrices, uint32_t load)
{
    const int limit = broken_limit(info, c);
    RULE(limit == 0);
    RULE(c->tile_rows >= 1 && c->tile_columns >= 1 && c->tile_depth % load == 0);
    if (matmul == SMOE_MATMUL_VECTOR) {
        const uint32_t team = c->tile_depth / load;
        RULE(power_of_two(team) && c->workgroup_size % team == 0);
        RULE(c->tile_columns == c->workgroup_size / team * c->thread_columns);
        RULE(c->subgroup_size == 1 || team <= info->subgroup_size_min);
    } else if (matmul == SMOE_MATMUL_TILED) {
        RULE(c->tile_rows % c->thread_rows == 0 && c->tile_columns % c->thread_columns == 0);
        RULE(c->workgroup_size == c->tile_columns / c->thread_columns * (c->tile_rows / c->thread_rows));
        RULE(c->shared_memory_size >= 4 * c->tile_depth * (c->tile_rows + matrices * c->tile_columns));
    } else {
        RULE(c->tile_columns == c->workgroup_size * c->thread_columns);
        RULE(c->tile_rows * c->tile_depth / 4 % c->subgroup_size == 0 && c->tile_rows * c->tile_depth / 4 >= c->subgroup_size);
        RULE(c->required_subgroup_size == c->subgroup_size || info->subgroup_size_min == info->subgroup_size_max);
    }
    return 0;
}

static int broken_rule(const smoe_device_info *info, const smoe_shape *shape)
{
    smoe_selection s;
    smoe_selection_init(info, shape, &s);
    int rule = broken_limit(info, &s.select);
    RULE(rule == 0);
    RULE((rule = broken_limit(info, &s.combine)) == 0);
    RULE((rule = broken_limit(info, &s.totals)) == 0);
    RULE(s.totals.shared_memory_size >= 2 * SMOE_TOTALS_WORDS(shape->desc.expert_count));
    const bool cosine = shape->desc.router == SMOE_ROUTER_COSINE;
    if (cosine) {
        RULE((rule = broken_limit(info, &s.cosine)) == 0);
        RULE(s.cosine.workgroup_size % s.cosine.tile_columns == 0);
        RULE(s.cosine.tile_rows == s.cosine.workgroup_size / s.cosine.tile_columns * s.cosine.thread_rows);
    }
    if (shape->group_count) {
        RULE((rule = broken_limit(info, &s.group)) == 0);
        RULE(s.group.tile_rows >= 1 && s.group.shared_memory_size >= 4 * s.group.tile_rows * shape->group_count);
    }
    const uint32_t load = 16 / smoe_shape_weight_size(shape);
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
        const smoe_tile *tile = &s.tuning->regimes[i];
        const smoe_expert_selection *e = &s.experts[i];
        RULE(tile->rows > 0 || (!e->used && !s.logits_used[i] && !s.project_used[i] && !s.shared_gate_used[i] && !s.shared_used[i]));
        if (tile->rows == 0)
            continue;
        RULE((rule = broken_matmul(info, &s.router[i], tile->matmul, 1, 4)) == 0);
        RULE((rule = broken_matmul(info, &e->up, tile->matmul, shape->desc.gated ? 2 : 1, load)) == 0);
        RULE((rule = broken_matmul(info, &e->down, tile->matmul, 1, load)) == 0);
        RULE((rule = broken_limit(info, &e->sort)) == 0);
        RULE(e->up.tile_rows == e->down.tile_rows && e->sort.tile_rows == e->up.tile_rows);
        RULE(e->sort.up_column_tiles * e->up.tile_columns >= shape->desc.d_hidden);
        RULE((e->sort.up_column_tiles - 1) * e->up.tile_columns < shape->desc.d_hidden);
        RULE(e->sort.down_column_tiles * e->down.tile_columns >= shape->desc.d_model);
        RULE(e->sort.up_column_tiles <= info->max_workgroup_count[0] && e->sort.down_column_tiles <= info->max_workgroup_count[0]);
    }
    for (uint32_t tokens = 1; tokens <= shape->desc.max_tokens; tokens += tokens < 300 ? 1 : tokens / 3) {
        const smoe_regimes regimes = smoe_selection_regimes(&s, &shape->desc, tokens);
        RULE(s.experts[regimes.experts].used);
        RULE(cosine ? s.project_used[regimes.project] : s.logits_used[regimes.logits]);
        RULE(!shape->desc.shared_gate || s.shared_gate_used[regimes.shared_gate]);
        RULE(!shape->desc.shared_hidden || s.shared_used[regimes.shared]);
    }
    return 0;
}

static void test_every_device(void **state)
{
    (void)state;
    const uint32_t widths[] = {1, 3, 64, 65, 384, 2048, 65536};
    const uint32_t experts[] = {1, 2, 8, 31, 32, 33, 64, 128, 256, 512, 1024};
    const smoe_host host = {0};
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++)
        for (uint32_t masked = 0; masked <= SMOE_CAPABILITY_ALL; masked++)
            for (uint32_t j = 0; j < 7 * 11 * 4; j++) {
                smoe_device_info info = test_device(i);
                info.capabilities &= ~masked;
                smoe_plan_desc desc = {
                    .d_model = widths[j % 7],
                    .d_hidden = widths[(j + masked) % 7],
                    .expert_count = experts[j / 7 % 11],
                    .top_k = 1,
                    .max_active = 1,
                    .max_tokens = 5000,
                    .gated = j / 77 % 2 != 0,
                    .weight_type = j / 154 ? (j % 2 ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_BFLOAT16) : SMOE_TYPE_FLOAT32,
                    .router = j % 3 ? SMOE_ROUTER_LINEAR : SMOE_ROUTER_COSINE,
                    .projection_width = j % 3 ? 0 : widths[(j + 3) % 7],
                    .group_count = j % 4 ? 0 : experts[j / 7 % 11],
                    .top_groups = j % 4 || experts[j / 7 % 11] == 1 ? 0 : 1,
                    .shared_hidden = j % 5 ? 0 : widths[(j + 5) % 7],
                    .shared_gate = j % 10 == 0,
                };
                smoe_shape shape;
                if (smoe_shape_init(&host, &info, &desc, &shape))
                    continue; /* beyond the device's range: test_shape's business */
                const int rule = broken_rule(&info, &shape);
                if (rule)
                    fail_msg("rule at line %d: %s without 0x%x, D=%u H=%u E=%u gated=%d type=%d", rule, info.name, masked, desc.d_model,
                             desc.d_hidden, desc.expert_count, desc.gated, desc.weight_type);
            }
}

static void test_public_errors(void **state)
{
    (void)state;
    smoe_device_info info = test_device(0);
    const smoe_plan_desc desc = {.d_model = 8, .d_hidden = 8, .expert_count = 4, .top_k = 2, .max_tokens = 9};
    smoe_plan_desc wrong = desc;
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    char reason[SMOE_REASON_SIZE];
    assert_int_equal(smoe_select_kernels(&info, &desc, 9, choices, NULL), SMOE_SUCCESS);
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        assert_int_equal(choices[i].name[0] == '\0', i == SMOE_STAGE_ROUTE_PROJECT || i == SMOE_STAGE_ROUTE_GROUP);
    smoe_plan_desc every = desc;
    every.router = SMOE_ROUTER_COSINE;
    every.projection_width = 3;
    every.group_count = 2;
    every.top_groups = 1;
    assert_int_equal(smoe_select_kernels(&info, &every, 9, choices, NULL), SMOE_SUCCESS);
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        assert_true(choices[i].name[0] != '\0');
    assert_int_equal(smoe_select_kernels(NULL, &desc, 9, choices, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "info"));
    assert_int_equal(smoe_select_kernels(&info, NULL, 9, choices, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "desc"));
    assert_int_equal(smoe_select_kernels(&info, &desc, 9, NULL, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "choices"));
    assert_int_equal(smoe_select_kernels(&info, &desc, 0, choices, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_int_equal(smoe_select_kernels(&info, &desc, 10, choices, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "token_count"));
    wrong.top_k = 5;
    assert_int_equal(smoe_select_kernels(&info, &wrong, 9, choices, reason), SMOE_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(reason, "top_k"));
    info.usable = false;
    snprintf(info.reason, sizeof info.reason, "too old");
    assert_int_equal(smoe_select_kernels(&info, &desc, 9, choices, reason), SMOE_ERROR_UNSUPPORTED);
    assert_non_null(strstr(reason, "too old"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_device), cmocka_unit_test(test_public_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
