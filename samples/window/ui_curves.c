/* One side of the path: the curves of the answers, which experts ran, and how near a boundary the path is. The pointer
 * zooms: a rectangle into it, the wheel around it. */
#include "ui_internal.h"

#include <math.h>
#include <stdio.h>

enum { AXIS = 38, TITLE = 66, ROW = 14, NEAR = 12, LEGEND = 18 };

static const struct {
    const char *name, *title, *caption;
} texts[MODEL_SIDES] = {
    [MODEL_HARD] = {"hard", "Hard routing", "Only the best %u experts answer. Where two tie, the choice flips."},
    [MODEL_SMOOTH] = {"smooth", "Smooth routing", "Others join in little by little within the band."},
};

/* The values at the lower and the upper edge of both plots. */
static void find_range(const ui_frame *frame, float *low, float *high)
{
    const window_numbers *numbers = frame->facts->numbers;
    float least = 0, most = 1;
    if (frame->state->logits && numbers->version > 0) {
        least = fminf(numbers->sides[MODEL_HARD].least_logit, numbers->sides[MODEL_SMOOTH].least_logit);
        most = fmaxf(numbers->sides[MODEL_HARD].most_logit, numbers->sides[MODEL_SMOOTH].most_logit);
    }
    *low = least + (most - least) * frame->state->bottom;
    *high = least + (most - least) * frame->state->top;
}

static void build_title(const ui_frame *frame, struct nk_rect rect, model_side side)
{
    const window_numbers *numbers = frame->facts->numbers;
    const side_numbers *shown = &numbers->sides[side];
    char caption[96];
    snprintf(caption, sizeof caption, texts[side].caption, frame->facts->plan->top_k);
    ui_text(frame, nk_rect(rect.x, rect.y, rect.w, 24), UI_LARGE, NK_TEXT_LEFT, UI_TEXT, "%s", texts[side].title);
    ui_text(frame, nk_rect(rect.x, rect.y + 26, rect.w, 18), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "%s", caption);
    if (numbers->version == 0)
        return;
    const double step = 100 * (double)shown->largest_step;
    if (frame->state->pictures) /* other tokens jump too */
        ui_text(frame, nk_rect(rect.x, rect.y + 44, rect.w, 18), UI_SMALL, NK_TEXT_LEFT,
                shown->jumps > 0 ? WINDOW_NEAR : UI_ACCENT,
                "The class token's experts flip %u time%s; neighbours differ by up to %.1f %%.", shown->jumps,
                shown->jumps == 1 ? "" : "s", step);
    else if (shown->jumps > 0)
        ui_text(frame, nk_rect(rect.x, rect.y + 44, rect.w, 18), UI_SMALL, NK_TEXT_LEFT, WINDOW_NEAR,
                "The answer jumps %u time%s here, by up to %.1f %%.", shown->jumps, shown->jumps == 1 ? "" : "s", step);
    else
        ui_text(frame, nk_rect(rect.x, rect.y + 44, rect.w, 18), UI_SMALL, NK_TEXT_LEFT, UI_ACCENT,
                "No jump here: neighbours differ by %.2f %% at most.", step);
}

static void build_axis(const ui_frame *frame, struct nk_rect rect, float low, float high)
{
    struct nk_command_buffer *out = nk_window_get_canvas(frame->nk);
    const bool logits = frame->state->logits;
    const int lines = 4;
    for (int i = 0; i <= lines; i++) {
        const float part = (float)i / (float)lines, y = rect.y + rect.h * (1 - part);
        const double value = (double)(low + (high - low) * part);
        const struct nk_rect where = nk_layout_space_rect_to_screen(frame->nk, nk_rect(rect.x, y, rect.w, 0));
        nk_stroke_line(out, where.x, where.y, where.x + where.w, where.y, 1, ui_colour(WINDOW_TRACK));
        ui_text(frame, nk_rect(rect.x - AXIS, y - 9, AXIS - 6, 18), UI_SMALL, NK_TEXT_RIGHT, UI_FAINT,
                logits              ? "%.1f"
                : high - low < 0.1f ? "%.1f %%"
                                    : "%.0f %%",
                logits ? value : 100 * value);
    }
}

/* ---- the pointer ------------------------------------------------------------------------------------------------- */

static float part_of(float value, float from, float length)
{
    return fminf(fmaxf((value - from) / length, 0), 1);
}

static void zoom_rectangle(const ui_frame *frame, struct nk_rect where, struct nk_vec2 from, struct nk_vec2 to)
{
    window_state *state = frame->state;
    const double left = (double)part_of(fminf(from.x, to.x), where.x, where.w);
    const double right = (double)part_of(fmaxf(from.x, to.x), where.x, where.w);
    const float bottom = 1 - part_of(fmaxf(from.y, to.y), where.y, where.h);
    const float top = 1 - part_of(fminf(from.y, to.y), where.y, where.h);
    const double low = state->low, width = state->high - state->low;
    const float height = state->top - state->bottom, begin = state->bottom;
    if (fabsf(to.x - from.x) < 6 || fabsf(to.y - from.y) < 6)
        return;
    state_look_at(state, low + width * left, low + width * right);
    state->bottom = begin + height * bottom;
    state->top = begin + height * top;
}

static void select_rectangle(const ui_frame *frame, struct nk_rect where, model_side side)
{
    window_ui *ui = frame->ui;
    const struct nk_input *in = &frame->nk->input;
    if (nk_input_has_mouse_click_down_in_rect(in, NK_BUTTON_LEFT, where, nk_true)) {
        if (ui->selects != (int)side)
            ui->selected_from = in->mouse.buttons[NK_BUTTON_LEFT].clicked_pos;
        ui->selects = (int)side;
        const struct nk_vec2 a = ui->selected_from, b = in->mouse.pos;
        nk_stroke_rect(nk_window_get_canvas(frame->nk),
                       nk_rect(fminf(a.x, b.x), fminf(a.y, b.y), fabsf(b.x - a.x), fabsf(b.y - a.y)), 0, 1,
                       ui_colour(UI_TEXT));
    } else if (ui->selects == (int)side) {
        ui->selects = -1;
        zoom_rectangle(frame, where, ui->selected_from, in->mouse.pos);
    }
}

static void turn_wheel(const ui_frame *frame, double at)
{
    window_state *state = frame->state;
    const double wheel = (double)frame->nk->input.mouse.scroll_delta.y;
    if (wheel == 0)
        return;
    const double factor = pow(0.8, wheel);
    state_look_at(state, at - (at - state->low) * factor, at + (state->high - at) * factor);
}

static void point(const ui_frame *frame, struct nk_rect where, model_side side)
{
    const window_state *state = frame->state;
    const struct nk_input *in = &frame->nk->input;
    if (nk_input_is_mouse_hovering_rect(in, where)) {
        const double part = (double)part_of(in->mouse.pos.x, where.x, where.w);
        frame->ui->pointed = state->low + part * (state->high - state->low);
        turn_wheel(frame, frame->ui->pointed);
    }
    select_rectangle(frame, where, side);
}

/* A line through both sides at the place that is pointed at. */
static void build_pointer(const ui_frame *frame, struct nk_rect where)
{
    const window_state *state = frame->state;
    if (state->pointed < state->low || state->pointed > state->high)
        return;
    const float x = where.x + where.w * (float)((state->pointed - state->low) / (state->high - state->low));
    nk_stroke_line(nk_window_get_canvas(frame->nk), x, where.y, x, where.y + where.h, 1, ui_colour(UI_FAINT));
}

/* ---- plots ------------------------------------------------------------------------------------------------------- */

static void build_plots(const ui_frame *frame, struct nk_rect curves, struct nk_rect map, model_side side)
{
    const window_numbers *numbers = frame->facts->numbers;
    char name[UI_NAME_SIZE];
    plot shown = {.kind = PLOT_CURVES,
                  .side = side,
                  .push = {.line = 1,
                           .first = 1,
                           .count = numbers->items - 1,
                           .classes = numbers->classes,
                           .values = frame->state->logits ? 0 : numbers->items * numbers->classes}};
    find_range(frame, &shown.push.low, &shown.push.high);
    build_axis(frame, curves, shown.push.low, shown.push.high);
    snprintf(name, sizeof name, "curves_%s", texts[side].name);
    const struct nk_rect where = ui_plot(frame, curves, name, &shown);
    shown.kind = PLOT_MAP;
    snprintf(name, sizeof name, "map_%s", texts[side].name);
    ui_plot(frame, map, name, &shown);
    shown.kind = PLOT_NEAR;
    snprintf(name, sizeof name, "near_%s", texts[side].name);
    ui_plot(frame, nk_rect(map.x, map.y + map.h + 3, map.w, NEAR), name, &shown);
    point(frame, where, side);
    build_pointer(frame, where);
    build_pointer(frame, nk_layout_space_rect_to_screen(frame->nk, nk_rect(map.x, map.y, map.w, map.h + 3 + NEAR)));
}

static void build_legend(const ui_frame *frame, struct nk_rect rect)
{
    static const uint32_t colours[] = {WINDOW_CLASS_COLOURS};
    ui_text(frame, nk_rect(rect.x, rect.y, 90, rect.h), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "Answers:");
    for (uint32_t c = 0; c < frame->facts->model->classes; c++) {
        const struct nk_rect at = nk_rect(rect.x + 62 + (float)c * 26, rect.y, 12, rect.h);
        const struct nk_rect dot = nk_layout_space_rect_to_screen(frame->nk, nk_rect(at.x - 10, at.y + 6, 7, 7));
        nk_fill_circle(nk_window_get_canvas(frame->nk), dot, ui_colour(colours[c]));
        ui_text(frame, at, UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%u", c);
    }
}

static void build_map_labels(const ui_frame *frame, struct nk_rect map)
{
    const uint32_t experts = frame->facts->plan->expert_count;
    for (uint32_t e = 0; e < experts; e++)
        ui_text(frame, nk_rect(map.x - AXIS, map.y + (float)e * ROW, AXIS - 6, ROW), UI_SMALL, NK_TEXT_RIGHT, UI_FAINT,
                "%u", e);
    ui_text(frame, nk_rect(map.x - AXIS, map.y + map.h + 1, AXIS - 6, 16), UI_SMALL, NK_TEXT_RIGHT, UI_FAINT, "tie");
}

static void build_ends(const ui_frame *frame, struct nk_rect rect)
{
    const window_state *state = frame->state;
    const bool whole = state->high - state->low >= 1;
    ui_text(frame, rect, UI_SMALL, NK_TEXT_LEFT, UI_FAINT, whole ? "%.0f: from" : "%.5f", state->low);
    ui_text(frame, rect, UI_SMALL, NK_TEXT_CENTERED, UI_FAINT, "place on the path");
    ui_text(frame, rect, UI_SMALL, NK_TEXT_RIGHT, UI_FAINT, whole ? "%.0f: to" : "%.5f", state->high);
}

void ui_build_curves(const ui_frame *frame, struct nk_rect rect, model_side side)
{
    const ui_facts *facts = frame->facts;
    const float map_height = ROW * (float)facts->plan->expert_count, left = rect.x + AXIS, wide = rect.w - AXIS;
    const float below = LEGEND + 22 + map_height + NEAR + 30;
    const struct nk_rect curves = nk_rect(left, rect.y + TITLE + 8, wide, rect.h - TITLE - 8 - below);
    const struct nk_rect map = nk_rect(left, curves.y + curves.h + LEGEND + 22, wide, map_height);
    build_title(frame, rect, side);
    if (facts->loading) {
        ui_text(frame, curves, UI_NORMAL, NK_TEXT_CENTERED, UI_FAINT, "%s", facts->loading);
        return;
    }
    build_legend(frame, nk_rect(left, curves.y + curves.h + 2, wide, LEGEND));
    ui_text(frame, nk_rect(left, map.y - 20, wide, 18), UI_SMALL, NK_TEXT_LEFT, UI_TEXT,
            "Which experts ran (%.2f on average), and how near a tie is", facts->numbers->sides[side].mean_active);
    build_map_labels(frame, map);
    build_ends(frame, nk_rect(left, map.y + map.h + NEAR + 6, wide, 18));
    build_plots(frame, curves, map, side);
}
