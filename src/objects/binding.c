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

/* All bindings of a set must be valid. weights: of no buffer where none are given. */
static void write_inputs(const smoe_binding *binding, VkDescriptorSet set, VkDescriptorBufferInfo weights,
                         VkDescriptorBufferInfo x)
{
    const VkDescriptorBufferInfo buffers[SMOE_WEIGHTS_BUFFERS] = {weights.buffer ? weights : x, x, x, x};
    smoe_descriptors_write(binding->plan->context, set, buffers, SMOE_WEIGHTS_BUFFERS);
}

/* Rows of `size` bytes from one on. */
static VkDescriptorBufferInfo rows_of(const smoe_buffer *buffer, uint64_t size, uint32_t first, uint32_t count)
{
    return part(buffer, first * size, count * size);
}

static void write_sets(smoe_binding *binding, const smoe_binding_desc *desc)
{
    const smoe_plan *plan = binding->plan;
    const smoe_shape *shape = &plan->shape;
    const uint64_t token_size = 4ull * shape->desc.d_model, given_size = 4ull * shape->desc.given_count;
    const VkDescriptorBufferInfo all_control = part(&desc->workspace, 0, shape->control_size);
    const VkDescriptorBufferInfo control = between(&desc->workspace, 0, shape->shared_gate_offset);
    const VkDescriptorBufferInfo shared_gate =
        between(&desc->workspace, shape->shared_gate_offset, shape->control_size);
    const VkDescriptorBufferInfo hidden = between(&desc->workspace, shape->hidden_offset, shape->shared_hidden_offset);
    const VkDescriptorBufferInfo shared_hidden =
        between(&desc->workspace, shape->shared_hidden_offset, shape->hidden_offset + shape->hidden_size);
    const VkDescriptorBufferInfo all_rows = part(&desc->workspace, shape->rows_offset, shape->rows_size);
    const VkDescriptorBufferInfo rows = between(&desc->workspace, shape->rows_offset, shape->lifted_rows_offset);
    const VkDescriptorBufferInfo lifted =
        between(&desc->workspace, shape->lifted_rows_offset, shape->shared_rows_offset);
    const VkDescriptorBufferInfo latent = between(&desc->workspace, shape->latent_offset, shape->latent_sum_offset);
    const VkDescriptorBufferInfo sum =
        between(&desc->workspace, shape->latent_sum_offset, shape->latent_offset + shape->latent_size);
    const VkDescriptorBufferInfo shared_rows =
        between(&desc->workspace, shape->shared_rows_offset, shape->rows_offset + shape->rows_size);
    write_set(binding, binding->hidden_rows, hidden, control, rows);
    write_set(binding, binding->shared_rows, shared_hidden, control, shared_rows);
    write_set(binding, binding->latent_hidden, latent, control, hidden);
    write_set(binding, binding->rows_sum, rows, control, sum);
    write_set(binding, binding->sum_lifted, sum, control, lifted);
    write_set(binding, binding->totals, hidden, control, part(&desc->totals, 0, smoe_plan_totals_size(plan)));
    for (uint32_t pass = 0; pass < binding->pass_count; pass++) {
        const uint32_t first = pass * shape->pass_tokens;
        const uint32_t count = smoe_shape_pass_token_count(shape, binding->max_tokens, pass);
        const VkDescriptorBufferInfo x = rows_of(&desc->x, token_size, first, count);
        const VkDescriptorBufferInfo y = rows_of(&desc->y, token_size, first, count);
        const VkDescriptorBufferInfo report =
            binding->has_report
                ? part(&desc->report, smoe_plan_report_size(plan, first), smoe_plan_report_size(plan, count))
                : hidden;
        write_set(binding, binding->passes[pass].x_hidden, x, control, hidden);
        write_set(binding, binding->passes[pass].x_report, x, control, report);
        if (shape->desc.given_count > 0)
            write_set(binding, binding->passes[pass].ids_report, rows_of(&desc->given_ids, given_size, first, count),
                      control, report);
        if (binding->passes[pass].inputs)
            write_inputs(binding, binding->passes[pass].inputs,
                         rows_of(&desc->given_weights, given_size, first, count), shape->desc.d_latent ? latent : x);
        write_set(binding, binding->passes[pass].rows_y, all_rows, all_control, y);
        write_set(binding, binding->passes[pass].x_shared_gate, x, shared_gate, hidden);
        write_set(binding, binding->passes[pass].x_shared_expert, x, control, shared_hidden);
        write_set(binding, binding->passes[pass].x_latent, x, control, latent);
    }
}

static smoe_result create_sets(smoe_binding *binding)
{
    const smoe_context *context = binding->plan->context;
    const smoe_plan_desc *desc = &binding->plan->shape.desc;
    const uint32_t shared = desc->shared_hidden > 0, shared_gate = desc->shared_gate, totals = binding->has_totals,
                   latent = desc->d_latent > 0, given = desc->given_count > 0;
    const uint32_t set_count =
        1 + shared + totals + 3 * latent + (3 + shared + shared_gate + latent + given) * binding->pass_count;
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
        binding->latent_hidden = latent ? *next++ : VK_NULL_HANDLE;
        binding->rows_sum = latent ? *next++ : VK_NULL_HANDLE;
        binding->sum_lifted = latent ? *next++ : VK_NULL_HANDLE;
        for (uint32_t pass = 0; pass < binding->pass_count; pass++) {
            smoe_binding_pass *own = &binding->passes[pass];
            own->x_hidden = *next++;
            own->x_report = *next++;
            own->ids_report = given ? *next++ : VK_NULL_HANDLE;
            own->rows_y = *next++;
            own->x_shared_gate = shared_gate ? *next++ : VK_NULL_HANDLE;
            own->x_shared_expert = shared ? *next++ : VK_NULL_HANDLE;
            own->x_latent = latent ? *next++ : VK_NULL_HANDLE;
        }
    }
    smoe_host_free(&context->host, sets);
    return result;
}

/* The sets of the weights' layout. */
static smoe_result create_inputs(smoe_binding *binding)
{
    const smoe_context *context = binding->plan->context;
    if (!binding->plan->shape.desc.given_weights && binding->plan->shape.desc.zero_experts == 0)
        return SMOE_SUCCESS;
    VkDescriptorSet *sets = smoe_host_alloc(&context->host, binding->pass_count, sizeof *sets);
    if (!sets)
        return smoe_fail(&context->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "binding: no host memory");
    const smoe_result result = smoe_descriptors_create(context, context->weights_layout, SMOE_WEIGHTS_BUFFERS,
                                                       binding->pass_count, &binding->inputs_pool, sets);
    for (uint32_t pass = 0; result == SMOE_SUCCESS && pass < binding->pass_count; pass++)
        binding->passes[pass].inputs = sets[pass];
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
    enum { PARTS = 7 };
    const smoe_buffer *const parts[PARTS] = {&desc->x,      &desc->y,         &desc->workspace,    &desc->report,
                                             &desc->totals, &desc->given_ids, &desc->given_weights};
    const char *const names[PARTS] = {"x", "y", "workspace", "report", "totals", "given_ids", "given_weights"};
    for (uint32_t i = 0; i < PARTS; i++)
        for (uint32_t j = i + 1; j < PARTS; j++)
            if (overlap(parts[i], parts[j]))
                return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT,
                                 "binding desc.%s: must not overlap desc.%s", names[i], names[j]);
    return SMOE_SUCCESS;
}

/* A buffer that must be there exactly where the plan has `field`. */
static smoe_result check_given(const smoe_plan *plan, const char *name, const smoe_buffer *buffer, const char *field,
                               bool needed, uint64_t size)
{
    if (!needed && buffer->buffer != VK_NULL_HANDLE)
        return smoe_fail(&plan->context->host, SMOE_ERROR_INVALID_ARGUMENT,
                         "%s.buffer: must be VK_NULL_HANDLE unless the plan has %s", name, field);
    return smoe_buffer_check(plan->context, name, buffer, needed, size);
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
    const uint64_t report_size = smoe_plan_report_size(plan, *token_count), totals_size = smoe_plan_totals_size(plan),
                   given_size = 4ull * *token_count * plan->shape.desc.given_count;
    if ((result = smoe_buffer_check(context, "binding desc.y", &desc->y, true, *token_count * token_size)) !=
            SMOE_SUCCESS ||
        (result = smoe_buffer_check(context, "binding desc.workspace", &desc->workspace, true,
                                    plan->shape.workspace_size)) != SMOE_SUCCESS ||
        (result = smoe_buffer_check(context, "binding desc.report", &desc->report, false, report_size)) !=
            SMOE_SUCCESS ||
        (result = smoe_buffer_check(context, "binding desc.totals", &desc->totals, false, totals_size)) !=
            SMOE_SUCCESS ||
        (result = check_given(plan, "binding desc.given_ids", &desc->given_ids, "given_count",
                              plan->shape.desc.given_count > 0, given_size)) != SMOE_SUCCESS ||
        (result = check_given(plan, "binding desc.given_weights", &desc->given_weights, "given_weights",
                              plan->shape.desc.given_weights, given_size)) != SMOE_SUCCESS)
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
    if (result == SMOE_SUCCESS)
        result = create_inputs(binding);
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
    context->vk.vkDestroyDescriptorPool(context->device, binding->inputs_pool, NULL);
    smoe_host_free(&context->host, binding->passes);
    smoe_host_free(&context->host, binding);
}
