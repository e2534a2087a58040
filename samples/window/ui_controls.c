/* The sliders, which move smoe_forward_params, and the line at the bottom. */
#include "ui_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct slider {
    const char *name; /* a number of smoe_forward_params */
    const char *label;
    float least, most;
    bool logarithmic;
    const char *format;
} slider;

static const slider sliders[] = {
    {"eps", "band eps", 0, 2, false, "%.3f"},
    {"temperature", "temperature", 0.25f, 4, true, "%.2f"},
    {"a", "mask a", 0.25f, 16, true, "%.2f"},
    {"b", "mask b", 0.25f, 100, true, "%.1f"},
};
enum { SLIDERS = sizeof sliders / sizeof sliders[0], SLIDER_GAP = 18 };

static void build_label(const ui_frame *frame, struct nk_rect rect, const char *label, const char *format, double value)
{
    ui_text(frame, nk_rect(rect.x, rect.y, rect.w, 18), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "%s", label);
    ui_place(frame, nk_rect(rect.x, rect.y, rect.w, 18));
    char text[32];
    snprintf(text, sizeof text, format, value);
    nk_style_push_font(frame->nk, &frame->ui->fonts[UI_SMALL]->handle);
    nk_label_colored(frame->nk, text, NK_TEXT_RIGHT, ui_colour(UI_TEXT));
    nk_style_pop_font(frame->nk);
}

/* Nuklear's slider moves only by its knob; here a click anywhere on it does, too. False where nobody holds it. */
static bool build_bar(const ui_frame *frame, struct nk_rect rect, const char *name, float least, float most, float step,
                      float *place)
{
    const struct nk_input *in = &frame->nk->input;
    const float knob = frame->nk->style.slider.cursor_size.x;
    const struct nk_rect where = ui_place(frame, rect);
    const bool held = nk_input_has_mouse_click_down_in_rect(in, NK_BUTTON_LEFT, where, nk_true);
    ui_name(frame, name, where);
    if (held) {
        const float part = (in->mouse.pos.x - where.x - knob / 2) / (where.w - knob);
        *place = least + fminf(fmaxf(roundf(part * (most - least) / step) * step, 0), most - least);
    }
    float shown = *place;
    nk_slider_float(frame->nk, least, &shown, most, step);
    return held;
}

static void build_slider(const ui_frame *frame, struct nk_rect rect, const slider *row)
{
    window_state *state = frame->state;
    const smoe_forward_number *number = smoe_forward_number_find(row->name);
    const float value = smoe_forward_number_value(number, &state->params);
    const float least = row->logarithmic ? logf(row->least) : row->least;
    const float most = row->logarithmic ? logf(row->most) : row->most;
    float place = row->logarithmic ? logf(value) : value;
    build_label(frame, rect, row->label, row->format, (double)value);
    const struct nk_rect bar = nk_rect(rect.x, rect.y + 20, rect.w, 16);
    if (!build_bar(frame, bar, row->name, least, most, (most - least) / 400, &place))
        return;
    const float moved = row->logarithmic ? expf(place) : place;
    if (moved != value && smoe_forward_number_allows(number, moved)) {
        smoe_forward_number_set(number, &state->params, moved);
        state->version++;
    }
}

static void build_cap(const ui_frame *frame, struct nk_rect rect)
{
    window_state *state = frame->state;
    const smoe_plan_desc *plan = frame->facts->plan;
    float cap = (float)state->params.max_active;
    const struct nk_rect bar = nk_rect(rect.x, rect.y + 20, rect.w, 16);
    build_label(frame, rect, "experts at most", "%.0f", (double)cap);
    if (build_bar(frame, bar, "max_active", (float)plan->top_k, (float)plan->max_active, 1, &cap) &&
        (uint32_t)cap != state->params.max_active) {
        state->params.max_active = (uint32_t)cap;
        state->version++;
    }
}

void ui_build_controls(const ui_frame *frame, struct nk_rect rect)
{
    window_state *state = frame->state;
    const float wide = (rect.w - 76 - (SLIDERS + 1) * SLIDER_GAP) / (SLIDERS + 1);
    for (int i = 0; i <= SLIDERS; i++) {
        const struct nk_rect place = nk_rect(rect.x + (float)i * (wide + SLIDER_GAP), rect.y, wide, 40);
        if (i == 1)
            build_cap(frame, place);
        else
            build_slider(frame, place, &sliders[i > 1 ? i - 1 : i]);
    }
    if (ui_button(frame, nk_rect(rect.x + rect.w - 76, rect.y + 6, 76, 26), "reset", "As trained") &&
        memcmp(&state->params, &state->defaults, sizeof state->params) != 0) {
        state->params = state->defaults;
        state->version++;
    }
}

void ui_build_status(const ui_frame *frame, struct nk_rect rect)
{
    const ui_facts *facts = frame->facts;
    const window_numbers *numbers = facts->numbers;
    const float y = rect.y + 2, row = 18;
    nk_bool vsync = frame->state->vsync;
    nk_stroke_line(nk_window_get_canvas(frame->nk), 0, rect.y - 3, rect.x * 2 + rect.w, rect.y - 3, 1,
                   ui_colour(UI_LINE));
    ui_text(frame, nk_rect(rect.x, y, rect.w * 0.45f, row), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "%s", facts->device);
    if (numbers->version > 0)
        ui_text(frame, nk_rect(rect.x + rect.w * 0.4f, y, rect.w * 0.6f - 80, row), UI_SMALL, NK_TEXT_RIGHT, UI_FAINT,
                "%s, %u %s: hard %.2f ms, smooth %.2f ms     frame %.1f ms", frame->state->pictures ? "model" : "layer",
                numbers->items, frame->state->pictures ? "pictures" : "digits", numbers->sides[MODEL_HARD].milliseconds,
                numbers->sides[MODEL_SMOOTH].milliseconds, facts->frame_milliseconds);
    ui_name(frame, "vsync", ui_place(frame, nk_rect(rect.x + rect.w - 66, y, 66, row)));
    nk_style_push_font(frame->nk, &frame->ui->fonts[UI_SMALL]->handle);
    nk_checkbox_label(frame->nk, "vsync", &vsync);
    nk_style_pop_font(frame->nk);
    frame->state->vsync = vsync;
}
