/* Every wrong argument of the functions of smoe.h from the layer on. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "call_parts.h"
#include "common/cmocka_all.h"
#include "objects/layer.h"
#include "objects/plan.h"

static void *const garbage = (void *)(uintptr_t)8; /* what an output must not keep */

static void refuse_layer(parts *p, const smoe_plan *plan, const smoe_layer_desc *bad, const char *name)
{
    smoe_layer *out = garbage;

    REFUSED(&p->record, name, smoe_layer_create(plan, bad, &out));
    assert_null(out);
}

static smoe_buffer *buffer_at(smoe_layer_desc *desc, const smoe_layer_tensor *tensor)
{
    return (smoe_buffer *)(void *)((char *)desc + tensor->layer_offset);
}

/* Each tensor that `good` has, in every wrong size and place; returns how many it has. */
static uint32_t refuse_buffers(parts *p, const smoe_plan *plan, const smoe_layer_desc *good)
{
    smoe_layer_tensor tensor;
    uint32_t count = 0;
    for (uint32_t i = 0; smoe_layer_tensor_get(smoe_plan_get_desc(plan), i, &tensor); i++) {
        smoe_layer_desc bad = *good;
        smoe_buffer *buffer = buffer_at(&bad, &tensor);
        const smoe_buffer right = *buffer;
        char name[64];
        if (!right.buffer)
            continue;
        count++;
        snprintf(name, sizeof name, "layer desc.%s", tensor.name);
        const VkDeviceSize sizes[] = {right.size - 4, 0, VK_WHOLE_SIZE};
        for (int k = 0; k < 3; k++) {
            buffer->size = sizes[k];
            refuse_layer(p, plan, &bad, name);
        }
        *buffer = right;
        buffer->offset += p->gpu.alignment / 2;
        if (p->gpu.alignment > 1)
            refuse_layer(p, plan, &bad, name);
        *buffer = right;
        buffer->buffer = VK_NULL_HANDLE;
        if (tensor.presence == SMOE_PRESENCE_REQUIRED)
            refuse_layer(p, plan, &bad, name);
    }
    return count;
}

/* What the plan has no place for; returns how many there are. */
static uint32_t refuse_more(parts *p, const smoe_plan *plan, const smoe_layer_desc *good, const smoe_layer_desc *others)
{
    smoe_layer_tensor tensor;
    uint32_t count = 0;
    for (uint32_t i = 0; smoe_layer_tensor_get(smoe_plan_get_desc(plan), i, &tensor); i++) {
        smoe_layer_desc more = *good, from = *others;
        char name[128];
        if (tensor.presence != SMOE_PRESENCE_FORBIDDEN)
            continue;
        count++;
        *buffer_at(&more, &tensor) = *buffer_at(&from, &tensor);
        snprintf(name, sizeof name, "layer desc.%s.buffer: must be VK_NULL_HANDLE unless %s", tensor.name,
                 tensor.condition);
        refuse_layer(p, plan, &more, name);
    }
    return count;
}

/* Matrices in ranges: as many as the plan has, here one. */
static void refuse_ranges(parts *p)
{
    smoe_layer_desc bad = p->layer_desc;
    const smoe_buffer whole = bad.w1.buffer;
    smoe_buffer range = whole;
    smoe_layer *layer;
    uint32_t experts;

    assert_int_equal(smoe_plan_range_count(p->plan, &experts), 1);
    assert_int_equal(experts, smoe_plan_get_desc(p->plan)->expert_count);
    assert_int_equal(smoe_plan_range_count(NULL, NULL), 0);
    bad.w1.ranges = &range;
    refuse_layer(p, p->plan, &bad, "layer desc.w1.ranges: must be NULL where buffer is given");
    bad.w1.buffer = (smoe_buffer){0};
    range.size -= 4;
    refuse_layer(p, p->plan, &bad, "layer desc.w1.ranges[0].size");
    range = (smoe_buffer){0};
    refuse_layer(p, p->plan, &bad, "layer desc.w1.ranges[0].buffer: must not be VK_NULL_HANDLE");
    range = whole;
    assert_int_equal(smoe_layer_create(p->plan, &bad, &layer), SMOE_SUCCESS);
    smoe_layer_destroy(layer);
    bad = p->full_layer_desc;
    bad.shared_w2 = (smoe_weight){.ranges = &range};
    refuse_layer(p, p->full, &bad, "layer desc.shared_w2.ranges: must be NULL for a matrix that is not each expert's");
    bad = p->layer_desc;
    bad.shared_w1.ranges = &range;
    refuse_layer(p, p->plan, &bad, "layer desc.shared_w1.ranges: must be NULL unless there is a shared expert");
}

static void test_layer(void **state)
{
    const test_device *device = *state;
    static parts p;

    parts_create(&p, device->device);
    assert_int_equal(refuse_buffers(&p, p.plan, &p.layer_desc), 8);
    assert_int_equal(refuse_buffers(&p, p.full, &p.full_layer_desc), 23);
    assert_int_equal(refuse_more(&p, p.plan, &p.layer_desc, &p.full_layer_desc), 17);
    assert_int_equal(refuse_more(&p, p.full, &p.full_layer_desc, &p.layer_desc), 2);
    refuse_ranges(&p);
    smoe_layer_desc bad = p.layer_desc;
    bad.b3.buffer = VK_NULL_HANDLE;
    refuse_layer(&p, p.ungated, &bad, "w3");
    bad = p.layer_desc;
    bad.w3.buffer.buffer = VK_NULL_HANDLE;
    refuse_layer(&p, p.ungated, &bad, "b3");
    refuse_layer(&p, p.plan, NULL, "desc");
    refuse_layer(&p, NULL, &p.layer_desc, NULL);
    REFUSED(&p.record, "out", smoe_layer_create(p.plan, &p.layer_desc, NULL));
    smoe_layer_destroy(NULL);
    parts_destroy(&p);
}

static void refuse_binding(parts *p, const smoe_plan *plan, const smoe_binding_desc *bad, const char *name)
{
    smoe_binding *out = garbage;

    REFUSED(&p->record, name, smoe_binding_create(plan, bad, &out));
    assert_null(out);
}

/* What a plan has no use for, and what overlaps. */
static void refuse_given(parts *p)
{
    smoe_binding_desc bad = p->binding_desc;

    bad.given_ids = p->given_binding_desc.given_ids;
    refuse_binding(p, p->plan, &bad, "given_ids.buffer: must be VK_NULL_HANDLE unless the plan has given_count");
    bad = p->binding_desc;
    bad.given_weights = p->given_binding_desc.given_weights;
    refuse_binding(p, p->plan, &bad, "given_weights.buffer: must be VK_NULL_HANDLE unless the plan has given_weights");
    bad = p->given_binding_desc;
    bad.given_ids.offset = bad.y.offset;
    refuse_binding(p, p->given, &bad, "desc.y: must not overlap desc.given_ids");
    bad = p->given_binding_desc;
    bad.given_weights.offset = bad.given_ids.offset;
    refuse_binding(p, p->given, &bad, "desc.given_ids: must not overlap desc.given_weights");
}

static void test_binding(void **state)
{
    const test_device *device = *state;
    static parts p;

    parts_create(&p, device->device);
#define REFUSE_BUFFER_OF(plan, good, field, missing, least)                                                            \
    do {                                                                                                               \
        smoe_binding_desc bad = good;                                                                                  \
        bad.field.size = (least)-1;                                                                                    \
        refuse_binding(&p, plan, &bad, #field);                                                                        \
        bad.field.size = VK_WHOLE_SIZE;                                                                                \
        refuse_binding(&p, plan, &bad, #field);                                                                        \
        bad = good;                                                                                                    \
        bad.field.offset += p.gpu.alignment / 2;                                                                       \
        if (p.gpu.alignment > 1)                                                                                       \
            refuse_binding(&p, plan, &bad, #field);                                                                    \
        bad = good;                                                                                                    \
        bad.field.buffer = VK_NULL_HANDLE;                                                                             \
        if (missing)                                                                                                   \
            refuse_binding(&p, plan, &bad, #field);                                                                    \
    } while (0)
#define REFUSE_BUFFER(...) REFUSE_BUFFER_OF(p.plan, p.binding_desc, __VA_ARGS__)
#define REFUSE_GIVEN(field)                                                                                            \
    REFUSE_BUFFER_OF(p.given, p.given_binding_desc, field, true, p.given_binding_desc.field.size)
    REFUSE_BUFFER(x, true,
                  4 * (VkDeviceSize)smoe_plan_get_desc(p.plan)->d_model * smoe_plan_get_desc(p.plan)->min_tokens);
    REFUSE_BUFFER(y, true, p.binding_desc.y.size);
    REFUSE_BUFFER(workspace, true, p.binding_desc.workspace.size);
    REFUSE_BUFFER(report, false, p.binding_desc.report.size);
    REFUSE_BUFFER(totals, false, p.binding_desc.totals.size);
    REFUSE_GIVEN(given_ids);
    REFUSE_GIVEN(given_weights);
#undef REFUSE_GIVEN
#undef REFUSE_BUFFER
#undef REFUSE_BUFFER_OF
    refuse_given(&p);
#define REFUSE_OVERLAP(one, two)                     \
    do {                                             \
        smoe_binding_desc bad = p.binding_desc;      \
        bad.one.offset = bad.two.offset;             \
        refuse_binding(&p, p.plan, &bad, "overlap"); \
    } while (0)
    REFUSE_OVERLAP(x, y);
    REFUSE_OVERLAP(x, workspace);
    REFUSE_OVERLAP(x, report);
    REFUSE_OVERLAP(y, workspace);
    REFUSE_OVERLAP(y, report);
    REFUSE_OVERLAP(workspace, report);
    REFUSE_OVERLAP(x, totals);
    REFUSE_OVERLAP(y, totals);
    REFUSE_OVERLAP(workspace, totals);
    REFUSE_OVERLAP(report, totals);
#undef REFUSE_OVERLAP
    refuse_binding(&p, p.plan, NULL, "desc");
    refuse_binding(&p, NULL, &p.binding_desc, NULL);
    REFUSED(&p.record, "out", smoe_binding_create(p.plan, &p.binding_desc, NULL));
    smoe_binding_destroy(NULL);
    parts_destroy(&p);
}

static void refuse_forward(parts *p, const smoe_forward_params *bad, const char *name)
{
    REFUSED(&p->record, name, smoe_forward(p->gpu.commands, p->layer, p->binding, bad, NULL));
    REFUSED(&p->record, name, smoe_route(p->gpu.commands, p->layer, p->binding, bad, NULL));
}

/* Only groups look at group_eps. */
static void refuse_group_eps(parts *p)
{
    const float values[] = {-1e-6f, 0.9e-30f, 1.1e30f, NAN, INFINITY, -INFINITY};
    smoe_forward_params bad = smoe_forward_defaults();

    bad.token_count = 1;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        bad.group_eps = values[i];
        REFUSED(&p->record, "params.group_eps",
                smoe_forward(p->gpu.commands, p->full_layer, p->full_binding, &bad, NULL));
        REFUSED(&p->record, "params.group_eps",
                smoe_route(p->gpu.commands, p->full_layer, p->full_binding, &bad, NULL));
    }
    bad.token_count = 0;
    assert_int_equal(smoe_forward(p->gpu.commands, p->layer, p->binding, &bad, NULL), SMOE_SUCCESS);
}

/* Only softmax has a temperature: the full plan's gate is sigmoid. */
static void refuse_temperature(parts *p)
{
    smoe_forward_params bad = smoe_forward_defaults();

    bad.token_count = 1;
    bad.temperature = 0.5f;
    REFUSED(&p->record, "params.temperature: 0.5, must be 1 unless the gate is softmax",
            smoe_forward(p->gpu.commands, p->full_layer, p->full_binding, &bad, NULL));
    REFUSED(&p->record, "params.temperature", smoe_route(p->gpu.commands, p->full_layer, p->full_binding, &bad, NULL));
    bad.token_count = 0;
    assert_int_equal(smoe_forward(p->gpu.commands, p->layer, p->binding, &bad, NULL), SMOE_SUCCESS);
}

/* Balanced groups share the cap evenly. */
static void refuse_uneven_cap(parts *p)
{
    smoe_forward_params bad = smoe_forward_defaults();

    bad.token_count = 2;
    bad.max_active = 3;
    REFUSED(&p->record, "params.max_active",
            smoe_forward(p->gpu.commands, p->balanced_layer, p->balanced_binding, &bad, NULL));
    bad.max_active = 4;
    assert_true(smoe_forward_slice_count(p->balanced_layer, p->balanced_binding, &bad) > 0);
}

/* Given routing runs R experts, and has no scores to keep. */
static void refuse_of_given(parts *p)
{
    smoe_forward_params bad = smoe_forward_defaults();

    bad.token_count = 2;
    bad.max_active = 2;
    REFUSED(&p->record, "params.max_active",
            smoe_forward(p->gpu.commands, p->given_layer, p->given_binding, &bad, NULL));
    bad.max_active = 3;
    assert_true(smoe_forward_slice_count(p->given_layer, p->given_binding, &bad) > 0);
    bad.keep_scores = true;
    REFUSED(&p->record, "params.keep_scores",
            smoe_route(p->gpu.commands, p->given_layer, p->given_binding, &bad, NULL));
}

/* A forward of a plan that expects 3 of at most 4 experts, or k. */
static void refuse_expected(parts *p, const smoe_forward_params *good)
{
    const uint32_t values[] = {1, 4, UINT32_MAX};
    smoe_forward_params bad = *good;

    assert_int_equal(smoe_plan_get_desc(p->plan)->max_expected_active, 3);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        bad.expected_active = values[i];
        refuse_forward(p, &bad, "params.expected_active");
    }
    bad.expected_active = 3;
    bad.max_active = 2; /* the cap of the call */
    refuse_forward(p, &bad, "params.expected_active");
    bad.max_active = 3;
    bad.token_count = 0; /* records nothing */
    assert_int_equal(smoe_forward(p->gpu.commands, p->layer, p->binding, &bad, NULL), SMOE_SUCCESS);
}

static void refuse_params(parts *p)
{
    smoe_forward_params good = smoe_forward_defaults();

    good.token_count = 2;
#define REFUSE_VALUE(field, value)       \
    do {                                 \
        smoe_forward_params bad = good;  \
        bad.field = value;               \
        refuse_forward(p, &bad, #field); \
    } while (0)
#define REFUSE_NONFINITE(field)    \
    REFUSE_VALUE(field, NAN);      \
    REFUSE_VALUE(field, INFINITY); \
    REFUSE_VALUE(field, -INFINITY)
    REFUSE_VALUE(token_count, smoe_plan_get_desc(p->plan)->max_tokens + 1);
    REFUSE_VALUE(token_count, UINT32_MAX);
    REFUSE_VALUE(token_count, 1); /* below min_tokens */
    REFUSE_VALUE(eps, -1e-6f);
    REFUSE_VALUE(eps, 0.9e-30f);
    REFUSE_VALUE(eps, 1.1e30f);
    REFUSE_NONFINITE(eps);
    REFUSE_VALUE(a, 0);
    REFUSE_VALUE(a, -1);
    REFUSE_VALUE(a, 1024.5f);
    REFUSE_NONFINITE(a);
    REFUSE_VALUE(b, 0);
    REFUSE_VALUE(b, -1);
    REFUSE_VALUE(b, 1024.5f);
    REFUSE_NONFINITE(b);
    REFUSE_VALUE(max_active, 1);
    REFUSE_VALUE(max_active, 5);
    refuse_expected(p, &good);
    REFUSE_VALUE(temperature, 0);
    REFUSE_VALUE(temperature, -1);
    REFUSE_VALUE(temperature, 0.9e-30f);
    REFUSE_VALUE(temperature, 1.1e30f);
    REFUSE_NONFINITE(temperature);
    REFUSE_VALUE(tie_tolerance, -1);
    REFUSE_NONFINITE(tie_tolerance);
    REFUSE_NONFINITE(scale);
}

/* A step of a forward, its stage, and whether smoe_route needs it too. */
typedef struct need {
    smoe_step step;
    const char *stage;
    bool routes;
} need;

static void refuse_without(parts *p, smoe_plan *plan, const smoe_layer *layer, const smoe_binding *binding,
                           const need *missing)
{
    const uint32_t routing = smoe_shape_features(&plan->shape) | SMOE_HAS_TOTALS;
    smoe_forward_params params = smoe_forward_defaults();
    uint32_t regimes[SMOE_STEP_COUNT];
    params.token_count = 2;
    smoe_selection_regimes(&plan->selection, &plan->shape.desc, params.token_count, 0, regimes);
    VkPipeline *pipeline = &plan->pipelines[missing->step][regimes[missing->step]];
    const VkPipeline kept = *pipeline;

    assert_true(kept != VK_NULL_HANDLE);
    *pipeline = VK_NULL_HANDLE;
    REFUSED(&p->record, missing->stage, smoe_forward(p->gpu.commands, layer, binding, &params, NULL));
    if (missing->routes)
        REFUSED(&p->record, missing->stage, smoe_route(p->gpu.commands, layer, binding, &params, NULL));
    else
        assert_int_equal(smoe_plan_check_pipelines(plan, regimes, params.token_count, routing), SMOE_SUCCESS);
    *pipeline = kept;
    assert_int_equal(smoe_plan_check_pipelines(plan, regimes, params.token_count, routing | SMOE_HAS_EXPERTS),
                     SMOE_SUCCESS);
}

/* Plans that lack a pipeline, as no plan should: each one that a forward binds is asked for before anything is
 * recorded. */
static void refuse_missing(parts *p)
{
    static const need of_full[] = {
        {SMOE_STEP_ROUTE_PROJECT, "route_project", true},
        {SMOE_STEP_ROUTE_LOGITS_COSINE, "route_logits", true},
        {SMOE_STEP_SHARED_GATE, "route_logits", false},
        {SMOE_STEP_ROUTE_GROUP, "route_group", true},
        {SMOE_STEP_ROUTE_SELECT, "route_select", true},
        {SMOE_STEP_TOTALS, "totals", true},
        {SMOE_STEP_SORT, "sort", false},
        {SMOE_STEP_LATENT_DOWN, "latent_down", false},
        {SMOE_STEP_SHARED_UP, "expert_up", false},
        {SMOE_STEP_EXPERT_UP, "expert_up", false},
        {SMOE_STEP_SHARED_DOWN, "expert_down", false},
        {SMOE_STEP_EXPERT_DOWN, "expert_down", false},
        {SMOE_STEP_LATENT_SUM, "latent_sum", false},
        {SMOE_STEP_LATENT_UP, "latent_up", false},
        {SMOE_STEP_COMBINE, "combine", false},
    };
    static const need of_plain[] = {
        {SMOE_STEP_ROUTE_LOGITS, "route_logits", true},
        {SMOE_STEP_ROUTE_SELECT, "route_select", true},
        {SMOE_STEP_TOTALS, "totals", true},
        {SMOE_STEP_SORT, "sort", false},
        {SMOE_STEP_EXPERT_UP, "expert_up", false},
        {SMOE_STEP_EXPERT_DOWN, "expert_down", false},
        {SMOE_STEP_COMBINE, "combine", false},
    };
    static const need of_balanced = {SMOE_STEP_ROUTE_GROUP_BALANCED, "route_group", true};
    bool refused[SMOE_STEP_COUNT] = {0};
    for (size_t i = 0; i < sizeof of_full / sizeof of_full[0]; i++) {
        refuse_without(p, p->full, p->full_layer, p->full_binding, &of_full[i]);
        refused[of_full[i].step] = true;
    }
    for (size_t i = 0; i < sizeof of_plain / sizeof of_plain[0]; i++) {
        refuse_without(p, p->plan, p->layer, p->binding, &of_plain[i]);
        refused[of_plain[i].step] = true;
    }
    static const need of_given = {SMOE_STEP_ROUTE_GIVEN, "route_select", true};
    refuse_without(p, p->given, p->given_layer, p->given_binding, &of_given);
    refused[of_given.step] = true;
    refuse_without(p, p->balanced, p->balanced_layer, p->balanced_binding, &of_balanced);
    refused[of_balanced.step] = true;
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
        if (!refused[step])
            fail_msg("no plan was left without the pipeline of step %d, of %s", (int)step,
                     smoe_stage_name(smoe_step_get(step)->stage));
}

static void test_forward(void **state)
{
    const test_device *device = *state;
    static parts p;
    const smoe_timestamps no_pool = {0};
    smoe_forward_params params = smoe_forward_defaults();
    smoe_layer_desc ungated_desc;
    smoe_layer *other;

    parts_create(&p, device->device);
    ungated_desc = p.layer_desc;
    ungated_desc.w3 = (smoe_weight){0};
    ungated_desc.b3 = (smoe_buffer){0};
    assert_int_equal(smoe_layer_create(p.ungated, &ungated_desc, &other), SMOE_SUCCESS);
    assert_true(test_gpu_begin(&p.gpu));
    const VkCommandBuffer commands = p.gpu.commands;
    refuse_params(&p);
    refuse_group_eps(&p);
    refuse_temperature(&p);
    refuse_uneven_cap(&p);
    refuse_of_given(&p);
    refuse_missing(&p);
    params.token_count = 1;
    REFUSED(&p.record, "command_buffer", smoe_forward(NULL, p.layer, p.binding, &params, NULL));
    REFUSED(&p.record, "layer", smoe_forward(commands, NULL, p.binding, &params, NULL));
    REFUSED(&p.record, NULL, smoe_forward(commands, NULL, NULL, NULL, NULL));
    REFUSED(&p.record, "binding", smoe_forward(commands, p.layer, NULL, &params, NULL));
    REFUSED(&p.record, "params", smoe_forward(commands, p.layer, p.binding, NULL, NULL));
    REFUSED(&p.record, "plan", smoe_forward(commands, other, p.binding, &params, NULL));
    REFUSED(&p.record, "timestamps", smoe_forward(commands, p.layer, p.binding, &params, &no_pool));
    REFUSED(&p.record, "command_buffer", smoe_route(NULL, p.layer, p.binding, &params, NULL));
    REFUSED(&p.record, "layer", smoe_route(commands, NULL, p.binding, &params, NULL));
    REFUSED(&p.record, NULL, smoe_route(commands, NULL, NULL, NULL, NULL));
    REFUSED(&p.record, "binding", smoe_route(commands, p.layer, NULL, &params, NULL));
    REFUSED(&p.record, "params", smoe_route(commands, p.layer, p.binding, NULL, NULL));
    REFUSED(&p.record, "plan", smoe_route(commands, p.layer, p.full_binding, &params, NULL));
    REFUSED(&p.record, "timestamps", smoe_route(commands, p.layer, p.binding, &params, &no_pool));
    params.token_count = 0;
    assert_int_equal(smoe_forward(commands, p.layer, p.binding, &params, NULL), SMOE_SUCCESS);
    assert_int_equal(smoe_route(commands, p.layer, p.binding, &params, NULL), SMOE_SUCCESS);
    assert_true(test_gpu_submit(&p.gpu));
    /* Nothing was recorded: y and the workspace are as they were. */
    for (VkDeviceSize i = 0; i < p.memory.part.size; i++)
        assert_int_equal(p.memory.data[i], 0xff);
    smoe_layer_destroy(other);
    parts_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_layer, test_device_check),
        cmocka_unit_test_teardown(test_binding, test_device_check),
        cmocka_unit_test_teardown(test_forward, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("arguments_forward", tests, test_device_setup, test_device_teardown);
}
