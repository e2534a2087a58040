/* What the files of the drawing share. */
#ifndef WINDOW_DRAW_INTERNAL_H
#define WINDOW_DRAW_INTERNAL_H

#include "draw.h"

bool draw_create_layouts(window_draw *draw);
bool draw_create_pipelines(window_draw *draw, VkRenderPass render_pass);
bool draw_create_set(window_draw *draw, VkDescriptorSetLayout layout, VkDescriptorSet *out);
void draw_write_set(window_draw *draw, VkDescriptorSet set, uint32_t binding, VkBuffer buffer); /* all of it */

#endif
