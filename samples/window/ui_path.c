/* The right side: the path between two digits, and beside one another what hard and smooth routing make of it. */
#include "ui_internal.h"

#include <math.h>
#include <stdio.h>

enum { PICTURE = 48, HEADER = 74, COLUMN_GAP = 24 };

static void build_picture(const ui_frame *frame, float x, float y, const char *name, const float *pixels)
{
    const plot picture = {.kind = PLOT_PICTURE,
                          .push = {.start = draw_add_picture(&frame->ui->list, pixels, DIGITS_PIXELS),
                                   .columns = DIGITS_SIDE,
                                   .rows = DIGITS_SIDE}};
    const struct nk_rect where = ui_plot(frame, nk_rect(x, y, PICTURE, PICTURE), name, &picture);
    nk_stroke_rect(nk_window_get_canvas(frame->nk), nk_rect(where.x - 1, where.y - 1, where.w + 2, where.h + 2), 0, 1,
                   ui_colour(UI_LINE));
}

static void build_picture_end(const ui_frame *frame, float x, float y, const char *name, const char *label,
                              uint32_t *end)
{
    char button[UI_NAME_SIZE];
    ui_picture(frame, x, y, PICTURE, name, frame->state->pictures->list[*end].shown);
    ui_text(frame, nk_rect(x + PICTURE + 8, y + 2, 90, 18), UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%s: %u", label, *end + 1);
    snprintf(button, sizeof button, "use_%s", name);
    if (ui_button(frame, nk_rect(x + PICTURE + 8, y + 22, 84, 24), button, "Use shown"))
        state_choose_picture(frame->state, end);
}

static void build_end(const ui_frame *frame, float x, float y, const char *name, const char *label, digit_choice *end)
{
    build_picture(frame, x, y, name, end->pixels);
    if (end->sample == STATE_PAINTED)
        ui_text(frame, nk_rect(x + PICTURE + 8, y + 2, 90, 18), UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%s: painted", label);
    else
        ui_text(frame, nk_rect(x + PICTURE + 8, y + 2, 90, 18), UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "%s: a %u", label,
                frame->state->data->labels[end->sample]);
    char button[UI_NAME_SIZE];
    snprintf(button, sizeof button, "use_%s", name);
    if (ui_button(frame, nk_rect(x + PICTURE + 8, y + 22, 84, 24), button, "Use painted"))
        state_choose(frame->state, end);
}

/* The digit at the place that is pointed at, or in the middle of what is shown. */
static void build_between(const ui_frame *frame, float x, float y)
{
    const window_state *state = frame->state;
    const double at = state->pointed >= 0 ? state->pointed : (state->low + state->high) / 2;
    float pixels[3 * PICTURES_SHOWN_SIDE * PICTURES_SHOWN_SIDE];
    const window_pictures *pictures = state->pictures;
    const float *from = pictures ? pictures->list[state->from_picture].shown : state->from.pixels;
    const float *to = pictures ? pictures->list[state->to_picture].shown : state->to.pixels;
    const uint32_t count = pictures ? 3 * pictures->side * pictures->side : DIGITS_PIXELS;
    for (uint32_t p = 0; p < count; p++)
        pixels[p] = (float)((1 - at) * (double)from[p] + at * (double)to[p]);
    if (pictures)
        ui_picture(frame, x, y, PICTURE, "between", pixels);
    else
        build_picture(frame, x, y, "between", pixels);
    ui_text(frame, nk_rect(x + PICTURE + 8, y + 2, 80, 18), UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "Between");
    ui_text(frame, nk_rect(x + PICTURE + 8, y + 22, 80, 18), UI_SMALL, NK_TEXT_LEFT, UI_FAINT, "at %.4f", at);
}

/* A tenth of what is shown, around the largest step of the hard side. */
static void zoom_into_jump(const ui_frame *frame)
{
    window_state *state = frame->state;
    const side_numbers *hard = &frame->facts->numbers->sides[MODEL_HARD];
    const double width = state->high - state->low;
    const double at = state->low + width * ((double)hard->largest_step_at + 0.5) / (frame->facts->numbers->items - 2);
    state_look_at(state, at - width / 20, at + width / 20);
}

/* What the two columns are, where there is room to say it. */
static void build_caption(const ui_frame *frame, struct nk_rect rect)
{
    if (rect.w < 360)
        return;
    const struct nk_rect line = nk_rect(rect.x, rect.y, rect.w, 18);
    ui_text(frame, line, UI_SMALL, NK_TEXT_LEFT, UI_TEXT, "One %s turns into the other in %u steps.",
            frame->state->pictures ? "picture" : "digit", frame->facts->model->items - 1);
    ui_text(frame, nk_rect(line.x, line.y + 18, line.w, 18), UI_SMALL, NK_TEXT_LEFT, UI_FAINT,
            "The curves: how sure the model is of each answer.");
}

static void build_header(const ui_frame *frame, struct nk_rect rect)
{
    window_state *state = frame->state;
    const bool answered = frame->facts->numbers->version > 0;
    const float right = rect.x + rect.w;
    build_caption(frame, nk_rect(rect.x + 468, rect.y + 12, rect.w - 468 - 124, 40));
    build_between(frame, rect.x + 168, rect.y + 8);
    if (state->pictures) {
        build_picture_end(frame, rect.x + 1, rect.y + 8, "from", "From", &state->from_picture);
        build_picture_end(frame, rect.x + 304, rect.y + 8, "to", "To", &state->to_picture);
    } else {
        build_end(frame, rect.x + 1, rect.y + 8, "from", "From", &state->from);
        build_end(frame, rect.x + 304, rect.y + 8, "to", "To", &state->to);
    }
    if (ui_button(frame, nk_rect(right - 116, rect.y + 4, 116, 26), "zoom", "Zoom into jump") && answered)
        zoom_into_jump(frame);
    if (ui_button(frame, nk_rect(right - 116, rect.y + 34, 56, 26), "whole", "Whole"))
        state_whole_path(state);
    if (ui_button(frame, nk_rect(right - 56, rect.y + 34, 56, 26), "values", state->logits ? "%" : "Logits"))
        state_show_logits(state, !state->logits);
}

void ui_build_path(const ui_frame *frame, struct nk_rect rect)
{
    const float wide = (rect.w - COLUMN_GAP) / 2;
    build_header(frame, rect);
    for (int side = 0; side < MODEL_SIDES; side++)
        ui_build_curves(frame,
                        nk_rect(rect.x + (float)side * (wide + COLUMN_GAP), rect.y + HEADER, wide, rect.h - HEADER),
                        (model_side)side);
}
