/* What the parts of the interface are made of: texts, buttons and plots in places of their own, some of them named. */
#include "ui_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct nk_color ui_colour(uint32_t rgb)
{
    return nk_rgb((int)(rgb >> 16 & 255), (int)(rgb >> 8 & 255), (int)(rgb & 255));
}

struct nk_rect ui_place(const ui_frame *frame, struct nk_rect rect)
{
    nk_layout_space_push(frame->nk, rect);
    return nk_layout_space_rect_to_screen(frame->nk, rect);
}

void ui_name(const ui_frame *frame, const char *name, struct nk_rect where)
{
    window_ui *ui = frame->ui;
    if (ui->area_count == UI_MAX_AREAS)
        return;
    ui_area *area = &ui->areas[ui->area_count++];
    snprintf(area->name, sizeof area->name, "%s", name);
    area->rect = where;
}

const ui_area *ui_find_area(const window_ui *ui, const char *name)
{
    for (uint32_t i = 0; i < ui->area_count; i++)
        if (!strcmp(ui->areas[i].name, name))
            return &ui->areas[i];
    return NULL;
}

void ui_text(const ui_frame *frame, struct nk_rect rect, ui_font font, nk_flags align, uint32_t rgb, const char *format,
             ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ui_place(frame, rect);
    nk_style_push_font(frame->nk, &frame->ui->fonts[font]->handle);
    nk_label_colored(frame->nk, text, align, ui_colour(rgb));
    nk_style_pop_font(frame->nk);
}

bool ui_button(const ui_frame *frame, struct nk_rect rect, const char *name, const char *label)
{
    ui_name(frame, name, ui_place(frame, rect));
    nk_style_push_font(frame->nk, &frame->ui->fonts[UI_SMALL]->handle);
    const bool pressed = nk_button_label(frame->nk, label);
    nk_style_pop_font(frame->nk);
    return pressed;
}

struct nk_rect ui_plot(const ui_frame *frame, struct nk_rect rect, const char *name, const plot *shown)
{
    plot added = *shown;
    const struct nk_rect where = ui_place(frame, rect);
    added.push.x = where.x;
    added.push.y = where.y;
    added.push.width = where.w;
    added.push.height = where.h;
    if (added.kind != PLOT_PATCHES) { /* of a block of its own */
        added.push.max_active = frame->facts->plan->max_active;
        added.push.experts = frame->facts->plan->expert_count;
    }
    nk_image(frame->nk, nk_image_id(draw_add_plot(&frame->ui->list, &added)));
    ui_name(frame, name, where);
    return where;
}
