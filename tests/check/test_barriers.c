/* Which barriers a forward records. Synchronization validation of this age sees a missing one only where the reader's
 * block is readonly, so the commands themselves are looked at: the context is given a loader that hands out recording
 * functions. */
#include <string.h>

#include "common/cmocka_all.h"
#include "common/gpu.h"
#include "refusal.h"

typedef enum command_kind { COMMAND_BARRIER, COMMAND_DISPATCH, COMMAND_INDIRECT } command_kind;

typedef struct seen_command {
    command_kind kind;
    VkPipelineStageFlags from, to;
    VkAccessFlags written, used;
} seen_command;

/* What the wrapped functions see; one context at a time. */
static struct {
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    PFN_vkGetDeviceProcAddr get_device_proc_addr;
    PFN_vkCmdPipelineBarrier barrier;
    PFN_vkCmdDispatch dispatch;
    PFN_vkCmdDispatchIndirect dispatch_indirect;
    uint32_t count;
    seen_command commands[64]; /* of one forward */
} seen;

static seen_command *see(command_kind kind)
{
    assert_true(seen.count < sizeof seen.commands / sizeof seen.commands[0]);
    seen_command *command = &seen.commands[seen.count++];
    memset(command, 0, sizeof *command);
    command->kind = kind;
    return command;
}

static VKAPI_ATTR void VKAPI_CALL see_barrier(VkCommandBuffer commands, VkPipelineStageFlags from,
                                              VkPipelineStageFlags to, VkDependencyFlags flags, uint32_t memory_count,
                                              const VkMemoryBarrier *memory, uint32_t buffer_count,
                                              const VkBufferMemoryBarrier *buffers, uint32_t image_count,
                                              const VkImageMemoryBarrier *images)
{
    seen_command *command = see(COMMAND_BARRIER);

    command->from = from;
    command->to = to;
    for (uint32_t i = 0; i < memory_count; i++) {
        command->written |= memory[i].srcAccessMask;
        command->used |= memory[i].dstAccessMask;
    }
    seen.barrier(commands, from, to, flags, memory_count, memory, buffer_count, buffers, image_count, images);
}

static VKAPI_ATTR void VKAPI_CALL see_dispatch(VkCommandBuffer commands, uint32_t x, uint32_t y, uint32_t z)
{
    see(COMMAND_DISPATCH);
    seen.dispatch(commands, x, y, z);
}

static VKAPI_ATTR void VKAPI_CALL see_indirect(VkCommandBuffer commands, VkBuffer buffer, VkDeviceSize offset)
{
    see(COMMAND_INDIRECT);
    seen.dispatch_indirect(commands, buffer, offset);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_function(VkDevice device, const char *name)
{
    const PFN_vkVoidFunction function = seen.get_device_proc_addr(device, name);

    if (strcmp(name, "vkCmdPipelineBarrier") == 0) {
        seen.barrier = (PFN_vkCmdPipelineBarrier)function;
        return (PFN_vkVoidFunction)see_barrier;
    }
    if (strcmp(name, "vkCmdDispatch") == 0) {
        seen.dispatch = (PFN_vkCmdDispatch)function;
        return (PFN_vkVoidFunction)see_dispatch;
    }
    if (strcmp(name, "vkCmdDispatchIndirect") == 0) {
        seen.dispatch_indirect = (PFN_vkCmdDispatchIndirect)function;
        return (PFN_vkVoidFunction)see_indirect;
    }
    return function;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance_function(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction function = seen.get_instance_proc_addr(instance, name);

    if (strcmp(name, "vkGetDeviceProcAddr") != 0)
        return function;
    seen.get_device_proc_addr = (PFN_vkGetDeviceProcAddr)function;
    return (PFN_vkVoidFunction)get_device_function;
}

static bool is_between_shaders(const seen_command *command)
{
    const VkAccessFlags access = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;

    return command->kind == COMMAND_BARRIER && command->from & VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT &&
           command->to & VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT && command->written & VK_ACCESS_SHADER_WRITE_BIT &&
           (command->used & access) == access;
}

static bool is_before_indirect(const seen_command *command)
{
    return is_between_shaders(command) && command->to & VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT &&
           command->used & VK_ACCESS_INDIRECT_COMMAND_READ_BIT;
}

/* A barrier, and behind it the commands of a stage, which nothing orders: those of the shared expert, or of its gate,
 * are independent of what stands beside them. */
static void expect_stage(uint32_t *at, const command_kind *kinds, uint32_t count)
{
    bool indirect = false;

    for (uint32_t i = 0; i < count; i++)
        indirect = indirect || kinds[i] == COMMAND_INDIRECT;
    assert_true(*at + count < seen.count);
    assert_true(indirect ? is_before_indirect(&seen.commands[*at]) : is_between_shaders(&seen.commands[*at]));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(seen.commands[*at + 1 + i].kind, kinds[i]);
    *at += count + 1;
}

/* What the plan and its binding have. */
typedef struct parts {
    bool cosine, groups, given, shared, shared_gate, latent, totals, routing_alone;
} parts;

static void expect_pass(uint32_t *at, const parts *has)
{
    const command_kind dispatches[] = {COMMAND_DISPATCH, COMMAND_DISPATCH},
                       experts[] = {COMMAND_DISPATCH, COMMAND_INDIRECT};

    if (has->cosine)
        expect_stage(at, dispatches, 1);
    expect_stage(at, dispatches, has->shared_gate && !has->routing_alone ? 2 : 1);
    if (has->groups)
        expect_stage(at, dispatches, 1);
    expect_stage(at, dispatches, 1);
    if (has->given) /* reads what route_select has written */
        expect_stage(at, dispatches, 1);
    if (has->totals)
        expect_stage(at, dispatches, 1);
    if (has->routing_alone)
        return;
    for (int i = 0; i < (has->latent ? 2 : 1); i++) /* sort, latent_down */
        expect_stage(at, dispatches, 1);
    expect_stage(at, experts + !has->shared, has->shared ? 2 : 1);
    expect_stage(at, experts + !has->shared, has->shared ? 2 : 1);
    for (int i = 0; i < (has->latent ? 3 : 1); i++) /* latent_sum, latent_up, combine */
        expect_stage(at, dispatches, 1);
}

static void expect_forward(uint32_t passes, const parts *has)
{
    uint32_t at = 0;

    for (uint32_t pass = 0; pass < passes; pass++)
        expect_pass(&at, has);
    assert_int_equal(at + 1, seen.count);
    assert_true(is_between_shaders(&seen.commands[at])); /* for whoever reads y */
}

/* Records forwards of one plan, and of only the routing, with totals and without. Nothing is run: only the commands
 * matter here. */
static void record_plan(smoe_context *context, test_gpu *gpu, const smoe_plan_desc *desc, const uint32_t *tokens,
                        size_t count)
{
    const bool cosine = desc->router == SMOE_ROUTER_COSINE;
    smoe_plan *plan;
    smoe_layer *layer;
    test_buffer small, x, y, workspace, totals, ids;

    assert_int_equal(smoe_plan_create(context, desc, &plan), SMOE_SUCCESS);
    assert_true(test_buffer_create(gpu, 64, NULL, &small) && test_buffer_create(gpu, 40000 * 4, NULL, &x) &&
                test_buffer_create(gpu, 40000 * 4, NULL, &y) &&
                test_buffer_create(gpu, smoe_plan_totals_size(plan), NULL, &totals) &&
                test_buffer_create(gpu, 40000 * 4, NULL, &ids) &&
                test_buffer_create(gpu, smoe_plan_workspace_size(plan), NULL, &workspace));
    const smoe_buffer none = {.buffer = VK_NULL_HANDLE};
    const smoe_layer_desc layer_desc = {
        .router_weight = cosine ? none : small.part,
        .router_projection = cosine ? small.part : none,
        .router_similarity = cosine ? small.part : none,
        .router_log_scale = cosine ? small.part : none,
        .latent_down.buffer = desc->d_latent ? small.part : none,
        .latent_up.buffer = desc->d_latent ? small.part : none,
        .w1.buffer = small.part,
        .w2.buffer = small.part,
        .shared_w1.buffer = desc->shared_hidden ? small.part : none,
        .shared_w2.buffer = desc->shared_hidden ? small.part : none,
        .shared_gate = desc->shared_gate ? small.part : none,
    };
    assert_int_equal(smoe_layer_create(plan, &layer_desc, &layer), SMOE_SUCCESS);
    for (uint32_t i = 0; i < 4 * count; i++) {
        const parts has = {cosine,
                           desc->group_count > 1 || desc->balanced_groups > 1,
                           desc->given_count > 0,
                           desc->shared_hidden > 0,
                           desc->shared_gate,
                           desc->d_latent > 0,
                           i % 2,
                           i / 2 % 2};
        const smoe_binding_desc binding_desc = {.x = x.part,
                                                .y = y.part,
                                                .workspace = workspace.part,
                                                .totals = has.totals ? totals.part : none,
                                                .given_ids = has.given ? ids.part : none,
                                                .given_weights = desc->given_weights ? ids.part : none};
        smoe_forward_params params = smoe_forward_defaults();
        smoe_binding *binding;
        assert_int_equal(smoe_binding_create(plan, &binding_desc, &binding), SMOE_SUCCESS);
        params.token_count = tokens[i / 4];
        assert_true(test_gpu_begin(gpu));
        seen.count = 0;
        assert_int_equal((has.routing_alone ? smoe_route : smoe_forward)(gpu->commands, layer, binding, &params, NULL),
                         SMOE_SUCCESS);
        assert_true(test_gpu_end(gpu));
        expect_forward(params.token_count > 32768 ? 2 : 1, &has);
        smoe_binding_destroy(binding);
    }
    smoe_layer_destroy(layer);
    test_buffer_destroy(gpu, &small);
    test_buffer_destroy(gpu, &x);
    test_buffer_destroy(gpu, &y);
    test_buffer_destroy(gpu, &workspace);
    test_buffer_destroy(gpu, &totals);
    test_buffer_destroy(gpu, &ids);
    smoe_plan_destroy(plan);
}

static void test_barriers(void **state)
{
    const test_device *device = *state;
    const uint32_t tokens[] = {1, 1000, 40000}; /* the last needs two passes */
    const smoe_plan_desc plain = {
        .d_model = 1, .d_hidden = 1, .expert_count = 2, .top_k = 1, .max_tokens = 40000, .renormalize = true};
    smoe_plan_desc shared = plain, balanced = plain, all = plain, given = plain;
    test_record record;
    smoe_context *context;
    test_gpu gpu;

    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_context_desc context_desc = plain_context_desc(device->device, &log);
    seen.get_instance_proc_addr = context_desc.get_instance_proc_addr;
    context_desc.get_instance_proc_addr = get_instance_function;
    assert_int_equal(smoe_context_create(&context_desc, &context), SMOE_SUCCESS);
    assert_true(test_gpu_open(&gpu, device->device));
    shared.shared_hidden = 1;
    all.router = SMOE_ROUTER_COSINE;
    all.projection_width = 1;
    all.group_count = 2;
    all.top_groups = 1;
    all.shared_hidden = 1;
    all.shared_gate = true;
    all.d_latent = 1;
    record_plan(context, &gpu, &plain, tokens, 3);
    record_plan(context, &gpu, &shared, tokens, 1);
    record_plan(context, &gpu, &all, tokens, 3);
    balanced.top_k = balanced.balanced_groups = 2;
    record_plan(context, &gpu, &balanced, tokens, 3);
    given.given_count = given.zero_experts = 1;
    record_plan(context, &gpu, &given, tokens, 3);
    test_gpu_close(&gpu);
    smoe_context_destroy(context);
    assert_int_equal(test_record_problem_count(&record), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_barriers, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("barriers", tests, test_device_setup, test_device_teardown);
}
