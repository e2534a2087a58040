/* Draws Nuklear's triangles and the plots between them. A plot is an image to Nuklear, whose texture is its number. */
#ifndef WINDOW_DRAW_H
#define WINDOW_DRAW_H

#include "interface.h"
#include "model.h"
#include "nk.h"
#include "swapchain.h"

enum { DRAW_MAX_PLOTS = 32, DRAW_PICTURE_NUMBERS = 4 * 3 * 64 * 64 /* the pictures that are seen at once */ };

typedef enum plot_kind {
    PLOT_TRIANGLES, /* Nuklear's own */
    PLOT_CURVES,
    PLOT_MAP,
    PLOT_NEAR,
    PLOT_BARS,
    PLOT_PICTURE,
    PLOT_PATCHES,
    PLOT_KINDS
} plot_kind;

typedef struct plot_push {
    WINDOW_PLOT_FIELDS(uint32_t, float)
} plot_push;

typedef struct plot {
    plot_kind kind;
    model_side side; /* whose results it reads */
    plot_push push;  /* x, y, width and height in Nuklear's units; the screen is filled in */
} plot;

/* What a frame draws, besides Nuklear's commands. */
typedef struct draw_list {
    plot plots[DRAW_MAX_PLOTS];
    uint32_t plot_count;
    float pictures[DRAW_PICTURE_NUMBERS];
    uint32_t picture_numbers;
} draw_list;

typedef struct draw_frame {
    compute_buffer vertices, indices, pictures; /* mapped */
    VkDescriptorSet set;
} draw_frame;

typedef struct window_draw {
    window_device *device;
    VkDescriptorSetLayout frame_layout, results_layout;
    VkPipelineLayout layout;
    VkPipeline pipelines[PLOT_KINDS];
    VkDescriptorPool pool;
    draw_frame frames[WINDOW_FRAMES];
    VkDescriptorSet results[MODEL_SLOTS][MODEL_SIDES]; /* none before draw_set_results */
    compute_buffer glyphs;
    uint32_t glyph_columns, glyph_rows;
    struct nk_buffer commands;
} window_draw;

/* All give false with the device's error. */
bool window_draw_create(window_draw *draw, window_device *device, VkRenderPass render_pass);
void window_draw_destroy(window_draw *draw);

/* The font's picture; no frame may be on its way. */
bool window_draw_set_font(window_draw *draw, const void *coverage, uint32_t columns, uint32_t rows);

/* Once the model's results have their buffers. */
bool window_draw_set_results(window_draw *draw, const window_model *model);

/* Puts a picture into the list, and gives the word where it begins. */
uint32_t draw_add_picture(draw_list *list, const float *pixels, uint32_t count);

/* Nuklear's number for a plot of the list; 0, which draws nothing, where the list is full. */
int draw_add_plot(draw_list *list, const plot *added);

/* In a render pass, over a frame of `size` pixels, `scale` of which are one of Nuklear's units. slot: of the results;
 * -1: there are none, and plots of them are left out. */
bool window_draw_record(window_draw *draw, VkCommandBuffer commands, uint32_t frame_slot, struct nk_context *nk,
                        const draw_list *list, struct nk_draw_null_texture white, VkExtent2D size, float scale,
                        int slot);

#endif
