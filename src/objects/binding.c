#include "binding.h"

#include "base/arithmetic.h"
#include "descriptors.h"

#define IO_BUFFERS 3u

static VkDescriptorBufferInfo part(const smoe_buffer *buffer, uint64_t offset, uint64_t size)
{
    return (VkDescriptorBufferInfo){buffer->buffer, buffer->offset + offset, size};
}

static VkDescriptorBufferInfo between(const smoe_buffer *buffer, uint64_t begin, uint64_t end)
{
    return part(buffer, begin, end - begin);
}

/* A set that the layer has no use for is VK_NULL_HANDLE. */
static void write_set(const smoe_binding *binding, VkDescriptorSet set, VkDescriptorBufferInfo input,
                      VkDescriptorBufferInfo control, VkDescriptorBufferInfo output)
{
    const VkDescriptorBufferInfo buffers[IO_BUFFERS] = {input, control, output};
    if (set)
        smoe_descriptors_write(binding->plan->context, set, buffers, IO_BUFFERS);
}

static void write_sets(smoe_binding *binding, const smoe_binding_desc *desc)
{
    const smoe_plan *plan = binding->plan;
    const smoe_shape *shape = &plan->shape;
    const uint64_t token_size = 4ull * shape->desc.d_model;
    const VkDescriptorBufferInfo all_control = part(&desc->workspace, 0, shape->control_size);
    const VkDescriptorBufferInfo control = between(&desc->workspace, 0, shape->shared_gate_offset);
    const VkDescriptorBufferInfo shared_gate =
        between(&desc->workspace, shape->shared_gate_offset, shape->control_size);
    const VkDescriptorBufferInfo hidden = between(&desc->workspace, shape->hidden_offset, shape->shared_hidden_offset);
    const VkDescriptorBufferInfo shared_hidden =
        between(&desc->workspace, shape->shared_hidden_offset, shape->hidden_offset + shape->hidden_size);
    const VkDescriptorBufferInfo all_rows = part(&desc->workspace, shape->rows_offset, shape->rows_size);
    const VkDescriptorBufferInfo rows = between(&desc->workspace, shape->rows_offset, shape->shared_rows_offset);
    const VkDescriptorBufferInfo shared_rows =
        between(&desc->workspace, shape->shared_rows_offset, shape->rows_offset + shape->rows_size);
    write_set(binding, binding->hidden_rows, hidden, control, rows);
    write_set(binding, binding->shared_rows, shared_hidden, control, shared_rows);
    write_set(binding, binding->totals, hidden, control, part(&desc->totals, 0, smoe_plan_totals_size(plan)));
    for (uint32_t pass = 0; pass < binding->pass_count; pass++) {
        const uint32_t first = pass * shape->pass_tokens;
        const uint32_t count = smoe_shape_pass_token_count(shape, binding->max_tokens, pass);
        const VkDescriptorBufferInfo x = part(&desc->x, first * token_size, count * token_size);
        const VkDescriptorBufferInfo y = part(&desc->y, first * token_size, count * token_size);
        const VkDescriptorBufferInfo report =
            binding->has_report
                ? part(&desc->report, smoe_plan_report_size(plan, first), smoe_plan_report_size(plan, count))
                : hidden;
        write_set(binding, binding->passes[pass].x_hidden, x, control, hidden);
        write_set(binding, binding->passes[pass].x_report, x, control, report);
        write_set(binding, binding->passes[pass].rows_y, all_rows, all_control, y);
        write_set(binding, binding->passes[pass].x_shared_gate, x, shared_gate, hidden);
        write_set(binding, binding->passes[pass].x_shared_expert, x, control, shared_hidden);
    }
}

static smoe_result create_sets(smoe_binding *binding)
{
    const smoe_context *context = binding->plan->context;
    const smoe_plan_desc *desc = &binding->plan->shape.desc;
    const uint32_t shared = desc->shared_hidden > 0, shared_gate = desc->shared_gate, totals = binding->has_totals;
    const uint32_t set_count = 1 + shared + totals + (3 + shared + shared_gate) * binding->pass_count;
    VkDescriptorSet *sets = smoe_host_alloc(&context->host, set_count, sizeof *sets);
    binding->passes = smoe_host_alloc(&context->host, binding->pass_count, sizeof *binding->passes);
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (!sets || !binding->passes)
        smoe_fail(&context->host, result, "binding: no host memory");
    else
        result = smoe_descriptors_create(context, context->io_layout, IO_BUFFERS, set_count, &binding->pool, sets);
    if (result == SMOE_SUCCESS) {
        const VkDescriptorSet *next = sets;
        binding->hidden_rows = *next++;
        binding->shared_rows = shared ? *next++ : VK_NULL_HANDLE;
        binding->totals = totals ? *next++ : VK_NULL_HANDLE;
        for (uint32_t pass = 0; pass < binding->pass_count; pass++) {
            smoe_binding_pass *own = &binding->passes[pass];
            own->x_hidden = *next++;
            own->x_report = *next++;
            own->rows_y = *next++;
            own->x_shared_gate = shared_gate ? *next++ : VK_NULL_HANDLE;
            own->x_shared_expert = shared ? *next++ : VK_NULL_HANDLE;
        }
    }
    smoe_host_free(&context->host, sets);
    return result;
}

static bool overlap(const smoe_buffer *a, const smoe_buffer *b)
{
    return a->buffer == b->buffer && a->buffer != VK_NULL_HANDLE && a->offset < b->offset + b->size &&
           b->offset < a->offset + a->size;
}

static smoe_result check_overlap(const smoe_context *context, const smoe_binding_desc *desc)
{
    enum { PARTS = 5 };
    const smoe_buffer *const parts[PARTS] = {&desc->x, &desc->y, &desc->workspace, &desc->report, &desc->totals};
    const char *const names[PARTS] = {"x", "y", "workspace", "report", "totals"};
    for (uint32_t i = 0; i < PARTS; i++)
        for (uint32_t j = i + 1; j < PARTS; j++)
            if (overlap(parts[i], parts[j]))
                return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT,
                                 "binding desc.%s: must not overlap desc.%s", names[i], names[j]);
    return SMOE_SUCCESS;
}

static smoe_result check_desc(const smoe_plan *plan, const smoe_binding_desc *desc, uint32_t *token_count)
{
    const smoe_context *context = plan->context;
    const uint64_t token_size = 4ull * plan->shape.desc.d_model;
    smoe_result result =
        smoe_buffer_check(context, "binding desc.x", &desc->x, true, plan->shape.desc.min_tokens * token_size);
    if (result != SMOE_SUCCESS)
        return result;
    const uint64_t tokens = desc->x.size / token_size;
    const uint32_t most = plan->shape.desc.max_tokens;
    *token_count = tokens < most ? (uint32_t)tokens : most;
    const uint64_t report_size = smoe_plan_report_size(plan, *token_count), totals_size = smoe_plan_totals_size(plan);
    if ((result = smoe_buffer_check(context, "binding desc.y", &desc->y, true, *token_count * token_size)) !=
            SMOE_SUCCESS ||
        (result = smoe_buffer_check(context, "binding desc.workspace", &desc->workspace, true,
                                    plan->shape.workspace_size)) != SMOE_SUCCESS ||
        (result = smoe_buffer_check(context, "binding desc.report", &desc->report, false, report_size)) !=
            SMOE_SUCCESS ||
        (result = smoe_buffer_check(context, "binding desc.totals", &desc->totals, false, totals_size)) != SMOE_SUCCESS)
        return result;
    return check_overlap(context, desc);
}

smoe_result smoe_binding_create(const smoe_plan *plan, const smoe_binding_desc *desc, smoe_binding **out)
{
    if (out)
        *out = NULL;
    if (!plan)
        return SMOE_ERROR_INVALID_ARGUMENT;
    const smoe_host *host = &plan->context->host;
    if (!desc || !out)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL", desc ? "out" : "desc");
    uint32_t token_count;
    smoe_result result = check_desc(plan, desc, &token_count);
    if (result != SMOE_SUCCESS)
        return result;
    smoe_binding *binding = smoe_host_alloc(host, 1, sizeof *binding);
    if (!binding)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "binding: no host memory");
    binding->plan = plan;
    binding->max_tokens = token_count;
    binding->pass_count = smoe_divide_up(token_count, plan->shape.pass_tokens);
    binding->has_report = desc->report.buffer != VK_NULL_HANDLE;
    binding->has_totals = desc->totals.buffer != VK_NULL_HANDLE;
    binding->workspace = desc->workspace;
    result = create_sets(binding);
    if (result != SMOE_SUCCESS) {
        smoe_binding_destroy(binding);
        return result;
    }
    write_sets(binding, desc);
    *out = binding;
    return SMOE_SUCCESS;
}

void smoe_binding_destroy(smoe_binding *binding)
{
    if (!binding)
        return;
    const smoe_context *context = binding->plan->context;
    context->vk.vkDestroyDescriptorPool(context->device, binding->pool, NULL);
    smoe_host_free(&context->host, binding->passes);
    smoe_host_free(&context->host, binding);
}
