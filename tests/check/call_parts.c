#include "call_parts.h"

#include "common/cmocka_all.h"

static smoe_buffer part_of(const test_buffer *memory, VkDeviceSize *used, VkDeviceSize size)
{
    const smoe_buffer part = {memory->part.buffer, *used, size};

    *used += (size + 255) / 256 * 256;
    return part;
}

enum { PROJECTION = 5, SHARED_HIDDEN = 7, LATENT = 3 };

static smoe_plan_desc full_plan_desc(void)
{
    smoe_plan_desc desc = plain_plan_desc();

    desc.router = SMOE_ROUTER_COSINE;
    desc.projection_width = PROJECTION;
    desc.gate = SMOE_GATE_SIGMOID;
    desc.group_count = 3;
    desc.top_groups = 2;
    desc.shared_hidden = SHARED_HIDDEN;
    desc.shared_gate = true;
    desc.expert_scale = true;
    desc.d_latent = LATENT;
    return desc;
}

/* The plain layer's buffers, and a workspace of its own. */
static void balanced_parts_create(parts *p, VkDeviceSize *used)
{
    smoe_binding_desc binding = p->binding_desc;

    binding.workspace = part_of(&p->memory, used, smoe_plan_workspace_size(p->balanced));
    assert_int_equal(smoe_layer_create(p->balanced, &p->layer_desc, &p->balanced_layer), SMOE_SUCCESS);
    assert_int_equal(smoe_binding_create(p->balanced, &binding, &p->balanced_binding), SMOE_SUCCESS);
}

/* Likewise, with ids and weights. */
static void given_parts_create(parts *p, VkDeviceSize *used)
{
    const smoe_plan_desc *desc = smoe_plan_get_desc(p->given);
    const VkDeviceSize size = (VkDeviceSize)desc->max_tokens * desc->given_count * 4;

    p->given_binding_desc = p->binding_desc;
    p->given_binding_desc.workspace = part_of(&p->memory, used, smoe_plan_workspace_size(p->given));
    p->given_binding_desc.given_ids = part_of(&p->memory, used, size);
    p->given_binding_desc.given_weights = part_of(&p->memory, used, size);
    assert_int_equal(smoe_layer_create(p->given, &p->layer_desc, &p->given_layer), SMOE_SUCCESS);
    assert_int_equal(smoe_binding_create(p->given, &p->given_binding_desc, &p->given_binding), SMOE_SUCCESS);
}

/* The layer and the binding of the full plan: its own buffers, and those that it shares with the plain one. */
static void full_parts_create(parts *p, VkDeviceSize *used)
{
    const smoe_plan_desc desc = full_plan_desc();
    const VkDeviceSize D = desc.d_model, H = desc.d_hidden, E = desc.expert_count, P = PROJECTION, S = SHARED_HIDDEN;
    smoe_layer_desc *layer = &p->full_layer_desc;

    *layer = p->layer_desc;
    layer->router_weight = layer->router_bias = (smoe_buffer){0};
    layer->router_projection = part_of(&p->memory, used, P * D * 4);
    layer->router_projection_bias = part_of(&p->memory, used, P * 4);
    layer->router_similarity = part_of(&p->memory, used, P * E * 4);
    layer->router_log_scale = part_of(&p->memory, used, 4);
    layer->selection_bias = part_of(&p->memory, used, E * 4);
    layer->expert_scale = part_of(&p->memory, used, E * 4);
    layer->latent_down.buffer = part_of(&p->memory, used, LATENT * D * 4);
    layer->latent_down_bias = part_of(&p->memory, used, LATENT * 4);
    layer->latent_up.buffer = part_of(&p->memory, used, D * LATENT * 4);
    layer->latent_up_bias = part_of(&p->memory, used, D * 4);
    layer->w1.buffer = part_of(&p->memory, used, E * H * LATENT * 4);
    layer->w3.buffer = part_of(&p->memory, used, E * H * LATENT * 4);
    layer->w2.buffer = part_of(&p->memory, used, E * LATENT * H * 4);
    layer->b2 = part_of(&p->memory, used, E * LATENT * 4);
    layer->shared_w1.buffer = part_of(&p->memory, used, S * D * 4);
    layer->shared_b1 = part_of(&p->memory, used, S * 4);
    layer->shared_w3.buffer = part_of(&p->memory, used, S * D * 4);
    layer->shared_b3 = part_of(&p->memory, used, S * 4);
    layer->shared_w2.buffer = part_of(&p->memory, used, D * S * 4);
    layer->shared_b2 = part_of(&p->memory, used, D * 4);
    layer->shared_gate = part_of(&p->memory, used, D * 4);
    p->full_binding_desc = p->binding_desc;
    p->full_binding_desc.workspace = part_of(&p->memory, used, smoe_plan_workspace_size(p->full));
    assert_int_equal(smoe_layer_create(p->full, layer, &p->full_layer), SMOE_SUCCESS);
    assert_int_equal(smoe_binding_create(p->full, &p->full_binding_desc, &p->full_binding), SMOE_SUCCESS);
}

void parts_create(parts *p, const smoe_device *device)
{
    smoe_plan_desc desc = plain_plan_desc();
    desc.min_tokens = 2;
    desc.max_expected_active = 3;
    const VkDeviceSize T = desc.max_tokens, D = desc.d_model, H = desc.d_hidden, E = desc.expert_count;
    smoe_plan_desc ungated = desc, balanced = desc, given = desc;
    VkDeviceSize used = 0;

    test_record_init(&p->record);
    p->log = test_record_log(&p->record);
    const smoe_context_desc context = plain_context_desc(device, &p->log);
    assert_int_equal(smoe_context_create(&context, &p->context), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_create(p->context, &desc, &p->plan), SMOE_SUCCESS);
    ungated.gated = false;
    assert_int_equal(smoe_plan_create(p->context, &ungated, &p->ungated), SMOE_SUCCESS);
    balanced.balanced_groups = 2;
    assert_int_equal(smoe_plan_create(p->context, &balanced, &p->balanced), SMOE_SUCCESS);
    given.given_count = 3;
    given.given_weights = true;
    given.zero_experts = 2;
    assert_int_equal(smoe_plan_create(p->context, &given, &p->given), SMOE_SUCCESS);
    const smoe_plan_desc full = full_plan_desc();
    assert_int_equal(smoe_plan_create(p->context, &full, &p->full), SMOE_SUCCESS);
    assert_true(test_gpu_open(&p->gpu, device));
    const VkDeviceSize workspace = smoe_plan_workspace_size(p->plan),
                       report = smoe_plan_report_size(p->plan, desc.max_tokens);
    assert_true(test_buffer_create(&p->gpu, 3 * workspace + smoe_plan_workspace_size(p->full) + report + 65536, NULL,
                                   &p->memory));
    p->layer_desc.router_weight = part_of(&p->memory, &used, E * D * 4);
    p->layer_desc.router_bias = part_of(&p->memory, &used, E * 4);
    p->layer_desc.w1.buffer = part_of(&p->memory, &used, E * H * D * 4);
    p->layer_desc.b1 = part_of(&p->memory, &used, E * H * 4);
    p->layer_desc.w3.buffer = part_of(&p->memory, &used, E * H * D * 4);
    p->layer_desc.b3 = part_of(&p->memory, &used, E * H * 4);
    p->layer_desc.w2.buffer = part_of(&p->memory, &used, E * D * H * 4);
    p->layer_desc.b2 = part_of(&p->memory, &used, E * D * 4);
    p->binding_desc.x = part_of(&p->memory, &used, T * D * 4);
    p->binding_desc.y = part_of(&p->memory, &used, T * D * 4);
    p->binding_desc.workspace = part_of(&p->memory, &used, workspace);
    p->binding_desc.report = part_of(&p->memory, &used, report);
    p->binding_desc.totals = part_of(&p->memory, &used, smoe_plan_totals_size(p->plan));
    assert_int_equal(smoe_layer_create(p->plan, &p->layer_desc, &p->layer), SMOE_SUCCESS);
    assert_int_equal(smoe_binding_create(p->plan, &p->binding_desc, &p->binding), SMOE_SUCCESS);
    full_parts_create(p, &used);
    balanced_parts_create(p, &used);
    given_parts_create(p, &used);
    assert_true(used <= p->memory.part.size);
}

void parts_destroy(parts *p)
{
    smoe_binding_destroy(p->given_binding);
    smoe_layer_destroy(p->given_layer);
    smoe_plan_destroy(p->given);
    smoe_binding_destroy(p->balanced_binding);
    smoe_layer_destroy(p->balanced_layer);
    smoe_plan_destroy(p->balanced);
    smoe_binding_destroy(p->full_binding);
    smoe_binding_destroy(p->binding);
    smoe_layer_destroy(p->full_layer);
    smoe_layer_destroy(p->layer);
    test_buffer_destroy(&p->gpu, &p->memory);
    test_gpu_close(&p->gpu);
    smoe_plan_destroy(p->full);
    smoe_plan_destroy(p->ungated);
    smoe_plan_destroy(p->plan);
    smoe_context_destroy(p->context);
}
