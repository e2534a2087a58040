/* Pipelines depend on classes of shapes, not on shapes: a second plan of the same classes compiles nothing. */
#include <string.h>

#include "common/cmocka_all.h"
#include "devices.h"
#include "domain/selection.h"
#include "fake_device.h"
#include "fake_pipelines.h"

/* Tokens enough for every regime of every tuning table. */
#define MANY_TOKENS 65536u

#define BASE                                                                                                           \
    .d_model = 2048, .d_hidden = 1024, .expert_count = 64, .top_k = 8, .max_active = 12, .max_tokens = MANY_TOKENS,    \
    .activation = SMOE_ACTIVATION_SILU, .types = SMOE_TYPES(SMOE_TYPE_FLOAT16), .gated = true, .renormalize = true,    \
    .group_count = 8, .top_groups = 4, .gate = SMOE_GATE_SIGMOID, .shared_hidden = 2048, .shared_gate = true

/* Between them they have every kernel. */
static const struct {
    const char *name;
    smoe_plan_desc desc;
} firsts[] = {
    {"linear router", {BASE}},
    {"cosine router", {BASE, .router = SMOE_ROUTER_COSINE, .projection_width = 256}},
    {"mixed precision", {BASE, .precision = SMOE_PRECISION_FLOAT16}},
};

static const smoe_plan_desc limited = {BASE, .gate_max = 7, .shared_up_limit = 3};

#define FIRST_COUNT (sizeof firsts / sizeof firsts[0])

/* How another plan differs, and whether it is of the same classes. A kernel that needs a constant of the shape would be
 * a row here. */
typedef struct change {
    const char *text;
    smoe_plan_desc desc;
    bool compiles;
} change;

#define MOST_CHANGES 40
#define SET(text_, compiles_, ...) changes[count++] = (change){text_, *first, compiles_}, __VA_ARGS__
#define NEW changes[count - 1].desc

/* The width of a projection stays 0 where there is none. */
static uint32_t make_changes(const smoe_plan_desc *first, change changes[MOST_CHANGES])
{
    uint32_t count = 0;
    SET("the same", false, (void)0);
    SET("widths", false, NEW.d_model = 512, NEW.d_hidden = 4096, NEW.shared_hidden = 256, NEW.projection_width /= 3);
    SET("experts", false, NEW.expert_count = 40, NEW.group_count = 5);
    SET("experts chosen", false, NEW.top_k = 3, NEW.max_active = 9, NEW.top_groups = 2);
    SET("experts expected", false, NEW.max_expected_active = NEW.max_active);
    SET("tokens", false, NEW.max_tokens = SMOE_MAX_TOKENS);
    SET("all of it", false, NEW.d_model = 768, NEW.d_hidden = 256, NEW.expert_count = 35, NEW.group_count = 7,
        NEW.top_k = 1, NEW.top_groups = 3, NEW.max_active = 16, NEW.shared_hidden = 1536, NEW.projection_width *= 2);
    SET("one count of tokens", false, NEW.min_tokens = NEW.max_tokens = 7);
    SET("a width that is no multiple of 4", true, NEW.d_model = 2047);
    SET("a width that is no multiple of a tile's depth", true, NEW.shared_hidden = 36);
    SET("more experts", true, NEW.expert_count = 128);
    SET("a higher cap", true, NEW.max_active = 17);
    SET("more groups", true, NEW.group_count = 16);
    SET("another activation", true, NEW.activation = SMOE_ACTIVATION_RELU);
    SET("limits", true, NEW.gate_max = 7);
    SET("limits of the shared expert", true, NEW.shared_gate_max = 7);
    SET("swiglu_clamped", true, NEW.activation = SMOE_ACTIVATION_SWIGLU_CLAMPED);
    SET("an alpha of 1", false, NEW.gate_alpha = 1);
    SET("another weight type", true, NEW.types = (smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_FLOAT32),
        NEW.precision = SMOE_PRECISION_FLOAT32);
    SET("softmax", true, NEW.gate = SMOE_GATE_SOFTMAX);
    SET("a floor", true, NEW.renormalize_floor = 1e-6f);
    SET("an addend", true, NEW.renormalize_add = 1e-6f);
    SET("factors of experts", true, NEW.expert_scale = true);
    SET("weighted inputs", true, NEW.weighted_input = true, NEW.renormalize = false);
    SET("latent experts", true, NEW.d_latent = 1024);
    SET("groups by their best", true, NEW.group_score = SMOE_GROUP_SCORE_MAX);
    SET("given routing", true, NEW.given_count = NEW.top_k);
    SET("given weights", true, NEW.given_count = NEW.top_k, NEW.given_weights = true);
    SET("zero experts", true, NEW.zero_experts = 1);
    SET("balanced groups", true, NEW.group_count = NEW.top_groups = 0, NEW.balanced_groups = 4);
    return count;
}

static uint32_t created_by(const smoe_context *context, const smoe_plan_desc *desc, smoe_plan **out)
{
    const uint32_t before = fake_pipelines_count().created;
    assert_int_equal(smoe_plan_create(context, desc, out), SMOE_SUCCESS);
    return fake_pipelines_count().created - before;
}

static void check_change(const char *name, const smoe_plan_desc *first, const change *different)
{
    smoe_context *context;
    smoe_plan *plan, *other;
    fake_reset();
    fake_pipelines_reset();
    const smoe_context_desc desc = fake_context_desc();
    assert_int_equal(smoe_context_create(&desc, &context), SMOE_SUCCESS);
    const uint32_t created = created_by(context, first, &plan), more = created_by(context, &different->desc, &other);
    if ((more > 0) != different->compiles)
        fail_msg("%s, %s: %u pipelines, then %u more", name, different->text, created, more);
    smoe_plan_destroy(other);
    smoe_plan_destroy(plan);
    smoe_context_destroy(context);
}

static void test_plans(void **state)
{
    change changes[MOST_CHANGES];
    (void)state;
    for (size_t f = 0; f < FIRST_COUNT; f++) {
        const uint32_t count = make_changes(&firsts[f].desc, changes);
        for (uint32_t i = 0; i < count; i++)
            check_change(firsts[f].name, &firsts[f].desc, &changes[i]);
    }
}

/* Whatever the numbers of gated experts are, where there are some: swiglu_clamped is silu with its own. */
static void test_numbers(void **state)
{
    const change changes[] = {
        {"other numbers",
         {BASE, .gate_max = 10, .up_limit = 10, .gate_limit_after = 3, .gate_alpha = 1.702f, .up_offset = 1,
          .shared_gate_limit_after = 9},
         false},
        {"swiglu_clamped", limited, false},
        {"none of the shared expert", {BASE, .gate_max = 7}, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        change different = changes[i];
        if (i == 1) {
            different.desc.activation = SMOE_ACTIVATION_SWIGLU_CLAMPED;
            different.desc.gate_max = different.desc.shared_up_limit = 0;
        }
        check_change("limits", &limited, &different);
    }
}

static bool has(const smoe_kernel_config *configs, uint32_t count, const smoe_kernel_config *config)
{
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(&configs[i], config, sizeof *config) == 0)
            return true;
    return false;
}

#define MOST_CONFIGS ((SMOE_STEP_COUNT + 4) * SMOE_REGIME_COUNT)

/* Those with cooperative matrices too, which the build may have left out. */
static uint32_t cooperative_configs_of(const smoe_device_info *info, const smoe_shape *shape,
                                       smoe_kernel_config *configs)
{
    static const smoe_step steps[] = {SMOE_STEP_EXPERT_UP,   SMOE_STEP_EXPERT_DOWN, SMOE_STEP_SHARED_UP,
                                      SMOE_STEP_SHARED_DOWN, SMOE_STEP_LATENT_DOWN, SMOE_STEP_LATENT_UP};
    const smoe_tuning *tuning = smoe_tuning_cooperative();
    uint32_t count = 0;
    if (!smoe_cooperative_fits(info, shape->desc.precision))
        return 0;
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++)
        for (size_t k = 0; k < sizeof steps / sizeof steps[0] && tuning->regimes[i].matmul == SMOE_MATMUL_COOPERATIVE;
             k++)
            configs[count++] = smoe_step_config(info, shape, &tuning->regimes[i], steps[k]);
    return count;
}

/* Every configuration that a plan makes a pipeline from. */
static uint32_t configs_of(const smoe_device_info *info, const smoe_plan_desc *desc,
                           smoe_kernel_config configs[MOST_CONFIGS])
{
    const smoe_host host = {0};
    smoe_shape shape;
    smoe_selection s;
    uint32_t count = 0;
    if (smoe_shape_init(&host, info, desc, &shape))
        return 0; /* beyond the device's range */
    smoe_selection_init(info, &shape, &s);
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
        for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++)
            if (s.used[step] >> i & 1)
                configs[count++] = s.configs[step][i];
    return count + cooperative_configs_of(info, &shape, configs + count);
}

/* How many configurations were compared. */
static uint32_t compare_changes(const smoe_device_info *info, const char *name, const smoe_plan_desc *first)
{
    change changes[MOST_CHANGES];
    smoe_kernel_config own[MOST_CONFIGS], others[MOST_CONFIGS];
    const uint32_t change_count = make_changes(first, changes), own_count = configs_of(info, first, own);
    uint32_t compared = 0;
    for (uint32_t c = 0; c < change_count && own_count > 0; c++) {
        const uint32_t count = changes[c].compiles ? 0 : configs_of(info, &changes[c].desc, others);
        for (uint32_t k = 0; k < count; k++, compared++)
            if (!has(own, own_count, &others[k]))
                fail_msg("%s, %s, %s: another configuration of %s", info->name, name, changes[c].text,
                         smoe_kernel_row_get(others[k].kernel)->name);
    }
    return compared;
}

/* On every device, whatever its tiles. */
static void test_configurations(void **state)
{
    (void)state;
    for (size_t f = 0; f < FIRST_COUNT; f++) {
        uint32_t compared = 0;
        for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++) {
            const smoe_device_info info = test_device(i);
            compared += compare_changes(&info, firsts[f].name, &firsts[f].desc);
        }
        assert_true(compared > 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_configurations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
