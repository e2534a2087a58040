/* What models have in common: their errors, smoe's context, the buffers of their results. */
#include "model.h"

#include <stdio.h>

#include "program/output.h"

bool model_fail(window_model *model, const char *text)
{
    if (model->error[0] == '\0')
        snprintf(model->error, sizeof model->error, "%s", text);
    return false;
}

void model_receive_log(void *user, smoe_log_level level, const char *text)
{
    window_model *model = user;
    if (level == SMOE_LOG_ERROR)
        snprintf(model->error, sizeof model->error, "%s", text);
    else if (level == SMOE_LOG_WARNING)
        program_say("smoe-window", "warning: %s", text);
}

bool model_create_context(window_model *model, const smoe_log *log, smoe_context **out)
{
    const window_device *device = model->device;
    const smoe_context_desc context = {.get_instance_proc_addr = vkGetInstanceProcAddr,
                                       .instance = device->instance,
                                       .physical_device = device->physical_device,
                                       .device = device->device,
                                       .api_version = device->api_version,
                                       .enabled_features = smoe_capability_features(device->info.capabilities),
                                       .enabled_extensions = device->extensions,
                                       .enabled_extension_count = device->extension_count,
                                       .log = log};
    return smoe_context_create(&context, out) == SMOE_SUCCESS;
}

static bool create_side(window_model *model, model_results *side)
{
    compute *c = &model->device->compute;
    const VkDeviceSize answers = sizeof(float) * 2 * model->items * model->classes;
    const VkDeviceSize report = sizeof(uint32_t) * model->items * SMOE_REPORT_STRIDE(model->plan.max_active);
    VkDeviceSize patches = 0;
    for (uint32_t i = 0; i < model->block_count; i++)
        patches += sizeof(uint32_t) * model->blocks[i].words;
    if (patches > 0 && (!compute_create_buffer(c, patches, COMPUTE_LOCAL, "patches", &side->patches) ||
                        !compute_create_buffer(c, patches, COMPUTE_HOST, "copy of the patches", &side->patches_copy)))
        return false;
    return compute_create_buffer(c, answers, COMPUTE_LOCAL, "answers", &side->answers) &&
           compute_create_buffer(c, report, COMPUTE_LOCAL, "report", &side->report) &&
           compute_create_buffer(c, answers, COMPUTE_HOST, "copy of the answers", &side->answers_copy) &&
           compute_create_buffer(c, report, COMPUTE_HOST, "copy of the report", &side->report_copy);
}

bool model_create_results(window_model *model)
{
    for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++)
        for (int side = 0; side < MODEL_SIDES; side++)
            if (!create_side(model, &model->results[slot][side]))
                return false;
    return true;
}

void model_destroy_results(window_model *model)
{
    compute *c = &model->device->compute;
    for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++)
        for (int i = 0; i < MODEL_SIDES; i++) {
            model_results *side = &model->results[slot][i];
            compute_destroy_buffer(c, &side->answers);
            compute_destroy_buffer(c, &side->report);
            compute_destroy_buffer(c, &side->answers_copy);
            compute_destroy_buffer(c, &side->report_copy);
            compute_destroy_buffer(c, &side->patches);
            compute_destroy_buffer(c, &side->patches_copy);
        }
}

static void copy(VkCommandBuffer commands, const compute_buffer *from, const compute_buffer *to)
{
    const VkBufferCopy all = {0, 0, from->size};
    if (from->size == 0)
        return;
    vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1, &all);
}

void model_record_copies(window_model *model, uint32_t slot, VkCommandBuffer commands)
{
    const VkMemoryBarrier written = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL,
                                     VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                     VK_ACCESS_TRANSFER_READ_BIT};
    const VkMemoryBarrier copied = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_TRANSFER_WRITE_BIT,
                                    VK_ACCESS_HOST_READ_BIT};
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                         VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &written, 0, NULL, 0, NULL);
    for (int i = 0; i < MODEL_SIDES; i++) {
        const model_results *side = &model->results[slot][i];
        copy(commands, &side->answers, &side->answers_copy);
        copy(commands, &side->report, &side->report_copy);
        copy(commands, &side->patches, &side->patches_copy);
    }
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &copied, 0, NULL,
                         0, NULL);
}
