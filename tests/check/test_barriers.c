/* Which barriers a forward records. Synchronization validation of this age sees a missing one only where the reader's block is
 * readonly, so the commands themselves are looked at: the context is given a loader that hands out recording functions. */
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
    seen_command commands[64];
} seen;

static seen_command *see(command_kind kind)
{
    assert_true(seen.count < sizeof seen.commands / sizeof seen.commands[0]);
    seen_command *command = &seen.commands[seen.count++];
    memset(command, 0, sizeof *command);
    command->kind = kind;
    return command;
}

static VKAPI_ATTR void VKAPI_CALL see_barrier(VkCommandBuffer commands, VkPipelineStageFlags from, VkPipelineStageFlags to,
                                              VkDependencyFlags flags, uint32_t memory_count, const VkMemoryBarrier *memory,
                                              uint32_t buffer_count, const VkBufferMemoryBarrier *buffers, uint32_t image_count,
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

/* A barrier, and behind it the one command of a stage. */
static void expect_stage(uint32_t *at, command_kind kind)
{
    assert_true(*at + 1 < seen.count);
    assert_true(kind == COMMAND_INDIRECT ? is_before_indirect(&seen.commands[*at]) : is_between_shaders(&seen.commands[*at]));
    assert_int_equal(seen.commands[*at + 1].kind, kind);
    *at += 2;
}

static void expect_forward(uint32_t passes)
{
    const command_kind stages[SMOE_STAGE_COUNT] = {COMMAND_DISPATCH, COMMAND_DISPATCH, COMMAND_DISPATCH,
                                                   COMMAND_INDIRECT, COMMAND_INDIRECT, COMMAND_DISPATCH};
    uint32_t at = 0;

    for (uint32_t pass = 0; pass < passes; pass++)
        for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++)
            expect_stage(&at, stages[stage]);
    assert_int_equal(at + 1, seen.count);
    assert_true(is_between_shaders(&seen.commands[at])); /* for whoever reads y */
}

static void test_barriers(void **state)
{
    const test_device *device = *state;
    const smoe_plan_desc desc = {.d_model = 1, .d_hidden = 1, .expert_count = 2, .top_k = 1, .max_tokens = 40000, .renormalize = true};
    const uint32_t tokens[] = {1, 1000, 40000}; /* the last needs two passes */
    test_record record;
    smoe_context *context;
    smoe_plan *plan;
    smoe_layer *layer;
    smoe_binding *binding;
    test_buffer small, x, y, workspace;
    test_gpu gpu;

    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_context_desc context_desc = plain_context_desc(device->device, &log);
    seen.get_instance_proc_addr = context_desc.get_instance_proc_addr;
    context_desc.get_instance_proc_addr = get_instance_function;
    assert_int_equal(smoe_context_create(&context_desc, &context), SMOE_SUCCESS);
    assert_int_equal(smoe_plan_create(context, &desc, &plan), SMOE_SUCCESS);
    assert_true(test_gpu_open(&gpu, device->device));
    assert_true(test_buffer_create(&gpu, 64, NULL, &small) && test_buffer_create(&gpu, 40000 * 4, NULL, &x) &&
                test_buffer_create(&gpu, 40000 * 4, NULL, &y) &&
                test_buffer_create(&gpu, smoe_plan_workspace_size(plan), NULL, &workspace));
    const smoe_layer_desc layer_desc = {.router_weight = small.part, .w1 = small.part, .w2 = small.part};
    const smoe_binding_desc binding_desc = {.x = x.part, .y = y.part, .workspace = workspace.part};
    assert_int_equal(smoe_layer_create(plan, &layer_desc, &layer), SMOE_SUCCESS);
    assert_int_equal(smoe_binding_create(plan, &binding_desc, &binding), SMOE_SUCCESS);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        smoe_forward_params params = smoe_forward_defaults();
        params.token_count = tokens[i];
        assert_true(test_gpu_begin(&gpu));
        seen.count = 0;
        assert_int_equal(smoe_forward(gpu.commands, layer, binding, &params, NULL), SMOE_SUCCESS);
        expect_forward(tokens[i] > 32768 ? 2 : 1);
        assert_true(test_gpu_submit(&gpu));
    }
    smoe_binding_destroy(binding);
    smoe_layer_destroy(layer);
    test_buffer_destroy(&gpu, &small);
    test_buffer_destroy(&gpu, &x);
    test_buffer_destroy(&gpu, &y);
    test_buffer_destroy(&gpu, &workspace);
    test_gpu_close(&gpu);
    smoe_plan_destroy(plan);
    smoe_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_barriers, test_device_check),
        cmocka_unit_test(test_device_closes),
    };

    return cmocka_run_group_tests_name("barriers", tests, test_device_setup, test_device_teardown);
}
