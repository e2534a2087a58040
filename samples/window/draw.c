/* A frame's drawing: Nuklear's vertices go to mapped buffers, its draw commands become draws. */
#include "draw_internal.h"

#include <stdio.h>
#include <string.h>

enum { VERTEX_BYTES = 2 << 20, INDEX_BYTES = 1 << 20 }; /* a frame has a tenth of it */

static const struct nk_draw_vertex_layout_element vertex_layout[] = {
    {NK_VERTEX_POSITION, NK_FORMAT_FLOAT, 0},
    {NK_VERTEX_TEXCOORD, NK_FORMAT_FLOAT, 8},
    {NK_VERTEX_COLOR, NK_FORMAT_R8G8B8A8, 16},
    {NK_VERTEX_LAYOUT_END},
};

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static bool create_frame(window_draw *draw, draw_frame *frame)
{
    compute *c = &draw->device->compute;
    if (!compute_create_buffer(c, VERTEX_BYTES, COMPUTE_UPLOAD, "vertices", &frame->vertices) ||
        !compute_create_buffer(c, INDEX_BYTES, COMPUTE_UPLOAD, "indices", &frame->indices) ||
        !compute_create_buffer(c, sizeof(float) * DRAW_PICTURE_NUMBERS, COMPUTE_UPLOAD, "pictures", &frame->pictures)) {
        snprintf(draw->device->error, sizeof draw->device->error, "%s", c->error);
        return false;
    }
    if (!draw_create_set(draw, draw->frame_layout, &frame->set))
        return false;
    draw_write_set(draw, frame->set, WINDOW_BINDING_VERTICES, frame->vertices.buffer);
    draw_write_set(draw, frame->set, WINDOW_BINDING_INDICES, frame->indices.buffer);
    draw_write_set(draw, frame->set, WINDOW_BINDING_PICTURES, frame->pictures.buffer);
    return true;
}

bool window_draw_create(window_draw *draw, window_device *device, VkRenderPass render_pass)
{
    *draw = (window_draw){.device = device};
    nk_buffer_init_default(&draw->commands);
    if (!draw_create_layouts(draw) || !draw_create_pipelines(draw, render_pass))
        return false;
    for (uint32_t i = 0; i < WINDOW_FRAMES; i++)
        if (!create_frame(draw, &draw->frames[i]))
            return false;
    return true;
}

void window_draw_destroy(window_draw *draw)
{
    if (!draw->device || !draw->device->device)
        return;
    const VkDevice device = draw->device->device;
    compute *c = &draw->device->compute;
    nk_buffer_free(&draw->commands);
    compute_destroy_buffer(c, &draw->glyphs);
    for (uint32_t i = 0; i < WINDOW_FRAMES; i++) {
        compute_destroy_buffer(c, &draw->frames[i].vertices);
        compute_destroy_buffer(c, &draw->frames[i].indices);
        compute_destroy_buffer(c, &draw->frames[i].pictures);
    }
    for (int kind = 0; kind < PLOT_KINDS; kind++)
        vkDestroyPipeline(device, draw->pipelines[kind], NULL);
    vkDestroyDescriptorPool(device, draw->pool, NULL);
    vkDestroyPipelineLayout(device, draw->layout, NULL);
    vkDestroyDescriptorSetLayout(device, draw->frame_layout, NULL);
    vkDestroyDescriptorSetLayout(device, draw->results_layout, NULL);
}

bool window_draw_set_font(window_draw *draw, const void *coverage, uint32_t columns, uint32_t rows)
{
    compute *c = &draw->device->compute;
    const size_t size = (size_t)columns * rows;
    compute_destroy_buffer(c, &draw->glyphs);
    if (!compute_create_buffer(c, (size + 3) / 4 * 4, COMPUTE_UPLOAD, "glyphs", &draw->glyphs)) {
        snprintf(draw->device->error, sizeof draw->device->error, "%s", c->error);
        return false;
    }
    memcpy(draw->glyphs.mapped, coverage, size);
    draw->glyph_columns = columns;
    draw->glyph_rows = rows;
    for (uint32_t i = 0; i < WINDOW_FRAMES; i++)
        draw_write_set(draw, draw->frames[i].set, WINDOW_BINDING_GLYPHS, draw->glyphs.buffer);
    return true;
}

bool window_draw_set_results(window_draw *draw, const window_model *model)
{
    for (uint32_t slot = 0; slot < MODEL_SLOTS; slot++)
        for (int side = 0; side < MODEL_SIDES; side++) {
            VkDescriptorSet *set = &draw->results[slot][side];
            const model_results *results = &model->results[slot][side];
            if (!draw_create_set(draw, draw->results_layout, set))
                return false;
            draw_write_set(draw, *set, WINDOW_BINDING_ANSWERS, results->answers.buffer);
            draw_write_set(draw, *set, WINDOW_BINDING_REPORT, results->report.buffer);
            /* No plot reads patches where there are none. */
            draw_write_set(draw, *set, WINDOW_BINDING_PATCHES,
                           results->patches.buffer ? results->patches.buffer : results->report.buffer);
        }
    return true;
}

/* ---- a frame's list ---------------------------------------------------------------------------------------------- */

uint32_t draw_add_picture(draw_list *list, const float *pixels, uint32_t count)
{
    const uint32_t start = list->picture_numbers;
    if (count > DRAW_PICTURE_NUMBERS - start)
        return 0;
    memcpy(list->pictures + start, pixels, sizeof *pixels * count);
    list->picture_numbers += count;
    return start;
}

int draw_add_plot(draw_list *list, const plot *added)
{
    if (list->plot_count == DRAW_MAX_PLOTS)
        return 0;
    list->plots[list->plot_count++] = *added;
    return (int)list->plot_count;
}

/* ---- recording --------------------------------------------------------------------------------------------------- */

typedef struct recording {
    window_draw *draw;
    VkCommandBuffer commands;
    VkExtent2D size;
    float scale;
    int slot;
} recording;

static int32_t within(float value, uint32_t most)
{
    return value < 0 ? 0 : value > (float)most ? (int32_t)most : (int32_t)(value + 0.5f);
}

static void set_scissor(const recording *r, struct nk_rect clip)
{
    const int32_t left = within(clip.x * r->scale, r->size.width), top = within(clip.y * r->scale, r->size.height);
    const int32_t right = within((clip.x + clip.w) * r->scale, r->size.width);
    const int32_t bottom = within((clip.y + clip.h) * r->scale, r->size.height);
    const VkRect2D scissor = {
        {left, top}, {right > left ? (uint32_t)(right - left) : 0, bottom > top ? (uint32_t)(bottom - top) : 0}};
    vkCmdSetScissor(r->commands, 0, 1, &scissor);
}

static struct nk_rect intersection(struct nk_rect a, const plot_push *b)
{
    const float left = NK_MAX(a.x, b->x), top = NK_MAX(a.y, b->y);
    return nk_rect(left, top, NK_MIN(a.x + a.w, b->x + b->width) - left, NK_MIN(a.y + a.h, b->y + b->height) - top);
}

static void begin_draw(const recording *r, plot_kind kind, const plot_push *push)
{
    vkCmdBindPipeline(r->commands, VK_PIPELINE_BIND_POINT_GRAPHICS, r->draw->pipelines[kind]);
    vkCmdPushConstants(r->commands, r->draw->layout, VK_SHADER_STAGE_VERTEX_BIT | VK_SHADER_STAGE_FRAGMENT_BIT, 0,
                       sizeof *push, push);
}

static void record_triangles(const recording *r, const struct nk_draw_command *command, uint32_t first)
{
    const plot_push push = {.screen_width = (float)r->size.width / r->scale,
                            .screen_height = (float)r->size.height / r->scale,
                            .columns = r->draw->glyph_columns,
                            .rows = r->draw->glyph_rows};
    set_scissor(r, command->clip_rect);
    begin_draw(r, PLOT_TRIANGLES, &push);
    vkCmdDraw(r->commands, command->elem_count, 1, first, 0);
}

static void record_plot(const recording *r, const plot *drawn, struct nk_rect clip)
{
    const bool of_results = drawn->kind != PLOT_PICTURE;
    plot_push push = drawn->push;
    if (of_results && r->slot < 0)
        return;
    set_scissor(r, intersection(clip, &push));
    push.x *= r->scale;
    push.y *= r->scale;
    push.width *= r->scale;
    push.height *= r->scale;
    push.line *= r->scale;
    push.screen_width = (float)r->size.width;
    push.screen_height = (float)r->size.height;
    if (of_results)
        vkCmdBindDescriptorSets(r->commands, VK_PIPELINE_BIND_POINT_GRAPHICS, r->draw->layout, WINDOW_SET_RESULTS, 1,
                                &r->draw->results[r->slot][drawn->side], 0, NULL);
    begin_draw(r, drawn->kind, &push);
    if (drawn->kind == PLOT_CURVES)
        vkCmdDraw(r->commands, 6 * (push.count - 1), push.classes, 0, 0);
    else
        vkCmdDraw(r->commands, 4, 1, 0, 0);
}

static bool convert(window_draw *draw, const draw_frame *frame, struct nk_context *nk,
                    struct nk_draw_null_texture white)
{
    struct nk_buffer vertices, indices;
    const struct nk_convert_config config = {.global_alpha = 1,
                                             .line_AA = NK_ANTI_ALIASING_ON,
                                             .shape_AA = NK_ANTI_ALIASING_ON,
                                             .circle_segment_count = 22,
                                             .arc_segment_count = 22,
                                             .curve_segment_count = 22,
                                             .tex_null = white,
                                             .vertex_layout = vertex_layout,
                                             .vertex_size = sizeof(uint32_t) * WINDOW_VERTEX_WORDS,
                                             .vertex_alignment = sizeof(uint32_t)};
    nk_buffer_clear(&draw->commands);
    nk_buffer_init_fixed(&vertices, frame->vertices.mapped, VERTEX_BYTES);
    nk_buffer_init_fixed(&indices, frame->indices.mapped, INDEX_BYTES);
    if (nk_convert(nk, &draw->commands, &vertices, &indices, &config) == NK_CONVERT_SUCCESS)
        return true;
    snprintf(draw->device->error, sizeof draw->device->error, "a frame has more triangles than its buffers hold");
    return false;
}

bool window_draw_record(window_draw *draw, VkCommandBuffer commands, uint32_t frame_slot, struct nk_context *nk,
                        const draw_list *list, struct nk_draw_null_texture white, VkExtent2D size, float scale,
                        int slot)
{
    const draw_frame *frame = &draw->frames[frame_slot];
    const recording r = {draw, commands, size, scale, slot};
    const VkViewport viewport = {0, 0, (float)size.width, (float)size.height, 0, 1};
    const struct nk_draw_command *command;
    uint32_t first = 0;
    if (!convert(draw, frame, nk, white))
        return false;
    memcpy(frame->pictures.mapped, list->pictures, sizeof *list->pictures * list->picture_numbers);
    vkCmdSetViewport(commands, 0, 1, &viewport);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, draw->layout, WINDOW_SET_FRAME, 1, &frame->set,
                            0, NULL);
    nk_draw_foreach(command, nk, &draw->commands)
    {
        if (command->elem_count == 0)
            continue;
        if (command->texture.id == 0)
            record_triangles(&r, command, first);
        else if ((uint32_t)command->texture.id <= list->plot_count)
            record_plot(&r, &list->plots[command->texture.id - 1], command->clip_rect);
        first += command->elem_count;
    }
    return true;
}
