/* The interface as a whole: font, colours, and the places of its parts. */
#include "ui_internal.h"

#include "window_font.h" /* nuklear/Karla-Regular.ttf, made by the build */

#include <stdio.h>

enum {
    LEAST_WIDTH = 1080,
    LEAST_HEIGHT = 720,
    MARGIN = 16,
    LEFT_WIDTH = 280,
    CONTROLS_HEIGHT = 58,
    STATUS_HEIGHT = 24
};

/* ---- font and colours -------------------------------------------------------------------------------------------- */

static const float font_sizes[UI_FONTS] = {[UI_SMALL] = 14, [UI_NORMAL] = 16, [UI_LARGE] = 22};

static void set_colours(struct nk_context *nk)
{
    struct nk_color table[NK_COLOR_COUNT];
    for (int i = 0; i < NK_COLOR_COUNT; i++)
        table[i] = ui_colour(WINDOW_TRACK);
    table[NK_COLOR_TEXT] = ui_colour(UI_TEXT);
    table[NK_COLOR_WINDOW] = ui_colour(WINDOW_PAPER);
    table[NK_COLOR_BORDER] = ui_colour(UI_LINE);
    table[NK_COLOR_BUTTON] = ui_colour(0xf3f4f6u);
    table[NK_COLOR_BUTTON_HOVER] = ui_colour(0xe5e7ebu);
    table[NK_COLOR_BUTTON_ACTIVE] = ui_colour(0xd1d5dbu);
    table[NK_COLOR_TOGGLE_HOVER] = ui_colour(UI_LINE);
    table[NK_COLOR_TOGGLE_CURSOR] = ui_colour(UI_ACCENT);
    table[NK_COLOR_SLIDER] = ui_colour(0xdfe3e8u);
    table[NK_COLOR_SLIDER_CURSOR] = ui_colour(UI_ACCENT);
    table[NK_COLOR_SLIDER_CURSOR_HOVER] = ui_colour(0x2f74c4u);
    table[NK_COLOR_SLIDER_CURSOR_ACTIVE] = ui_colour(0x174a85u);
    table[NK_COLOR_SCROLLBAR_CURSOR] = ui_colour(0xc3c8d0u);
    table[NK_COLOR_SCROLLBAR_CURSOR_HOVER] = ui_colour(0xaab1bcu);
    table[NK_COLOR_SCROLLBAR_CURSOR_ACTIVE] = ui_colour(0x8d96a3u);
    nk_style_from_table(nk, table);
    nk->style.window.padding = nk_vec2(0, 0);
    nk->style.window.border = 0;
    nk->style.button.rounding = 4;
    nk->style.button.padding = nk_vec2(4, 2);
    nk->style.slider.cursor_size = nk_vec2(14, 14);
    nk->style.slider.bar_height = 4;
    nk->style.slider.padding = nk_vec2(0, 0);
}

bool ui_create(window_ui *ui)
{
    ui->selects = -1;
    if (!nk_init_default(&ui->nk, NULL))
        return false;
    nk_font_atlas_init_default(&ui->atlas);
    ui->begun = true;
    set_colours(&ui->nk);
    return true;
}

void ui_destroy(window_ui *ui)
{
    if (!ui->begun)
        return;
    nk_font_atlas_clear(&ui->atlas);
    nk_free(&ui->nk);
    ui->begun = false;
}

bool ui_set_scale(window_ui *ui, window_draw *draw, float scale)
{
    int width = 0, height = 0;
    nk_font_atlas_clear(&ui->atlas);
    nk_font_atlas_init_default(&ui->atlas);
    nk_font_atlas_begin(&ui->atlas);
    for (int i = 0; i < UI_FONTS; i++) {
        struct nk_font_config config = nk_font_config(font_sizes[i] * scale);
        config.oversample_h = 2;
        config.oversample_v = 1;
        ui->fonts[i] = nk_font_atlas_add_from_memory(&ui->atlas, (void *)window_font, sizeof window_font,
                                                     font_sizes[i] * scale, &config);
    }
    const void *coverage = nk_font_atlas_bake(&ui->atlas, &width, &height, NK_FONT_ATLAS_ALPHA8);
    if (!coverage) {
        snprintf(draw->device->error, sizeof draw->device->error, "out of memory");
        return false;
    }
    if (!window_draw_set_font(draw, coverage, (uint32_t)width, (uint32_t)height))
        return false;
    nk_font_atlas_end(&ui->atlas, nk_handle_id(0), &ui->white);
    for (int i = 0; i < UI_FONTS; i++) /* baked in pixels, used in units */
        ui->fonts[i]->handle.height = font_sizes[i];
    nk_style_set_font(&ui->nk, &ui->fonts[UI_NORMAL]->handle);
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void build_parts(const ui_frame *frame, float width, float height)
{
    const float right = LEFT_WIDTH + 2 * MARGIN, wide = width - right - MARGIN;
    const float bottom = height - STATUS_HEIGHT;
    const struct nk_rect left = nk_rect(MARGIN, MARGIN, LEFT_WIDTH, bottom - MARGIN);
    if (frame->state->pictures)
        ui_build_pictures(frame, left);
    else
        ui_build_digit(frame, left);
    ui_build_controls(frame, nk_rect(right, MARGIN, wide, CONTROLS_HEIGHT));
    ui_build_path(frame, nk_rect(right, MARGIN + CONTROLS_HEIGHT, wide, bottom - MARGIN - CONTROLS_HEIGHT));
    ui_build_status(frame, nk_rect(MARGIN, bottom, width - 2 * MARGIN, STATUS_HEIGHT));
}

void ui_build(window_ui *ui, window_state *state, const ui_facts *facts, float width, float height)
{
    struct nk_context *nk = &ui->nk;
    const ui_frame frame = {ui, nk, state, facts};
    const bool fits = width >= LEAST_WIDTH && height >= LEAST_HEIGHT;
    ui->list.plot_count = ui->list.picture_numbers = ui->area_count = 0;
    ui->pointed = -1;
    if (nk_begin(nk, "smoe", nk_rect(0, 0, width, height), fits ? NK_WINDOW_NO_SCROLLBAR : 0)) {
        /* Where the window is smaller, its content scrolls. */
        const float content_width = NK_MAX(width, LEAST_WIDTH), content_height = NK_MAX(height, LEAST_HEIGHT);
        nk_layout_space_begin(nk, NK_STATIC, content_height, 1000);
        build_parts(&frame, content_width, content_height);
        nk_layout_space_end(nk);
    }
    nk_end(nk);
    state->pointed = ui->pointed;
    nk_window_set_bounds(nk, "smoe", nk_rect(0, 0, width, height));
}
